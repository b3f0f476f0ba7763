from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import with_features

from barlow_core import views
from barlow_core.analyses import explain_run, load_analysis
from barlow_core.analyses.checks import Checks
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import explain
from barlow_core.run import Run
from barlow_core.views import what_if


def test_the_run_s_own_settings_give_the_run_s_own_tree(explained_run: Run) -> None:
    for depth in (1, 2, 3):
        stored = load_analysis(explained_run, "label:truck", depth=depth)
        evaluation = views.re_evaluate(explained_run, "label:truck", depth=depth)
        assert evaluation.analysis.tree == stored.tree
        assert evaluation.analysis.settings == stored.settings
        assert not evaluation.refitted
    assert views.re_evaluate(explained_run, "label:truck").analysis.settings.depth == 3


def test_delta_and_tau_choose_other_leaves_of_the_same_tree(explained_run: Run) -> None:
    strict = views.re_evaluate(explained_run, "label:truck", depth=1, tau=1.0)
    assert strict.analysis.failure_modes == []
    loose = views.re_evaluate(explained_run, "label:cat", depth=2, delta=0.0, tau=0.0)
    assert loose.analysis.failure_modes
    assert loose.analysis.tree == load_analysis(explained_run, "label:cat", depth=2).tree
    assert not loose.refitted


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("settings", [{"min_leaf": 10}, {"k": 2}, {"depth": 4}])
def test_other_settings_give_what_a_new_search_finds(
    explained_run: Run, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int], whole: bool
) -> None:
    """The outside oracle: `explain` on the features of the group, from scratch."""
    if not whole:
        monkeypatch.setattr(what_if, "WHOLE_GROUP", 0)
    benchmark = explained_run.benchmark
    trucks = benchmark.labels == 2
    expected = explain(explained_run.features()[trucks], benchmark.failure[trucks], **{"depth": 3} | settings)  # type: ignore[arg-type]
    evaluation = views.re_evaluate(explained_run, "label:truck", **settings)  # type: ignore[arg-type]
    assert evaluation.refitted
    assert evaluation.analysis.tree == expected.tree
    assert evaluation.analysis.failure_modes == expected.failure_modes
    assert (evaluation.held_out is not None) == whole
    assert ("no held-out numbers" in evaluation.words) == (not whole)


def test_nothing_is_written(explained_run: Run) -> None:
    before = {path: path.read_bytes() for path in explained_run.path.rglob("*") if path.is_file()}
    views.re_evaluate(explained_run, "label:truck", depth=3, min_leaf=10)
    assert {path: path.read_bytes() for path in explained_run.path.rglob("*") if path.is_file()} == before


def test_held_out_numbers_of_a_refitted_tree_are_those_of_a_new_run(
    explained_run: Run, make_explained: Callable[..., Run]
) -> None:
    evaluation = views.re_evaluate(explained_run, "label:truck", depth=2, min_leaf=8)
    again = make_explained(depth=2, min_leaf=8)
    stored = views.re_evaluate(again, "label:truck", depth=2)
    assert not stored.refitted
    assert evaluation.held_out == stored.held_out
    by_verdict = ["verdict", "rank"]  # which a tree that was fitted just now does not have
    assert (
        views.node_rates(again, "label:truck", stored)
        .drop(columns=by_verdict)
        .equals(views.node_rates(again, "label:truck", evaluation).drop(columns=by_verdict))
    )


def test_a_group_that_cannot_be_explained_stays_so(ten: Run) -> None:
    explain_run(ten, depth=2, workers=1)
    evaluation = views.re_evaluate(ten, "label:truck", depth=3, min_leaf=5)
    assert evaluation.analysis.reason == "the classifier never fails here"
    assert len(views.node_rates(ten, "label:truck", evaluation)) == 1


@pytest.mark.parametrize("settings", [{"delta": 1.5}, {"tau": -0.1}, {"min_leaf": 0}, {"depth": 0}])
def test_settings_out_of_range_are_refused(explained_run: Run, settings: dict[str, float]) -> None:
    with pytest.raises(BarlowError, match=f"{next(iter(settings))} is"):
        views.re_evaluate(explained_run, "label:truck", **settings)  # type: ignore[arg-type]


