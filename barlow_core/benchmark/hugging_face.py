"""Hugging Face datasets of images: their images as files, their other columns as a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from barlow_core.benchmark.datasets import write_images
from barlow_core.benchmark.metadata import COLUMNS, Columns
from barlow_core.errors import BarlowError
from barlow_core.intake.columns import parse_columns, plain

_EXAMPLE = "filenames=photo,labels=breed"


class _Images:
    """The images of a dataset, as `write_images` takes them; other columns are not decoded."""

    def __init__(self, dataset: Any, column: str):
        self._dataset, self._column = dataset.select_columns([column]), column

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = self._dataset[index][self._column]
        if image is None:
            raise BarlowError("it has no image")
        return image, 0


def write_dataset(
    dataset: Any, images_dir: str | Path, columns: Columns | None = None, *, progress: bool = False
) -> tuple[pd.DataFrame, list[str] | None, dict[str, str]]:
    """Write the images of a dataset as PNG files, once.

    Args:
        dataset: a `datasets.Dataset`, by what it can do: `features`, `select_columns`, `remove_columns`, `to_pandas`.

    Returns:
        frame: the other columns, and Filenames.
        class_names: of the labels, where they are a `ClassLabel`; else None.
        columns: which of the other columns is what, as far as it was said.

    Raises:
        BarlowError: it is several splits or a stream, or has no column of images, or several.
    """
    if isinstance(dataset, Mapping):
        raise BarlowError(
            f"These are {len(dataset)} splits ({', '.join(map(str, dataset))}). Expected one dataset. Choose one, such as "
            f"dataset[{next(iter(dataset), 'test')!r}]."
        )
    features = getattr(dataset, "features", None)
    if not features or not hasattr(dataset, "__len__"):
        raise BarlowError(
            f"{type(dataset).__name__} has no features or no length. Expected a datasets.Dataset of images, not a stream of them."
        )
    said = parse_columns(columns, _EXAMPLE) if columns else {}
    given = {plain(what).removesuffix("s"): column for what, column in said.items()}
    image = _image_column(features, given.get("filename"))
    table, problems = write_images(_Images(dataset, image), images_dir, progress=progress)
    if problems.of_row:
        reasons = next(iter(problems.of_row.values()))
        raise BarlowError(
            f"{len(problems.of_row):,} images of the dataset cannot be read; {reasons[0]}. Expected an image in every row."
        )
    frame = dataset.remove_columns([image]).to_pandas().reset_index(drop=True)
    frame.insert(0, COLUMNS["path"], table["path"])
    others = {what: column for what, column in said.items() if plain(what).removesuffix("s") != "filename"}
    return frame, _class_names(features, given.get("label")), others


def _image_column(features: Mapping[str, Any], named: str | None) -> str:
    images = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    if named is not None:
        images = [named] if named in features else []
    if len(images) != 1:
        found = f"{len(images)} columns of images ({', '.join(images)})" if images else "no column of images"
        raise BarlowError(
            f'The dataset has {found}; its columns are {", ".join(features)}. Expected one. Say which: columns="filenames=COLUMN"'
        )
    return images[0]


def _class_names(features: Mapping[str, Any], named: str | None) -> list[str] | None:
    """The names of the ClassLabel that is the label: the one that is said or called so, or the only one."""
    labels = {name: list(feature.names) for name, feature in features.items() if type(feature).__name__ == "ClassLabel"}
    called = named or next((name for name in labels if plain(name) in ("label", "labels")), None)
    if called is None and len(labels) == 1:
        called = next(iter(labels))
    return None if called is None else labels.get(called)
