"""Does the model depend on the feature? What interventions on the chosen node found, or the command that makes one."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st
from shared.html import figure, plain, stats

from barlow_core.failure_tree import Node
from barlow_core.interventions import Intervention, interventions
from barlow_core.interventions.charts import dose_charts
from barlow_core.interventions.words import assumptions, headline, intervene_command, pair_words, way_words, what_was_done
from barlow_core.run import Run
from barlow_core.wording import percent, points, points_interval


def show_interventions(run: Run, key: str, node: Node, feature: int | None, *, depth: int, refitted: bool) -> None:
    """The section, for the feature that is shown, or else for one of the rule that was intervened on.

    Args:
        depth: of the tree of the node.
        refitted: whether that tree is not one of the run's own.
    """
    if not node.features:
        return
    st.html('<h2 class="bw-h2">Does the model depend on it?</h2>')
    found = interventions(run, key, node.rule)
    if not found:
        _nothing(run, key, node, depth=depth, refitted=refitted)
        return
    found.sort(key=lambda one: feature not in one.features)
    for one in found[:1] if feature in found[0].features else found:
        _show(one, f"{key} {one.path.name}")


def _nothing(run: Run, key: str, node: Node, *, depth: int, refitted: bool) -> None:
    if refitted:
        st.caption("This tree was fitted now, with other settings. Interventions are on leaves of the run's own trees.")
        return
    st.caption(
        "A rule says where failures are frequent, not that the model depends on the feature. To find out, change the feature in images and "
        "ask the model again; it takes the model that made the predictions, and about a minute on small images:"
    )
    st.code(intervene_command(str(run.path), key, depth, node.number), language=None, wrap_lines=True)


def _show(found: Intervention, place: str) -> None:
    ways = found.info["ways"]
    st.html(f'<p class="bw-verdict"><b>{escape(headline(found))}</b> {escape(found.info["why"].capitalize())}.</p>')
    names = {way["way"]: way_words(way["way"]) for way in ways}
    chosen = str(min(ways, key=lambda way: way["p"])["way"])  # the one that the verdict rests on comes first
    if len(names) > 1:
        chosen = (
            st.segmented_control(
                "How images were changed",
                list(names),
                default=chosen,
                format_func=names.__getitem__,
                label_visibility="collapsed",
                wrap=True,
                key=f"way {place}",
            )
            or chosen
        )
    way = next(one for one in ways if one["way"] == chosen)
    st.html(stats(_numbers(way)))
    with st.container(horizontal=True, gap="medium"):
        for side, chart in dose_charts(found.doses(), chosen).items():
            st.vega_lite_chart(chart, width=340, height=300, theme=None, key=f"doses {place} {chosen} {side}")
    st.caption(plain(what_was_done(found)))
    pairs = [pair for pair in found.pictures() if pair["way"] == chosen]
    if pairs:
        st.html(f'<div class="bw-pairs">{"".join(map(_pair, pairs))}</div>')
    with st.expander("What was assumed, and how far this reaches"):
        st.markdown("\n".join(f"- {plain(said)}" for said in assumptions(found)))


def _numbers(way: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Predictions that follow", percent(way["rate"])),
        ("With random features", percent(way["control_rate"])),
        ("Difference", f"{points(way['excess'])} ({points_interval(way['excess_low'], way['excess_high'])})"),
        ("p", f"{way['p']:.2g}"),
    ]


def _pair(pair: dict[str, Any]) -> str:
    """A picture before and after, and what the model says of either."""
    about = f"{pair['label']} image {pair['name']}"
    before = figure(pair["before_picture"], alt=f"{about} before the change", caption=pair["before"])
    after = figure(pair["after_picture"], alt=f"{about} after the change", caption=f"→ {pair['after']}")
    follows = " bw-follows" if pair["flipped"] else ""
    return f'<div class="bw-pair{follows}"><div>{before}{after}</div><small>{escape(pair_words(pair))}</small></div>'
