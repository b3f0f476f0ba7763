"""One group: its tree, the settings that decide what counts as a failure mode, and the node that is chosen."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import streamlit as st
from shared.html import plain, stats
from shared.tree import show_tree

from barlow_core import views
from barlow_core.analyses import ExplainRecord
from barlow_core.failure_tree import smallest_leaf
from barlow_core.run import Run
from barlow_core.wording import percent
from browsing.data import of_group, of_run
from browsing.features import show_features
from browsing.full_size import show_full_size
from browsing.header import DEEPEST, USUAL_DEPTH
from browsing.images import show_images
from browsing.interventions import show_interventions
from browsing.judgements import Opinions
from browsing.metadata import show_columns
from browsing.node import show_node, show_suggestions
from browsing.run_place import Place, bound, go, here

SETTINGS = ("depth", "delta", "tau", "leaf")


def show_group(run: Run, opinions: Opinions, usual: Place) -> None:
    """The page, from top to bottom.

    Args:
        usual: the place as it is by default in this run.
    """
    place = here()
    key = place.key
    words = views.group_words(str(place.grouping), str(place.name))
    _choose(run)
    top = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute", key="about")
    settings = _settings(run)
    evaluation = of_group(run, views.re_evaluate, key, **settings)
    analysis = evaluation.analysis
    nodes = of_group(run, _nodes, key, **settings)
    about = f'<h2 class="bw-h2">{escape(words.title)}</h2><p class="bw-lead">{escape(words.failures)}</p>'
    top.html(about, width="content")
    top.html(
        stats(
            [
                ("BER", percent(analysis.ber)),
                ("Failures", f"{analysis.n_failures:,} of {analysis.n_images:,}"),
                ("ALER", percent(analysis.aler)),
            ]
        ),
        width="content",
    )
    if evaluation.refitted:
        st.caption(plain(evaluation.words))
    chosen = place.node if place.node is not None and place.node < len(nodes) else _first(nodes)
    node = analysis.tree.node(chosen)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        show_tree(
            nodes,
            chosen,
            opinions.names(key, set(analysis.features.tolist())),
            key="tree",
            title=f"Tree of {words.title}",
            on_choose=lambda number: go(node=number),
        )
        reason = views.no_failure_mode(analysis)
        if reason is not None:
            st.info(plain(reason))
    row = nodes.iloc[chosen]
    with right, st.container(border=True):
        show_node(run, key, evaluation, node, row)
    show_columns(run, key, node)
    feature = show_features(run, key, analysis, node, opinions)
    show_interventions(run, key, node, feature, depth=analysis.settings.depth, refitted=evaluation.refitted)
    show_suggestions(run, key, evaluation, node, opinions)
    order = show_images(run, key, node, feature)
    if here().image is not None:
        show_full_size(run, key, node, feature, order, opinions, usual)


def _nodes(run: Run, key: str, **settings: Any) -> pd.DataFrame:
    evaluation = of_group(run, views.re_evaluate, key, **settings)
    return views.node_rates(run, key, evaluation)


def _first(nodes: pd.DataFrame) -> int:
    """The failure mode with the most evidence, or the root where there is none."""
    first = nodes.loc[nodes["rank"] == 1, "node"]
    return int(first.iloc[0]) if len(first) else 0


def _choose(run: Run) -> None:
    """Another class of this grouping, and back to all."""
    place = here()
    table = of_run(run, views.group_table, depth=of_run(run, views.depths)[0])
    table = table[table["grouping"] == place.grouping].sort_values("ber", ascending=False, kind="stable")
    rates = dict(zip(table["class_name"].astype(str), table["ber"], strict=True))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("← All groups", on_click=go, kwargs={"page": "benchmark", "name": None}, type="tertiary")
        st.selectbox(
            "Group (worst first; type to search)",
            list(rates),
            format_func=lambda name: f"{name}: {percent(rates[name])} wrong",
            label_visibility="collapsed",
            width=360,
            **bound("name", place.name),
        )
        other = {"label": "prediction", "prediction": "label"}.get(str(place.grouping))
        if (
            other is not None
            and of_run(run, views.group_table, depth=of_run(run, views.depths)[0])["group"].eq(f"{other}:{place.name}").any()
        ):
            st.button(
                f"{'Predicted' if other == 'prediction' else 'Labelled'} {plain(str(place.name))} instead",
                on_click=go,
                kwargs={"grouping": other},
                type="tertiary",
            )


def _settings(run: Run) -> dict[str, Any]:
    """The controls of the search, and what they stand at."""
    place = here()
    own = ExplainRecord.of(run).settings
    depth = place.depth or min(USUAL_DEPTH, own.depth)
    delta = own.delta if place.delta is None else place.delta
    tau = own.tau if place.tau is None else place.tau
    table = of_run(run, views.group_table, depth=of_run(run, views.depths)[0])
    n_images = int(table.loc[table["group"] == place.key, "n_images"].iloc[0])
    own_leaf = own.min_leaf or smallest_leaf(n_images)
    leaf = place.leaf or own_leaf
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="settings"):
        st.segmented_control(
            "Depth",
            range(1, max(own.depth, DEEPEST - 1) + 1),
            wrap=True,
            help="Conditions per rule, at most. More describe the failures more closely, and are harder to read. "
            f"Trees deeper than {own.depth} are fitted when you choose them.",
            **bound("depth", depth, change=lambda value: {"depth": value or here().depth}),
        )
        st.number_input(
            "δ (ER over BER)",
            min_value=0.0,
            max_value=1.0,
            step=0.05,
            format="%.2f",
            width=150,
            help="A failure mode fails more often than the group by more than this.",
            **bound("delta", float(delta), change=lambda value: {"delta": None if value == own.delta else round(value, 4)}),
        )
        st.number_input(
            "τ (EC at least)",
            min_value=0.0,
            max_value=1.0,
            step=0.05,
            format="%.2f",
            width=150,
            help="A failure mode holds more than this share of the group's failures.",
            **bound("tau", float(tau), change=lambda value: {"tau": None if value == own.tau else round(value, 4)}),
        )
        st.number_input(
            "Images in a leaf, at least",
            min_value=1,
            step=1,
            width=190,
            help="Rules of larger leaves hold more often on new images. Changing this fits the tree again.",
            **bound("leaf", int(leaf), change=lambda value: {"leaf": None if value == own_leaf else int(value)}),
        )
        usual = (min(USUAL_DEPTH, own.depth), own.delta, own.tau, own_leaf)
        if (depth, delta, tau, leaf) != usual:
            st.button("Reset to the run's settings", on_click=go, kwargs=dict.fromkeys(SETTINGS), type="tertiary")
    return {"depth": depth, "delta": delta, "tau": tau, "min_leaf": place.leaf}
