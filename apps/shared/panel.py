"""The panel of a feature, made on demand where it is missing."""

from __future__ import annotations

import streamlit as st

from barlow_core.errors import BarlowError
from barlow_core.panels import Panel, load_panel, make_panel
from barlow_core.run import Run
from shared import runs
from shared.html import plain
from shared.panel_pictures import panel_html


def found_panel(run: Run, group: str, feature: int) -> Panel | None:
    """The panel of a feature in a group where it is made; a damaged one is as good as none, it can be made again."""
    try:
        return load_panel(run, group, feature)
    except BarlowError:
        return None


def show_panel(run: Run, group: str, feature: int, *, place: str) -> None:
    """Show the panel of a feature in a group, or a button that makes it.

    Args:
        place: distinguishes several panels of the same feature on one page.
    """
    panel = found_panel(run, group, feature)
    if panel is None:
        slot = st.empty()
        with slot.container():
            st.caption(f"The pictures of feature {feature} are not made yet.")
            wanted = st.button("Make this panel", key=f"make {place} {group} {feature}")
        if not wanted:
            return
        with slot.container():
            panel = _make(run, group, feature)
        if panel is None:
            return
        slot.empty()
    st.html(panel_html(panel))


def _make(run: Run, group: str, feature: int) -> Panel | None:
    """Make a panel like those that `barlow visualize` made, if it did."""
    settings = (run.recorded("visualize") or {}).get("settings", {})
    like = {name: settings[name] for name in ("k", "source") if name in settings}
    attack = settings.get("attack") or {}
    with st.status(f"Making the pictures of feature {feature} …", expanded=True) as status:
        try:
            st.write("Loading the extractor")
            extractor = runs.extractor(run)
            st.write("Finding the most activating images, attacking the feature")
            panel = make_panel(run, extractor, group, feature, **like, **attack)
        except BarlowError as error:
            status.update(label="The pictures could not be made", state="error")
            st.error(plain(str(error)))
            return None
        status.update(label="Done", state="complete")
        return panel
