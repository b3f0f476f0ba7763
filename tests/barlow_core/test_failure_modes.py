from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, PLANTED, with_features

from barlow_core import failure_modes
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import explain, explain_run, load_analysis, select_features
from barlow_core.groups import parse
from barlow_core.run import Run


def planted(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n, 40)).astype(np.float32)
    return features, rng.random(n) < np.where(features[:, 23] < 0.4, 0.7, 0.05)


def test_recovers_a_planted_failure_mode() -> None:
    features, failure = planted()
    analysis = explain(features, failure, depth=1)
    assert analysis.features[0] == 23
    (mode,) = analysis.failure_modes
    (condition,) = mode.conditions
    assert (condition.feature, condition.operator) == (23, "<")
    assert condition.threshold == pytest.approx(0.4, abs=0.02)
    inside = features[:, 23] < condition.threshold
    assert mode.error_rate == failure[inside].mean()
    assert mode.error_coverage == failure[inside].sum() / failure.sum()


def test_default_is_the_papers_and_depth_three() -> None:
    analysis = explain(*planted())
    assert (analysis.settings.k, analysis.settings.depth, analysis.settings.delta, analysis.settings.tau) == (20, 3, 0.1, 0.2)
    assert len(analysis.features) == 20
    assert 3 <= len(analysis.leaves) <= 8
    assert [leaf.importance_value for leaf in analysis.leaves] == sorted(
        (leaf.importance_value for leaf in analysis.leaves), reverse=True
    )


def test_delta_and_tau_are_strict() -> None:
    """BER 0.4; the leaf below has ER 0.6 and EC 0.75: increase exactly 0.2, so delta = 0.2 leaves it out, and tau = 0.75 too."""
    features = np.repeat([0.0, 1.0], 50)[:, None]
    failure = np.concatenate([np.arange(50) < 30, np.arange(50) < 10])
    base = {"depth": 1, "k": 1}
    assert [mode.n_failures for mode in explain(features, failure, delta=0.19, tau=0.74, **base).failure_modes] == [30]
    assert explain(features, failure, delta=0.19, tau=0.75, **base).failure_modes == []
    assert explain(features, failure, delta=0.21, tau=0.2, **base).failure_modes == []


def test_order_of_images_does_not_matter_to_the_leaves() -> None:
    """With one feature there is no estimator noise in the selection, so shuffling must give the same tree."""
    features, failure = planted()
    order = np.random.default_rng(1).permutation(len(failure))
    straight = explain(features[:, [23]], failure, k=1)
    shuffled = explain(features[order][:, [23]], failure[order], k=1)
    assert straight.tree == shuffled.tree


@pytest.mark.parametrize(
    ("features", "failure", "reason"),
    [
        (np.zeros((0, 3)), np.zeros(0, bool), "no images"),
        (np.random.default_rng(0).random((5, 3)), np.zeros(5, bool), "never fails"),
        (np.random.default_rng(0).random((5, 3)), np.ones(5, bool), "always fails"),
        (np.ones((1, 3)), np.ones(1, bool), "always fails"),
        (np.ones((6, 3)), np.arange(6) < 2, "no feature varies"),
    ],
)
def test_nothing_to_explain_has_a_reason(features: np.ndarray, failure: np.ndarray, reason: str) -> None:
    analysis = explain(features, failure)
    assert reason in str(analysis.reason)
    assert analysis.failure_modes == []
    assert len(analysis.leaves) == 1
    assert analysis.aler == analysis.ber == (failure.mean() if len(failure) else 0)
    assert reason in repr(analysis)


