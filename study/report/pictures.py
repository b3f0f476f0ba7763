"""The panels of items beside their rows, in documents: sections A, B and C as small pictures inside the file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from barlow_core.errors import BarlowError
from study.analysis import Analysis, item_panel

PANEL_SECTIONS = (("A", "Most activating images"), ("B", "Heatmaps"), ("C", "Feature attack"))
IMAGES = 5
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}


@dataclass(frozen=True)
class Pictures:
    """The panel of an item.

    Attributes:
        item: its id.
        rows: for each of `PANEL_SECTIONS`, the files of at most `IMAGES` pictures with what they show.
        reason: why there are none; then `rows` is empty.
    """

    item: str
    rows: tuple[tuple[tuple[Path, str], ...], ...]
    reason: str | None = None


def pictures_of(analysis: Analysis, item: str) -> Pictures:
    """The pictures of an item, or why there are none."""
    try:
        panel = item_panel(analysis.study, item)
    except BarlowError as error:
        return Pictures(item, (), str(error))
    images = panel.images[:IMAGES]
    rows = tuple(
        tuple((panel.path / getattr(image, kind), f"{text}: {image.label}, {image.name}") for image in images)
        for kind, (_, text) in zip(("image", "overlay", "attack"), PANEL_SECTIONS, strict=True)
    )
    return Pictures(item, rows)


def data_uri(path: Path) -> str:
    """A picture inside a document."""
    kind = _TYPES.get(path.suffix.lower(), "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
