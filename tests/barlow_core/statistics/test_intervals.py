from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from barlow_core.errors import BarlowError
from barlow_core.statistics.intervals import (
    aler_increase,
    aler_increase_interval,
    difference_interval,
    increase_interval,
    paired_difference_interval,
    wilson_interval,
)


@st.composite
def shares(draw: st.DrawFn, largest: int = 500) -> tuple[int, int]:
    total = draw(st.integers(1, largest))
    return draw(st.integers(0, total)), total


@st.composite
def leaves(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(L,) images and failures in each leaf."""
    images = np.array(draw(st.lists(st.integers(0, 60), min_size=1, max_size=8)))
    return images, np.array([draw(st.integers(0, int(n))) for n in images])


# --- Wilson


@given(shares(), st.floats(0.01, 0.999))
def test_wilson_is_scipys(share: tuple[int, int], confidence: float) -> None:
    low, high = wilson_interval(*share, confidence=confidence)
    oracle = binomtest(*share).proportion_ci(confidence, method="wilson")
    assert (low, high) == (pytest.approx(oracle.low, abs=1e-12), pytest.approx(oracle.high, abs=1e-12))
    assert 0 <= low <= share[0] / share[1] <= high <= 1


def test_wilson_of_arrays() -> None:
    low, high = wilson_interval([0, 5, 10], 10)
    assert low.shape == high.shape == (3,)
    assert low[0] == 0
    assert high[2] == 1
    assert low[1] == pytest.approx(0.2366, abs=5e-5)  # 5 of 10, in any textbook
    assert high[1] == pytest.approx(0.7634, abs=5e-5)


def test_nothing_is_known_without_images() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert difference_interval(0, 0, 3, 4) == (-1, 1)
    assert paired_difference_interval(0, 0, 0, 0) == (-1, 1)
    assert increase_interval(0, 0, 3, 10) == (-1, 1)
    assert increase_interval(0, 0, 0, 0) == (-1, 1)


@pytest.mark.parametrize(("count", "total"), [(3, 2), (-1, 5), (0, -1), (float("nan"), 5), (1, float("inf"))])
def test_impossible_counts_are_refused(count: float, total: float) -> None:
    with pytest.raises(BarlowError, match="impossible"):
        wilson_interval(count, total)


@pytest.mark.parametrize("confidence", [0, 1, 95, float("nan")])
def test_confidence_lies_between_0_and_1(confidence: float) -> None:
    with pytest.raises(BarlowError, match="confidence"):
        wilson_interval(5, 10, confidence=confidence)
    with pytest.raises(BarlowError, match="confidence"):
        aler_increase_interval([10, 20], [5, 6], confidence=confidence)


# --- Newcombe


@pytest.mark.parametrize(
    ("one", "two", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_examples_of_newcombe(one: tuple[int, int], two: tuple[int, int], low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10."""
    assert difference_interval(*one, *two) == (pytest.approx(low, abs=5.1e-5), pytest.approx(high, abs=5.1e-5))


@given(shares(), shares(), st.floats(0.5, 0.99))
def test_interval_of_a_difference(one: tuple[int, int], two: tuple[int, int], confidence: float) -> None:
    low, high = difference_interval(*one, *two, confidence=confidence)
    assert -1 <= low <= one[0] / one[1] - two[0] / two[1] <= high <= 1
    assert difference_interval(*two, *one, confidence=confidence) == (pytest.approx(-high), pytest.approx(-low))


@pytest.mark.parametrize(("table", "low", "high"), [((59, 6, 16, 80), -0.1186, -0.0046), ((1, 1, 7, 12), -0.507, -0.026)])
def test_published_paired_examples(table: tuple[int, int, int, int], low: float, high: float) -> None:
    """Fagerland, Lydersen and Laake (2014), Statistics in Medicine 33, 2850-2875: "Newcombe square-and-add"."""
    assert paired_difference_interval(*table) == (pytest.approx(low, abs=5.1e-4), pytest.approx(high, abs=5.1e-4))


@given(*(st.integers(0, 80) for _ in range(4)))
def test_interval_of_a_paired_difference(both: int, only_1: int, only_2: int, neither: int) -> None:
    total = both + only_1 + only_2 + neither
    low, high = paired_difference_interval(both, only_1, only_2, neither)
    if total:
        assert -1 <= low <= (only_1 - only_2) / total + 1e-15
        assert (only_1 - only_2) / total - 1e-15 <= high <= 1
    other = paired_difference_interval(both, only_2, only_1, neither)
    assert other == (pytest.approx(-high), pytest.approx(-low))


def test_pairing_helps_when_models_fail_alike() -> None:
    """100 images, 30 and 25 failures. Knowing that 22 fail under both narrows the interval; independent samples do not."""
    paired = paired_difference_interval(22, 8, 3, 67)
    independent = difference_interval(30, 100, 25, 100)
    assert paired.high - paired.low < 0.6 * (independent.high - independent.low)
    # 30 * 25 / 100 = 7.5 common failures are those of independent models; fewer widen it.
    apart = paired_difference_interval(0, 30, 25, 45)
    assert apart.high - apart.low > independent.high - independent.low


# --- increase over BER


def test_increase_worked_by_hand() -> None:
    """5 of 10 images of a leaf fail, 10 of 30 in the group, so 5 of the 20 others: (1 - 10 / 30) (5 / 10 - 5 / 20) = 1 / 6."""
    leaf, rest = (binomtest(5, n).proportion_ci(method="wilson") for n in (10, 20))
    low, high = increase_interval(5, 10, 10, 30)
    assert low == pytest.approx(2 / 3 * (0.25 - np.hypot(0.5 - leaf.low, rest.high - 0.25)))
    assert high == pytest.approx(2 / 3 * (0.25 + np.hypot(leaf.high - 0.5, 0.25 - rest.low)))


@given(shares(200), shares(200))
def test_interval_of_an_increase(leaf: tuple[int, int], rest: tuple[int, int]) -> None:
    failures, images = leaf[0] + rest[0], leaf[1] + rest[1]
    low, high = increase_interval(*leaf, failures, images)
    assert -1 <= low <= leaf[0] / leaf[1] - failures / images + 1e-12
    assert leaf[0] / leaf[1] - failures / images - 1e-12 <= high <= 1


@given(shares())
def test_the_root_has_no_increase(root: tuple[int, int]) -> None:
    low, high = increase_interval(*root, *root)
    assert (low, high) == (0, 0)
    assert not np.signbit(low)


def test_a_leaf_is_no_larger_than_its_group() -> None:
    with pytest.raises(BarlowError, match="impossible"):
        increase_interval(5, 10, 4, 30)
    with pytest.raises(BarlowError, match="impossible"):
        increase_interval(5, 10, 20, 24)  # 15 failures in the 14 other images


# --- ALER - BER


def test_corrected_increase_worked_by_hand() -> None:
    """3 of 4 and 1 of 6 fail. Of the 3 others in its leaf 2 fail, for 3 failures of 4; of 5 others none, for the fourth:
    3/4 * 2/3 + 1/4 * 0 = 1/2; over the group 3 of the 9 others."""
    assert aler_increase([4, 6], [3, 1]) == pytest.approx(1 / 2 - 1 / 3)


@given(leaves())
def test_corrected_increase_counts_other_images(tree: tuple[np.ndarray, np.ndarray]) -> None:
    """The definition in words: for each failure, how many of the other images of its leaf fail, and of the group."""
    leaf = np.repeat(np.arange(len(tree[0])), tree[0])
    failure = np.concatenate([np.arange(n) < f for n, f in zip(*tree, strict=True)])
    differences = []
    for i in np.flatnonzero(failure):
        others = np.delete(failure, i)
        neighbours = others[np.delete(leaf, i) == leaf[i]]
        differences.append(neighbours.mean() - others.mean() if len(neighbours) else 0.0)
    assert aler_increase(*tree) == pytest.approx(np.mean(differences) if differences else 0.0)


@pytest.mark.parametrize("n_failures", [1, 2, 3, 5, 8])
def test_corrected_increase_is_0_on_average_over_all_shuffles(n_failures: int) -> None:
    leaf = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    shuffles = [np.bincount(leaf[list(chosen)], minlength=3) for chosen in combinations(range(8), n_failures)]
    assert np.mean([aler_increase([4, 3, 1], failures) for failures in shuffles]) == pytest.approx(0, abs=1e-12)


def test_corrected_increase_of_folds_is_weighed_by_failures() -> None:
    first, second = aler_increase([4, 6], [3, 1]), aler_increase([5, 5], [0, 2])
    both = aler_increase([4, 6, 5, 5], [3, 1, 0, 2], folds=[0, 0, 1, 1])
    assert both == pytest.approx((4 * first + 2 * second) / 6)


@settings(max_examples=40, deadline=None)
@given(leaves(), st.integers(0, 2**32 - 1))
def test_bootstrap_interval_holds_its_estimate(tree: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    low, high = aler_increase_interval(*tree, resamples=200, seed=seed)
    assert low <= aler_increase(*tree) <= high
    assert (low, high) == aler_increase_interval(*tree, resamples=200, seed=seed)
    if not tree[1].any():
        assert (low, high) == (0, 0)


def test_drawing_cells_is_drawing_images() -> None:
    """The oracle draws images one by one, with replacement."""
    images, failures = np.array([40, 100, 60]), np.array([20, 10, 15])
    leaf = np.repeat(np.arange(3), images)
    failure = np.concatenate([np.arange(n) < f for n, f in zip(images, failures, strict=True)])
    rng = np.random.default_rng(1)
    scatter = []
    for _ in range(4000):
        drawn = rng.integers(0, 200, 200)
        n, f = np.bincount(leaf[drawn], minlength=3), np.bincount(leaf[drawn][failure[drawn]], minlength=3)
        scatter.append((f / f.sum() * ((f - 1) / (n - 1) - (f.sum() - 1) / 199)).sum())
    bias = (failures**2 / images).sum() / 45 - 45 / 200 - aler_increase(images, failures)
    low, high = aler_increase_interval(images, failures, resamples=20_000)
    assert low == pytest.approx(np.quantile(scatter, 0.025) - bias, abs=0.004)
    assert high == pytest.approx(np.quantile(scatter, 0.975) - bias, abs=0.006)


def test_bootstrap_interval_narrows_with_more_images_and_less_confidence() -> None:
    small, large = aler_increase_interval([20, 80], [8, 12]), aler_increase_interval([200, 800], [80, 120])
    assert large.high - large.low < 0.5 * (small.high - small.low)
    narrow = aler_increase_interval([20, 80], [8, 12], confidence=0.5)
    assert small.low < narrow.low < narrow.high < small.high


@pytest.mark.parametrize("error_rates", [(0.2, 0.2, 0.2, 0.2), (0.5, 0.1, 0.2, 0.1)])
@pytest.mark.parametrize("folds", [1, 3])
def test_bootstrap_interval_covers(error_rates: tuple[float, ...], folds: int) -> None:
    """Of 300 samples of 300 images; 0.90 is 4 standard errors below 0.95."""
    shares, rates = np.array([0.2, 0.4, 0.1, 0.3]), np.array(error_rates)
    ber = (shares * rates).sum()
    truth = (shares * rates**2).sum() / ber - ber
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        images = rng.multinomial(300 // folds, shares, size=folds).ravel()
        failures = rng.binomial(images, np.tile(rates, folds))
        low, high = aler_increase_interval(images, failures, np.repeat(np.arange(folds), 4), resamples=500)
        covered += low <= truth <= high
    assert covered / 300 >= 0.90


def test_folds_fit_the_leaves() -> None:
    with pytest.raises(BarlowError, match="one for each of the 2 leaves"):
        aler_increase([4, 6], [3, 1], folds=[0])
