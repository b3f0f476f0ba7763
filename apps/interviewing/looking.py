"""A grouping to look at: its tree of depth 2, the images of a node, and the feature of its split in pictures, as many as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st
from shared.html import figure, image_words, stats
from shared.panel_pictures import panel_html
from shared.tree import show_tree

from barlow_core.wording import percent
from study.setup.frozen_groupings import FrozenGrouping, load_grouping
from study.store import StudyStore

COLUMNS, IMAGES = 6, 16  # pictures of a feature, and images of a node, at a time
OUTCOMES = {"failures": "Failures", "successes": "Successes", "all": "All"}


@dataclass(frozen=True)
class Place:
    """What is looked at: a node of the tree, and a feature of it."""

    node: int
    feature: int


def grouping_of(store: StudyStore, name: str) -> FrozenGrouping:
    """The grouping as it was frozen, read once for everybody."""
    data = store.interviews.grouping(name)
    return _loaded(str(store.path), data["sha256"], data)


@st.cache_resource(max_entries=200, show_spinner="Opening the pictures …")
def _loaded(path: str, sha256: str, _data: Mapping[str, Any]) -> FrozenGrouping:
    return load_grouping(Path(path), _data)


def first_place(grouping: FrozenGrouping) -> Place:
    """Where to begin: the node in which failures concentrate most, or the root."""
    ranked = grouping.nodes[grouping.nodes["rank"] == 1]["node"]
    node = int(ranked.iloc[0]) if len(ranked) else 0
    return Place(node, grouping.split_of(node) or grouping.features[0])


def show_grouping(grouping: FrozenGrouping, place: Place, choose: Callable[[Place], None]) -> None:
    """Everything there is to look at."""
    root = grouping.nodes.iloc[0]
    st.html(f'<h2 class="bw-h2">{escape(grouping.title)}</h2><p class="bw-lead">{escape(grouping.failures)}</p>')
    st.html(stats([("BER", percent(root["error_rate"])), ("Failures", f"{root['n_failures']:,} of {root['n_images']:,}")]))

    def choose_node(number: int) -> None:
        choose(Place(number, grouping.split_of(number) or place.feature))

    show_tree(grouping.nodes, place.node, {}, key=f"tree {grouping.id}", title=f"Tree of {grouping.title}", on_choose=choose_node)
    row = _node(grouping, place.node)
    st.html(
        f'<h3 class="bw-h3">{escape(str(row["rule"]))}</h3><p class="bw-lead">Error rate {percent(row["error_rate"])}, '
        f"error coverage {percent(row['error_coverage'])}: {row['n_failures']:,} failures of {row['n_images']:,} images</p>"
    )
    pictures, images = st.tabs([f"Feature {place.feature}", "Images of this node"], key=f"tabs {grouping.id}")
    with pictures:
        _show_feature(grouping, place.feature)
    with images:
        _show_images(grouping, place.node)


def _node(grouping: FrozenGrouping, number: int) -> dict[str, Any]:
    row = grouping.nodes[grouping.nodes["node"] == number].iloc[0]
    return {str(name): value for name, value in row.to_dict().items()}


def _show_feature(grouping: FrozenGrouping, feature: int) -> None:
    """A, B and C of the images with the highest activations, then of those with the lowest; beyond what has B and C, A alone."""
    key = f"{grouping.id} {feature}"
    low = _show_end(grouping, feature, "highest", f"shown {key}", f"more {key}")
    if low:
        _show_end(grouping, feature, "lowest", f"lowest {key}", f"more low {key}")


def _show_end(grouping: FrozenGrouping, feature: int, end: str, count: str, button: str) -> bool:
    """The images at one end, as many as were asked for; whether those at the other end are wanted, too."""
    highest = end == "highest"
    ends = (grouping.panels, grouping.further) if highest else (grouping.lowest,)
    panels = [panels[feature] for panels in ends if feature in panels]
    complete = {image.index for panel in panels for image in panel.images}
    alone = [position for position in grouping.extremes[feature][not highest] if position not in complete]
    shown = int(st.session_state.get(count, COLUMNS))
    left = shown
    for panel in panels:
        for start in range(0, min(left, len(panel.images)), COLUMNS):
            st.html(panel_html(replace(panel, images=panel.images[start : start + COLUMNS])))
        left -= len(panel.images)
    if left > 0 and alone:
        title = "Further images, the strongest first" if highest else "Images in which the feature is weakest"
        _strip(grouping, title, alone[:left], feature)
    with st.container(horizontal=True):
        if shown < len(complete) + len(alone):
            more = "More examples" if highest else "More of the weakest"
            st.button(more, key=button, on_click=_more, args=(count, COLUMNS, COLUMNS))
        return highest and st.toggle("Lowest activations", key=f"low {grouping.id} {feature}")


def _strip(grouping: FrozenGrouping, title: str, positions: Iterable[int], feature: int) -> None:
    cells = "".join(_cell(grouping.images[position], feature) for position in positions)
    st.html(f'<h4 class="iv-h4">{escape(title)}</h4><div class="bw-images iv-images">{cells}</div>')


def _show_images(grouping: FrozenGrouping, node: int) -> None:
    positions = grouping.of_node[node]
    total = int(_node(grouping, node)["n_images"])
    key = f"{grouping.id} {node}"
    outcome = st.segmented_control(
        "Show", list(OUTCOMES), format_func=OUTCOMES.__getitem__, default="failures", key=f"outcome {grouping.id}", required=True
    )
    wanted = [p for p in positions if outcome == "all" or grouping.images[p]["failure"] == (outcome == "failures")]
    shown = int(st.session_state.get(f"images {key}", IMAGES))
    drawn = f"{len(positions):,} of its {total:,} images, drawn at random" if len(positions) < total else f"its {total:,} images"
    st.caption(f"{len(wanted):,} {'images' if outcome == 'all' else outcome} among {drawn}.")
    cells = "".join(_cell(grouping.images[position], None) for position in wanted[:shown])
    st.html(f'<div class="bw-images iv-images">{cells}</div>' if cells else '<p class="bw-lead">There are none.</p>')
    if shown < len(wanted):
        st.button("More images", key=f"more images {key}", on_click=_more, args=(f"images {key}", IMAGES, IMAGES))


def _cell(image: Mapping[str, Any], feature: int | None) -> str:
    words, outcome = image_words(image), "failure" if image["failure"] else "success"
    value = "" if feature is None else f"{image['values'][feature]:.3f}"
    picture = figure(image["path"], alt=f"{image['name']}: {words}, {outcome}{f', feature at {value}' if value else ''}")
    return f'<div class="bw-cell bw-{outcome}">{picture}<span>{escape(words)}</span><small>{value}</small></div>'


def _more(key: str, first: int, step: int) -> None:
    st.session_state[key] = int(st.session_state.get(key, first)) + step
