"""scikit-learn's `mutual_info_classif` is the oracle: every bit is to be the same, and with it the selection of features."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import mutual_info_classif
from threadpoolctl import threadpool_limits

from barlow_core.failure_modes import select_features
from barlow_core.information import knn, mutual_information, noise
from barlow_core.information.knn import NearestNeighbours, count_nearer, kth_distance


def scikit_learns(features: np.ndarray, failure: np.ndarray, n_neighbors: int = 3, seed: int = 0) -> np.ndarray:
    with threadpool_limits(1):  # its threads get in each other's way over so few numbers
        return mutual_info_classif(features, failure, discrete_features=False, n_neighbors=n_neighbors, random_state=seed)


def draw_features(kind: str, rng: np.random.Generator, n: int, width: int) -> np.ndarray:
    normal = rng.normal(size=(n, width))
    match kind:
        case "rectified":
            return np.maximum(normal, 0)
        case "whole numbers":
            return rng.integers(0, 4, size=(n, width)).astype(float)
        case "sparse and heavy-tailed":
            return np.where(rng.random((n, width)) < 0.7, 0, rng.exponential(size=(n, width)) ** 4)
        case "constant":
            return np.full((n, width), rng.choice([0, 2.5, 1e4, -3, 1e-8]))
        case "a few ties and a constant column":
            normal = np.round(normal, 1)
            normal[:, 0] = 7.0
            return normal
        case "far from zero":
            return normal + 1e4
    return normal


KINDS = (
    "normal", "rectified", "whole numbers", "sparse and heavy-tailed", "constant", "a few ties and a constant column", "far from zero"
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(KINDS),
    n=st.one_of(st.integers(3, 16), st.integers(17, 150)),
    width=st.integers(1, 6),
    share=st.sampled_from([0.03, 0.1, 0.3, 0.5, 0.95]),
    n_neighbors=st.sampled_from([1, 2, 3, 3, 3, 5, 10, 40]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_bit_is_scikit_learns(
    kind: str, n: int, width: int, share: float, n_neighbors: int, dtype: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    features = draw_features(kind, rng, n, width).astype(dtype)
    failure = rng.random(n) < share
    assume(0 < failure.sum() < n and n > 2)
    expected = scikit_learns(features, failure, n_neighbors, seed)
    result = mutual_information(features, failure, n_neighbors=n_neighbors, seed=seed)
    assert np.array_equal(result, expected)
    assert np.array_equal(select_features(result, 20), select_features(expected, 20))


@pytest.mark.parametrize("n_failures", range(1, 10))
def test_few_failures(n_failures: int) -> None:
    """With 2 to 7 failures scikit-learn leaves its tree for a product that loses digits; with 1 it leaves the image out."""
    rng = np.random.default_rng(n_failures)
    features = draw_features("rectified", rng, 60, 40).astype(np.float32) + np.float32(5)
    failure = rng.permutation(60) < n_failures
    expected = scikit_learns(features, failure)
    assert np.array_equal(mutual_information(features, failure), expected)
    assert np.array_equal(mutual_information(features, ~failure), scikit_learns(features, ~failure))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("share", [0.02, 0.25])
def test_same_top_20_of_a_group_as_large_as_imagenets(dtype: type, share: float) -> None:
    rng = np.random.default_rng(4)
    features = draw_features("sparse and heavy-tailed", rng, 1300, 100).astype(dtype)
    failure = rng.random(1300) < share
    features[:, :5] += failure[:, None].astype(dtype)
    expected = scikit_learns(features, failure)
    result = mutual_information(features, failure)
    assert np.abs(result - expected).max() <= 1e-9
    assert np.array_equal(select_features(result, 20), select_features(expected, 20))


def test_a_large_group() -> None:
    rng = np.random.default_rng(6)
    features = draw_features("rectified", rng, 20_000, 3).astype(np.float16)
    failure = rng.random(20_000) < 0.03
    assert np.array_equal(mutual_information(features, failure), scikit_learns(features, failure))


def test_blocks_panels_and_what_is_kept_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    features = draw_features("rectified", rng, 120, 37).astype(np.float16)
    first, second = rng.random((2, 120)) < 0.2
    expected = [scikit_learns(features, failure, seed=5) for failure in (first, second)]
    monkeypatch.setattr(knn, "BLOCK", 120 * 2)  # 4 columns, as there are two threads
    monkeypatch.setattr(noise, "KEPT", 120 * 8 * 10)  # too little for 37 columns: blocks of at most 10
    for keep in (0, 12 * 120 * 9, 12 * 120 * 37):
        estimate = NearestNeighbours(features, seed=5, threads=2, keep=keep)
        for failure, result in ((first, expected[0]), (second, expected[1]), (first, expected[0])):
            assert np.array_equal(estimate(failure), result)
        kept = sum(block.values.shape[0] for block in estimate._kept)
        assert kept == {0: 0, 9: 8, 37: 37}[keep // (12 * 120)]


def test_noise_is_one_stream_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = np.random.RandomState(3).standard_normal((50, 7))
    noise.forget()
    (_, small), (_, large) = next(noise.column_blocks(3, 21, 7)), next(noise.column_blocks(3, 50, 7))
    assert np.array_equal(small, expected[:21])
    assert np.array_equal(large, expected)
    next(noise.column_blocks(4, 5, 7))  # another seed takes the place of the first
    assert np.array_equal(next(noise.column_blocks(3, 50, 7, start=2))[1], expected[:, 2:])
    monkeypatch.setattr(noise, "KEPT", 50 * 8 * 3)
    joined = {first: block.copy() for first, block in noise.column_blocks(3, 50, 7, start=1, budget=noise.KEPT)}
    assert sorted(joined) == [1, 4]
    assert np.array_equal(np.hstack([joined[1], joined[4]]), expected[:, 1:])
    noise.forget()


@settings(deadline=None)
@given(
    values=st.lists(st.floats(-3, 3, width=16), min_size=2, max_size=40),
    neighbours=st.integers(1, 39),
    radius=st.sampled_from([0.0, 0.25, 1.0, 9.0]),
)
def test_distances_and_counts_are_those_of_all_pairs(values: list[float], neighbours: int, radius: float) -> None:
    rows = np.sort([values, [2 * value for value in values]], axis=1)
    k = min(neighbours, len(values) - 1)
    pairs = np.abs(rows[:, :, None] - rows[:, None, :])
    assert np.allclose(kth_distance(rows, k), np.sort(pairs, axis=2)[:, :, k], atol=1e-7)
    reach = np.full(rows.shape, radius)
    reach[:, 0] = 1.0
    inside = pairs < reach[:, :, None] if radius else (pairs == 0) | (pairs < reach[:, :, None])
    for steps in (1, 64):  # mostly by bisection, and mostly without
        knn_steps, knn.STEPS = knn.STEPS, steps
        try:
            assert np.array_equal(count_nearer(rows, reach.copy()), inside.sum(axis=2))
        finally:
            knn.STEPS = knn_steps


def test_memory_stays_within_the_input_again_and_a_few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the noise (four times the input, as that is float16) nor the input as float64 may be held at once."""
    monkeypatch.setattr(noise, "KEPT", 1 << 20)
    rng = np.random.default_rng(0)
    features = rng.random((1000, 8000), dtype=np.float32).astype(np.float16)
    failure = rng.random(1000) < 0.1
    tracemalloc.start()
    try:
        mutual_information(features, failure)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert features.nbytes < peak < features.nbytes + (12 << 20)
