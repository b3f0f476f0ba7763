"""FiftyOne datasets: paths, labels and predictions of their samples as a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from barlow_core.errors import BarlowError

_PREDICTIONS = ("predictions", "prediction")


def read_dataset(
    dataset: Any, images_dir: str | Path | None, label_field: str, prediction_field: str | None
) -> tuple[Path, pd.DataFrame]:
    """The samples of a FiftyOne dataset or view.

    Args:
        dataset: by what it can do: `values(field)` and `has_sample_field(name)`.
        images_dir, label_field, prediction_field: see `Benchmark.from_fiftyone`.

    Returns:
        images_dir: absolute.
        frame: Filenames (absolute paths), Labels, and Predictions and Confidence where there are any, None where a sample has none.

    Raises:
        BarlowError: there is no sample, or no such field.
    """
    paths = list(dataset.values("filepath"))
    if not paths:
        raise BarlowError("The dataset has no samples. Expected at least one image.")
    columns = {"Filenames": paths, "Labels": _values(dataset, label_field, "label_field")}
    found = prediction_field or next((name for name in _PREDICTIONS if dataset.has_sample_field(name)), None)
    if found is not None:
        columns["Predictions"] = _values(dataset, found, "prediction_field")
        confidence = list(dataset.values(f"{found}.confidence"))
        if any(value is not None for value in confidence):
            columns["Confidence"] = confidence
    folder = Path(images_dir or os.path.commonpath([os.path.dirname(path) for path in paths]))  # noqa: PTH120
    return folder.absolute(), pd.DataFrame(columns)


def _values(dataset: Any, field: str, argument: str) -> list[Any]:
    if not dataset.has_sample_field(field):
        raise BarlowError(f"The dataset has no field {field!r}. Expected one of Classification labels. Say which: {argument}=")
    return list(dataset.values(f"{field}.label"))
