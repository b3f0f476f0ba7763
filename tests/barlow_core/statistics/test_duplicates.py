from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from barlow_core.statistics import duplicates
from barlow_core.statistics.duplicates import HIGHEST, LOWEST, near_duplicates


def _with_copies(n_images: int = 300, n_copies: int = 20, noise: float = 0.1, width: int = 64, seed: int = 0) -> np.ndarray:
    """Images of which the last `n_copies` are the first ones again, a little changed."""
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n_images, width))
    features[-n_copies:] = features[:n_copies] + noise * rng.normal(size=(n_copies, width))
    return features.astype(np.float32)


def test_copies_are_found_and_nothing_else() -> None:
    found = near_duplicates(_with_copies())
    assert found.blocks[:20].tolist() == found.blocks[-20:].tolist()
    assert (found.n_images, found.n_blocks) == (40, 20)


def test_the_threshold_by_its_definition() -> None:
    features = _with_copies(n_images=60, n_copies=2, width=12)
    rows = (features - features.mean(axis=0)) / features.std(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    z = np.arctanh((rows @ rows.T)[np.triu_indices(60, 1)])
    spread = 1.4826 * np.median(np.abs(z - np.median(z)))
    expected = np.tanh(np.median(z) + spread * norm.isf(0.01 / (60 * 59 / 2)))
    assert LOWEST < expected < HIGHEST
    assert near_duplicates(features).threshold == pytest.approx(expected, abs=1e-5)


def test_chance_alone_connects_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    found = [near_duplicates(rng.normal(size=(80, 40)).astype(np.float32)).n_images for _ in range(60)]
    assert np.mean([n > 0 for n in found]) <= 0.1


def test_blocks_are_what_pairs_connect() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 64)).astype(np.float32)
    for step in (1, 2, 3):  # each frame a little further from the first
        features[step] = features[step - 1] + 0.25 * rng.normal(size=64)
    found = near_duplicates(features)
    assert len(set(found.blocks[:4].tolist())) == 1
    assert (found.n_images, found.n_blocks) == (4, 1)


@pytest.mark.parametrize("rows", [7, 64, 1000])
def test_chunks_make_no_difference(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = _with_copies()
    whole = near_duplicates(features)
    monkeypatch.setattr(duplicates, "ROWS_AT_ONCE", rows)
    np.testing.assert_array_equal(near_duplicates(features).blocks, whole.blocks)


def test_a_sample_sets_the_threshold_of_large_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    features = _with_copies(n_images=600)
    whole = near_duplicates(features)
    monkeypatch.setattr(duplicates, "SAMPLE", 200)
    sampled = near_duplicates(features, seed=1)
    assert sampled.threshold == pytest.approx(whole.threshold, abs=0.02)
    assert sampled.blocks.tolist() == whole.blocks.tolist()
    assert near_duplicates(features, seed=1).threshold == sampled.threshold


@pytest.mark.parametrize("n_images", [0, 1, 2, 9])
def test_few_images(n_images: int) -> None:
    found = near_duplicates(np.random.default_rng(0).normal(size=(n_images, 5)).astype(np.float32))
    assert (len(found.blocks), found.n_images, found.threshold) == (n_images, 0, HIGHEST)


def test_equal_images_and_features_that_do_not_vary() -> None:
    features = np.repeat(np.random.default_rng(0).normal(size=(3, 5)), 2, axis=0).astype(np.float32)
    features[:, 2] = 1
    assert near_duplicates(features).n_blocks == 3
    assert near_duplicates(np.ones((4, 3), dtype=np.float32)).n_images == 0
