"""All 44 rows of the paper's Tables 2-5, each rebuilt from its counts and sent through the real method."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from barlow_core.failure_modes import explain

ROWS = list(csv.DictReader((Path(__file__).parent / "paper_failure_modes.csv").open(encoding="utf-8")))


DISTRACTORS = 23


def cluster(row: dict[str, str], position: int) -> tuple[np.ndarray, np.ndarray]:
    """A group in which one feature separates exactly the row's counts at its threshold, among distractors.

    The k-NN estimate of mutual information has a standard error of about 0.01 nats with 1300 images, as much as some of the
    rows hold, so that among thousands of distractors some would rightly be preferred; among 23 the row's is in the top 20.
    """
    n, failures = int(row["n_images"]), int(row["n_failures"])
    leaf_n, leaf_failures = int(row["leaf_images"]), int(row["leaf_failures"])
    rng = np.random.default_rng(int(row["feature"]))
    failure = np.zeros(n, dtype=bool)
    failure[:leaf_failures] = True
    failure[leaf_n : leaf_n + failures - leaf_failures] = True
    side = np.where(np.arange(n) < leaf_n, 1, -1) * (-1 if row["operator"] == "<" else 1)
    features = rng.exponential(1.0, size=(n, DISTRACTORS + 1)).astype(np.float32)
    # A tree splits halfway between two values: put them at equal distances from the printed threshold.
    features[:, position] = float(row["threshold"]) + side * 0.03
    order = rng.permutation(n)
    return features[order], failure[order]


@pytest.mark.parametrize("estimator", ["knn", "binned"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"table{row['table']}-{row['class_name']}")
def test_row_comes_out_as_printed(row: dict[str, str], estimator: str) -> None:
    position = int(row["feature"]) % (DISTRACTORS + 1)
    analysis = explain(*cluster(row, position), depth=1, estimator=estimator)
    best = analysis.leaves[0]
    assert f"{analysis.ber:.4f}" == row["ber"]
    # Two of the 44 (polaroid camera 0.23845, rhodesian ridgeback 0.23364) were rounded from rounded factors in the paper.
    assert analysis.aler == pytest.approx(float(row["aler"]), abs=6e-5)
    assert f"{best.error_rate:.4f}" == row["er"]
    assert f"{best.error_coverage:.4f}" == row["ec"]
    assert best.rule == f"feature[{position}] {row['operator']} {float(row['threshold']):.4f}"
    assert (best.n_images, best.n_failures) == (int(row["leaf_images"]), int(row["leaf_failures"]))
    # Algorithm 1: the leaf is a failure mode exactly when ER > BER + delta and EC > tau.
    valid = float(row["er"]) > float(row["ber"]) + 0.1 and float(row["ec"]) > 0.2
    assert bool(analysis.failure_modes) == valid


def test_at_full_width_the_feature_keeps_its_index() -> None:
    """Hog (Table 2), with 2048 columns of which all but the row's and the distractors are silent."""
    (row,) = [row for row in ROWS if row["class_name"] == "hog"]
    narrow, failure = cluster(row, 0)
    features = np.zeros((len(failure), 2048), dtype=np.float32)
    features[:, [1611, *range(DISTRACTORS)]] = narrow
    assert explain(features, failure, depth=1).leaves[0].rule == "feature[1611] < 0.0578"


def test_there_are_44_rows() -> None:
    assert len(ROWS) == 44


def test_only_maillot_is_no_valid_leaf() -> None:
    """The paper shows maillot although its increase is 0.0972: pinned down, so that the rule above is known to bite."""
    invalid = [row["class_name"] for row in ROWS if float(row["er"]) <= float(row["ber"]) + 0.1]
    assert invalid == ["maillot"]
