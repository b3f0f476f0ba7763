"""Two runs side by side: groups and failure modes."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st
from shared import runs
from shared.address import stay
from shared.html import plain, stats

from barlow_core import views
from barlow_core.compare import Comparison
from barlow_core.run import Run
from barlow_core.wording import count, percent, points, points_interval
from browsing.columns import in_percent, percent_column, points_column
from browsing.data import comparison, of_run
from browsing.run_place import bound, go, here
from browsing.side_by_side import show_side_by_side
from browsing.started import Started


def show_compare(started: Started, name: str, run: Run) -> None:
    """The page, from top to bottom."""
    others = [other for other in started.paths if other != name]
    st.html('<h2 class="bw-h2">Two runs side by side</h2>')
    if not others:
        st.info("This app was started with one run. To compare two models, or two versions of one, start it with both:")
        st.code(f"barlow browse {run.path} OTHER_RUN", language="bash")
        return
    place = here()
    chosen = place.other if place.other in others else others[0]
    st.selectbox(f"{plain(name)} is the first; the second is", others, width=360, **bound("other", chosen))
    second = runs.open_run(started.paths[chosen])
    depths = [depth for depth in of_run(run, views.depths) if depth in of_run(second, views.depths)]
    depth = place.depth if place.depth in depths else depths[-1]
    st.segmented_control(
        "Depth",
        depths,
        help="Conditions in a rule, at most.",
        **bound("depth", depth, change=lambda value: {"depth": value or here().depth}),
    )
    found = comparison(run, second, depth)
    _what_is_common(found)
    _overall(found)
    _groups(found, name, chosen)
    _modes(found, run, second)


def _what_is_common(found: Comparison) -> None:
    said = "the same images" if found.same_images else f"other images ({found.common_images:,} are in both)"
    outcome = "the same failures" if found.same_failures else "other failures"
    extractor = "the same extractor" if found.same_extractor else "two extractors"
    st.html(
        f'<p class="bw-lead">{escape(found.names[0])} and {escape(found.names[1])}: {said}, {outcome}, {extractor}; '
        f"trees of depth {found.depth}. Differences are second − first: below 0, the second fails less.</p>"
    )


def _overall(found: Comparison) -> None:
    row = found.overall
    values = [
        (f"Error rate of the {side}", f"{percent(row[f'ber_{side}'])} ({int(row[f'n_failures_{side}']):,})")
        for side in ("first", "second")
    ]
    if pd.notna(row["ber_difference"]):
        interval = (
            points_interval(row["ber_difference_low"], row["ber_difference_high"]) if pd.notna(row["ber_difference_low"]) else ""
        )
        values.append(("Difference", f"{points(row['ber_difference'])}" + (f" ({interval})" if interval else "")))
    st.html(stats(values))


def _groups(found: Comparison, first: str, second: str) -> None:
    st.html(
        f'<h3 class="bw-h3">Groups</h3><p class="bw-lead">{count(len(found.groups), "group")}, the largest rise of the error rate first. Select a row to open the group.</p>'
    )
    table = found.groups.sort_values("ber_difference", ascending=False, kind="stable", ignore_index=True)

    def open_ticked() -> None:
        rows = st.session_state["compared groups"]["selection"]["rows"]
        if rows:
            row = table.iloc[rows[0]]
            go(
                page="group",
                grouping=row["grouping"],
                name=row["class_name"],
                run=second if row["explained_in"] == "second" else first,
            )

    number = st.column_config.NumberColumn
    shares = ["ber_first", "ber_second", "ber_difference", "ber_difference_low", "ber_difference_high"]
    st.dataframe(
        in_percent(table, shares),
        column_order=[
            "group",
            "ber_first",
            "ber_second",
            "ber_difference",
            "ber_difference_low",
            "ber_difference_high",
            "failure_modes_first",
            "failure_modes_second",
            "n_images_first",
            "n_images_second",
        ],
        column_config={
            "group": st.column_config.TextColumn("Group", pinned=True),
            "ber_first": percent_column(f"BER {first}"),
            "ber_second": percent_column(f"BER {second}"),
            "ber_difference": points_column("Difference"),
            "ber_difference_low": points_column("from"),
            "ber_difference_high": points_column("to"),
            "failure_modes_first": number("Failure modes, first"),
            "failure_modes_second": number("second"),
            "n_images_first": number("Images, first"),
            "n_images_second": number("second"),
        },
        hide_index=True,
        placeholder="–",
        height=360,
        on_select=open_ticked,
        selection_mode="single-row",
        key="compared groups",
        alt="Error rates of every group in both runs",
    )


def _modes(found: Comparison, first: Run, second: Run) -> None:
    table = found.failure_modes.reset_index(drop=True)
    st.html(
        f'<h3 class="bw-h3">Failure modes</h3><p class="bw-lead">{count(len(table), "failure mode")}. '
        "By chance, a rule fits the run in which it was found better than the other; held-out verdicts are free of that bias. "
        "Select a row to see its images in both runs.</p>"
    )
    if table.empty:
        st.info("Neither run has a failure mode at this depth.")
        return
    text = st.column_config.TextColumn
    shown = [
        "group",
        "rule",
        "found_in",
        "verdict",
        "held_out_verdict",
        "error_rate_first",
        "error_rate_second",
        "difference",
        "difference_low",
        "difference_high",
        "overlap",
        "match_rule",
    ]
    shares = ["error_rate_first", "error_rate_second", "difference", "difference_low", "difference_high", "overlap"]
    picked = st.dataframe(
        in_percent(table, shares),
        column_order=[column for column in shown if table[column].notna().any()],
        column_config={
            "group": text("Group", pinned=True),
            "rule": text("Rule"),
            "found_in": text("Found in"),
            "verdict": text("Verdict"),
            "held_out_verdict": text("Held out"),
            "error_rate_first": percent_column("ER, first"),
            "error_rate_second": percent_column("second"),
            "difference": points_column("Difference"),
            "difference_low": points_column("from"),
            "difference_high": points_column("to"),
            "overlap": percent_column("Shared images"),
            "match_rule": text("Closest rule in the other run"),
        },
        hide_index=True,
        placeholder="–",
        height=360,
        on_select=stay,
        selection_mode="single-row",
        key="compared modes",
        alt="Failure modes of both runs",
    )
    rows = picked["selection"]["rows"]
    show_side_by_side(found, table.iloc[rows[0] if rows else 0], first, second)
