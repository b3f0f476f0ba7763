"""HTML of ours whose parts can be pressed, by mouse, touch or keyboard; Streamlit's own elements give no tree and no grid of pictures.

Every element with `data-press="value"` can be pressed. Within one of `data-keys="tree"` or `"grid"` the arrow keys move, and only
one element takes part in the order of the Tab key, as the ARIA patterns ask.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

_component = st.components.v2.component(
    "barlow_pressable",
    html='<div class="bw-pressable"></div>',
    js=(Path(__file__).parent / "pressable.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def pressable(body: str, *, key: str, on_press: Callable[[str], None]) -> None:
    """Show HTML, every word of which is ours or escaped, and call `on_press` with the value of what is pressed."""

    def pressed() -> None:
        value = st.session_state[key].get("pressed")
        if value is not None:
            on_press(str(value))

    _component(key=key, data={"body": body}, on_pressed_change=pressed)
