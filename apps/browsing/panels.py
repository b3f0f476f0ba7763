"""The panel of a feature where it is made."""

from __future__ import annotations

import streamlit as st
from shared.runs import stamp

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.panels import Panel, load_panel
from barlow_core.panels.plan import find_group, panel_folder
from barlow_core.run import Run


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
