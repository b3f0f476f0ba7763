"""Pictures inside of a report: small copies as data URIs, histograms as SVG."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from PIL import Image

from barlow_core.benchmark.images import open_image
from barlow_core.errors import ImageError
from barlow_core.panels import Panel
from barlow_core.views.features import Distribution

SIDE = 224  # pixels; the longest side of an embedded picture
SMALL = 64  # up to this side pictures are stored without loss
MOST_BYTES = 60 << 20  # of all pictures of a report together


class Embedded(NamedTuple):
    """A picture for the page: its address, size in pixels, or why it is not there."""

    uri: str | None
    width: int
    height: int
    why_not: str = ""


class Embedder:
    """Turns image files into data URIs, each of a bounded size, all together within `most_bytes`.

    Attributes:
        left_out: how many pictures had no room any more.
    """

    def __init__(self, *, side: int = SIDE, most_bytes: int = MOST_BYTES):
        self._side, self._room = side, most_bytes
        self._known: dict[Path, Embedded] = {}
        self.left_out = 0

    def __call__(self, path: str | Path) -> Embedded:
        """The picture of a file; a missing or damaged one says so instead."""
        path = Path(path)
        if path not in self._known:
            self._known[path] = self._embed(path)
        return self._known[path]

    def _embed(self, path: Path) -> Embedded:
        try:
            image = open_image(path)
        except ImageError:
            return Embedded(None, SMALL, SMALL, f"{path.name} is missing or damaged")
        image.thumbnail((self._side, self._side), Image.Resampling.LANCZOS)
        lossless = max(image.size) <= SMALL
        buffer = io.BytesIO()
        image.save(buffer, "PNG" if lossless else "JPEG", **({} if lossless else {"quality": 85}))
        if buffer.tell() > self._room:
            self.left_out += 1
            return Embedded(None, *image.size, "left out: this report is full")
        self._room -= buffer.tell()
        code = base64.b64encode(buffer.getvalue()).decode()
        return Embedded(f"data:image/{'png' if lossless else 'jpeg'};base64,{code}", *image.size)


def failure_pictures(table: pd.DataFrame, embed: Embedder) -> list[dict[str, Embedded | str]]:
    """The failures in a table of `views.images_at` with paths, each with its label, prediction and, where known, confidence."""
    return [
        {
            "picture": embed(row["path"]),
            "alt": f"{row['label']} image {row['name']}, predicted {row['prediction']}",
            "caption": f"{row['label']} as {row['prediction']}"
            + ("" if pd.isna(row["confidence"]) else f", {row['confidence']:.2f}"),
        }
        for row in table.to_dict("records")
    ]


def panel_rows(panel: Panel | None, embed: Embedder) -> list[dict[str, Any]]:
    """Sections A, B and C of a panel, each with its letter, what it shows and its pictures; none where there is no panel."""
    if panel is None:
        return []
    noun, words = panel.direction.noun, panel.direction.words
    where = "of this group" if panel.source == "group" else "of the whole benchmark"
    heat = "yellow where the feature responds most" if noun == "feature" else "yellow where the weighted sum is highest"
    rows: list[dict[str, Any]] = []
    for letter, what, file in (
        ("A", "Most activating images", "image"),
        ("B", f"Heatmaps: {heat}", "overlay"),
        ("C", f"Feature attack: changed in {panel.attack['steps']} steps to raise the {noun}", "attack"),
    ):
        if letter == "B" and panel.without_maps is not None:
            rows.append({"letter": letter, "what": f"No heatmaps: {panel.without_maps}", "images": []})
            continue
        values = {"A": "activation", "C": "attacked"}
        rows.append(
            {
                "letter": letter,
                "what": f"{what} {where}" if letter == "A" else what,
                "images": [
                    {
                        "picture": embed(panel.path / getattr(image, file)),
                        "alt": f"{what} of {words}: {image.label} image {image.name}",
                        "caption": f"{getattr(image, values[letter]):.3f}" if letter in values else "",
                    }
                    for image in panel.images
                ],
            }
        )
    return rows


def embed_svg(drawing: bytes) -> str:
    """A drawing as a data URI."""
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode()}"


class Bar(NamedTuple):
    """A bin of a histogram as rectangles: x and width, and the tops and heights of both outcomes; in units of the view box."""

    x: float
    width: float
    failures_y: float
    failures_height: float
    successes_y: float
    successes_height: float


class Histogram(NamedTuple):
    """A distribution as shapes in a view box of `width` x `height`; `lines` are the x of the thresholds."""

    bars: list[Bar]
    lines: list[float]
    width: int
    height: int
    low: str
    high: str


def histogram(distribution: Distribution, *, width: int = 480, height: int = 120) -> Histogram:
    """Stack failures on successes in every bin, the fullest bin as high as the box."""
    table = distribution.table
    most = max(1, int((table["failures"] + table["successes"]).max()))
    low, high = float(table["low"].iloc[0]), float(table["high"].iloc[-1])
    span = high - low or 1.0
    bars = []
    for row in table.to_dict("records"):
        x = (row["low"] - low) / span * width
        wide = (row["high"] - row["low"]) / span * width if high > low else float(width)
        successes, failures = row["successes"] / most * height, row["failures"] / most * height
        bars.append(Bar(x, max(wide - 1, 0.5), height - successes - failures, failures, height - successes, successes))
    lines = [(threshold - low) / span * width for threshold in distribution.thresholds]
    return Histogram(bars, lines, width, height, f"{low:.4g}", f"{high:.4g}")
