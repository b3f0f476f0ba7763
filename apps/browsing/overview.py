"""The benchmark at a glance: error rates, where failure modes concentrate, all groups, which classes are confused."""

from __future__ import annotations

import json
from html import escape

import pandas as pd
import streamlit as st
from shared import runs
from shared.html import TERMS, figure, plain, rate_bar, stats

from barlow_core import views
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.export.tables import conditions_of
from barlow_core.run import Run
from barlow_core.wording import count, percent, points
from browsing import charts
from browsing.columns import PERCENT, in_percent, percent_column, points_column
from browsing.data import of_group, of_run
from browsing.header import depth_of, groupings
from browsing.judgements import Opinions
from browsing.panels import strongest
from browsing.run_place import bound, go, here

GROUPINGS_HELP = (
    "By label: what the classifier misses in a class. By prediction: what it wrongly takes for the class. "
    "All images: what fails across classes. By a column of the metadata: what fails among images with the same value. "
    "Each group is searched by itself."
)
CARDS, ROW, SEED = 4, 6, 0  # failure modes on the overview; failing images of each; of their order
BARS, PAIRS = 25, 200  # classes in the chart; confused pairs in the table


def show_overview(run: Run, opinions: Opinions) -> None:
    """The page, from top to bottom."""
    place = here()
    _controls(run)
    depth = depth_of(run)
    modes = of_run(run, views.mode_table, depth=depth, grouping=place.grouping)
    table = of_run(run, views.group_table, depth=depth)
    _numbers(run, depth)
    _certain(run, modes, opinions)
    _guesses(modes)
    left, right = st.columns(2, gap="medium")
    with left:
        _classes(run)
    with right:
        _modes(modes)
    _groups(table)
    _pairs(run)


def _controls(run: Run) -> None:
    place = here()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        st.segmented_control(
            "Group the images by",
            groupings(run),
            wrap=True,
            format_func=lambda grouping: plain(views.grouping_words(grouping)),
            help=GROUPINGS_HELP,
            **bound("grouping", place.grouping, change=lambda value: {"grouping": value or here().grouping}),
        )
        depths = of_run(run, views.depths)
        st.segmented_control(
            "Conditions per rule, at most",
            depths,
            wrap=True,
            help="The depth of the tree. More conditions describe the failures more closely, and are harder to read.",
            **bound("depth", depth_of(run), change=lambda value: {"depth": value or here().depth}),
        )


def _numbers(run: Run, depth: int) -> None:
    """What is certain, and what is a guess."""
    found = of_run(run, views.concentration, depth=depth)
    row = found[found["grouping"] == here().grouping].iloc[0]
    values = [
        ("Confirmed", f"{row.confirmed:,}"),
        ("Not confirmed", f"{row.not_confirmed:,}"),
        ("Too few images to tell", f"{row.too_few:,}"),
    ]
    if pd.notna(row.confirmed_increase):
        values.append(("Median increase of the confirmed, held out", points(row.confirmed_increase)))
    values.append(("Groups with failure modes", f"{row.groups_with_modes:,} of {row.n_groups:,}"))
    same = ""
    if row.same_images:
        hold = (
            "holds mostly the same images as another and stands"
            if row.same_images == 1
            else "hold mostly the same images as another and stand"
        )
        same = f" {row.same_images:,} {hold} behind it."
    st.html(
        '<h2 class="bw-h2">What is certain, what is a guess?</h2><p class="bw-lead">'
        f"{count(int(row.failure_modes), 'failure mode')} {'was' if row.failure_modes == 1 else 'were'} found in the images that "
        f"were searched. Images that had no part in finding them confirm {row.confirmed:,}.{same}</p>{stats(values)}"
    )