def test_two_images_are_enough() -> None:
    analysis = explain(np.array([[0.0], [1.0]]), np.array([True, False]))
    assert [str(mode.conditions[0]) for mode in analysis.failure_modes] == ["feature[0] < 0.5000"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"k": 0}, "k is 0"), ({"depth": 0}, "depth is 0"), ({"delta": 1.5}, "delta is 1.5"), ({"estimator": "x"}, "knn")],
)
def test_settings_out_of_range(settings: dict, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        explain(np.zeros((2, 1)), np.array([True, False]), **settings)


def test_equal_information_is_ordered_by_index() -> None:
    assert select_features(np.array([0.1, 0.3, 0.1, 0.3]), 3).tolist() == [1, 3, 0]


def test_repr_is_readable() -> None:
    text = repr(explain(*planted(), depth=1))
    assert text.startswith("FailureAnalysis: ")
    assert "feature[23] < " in text
    assert "over BER" in text


# --- all groups of a run


def test_run_finds_the_planted_mode_in_both_groupings(explained_run: Run) -> None:
    modes = explained_run.failure_modes()
    found = modes[(modes["depth"] == 1) & (modes["group"] == "label:truck")].iloc[0]
    assert found["feature"] == PLANTED
    assert json.loads(found["conditions"])[0][:2] == [PLANTED, "<"]
    benchmark, features = explained_run.benchmark, explained_run.features()
    group = parse(benchmark, "label:truck")
    (_, _, threshold), *_ = json.loads(found["conditions"])
    leaf = features[group.indices, PLANTED] <= threshold
    assert found["n_images"] == leaf.sum()
    assert found["n_failures"] == benchmark.failure[group.indices][leaf].sum()
    assert found["error_rate"] == pytest.approx(found["n_failures"] / found["n_images"])
    assert found["increase"] == pytest.approx(found["error_rate"] - found["ber"])
    assert set(modes["grouping"]) <= {"label", "prediction"}


def test_groups_table(explained_run: Run) -> None:
    groups = explained_run.groups().set_index("group")
    assert list(groups.index) == [f"{grouping}:{name}" for grouping in ("label", "prediction") for name in CLASSES]
    assert groups.loc["label:cat", "n_images"] == 40
    assert groups.loc["label:cat", "ber"] == 1 / 40
    assert (groups["aler_depth_1"] <= groups["aler_depth_3"] + 1e-12).all()
    assert "never fails" in groups.loc["prediction:truck", "reason"]


def test_one_process_and_two_give_the_same_bytes(planted_benchmark, planted_folder: Path, tmp_path: Path) -> None:
    features = np.load(planted_folder / "features.npy")
    contents = []
    for workers in (1, 2):
        run = with_features(Run.create(tmp_path / str(workers), planted_benchmark), features)
        explain_run(run, workers=workers, groupings=["label", "prediction", "union", "pair"])
        contents.append([(run.path / name).read_bytes() for name in ("trees.json", "groups.parquet", "failure_modes.parquet")])
    assert contents[0] == contents[1]


def test_nothing_is_done_twice_and_settings_are(explained_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (explained_run.path / "trees.json").stat().st_mtime_ns
    explain_run(explained_run, workers=1)
    assert (explained_run.path / "trees.json").stat().st_mtime_ns == before
    explain_run(explained_run, workers=1, delta=0.05)
    assert explained_run.recorded("explain")["settings"]["delta"] == 0.05


def test_extra_groups(planted_run: Run) -> None:
    explain_run(planted_run, groupings=["label"], keys=["pair:cat+truck", "label:cat"], workers=1)
    assert list(planted_run.groups()["group"]) == ["label:cat", "label:dog", "label:truck", "pair:cat+truck"]


def test_load_analysis_is_what_explain_gives(explained_run: Run) -> None:
    group = parse(explained_run.benchmark, "label:truck")
    fresh = explain(explained_run.features()[group.indices], explained_run.benchmark.failure[group.indices], depth=2)
    stored = load_analysis(explained_run, "label:truck", depth=2)
    assert stored.tree == fresh.tree
    assert stored.features.tolist() == fresh.features.tolist()
    assert repr(stored) == repr(fresh)
    with pytest.raises(BarlowError, match="label:cow is not among"):
        load_analysis(explained_run, "label:cow")
    with pytest.raises(BarlowError, match="no tree of depth 9"):
        load_analysis(explained_run, "label:cat", depth=9)


def test_no_failure_mode_gives_a_typed_empty_table(make_explained: Callable[..., Run]) -> None:
    modes = make_explained(delta=1.0).failure_modes()
    assert len(modes) == 0
    assert modes["error_rate"].dtype == np.float64
    assert isinstance(modes, pd.DataFrame)


def test_needs_predictions_and_features(planted_benchmark, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="barlow extract"):
        explain_run(Run.create(tmp_path / "run", planted_benchmark))


SCRIPT = """
import sys, time
from barlow_core import failure_modes
from barlow_core.run import Run
real = failure_modes._explain_group
def slow(*shard):
    time.sleep(0.3)
    return real(*shard)
failure_modes._explain_group = slow
failure_modes.explain_run(Run(sys.argv[1]), workers=1)
"""


def test_killed_run_resumes_by_group(
    planted_run: Run,
    planted_benchmark,
    planted_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(planted_run.path)])
    deadline = time.monotonic() + 60
    while len(list(planted_run.path.glob("explain/*/[!.]*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = len(list(planted_run.path.glob("explain/*/[!.]*.json")))
    assert 2 <= finished < 6
    done: list[str] = []
    real = failure_modes._explain_group
    monkeypatch.setattr(failure_modes, "_explain_group", lambda *shard: (done.append(shard[1].key), real(*shard))[1])
    explain_run(planted_run, workers=1)
    assert len(done) == 6 - finished
    whole = with_features(Run.create(tmp_path / "whole", planted_benchmark), np.load(planted_folder / "features.npy"))
    explain_run(whole, workers=1)
    for name in ("trees.json", "groups.parquet", "failure_modes.parquet"):
        assert (planted_run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert not (planted_run.path / "explain").exists()
