"""The charts of the browse app: what goes on which axis. Every number comes from `barlow_core.views`."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from barlow_core.analyses.verdicts import CONFIRMED

FAIL, GOOD, LINE = "#d9534f", "#7a8aa0", "#8a8f98"
PERCENT = ".0%"
NAMED, HEIGHT = 15, 300  # failure modes that still have room for names; pixels


def classes(table: pd.DataFrame) -> alt.LayerChart:
    """Error rate by class, the worst first; the pale mark is the share of wrong ones among what is predicted so."""
    order = list(table["class_name"])
    tooltip = [
        alt.Tooltip("class_name", title="Class"),
        alt.Tooltip("error_rate", title="Error rate of images labelled so", format=".1%"),
        alt.Tooltip("n_failures", title="Failures", format=","),
        alt.Tooltip("n_images", title="Images", format=","),
        alt.Tooltip("wrong_share", title="Error rate of images predicted so", format=".1%"),
        alt.Tooltip("taken_for", title="Most often mistaken for"),
    ]
    base = alt.Chart(table).encode(
        y=alt.Y(
            "class_name",
            sort=order,
            title=None,
            scale=alt.Scale(paddingInner=0.35, paddingOuter=0.2),
            axis=alt.Axis(labelLimit=130, labelOverlap=False, ticks=False, domain=False),
        )
    )
    bars = base.mark_bar(color=FAIL, opacity=0.8).encode(
        x=alt.X("error_rate", title="Error rate", axis=alt.Axis(format=PERCENT, tickCount=5, grid=True)), tooltip=tooltip
    )
    marks = base.mark_tick(color=LINE, thickness=2).encode(x="wrong_share", tooltip=tooltip)
    return (bars + marks).properties(height=alt.Step(18))


def modes(table: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """Failure modes: how much of their group's failures they hold, against how much more often they fail; `NAMED` at most with names."""
    choice = alt.selection_point(name="mode", fields=["group", "leaf"])
    base = alt.Chart(table).encode(
        x=alt.X("error_coverage", title="Error coverage (EC)", axis=alt.Axis(format=PERCENT, tickCount=5), scale=_room()),
        y=alt.Y("increase", title="Increase (ER − BER)", axis=alt.Axis(format="+.0%", tickCount=5), scale=_room()),
    )
    circles = (
        base.mark_circle(opacity=0.65, cursor="pointer")
        .encode(
            color=alt.condition(f"datum.verdict == '{CONFIRMED}'", alt.value(FAIL), alt.value(LINE)),
            size=alt.Size("n_failures", legend=None, scale=alt.Scale(range=[30, 400])),
            tooltip=[
                alt.Tooltip("group", title="Group"),
                alt.Tooltip("rule", title="Rule"),
                alt.Tooltip("error_rate", title="ER", format=".1%"),
                alt.Tooltip("ber", title="BER", format=".1%"),
                alt.Tooltip("error_coverage", title="EC", format=".1%"),
                alt.Tooltip("held_out_increase", title="Held-out increase", format="+.1%"),
                alt.Tooltip("n_failures", title="Failures", format=","),
                alt.Tooltip("verdict", title="Verdict"),
            ],
        )
        .add_params(choice)
    )
    if len(table) > NAMED:
        return alt.layer(circles).properties(height=HEIGHT)
    names = base.mark_text(dy=-15, color=LINE, fontSize=12).encode(text="class_name")
    return alt.layer(circles, names).properties(height=HEIGHT)


def _room() -> alt.Scale:
    return alt.Scale(nice=True, zero=False, padding=24)


def values(table: pd.DataFrame, thresholds: tuple[float, ...]) -> alt.LayerChart:
    """How a feature's values are spread over failures and successes, with the thresholds of the rule."""
    long = table.melt(["low", "high", "error_rate"], ["successes", "failures"], var_name="outcome", value_name="images")
    colour = alt.Color(
        "outcome",
        title=None,
        scale=alt.Scale(domain=["failures", "successes"], range=[FAIL, GOOD]),
        legend=alt.Legend(orient="top"),
    )
    bars = (
        alt.Chart(long)
        .mark_bar(opacity=0.8)
        .encode(
            x=alt.X("low", title="Value of the feature", bin="binned", axis=alt.Axis(tickCount=6, format=".2~f")),
            x2="high",
            y=alt.Y("images", title="Images", stack="zero", axis=alt.Axis(tickCount=4, tickMinStep=1)),
            color=colour,
            order=alt.Order("outcome"),
            tooltip=[
                alt.Tooltip("low", title="From", format=".3f"),
                alt.Tooltip("high", title="To", format=".3f"),
                alt.Tooltip("outcome", title="Outcome"),
                alt.Tooltip("images", title="Images"),
                alt.Tooltip("error_rate", title="Error rate", format=".1%"),
            ],
        )
    )
    lines = alt.Chart(pd.DataFrame({"threshold": list(thresholds), "what": "threshold of the rule"}, dtype=object))
    rule: Any = lines.mark_rule(color=LINE, strokeWidth=2, strokeDash=[5, 3]).encode(
        x="threshold:Q", tooltip=[alt.Tooltip("threshold:Q", format=".4f", title="Threshold of the rule")]
    )
    return (bars + rule).properties(height=220)
