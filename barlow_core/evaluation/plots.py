"""ALER - BER against BER, drawn: the plots of the paper's section 7 and appendix E (Figures 8 and 15 to 20).

A mark is a class. Every figure is as wide as a page of a paper, says under it what was measured on what and how many classes
there are, and can be told apart without colours (the marks differ, too).
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from barlow_core import vega
from barlow_core.storage.files import atomic_write
from barlow_core.vega import Spec

DPI = 200
# Points (1/72 inch): a page of text, and the narrower figure of a single facet; beside and between the facets.
_WIDTH, _NARROW, _LEFT, _RIGHT, _GAP, _EDGE = 468, 260, 42, 4, 14, 4
_SMALL, _TEXT, _TITLE = 7, 8, 14
_CAPTION_LETTER, _LETTER = 3.7, 4.8  # the mean width of a character of the caption, and of the legend and titles
_GREY, _PALE = "#595959", "#d9d9d9"
_MOST_COLUMNS = 3
# Okabe and Ito's colours, which people with any colour vision tell apart, in an order that also differs in lightness.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
# Of a scale with an order; the light end would vanish on white.
_ORDERED = {"name": "viridis", "extent": [0.05, 0.75]}
_MARKS = ("circle", "triangle-up", "square", "diamond", "triangle-down", "cross")
_FEW = 50  # classes, up to which each mark is large enough to be looked at alone; above, medians tell the trend
_BINS, _PER_BIN = 12, 10

_ON = {"aler_increase": "searched images", "held_out_aler_increase": "held-out images"}
_BER = {"aler_increase": "ber", "held_out_aler_increase": "held_out_ber"}


class Series(NamedTuple):
    """Marks of one kind: BER and ALER - BER of each class, by class name."""

    label: str
    points: pd.DataFrame  # index: class; columns x, y


class Facet(NamedTuple):
    """What is drawn in one pair of axes; the first part of the title gives way where there is no room."""

    title: tuple[str, str]
    series: list[Series]


def figures(groups: pd.DataFrame, held_out: Mapping[str, str]) -> Iterator[tuple[str, Spec]]:
    """Draw everything that `Evaluation.groups` has to show.

    Args:
        groups: as `Evaluation.groups`; groups with nothing to explain are left out.
        held_out: as `Evaluation.held_out`.

    Yields:
        File name (without suffix) and figure, a Vega-Lite specification:
            groupings-depth_D   one facet per run, groupings against each other (Figures 8, 15, 18)
            runs-depth_D        one facet per grouping, runs against each other (Figures 16, 19)
            depths-RUN          one facet per grouping, depths against each other (Figures 17, 20)
            classes-RUN         one facet per grouping and depth: searched images against held-out images
        The first three show what was measured on the searched images, as in the paper, and below it the same on held-out images
        where there are any. What has nothing to be compared with is not drawn.
    """
    groups = groups[groups["reason"].isna()]
    runs, depths = list(dict.fromkeys(groups["run"])), sorted(set(groups["depth"]))
    names = _file_names(runs)
    for depth in depths:
        chosen, about = groups[groups["depth"] == depth], f"Trees of depth {depth}."
        if chosen["grouping"].nunique() > 1:
            yield f"groupings-depth_{depth}", _comparison(chosen, "grouping", "run", about, held_out)
        if chosen["run"].nunique() > 1:
            yield f"runs-depth_{depth}", _comparison(chosen, "run", "grouping", about, held_out)
    for run in runs:
        chosen, about = groups[groups["run"] == run], f"Run: {run}."
        if chosen["depth"].nunique() > 1:
            yield f"depths-{names[run]}", _comparison(chosen, "depth", "grouping", about, held_out)
        facets = [
            Facet((str(grouping), f"depth {depth}"), [Series(_ON[column], _points(cell, column)) for column in _measured(chosen)])
            for (grouping, depth), cell in chosen.groupby(["grouping", "depth"], sort=False)
        ]
        words = _held_out_words(chosen, held_out)
        yield f"classes-{names[run]}", _figure(facets, chosen["depth"].nunique(), about, words, tied=True)


def _comparison(chosen: pd.DataFrame, varied: str, apart: str, about: str, held_out: Mapping[str, str]) -> Spec:
    """Series of the values of the column `varied`, in facets of the values of the column `apart`."""
    values, titles = dict.fromkeys(chosen[varied]), list(dict.fromkeys(chosen[apart]))
    facets = []
    for column in _measured(chosen):
        for title in titles:
            part = chosen[chosen[apart] == title]
            series = [Series(_series_name(varied, value), _points(part[part[varied] == value], column)) for value in values]
            facets.append(Facet((title, _ON[column]), series))
    return _figure(facets, len(titles), about, _held_out_words(chosen, held_out), ordered=varied == "depth")


def _measured(chosen: pd.DataFrame) -> list[str]:
    return [column for column in _ON if chosen[column].notna().any()]


def save(figure: Spec, path: Path) -> list[Path]:
    """Write a figure as `path`.png and `path`.svg; the same figure gives the same bytes."""
    written = []
    for suffix, content in ((".png", vega.png(figure, ppi=DPI)), (".svg", vega.svg(figure))):
        target = path.with_name(path.name + suffix)
        with atomic_write(target) as temporary:
            temporary.write_bytes(content)
        written.append(target)
    return written


def _points(cell: pd.DataFrame, column: str) -> pd.DataFrame:
    points = pd.DataFrame({"x": cell[_BER[column]].to_numpy(), "y": cell[column].to_numpy()}, index=cell["class_name"].to_numpy())
    return points.dropna()


def _series_name(varied: str, value: object) -> str:
    return {"grouping": f"{value} grouping", "depth": f"depth {value}"}.get(varied, str(value))


def _held_out_words(chosen: pd.DataFrame, held_out: Mapping[str, str]) -> str:
    methods = sorted({held_out[run] for run in set(chosen["run"])} - {"none"})
    words = {
        "cross-fit": "by cross-fitting: the search was repeated without the images that it is measured on",
        "split": "of another split than the one that was searched",
    }
    return f"Held out {' or '.join(words[method] for method in methods)}." if methods else ""


def _file_names(runs: Sequence[str]) -> dict[str, str]:
    """A safe file name for each run, all different."""
    names: dict[str, str] = {}
    for run in runs:
        safe = re.sub(r"[^A-Za-z0-9.-]+", "_", run).strip("_.") or "run"
        taken = {name.lower() for name in names.values()}
        names[run] = next(
            name for i in range(1, len(runs) + 2) if (name := safe if i == 1 else f"{safe}_{i}").lower() not in taken
        )
    return names


def _figure(
    facets: Sequence[Facet], columns: int, about: str, held_out: str, *, ordered: bool = False, tied: bool = False
) -> Spec:
    """Facets in rows of `columns`, with common axes, one legend above and a caption below.

    Args:
        about, held_out: for the caption, what all facets are of, and what "held out" means.
        ordered: the series have an order, which the colours show.
        tied: join the marks of each class.
    """
    if columns > _MOST_COLUMNS:
        columns = 2 if columns % 2 == 0 and columns % _MOST_COLUMNS else _MOST_COLUMNS
    width = _NARROW if columns == 1 else _WIDTH
    inner = (width - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    caption = textwrap.wrap(_caption(facets, about, held_out), int((width - 2 * _EDGE) / _CAPTION_LETTER), break_on_hyphens=False)
    series = _series(list(dict.fromkeys(series.label for facet in facets for series in facet.series)), width, ordered)
    limits = _limits(facets)
    drawn = []
    for i, facet in enumerate(facets):
        x, y = _axes(limits, x_labelled=i + columns >= len(facets), y_labelled=i % columns == 0)
        drawn.append(
            {
                "width": inner,
                "height": 0.7 * inner,
                "layer": [_heading(_title(facet, inner)), *_layers(facet, x, y, series, tied=tied)],
            }
        )
    under = {"text": caption, "orient": "bottom", "fontSize": _SMALL, "fontWeight": "normal", "color": _GREY, "offset": 10}
    return {
        "$schema": vega.SCHEMA,
        "padding": _EDGE,
        "title": under,
        "concat": drawn,
        "columns": columns,
        "bounds": "flush",
        "spacing": {"row": _GAP + _TITLE, "column": _GAP},
        "resolve": {"scale": {"color": "shared", "shape": "shared"}},
        "config": vega.config(text=_SMALL),
    }


def _series(labels: Sequence[str], width: float, ordered: bool) -> Spec:
    """How the series are told apart: the encodings of colour and shape, with one legend for both where there are several."""
    n = len(labels)
    cell = max(map(len, labels)) * _LETTER + 16
    legend = {
        "orient": "top",
        "columns": max(1, int((width - _LEFT) / cell)),
        "labelFontSize": _TEXT,
        "labelLimit": 0,
        "symbolSize": 30,
        "symbolOpacity": 1,
        "offset": 8,
    }
    look = {"field": "series", "type": "nominal", "title": None, "legend": legend if n > 1 else None}
    colours = {"scheme": _ORDERED} if ordered and n > 1 else {"range": [_COLOURS[i % len(_COLOURS)] for i in range(n)]}
    marks = [_MARKS[i % len(_MARKS)] for i in range(n)]
    return {
        "color": {**look, "scale": {"domain": list(labels), **colours}},
        "shape": {**look, "scale": {"domain": list(labels), "range": marks}},
    }


def _axes(limits: tuple[float, float, float], *, x_labelled: bool, y_labelled: bool) -> tuple[Spec, Spec]:
    """The encodings of x and y, on scales that all facets share."""
    right, low, high = limits
    common = {
        "tickCount": 5,
        "grid": True,
        "gridColor": _PALE,
        "gridWidth": 0.5,
        "titleFontSize": _TEXT,
        "titlePadding": 4,
        "tickSize": 3,
        "tickWidth": 0.7,
        "domainWidth": 0.7,
    }
    shown: Spec = {"labels": True} if x_labelled else {"labels": False, "title": None}
    x = {
        "field": "x",
        "type": "quantitative",
        "title": "BER (base error rate)",
        "scale": {"domain": [-0.02 * right, right], "nice": False},
        "axis": {**common, **shown},
    }
    shown = {"minExtent": 24} if y_labelled else {"labels": False, "title": None}
    y = {
        "field": "y",
        "type": "quantitative",
        "title": "ALER − BER",
        "scale": {"domain": [low, high], "nice": False},
        "axis": {**common, "domain": True, "ticks": True, **shown},
    }
    return x, y


def _heading(text: str) -> Spec:
    """The title of a facet, at the same height in all of a row: Vega-Lite's own stands above whatever its axes need."""
    mark = {"type": "text", "text": text, "align": "left", "baseline": "bottom", "fontSize": _TEXT}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": {"x": {"value": 0}, "y": {"value": -5}}}


