from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import with_features

from barlow_core.analyses import Checks, explain_run, load_analysis
from barlow_core.benchmark import Benchmark
from barlow_core.compare import VERDICTS, compare
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import failure_modes
from barlow_core.run import Run
from barlow_core.statistics import difference_interval, paired_difference_interval

# Twelve cats with the values 0 to 11 in feature 0, eight dogs with 100 to 107. One feature, so trees of depth 1 are easy to foresee.
VALUES = np.r_[np.arange(12), 100 + np.arange(8)].astype(np.float32)[:, None]
CAT, DOG = np.arange(12), np.arange(12, 20)

MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A finished run whose model takes the images `wrong` for the other class."""
    number = itertools.count()

    def make(
        wrong: Sequence[int],
        *,
        features: np.ndarray = VALUES,
        labels: Sequence[int] | None = None,
        class_names: Sequence[str] = ("cat", "dog"),
        images: str = "image",
        fingerprint: str = "planted",
        order: np.ndarray | None = None,
        split: Sequence[str] | None = None,
        checks: Checks | None = None,
        **settings: object,
    ) -> Run:
        n = len(features)
        label = np.array(labels if labels is not None else (VALUES[:, 0] >= 100).astype(int))
        prediction = label.copy()
        prediction[list(wrong)] = 1 - label[list(wrong)]
        names = [f"{images}{i:04d}" for i in range(n)]
        table = pd.DataFrame({"path": names, "label": label, "prediction": prediction, "digest": names})
        if split is not None:
            table["split"] = split
        order = np.arange(n) if order is None else order
        benchmark = Benchmark.from_table(tmp_path, table.iloc[order], class_names)
        run = with_features(Run.create(tmp_path / f"run{next(number)}", benchmark), features[order])
        run.info["stages"]["extract"]["extractor"]["fingerprint"] = fingerprint
        explain_run(run, workers=1, checks=checks or Checks(held_out="none"), **{"depth": 1} | settings)
        return run

    return make


def mode(table: pd.DataFrame, group: str, found_in: str) -> pd.Series:
    found = table[(table["group"] == group) & (table["found_in"] == found_in)]
    assert len(found) == 1
    return found.iloc[0]


# --- two models on the same images, worked by hand


def test_a_rule_is_counted_with_the_failures_of_both_models(make_run: MakeRun) -> None:
    first, second = make_run([0, 1, 2, 3]), make_run([0, 1, 6])
    comparison = compare(first, second)
    assert (comparison.same_images, comparison.same_failures, comparison.same_extractor) == (True, False, True)
    assert (comparison.names, comparison.depth, comparison.delta, comparison.tau) == (("run0", "run1"), 1, 0.1, 0.2)

    # The first run's rule is feature[0] < 3.5: four cats, of which the second model gets two right.
    row = mode(comparison.failure_modes, "label:cat", "first")
    assert json.loads(row["conditions"]) == [[0, "<", 3.5]]
    assert row["n_images_first"] == row["n_images_second"] == 4
    assert (row["n_failures_first"], row["n_failures_second"]) == (4, 2)
    assert (row["error_rate_first"], row["error_rate_second"]) == (1.0, 0.5)
    assert (row["error_coverage_first"], row["error_coverage_second"]) == (1.0, 2 / 3)
    assert (row["ber_first"], row["ber_second"]) == (4 / 12, 3 / 12)
    assert (row["increase_first"], row["increase_second"]) == (1 - 4 / 12, 0.5 - 3 / 12)
    assert row["passes_first"]
    assert row["passes_second"]
    assert row["difference"] == -0.5
    low, high = paired_difference_interval(2, 0, 2, 0)  # both wrong, only the second, only the first, neither
    assert (row["difference_low"], row["difference_high"], row["interval"]) == (low, high, "paired")
    assert row["verdict"] == ("better" if high < 0 else "unchanged")
    # In a label group, the images that the rule holds are the same in both runs.
    assert (row["same_images_error_rate_first"], row["same_images_error_rate_second"]) == (1.0, 0.5)
    assert (row["same_images_difference_low"], row["same_images_difference_high"]) == (low, high)

    # The second run's rule is feature[0] < 1.5: two cats that both models get wrong.
    row = mode(comparison.failure_modes, "label:cat", "second")
    assert json.loads(row["conditions"]) == [[0, "<", 1.5]]
    assert (row["n_failures_first"], row["n_failures_second"], row["difference"]) == (2, 2, 0)
    assert (row["verdict"], row["certain"]) == ("unchanged", False)
    assert (row["overlap"], row["match_rule"], row["match_error_rate"]) == (0.5, "feature[0] < 3.5000", 1.0)


def test_a_prediction_group_is_each_models_own_and_the_same_images_are_told_apart(make_run: MakeRun) -> None:
    comparison = compare(make_run([0, 1, 2, 3]), make_run([0, 1, 6]))
    # What the first model calls a dog: cats 0 to 3 and all dogs; its rule is feature[0] < 51.5. The second: cats 0, 1 and 6.
    row = mode(comparison.failure_modes, "prediction:dog", "first")
    assert json.loads(row["conditions"]) == [[0, "<", 51.5]]
    assert (row["n_images_first"], row["n_failures_first"]) == (4, 4)
    assert (row["n_images_second"], row["n_failures_second"]) == (3, 3)
    assert (row["ber_first"], row["ber_second"]) == (4 / 12, 3 / 11)
    assert (row["interval"], row["difference"]) == ("independent", 0)
    assert (row["difference_low"], row["difference_high"]) == tuple(difference_interval(3, 3, 4, 4))
    assert row["verdict"] == "unchanged", "the second model has the same failure mode, on other images"
    # But of the four cats that the first model took for dogs, the second model gets two right.
    assert (row["same_images_error_rate_first"], row["same_images_error_rate_second"]) == (1.0, 0.5)
    assert row["same_images_difference_high"] == paired_difference_interval(2, 0, 2, 0).high


def test_new_and_gone(make_run: MakeRun) -> None:
    comparison = compare(make_run([0, 1, 2, 3]), make_run([8, 9, 10, 11]))
    gone = mode(comparison.failure_modes, "label:cat", "first")
    assert (gone["verdict"], gone["passes_first"], gone["passes_second"], gone["error_rate_second"]) == ("gone", True, False, 0)
    assert gone["overlap"] == 0
    assert pd.isna(gone["match_rule"])
    new = mode(comparison.failure_modes, "label:cat", "second")
    assert (new["verdict"], new["passes_first"], new["passes_second"], new["error_rate_first"]) == ("new", False, True, 0)
    low, high = paired_difference_interval(0, 4, 0, 0)
    assert (new["difference"], new["difference_low"], new["difference_high"]) == (1.0, low, high)
    assert new["certain"]
    assert gone["certain"]


def test_better_and_worse_need_an_interval_that_leaves_out_zero(make_run: MakeRun) -> None:
    features = np.arange(200, dtype=np.float32)[:, None]
    labels = np.zeros(200, dtype=int)
    many = {"features": features, "labels": labels, "class_names": ["cat", "dog"]}
    first = make_run(range(40), **many)
    second = make_run(range(20), **many)
    row = mode(compare(first, second).failure_modes, "label:cat", "first")
    low, high = paired_difference_interval(20, 0, 20, 0)
    assert (row["verdict"], row["difference_low"], row["difference_high"]) == ("better", low, high)
    assert high < 0
    # The same pair the other way round: the sign turns, and better becomes worse.
    row = mode(compare(second, first).failure_modes, "label:cat", "second")
    assert (row["verdict"], row["difference_low"], row["difference_high"]) == ("worse", -high, -low)


def test_confidence_delta_and_tau_are_the_callers(make_run: MakeRun) -> None:
    first, second = make_run([0, 1, 2, 3]), make_run([0, 1, 6])
    narrow = mode(compare(first, second, confidence=0.5).failure_modes, "label:cat", "first")
    assert narrow["difference_high"] == paired_difference_interval(2, 0, 2, 0, confidence=0.5).high
    assert narrow["verdict"] == "better"
    # The first run's rule increases the second model's error rate by 0.25 only.
    strict = compare(first, second, delta=0.3).failure_modes
    assert mode(strict, "label:cat", "first")["verdict"] == "gone"
    none = compare(first, second, delta=1.0).failure_modes
    assert len(none) == 0
    assert none["difference"].dtype == np.float64
    assert list(none.columns) == list(strict.columns)


# --- groups


def test_groups_side_by_side(make_run: MakeRun) -> None:
    first, second = make_run([0, 1, 2, 3]), make_run([0, 1, 6])
    comparison = compare(first, second)
    groups = comparison.groups.set_index("group")
    assert list(groups.index) == ["label:cat", "label:dog", "prediction:cat", "prediction:dog"]
    cat = groups.loc["label:cat"]
    assert (cat["explained_in"], cat["same_images"], cat["interval"]) == ("both", True, "paired")
    assert (cat["n_images_first"], cat["n_failures_first"], cat["n_failures_second"]) == (12, 4, 3)
    assert cat["ber_difference"] == pytest.approx(-1 / 12)
    # Both fail on cats 0 and 1, only the second on 6, only the first on 2 and 3, none on the other seven.
    assert (cat["ber_difference_low"], cat["ber_difference_high"]) == tuple(paired_difference_interval(2, 1, 2, 7))
    for side, run in (("first", first), ("second", second)):
        analysis = load_analysis(run, "label:cat")
        assert cat[f"aler_increase_{side}"] == analysis.aler - analysis.ber
        assert cat[f"failure_modes_{side}"] == len(analysis.failure_modes) == 1
    dog = groups.loc["prediction:dog"]
    assert (dog["same_images"], dog["interval"]) == (False, "independent")
    assert (dog["n_images_first"], dog["n_images_second"]) == (12, 11)
    assert (dog["ber_difference_low"], dog["ber_difference_high"]) == tuple(difference_interval(3, 11, 4, 12))
    overall = comparison.overall
    assert (overall["n_images_first"], overall["n_failures_first"], overall["n_failures_second"]) == (20, 4, 3)
    assert (overall["ber_difference_low"], overall["ber_difference_high"]) == tuple(paired_difference_interval(2, 1, 2, 15))


def test_held_out_numbers_are_those_of_the_run(make_run: MakeRun) -> None:
    checks = Checks(held_out="cross-fit", folds=2)
    first, second = make_run([0, 1, 2, 3], checks=checks), make_run([0, 1, 6], checks=checks)
    comparison = compare(first, second)
    stored = first.failure_modes().set_index("group").loc["label:cat"]
    row = mode(comparison.failure_modes, "label:cat", "first")
    assert row["held_out_n_images_first"] == stored["held_out_n_images"] > 0
    assert row["held_out_error_rate_first"] == stored["held_out_error_rate"]
    assert pd.isna(row["held_out_error_rate_second"])
    assert pd.isna(row["held_out_difference"])
    assert pd.isna(row["held_out_verdict"])
    groups = comparison.groups.set_index("group")
    stored = second.groups().set_index("group").loc["label:cat"]
    assert groups.loc["label:cat", "held_out_aler_increase_second"] == stored["held_out_aler_increase_depth_1"]


# --- what the runs have in common


def test_the_order_of_the_images_does_not_matter(make_run: MakeRun) -> None:
    first, second = make_run([0, 1, 2, 3]), make_run([0, 1, 6])
    shuffled = make_run([0, 1, 6], order=np.random.default_rng(0).permutation(20))
    straight, turned = compare(first, second), compare(first, shuffled)
    assert turned.same_images
    pd.testing.assert_frame_equal(straight.groups, turned.groups)
    pd.testing.assert_frame_equal(straight.failure_modes, turned.failure_modes)
    swapped = compare(shuffled, first).failure_modes
    pd.testing.assert_frame_equal(compare(second, first).failure_modes, swapped)


def test_a_rule_that_both_runs_found_is_listed_once(make_run: MakeRun) -> None:
    first, second = make_run([0, 1, 2, 3]), make_run([0, 1, 2, 3, 12])
    modes = compare(first, second).failure_modes
    row = mode(modes, "label:cat", "both")
    assert (row["verdict"], row["overlap"], row["difference"]) == ("unchanged", 1.0, 0)
    assert (modes["group"] == "label:cat").sum() == 1


def test_two_extractors_are_compared_by_the_images_that_their_rules_hold(make_run: MakeRun) -> None:
    wrong = [0, 1, 2, 3]
    first = make_run(wrong)
    # Backwards, feature 0 of the other extractor ends up with the same images above a threshold.
    backwards = make_run(wrong, features=-VALUES, fingerprint="other")
    comparison = compare(first, backwards)
    assert (comparison.same_failures, comparison.same_extractor) == (True, False)
    row = mode(comparison.failure_modes, "label:cat", "first")
    assert (row["verdict"], row["overlap"]) == ("matched", 1.0)
    assert (row["match_rule"], row["match_error_coverage"]) == ("feature[0] > -3.5000", 1.0)
    assert row["match_increase"] == pytest.approx(1 - 4 / 12)
    assert row["difference"] == 0
    assert pd.isna(row["difference_low"])
    assert pd.isna(row["interval"])
    assert comparison.groups["interval"].isna().all()
    # One that sees nothing finds other images, or none.
    rng = np.random.default_rng(3)
    noise = compare(first, make_run(wrong, features=rng.random((20, 1), dtype=np.float32), fingerprint="noise")).failure_modes
    assert mode(noise, "label:cat", "first")["verdict"] == "gone"
    assert set(noise[noise["found_in"] == "second"]["verdict"]) <= {"new", "matched"}


def test_two_searches_of_the_same_failures(make_run: MakeRun) -> None:
    """Same extractor, same predictions, another setting: rules that are the same again are listed once and matched."""
    comparison = compare(make_run([0, 1, 2, 3]), make_run([0, 1, 2, 3], min_leaf=6), delta=0.1)
    assert comparison.same_failures
    # With six images in each leaf at least, the rule is feature[0] < 5.5: it shares four of six images.
    row = mode(comparison.failure_modes, "label:cat", "first")
    assert (row["verdict"], row["overlap"], row["match_rule"]) == ("matched", 4 / 6, "feature[0] < 5.5000")


def test_other_images_with_the_same_extractor_are_independent(make_run: MakeRun) -> None:
    shifted = np.r_[np.arange(12) * 2, 100 + np.arange(8)].astype(np.float32)[:, None]
    comparison = compare(make_run([0, 1, 2, 3]), make_run([0, 1, 2, 3], features=shifted, images="other"))
    assert (comparison.same_images, comparison.common_images) == (False, 0)
    # Below 3.5 lie four cats of the first run, and of the second only those with the values 0 and 2.
    row = mode(comparison.failure_modes, "label:cat", "first")
    assert (row["n_images_first"], row["n_images_second"], row["n_failures_second"]) == (4, 2, 2)
    assert (row["error_coverage_second"], row["interval"]) == (0.5, "independent")
    assert (row["difference_low"], row["difference_high"]) == tuple(difference_interval(2, 2, 4, 4))
    assert pd.isna(row["overlap"])
    assert pd.isna(row["same_images_difference"])
    assert set(comparison.groups["interval"]) == {"independent"}
    assert comparison.overall["interval"] == "independent"


def test_other_images_and_another_extractor_leave_only_the_groups(make_run: MakeRun) -> None:
    comparison = compare(make_run([0, 1, 2, 3]), make_run([0, 1], images="other", fingerprint="other"))
    row = mode(comparison.failure_modes, "label:cat", "first")
    assert pd.isna(row["verdict"])
    assert pd.isna(row["error_rate_second"])
    assert row["error_rate_first"] == 1
    assert comparison.groups["ber_difference"].notna().all()
    assert "cannot be measured in the other run" in repr(comparison)


def test_classes_of_one_run_only_are_said_to_be(make_run: MakeRun) -> None:
    first, second = make_run([0, 1, 2, 3]), make_run([0, 1, 6, 12, 13], class_names=["wolf", "dog"])
    comparison = compare(first, second)
    assert (comparison.only_first, comparison.only_second) == (["cat"], ["wolf"])
    groups = comparison.groups.set_index("group")
    assert list(groups.index) == [
        *(f"{grouping}:{name}" for grouping in ("label", "prediction") for name in ("cat", "dog")),
        *("label:wolf", "prediction:wolf"),
    ]
    assert groups.loc["label:cat", "explained_in"] == "first"
    assert groups.loc["label:wolf", "explained_in"] == "second"
    assert pd.isna(groups.loc["label:cat", "n_images_second"])
    assert pd.isna(groups.loc["label:cat", "ber_difference"])
    assert mode(comparison.failure_modes, "label:cat", "first")["verdict"] == "only in first"
    assert mode(comparison.failure_modes, "label:wolf", "second")["verdict"] == "only in second"
    assert "1 class only in first: cat" in repr(comparison)


def test_a_class_that_is_no_longer_predicted_takes_its_failure_modes_along(make_run: MakeRun) -> None:
    # The second model calls everything a dog, so nothing is predicted cat.
    first, second = make_run([0, 1, 2, 3, 12, 13]), make_run(CAT)
    row = mode(compare(first, second).failure_modes, "prediction:cat", "first")
    assert (row["n_images_first"], row["n_images_second"], row["verdict"]) == (2, 0, "gone")
    assert pd.isna(row["difference"])
    groups = compare(first, second).groups.set_index("group")
    assert groups.loc["prediction:cat", "n_images_second"] == 0


def test_a_pair_is_the_same_pair_in_whichever_order_the_classes_are(make_run: MakeRun) -> None:
    first = make_run([0, 1, 2, 3], groupings=["pair"])
    labels = 1 - (VALUES[:, 0] >= 100).astype(int)
    second = make_run([0, 1, 6], groupings=["pair"], labels=labels, class_names=["dog", "cat"])
    groups = compare(first, second).groups
    assert list(groups["group"]) == ["pair:cat+dog"]
    assert (groups["explained_in"].item(), groups["n_failures_second"].item()) == ("both", 3)


# --- one split searched


@pytest.fixture
def models_that_fail_alike(make_run: MakeRun) -> Callable[[int], tuple[Run, Run]]:
    """Two models with the same probability of failure for every image, by the same rule, and nothing else in common."""

    def make(seed: int) -> tuple[Run, Run]:
        rng = np.random.default_rng(seed)
        features = rng.exponential(size=(600, 6)).astype(np.float32)
        rate = np.where(features[:, 0] > 1.5, 0.5, 0.15)
        settings = {"features": features, "labels": np.zeros(600, dtype=int), "estimator": "binned", "groupings": ["label"]}
        settings |= {"split": ["search", "test"] * 300, "checks": Checks(), "depth": 3, "delta": 0.05, "tau": 0.05}
        one, two = (make_run(np.flatnonzero(rng.random(600) < rate), **settings) for _ in range(2))
        return one, two

    return make


def test_searched_and_held_out_images_are_kept_apart(models_that_fail_alike: Callable[[int], tuple[Run, Run]]) -> None:
    first, second = models_that_fail_alike(0)
    modes = compare(first, second).failure_modes
    searched = np.arange(600) % 2 == 0
    for side, other, run, rival in (("first", "second", first, second), ("second", "first", second, first)):
        stored = run.failure_modes()
        stored = stored[stored["depth"] == 3].set_index("leaf")
        found = modes[modes["found_in"] == side].set_index("leaf").sort_index()
        assert len(found) == len(stored) > 0
        stored = stored.loc[found.index]
        for column in ("n_images", "n_failures", "error_rate", "error_coverage", "held_out_n_images", "held_out_error_rate"):
            assert found[f"{column}_{side}"].tolist() == stored[column].tolist()
        tree = load_analysis(run, "label:cat", depth=3).tree
        for leaf, row in found.iterrows():
            inside = tree.node(int(leaf)).contains(run.features())
            assert row[f"n_failures_{other}"] == rival.benchmark.failure[inside & searched].sum()
            assert row[f"held_out_error_rate_{other}"] == rival.benchmark.failure[inside & ~searched].mean()
            one, two = first.benchmark.failure[inside & ~searched], second.benchmark.failure[inside & ~searched]
            cells = ((one & two).sum(), (two & ~one).sum(), (one & ~two).sum(), (~one & ~two).sum())
            low, high = paired_difference_interval(*cells)
            assert (row["held_out_difference_low"], row["held_out_difference_high"]) == (low, high)
            passes = []
            for model, there in ((first, one), (second, two)):
                everywhere = model.benchmark.failure[~searched]
                passes.append(there.mean() > everywhere.mean() + 0.05 and there.sum() / everywhere.sum() > 0.05)
            change = "worse" if low > 0 else "better" if high < 0 else "unchanged"
            expected = {(True, True): change, (True, False): "gone", (False, True): "new", (False, False): "in neither"}
            assert row["held_out_verdict"] == expected[passes[0], passes[1]]


def test_a_runs_own_rules_lean_against_it_and_held_out_differences_do_not(
    models_that_fail_alike: Callable[[int], tuple[Run, Run]],
) -> None:
    leans, held_out, leaning, covered = [], [], [], []
    for seed in range(12):
        modes = compare(*models_that_fail_alike(seed)).failure_modes
        sign = np.where(modes["found_in"] == "first", -1, 1)  # of a difference that makes the finder look worse
        leans += (sign * modes["difference"]).tolist()
        held_out += (sign * modes["held_out_difference"]).tolist()
        leaning += ((modes["difference_low"] <= 0) & (modes["difference_high"] >= 0)).tolist()
        covered += ((modes["held_out_difference_low"] <= 0) & (modes["held_out_difference_high"] >= 0)).tolist()
    assert len(leans) > 40
    assert np.mean(leans) > 0.05, "the caution in the documentation has a reason"
    assert abs(np.mean(held_out)) < 3 * np.std(held_out) / np.sqrt(len(held_out))
    assert np.mean(leaning) < 0.8 < 0.9 < np.mean(covered)


def test_overlap_is_the_jaccard_index_of_the_best_match(models_that_fail_alike: Callable[[int], tuple[Run, Run]]) -> None:
    searched = np.arange(600) % 2 == 0
    otherwise = 0  # how often another failure mode shares more images, but holds many besides
    for seed in range(5):
        runs = models_that_fail_alike(seed)
        analyses = [load_analysis(run, "label:cat", depth=3) for run in runs]
        features = runs[0].features()
        for row in compare(*runs, delta=0, tau=0).failure_modes.itertuples():
            own = 0 if row.found_in == "first" else 1
            rule = analyses[own].tree.node(row.leaf).contains(features) & searched
            others = failure_modes(analyses[1 - own].tree, delta=0, tau=0)
            held = [leaf.contains(features) & searched for leaf in others]
            shared = [(rule & other).sum() for other in held]
            overlaps = [(rule & other).sum() / (rule | other).sum() for other in held]
            assert row.overlap == max(overlaps)
            if row.overlap == 0:
                assert pd.isna(row.match_leaf)
                continue
            best = others[int(np.argmax(overlaps))]
            assert (row.match_leaf, row.match_rule, row.match_error_coverage) == (best.number, best.rule, best.error_coverage)
            assert row.match_increase == best.error_rate - analyses[1 - own].ber
            otherwise += np.argmax(overlaps) != np.argmax(shared)
    assert otherwise > 0


# --- the rest


def test_rows_are_in_the_order_of_the_verdicts_largest_difference_first(
    models_that_fail_alike: Callable[[int], tuple[Run, Run]],
) -> None:
    modes = compare(*models_that_fail_alike(1)).failure_modes
    rank = modes["verdict"].map(VERDICTS.index)
    assert rank.is_monotonic_increasing
    assert rank.nunique() > 1
    for _, part in modes.groupby("verdict"):
        assert part["difference"].abs().is_monotonic_decreasing


def test_repr_says_what_was_compared_with_what(make_run: MakeRun) -> None:
    text = repr(compare(make_run([0, 1, 2, 3]), make_run([8, 9, 10, 11]), names=["old", "new"]))
    assert "old (first) and new (second): trees of depth 1" in text
    assert "images: the same 20" in text
    assert "4 (20.0 %) and 4 (20.0 %), +0.0 points" in text
    assert "failure modes found in first: 2 (1 unchanged, 1 gone)" in text
    assert "failure modes found in second: 2 (1 new, 1 unchanged)" in text


def test_to_csv_writes_everything_and_the_same_bytes_again(make_run: MakeRun, tmp_path: Path) -> None:
    comparison = compare(make_run([0, 1, 2, 3]), make_run([0, 1, 6]))
    written = comparison.to_csv(tmp_path / "out")
    assert {path.name for path in written} == {"groups.csv", "failure_modes.csv", "comparison.json"}
    for name in ("groups", "failure_modes"):
        table = getattr(comparison, name)
        again = pd.read_csv(tmp_path / "out" / f"{name}.csv")
        assert list(again.columns) == list(table.columns)
        assert len(again) == len(table) > 0
    about = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert (about["depth"], about["delta"], about["same_images"]) == (1, 0.1, True)
    assert about["overall"]["n_failures_second"] == 3
    before = [path.read_bytes() for path in written]
    assert [path.read_bytes() for path in comparison.to_csv(tmp_path / "out")] == before


def test_mistakes_are_answered_with_what_to_do(make_run: MakeRun, planted_run: Run) -> None:
    first, second = make_run([0, 1, 2, 3]), make_run([0, 1, 6])
    with pytest.raises(BarlowError, match="nothing from `barlow explain` yet"):
        compare(first, planted_run)
    with pytest.raises(BarlowError, match="given twice"):
        compare(first, Run(first.path))
    with pytest.raises(BarlowError, match=r"run0 has no trees of depth 2, only of depth 1 to 1.*--depth 2"):
        compare(first, second, depth=2)
    with pytest.raises(BarlowError, match=r"different delta: 0.1 in run0, 0.05 in run2"):
        compare(first, make_run([0, 1, 6], delta=0.05))
    with pytest.raises(BarlowError, match=r"run0 \(with cat, dog\) and run3 \(with one, two\) have no class in common"):
        compare(first, make_run([0, 1], class_names=["one", "two"]))
    with pytest.raises(BarlowError, match="confidence is 1.5"):
        compare(first, second, confidence=1.5)
    with pytest.raises(BarlowError, match="tau is 2"):
        compare(first, second, tau=2)
    with pytest.raises(BarlowError, match="Expected one for each, all different"):
        compare(first, second, names=["a", "a"])


def test_depth_is_the_deepest_that_both_have(make_run: MakeRun) -> None:
    first, second = make_run([0, 1, 2, 3], depth=2), make_run([0, 1, 6], depth=3)
    assert compare(first, second).depth == 2
    assert set(compare(first, second, depth=1).failure_modes["depth"]) == {1}
