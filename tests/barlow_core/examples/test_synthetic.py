from __future__ import annotations

import json
import resource
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from barlow_core.analyses import explain_run
from barlow_core.errors import BarlowError
from barlow_core.examples import synthetic
from barlow_core.groups import parse
from barlow_core.run import Run


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, pd.DataFrame]:
    """Six classes with one mode each, of which three also show among the predictions."""
    return synthetic.make(tmp_path_factory.mktemp("synthetic") / "run", classes=6, images_per_class=500, n_features=32, seed=0)


def test_is_a_run_that_can_be_explained_and_nothing_else(planted: tuple[Run, pd.DataFrame]) -> None:
    run, _ = planted
    again = Run(run.path)
    assert again.status().set_index("stage")["state"].to_dict() == {
        "extract": "done",
        "explain": "missing",
        "search": "missing",
        "visualize": "missing",
    }
    assert (again.features().shape, again.features().dtype) == ((3000, 32), np.float32)
    assert again.benchmark.labels.tolist() == sorted(again.benchmark.labels)
    assert not any(path.exists() for path in again.benchmark.paths)
    with pytest.raises(BarlowError, match="handed over in Python"):
        again.extractor()


def test_features_look_like_those_of_a_robust_network(planted: tuple[Run, pd.DataFrame]) -> None:
    """Non-negative, zero for many images, heavier in the tail than an exponential, and different from class to class."""
    run, _ = planted
    features = run.features()
    assert features.min() == 0
    assert 0.3 < (features == 0).mean() < 0.8
    positive = np.concatenate([column[column > 0] / column[column > 0].mean() for column in features.T])
    assert (positive**2).mean() > 2.5  # 2 for an exponential
    means = np.stack([features[run.benchmark.labels == c].mean(axis=0) for c in range(6)])
    assert (means.max(axis=0) > 2 * means.min(axis=0)).sum() >= 6


def test_the_truth_is_what_the_files_say(planted: tuple[Run, pd.DataFrame]) -> None:
    run, truth = planted
    benchmark, features = run.benchmark, run.features()
    assert len(truth) == 6 + 3
    for row in truth.itertuples():
        indices = parse(benchmark, str(row.group)).indices
        values, failed = features[indices, row.feature], benchmark.failure[indices]
        inside = values > np.float32(row.threshold) if row.operator == ">" else values <= np.float32(row.threshold)
        assert (row.n_images, row.n_failures) == (len(indices), failed.sum())
        assert (row.n_inside, row.n_failures_inside) == (inside.sum(), failed[inside].sum())
        assert row.error_rate == failed[inside].mean()
        assert row.error_rate_outside == failed[~inside].mean()


def test_rates_and_shares_are_those_asked_for(tmp_path: Path) -> None:
    _, truth = synthetic.make(
        tmp_path / "run", classes=4, images_per_class=20_000, n_features=8, share=0.15, error_rate=0.7, base_error_rate=0.1
    )
    of_labels = truth[truth["group"].str.startswith("label:")]
    assert len(of_labels) == 4
    assert (of_labels["n_inside"] / 20_000).to_numpy() == pytest.approx(0.15, abs=0.01)  # 4 standard errors
    assert of_labels["error_rate"].to_numpy() == pytest.approx(0.7, abs=0.035)
    assert of_labels["error_rate_outside"].to_numpy() == pytest.approx(0.1, abs=0.01)


def test_explaining_finds_every_planted_rule(planted: tuple[Run, pd.DataFrame]) -> None:
    run, truth = planted
    found = explain_run(run, depth=1, workers=1)
    assert {str(operator) for operator in truth["operator"]} == {"<", ">"}
    for row in truth.itertuples():
        mode = found[found["group"] == row.group].iloc[0]
        assert mode["feature"] == row.feature, row.group
        (_, operator, threshold), *others = json.loads(mode["conditions"])
        assert (operator, others) == (row.operator, [])
        # As near as the images allow: at most one in twenty of the group lies between the planted threshold and the one found.
        values = run.features()[parse(run.benchmark, str(row.group)).indices, row.feature]
        assert np.mean((values > min(threshold, row.threshold)) & (values <= max(threshold, row.threshold))) < 0.05
        assert mode["error_rate"] == pytest.approx(row.error_rate, abs=0.1)


