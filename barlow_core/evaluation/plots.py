"""ALER - BER against BER, drawn: the plots of the paper's section 7 and appendix E (Figures 8 and 15 to 20).

A mark is a class. Every figure is as wide as a page of a paper, says under it what was measured on what and how many classes
there are, and can be told apart without colours (the marks differ, too).
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from barlow_core.storage.files import atomic_write

DPI = 200
# Inches: a page of text, and the narrower figure of a single facet.
_WIDTH, _NARROW, _LEFT, _RIGHT, _GAP = 6.5, 3.6, 0.5, 0.14, 0.2
_LEGEND, _TITLE, _AXIS, _LINE, _EDGE = 0.2, 0.2, 0.36, 0.125, 0.06
_SMALL, _TEXT = 7.0, 8.0  # points
_PER_INCH, _PER_INCH_TITLE = 19.5, 15.0  # characters that fit, of the caption and of the legend and titles
_GREY, _PALE = "0.35", "0.85"
_MOST_COLUMNS = 3
# Okabe and Ito's colours, which people with any colour vision tell apart, in an order that also differs in lightness.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_ORDERED = "viridis"
_MARKS = ("o", "^", "s", "D", "v", "P")
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


def figures(groups: pd.DataFrame, held_out: Mapping[str, str]) -> Iterator[tuple[str, Figure]]:
    """Draw everything that `Evaluation.groups` has to show.

    Args:
        groups: as `Evaluation.groups`; groups with nothing to explain are left out.
        held_out: as `Evaluation.held_out`.

    Yields:
        File name (without suffix) and figure:
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


