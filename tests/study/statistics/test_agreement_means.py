from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from study.statistics import estimates
from study.statistics.agreement_means import ONE_PAIR, PairMeans


def pairs_of(rng: np.random.Generator, n_items: int = 12, n_workers: int = 7) -> pd.DataFrame:
    """Items of three to four workers each, a value a pair; some pairs have none."""
    rows = []
    for item in range(n_items):
        workers = rng.choice(n_workers, 3 + item % 2, replace=False)
        rows += [(item, first, second) for first, second in itertools.combinations(workers, 2)]
    table = pd.DataFrame(rows, columns=["item", "first", "second"])
    table["value"] = rng.normal(size=len(table)) + table["item"] % 3
    table.loc[rng.random(len(table)) < 0.1, "value"] = np.nan
    return table


def test_pairs_are_weighed_by_how_often_item_and_workers_are_drawn() -> None:
    table = pairs_of(np.random.default_rng(5))
    found = PairMeans(table[["value"]], table["item"], table["first"], table["second"], replicates=6000, seed=1)
    estimate = found.mean(0)
    given = table.dropna()
    assert estimate.value == pytest.approx(given.groupby("item")["value"].mean().mean())
    assert (estimate.n_items, estimate.n_workers) == (12, 7)
    # The same by drawing items and workers one by one.
    rng = np.random.default_rng(2)
    means = []
    for _ in range(3000):
        of_item, of_worker = (np.bincount(rng.integers(n, size=n), minlength=n) for n in (12, 7))
        weighed = given.assign(weight=of_worker[given["first"]] * of_worker[given["second"]])
        weighed = weighed[weighed["weight"] > 0]
        total = (weighed["value"] * weighed["weight"]).groupby(weighed["item"]).sum() / weighed.groupby("item")["weight"].sum()
        times = of_item[total.index]
        if times.sum():
            means.append(float((total * times).sum() / times.sum()))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.08)


def test_differences_of_pair_means_share_their_resamples() -> None:
    table = pairs_of(np.random.default_rng(6), n_items=30, n_workers=12)
    # All of a worker's pairs are higher by what the worker adds, on both sides.
    table["value"] = 0.1 * table["value"].fillna(0) + 5.0 * ((table["first"] % 4 == 0) & (table["second"] % 4 == 0))
    sides = [table["item"] % 2 == 0, table["item"] % 2 == 1]
    found = PairMeans(table[["value"]], table["item"], table["first"], table["second"], sides=sides, replicates=800)
    first, second, difference = found.mean(0, 0), found.mean(0, 1), found.difference(0, 0, 1)
    assert difference.value == pytest.approx(first.value - second.value)  # type: ignore[operator]
    assert difference.low is not None
    assert (first.n_items, second.n_items, difference.n_items) == (15, 15, 30)


def test_pair_means_of_nothing_and_of_one() -> None:
    nothing = PairMeans(np.zeros((0, 1)), [], [], [], replicates=10)
    assert (nothing.mean(0).value, nothing.mean(0).reason) == (None, estimates.NO_ITEMS)
    one = PairMeans([[0.5]], ["a"], ["u"], ["v"], replicates=10).mean(0)
    assert (one.value, one.low, one.reason) == (0.5, None, ONE_PAIR)
    same = PairMeans([[0.5], [0.5]], ["a", "b"], ["u", "u"], ["v", "v"], replicates=50).mean(0)
    assert (same.value, same.low, same.reason) == (0.5, None, estimates.ALL_THE_SAME)
    sides = [[True, False], [False, True]]
    two = PairMeans([[0.5], [0.7]], ["a", "b"], ["u", "u"], ["v", "v"], sides=sides, replicates=50)
    assert two.difference(0, 0, 1).reason == estimates.ONE_VALUE
    empty = PairMeans([[0.5], [np.nan]], ["a", "b"], ["u", "u"], ["v", "v"], sides=sides, replicates=50)
    assert empty.difference(0, 0, 1).reason == "no items on the second side"
