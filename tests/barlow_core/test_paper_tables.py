"""All 44 rows of the paper's Tables 2-5, each rebuilt from its counts and sent through the real method."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from barlow_core.failure_modes import explain

ROWS = list(csv.DictReader((Path(__file__).parent / "paper_failure_modes.csv").open(encoding="utf-8")))


def cluster(row: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """A group in which the row's feature separates exactly the row's counts at its threshold, among distractors."""
    n, failures = int(row["n_images"]), int(row["n_failures"])
    leaf_n, leaf_failures = int(row["leaf_images"]), int(row["leaf_failures"])
    index, threshold = int(row["feature"]), float(row["threshold"])
    rng = np.random.default_rng(index)
    failure = np.zeros(n, dtype=bool)
    failure[:leaf_failures] = True
    failure[leaf_n : leaf_n + failures - leaf_failures] = True
    in_leaf = np.arange(n) < leaf_n
    # A tree splits halfway between two values: put the nearest ones at equal distances from the printed threshold.
    toward_leaf = -1 if row["operator"] == "<" else 1
    side = np.where(in_leaf, toward_leaf, -toward_leaf)
    value = threshold + side * 0.03
    features = rng.exponential(1.0, size=(n, index + 20)).astype(np.float32)
    features[:, index] = value
    order = rng.permutation(n)
    return features[order], failure[order]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"table{row['table']}-{row['class_name']}")
def test_row_comes_out_as_printed(row: dict[str, str]) -> None:
    analysis = explain(*cluster(row), depth=1)
    best = analysis.leaves[0]
    assert f"{analysis.ber:.4f}" == row["ber"]
    assert f"{analysis.aler:.4f}" == row["aler"]
    assert f"{best.error_rate:.4f}" == row["er"]
    assert f"{best.error_coverage:.4f}" == row["ec"]
    assert best.rule == f"feature[{row['feature']}] {row['operator']} {float(row['threshold']):.4f}"
    assert (best.n_images, best.n_failures) == (int(row["leaf_images"]), int(row["leaf_failures"]))


def test_there_are_44_rows() -> None:
    assert len(ROWS) == 44


@pytest.mark.parametrize("row", ROWS[:3], ids=lambda row: row["class_name"])
def test_validity_of_the_best_leaf(row: dict[str, str]) -> None:
    """A leaf is a failure mode exactly when ER > BER + delta and EC > tau: maillot's increase is 0.0972, the others' above 0.1."""
    analysis = explain(*cluster(row), depth=1, delta=0.1, tau=0.2)
    expected = float(row["er"]) > float(row["ber"]) + 0.1 and float(row["ec"]) > 0.2
    assert [mode.rule for mode in analysis.failure_modes] == ([analysis.leaves[0].rule] if expected else [])
    assert expected == (row["class_name"] != "maillot")
