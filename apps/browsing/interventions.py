"""Does the model depend on the feature? What interventions on the chosen node found, or the command that makes one."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st
from shared.html import figure, plain, stats
from shared.ink import inked

from barlow_core.failure_tree import Node
from barlow_core.interventions import Intervention, interventions
from barlow_core.interventions.charts import dose_charts
from barlow_core.interventions.known_model import known_model
from barlow_core.interventions.words import (
    MODEL,
    assumptions,
    chart_words,
    headline,
    how_to_read,
    intervene_command,
    pair_words,
    way_words,
    what_was_done,
    which_are_shown,
)
from barlow_core.run import Run
from barlow_core.wording import percent, points, points_interval

WIDTH = 320  # of a chart, in pixels: what a phone has room for
CLEARER = 4  # how many times as strong a change is shown; the style sheet does it


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
    found.sort(key=lambda one: feature not in one.features)
    tested = any(feature in one.features for one in found)
    for one in found[:1] if tested else found:
        _show(one, f"{key} {one.path.name}")
    if not tested:
        _untested(run, key, node, feature if feature in node.features else None, bool(found), depth=depth, refitted=refitted)


def _untested(run: Run, key: str, node: Node, feature: int | None, others: bool, *, depth: int, refitted: bool) -> None:
    """How to test the feature of the rule that is shown; `others` of the rule were."""
    if others and feature is None:
        return
    if refitted:
        st.caption("This tree was fitted now, with other settings. Interventions are on leaves of the run's own trees.")
        return
    named = feature if len(node.features) > 1 else None
    known = known_model(run)
    asked = plain(MODEL) if known is None else f"It asks {plain(known.source)} again, which made the predictions."
    if others:
        st.caption(f"Feature {feature} of the rule was not tested. {asked}")
    else:
        st.caption(
            "A rule says where failures are frequent, not that the model depends on the feature. To find out, change the feature in images "
            f"and ask the model again. It takes a minute or two for small images. {asked}"
        )
    command = intervene_command(run, key, depth, node.number, feature=named)
    st.code(command, language=None, wrap_lines=True)


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
    st.html(stats(_numbers(way, alone=len(ways) == 1)))
    with st.container(horizontal=True, gap="medium"):
        for side, chart in dose_charts(found.doses(), chosen).items():
            st.vega_lite_chart(
                inked(chart),
                width=WIDTH,
                height=300,
                theme=None,
                key=f"doses {place} {chosen} {side}",
                alt=chart_words(way, side),
            )
    st.caption(plain(how_to_read(found, chosen)))
    st.caption(plain(what_was_done(found)))
    pairs = [pair for pair in found.pictures() if pair["way"] == chosen]
    if pairs:
        st.html(f'<div class="bw-pairs">{"".join(map(_pair, pairs))}</div>')
        st.caption(plain(f"{which_are_shown(pairs, way['n'])} The third picture is the change alone, {CLEARER} times as strong."))
    with st.expander("What was assumed, and how far this reaches"):
        st.markdown("\n".join(f"- {plain(said)}" for said in assumptions(found)))


def _numbers(way: dict[str, Any], *, alone: bool) -> list[tuple[str, str]]:
    return [
        ("Predictions that follow", percent(way["rate"])),
        ("With random features", percent(way["control_rate"])),
        ("Difference", f"{points(way['excess'])} ({points_interval(way['excess_low'], way['excess_high'])})"),
        ("Random features that move the model as much", f"{way['n_as_good']} of {way['n_controls']}"),
        ("p" if alone else "p of this way alone", f"{way['p']:.2g}"),
    ]


def _pair(pair: dict[str, Any]) -> str:
    """A picture before and after, the change, and what the model says of either."""
    about = f"{pair['label']} image {pair['name']}"
    before = figure(pair["before_picture"], alt=f"{about} before the change", caption=pair["before"])
    after = figure(pair["after_picture"], alt=f"{about} after the change", caption=f"→ {pair['after']}")
    # The same two pictures on top of each other: the style sheet shows their difference.
    layers = "".join(figure(pair[f"{when}_picture"], alt="") for when in ("before", "after"))
    change = f'<figure class="bw-figure bw-change"><div aria-hidden="true">{layers}</div><figcaption>change ×{CLEARER}</figcaption></figure>'
    follows = " bw-follows" if pair["flipped"] else ""
    return f'<div class="bw-pair{follows}"><div>{before}{after}{change}</div><small>{escape(pair_words(pair))}</small></div>'
