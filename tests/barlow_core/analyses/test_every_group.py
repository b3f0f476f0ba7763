from __future__ import annotations

import dataclasses
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

from barlow_core.analyses import Checks, every_group, explain_run, information_cache, load_analysis, load_result, searched_group
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import explain
from barlow_core.groups import parse
from barlow_core.run import Run


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
from barlow_core.analyses import every_group
from barlow_core.run import Run
real = every_group.analyse_group
def slow(*shard):
    time.sleep(0.3)
    return real(*shard)
every_group.analyse_group = slow
every_group.explain_run(Run(sys.argv[1]), workers=1)
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
    real = every_group.analyse_group
    monkeypatch.setattr(every_group, "analyse_group", lambda *shard: (done.append(shard[1].key), real(*shard))[1])
    explain_run(planted_run, workers=1)
    assert len(done) == 6 - finished
    whole = with_features(Run.create(tmp_path / "whole", planted_benchmark), np.load(planted_folder / "features.npy"))
    explain_run(whole, workers=1)
    for name in ("trees.json", "groups.parquet", "failure_modes.parquet"):
        assert (planted_run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert not (planted_run.path / "explain").exists()


# --- nothing is done again that the changed settings do not change


def test_other_thresholds_only_make_other_tables(explained_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a group was analysed again")

    monkeypatch.setattr(every_group, "analyse_group", fail)
    modes = explain_run(explained_run, workers=1, delta=0.0, tau=0.0)
    assert len(modes) > 1
    assert explained_run.require("explain")["settings"]["delta"] == 0.0


def test_other_trees_reuse_the_information(planted_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    explain_run(planted_run, workers=1)

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("mutual information was worked out again")

    monkeypatch.setattr(information_cache, "mutual_information", fail)
    explain_run(planted_run, workers=1, k=5, depth=2, min_leaf=4)
    smaller = load_analysis(planted_run, "label:truck", depth=2)
    group = parse(planted_run.benchmark, "label:truck")
    features, failure = planted_run.features()[group.indices], planted_run.benchmark.failure[group.indices]
    fresh = explain(features, failure, k=5, depth=2, min_leaf=4)
    assert smaller.tree == fresh.tree
    with pytest.raises(AssertionError, match="worked out again"):
        explain_run(planted_run, workers=1, seed=1)


def test_a_damaged_memory_is_only_slower(planted_run: Run) -> None:
    explain_run(planted_run, workers=1)
    trees = (planted_run.path / "trees.json").read_bytes()
    for file in (planted_run.path / "information").rglob("*.npz"):
        file.write_bytes(b"no zip")
    (planted_run.path / "trees.json").unlink()
    planted_run.forget("explain")
    explain_run(planted_run, workers=1)
    assert (planted_run.path / "trees.json").read_bytes() == trees


def test_memory_of_other_data_is_swept(explained_run: Run, planted_benchmark: Benchmark) -> None:
    (before,) = (explained_run.path / "information").iterdir()
    wrong = planted_benchmark.with_predictions(np.zeros(len(planted_benchmark), dtype=int))
    run = Run.create(explained_run.path, wrong, overwrite=True)
    explain_run(run, workers=1)
    (after,) = (run.path / "information").iterdir()
    assert after != before


# --- checks


def test_held_out_numbers_stand_beside_the_others(explained_run: Run) -> None:
    mode = explained_run.failure_modes().query("group == 'label:truck' and depth == 1").iloc[0]
    assert 0 < mode["held_out_error_rate_low"] < mode["held_out_error_rate"] <= mode["held_out_error_rate_high"] <= 1
    assert mode["held_out_n_images"] <= mode["n_images"] + 4
    assert mode["error_rate_low"] < mode["error_rate"] <= mode["error_rate_high"]
    assert mode["increase_low"] < mode["increase"] <= mode["increase_high"]
    assert mode["held_out_agreement"] > 0.8, "the planted rule is found again without a fifth of the images"
    assert np.isnan(mode["p"])
    group = explained_run.groups().set_index("group").loc["label:truck"]
    assert group["held_out_aler_increase_low_depth_1"] < group["held_out_aler_increase_depth_1"]
    assert group["held_out_aler_increase_depth_1"] > 0.2


def test_luck_and_stability_are_checked_on_request(planted_run: Run) -> None:
    explain_run(planted_run, workers=1, depth=1, checks=Checks(permutations=19, resamples=5, held_out="none"))
    mode = planted_run.failure_modes().query("group == 'label:truck'").iloc[0]
    assert mode["p"] == 1 / 20
    assert mode["q"] >= mode["p"]
    assert mode["stability"] == 1
    assert np.isnan(mode["held_out_error_rate"])
    groups = planted_run.groups().set_index("group")
    assert np.isnan(groups.loc["prediction:truck", "p_depth_1"]), "nothing fails there"
    assert load_result(planted_run, "label:truck").stability.resamples == 5


@pytest.fixture
def split_run(planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path) -> Run:
    split = np.where(np.arange(len(planted_benchmark)) % 4 == 0, "test", "train").astype(object)
    benchmark = dataclasses.replace(planted_benchmark, split=split)
    return with_features(Run.create(tmp_path / "run", benchmark), np.load(planted_folder / "features.npy"))


def test_a_split_is_searched_and_the_rest_measures(split_run: Run) -> None:
    explain_run(split_run, workers=1)
    checks = split_run.require("explain")["settings"]["checks"]
    assert (checks["held_out"], checks["search_split"]) == ("split", "train")
    benchmark, features = split_run.benchmark, split_run.features()
    searched = searched_group(split_run, "label:truck")
    assert len(searched) == 30
    assert set(benchmark.split[searched.indices]) == {"train"}
    mode = split_run.failure_modes().query("group == 'label:truck' and depth == 1").iloc[0]
    assert split_run.groups().set_index("group").loc["label:truck", "n_images"] == 30
    (_, _, threshold), *_ = json.loads(mode["conditions"])
    others = np.setdiff1d(parse(benchmark, "label:truck").indices, searched.indices)
    leaf = others[features[others, PLANTED] <= threshold]
    assert mode["held_out_n_images"] == len(leaf)
    assert mode["held_out_n_failures"] == benchmark.failure[leaf].sum()
    assert np.isnan(mode["held_out_agreement"]), "the rule itself was measured"


def test_splits_that_cannot_be(split_run: Run, planted_run: Run) -> None:
    with pytest.raises(BarlowError, match=r"No image has the Split 'val'. Available: test, train"):
        explain_run(split_run, checks=Checks(search_split="val"))
    with pytest.raises(BarlowError, match="no Split column"):
        explain_run(planted_run, checks=Checks(held_out="split"))
    with pytest.raises(BarlowError, match="folds is 1"):
        Checks(folds=1)
    with pytest.raises(BarlowError, match="held_out is 'maybe'"):
        Checks(held_out="maybe")


def test_one_group_is_found_in_a_file_of_many(explained_run: Run) -> None:
    assert load_result(explained_run, "prediction:dog").to_dict() == explained_run.trees()["prediction:dog"]
    with pytest.raises(BarlowError, match="label:cow is not among the 6 groups"):
        load_result(explained_run, "label:cow")
