"""What the features of the chosen node are: A, B and C, what people call them, how their values are spread, what is like them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd
import streamlit as st
from shared.html import figure, plain
from shared.panel_pictures import panel_html

from barlow_core import views
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from browsing import charts
from browsing.attack_steps import show_attack_steps
from browsing.data import of_group, of_node
from browsing.jobs import find, jobs, like_visualize, show_job, start
from browsing.judgements import Opinions, show_form
from browsing.panels import found_panel
from browsing.run_place import bound, go, here

MORE = {
    "values": "Values and threshold",
    "extremes": "Lowest and highest",
    "attack": "Attack, step by step",
    "similar": "Similar features",
}
SIMILAR = ("feature", "correlation", "selected")
OFFERED = 8  # of the selected features, where a node has no rule


def show_features(run: Run, key: str, analysis: FailureAnalysis, node: Node, opinions: Opinions) -> int | None:
    """The section about features. Returns the one that is shown; None where there is none to show."""
    if not len(analysis.features):
        return None
    offered = list(node.features) or [int(f) for f in analysis.features[:OFFERED]]
    place = here()
    feature = place.feature if place.feature is not None and place.feature < run.features().shape[1] else offered[0]
    if feature not in offered:
        offered.append(feature)
    asked = views.condition_words(node.conditions).get(feature)
    lead = f"In this rule it is {asked}." if asked else "It is not part of this rule."
    title = f'<h2 class="bw-h2">Feature {feature} <span class="bw-lead">{escape(lead)}</span></h2>'
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="feature"):
        st.html(f"{title}{opinions.chips(key, feature, node.rule)}", width="content")
        if len(offered) > 1:
            _choose(offered, feature, opinions.names(key, set(offered)))
    _panel(run, key, feature, opinions.read_only)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        _more(run, key, analysis, node, feature, opinions)
    with right, st.container(border=True):
        show_form(run, key, feature, node, opinions)
    return feature


def _choose(offered: list[int], feature: int, names: Mapping[int, str]) -> None:
    """Another feature of the rule."""

    def label(one: int) -> str:
        said = f": {names[one]}" if one in names else ""
        return plain(f"feature {one}{said}")

    st.segmented_control(
        "Feature",
        offered,
        wrap=True,
        format_func=label,
        label_visibility="collapsed",
        **bound("feature", feature, change=lambda value: {"feature": here().feature if value is None else value}),
    )


def _panel(run: Run, key: str, feature: int, read_only: bool) -> None:
    panel = found_panel(run, key, feature)
    if panel is not None:
        st.html(panel_html(panel))
        return
    name = f"panel {key} {feature}"
    show_job(
        find(run, name),
        lambda: start(run, name, lambda: jobs().panel(run, key, feature, **like_visualize(run))),
        label="Make this panel",
        hint=f"The pictures of feature {feature} have not been made yet.",
        key=name,
        read_only=read_only,
    )


def _more(run: Run, key: str, analysis: FailureAnalysis, node: Node, feature: int, opinions: Opinions) -> None:
    place = here()
    st.segmented_control(
        "More about the feature",
        list(MORE),
        wrap=True,
        format_func=MORE.__getitem__,
        label_visibility="collapsed",
        **bound("more", place.more, change=lambda value: {"more": value or here().more}),
    )
    if place.more == "values":
        _values(run, key, node, feature)
    elif place.more == "extremes":
        _extremes(run, key, feature)
    elif place.more == "attack":
        show_attack_steps(run, key, feature, read_only=opinions.read_only)
    else:
        _similar(run, key, feature, opinions)


def _values(run: Run, key: str, node: Node, feature: int) -> None:
    found = of_node(run, "values", key, node, (feature,), lambda: views.distribution(run, key, feature, node=node))
    st.altair_chart(
        charts.values(found.table, found.thresholds),
        key=f"values {key} {feature}",
        alt=f"Histogram of feature {feature} over failures and successes"
        + (f"; threshold at {', '.join(f'{t:.4f}' for t in found.thresholds)}" if found.thresholds else ""),
    )
    st.caption(plain(found.what))


def _extremes(run: Run, key: str, feature: int) -> None:
    lowest, highest = of_group(run, views.extremes, key, feature, n=8)
    st.html(
        f'<h4 class="bw-h4">Lowest</h4><div class="bw-few">{_pictures(run, lowest, feature)}</div>'
        f'<h4 class="bw-h4">Highest</h4><div class="bw-few">{_pictures(run, highest, feature)}</div>'
    )


def _pictures(run: Run, rows: pd.DataFrame, feature: int) -> str:
    shown = views.image_page(run, rows, page=1, size=len(rows)).rows
    return "".join(
        figure(
            path,
            alt=f"{name}: {label}, predicted {prediction}, feature {feature} at {value:.3f}",
            caption=f"{value:.3f} {label}",
        )
        for path, name, label, prediction, value in zip(
            shown["path"], shown["name"], shown["label"], shown["prediction"], shown[f"feature[{feature}]"], strict=True
        )
    )


def _similar(run: Run, key: str, feature: int, opinions: Opinions) -> None:
    found = of_group(run, views.similar_features, key, feature, n=8)
    st.caption(plain(found.what))
    names = opinions.names(key, set(found.table["feature"]))
    for other, correlation, selected in zip(*(found.table[name] for name in SIMILAR), strict=True):
        said = f" · {names[other]}" if other in names else ""
        chosen = " · among the selected features" if selected else ""
        st.button(
            plain(f"feature {other}: correlation {correlation:+.2f}{said}{chosen}"),
            key=f"similar {other}",
            on_click=go,
            kwargs={"feature": int(other)},
            type="tertiary",
        )