def _layers(facet: Facet, x: Spec, y: Spec, series: Spec, *, tied: bool) -> list[Spec]:
    """The marks of the classes, the line that joins those of one class, and the medians."""
    few = max(len(one.points) for one in facet.series) <= _FEW
    zero = {name: value for name, value in y.items() if name != "field"} | {"datum": 0}
    rule = {"type": "rule", "color": _GREY, "strokeWidth": 0.6}
    layers: list[Spec] = [{"data": {"values": [{}]}, "mark": rule, "encoding": {"y": zero}}]
    if tied and few and len(facet.series) == 2:
        one, two = (part.points for part in facet.series)
        ends = one.merge(two, left_index=True, right_index=True, suffixes=("", "2"))
        layers.append(
            {
                "data": {"values": ends.to_dict("records")},
                "mark": {"type": "rule", "color": "#b3b3b3", "strokeWidth": 0.7},
                "encoding": {"x": x, "y": y, "x2": {"field": "x2"}, "y2": {"field": "y2"}},
            }
        )
    layers.append(
        {
            "data": {"values": _rows(facet, lambda points: points)},
            "mark": {"type": "point", "filled": True, "size": 26 if few else 7, "opacity": 0.9 if few else 0.4},
            "encoding": {"x": x, "y": y, **series},
        }
    )
    if medians := _rows(facet, _medians):
        place = {"x": x, "y": y, "order": {"field": "x", "type": "quantitative"}}
        halo = {"type": "line", "strokeWidth": 3, "stroke": "white"}
        apart = {"detail": {"field": "series", "type": "nominal"}}
        layers.append({"data": {"values": medians}, "mark": halo, "encoding": {**place, **apart}})
        line = {"type": "line", "strokeWidth": 1.5}
        layers.append({"data": {"values": medians}, "mark": line, "encoding": {**place, "color": series["color"]}})
    return layers


