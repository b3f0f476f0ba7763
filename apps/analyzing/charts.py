"""The library's figures as charts of the page: in the colours of its theme, as wide as there is room, and open to a click."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import streamlit as st
from shared.ink import inked, page_ink

from analyzing.study_place import go
from study.report import Figure

ROOM = 70  # pixels
LINE = 46  # characters of a title's line, so that it fits on a phone
# Of a legend, by the width of the plot.
COLUMNS = {"signal": "width < 260 ? 1 : width < 420 ? 2 : 5"}


def show_chart(figure: Figure) -> None:
    """The figure; a click on one of its points opens the item or worker."""
    spec = themed(figure)
    key = f"chart {figure.id}"
    if figure.selection is None or figure.opens is None:
        st.vega_lite_chart(spec=spec, theme=None, key=key, width="stretch", alt=figure.caption)
        return

    def open_picked() -> None:
        found = figure.selected(st.session_state[key].selection)
        if found:
            go(**{figure.opens or "item": str(found[0])})

    st.vega_lite_chart(spec=spec, theme=None, key=key, width="stretch", on_select=open_picked, selection_mode=[figure.selection])
    st.html(f'<p class="bw-note">Click a point to open the {figure.opens}.</p>')


def themed(figure: Figure) -> dict[str, Any]:
    """The chart with the ink of the page; its title stands above it on the page."""
    spec = figure.spec()
    height = spec.get("height")
    if isinstance(height, int):
        spec["height"] = height + ROOM  # title, legend and axes are counted in on a page
    return {**inked(spec, columns=COLUMNS), "title": _title(figure, page_ink())}


def _title(figure: Figure, colours: dict[str, str]) -> dict[str, Any] | None:
    """The banner of simulated data and what the figure is about."""
    given = ((figure.banner, colours["warning"], "bold"), (figure.subtitle, colours["quiet"], "normal"))
    lines = [(text, colour, weight) for text, colour, weight in given if text]
    if not lines:
        return None
    title: dict[str, Any] = {"anchor": "start", "offset": 10}
    for name, (text, colour, weight) in zip(("", "subtitle"), lines, strict=False):
        title |= {
            name or "text": wrap(text, LINE),
            _named(name, "color"): colour,
            _named(name, "fontWeight"): weight,
            _named(name, "fontSize"): 11,
        }
    return title


def _named(prefix: str, name: str) -> str:
    return prefix + name[0].upper() + name[1:] if prefix else name
