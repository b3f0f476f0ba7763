"""The kinds of figures that a study needs, as Vega-Lite: staircases, bars and dots with intervals, histograms, stacked levels, clouds.

Each takes a table of what is drawn and gives the content of a `Figure`. Colours are given by label, in the order of the legend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.vega import BLUE, GREY, INK, MUTED, Spec
from study.report.elements import CLICK
from study.report.style import LEVEL_COLOURS, WIDTH, records

# A figure with more points is drawn with every k-th of them; its CSV has them all.
MOST_POINTS = 2400
PERCENT = {"format": ".0%"}
# Between the name of a facet and that of a row: no name has it.
SEPARATOR = "\u2063"


def staircase(
    points: pd.DataFrame,
    *,
    x: str,
    x_title: str,
    colours: Mapping[str, Any],
    opens: str = "item",
    threshold: float | None = None,
    domain: tuple[float, float] | None = None,
    y_title: str = "Share of items with at most this value",
) -> Spec:
    """Cumulative distributions over items, an item a point on the step where it lies.

    Args:
        points: `series`, `x`, `share` (of the items of its series up to and with it), `opens` and what the tooltip shows, sorted by x within a series.
        threshold: a line to read against.
    """
    shown = thinned(points, "series")
    colour = {
        "field": "series",
        "type": "nominal",
        "scale": dict(colours),
        "title": None,
        "legend": _top_legend(),
    }
    scale_x: Spec = {"domain": list(domain)} if domain else {"zero": False}
    axis_x = {"field": x, "type": "quantitative", "title": x_title, "scale": scale_x, "axis": {"tickCount": 8}}
    axis_y = {"field": "share", "type": "quantitative", "title": y_title, "axis": PERCENT, "scale": {"domain": [0, 1]}}
    tips = [_tip(column) for column in shown.columns if column not in ("share",)] + [_tip("share", PERCENT["format"])]
    layers: list[Spec] = []
    layers += [
        {
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6},
            "encoding": {"x": axis_x, "y": axis_y, "color": colour, "order": {"field": "share", "type": "quantitative"}},
        },
        {
            "mark": {"type": "circle", "size": 36, "cursor": "pointer"},
            "params": [{"name": CLICK, "select": {"type": "point", "fields": [opens]}}],
            "encoding": {"x": axis_x, "y": axis_y, "color": colour, "opacity": _picked(0.7), "tooltip": tips},
        },
    ]
    if threshold is not None:
        layers.append(_rule_x(threshold, title=x_title, scale=scale_x, axis={"tickCount": 8}))
    return {"data": {"values": records(shown)}, "width": WIDTH, "height": 300, "layer": layers}


def intervals(
    rows: pd.DataFrame,
    *,
    x_title: str,
    y: str = "label",
    colours: Mapping[str, Any] | None = None,
    colour: str = "series",
    bars: bool = False,
    as_share: bool = False,
    reference: float | None = None,
    facet: str | None = None,
    domain: tuple[float, float] | None = None,
    dodge: bool = True,
    step: int = 30,
) -> Spec:
    """Values with intervals below each other, as dots or as bars.

    Args:
        rows: `label` (or what `y` names), `value`, `low`, `high`, and `n` for the tooltip; the order of rows is that of the figure.
        x_title: in one line or several.
        reference: a line to compare with, such as 0.
        facet: a column that makes facets below each other, each under its name.
        dodge: whether values of different colours on one line stand below each other.
    """
    shown, line = _lines(rows, y, facet)
    axis = {**(PERCENT if as_share else {}), "tickCount": 6}
    scale: Spec = {"domain": list(domain)} if domain else {"zero": bars, "nice": True}
    title = x_title.split("\n")
    middle = {"field": "value", "type": "quantitative", "title": title, "axis": axis, "scale": scale}
    ends = {
        "x": {"field": "low", "type": "quantitative", "title": title, "axis": axis, "scale": scale},
        "x2": {"field": "high"},
    }
    paint: Spec = {"value": BLUE}
    if colours:
        legend = None if colour == y else _top_legend()
        paint = {"field": colour, "type": "nominal", "scale": dict(colours), "title": None, "legend": legend}
        if dodge and colour != y:
            line["yOffset"] = {"field": colour, "type": "nominal", "scale": {"domain": colours["domain"]}}
    tips = [_tip(column) for column in rows.columns if column not in ("value", "low", "high")]
    tips += [_tip(column, ".1%" if as_share else ".3f") for column in ("value", "low", "high")]
    if bars:
        bar = {
            "mark": {"type": "bar", "height": {"band": 0.62}},
            "encoding": {**line, "x": middle, "color": paint, "tooltip": tips},
        }
        layers = [bar, {"mark": {"type": "rule", "strokeWidth": 1.6, "color": INK}, "encoding": {**line, **ends}}]
    else:
        rule = {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": {**line, **ends, "color": paint}}
        dot = {
            "mark": {"type": "circle", "size": 64, "opacity": 1},
            "encoding": {**line, "x": middle, "color": paint, "tooltip": tips},
        }
        layers = [rule, dot]
    if reference is not None:
        layers.append(_rule_x(reference, title=title, axis=axis, scale=scale))
    return {"data": {"values": records(shown)}, "width": WIDTH, "height": {"step": step}, "layer": layers}


def _lines(rows: pd.DataFrame, y: str, facet: str | None) -> tuple[pd.DataFrame, Spec]:
    """Rows below each other in their order: the rows to draw, and the encoding of their place.

    With facets, the name of each stands on a line of its own, on the scale of its rows: those of Vega-Lite have a fixed width, a scale is as wide as its page.
    """
    axis: Spec = {"labelPadding": 8, "labelLimit": 420}
    if facet is None:
        return rows, {
            "y": {"field": y, "type": "nominal", "scale": {"domain": list(dict.fromkeys(rows[y]))}, "title": None, "axis": axis}
        }
    places: list[str] = []
    for number, (name, part) in enumerate(rows.groupby(facet, sort=False)):
        places += [f"{SEPARATOR * 2}{number}"] if number else []  # an empty line
        places += [f"{name}{SEPARATOR}", *(f"{name}{SEPARATOR}{text}" for text in dict.fromkeys(part[y]))]
    shown = rows.assign(place=[f"{name}{SEPARATOR}{text}" for name, text in zip(rows[facet], rows[y], strict=True)])
    parts = f"split(datum.value, '{SEPARATOR}')"
    axis |= {
        "labelExpr": f"{parts}[1] || {parts}[0]",
        "labelFontWeight": {"condition": {"test": f"{parts}[1] === ''", "value": "bold"}, "value": "normal"},
    }
    return shown, {"y": {"field": "place", "type": "nominal", "scale": {"domain": places}, "title": None, "axis": axis}}


def histogram(
    bins: pd.DataFrame, *, x_title: str, y_title: str, colour: str, mark_at: float | None = None, mark_text: str = ""
) -> Spec:
    """Counts in bins: `low`, `high`, `count`."""
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "color": colour, "stroke": "white", "strokeWidth": 0.5},
            "encoding": {
                "x": {
                    "field": "low",
                    "type": "quantitative",
                    "title": x_title,
                    "bin": {"binned": True},
                    "axis": _ticks(bins),
                },
                "x2": {"field": "high"},
                "y": {"field": "count", "type": "quantitative", "title": y_title, "axis": {"tickMinStep": 1}},
                "tooltip": [_tip("low"), _tip("high"), _tip("count")],
            },
        }
    ]
    if mark_at is not None:
        layers.append(_rule_x(mark_at, title=x_title))
        layers.append(
            {
                "data": {"values": [{"x": float(f"{mark_at:.6g}"), "text": mark_text}]},
                "mark": {"type": "text", "align": "left", "dx": 5, "dy": -4, "baseline": "bottom"},
                "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"value": 0}, "text": {"field": "text"}},
            }
        )
    return {"data": {"values": records(bins)}, "width": WIDTH, "height": 200, "layer": layers}


def binned(values: np.ndarray, *, most: int = 30, whole: bool = False) -> pd.DataFrame:
    """Numbers in bins of equal width (Freedman and Diaconis' rule, at most `most`): `low`, `high`, `count`; whole numbers each in one."""
    if whole:
        span = int(values.max() - values.min()) + 1
        width = max(1, -(-span // most))
        edges = np.arange(values.min(), values.max() + width + 1, width) - 0.5
    else:
        edges = np.histogram_bin_edges(values, "fd")
        if not 5 <= len(edges) - 1 <= most:
            edges = np.histogram_bin_edges(values, int(np.clip(len(edges) - 1, 5, most)))
    count, edges = np.histogram(values, edges)
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": count})


def levels(rows: pd.DataFrame) -> Spec:
    """Diverging stacked bars of a scale from 1 to 5, the middle of level 3 at 0.

    Args:
        rows: `question` (a facet each), `label` (a bar each), `level`, `left`, `right`, `share`, `count`, `n`.
    """
    names = {1: "1 (low)", 2: "2", 3: "3", 4: "4", 5: "5 (high)"}
    shown = rows.assign(level=rows["level"].map(names))
    # A number stands on a piece that is wide enough for it, in ink on light and in white on dark ones.
    shown["text"] = [f"{value * 100:.0f}" if value >= 0.045 else "" for value in shown["share"]]
    shown["middle"] = (shown["left"] + shown["right"]) / 2
    shown, line = _lines(shown, "label", "question")
    bound = float(np.ceil(max(shown["right"].max(), -shown["left"].min()) * 10) / 10)
    axis = {"values": [value / 4 for value in range(-4, 5)], "labelExpr": "format(abs(datum.value), '.0%')", "grid": True}
    colour = {"domain": list(names.values()), "range": list(LEVEL_COLOURS.values())}
    bar: Spec = {
        "mark": {"type": "bar", "height": {"band": 0.78}},
        "encoding": {
            **line,
            "x": {
                "field": "left",
                "type": "quantitative",
                "title": "Share below and above the middle",
                "axis": axis,
                "scale": {"domain": [-bound, bound]},
            },
            "x2": {"field": "right"},
            "color": {"field": "level", "type": "nominal", "scale": colour, "title": "Level", "legend": _top_legend()},
            "tooltip": [_tip("label"), _tip("level"), _tip("share", ".1%"), _tip("count"), _tip("n")],
        },
    }
    on_dark = f"datum.level === '{names[1]}' || datum.level === '{names[5]}'"
    number: Spec = {
        "mark": {"type": "text", "fontSize": 10},
        "encoding": {
            **line,
            "x": {"field": "middle", "type": "quantitative"},
            "text": {"field": "text"},
            "color": {"condition": {"test": on_dark, "value": "white"}, "value": "#262730"},
        },
    }
    zero: Spec = {"mark": {"type": "rule", "color": MUTED, "strokeWidth": 1}, "encoding": {"x": {"datum": 0}}}
    return {"data": {"values": records(shown)}, "width": WIDTH, "height": {"step": 26}, "layer": [zero, bar, number]}


def stacked(rows: pd.DataFrame, *, x_title: str, colours: Mapping[str, Any], colour: str, step: int = 26) -> Spec:
    """Counts as bars of several pieces, a line each.

    Args:
        rows: `label` (a bar each), `n` (the length of a piece), and the column `colour` that names it.
    """
    shown = rows.assign(order=[list(colours["domain"]).index(value) for value in rows[colour]])
    bar: Spec = {
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "y": {
                "field": "label",
                "type": "nominal",
                "scale": {"domain": list(dict.fromkeys(rows["label"]))},
                "title": None,
                "axis": {"labelPadding": 8, "labelLimit": 420},
            },
            "x": {"field": "n", "type": "quantitative", "title": x_title, "axis": {"tickMinStep": 1, "format": "d"}},
            "color": {"field": colour, "type": "nominal", "scale": dict(colours), "title": None, "legend": _top_legend()},
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [_tip(column) for column in rows.columns],
        },
    }
    return {"data": {"values": records(shown)}, "width": WIDTH, "height": {"step": step}, **bar}


def cloud(
    points: pd.DataFrame,
    *,
    x: str,
    y: str,
    x_title: str,
    y_title: str,
    opens: str,
    colour: str | None = None,
    colours: Mapping[str, Any] | None = None,
    log_x: bool = False,
    height: int = 300,
    width: int = WIDTH,
) -> Spec:
    """A point an item or a worker."""
    shown = thinned(points, None)
    paint: Spec = {"value": GREY}
    if colour and colours:
        paint = {"field": colour, "type": "nominal", "scale": dict(colours), "title": None, "legend": _top_legend()}
    return {
        "data": {"values": records(shown)},
        "width": width,
        "height": height,
        "params": [{"name": CLICK, "select": {"type": "point", "fields": [opens]}}],
        "mark": {"type": "circle", "size": 42, "cursor": "pointer"},
        "encoding": {
            "x": {
                "field": x,
                "type": "quantitative",
                "title": x_title,
                "scale": {"type": "log", "nice": False, "padding": 12} if log_x else {"zero": False},
                "axis": {"tickCount": 6},
            },
            "y": {"field": y, "type": "quantitative", "title": y_title, "scale": {"zero": False}, "axis": {"tickCount": 6}},
            "color": paint,
            "opacity": _picked(0.6),
            "tooltip": [_tip(column) for column in shown.columns],
        },
    }


def thinned(points: pd.DataFrame, series: str | None) -> pd.DataFrame:
    """At most about `MOST_POINTS` rows, evenly out of each series, with the first and the last of each."""
    if len(points) <= MOST_POINTS:
        return points
    parts = [part for _, part in points.groupby(series, sort=False)] if series else [points]
    most = MOST_POINTS // len(parts)
    kept = [part.iloc[np.unique(np.linspace(0, len(part) - 1, most).round().astype(int))] for part in parts]
    return pd.concat(kept)


def thinning_text(n: int, shown: int) -> str:
    """What to say of a figure that does not show every point; "" where it does."""
    return "" if shown >= n else f" Of {n:,} points, {shown:,} are drawn, evenly spaced in rank; the CSV has all."


def _ticks(bins: pd.DataFrame) -> Spec:
    """Where the bins are few whole numbers, a tick for each."""
    middles = (bins["low"] + bins["high"]) / 2
    if len(bins) <= 12 and (middles == middles.round()).all():
        return {"values": [int(value) for value in middles], "grid": False, "format": "d"}
    return {"tickCount": 8}


def _picked(value: float) -> Spec:
    return {"condition": {"param": CLICK, "value": value}, "value": 0.06}


def _tip(field: str, form: str | None = None) -> Spec:
    return {"field": field, "title": field.replace("_", " "), **({"format": form, "type": "quantitative"} if form else {})}


def _rule_x(value: float, **axis: Any) -> Spec:
    """A line at a value; `axis` is that of the other layers, so that the line changes nothing about it."""
    x = {"datum": float(f"{value:.6g}"), "type": "quantitative", **axis}
    return {"mark": {"type": "rule", "color": MUTED, "strokeDash": [4, 3]}, "encoding": {"x": x}}


def _top_legend() -> Spec:
    return {"orient": "top", "direction": "horizontal", "symbolType": "circle", "symbolOpacity": 1, "columns": 5}


__all__: Sequence[str] = (
    "binned",
    "cloud",
    "histogram",
    "intervals",
    "levels",
    "stacked",
    "staircase",
    "thinned",
    "thinning_text",
)
