"""Browse the failure modes of a run: `barlow browse RUN`, or `streamlit run apps/browse.py -- RUN`."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from shared import runs
from shared.html import TERMS, figure, rate_bar, stats, style
from shared.panel import show_panel
from shared.place import Place, adopt_url, go, write_url
from shared.tree import tree_html

from barlow_core import views
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.views import percent, points

GROUPINGS = {
    "label": "Label: what it misses",
    "prediction": "Prediction: what it wrongly takes for it",
    "union": "Label or prediction",
    "pair": "Confused pairs",
    "mask": "Chosen images",
}
DEFAULT_DEPTH = 1  # One condition a rule: what a person reads first.
CARDS, ROW, SEED = 6, 6, 0


def main() -> None:
    """The page, from top to bottom."""
    st.set_page_config("Failure modes", layout="wide")
    style()
    try:
        run = runs.open_run(runs.run_argument("browse.py"))
        show_header(views.summary(run))
        if show_unfinished(run):
            return
        place = choose_place(run)
        if place.name is None:
            show_overview(run, place)
        else:
            show_group(run, place)
    except BarlowError as error:
        st.error(str(error))


def show_header(summary: views.Summary) -> None:
    facts = [f"{summary.n_images:,} images", f"{summary.n_classes:,} classes"]
    if summary.n_failures is not None and summary.error_rate is not None:
        facts.append(f"{summary.n_failures:,} wrong predictions ({percent(summary.error_rate)})")
    if summary.extractor:
        facts.append(f"features of {summary.extractor}")
    st.html(f'<header class="bw-title"><h1>{escape(summary.name)}</h1><p>{escape(" · ".join(facts))}</p></header>')


def show_unfinished(run: Run) -> bool:
    """Say which commands are still needed before there is anything to see; True where there are some."""
    status = run.status()
    pending = status[(status["state"] != "done") & (status["stage"] != "visualize")]
    if pending.empty:
        return False
    if (pending["state"] == "stale").any():
        st.warning("This run is out of date: its data or an earlier step changed. Bring it up to date, then reload:")
    else:
        st.info("This run has no failure modes yet. Find them, then reload:")
    st.code("\n".join(pending["command"]), language="bash")
    return True


def choose_place(run: Run) -> Place:
    """The controls, in step with the URL."""
    groupings, depths = views.groupings(run), views.depths(run)
    default = Place(groupings[0], None, min(DEFAULT_DEPTH, depths[-1]))
    adopt_url(default, groupings=groupings, depths=depths)
    left, middle, right = st.columns([5, 4, 3], vertical_alignment="bottom")
    grouping = left.radio("Group the images by", groupings, format_func=GROUPINGS.__getitem__, horizontal=True, key="grouping")
    table = views.groups(run, grouping=grouping, depth=depths[0]).set_index("class_name")
    unknown = st.session_state["name"] if st.session_state["name"] not in table.index else None
    if unknown is not None:
        st.session_state["name"] = None
    name = middle.selectbox(
        "Class (worst first; type to search)",
        list(table.index),
        index=None,
        format_func=lambda name: f"{name}   {percent(table.at[name, 'ber'])} wrong",
        placeholder="All: the overview",
        key="name",
    )
    depth = right.radio(
        "Conditions in a rule, at most",
        depths,
        horizontal=True,
        key="depth",
        help="The depth of the tree. More conditions describe the failures more closely, and are harder to read.",
    )
    if unknown is not None:
        st.warning(f"This run has no group called {unknown!r} here. Choose another one.")
    place = Place(grouping, name, depth)
    write_url(place, default)
    return place


def show_help(run: Run) -> None:
    settings = run.require("explain")["settings"]
    with st.popover("What do these numbers mean?"):
        st.markdown("\n".join(f"- **{name}**: {text.split(': ', 1)[-1]}" for name, text in TERMS.items()))
        st.markdown(
            f"A **failure mode** is a leaf of the group's tree with ER > BER + {settings['delta']:g} and EC > {settings['tau']:g}. "
            "Its rule speaks of features of the extractor, which the pictures A, B and C explain.\n\n"
            "All numbers are measured **on the same images in which the rules were searched** (in-sample): on new images "
            "expect smaller differences, above all for rules with several conditions and few images."
        )


# --- all groups


def show_overview(run: Run, place: Place) -> None:
    modes = views.failure_modes(run, grouping=place.grouping, depth=place.depth)
    table = views.groups(run, grouping=place.grouping, depth=place.depth)
    with_modes = int((table["failure_modes"] > 0).sum())
    st.html(
        '<h2 class="bw-h2">Where the classifier fails</h2>'
        f'<p class="bw-lead">{len(modes):,} failure modes in {with_modes:,} of {len(table):,} groups, strongest first '
        "(importance value: how often they fail × how many of the group's failures they hold).</p>"
    )
    show_help(run)
    if modes.empty:
        st.info("No leaf of any tree passes. Try more conditions in a rule, or smaller thresholds:")
        st.code(f"barlow explain {run.path} --delta 0.05 --tau 0.1", language="bash")
    for mode in modes.head(CARDS).itertuples():
        show_card(run, place, mode)
    show_groups(place, table)


def show_card(run: Run, place: Place, mode: Any) -> None:
    node = runs.analysis(run, mode.group, place.depth).tree.node(mode.leaf)
    failures = views.node_failures(run, mode.group, node, n=ROW, seed=SEED)
    strip = "".join(failure_figure(row) for row in failures.itertuples())
    with st.container(border=True):
        st.html(
            f'<div class="bw-card"><div><h3 class="bw-h3">{escape(views.group_words(place.grouping, mode.class_name).title)}</h3>'
            f"<p>{mode_sentence(node, mode.ber)}</p>{rate_bar(mode.error_rate, mode.ber)}</div>"
            f'<div class="bw-strip">{strip}</div></div>'
        )
        st.button(
            f"Open {mode.class_name}",
            key=f"open {mode.group} {mode.leaf}",
            on_click=go,
            args=(place.grouping, mode.class_name),
        )


def show_groups(place: Place, table: pd.DataFrame) -> None:
    st.html(f'<h2 class="bw-h2">All {len(table):,} groups</h2><p class="bw-lead">Tick a row to open the group.</p>')

    def open_ticked() -> None:
        rows = st.session_state["groups"]["selection"]["rows"]
        if rows:
            go(place.grouping, table["class_name"].iloc[rows[0]])

    share = {"format": "percent", "min_value": 0.0}
    st.dataframe(
        table[
            [
                "class_name",
                "n_images",
                "n_failures",
                "ber",
                "failure_modes",
                "increase",
                "importance_value",
                "aler",
            ]
        ],
        column_config={
            "class_name": st.column_config.TextColumn("Class", pinned=True),
            "n_images": st.column_config.NumberColumn("Images", format="localized"),
            "n_failures": st.column_config.NumberColumn("Failures", format="localized"),
            "ber": st.column_config.ProgressColumn("BER", help=TERMS["BER"], max_value=max(table["ber"].max(), 0.01), **share),
            "failure_modes": st.column_config.NumberColumn("Failure modes"),
            "increase": st.column_config.NumberColumn("Largest increase", help=TERMS["Increase"], format="percent"),
            "importance_value": st.column_config.NumberColumn("Highest IV", help=TERMS["IV"], format="%.3f"),
            "aler": st.column_config.NumberColumn("ALER", help=TERMS["ALER"], format="percent"),
        },
        hide_index=True,
        on_select=open_ticked,
        selection_mode="single-row",
        key="groups",
    )


# --- one group


def show_group(run: Run, place: Place) -> None:
    key = f"{place.grouping}:{place.name}"
    analysis = runs.analysis(run, key, place.depth)
    words = views.group_words(place.grouping, str(place.name))
    st.html(
        f'<h2 class="bw-h2">{escape(words.title)}</h2><p class="bw-lead">{escape(words.failures)}</p>'
        + stats(
            [
                ("BER", percent(analysis.ber)),
                ("Failures", f"{analysis.n_failures:,} of {analysis.n_images:,} images"),
                ("ALER", percent(analysis.aler)),
            ]
        )
    )
    back, explanation, _ = st.columns([2, 3, 7])
    back.button("← All groups", on_click=go, args=(place.grouping, None))
    with explanation:
        show_help(run)
    st.html(tree_html(analysis))
    reason = views.no_failure_mode(analysis)
    if reason is not None:
        st.info(reason)
    for rank, node in enumerate(analysis.failure_modes, 1):
        show_mode(run, key, analysis, node, rank)


def show_mode(run: Run, key: str, analysis: FailureAnalysis, node: Node, rank: int) -> None:
    place = f"{analysis.settings.depth} {node.number}"
    with st.container(border=True):
        st.html(
            f'<h3 class="bw-h3">{views.rule_words(node.conditions)}<span class="bw-badge">failure mode {rank}</span></h3>'
            f'<code class="bw-code">{escape(node.rule)}</code><p class="bw-lead">{mode_sentence(node, analysis.ber, rule=False)}</p>'
            + stats(
                [
                    ("ER", percent(node.error_rate)),
                    ("Increase", points(node.error_rate - analysis.ber)),
                    ("EC", percent(node.error_coverage)),
                    ("IV", f"{node.importance_value:.3f}"),
                    ("Failures", f"{node.n_failures:,} of {node.n_images:,}"),
                    ("ALER", percent(analysis.aler)),
                ]
            )
        )
        if len(node.features) == 1:
            show_panel(run, key, node.features[0], place=place)
        else:
            for tab, feature in zip(st.tabs([f"Feature {f}" for f in node.features]), node.features, strict=True):
                with tab:
                    show_panel(run, key, feature, place=place)
        show_failures(run, key, node, place)


def show_failures(run: Run, key: str, node: Node, place: str) -> None:
    counter = f"rows of failures in {key} {place}"
    rows = st.session_state.setdefault(counter, 1)
    failures = views.node_failures(run, key, node, n=rows * ROW, seed=SEED)
    pictures = "".join(failure_figure(row, caption=True) for row in failures.itertuples())
    st.html(
        '<div class="bw-row"><div class="bw-section"><h5>Failures in this leaf</h5>'
        f"<p>{len(failures):,} of {node.n_failures:,}, drawn at random: label → prediction (confidence).</p></div>"
        f'<div class="bw-grid">{pictures}</div></div>'
    )
    if len(failures) < node.n_failures:

        def more() -> None:
            st.session_state[counter] += 2

        st.button("More failures", key=f"more {counter}", on_click=more)


# --- words and pictures of both


def mode_sentence(node: Node, ber: float, *, rule: bool = True) -> str:
    where = f"Where {views.rule_words(node.conditions)}, " if rule else ""
    return (
        f"{where}<strong>{percent(node.error_rate)}</strong> of {node.n_images:,} images are wrong, "
        f"{points(node.error_rate - ber)} over the group's {percent(ber)}. "
        f"They hold <strong>{percent(node.error_coverage)}</strong> of its failures."
    )


def failure_figure(row: Any, *, caption: bool = False) -> str:
    sure = "" if pd.isna(row.confidence) else f" ({row.confidence:.2f})"
    text = f"{row.label} → {row.prediction}{sure}"
    return figure(
        Path(row.path),
        alt=f"{row.name}: {row.label}, predicted {row.prediction}{sure}",
        caption=text if caption else "",
    )


main()
