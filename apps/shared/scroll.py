"""Where on the page another place begins."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_component = st.components.v2.component("barlow_scroll", js=(Path(__file__).parent / "scroll.js").read_text(encoding="utf-8"))


def begin_at_the_head(place: str, *, opened: bool = False) -> None:
    """Show another place from its head, and one that is come back to from what was opened there from where it was left.

    Args:
        opened: the place was opened from another one, which is the way back.
    """
    _component(key="scroll", data={"place": place, "opened": opened}, height="content")
