"""A panel as one figure, laid out as the paper's figures 21 to 64: images, heatmaps, attacks, failures."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from barlow_core.panels.files import Panel
from barlow_core.storage.files import atomic_write

DPI = 200
# Inches: six columns and the margin with the letters make 8.3, the text width of a landscape or a scaled portrait page.
_EDGE, _MARGIN, _COLUMN, _GAP = 0.08, 1.15, 1.12, 0.08
_LINE, _TITLE_LINE, _LETTER_LINE = 0.125, 0.18, 0.24
_SMALL, _LETTER, _TITLE = 7.0, 13.0, 9.0  # points
# Characters that fit, for the wide letters of matplotlib's own font.
_PER_INCH, _IN_COLUMN = 12.5, 20
_GREY = "0.35"

Cell = tuple[Image.Image, str]


class _Row(NamedTuple):
    letter: str
    description: str
    cells: list[Cell]

    @property
    def height(self) -> float:
        return _COLUMN + _LINE * max(len(_wrapped(caption)) for _, caption in self.cells) + 2 * _GAP


def panel_figure(panel: Panel, failures: Sequence[Cell] = (), title: str | None = None, *, dpi: int = DPI) -> Image.Image:
    """Draw a panel and failures of its leaf as one figure.

    Args:
        failures: (picture, caption) of failures; the first k make the last row.
        title: above the figure; the feature and its group when None.
        dpi: pixels an inch; the figure of six images is 8.3 inches wide.

    Returns:
        An RGB picture; `save_figure` writes it.
    """
    rows = _rows(panel, failures)
    columns = max(len(row.cells) for row in rows)
    width = _MARGIN + columns * (_COLUMN + _GAP)
    heading = textwrap.wrap(title or f"{_name(panel)} in {panel.group}", int(_PER_INCH * width))
    head = _EDGE + _TITLE_LINE * len(heading) + _GAP
    height = head + sum(row.height for row in rows)
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)

    _write(figure, _EDGE, height - _EDGE, "\n".join(heading), size=_TITLE, weight="bold")
    top = height - head
    for row in rows:
        _draw_row(figure, row, top)
        top -= row.height

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    with Image.open(drawn) as picture:
        return picture.convert("RGB")


def save_figure(path: str | Path, figure: Image.Image, *, dpi: int = DPI) -> None:
    """Write a figure as PNG that prints at its intended size; without a date: same figure, same bytes."""
    with atomic_write(Path(path)) as temporary:
        figure.save(temporary, format="PNG", dpi=(dpi, dpi))


def _name(panel: Panel) -> str:
    return f"feature[{panel.feature}]" if isinstance(panel.feature, int) else panel.direction.words


def _rows(panel: Panel, failures: Sequence[Cell]) -> list[_Row]:
    images, noun = panel.images, panel.direction.noun
    shown = [(_read(panel.path / image.image), f"{image.activation:.3f}") for image in images]
    attacked = [(_read(panel.path / image.attack), f"{image.attacked:.3f}") for image in images]
    rows = [_Row("A", f"most activating\nof the {panel.source},\nwith activations", shown)]
    if panel.without_maps is None:
        heat = [(_read(panel.path / image.overlay), "") for image in images]
        what = "feature\nis active" if noun == "feature" else "sum\nis high"
        rows.append(_Row("B", f"heatmaps:\nwhere the {what}", heat))
    rows.append(_Row("C", "feature attacks:\nchanged to raise\nthe activation", attacked))
    return [*rows, _Row("", "failures", list(failures)[: panel.k])] if failures else rows


def _read(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _wrapped(caption: str) -> list[str]:
    return [part for line in caption.splitlines() for part in textwrap.wrap(line, _IN_COLUMN)]


def _draw_row(figure: Figure, row: _Row, top: float) -> None:
    """Draw a row of pictures with captions, its letter and description in the left margin; `top` in inches."""
    width, height = figure.get_size_inches()
    _write(figure, _EDGE, top, row.letter, size=_LETTER, weight="bold")
    _write(figure, _EDGE, top - (_LETTER_LINE if row.letter else 0), row.description, size=_SMALL, color=_GREY)
    for column, (picture, caption) in enumerate(row.cells):
        left = _MARGIN + column * (_COLUMN + _GAP)
        axes = figure.add_axes((left / width, (top - _COLUMN) / height, _COLUMN / width, _COLUMN / height))
        axes.set_axis_off()
        axes.set_anchor("S")  # A wide picture stands on its caption.
        axes.imshow(picture, interpolation="bicubic")
        lines = "\n".join(_wrapped(caption))
        _write(figure, left + _COLUMN / 2, top - _COLUMN - _GAP / 2, lines, size=_SMALL, align="center")


def _write(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    size: float,
    weight: str = "normal",
    color: str = "black",
    align: str = "left",
) -> None:
    """Put text with its upper edge at `y`, in inches from the lower left corner."""
    width, height = figure.get_size_inches()
    # parse_math would take the dollar signs of a class or file name for a formula.
    figure.text(
        x / width,
        y / height,
        text,
        fontsize=size,
        weight=weight,
        color=color,
        ha=align,
        va="top",
        linespacing=1.25,
        parse_math=False,
    )
