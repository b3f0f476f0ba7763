"""The two-way bootstrap: worked examples, an independent implementation, limiting cases; benchmarks/calibration_study.py checks its coverage."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from barlow_core.errors import BarlowError
from study.statistics import estimates, uncertainty
from study.statistics.estimates import Estimate
from study.statistics.resampling import Clusters


def study(n_items: int = 30, n_workers: int = 12, per_item: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    worker = np.concatenate([rng.choice(n_workers, per_item, replace=False) for _ in range(n_items)])
    item = np.repeat(np.arange(n_items), per_item)
    values = rng.normal(size=n_items)[item] + rng.normal(size=n_workers)[worker] + rng.normal(size=len(item))
    return values, item, worker


def by_hand(statistic: str, values: np.ndarray, item: np.ndarray, worker: np.ndarray, replicates: int, seed: int) -> np.ndarray:
    """The pigeonhole bootstrap as a loop: draw items, draw workers, repeat every answer as often as both were drawn."""
    rng = np.random.default_rng(seed)
    results = []
    for _ in range(replicates):
        items = np.bincount(rng.integers(item.max() + 1, size=item.max() + 1), minlength=item.max() + 1)
        workers = np.bincount(rng.integers(worker.max() + 1, size=worker.max() + 1), minlength=worker.max() + 1)
        if statistic == "mean":
            results.append(np.average(values, weights=items[item] * workers[worker]))
            continue
        above = weight = 0
        for i in np.flatnonzero(items):
            rows = np.repeat(np.flatnonzero(item == i), workers[worker[item == i]])
            if len(rows):
                above += items[i] * (values[rows].mean() > 3)
                weight += items[i]
        results.append(above / weight)
    return np.array(results)


# --- resamples


def test_resampled_sums_are_sums_over_answers_weighted_by_both_counts() -> None:
    item, worker = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 2, 2])
    clusters = Clusters(item, worker)
    values = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 0.0], [8.0, 1.0], [16.0, 1.0]])
    resamples = [(i.copy(), w.copy()) for i, w in clusters._resamples(50, 3)]
    items, workers = (np.hstack(parts) for parts in zip(*resamples, strict=True))
    assert (items.sum(axis=0) == 3).all()
    assert (workers.sum(axis=0) == 3).all()
    expected = np.einsum("nb,nk->bk", items[item] * workers[worker], values)
    np.testing.assert_allclose(clusters.resampled_sums(values, replicates=50, seed=3), expected)


def test_the_mean_scatters_as_in_a_plain_loop() -> None:
    values, item, worker = study()
    estimate = uncertainty.mean(values, item, worker, replicates=4000)
    loop = by_hand("mean", values, item, worker, 4000, 1)
    assert estimate.value == pytest.approx(values.mean())
    width = np.ptp(np.quantile(loop, [0.025, 0.975]))
    np.testing.assert_allclose([estimate.low, estimate.high], np.quantile(loop, [0.025, 0.975]), atol=0.05 * width)


def test_the_share_of_items_scatters_as_in_a_plain_loop_and_is_centred_on_the_observed_share() -> None:
    values, item, worker = study(seed=4)
    ratings = np.clip(np.rint(values + 3), 1, 5)
    estimate = uncertainty.share_of_items_above(ratings, item, worker, replicates=1000)
    observed = np.mean([ratings[item == i].mean() > 3 for i in range(30)])
    assert estimate.value == pytest.approx(observed)
    loop = by_hand("share of items", ratings, item, worker, 1000, 1)
    expected = np.clip(np.quantile(loop - loop.mean() + observed, [0.025, 0.975]), 0, 1)
    np.testing.assert_allclose([estimate.low, estimate.high], expected, atol=0.05)


def test_one_answer_a_worker_is_the_plain_bootstrap_of_items_and_of_workers() -> None:
    # With one worker there are only items to resample, and with an item for every answer that is the textbook bootstrap.
    values = np.random.default_rng(2).normal(size=80)
    rows, one = np.arange(80), np.zeros(80)
    for items, workers in ((rows, one), (one, rows)):
        estimate = uncertainty.mean(values, items, workers, replicates=8000)
        oracle = bootstrap(
            (values,), np.mean, method="percentile", n_resamples=8000, rng=np.random.default_rng(0)
        ).confidence_interval
        np.testing.assert_allclose([estimate.low, estimate.high], oracle, atol=0.02)
        assert "one " in (estimate.reason or "")


def test_answers_that_repeat_their_item_or_their_worker_are_worth_no_more_than_it() -> None:
    # A hundred answers, ten distinct: as wide as ten answers, not as a hundred.
    ten = np.random.default_rng(3).normal(size=10)
    item = np.repeat(np.arange(10), 10)
    for items, workers in ((item, np.arange(100)), (np.arange(100), item)):
        estimate = uncertainty.mean(ten[item], items, workers, replicates=4000)
        assert (estimate.high or 0) - (estimate.low or 0) > 3.5 * ten.std() / np.sqrt(10)


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    values, item, worker = study()
    first, again, other = (uncertainty.mean(values, item, worker, replicates=300, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first != other
    assert first.value == other.value


def test_ids_may_be_of_any_kind_and_their_names_change_nothing() -> None:
    values, item, worker = study()
    named = uncertainty.mean(values, [f"item {i}" for i in item], [(f"w{w}") for w in worker], replicates=200)
    assert named == uncertainty.mean(values, item, worker, replicates=200)


# --- statistics


def test_shares_of_kinds_that_exclude_each_other_add_up() -> None:
    values, item, worker = study()
    kinds = np.digitize(values, [-1, 1])
    hits = kinds[:, None] == np.arange(3)
    found = uncertainty.shares(hits, item, worker, replicates=500)
    assert sum(estimate.value or 0 for estimate in found) == pytest.approx(1)
    for k, estimate in enumerate(found):
        assert (estimate.low or 0) < (estimate.value or 0) < (estimate.high or 0)
        assert estimate == uncertainty.share(hits[:, k], item, worker, replicates=500), "as alone"


@pytest.mark.parametrize("everyone", [True, False])
def test_when_all_or_none_are_hits_the_interval_is_clopper_and_pearsons_of_the_rarer_cluster(everyone: bool) -> None:
    _, item, worker = study(n_workers=12)
    estimate = uncertainty.share(np.full(len(item), everyone), item, worker)
    oracle = binomtest(12 * everyone, 12).proportion_ci(method="exact")
    assert estimate.value == float(everyone)
    np.testing.assert_allclose([estimate.low, estimate.high], [oracle.low, oracle.high], atol=1e-9)
    end = 0.025 ** (1 / 12)  # solved by hand: all 12 are hits with a chance of 2.5 %
    assert (estimate.low, estimate.high) == pytest.approx((end, 1.0) if everyone else (0.0, 1 - end))
    assert "as many independent answers as there are workers (12)" in (estimate.reason or "")


def test_a_difference_within_the_same_workers_does_not_see_how_workers_differ() -> None:
    rng = np.random.default_rng(7)
    item, worker = np.repeat(np.arange(60), 5), np.tile(np.arange(5), 60)
    first = item % 2 == 0
    values = 5 * rng.normal(size=5)[worker] + first * 0.5 + 0.1 * rng.normal(size=300)
    difference = uncertainty.mean_difference(values, first, ~first, item, worker, replicates=500)
    assert difference.value == pytest.approx(values[first].mean() - values[~first].mean())
    assert (difference.low or 0) > 0.3
    assert (difference.high or 1) < 0.7
    apart = uncertainty.mean(values, item, worker, replicates=500)
    assert (apart.high or 0) - (apart.low or 0) > 2, "whose means they do see"


def test_answers_on_neither_side_do_not_count() -> None:
    values, item, worker = study()
    first, second = item < 10, (item >= 10) & (item < 20)
    kept = first | second
    expected = uncertainty.mean_difference(values[kept], first[kept], second[kept], item[kept], worker[kept], replicates=100)
    assert uncertainty.mean_difference(values, first, second, item, worker, replicates=100) == expected
    assert expected.n == kept.sum()


def test_several_questions_must_all_be_above() -> None:
    ease, confidence = np.array([4, 4, 2, 2.0]), np.array([4, 2, 5, 1.0])
    item, worker = np.arange(4), np.array([1, 2, 1, 2])
    assert uncertainty.share_of_items_above(np.column_stack([ease, confidence]), item, worker).value == 0.25
    assert uncertainty.share_of_items_above(ease, item, worker).value == 0.5
    assert uncertainty.share_of_items_above(ease, item, worker, threshold=4).value == 0.0, "above, not at"


def test_missing_answers_count_nowhere() -> None:
    values, item, worker = study()
    holed = np.where(item < 5, np.nan, values)
    kept = item >= 5
    for statistic in (uncertainty.mean, uncertainty.share_of_items_above):
        assert statistic(holed, item, worker, replicates=50) == statistic(values[kept], item[kept], worker[kept], replicates=50)
    assert uncertainty.mean(holed, item, worker).n_items == 25


# --- small, empty and lopsided studies


def test_an_empty_study_has_no_numbers_and_says_so() -> None:
    nobody = [
        uncertainty.mean([], [], []),
        uncertainty.mean([np.nan], ["a"], ["b"]),
        uncertainty.share([], [], []),
        uncertainty.share_of_items_above([], [], []),
    ]
    for estimate in nobody:
        assert estimate == Estimate(None, None, None, 0, 0, 0, reason="nobody answered")
    sided = uncertainty.mean_difference([1.0, 2.0], [True, True], [False, False], ["a", "b"], [1, 2])
    assert (sided.value, sided.reason) == (None, "no answers on the second side")


def test_what_cannot_have_an_interval_says_why() -> None:
    lone = uncertainty.mean([4.0], ["a"], ["b"])
    assert (lone.value, lone.low, lone.high) == (4.0, None, None)
    same = uncertainty.mean([4.0, 4.0], ["a", "b"], ["b", "c"])
    assert (same.value, same.low, same.reason) == (4.0, None, estimates.ALL_THE_SAME)
    pair = uncertainty.mean([4.0, 2.0], ["a", "a"], ["b", "b2"])
    assert (pair.low, pair.high, pair.reason) == (2.0, 4.0, estimates.ONE_ITEM)
    opposite = uncertainty.mean_difference([1.0, 2.0], [True, False], [False, True], ["a", "b"], [1, 2])
    assert (opposite.value, opposite.low, opposite.reason) == (-1.0, None, estimates.RARELY_DEFINED)


def test_a_worker_with_nearly_all_answers_makes_the_interval_wide_and_leaves_it_defined() -> None:
    item = np.arange(100)
    worker = np.where(item < 97, 0, item)
    values = np.where(worker == 0, 5.0, 1.0)
    estimate = uncertainty.mean(values, item, worker)
    assert (estimate.low or 0) == pytest.approx(1, abs=0.1)
    assert (estimate.high or 0) == 5.0


def test_an_estimate_is_a_row_of_plain_values() -> None:
    values, item, worker = study()
    row = uncertainty.mean(values, item, worker, confidence=0.9, replicates=20).to_dict()
    assert list(row) == [field.name for field in dataclasses.fields(Estimate)]
    assert {type(row[name]) for name in ("value", "low", "high")} == {float}
    assert row["confidence"] == 0.9


@pytest.mark.parametrize(
    ("options", "says"),
    [({"confidence": 95}, "confidence is 95"), ({"replicates": 0}, "replicates is 0"), ({"confidence": 0}, "confidence is 0")],
)
def test_settings_that_make_no_sense_are_errors(options: dict[str, float], says: str) -> None:
    for statistic in (uncertainty.mean, uncertainty.share_of_items_above):
        with pytest.raises(BarlowError, match=says):
            statistic([1.0, 2.0], ["a", "b"], [1, 2], **options)  # type: ignore[operator]
    with pytest.raises(BarlowError, match=says):
        uncertainty.mean_difference([1.0, 2.0], [True, False], [False, True], ["a", "b"], [1, 2], **options)  # type: ignore[arg-type]


def test_arrays_of_different_lengths_are_an_error() -> None:
    with pytest.raises(BarlowError, match="3 values, 2 items and 2 workers"):
        uncertainty.mean([1.0, 2.0, 3.0], ["a", "b"], [1, 2])


def test_several_differences_at_once_are_those_one_by_one() -> None:
    rng = np.random.default_rng(0)
    item, worker = rng.integers(30, size=200), rng.integers(12, size=200)
    first = item % 2 == 0
    values = np.column_stack([rng.random(200), rng.random(200), np.where(rng.random(200) < 0.2, np.nan, rng.random(200))])
    together = uncertainty.mean_differences(values, first, ~first, item, worker, replicates=200)
    for k, estimate in enumerate(together):
        assert estimate == uncertainty.mean_difference(values[:, k], first, ~first, item, worker, replicates=200)
        given = ~np.isnan(values[:, k])
        assert estimate.value == pytest.approx(values[given & first, k].mean() - values[given & ~first, k].mean())
        assert estimate.n == given.sum()


def test_one_value_an_item_resamples_items() -> None:
    rng = np.random.default_rng(1)
    values = np.append(rng.normal(5, 2, 400), np.nan)
    found = uncertainty.item_mean(values, replicates=4000)
    expected = bootstrap(
        (values[:-1],), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(5)
    ).confidence_interval
    assert (found.value, found.n, found.n_items, found.n_workers) == (pytest.approx(np.nanmean(values)), 400, 400, 0)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.03)
    other = rng.normal(4, 1, 100)
    difference = uncertainty.item_difference(values, other, replicates=4000)
    spread = 1.96 * np.sqrt(np.nanvar(values) / 400 + other.var() / 100)
    assert difference.value == pytest.approx(np.nanmean(values) - other.mean())
    assert (difference.low, difference.high) == pytest.approx((difference.value - spread, difference.value + spread), abs=0.05)


def test_a_share_of_items_has_wilsons_interval() -> None:
    """Wilson's interval for 11 of 1,200, by the formula."""
    found = uncertainty.item_share(np.arange(1200) < 11)
    p, n, z = 11 / 1200, 1200, 1.959964
    middle, half = (p + z**2 / (2 * n)) / (1 + z**2 / n), z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (found.low, found.high) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_values_of_items_where_there_is_little_to_say() -> None:
    assert uncertainty.item_mean([]).reason == estimates.NO_ITEMS
    assert uncertainty.item_mean([np.nan]).value is None
    assert (uncertainty.item_mean([3.0]).value, uncertainty.item_mean([3.0]).reason) == (3.0, estimates.ONE_VALUE)
    assert uncertainty.item_mean([3.0, 3.0]).reason == estimates.ALL_THE_SAME
    assert uncertainty.item_difference([1.0, 2.0], []).reason == "no items on the second side"
    assert uncertainty.item_difference([], [1.0]).reason == "no items on the first side"
    assert uncertainty.item_difference([1.0], [2.0, 3.0]).reason == estimates.ONE_VALUE
    assert uncertainty.item_share([]).reason == estimates.NO_ITEMS
