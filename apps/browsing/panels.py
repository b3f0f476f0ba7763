"""The panel of a feature where it is made, and a feature in a few pictures."""

from __future__ import annotations

import streamlit as st
from shared.html import figure
from shared.runs import stamp

from barlow_core import views
from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.panels import Panel, load_panel
from barlow_core.panels.plan import find_group, panel_folder
from barlow_core.run import Run
from browsing.data import of_group

STRONGEST = 3  # images that say what a feature is


def strongest(run: Run, key: str, feature: int) -> str:
    """A feature by the images in which it is strongest, as HTML: those of its panel, or of the group where it has none."""
    panel = found_panel(run, key, feature)
    if panel is not None:
        pictures = [(panel.path / image.image, image.label, image.name) for image in panel.images[:STRONGEST]]
    else:
        _, highest = of_group(run, views.extremes, key, feature, n=STRONGEST)
        shown = views.image_page(run, highest, page=1, size=STRONGEST).rows
        pictures = list(zip(shown["path"], shown["label"], shown["name"], strict=True))
    images = "".join(figure(path, alt=f"{label} image {name}, feature {feature} is strong") for path, label, name in pictures)
    return f'<div><h5>Feature {feature}, strongest</h5><div class="bw-strip">{images}</div></div>'


def found_panel(run: Run, group: str, feature: int | Direction) -> Panel | None:
    """The panel of a feature or direction in a group where it is made; a damaged one is as good as none, it can be made again."""
    try:
        changed = (panel_folder(run, find_group(run, group), feature) / "panel.json").stat().st_mtime_ns
    except OSError:
        return None
    return _found(str(run.path), stamp(run.path), group, Direction.of(feature).slug, changed, run, feature)


@st.cache_resource(max_entries=256, show_spinner=False)
def _found(path: str, stamp: int, group: str, slug: str, changed: int, _run: Run, _feature: int | Direction) -> Panel | None:
    try:
        return load_panel(_run, group, _feature)
    except BarlowError:
        return None
