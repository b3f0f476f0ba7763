from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from barlow_core.analyses import Checks, ExplainRecord, GroupResult, explain_run, group_information, load_results, searched_group
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import Settings
from barlow_core.information import mutual_information
from barlow_core.run import Run


@pytest.fixture(params=["cross-fit", "none"])
def checked_run(request: pytest.FixtureRequest, make_explained: Callable[..., Run]) -> Run:
    return make_explained(checks=Checks(held_out=request.param, permutations=9, resamples=3), depth=2)


def test_a_result_read_and_written_again_is_the_very_same_json(checked_run: Run) -> None:
    plain = json.loads((checked_run.path / "trees.json").read_text(encoding="utf-8"))["groups"]
    assert len(plain) == 6
    for key, stored in plain.items():
        result = GroupResult.from_dict(stored)
        assert result.to_dict() == stored
        assert json.dumps(result.to_dict()) == json.dumps(stored), "in the same order"
        assert GroupResult.from_dict(result.to_dict()) == result == load_results(checked_run)[key]


def test_a_result_finds_what_belongs_to_a_depth(checked_run: Run) -> None:
    result = load_results(checked_run)["label:truck"]
    held_out = checked_run.recorded("explain")["settings"]["checks"]["held_out"]  # type: ignore[index]
    for depth, tree in result.trees.items():
        measured, test = result.held_out_tree(depth), result.permutation_test(depth)
        numbers = [leaf.number for leaf in tree.leaves]
        assert (measured is not None) == (held_out == "cross-fit")
        if measured is not None:
            assert [leaf.leaf for leaf in measured.leaves] == numbers
            assert measured.leaf(numbers[0]) is measured.leaves[0]
            assert measured.leaf(999) is None
        assert test is not None
        assert test.depth == depth
        assert list(result.leaf_stability(depth)) == numbers
        analysis = result.analysis(Settings(depth=depth))
        assert (analysis.tree, analysis.n_images, analysis.ber) == (tree, result.n_images, result.ber)
    assert result.held_out_tree(3) is None
    assert result.permutation_test(3) is None
    assert result.leaf_stability(3) == {}
    with pytest.raises(KeyError):
        result.analysis(Settings(depth=3))


def test_the_record_is_what_the_search_was_asked_for(planted_run: Run) -> None:
    with pytest.raises(BarlowError, match="nothing from `barlow explain` yet"):
        ExplainRecord.of(planted_run)
    checks = Checks(held_out="cross-fit", folds=3)
    settings = Settings(depth=1, delta=0.05, min_leaf=2)
    explain_run(planted_run, workers=1, groupings=("label",), keys=("pair:cat+dog",), checks=checks, **asdict(settings))
    record = ExplainRecord.of(Run(planted_run.path))
    assert (record.settings, record.checks) == (settings, checks)
    assert (record.groupings, record.keys) == (("label",), ("pair:cat+dog",))
    stored = planted_run.require("explain")
    assert record.key == stored["key"]
    assert record.to_dict() == stored["settings"]


def test_a_result_without_an_entry_is_damaged(explained_run: Run) -> None:
    path = explained_run.path / "trees.json"
    plain = json.loads(path.read_text(encoding="utf-8"))
    del plain["groups"]["label:truck"]["held_out"]
    path.write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(BarlowError, match=r"trees.json is missing or damaged .*held_out.*barlow explain"):
        load_results(explained_run)


@pytest.mark.parametrize("forgotten", [False, True])
def test_information_of_a_group_is_that_of_all_its_features(explained_run: Run, forgotten: bool) -> None:
    if forgotten:
        for path in (explained_run.path / "information").rglob("*.npz"):
            path.unlink()
    indices = searched_group(explained_run, "label:truck").indices
    expected = mutual_information(
        explained_run.features()[indices], explained_run.benchmark.failure[indices], estimator="binned", seed=0
    )
    assert group_information(explained_run, "label:truck").tolist() == expected.tolist()
    selected = load_results(explained_run)["label:truck"].features
    assert all(expected[feature] == information for feature, information in selected)
    assert not forgotten or not list((explained_run.path / "information").rglob("*.npz")), "nothing is written"
