"""Charts as Vega-Lite: one look for those of reports and of evaluations, and the files that they become.

A chart is a dict, the specification; pages give it to Altair, files are rendered here, without a browser.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
INK, MUTED, LINE = "#262730", "#5c6270", "#d5d8de"
FONT = "DejaVu Sans, Verdana, sans-serif"

# Okabe and Ito's colours (2008), darkened where text of that colour must be read on white.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#00805f", "#a64d79", "#8a8f98"

Spec = dict[str, Any]


def config(*, text: float = 11, title: float = 14) -> Spec:
    """Colours, font and sizes (pixels; points in print) of all charts.

    Args:
        text, title: size of labels and of the title of a chart.
    """
    words = {"labelColor": INK, "titleColor": INK, "labelFontSize": text, "titleFontWeight": "normal", "labelLimit": 260}
    return {
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **words,
            "titleFontSize": text + 1,
            "titlePadding": 8,
            "gridColor": LINE,
            "domainColor": MUTED,
            "tickColor": MUTED,
        },
        "axisY": {"domain": False, "ticks": False},
        "legend": {**words, "titleFontSize": text},
        "title": {
            "color": INK,
            "fontSize": title,
            "fontWeight": 600,
            "anchor": "start",
            "offset": 14,
            "subtitleFontSize": text,
            "subtitlePadding": 5,
        },
        "text": {"color": INK, "fontSize": text},
    }


def svg(spec: Spec) -> bytes:
    """A chart as SVG, on white; the same chart gives the same bytes."""
    return str(_vega().vegalite_to_svg({**spec, "background": "white"})).encode()


def png(spec: Spec, *, scale: float = 1.0, ppi: float = 72.0) -> bytes:
    """A chart as PNG, on white: `scale` times `ppi` / 72 pixels for each of its own; `ppi` dots an inch are noted in the file."""
    return bytes(_vega().vegalite_to_png({**spec, "background": "white"}, scale=scale, ppi=ppi))


def fonts() -> Path:
    """The folder of the font that charts are drawn in, the same on every computer: that of matplotlib."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@lru_cache(maxsize=1)
def _vega() -> Any:
    import vl_convert

    vl_convert.register_font_directory(str(fonts()))
    return vl_convert