def _classes(run: Run) -> None:
    table = of_run(run, views.classes)
    more = f", the {BARS} worst of {len(table):,}" if len(table) > BARS else ""
    st.html(
        f'<h2 class="bw-h2">Classes by error</h2><p class="bw-lead">Wrong predictions, as a share of the images of each class{more}. '
        "The line marks the share of the predictions of that class that are wrong.</p>"
    )
    worst = table.head(BARS)
    st.altair_chart(
        charts.classes(worst),
        key="chart of classes",
        alt=f"Bars of the error rate by class; {worst['class_name'].iloc[0]} is worst with {percent(worst['error_rate'].iloc[0])}",
    )


def _modes(modes: pd.DataFrame) -> None:
    st.html(
        '<h2 class="bw-h2">Where failure modes concentrate</h2><p class="bw-lead">Each circle is a failure mode, '
        "its area the number of failures, grey where it is not confirmed. Click one to open it.</p>"
    )
    if modes.empty:
        st.info(
            "No leaf of these trees is a failure mode. Allow more conditions in a rule, or open a group and lower its thresholds."
        )
        return

    def open_picked() -> None:
        picked = st.session_state["chart of modes"]["selection"].get("mode") or []
        if picked:
            key, leaf = str(picked[0]["group"]), int(picked[0]["leaf"])
            grouping, _, name = key.partition(":")
            go(page="group", grouping=grouping, name=name, node=leaf)

    columns = [
        "group",
        "class_name",
        "leaf",
        "rule",
        "error_rate",
        "ber",
        "error_coverage",
        "increase",
        "held_out_increase",
        "n_failures",
        "verdict",
    ]
    st.altair_chart(
        charts.modes(modes[columns]),
        key="chart of modes",
        on_select=open_picked,
        selection_mode="mode",
        alt=f"{len(modes):,} failure modes by error coverage and increase over the base error rate",
    )


def _certain(run: Run, modes: pd.DataFrame, opinions: Opinions) -> None:
    """The failure modes that are confirmed, as cards."""
    confirmed = modes[(modes["verdict"] == CONFIRMED) & modes["same_as"].isna()]
    if modes.empty:
        return
    if confirmed.empty:
        st.info("No failure mode is confirmed on held-out images. What follows is a guess at best.")
        return
    order = f"The {CARDS} with the most evidence." if len(confirmed) > CARDS else "Most evidence first."
    st.html(
        f'<h2 class="bw-h2">Where the classifier fails</h2><p class="bw-lead">Confirmed. {order} '
        "Held out: measured on images that played no part in finding the rule.</p>"
    )
    for _, mode in confirmed.head(CARDS).iterrows():
        _card(run, mode, opinions)
    _listed(confirmed.iloc[CARDS:], "more that are confirmed", key="confirmed modes")


def _guesses(modes: pd.DataFrame) -> None:
    """The others, folded away, each with the reason."""
    guesses = modes[(modes["verdict"] != CONFIRMED) & modes["same_as"].isna()]
    _listed(guesses, "that are a guess: not confirmed, or of too few images to tell", key="guesses")


def _listed(modes: pd.DataFrame, what: str, *, key: str) -> None:
    """Failure modes as a table behind a heading; a ticked row opens."""
    if modes.empty:
        return

    def open_ticked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        if rows:
            row = modes.iloc[rows[0]]
            go(page="group", grouping=row["grouping"], name=row["class_name"], node=int(row["leaf"]))

    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    with st.expander(f"{len(modes):,} {what}"):
        st.dataframe(
            in_percent(modes, ("held_out_increase", "error_rate", "error_coverage")),
            column_order=["class_name", "rule", "verdict", "verdict_reason", "held_out_increase", "n_images", "error_rate"],
            column_config={
                "class_name": text("Class", pinned=True),
                "rule": text("Rule"),
                "verdict": text("Verdict", help=TERMS["Verdict"]),
                "verdict_reason": text("Why", width="large"),
                "held_out_increase": points_column("Held out", help=TERMS["Held-out increase"]),
                "n_images": number("Images", format="localized"),
                "error_rate": percent_column("ER, searched", help=TERMS["ER"]),
            },
            hide_index=True,
            placeholder="–",
            on_select=open_ticked,
            selection_mode="single-row",
            key=key,
            alt=f"{len(modes):,} failure modes {what}",
        )


