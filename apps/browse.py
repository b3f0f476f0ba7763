"""Browse the failure modes of a run: `barlow browse RUN`, or `streamlit run apps/browse.py -- RUN`."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from shared import runs
from shared.html import TERMS, figure, plain, rate_bar, stats, style
from shared.panel import found_panel, show_panel
from shared.place import Place, adopt_url, go, write_url
from shared.tree import tree_html

from barlow_core import views
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.wording import percent, points

GROUPINGS = {
    "label": "Label",
    "prediction": "Prediction",
    "union": "Label or prediction",
    "pair": "Confused pair",
    "mask": "Choice",
}
GROUPINGS_HELP = (
    "By label: what the classifier misses in a class. By prediction: what it wrongly takes for the class. "
    "Rules are searched in each group by itself."
)
DEFAULT_DEPTH = 1  # One condition a rule: what a person reads first.
CARDS = 6  # failure modes on the overview
ROW = 6  # failing images at a time
SEED = 0  # of their order


def main() -> None:
    """The page, from top to bottom."""
    st.set_page_config("Failure modes", layout="wide")
    style()
    try:
        run = runs.open_run(runs.run_argument("browse.py"))
        explained = show_header(run)
        if not explained:
            return
        place = choose_place(run)
        if place.name is None:
            show_overview(run, place)
        else:
            show_group(run, place, place.name)
    except BarlowError as error:
        st.error(plain(str(error)))
    except OSError as error:
        st.error(plain(f"A file of this run cannot be read: {error}. Bring it back, or make the run again."))


def show_header(run: Run) -> bool:
    """What the run is; which commands it still needs before there is anything to see. False where it needs some."""
    summary, status = views.summary(run), run.status()
    facts = [f"{summary.n_images:,} images", f"{summary.n_classes:,} classes"]
    if summary.n_failures is not None and summary.error_rate is not None:
        facts.append(f"{summary.n_failures:,} wrong predictions ({percent(summary.error_rate)})")
    if summary.extractor:
        facts.append(f"features of {summary.extractor}")
    title = f'<header class="bw-title"><h1>{escape(summary.name)}</h1><p>{escape(" · ".join(facts))}</p></header>'
    pending = status[(status["state"] != "done") & (status["stage"] != "visualize")]
    if pending.empty:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.html(title)
        with right:
            show_help(run)
        return True
    st.html(title)
    if (pending["state"] == "stale").any():
        st.warning("This run is out of date: its data or an earlier step changed. Bring it up to date, then reload:")
    else:
        st.info("This run has no failure modes yet. Find them, then reload:")
    st.code("\n".join(pending["command"]), language="bash")
    return False


def show_help(run: Run) -> None:
    """What every number means and was measured on."""
    settings = run.require("explain")["settings"]
    with st.popover("What do the numbers mean?"):
        st.markdown("\n".join(f"- **{name}**: {text}" for name, text in TERMS.items()))
        st.markdown(
            f"A **failure mode** is a leaf of the group's tree with ER > BER + {settings['delta']:g} and EC > {settings['tau']:g}. "
            "Its rule speaks of features of the extractor, which the pictures A, B and C explain.\n\n"
            "Numbers are measured **on the same images in which the rules were searched** (in-sample), which flatters them, above "
            "all for rules with several conditions and few images. Those called **held out** are measured on images that had no "
            "part in finding the rule: they tell what to expect of new images."
        )


def choose_place(run: Run) -> Place:
    """The controls, in step with the URL."""
    groupings, depths = views.groupings(run), views.depths(run)
    if not groupings:
        raise BarlowError(f"No group of images was explained in {run.path}. Run: barlow explain {run.path} --grouping label")
    default = Place(groupings[0], None, min(DEFAULT_DEPTH, depths[-1]))
    adopt_url(default, groupings=groupings, depths=depths)
    left, middle, right = st.columns([4, 5, 3])
    grouping = left.radio(
        "Group the images by",
        groupings,
        format_func=GROUPINGS.__getitem__,
        horizontal=True,
        key="grouping",
        help=GROUPINGS_HELP,
    )
    table = views.groups(run, grouping=grouping, depth=depths[0])
    error_rates = dict(zip(table["class_name"].astype(str), table["ber"], strict=True))
    wanted = st.session_state["name"]
    # Also where nothing changes: older versions of Streamlit forget the choice when the options become others.
    st.session_state["name"] = wanted if wanted in error_rates else None
    name = middle.selectbox(
        "Class (worst first; type to search)",
        list(error_rates),
        index=None,
        format_func=lambda name: f"{name}: {percent(error_rates[name])} wrong",
        placeholder="All of them",
        key="name",
    )
    depth = right.radio(
        "Conditions in a rule, at most",
        depths,
        horizontal=True,
        key="depth",
        help="The depth of the tree. More conditions describe the failures more closely, and are harder to read.",
    )
    if wanted is not None and wanted not in error_rates:
        st.warning(plain(f"There is no group called {wanted} here. Choose one of the others."))
    place = Place(grouping, name, depth)
    write_url(place, default)
    return place


# --- all groups


def show_overview(run: Run, place: Place) -> None:
    """The strongest failure modes of a grouping, and a table of its groups."""
    modes = views.failure_modes(run, grouping=place.grouping, depth=place.depth)
    table = views.groups(run, grouping=place.grouping, depth=place.depth)
    found = f"{len(modes):,} failure modes in {modes['group'].nunique():,} of {len(table):,} groups."
    order = f"The {CARDS} of highest importance value come first." if len(modes) > CARDS else "Highest importance value first."
    lead = f"{found} {order}" if len(modes) else f"No failure mode in {len(table):,} groups."
    lead += (
        " Held out: measured on images that had no part in finding the rule." if modes["held_out_n_images"].notna().any() else ""
    )
    st.html(f'<h2 class="bw-h2">Where the classifier fails</h2><p class="bw-lead">{lead}</p>')
    if modes.empty:
        st.info("No leaf of any tree passes. Try more conditions in a rule, or smaller thresholds:")
        st.code(f"barlow explain {run.path} --delta 0.05 --tau 0.1", language="bash")
    for _, mode in modes.head(CARDS).iterrows():
        show_card(run, place, mode)
    show_groups(place, table)


def show_card(run: Run, place: Place, mode: pd.Series) -> None:
    """One row of `views.failure_modes` as a sentence, beside what its feature shows and whom it strikes."""
    node = runs.analysis(run, mode.group, place.depth).tree.node(mode.leaf)
    title = views.group_words(place.grouping, mode.class_name).title
    sentence = (
        f"Where {views.rule_words(node.conditions)}, <strong>{percent(node.error_rate)}</strong> are wrong "
        f"({node.n_failures:,} of {node.n_images:,}), {points(mode.increase)} over the group's {percent(mode.ber)}. "
        f"They hold <strong>{percent(node.error_coverage)}</strong> of its failures."
    )
    held_out = views.held_out_words(run, mode)
    if held_out is not None:
        sentence += f' <span class="bw-quiet">Held out: {held_out.error_rate}.</span>'
    strips = ""
    panel = found_panel(run, mode.group, mode.feature)
    if panel is not None:
        strongest = "".join(
            figure(panel.path / image.image, alt=f"{image.label} image {image.name}, feature {mode.feature} is strong")
            for image in panel.images[:3]
        )
        strips += f'<div><h5>Feature {mode.feature}, strongest</h5><div class="bw-strip">{strongest}</div></div>'
    failures = "".join(failure_figure(row) for row in views.node_failures(run, mode.group, node, n=ROW, seed=SEED).itertuples())
    strips += f'<div><h5>Failing images</h5><div class="bw-strip">{failures}</div></div>'
    with st.container(border=True):
        card, button = st.columns([10, 1.6], vertical_alignment="center")
        card.html(
            f'<div class="bw-card"><div><h3 class="bw-h3">{escape(title)}</h3><p>{sentence}</p>'
            f'{rate_bar(mode.error_rate, mode.ber)}</div><div class="bw-strips">{strips}</div></div>'
        )
        button.button(
            f"Open {plain(mode.class_name)}",
            key=f"open {mode.group} {mode.leaf}",
            on_click=go,
            args=(place.grouping, mode.class_name),
        )


def show_groups(place: Place, table: pd.DataFrame) -> None:
    """All groups as a table that sorts and searches; a ticked row opens."""
    st.html(f'<h2 class="bw-h2">All {len(table):,} groups</h2><p class="bw-lead">Tick a row to open the group.</p>')

    def open_ticked() -> None:
        rows = st.session_state["groups"]["selection"]["rows"]
        if rows:
            go(place.grouping, table["class_name"].iloc[rows[0]])

    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    highest = max(float(table["ber"].max()), 0.01)
    st.dataframe(
        table,
        column_order=["class_name", "n_images", "n_failures", "ber", "failure_modes", "increase", "importance_value", "aler"],
        column_config={
            "class_name": text("Class", pinned=True),
            "n_images": number("Images", format="localized"),
            "n_failures": number("Failures", format="localized"),
            "ber": st.column_config.ProgressColumn("BER", help=TERMS["BER"], format="percent", min_value=0, max_value=highest),
            "failure_modes": number("Failure modes"),
            "increase": number("Largest increase", help=TERMS["Increase"], format="percent"),
            "importance_value": number("Highest IV", help=TERMS["IV"], format="%.3f"),
            "aler": number("ALER", help=TERMS["ALER"], format="percent"),
        },
        hide_index=True,
        on_select=open_ticked,
        selection_mode="single-row",
        key="groups",
    )


# --- one group


def show_group(run: Run, place: Place, name: str) -> None:
    """A group with its tree and its failure modes."""
    key = f"{place.grouping}:{name}"
    analysis = runs.analysis(run, key, place.depth)
    words = views.group_words(place.grouping, name)
    st.button("← All groups", on_click=go, args=(place.grouping, None), type="tertiary")
    st.html(
        f'<h2 class="bw-h2">{escape(words.title)}</h2><p class="bw-lead">{escape(words.failures)} '
        "The tree shows the images in which it was searched.</p>"
        + stats(
            [
                ("BER", percent(analysis.ber)),
                ("Failures", f"{analysis.n_failures:,} of {analysis.n_images:,}"),
                ("ALER", percent(analysis.aler)),
            ]
        )
        + tree_html(analysis)
    )
    reason = views.no_failure_mode(analysis)
    if reason is not None:
        st.info(reason)
    for rank, node in enumerate(analysis.failure_modes, 1):
        show_mode(run, key, analysis, node, rank)


def show_mode(run: Run, key: str, analysis: FailureAnalysis, node: Node, rank: int) -> None:
    """A failure mode: its rule, its numbers, what its features show, whom it strikes."""
    place = f"{key} {analysis.settings.depth} {node.number}"
    words = views.condition_words(node.conditions)
    with st.container(border=True):
        st.html(
            f'<h3 class="bw-h3">{views.rule_words(node.conditions)} <span class="bw-badge">failure mode {rank}</span></h3>'
            f'<code class="bw-code">{escape(node.rule)}</code>'
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
            + checks_html(run, views.failure_mode(run, key, depth=analysis.settings.depth, leaf=node.number))
        )
        if len(node.features) == 1:
            show_panel(run, key, node.features[0], place=place)
        else:
            tabs = st.tabs([f"Feature {feature}: {words[feature]}" for feature in node.features])
            for tab, feature in zip(tabs, node.features, strict=True):
                with tab:
                    show_panel(run, key, feature, place=place)
        show_failures(run, key, node, place)


def checks_html(run: Run, mode: pd.Series) -> str:
    """What the checks say about a failure mode; empty where none was made."""
    held_out, luck = views.held_out_words(run, mode), views.luck_words(mode)
    values = []
    if held_out is not None:
        values += [
            ("Held-out ER", held_out.error_rate),
            ("Held-out increase", held_out.increase),
            ("Held-out EC", held_out.error_coverage),
            ("Held-out failures", held_out.failures),
        ]
    if luck is not None:
        values.append(("Luck", luck))
    if pd.notna(mode["stability"]):
        values.append(("Stability", percent(mode["stability"])))
    if not values:
        return ""
    how = f'<p class="bw-quiet">{escape(held_out.how)}</p>' if held_out is not None else ""
    return f'<section class="bw-checks" aria-label="Checks of this failure mode">{stats(values)}{how}</section>'


def show_failures(run: Run, key: str, node: Node, place: str) -> None:
    """Failing images of a leaf, a few at a time."""
    counter = f"failures shown of {place}"
    shown = st.session_state.get(counter, ROW)
    failures = views.node_failures(run, key, node, n=shown, seed=SEED)
    pictures = "".join(failure_figure(row, caption=True) for row in failures.itertuples())
    st.html(
        '<div class="bw-row"><div class="bw-section"><h5>Failures in this leaf</h5>'
        f"<p>{len(failures):,} of {node.n_failures:,}, in random order: label → prediction (confidence).</p></div>"
        f'<div class="bw-grid">{pictures}</div></div>'
    )
    if len(failures) < node.n_failures:

        def more() -> None:
            st.session_state[counter] = shown + 2 * ROW

        st.button("More failures", key=f"more {counter}", on_click=more)


def failure_figure(row: Any, *, caption: bool = False) -> str:
    """One row of `views.node_failures` as a picture."""
    sure = "" if pd.isna(row.confidence) else f" ({row.confidence:.2f})"
    alt = f"{row.name}: {row.label}, predicted {row.prediction}{sure}"
    return figure(Path(row.path), alt=alt, caption=f"{row.label} → {row.prediction}{sure}" if caption else "")


main()
