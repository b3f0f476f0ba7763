from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from barlow_core.analyses import explain_run, explore, information_cache
from barlow_core.errors import BarlowError
from barlow_core.run import Run


def contents(run: Run) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"}


def test_the_runs_own_settings_give_the_runs_own_numbers(explained_run: Run) -> None:
    before = contents(explained_run)
    table = explore(explained_run, workers=1).set_index("depth")
    assert contents(explained_run) == before, "exploring changes nothing"
    groups, modes = explained_run.groups(), explained_run.failure_modes()
    explicable = groups[groups["reason"].isna()]
    assert list(table.index) == [1, 2, 3]
    for depth, row in table.iterrows():
        found = modes[modes["depth"] == depth]
        assert row["failure_modes"] == len(found)
        assert row["groups_with_modes"] == pytest.approx(found["group"].nunique() / len(explicable))
        for column in ("increase", "error_coverage", "n_images", "held_out_increase"):
            assert row[column] == pytest.approx(found[column].mean(), nan_ok=True)
        increase = explicable[f"aler_depth_{depth}"] - explicable["ber"]
        assert row["aler_increase"] == pytest.approx(increase.mean())
        assert row["held_out_aler_increase"] == pytest.approx(explicable[f"held_out_aler_increase_depth_{depth}"].mean())


def test_every_combination_is_what_explaining_with_it_finds(explained_run: Run) -> None:
    table = explore(explained_run, k=[2, 5], depth=[1], min_leaf=[1, 6], delta=[0.0, 0.3], tau=[0.1], workers=1)
    assert len(table) == 8
    for row in table.to_dict("records"):
        settings = {name: row[name] for name in ("k", "depth", "min_leaf")}
        modes = explain_run(explained_run, workers=1, delta=row["delta"], tau=row["tau"], **settings)
        assert row["failure_modes"] == len(modes)
        assert row["increase"] == pytest.approx(modes["increase"].mean(), nan_ok=True)


def test_no_mutual_information_is_worked_out_again(explained_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> np.ndarray:
        raise AssertionError("mutual information was worked out again")

    monkeypatch.setattr(information_cache, "mutual_information", fail)
    assert len(explore(explained_run, k=[1, 3, 7], depth=[1, 2], workers=1)) == 6


def test_settings_out_of_range(explained_run: Run) -> None:
    with pytest.raises(BarlowError, match=r"delta is 1\.5"):
        explore(explained_run, delta=[0.1, 1.5])
    with pytest.raises(BarlowError, match="depth is 0"):
        explore(explained_run, depth=[0, 1])
    with pytest.raises(BarlowError, match="k is 0"):
        explore(explained_run, k=[0])


def test_a_run_that_is_not_explained(planted_run: Run) -> None:
    with pytest.raises(BarlowError, match="barlow explain"):
        explore(planted_run)