def test_several_modes_of_a_class_are_leaves_of_one_tree(tmp_path: Path) -> None:
    run, truth = synthetic.make(
        tmp_path / "run", classes=3, images_per_class=1500, n_features=24, modes_per_class=2, base_error_rate=0.0, seed=3
    )
    assert truth["group"].value_counts().filter(like="label:").tolist() == [2, 2, 2]
    found = explain_run(run, depth=2, groupings=["label"], workers=1)
    for key, rules in truth[truth["group"].str.startswith("label:")].groupby("group"):
        used = {
            feature for features in found[(found["group"] == key) & (found["depth"] == 2)]["features"] for feature in features
        }
        assert set(rules["feature"]) <= used


def test_the_same_seed_gives_the_same_bytes_whatever_the_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {"classes": 3, "images_per_class": 50, "n_features": 16, "modes_per_class": 2}
    run, truth = synthetic.make(tmp_path / "one", **asked)
    monkeypatch.setattr(synthetic, "BLOCK_BYTES", 7 * 16 * 4)
    blocks, truth_of_blocks = synthetic.make(tmp_path / "two", **asked)
    other, _ = synthetic.make(tmp_path / "three", **asked, seed=1)
    assert run.features_path.read_bytes() == blocks.features_path.read_bytes() != other.features_path.read_bytes()
    assert np.array_equal(run.benchmark.predictions, blocks.benchmark.predictions)
    pd.testing.assert_frame_equal(truth, truth_of_blocks)
    assert run.require("extract")["key"] == blocks.require("extract")["key"] != other.require("extract")["key"]
    assert run.info["arguments"]["synthetic"]["seed"] == 0


def test_half_precision_is_the_rounded_single_precision(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"classes": 2, "images_per_class": 100, "n_features": 16}
    single, _ = synthetic.make(tmp_path / "single", **asked)
    half, _ = synthetic.make(tmp_path / "half", **asked, dtype="float16")
    assert half.features().dtype == np.float16
    assert np.array_equal(half.features(), single.features().astype(np.float16))


def test_features_are_never_in_memory_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "BLOCK_BYTES", 1 << 20)
    tracemalloc.start()
    run, _ = synthetic.make(tmp_path / "run", classes=8, images_per_class=500, n_features=1024)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert run.features_path.stat().st_size > 15 << 20
    assert peak < 8 << 20


def test_a_name_for_each_image_and_no_mode_at_all(tmp_path: Path) -> None:
    run, truth = synthetic.make(tmp_path / "run", modes_per_class=0, base_error_rate=0.3)
    assert truth.empty
    assert list(truth.columns) == synthetic.TRUTH
    assert len(set(run.benchmark.names)) == len(set(run.benchmark.digests)) == 1000
    assert 0.2 < run.benchmark.failure.mean() < 0.4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "classes is 1. Expected at least 2"),
        ({"n_features": 11, "modes_per_class": 3}, "n_features is 11. Expected at least 12"),
        ({"share": 0.5}, "share is 0.5. Expected a number from 0.1 to 0.35"),
        ({"error_rate": 1.5}, "error_rate is 1.5"),
        ({"dtype": "float64"}, "Expected float32 or float16"),
    ],
)
def test_what_cannot_be_made_is_refused(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match=message):
        synthetic.make(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(BarlowError, match="not a run folder"):
        synthetic.make(tmp_path)


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(BarlowError, match=r"features\.npy cannot be written \(File too large\); it takes 256,000 bytes"):
            synthetic.make(tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "run" / "features.npy").exists()
