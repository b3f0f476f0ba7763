"""A panel as one figure, laid out as the paper's figures 21 to 64: images, heatmaps, attacks, failures."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from barlow_core.failure_modes import load_analysis
from barlow_core.images import open_image
from barlow_core.panels import Panel
from barlow_core.run import Run, atomic_write
from barlow_core.views import node_failures

DPI = 200
# Inches. A column of 1.15 makes a row of six fill the width of a printed page.
_EDGE, _MARGIN, _COLUMN, _GAP = 0.08, 1.15, 1.15, 0.06
_LINE, _TITLE_LINE, _TITLE_CHARACTER = 0.13, 0.18, 0.09
_SMALL, _LETTER, _HEAD = 7.0, 13.0, 9.0
_GREY = "0.35"

Cell = tuple[Image.Image, str]


def panel_figure(panel: Panel, failures: Sequence[Cell] = (), title: str | None = None, *, dpi: int = DPI) -> Image.Image:
    """Draw a panel and failures of its leaf as one figure.

    Args:
        failures: (picture, caption) of failures, as many as there is room for: one row; more are left out.
        title: above the figure; the feature and its group when None.
        dpi: pixels an inch; the figure of six images is 8.2 inches wide.

    Returns:
        An RGB picture; `save_figure` writes it.
    """
    rows = _rows(panel, failures)
    columns = max(len(cells) for _, _, cells in rows)
    heading = textwrap.wrap(title or f"feature[{panel.feature}] in {panel.group}", PLACE)
    height = _TITLE * len(heading) + sum(heights) + _GAP * (len(rows) + 1)
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)

    figure.text(
        _MARGIN / width,
        1 - 0.05 / height,
        "\n".join(heading),
        fontsize=_HEAD,
        weight="bold",
        va="top",
        linespacing=1.3,
    )
    top = height - _TITLE * len(heading) - _GAP
    for (letter, description, cells), row_height in zip(rows, heights, strict=True):
        figure.text(0.1 / width, top / height, letter, fontsize=_LETTER, weight="bold", va="top")
        below = top - (0.24 if letter else 0.0)
        figure.text(0.1 / width, below / height, description, fontsize=_SMALL, color=_GREY, va="top", linespacing=1.25)
        for column, (picture, caption) in enumerate(cells):
            left = _MARGIN + column * (_COLUMN + _GAP)
            box = (left / width, (top - _COLUMN) / height, _COLUMN / width, _COLUMN / height)
            _draw(figure.add_axes(box), picture, caption)
        top -= row_height + _GAP

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def save_figure(path: str | Path, figure: Image.Image, *, dpi: int = DPI) -> None:
    """Write a figure as PNG that prints at its intended size; without a date: same figure, same bytes."""
    with atomic_write(Path(path)) as temporary:
        figure.save(temporary, format="PNG", dpi=(dpi, dpi))


def _rows(panel: Panel, failures: Sequence[Cell]) -> list[tuple[str, str, list[Cell]]]:
    """The rows from top to bottom: section letter, what it shows, pictures with captions."""

    def cells(files: Sequence[str], captions: Sequence[str]) -> list[Cell]:
        return [(_read(panel.path / file), caption) for file, caption in zip(files, captions, strict=True)]

    images = panel.images
    where = "of the group" if panel.source == "group" else "of the benchmark"
    rows = [
        (
            "A",
            f"most activating\nimages {where},\nwith activations",
            cells([image.image for image in images], [f"{image.activation:.3f}" for image in images]),
        ),
        (
            "B",
            "heatmaps:\nwhere the feature\nis active",
            cells([image.overlay for image in images], [""] * len(images)),
        ),
        (
            "C",
            "feature attack:\nimages changed\nto raise it",
            cells([image.attack for image in images], [f"{image.attacked:.3f}" for image in images]),
        ),
    ]
    if failures:
        rows.append(("", "failures", list(failures)[: max(panel.k, 1)]))
    return rows


def _read(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _lines(cells: Sequence[Cell]) -> int:
    return max((caption.count("\n") + 1 for _, caption in cells), default=1)


def _draw(axes: Axes, picture: Image.Image, caption: str) -> None:
    """Put a picture into its square, uncropped and centred, with its caption under it."""
    axes.set_axis_off()
    axes.set_anchor("N")
    axes.imshow(picture, interpolation="antialiased" if max(picture.size) >= 128 else "bicubic")
    # parse_math would take the dollar signs of a class name or file for a formula.
    axes.text(
        0.5,
        -0.03,
        caption,
        fontsize=_SMALL,
        ha="center",
        va="top",
        transform=axes.transAxes,
        linespacing=1.2,
        parse_math=False,
    )


def leaf_figure(run: Run, panel: Panel, *, seed: int = 0) -> Image.Image:
    """The figure of a panel with failures of the leaf that its feature defines, captioned as in the paper.

    The leaf is the failure mode whose rule names the feature: of the shallowest tree, then with the highest importance value.
    A feature in no failure mode gets a figure without failures.

    Args:
        seed: of the draw of failures.
    """
    modes = run.failure_modes()
    modes = modes[(modes["group"] == panel.group) & [panel.feature in features for features in modes["features"]]]
    if modes.empty:
        return panel_figure(panel)
    mode = modes.sort_values(["depth", "importance_value"], ascending=[True, False], kind="stable").iloc[0]
    leaf = load_analysis(run, panel.group, depth=int(mode["depth"])).tree.node(int(mode["leaf"]))
    drawn = node_failures(run, panel.group, leaf, n=panel.k, seed=seed)
    failures = [(open_image(row.path), f"{row.label}\nas {row.prediction}") for row in drawn.itertuples()]
    title = (
        f"{panel.group}: when {mode['rule']}, the error rate is {mode['error_rate']:.4f} ({mode['increase'] * 100:+.2f} points), "
        f"with {mode['error_coverage']:.4f} of all failures"
    )
    return panel_figure(panel, failures, title)