def _card(run: Run, mode: pd.Series, opinions: Opinions) -> None:
    """One failure mode as a sentence, beside what its features show and which images fail."""
    depth = int(mode.depth)
    node = runs.analysis(run, mode.group, depth).tree.node(mode.leaf)
    title = views.group_words(mode.grouping, mode.class_name).title
    held_out = views.held_out_words(run, mode)
    sentence = f"Where {views.rule_words(node.conditions)}, "
    searched = (
        f"{percent(node.error_rate)} of the images searched are wrong ({node.n_failures:,} of {node.n_images:,}); they hold "
        f"{percent(node.error_coverage)} of the failures"
    )
    if held_out is not None:
        sentence += (
            f"<strong>{held_out.error_rate}</strong> are wrong held out, {held_out.increase} over the group. "
            f'<span class="bw-quiet">{searched[0].upper()}{searched[1:]}.</span>'
        )
    else:
        sentence += f"{searched}."
    chips = "".join(opinions.chips(mode.group, feature, node.rule) for feature in views.condition_words(node.conditions))
    # A rule may be about metadata alone; then there is no feature to show.
    strips = "".join(strongest(run, mode.group, feature) for feature in views.condition_words(node.conditions))
    failures = of_group(run, _failures, mode.group, depth, int(mode.leaf))
    pictures = "".join(
        figure(row["path"], alt=f"{row['name']}: {row['label']}, predicted {row['prediction']}")
        for row in failures.to_dict("records")
    )
    strips += f'<div><h5>Failing images</h5><div class="bw-strip">{pictures}</div></div>'
    with st.container(border=True):
        card, button = st.columns([10, 1.6], vertical_alignment="center")
        card.html(
            f'<div class="bw-card"><div><h3 class="bw-h3">{escape(title)}</h3><p>{sentence}</p>{chips}'
            f'{rate_bar(mode.error_rate, mode.ber)}{_others(run, mode)}</div><div class="bw-strips">{strips}</div></div>'
        )
        button.button(
            f"Open {plain(mode.class_name)}",
            key=f"open {mode.group} {mode.leaf}",
            on_click=go,
            kwargs={"page": "group", "grouping": mode.grouping, "name": mode.class_name, "node": int(mode.leaf)},
        )


def _others(run: Run, mode: pd.Series) -> str:
    """The other failure modes for mostly the same images, of any grouping and number of conditions, folded away."""
    names = json.loads(mode.same_images)
    if not names:
        return ""
    rules, items = of_run(run, _rules), []
    for group, depth, leaf, overlap in names:
        title, rule = rules[group, depth, leaf]
        items.append(f"<li>{escape(title)}: {escape(rule)} (Jaccard index {overlap:.2f})</li>")
    head = f"{count(len(items), 'other rule')} for mostly the same images"
    return f'<details class="bw-others"><summary>{head}</summary><ul>{"".join(items)}</ul></details>'


def _rules(run: Run) -> dict[tuple[str, int, int], tuple[str, str]]:
    """(group, depth, leaf) of every failure mode -> its group and its rule in words."""
    modes = run.failure_modes()
    columns = (modes[name] for name in ("group", "depth", "leaf", "grouping", "class_name", "conditions"))
    return {
        (group, depth, leaf): (views.group_words(grouping, name).title, views.rule_words(conditions_of(conditions)))
        for group, depth, leaf, grouping, name, conditions in zip(*columns, strict=True)
    }


def _failures(run: Run, key: str, depth: int, leaf: int) -> pd.DataFrame:
    return views.node_failures(run, key, runs.analysis(run, key, depth).tree.node(leaf), n=ROW, seed=SEED)