def test_nodes_are_listed_as_they_hang_together(explained_run: Run) -> None:
    evaluation = views.re_evaluate(explained_run, "label:truck", depth=3)
    table = views.node_rates(explained_run, "label:truck", evaluation)
    tree = evaluation.analysis.tree
    assert table["node"].tolist() == [node.number for node in tree.root]
    root, *others = table.to_dict("records")
    assert (root["level"], root["side"], root["rule"], root["error_coverage"]) == (0, "", "any image", 1.0)
    for row in others:
        parent = tree.node(int(row["parent"]))
        child = parent.below if row["side"] == "below" else parent.above
        assert child is not None
        assert child.number == row["node"]
        assert row["level"] == table.set_index("node").loc[parent.number, "level"] + 1
        assert row["error_rate_low"] <= row["error_rate"] <= row["error_rate_high"]
    assert set(table["node"][table["rank"].notna()]) == {mode.number for mode in evaluation.analysis.failure_modes}


def test_failure_modes_rank_by_evidence_and_without_verdicts_by_iv(make_explained: Callable[..., Run]) -> None:
    run = make_explained(delta=0.0, tau=0.0)

    def in_order(**settings: float) -> list[int]:
        evaluation = views.re_evaluate(run, "prediction:cat", depth=2, **settings)  # type: ignore[arg-type]
        assert [mode.number for mode in evaluation.analysis.failure_modes] == [2, 3], "by importance value"
        table = views.node_rates(run, "prediction:cat", evaluation)
        return list(table[table["rank"].notna()].sort_values("rank")["node"])

    assert in_order() == [3, 2], "3 is confirmed, 2 is not"
    assert in_order(tau=0.01) == [3, 2], "the same leaves of the same tree"
    assert in_order(k=11) == [2, 3], "fitted now, so nothing is known of either"


def test_cross_fitted_numbers_are_those_of_the_table(explained_run: Run) -> None:
    table = views.node_rates(explained_run, "label:truck", views.re_evaluate(explained_run, "label:truck", depth=1)).set_index(
        "node"
    )
    mode = views.failure_mode(explained_run, "label:truck", depth=1, leaf=1)
    for column in ("n_images", "error_rate", "error_rate_low", "error_coverage", "increase", "increase_high", "agreement"):
        assert table.loc[1, f"held_out_{column}"] == mode[f"held_out_{column}"]
    assert np.isnan(table.loc[0, "held_out_n_images"]), "cross-fitting measures leaves only"


def test_with_a_split_every_node_is_counted_on_the_other_images(
    planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    split = np.where(np.arange(120) % 3 == 0, "test", "search").astype(object)
    benchmark = replace(planted_benchmark, split=split)
    features = np.load(planted_folder / "features.npy")
    run = with_features(Run.create(tmp_path / "run", benchmark), features)
    explain_run(run, depth=2, checks=Checks(held_out="split"), workers=1)
    table = views.node_rates(run, "label:truck", views.re_evaluate(run, "label:truck", depth=2)).set_index("node")
    others = np.flatnonzero((benchmark.labels == 2) & (split == "test"))
    for node in load_analysis(run, "label:truck", depth=2).tree.root:
        holds = node.contains(features[others])
        assert table.loc[node.number, "held_out_n_images"] == holds.sum()
        assert table.loc[node.number, "held_out_n_failures"] == benchmark.failure[others][holds].sum()
    stored = views.failure_mode(run, "label:truck", depth=2, leaf=int(table["rank"].idxmin()))
    for column in ("n_images", "n_failures", "error_rate", "error_rate_high", "error_coverage", "increase", "increase_low"):
        assert table.loc[stored["leaf"], f"held_out_{column}"] == pytest.approx(stored[f"held_out_{column}"])
    refitted = views.re_evaluate(run, "label:truck", depth=1, min_leaf=9)
    assert views.node_rates(run, "label:truck", refitted)["held_out_n_images"].iloc[0] == len(others)
