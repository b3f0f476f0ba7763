"""Charts of the library in the ink of a page, so that they are readable on light and on dark ground."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from barlow_core import vega

INK = {
    "light": {"ink": "#31333f", "quiet": "#5f616c", "line": "#d9dae0", "warning": "#8a5a00"},
    "dark": {"ink": "#fafafa", "quiet": "#b6b8c0", "line": "#3d404b", "warning": "#ffc861"},
}


def page_ink() -> dict[str, str]:
    """The colours of this visitor's theme: ink, quiet, line, warning."""
    return INK[str(st.context.theme.type or "light")]


def inked(spec: vega.Spec, *, columns: Mapping[str, Any] | None = None) -> vega.Spec:
    """A chart with the ink of the page, on no ground of its own; `columns` of its legends, where they shall wrap."""
    colours = page_ink()
    ink, quiet, line = colours["ink"], colours["quiet"], colours["line"]
    config = dict(spec["config"])
    for name, ours in {
        "axis": {"labelColor": quiet, "titleColor": ink, "domainColor": line, "tickColor": line, "gridColor": line},
        "legend": {"labelColor": quiet, "titleColor": ink},
        "text": {"color": ink},
        "title": {"color": ink, "subtitleColor": quiet},
    }.items():
        config[name] = {**config.get(name, {}), **ours}
    drawn: vega.Spec = _inked(spec, {vega.INK: ink, vega.MUTED: quiet, vega.LINE: line}, columns)
    return {**drawn, "background": "transparent", "config": config}


def _inked(node: Any, colours: dict[str, str], columns: Mapping[str, Any] | None) -> Any:
    """A part of a specification with other colours for lines and dots; texts keep theirs, they stand on coloured bars."""
    if isinstance(node, list):
        return [_inked(part, colours, columns) for part in node]
    if not isinstance(node, dict):
        return colours.get(node, node) if isinstance(node, str) else node
    mark = node.get("mark")
    if mark == "text" or (isinstance(mark, dict) and mark.get("type") == "text"):
        return node
    drawn = {name: part if name in ("data", "config") else _inked(part, colours, columns) for name, part in node.items()}
    legend = drawn.get("legend")
    return drawn | ({"legend": {**legend, "columns": columns}} if columns is not None and isinstance(legend, dict) else {})