def _comparison(chosen: pd.DataFrame, varied: str, apart: str, about: str, held_out: Mapping[str, str]) -> Figure:
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


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as `path`.png and `path`.svg, without a date: the same figure gives the same bytes."""
    written = []
    for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None, "Creator": None})):
        target = path.with_name(path.name + suffix)
        # Names of parts inside an SVG are random unless they are salted.
        with atomic_write(target) as temporary, mpl.rc_context({"svg.hashsalt": "barlow"}):
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)
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
) -> Figure:
    """Facets in rows of `columns`, with common axes, one legend above and a caption below.

    Args:
        about, held_out: for the caption, what all facets are of, and what "held out" means.
        ordered: the series have an order, which the colours show.
        tied: join the marks of each class.
    """
    if columns > _MOST_COLUMNS:
        columns = 2 if columns % 2 == 0 and columns % _MOST_COLUMNS else _MOST_COLUMNS
    rows = -(-len(facets) // columns)
    width = _NARROW if columns == 1 else _WIDTH
    caption = textwrap.wrap(_caption(facets, about, held_out), int(_PER_INCH * (width - 2 * _EDGE)), break_on_hyphens=False)
    facet_width = (width - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    facet_height = 0.7 * facet_width
    labels = list(dict.fromkeys(series.label for facet in facets for series in facet.series))
    legend_rows = _legend_rows(labels, width) if len(labels) > 1 else []
    head = _EDGE + _LEGEND * len(legend_rows)
    foot = _AXIS + _LINE * len(caption) + _EDGE
    height = head + rows * (facet_height + _TITLE + _GAP) + foot
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)

    limits = _limits(facets)
    colours = dict(zip(labels, _colours(len(labels), ordered), strict=True))
    marks = {label: _MARKS[i % len(_MARKS)] for i, label in enumerate(labels)}
    for i, facet in enumerate(facets):
        row, column = divmod(i, columns)
        left = _LEFT + column * (facet_width + _GAP)
        bottom = height - head - row * (facet_height + _TITLE + _GAP) - _TITLE - facet_height
        axes = figure.add_axes((left / width, bottom / height, facet_width / width, facet_height / height))
        last_in_column = i + columns >= len(facets)
        _draw(axes, facet, colours, marks, tied=tied)
        _dress(axes, _title(facet, facet_width), limits, x_labelled=last_in_column, y_labelled=column == 0)

    for i, row_labels in enumerate(legend_rows):
        handles = [Line2D([], [], marker=marks[label], color=colours[label], linestyle="", markersize=5) for label in row_labels]
        legend = figure.legend(
            handles,
            row_labels,
            loc="upper left",
            bbox_to_anchor=(_LEFT / width, 1 - (_EDGE + i * _LEGEND) / height),
            ncols=len(row_labels),
            frameon=False,
            fontsize=_TEXT,
            borderpad=0,
            borderaxespad=0,
            handletextpad=0.2,
            columnspacing=1.4,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    lines = "\n".join(caption)
    y = (_EDGE + _LINE * len(caption)) / height
    figure.text(_EDGE / width, y, lines, fontsize=_SMALL, color=_GREY, va="top", linespacing=1.25, parse_math=False)
    return figure


def _draw(axes: Axes, facet: Facet, colours: Mapping[str, str], marks: Mapping[str, str], *, tied: bool) -> None:
    if tied and len(facet.series) == 2 and len(facet.series[0].points) <= _FEW:
        one, two = (series.points for series in facet.series)
        known = one.index.intersection(two.index)
        ends = np.stack([one.loc[known].to_numpy(), two.loc[known].to_numpy()])
        axes.plot(ends[:, :, 0], ends[:, :, 1], color="0.7", linewidth=0.7, zorder=1)
    for series in facet.series:
        few = len(series.points) <= _FEW
        axes.scatter(
            series.points["x"],
            series.points["y"],
            s=20 if few else 5,
            marker=marks[series.label],
            color=colours[series.label],
            alpha=0.9 if few else 0.4,
            linewidth=0,
            zorder=2.1 if few else 2,
        )
    for series in facet.series:
        trend = _medians(series.points)
        if len(trend) > 1:
            halo = [patheffects.Stroke(linewidth=3, foreground="white"), patheffects.Normal()]
            axes.plot(trend["x"], trend["y"], color=colours[series.label], linewidth=1.5, path_effects=halo, zorder=3)


def _medians(points: pd.DataFrame) -> pd.DataFrame:
    """Medians of x and y over bins of equally many points, from low to high x; empty for few points."""
    if len(points) <= _FEW:
        return points.iloc[:0]
    points = points.sort_values(["x", "y"], kind="stable")
    bins = min(_BINS, len(points) // _PER_BIN)
    return points.groupby(np.arange(len(points)) * bins // len(points)).median()


def _dress(axes: Axes, title: str, limits: tuple[float, float, float], *, x_labelled: bool, y_labelled: bool) -> None:
    right, low, high = limits
    axes.set_xlim(-0.02 * right, right)
    axes.set_ylim(low, high)
    axes.axhline(0, color=_GREY, linewidth=0.6, zorder=0)
    axes.grid(color=_PALE, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=_SMALL, length=2.5, labelbottom=x_labelled, labelleft=y_labelled)
    axes.set_title(title, fontsize=_TEXT, loc="left", pad=4, parse_math=False)
    if x_labelled:
        axes.set_xlabel("BER (base error rate)", fontsize=_TEXT, labelpad=2)
    if y_labelled:
        axes.set_ylabel("ALER − BER", fontsize=_TEXT, labelpad=3)


def _limits(facets: Sequence[Facet]) -> tuple[float, float, float]:
    """The right end of x, and both ends of y, that hold all marks of all facets."""
    points = pd.concat([series.points for facet in facets for series in facet.series if len(series.points)])
    right, low, high = (float(value) for value in (points["x"].max(), points["y"].min(), points["y"].max()))
    margin = 0.05 * max(high - min(low, 0), 0.01)
    return 1.05 * max(right, 0.01), min(low, 0) - margin, max(high, 0) + margin


def _colours(n: int, ordered: bool) -> list[str]:
    if ordered:
        # The light end of the scale would vanish on white.
        return [to_hex(colour) for colour in mpl.colormaps[_ORDERED](np.linspace(0.05, 0.75, n))]
    return [_COLOURS[i % len(_COLOURS)] for i in range(n)]


def _legend_rows(labels: Sequence[str], width: float) -> list[list[str]]:
    """Labels in rows that fit."""
    rows: list[list[str]] = [[]]
    room = (width - _LEFT) * _PER_INCH_TITLE
    for label in labels:
        if rows[-1] and sum(len(other) + 5 for other in rows[-1]) + len(label) + 5 > room:
            rows.append([])
        rows[-1].append(label)
    return rows


def _title(facet: Facet, width: float) -> str:
    """The title of a facet, with the middle of a long name left out."""
    name, rest = facet.title
    room = max(8, int(width * _PER_INCH_TITLE) - len(rest) - 2)
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