def _rows(facet: Facet, made: Callable[[pd.DataFrame], pd.DataFrame]) -> list[dict[str, Any]]:
    return [{"series": one.label, "x": x, "y": y} for one in facet.series for x, y in made(one.points).to_numpy().tolist()]


def _medians(points: pd.DataFrame) -> pd.DataFrame:
    """Medians of x and y over bins of equally many points, from low to high x; empty for few points."""
    if len(points) <= _FEW:
        return points.iloc[:0]
    points = points.sort_values(["x", "y"], kind="stable")
    bins = min(_BINS, len(points) // _PER_BIN)
    return points.groupby(np.arange(len(points)) * bins // len(points)).median()


def _limits(facets: Sequence[Facet]) -> tuple[float, float, float]:
    """The right end of x, and both ends of y, that hold all marks of all facets."""
    points = pd.concat([series.points for facet in facets for series in facet.series if len(series.points)])
    right, low, high = (float(value) for value in (points["x"].max(), points["y"].min(), points["y"].max()))
    margin = 0.05 * max(high - min(low, 0), 0.01)
    return 1.05 * max(right, 0.01), min(low, 0) - margin, max(high, 0) + margin


def _title(facet: Facet, width: float) -> str:
    """The title of a facet, with the middle of a long name left out."""
    name, rest = facet.title
    room = max(8, int(width / _LETTER) - len(rest) - 2)
    if len(name) > room:
        name = f"{name[: room // 2]}…{name[len(name) - (room - 1 - room // 2) :]}"
    return f"{name}, {rest}"


def _caption(facets: Sequence[Facet], about: str, held_out: str) -> str:
    largest = max(len(series.points) for facet in facets for series in facet.series)
    held_out_too = any(_ON["held_out_aler_increase"] in (facet.title[1], *(s.label for s in facet.series)) for facet in facets)
    sentences = [
        about,
        f"A mark is a class with something to explain; {_counts(facets)}.",
        "Lines: medians of equally many classes." if largest > _FEW else "",
        "On the searched images every tree also gains by luck."
        if held_out_too
        else "Measured on the images that were searched, where every tree also gains by luck.",
        held_out if held_out_too else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _counts(facets: Sequence[Facet]) -> str:
    """How many marks there are, as shortly as it can be said."""
    counts = {facet.title: tuple(len(series.points) for series in facet.series) for facet in facets}
    several = any(len(row) > 1 for row in counts.values())
    every = {n for row in counts.values() for n in row}
    if len(every) == 1:
        n = f"n = {every.pop():,}"
        return f"{n} of every kind in every plot" if several else n if len(facets) == 1 else f"{n} in every plot"
    by_name: dict[str, set[tuple[int, ...]]] = {}
    for (name, _), row in counts.items():
        by_name.setdefault(name, set()).add(row)
    short = all(len(rows) == 1 for rows in by_name.values())
    listed = (
        {name: rows.pop() for name, rows in by_name.items()} if short else {", ".join(name): row for name, row in counts.items()}
    )
    alike = all(len(set(row)) == 1 for row in listed.values())
    words = "; ".join(f"{name}: {', '.join(f'{n:,}' for n in (row[:1] if alike else row))}" for name, row in listed.items())
    return f"n {'of every kind' if alike else 'in the order of the legend'}: {words}" if several else f"n: {words}"
