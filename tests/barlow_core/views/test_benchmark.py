from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from barlow_core import views
from barlow_core.errors import BarlowError
from barlow_core.run import Run


def test_classes_by_hand(ten: Run) -> None:
    """Cats: 3 of 6 missed, two as dogs; 5 images are called cat, 1 of them wrongly. Trucks never fail."""
    table = views.classes(ten)
    assert table["class_name"].tolist() == ["cat", "dog", "truck"]
    cat, dog, truck = (row for _, row in table.iterrows())
    assert (cat["n_images"], cat["n_failures"], cat["error_rate"]) == (6, 3, 0.5)
    assert (cat["n_predicted"], cat["n_wrong"], cat["wrong_share"]) == (4, 1, 0.25)
    assert (cat["taken_for"], cat["n_taken_for"]) == ("dog", 2)
    assert (dog["n_predicted"], dog["n_wrong"], dog["taken_for"], dog["n_taken_for"]) == (3, 2, "cat", 1)
    assert (truck["n_failures"], truck["n_taken_for"]) == (0, 0)
    assert table["taken_for"].isna().tolist() == [False, False, True]
    assert truck["wrong_share"] == 1 / 3


def test_confusion_pairs_by_hand(ten: Run) -> None:
    table = views.confusion_pairs(ten)
    assert list(zip(table["label"], table["prediction"], table["n_failures"], strict=True)) == [
        ("cat", "dog", 2),
        ("dog", "cat", 1),  # half of the dogs: before a sixth of the cats
        ("cat", "truck", 1),
    ]
    assert table["share_of_label"].tolist() == pytest.approx([2 / 6, 1 / 2, 1 / 6])
    assert table["share_of_failures"].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert table["confidence"].tolist() == pytest.approx([0.7, 0.4, 0.7])


def test_they_agree_with_pandas(explained_run: Run) -> None:
    """Another way to the same numbers: a crosstab of labels and predictions."""
    table = explained_run.benchmark.table
    crosstab = pd.crosstab(table["label_name"], table["prediction_name"])
    for row in views.confusion_pairs(explained_run).itertuples():
        assert crosstab.loc[row.label, row.prediction] == row.n_failures
    classes = views.classes(explained_run).set_index("class_name")
    assert classes["n_images"].to_dict() == crosstab.sum(axis=1).to_dict()
    assert classes["n_predicted"].to_dict() == crosstab.sum(axis=0).to_dict()
    right = pd.Series(np.diag(crosstab), index=crosstab.index)
    assert (classes["n_images"] - classes["n_failures"]).to_dict() == right.to_dict()


def test_without_failures_and_without_predictions(ten: Run, tmp_path: Path) -> None:
    benchmark = ten.benchmark
    sound = Run.create(tmp_path / "sound", replace(benchmark, predictions=benchmark.labels, confidence=None))
    assert views.classes(sound)["taken_for"].isna().all()
    assert views.confusion_pairs(sound).empty
    bare = Run.create(tmp_path / "bare", replace(benchmark, predictions=None, confidence=None))
    for table in (views.classes, views.confusion_pairs):
        with pytest.raises(BarlowError, match="barlow predict"):
            table(bare)
