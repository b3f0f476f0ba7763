"""A run of ten images whose every number can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import with_features

from barlow_core.benchmark import Benchmark
from barlow_core.run import Run

# Feature 0 tells the failures of cats from the successes; feature 1 is feature 0 upside down; feature 2 never varies.
FEATURES = np.array(
    [
        [0.0, 9.0, 1.0, 5.0],
        [1.0, 8.0, 1.0, 3.0],
        [2.0, 7.0, 1.0, 9.0],
        [3.0, 6.0, 1.0, 1.0],
        [6.0, 3.0, 1.0, 2.0],
        [7.0, 2.0, 1.0, 2.0],
        [8.0, 1.0, 1.0, 4.0],
        [9.0, 0.0, 1.0, 8.0],
        [4.0, 5.0, 1.0, 6.0],
        [5.0, 4.0, 1.0, 7.0],
    ],
    dtype=np.float32,
)
LABELS = [0, 0, 0, 0, 0, 0, 1, 1, 2, 2]  # cat x 6, dog x 2, truck x 2
PREDICTIONS = [1, 1, 2, 0, 0, 0, 1, 0, 2, 2]


def ten_images(folder: Path, *, split: list[str] | None = None) -> Run:
    table = pd.DataFrame(
        {
            "path": [f"{i}.png" for i in range(10)],
            "label": LABELS,
            "prediction": PREDICTIONS,
            "confidence": [0.9, 0.5, 0.7, 0.8, 0.6, np.nan, 0.9, 0.4, 0.9, 0.9],
            "digest": [f"{i:032x}" for i in range(10)],
        }
    )
    if split is not None:
        table["split"] = split
    benchmark = Benchmark.from_table(folder / "images", table, ["cat", "dog", "truck"])
    return with_features(Run.create(folder / "run", benchmark), FEATURES)


@pytest.fixture
def ten(tmp_path: Path) -> Run:
    return ten_images(tmp_path)
