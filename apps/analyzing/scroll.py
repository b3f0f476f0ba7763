"""Where on the page another place begins."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from analyzing.study_place import here

_component = st.components.v2.component(
    "barlow_analyze_scroll", js=(Path(__file__).parent / "scroll.js").read_text(encoding="utf-8")
)


def begin_at_the_head() -> None:
    """Show another page, item or worker from its head, and the page that one comes back to from where it was left."""
    place = here()
    opened = place.item or place.worker
    _component(key="scroll", data={"place": f"{place.page} {opened or ''}", "opened": bool(opened)}, height="content")