def _groups(table: pd.DataFrame) -> None:
    """The groups as a table that sorts and searches; a ticked row opens."""
    place = here()
    st.html('<h2 class="bw-h2">All groups</h2>')
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Search", placeholder="class or rule", width=320, **bound("find", place.find))
        st.toggle(
            "Only those with failure modes",
            **bound("only", place.only == "modes", change=lambda value: {"only": "modes" if value else "all"}),
        )
    found = views.find_groups(table, place.find, grouping=place.grouping, with_modes=place.only == "modes")
    st.html(
        f'<p class="bw-lead">{count(len(found), "group")}, worst first. Select a row to open the group; click a heading to sort.</p>'
    )
    if found.empty:
        st.info("No group matches. Use fewer words, or choose another grouping.")
        return

    def open_ticked() -> None:
        rows = st.session_state["groups"]["selection"]["rows"]
        if rows:
            row = found.iloc[rows[0]]
            go(page="group", grouping=row["grouping"], name=row["class_name"])

    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    found = in_percent(found, ("ber", "increase", "held_out_increase", "covered", "aler"))
    highest = max(float(found["ber"].max()), 1.0)
    shown = [
        "class_name",
        "n_images",
        "n_failures",
        "ber",
        "failure_modes",
        "increase",
        "held_out_increase",
        "covered",
        "importance_value",
        "aler",
    ]
    st.dataframe(
        found,
        column_order=[column for column in shown if found[column].notna().any()],
        column_config={
            "class_name": text("Class", pinned=True),
            "n_images": number("Images", format="localized"),
            "n_failures": number("Failures", format="localized"),
            "ber": st.column_config.ProgressColumn("BER", help=TERMS["BER"], format=PERCENT, min_value=0, max_value=highest),
            "failure_modes": number("Failure modes"),
            "increase": points_column("Largest increase", help=TERMS["Increase"]),
            "held_out_increase": points_column("Held out", help=TERMS["Held-out increase"]),
            "covered": percent_column("Failures inside", help=TERMS["Failures inside"]),
            "importance_value": number("Highest IV", help=TERMS["IV"], format="%.3f"),
            "aler": percent_column("ALER", help=TERMS["ALER"]),
        },
        hide_index=True,
        placeholder="–",
        on_select=open_ticked,
        selection_mode="single-row",
        key="groups",
        alt="Groups of images with their error rates and failure modes",
    )


def _pairs(run: Run) -> None:
    """Confused classes, most frequent first; a ticked row opens the images."""
    pairs = of_run(run, views.confusion_pairs)
    st.html(
        f'<h2 class="bw-h2">Most frequent confusions</h2><p class="bw-lead">{len(pairs):,} kinds of confusion'
        f"{f', the {PAIRS} most frequent' if len(pairs) > PAIRS else ''}. Select a row to see its images.</p>"
    )
    if pairs.empty:
        st.info("Every prediction is right, so there are no confusions.")
        return
    pairs = in_percent(pairs.head(PAIRS), ("share_of_label", "share_of_failures"))

    def open_ticked() -> None:
        rows = st.session_state["pairs"]["selection"]["rows"]
        if rows:
            row = pairs.iloc[rows[0]]
            go(page="group", grouping="label", name=row["label"], node=0, show="failures", predicted=row["prediction"])

    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        pairs,
        column_order=["label", "prediction", "n_failures", "share_of_label", "share_of_failures", "confidence"],
        column_config={
            "label": text("Label"),
            "prediction": text("Predicted as"),
            "n_failures": number("Failures", format="localized"),
            "share_of_label": percent_column("Of the label's images"),
            "share_of_failures": percent_column("Of all failures"),
            "confidence": number("Mean confidence", format="%.2f"),
        },
        hide_index=True,
        placeholder="–",
        height=320,
        on_select=open_ticked if "label" in groupings(run) else "ignore",
        selection_mode="single-row",
        key="pairs",
        alt="Pairs of label and wrong prediction, with how often they occur",
    )
