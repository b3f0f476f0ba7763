"""Images that belong together: hand-worked cases, statsmodels as an oracle, and exactly the old numbers where nothing belongs together."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, Settings, explain_depths
from barlow_core.statistics import aler_increase, cross_fit, measure, permutation_test, stability, wilson_interval
from barlow_core.statistics.blocks import (
    BlockCounts,
    aler_increase_by_blocks,
    as_blocks,
    half_of_blocks,
    n_folds,
    shuffled,
    split_folds,
)
from barlow_core.statistics.held_out_counts import HeldOutLeaf, LeafBlocks

SETTINGS = Settings(k=5, depth=2)


def _group(n_images: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[FailureAnalysis]]:
    rng = np.random.default_rng(seed)
    features = rng.exponential(size=(n_images, 8)).astype(np.float32)
    failure = rng.random(n_images) < np.where(features[:, 3] > 1.2, 0.6, 0.1)
    return features, failure, explain_depths(features, failure, SETTINGS, [1, 2])


def test_blocks_are_numbered_by_their_first_image() -> None:
    found = as_blocks(np.array([7, 3, 7, 9, 3]), 5)
    assert found is not None
    assert found.tolist() == [0, 1, 0, 2, 1]
    assert as_blocks(np.array([4, 2, 9]), 3) is None  # every image its own
    assert as_blocks(None, 3) is None
    with pytest.raises(BarlowError, match=r"shape \(2,\).*one whole number for each of 3"):
        as_blocks(np.array([1, 2]), 3)
    with pytest.raises(BarlowError, match="float64"):
        as_blocks(np.array([0.5, 1.5]), 2)


def test_single_images_give_the_numbers_that_they_give_without_blocks() -> None:
    features, failure, analyses = _group()
    own = np.random.default_rng(1).permutation(1000)[: len(failure)]
    assert cross_fit(features, failure, analyses, blocks=own).to_dict() == cross_fit(features, failure, analyses).to_dict()
    assert measure(analyses, features, failure, blocks=own).to_dict() == measure(analyses, features, failure).to_dict()
    assert permutation_test(features, failure, analyses, permutations=30, blocks=own) == permutation_test(
        features, failure, analyses, permutations=30
    )
    assert stability(features, failure, analyses, resamples=4, blocks=own) == stability(features, failure, analyses, resamples=4)


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=6, max_size=60), st.integers(0, 5))
def test_no_block_stands_on_both_sides(images: list[tuple[int, bool]], seed: int) -> None:
    blocks = as_blocks(np.array([block for block, _ in images]), len(images))
    failure = np.array([fails for _, fails in images])
    folds = n_folds(failure, blocks, 5)
    if folds < 2:
        return
    held_out = []
    for searched, out in split_folds(failure, blocks, folds, seed):
        if blocks is not None:
            assert not set(blocks[searched]) & set(blocks[out])
        assert len(out)
        held_out += out.tolist()
    assert sorted(held_out) == list(range(len(images)))


def test_too_few_blocks_with_failures_are_a_reason() -> None:
    features, failure, analyses = _group()
    blocks = np.where(failure, 0, np.arange(len(failure)) + 1)
    found = cross_fit(features, failure, analyses, blocks=blocks)
    assert found.trees == ()
    assert "at least 2 blocks" in str(found.reason)


def test_a_share_in_blocks_by_hand() -> None:
    # Blocks of 4, 2 and 2 images with 4, 0 and 1 failures: p = 5/8, and k_b - p n_b = 1.5, -1.25, -0.25.
    blocks = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    hits = np.array([1, 1, 1, 1, 0, 0, 1, 0], dtype=bool)
    found = BlockCounts.of(hits, blocks)
    variance = 3 / 2 * (1.5**2 + 1.25**2 + 0.25**2) / 64
    assert (found.count, found.total, found.n_blocks) == (5, 8, 3)
    assert found.kish == pytest.approx(64 / (16 + 4 + 4))
    assert found.robust == pytest.approx((5 / 8) * (3 / 8) / 7 / variance * 8)
    scale = (t.ppf(0.975, 7) / t.ppf(0.975, 2)) ** 2
    assert found.robust * scale < found.kish  # so Kish's number holds
    assert found.effective(0.95) == pytest.approx((found.kish * 5 / 8, found.kish))


def _leaf_p(sizes: list[int], fails: list[int], in_leaf: int) -> float:
    """p of a leaf that is the first `in_leaf` blocks, where the first fails[b] images of block b fail."""
    blocks = np.repeat(np.arange(len(sizes)), sizes)
    failure = np.concatenate([np.arange(size) < f for size, f in zip(sizes, fails, strict=True)])
    inside = blocks < in_leaf
    counts = int(inside.sum()), int(failure[inside].sum()), len(blocks), int(failure.sum())
    return HeldOutLeaf(*counts, number=1, blocks=LeafBlocks.of(inside, failure, blocks)).p()


def test_p_of_a_leaf_counts_what_its_blocks_are_worth_by_hand() -> None:
    # 6 of 6 images in 3 pairs are worth 3 of 3 (Kish), 0 of 12 in 6 pairs 0 of 6: of 9 with 3 failures, 1 / C(9, 3).
    assert _leaf_p([2] * 9, [2] * 3 + [0] * 6, in_leaf=3) == pytest.approx(1 / 84)
    # Blocks of 1, 2 and 2 are worth 25/9 = 2.8 images, all of which fail. Against the leaf that is 2 of 3: C(7, 1) / C(9, 3).
    assert _leaf_p([1, 2, 2] + [2] * 6, [1, 2, 2] + [0] * 6, in_leaf=3) == pytest.approx(7 / 84)
    # The others, blocks of 4 and 1 with 1 failure, are worth 25/17 = 1.5 images with 0.3 failures: 1 of 2. C(4, 3) / C(5, 3).
    assert _leaf_p([2, 2, 2, 4, 1], [2, 2, 2, 0, 1], in_leaf=3) == pytest.approx(4 / 10)
    # Blocks of one image each are so many images: Fisher's test of 3 of 3 against 1 of 5.
    assert _leaf_p([1] * 8, [1, 1, 1, 1, 0, 0, 0, 0], in_leaf=3) == pytest.approx(4 / 56)


def test_the_variance_over_blocks_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(0)
    blocks = np.repeat(np.arange(40), rng.integers(1, 6, 40))
    hits = rng.random(len(blocks)) < rng.beta(0.3, 0.6, 40)[blocks]
    found = BlockCounts.of(hits, blocks)
    fit = sm.OLS(hits.astype(float), np.ones(len(hits))).fit(cov_type="cluster", cov_kwds={"groups": blocks})
    p, n = hits.mean(), len(hits)
    assert found.robust == pytest.approx(n * p * (1 - p) / (n - 1) / fit.cov_params()[0, 0])
    _, worth = found.effective(0.95)
    assert found.kish < worth < n
    assert worth == pytest.approx(found.robust * (t.ppf(0.975, n - 1) / t.ppf(0.975, 39)) ** 2)


@pytest.mark.parametrize("fails", [True, False])
def test_a_leaf_of_one_block_is_worth_one_image(fails: bool) -> None:
    found = BlockCounts.of(np.full(6, fails), np.zeros(6, dtype=int))
    assert found.effective(0.95) == (float(fails), 1.0)
    three = BlockCounts.of(np.full(6, fails), np.array([0, 0, 1, 1, 2, 2]))
    assert three.effective(0.95) == pytest.approx((3.0 * fails, 3.0))


def test_held_out_intervals_of_blocks_are_wider_and_counts_the_same_for_a_split() -> None:
    features, failure, analyses = _group(200)
    doubled, twice = np.repeat(features, 4, axis=0), np.repeat(failure, 4)
    plain = measure(analyses, doubled, twice).trees[0]
    together = measure(analyses, doubled, twice, blocks=np.repeat(np.arange(200), 4)).trees[0]
    single = measure(analyses, features, failure).trees[0]
    for leaf, apart, once in zip(together.leaves, plain.leaves, single.leaves, strict=True):
        assert (leaf.n_images, leaf.n_failures) == (apart.n_images, apart.n_failures)
        # Four copies of every image say what one says: the interval is that of single images, but for n / (n - 1) and t.
        assert leaf.blocks is not None
        assert leaf.blocks.leaf.n_blocks == once.n_images
        np.testing.assert_allclose(leaf.error_rate_interval(), once.error_rate_interval(), atol=0.01)
        np.testing.assert_allclose(leaf.increase_interval(), once.increase_interval(), atol=0.01)
        np.testing.assert_allclose(leaf.error_coverage_interval(), once.error_coverage_interval(), atol=0.01)
        low, high = apart.error_rate_interval()
        assert leaf.error_rate_interval().high - leaf.error_rate_interval().low > 1.5 * (high - low)
        assert leaf.to_dict()["n_blocks"] == once.n_images
    assert together.aler_increase == pytest.approx(single.aler_increase)


def test_aler_over_other_blocks_is_the_correction_without_blocks() -> None:
    rng = np.random.default_rng(2)
    leaf, failure = rng.integers(0, 4, 60), rng.random(60) < 0.3
    images, failures = np.bincount(leaf), np.bincount(leaf[failure], minlength=4)
    estimate, low, high = aler_increase_by_blocks([(leaf, np.arange(60), failure)])
    assert estimate == pytest.approx(aler_increase(images, failures))
    assert low < estimate < high


def test_aler_over_other_blocks_by_hand() -> None:
    # Leaf 0: block A with 2 of 2 failing, block B with 1 of 2; leaf 1: block C with 0 of 4, block A again with 1 of 1.
    leaf = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    block = np.array([0, 0, 1, 1, 2, 2, 2, 2, 0])
    failure = np.array([1, 1, 1, 0, 0, 0, 0, 0, 1], dtype=bool)
    # Rates of the leaf and base rates over other blocks: A in leaf 0: 1/2 and 1/6; B: 2/2 and 3/7; A in leaf 1: 0/4 and 1/6.
    expected = (2 * (1 / 2 - 1 / 6) + (1 - 3 / 7) + (0 - 1 / 6)) / 4
    assert aler_increase_by_blocks([(leaf, block, failure)])[0] == pytest.approx(expected)


def test_shuffles_move_blocks_as_wholes() -> None:
    blocks = np.repeat(np.arange(6), 3)
    failure = np.isin(blocks, [1, 4]) | (np.arange(18) == 0)  # two blocks fail, and one image of a third
    counts = set()
    for seed in range(1000):
        found = shuffled(failure, blocks, np.random.default_rng(seed))
        per_block = np.bincount(blocks[found], minlength=6)
        assert sorted(per_block) == [0, 0, 0, 1, 3, 3]
        counts.add(tuple(per_block))
    assert counts == set(itertools.permutations([0, 0, 0, 1, 3, 3]))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=50), st.integers(0, 99))
def test_shuffles_keep_the_number_of_failures(images: list[tuple[int, bool]], seed: int) -> None:
    blocks = as_blocks(np.array([block for block, _ in images]), len(images))
    failure = np.array([fails for _, fails in images])
    found = shuffled(failure, blocks, np.random.default_rng(seed))
    assert found.dtype == bool
    assert found.sum() == failure.sum()


def test_halves_are_made_of_blocks() -> None:
    blocks = np.array([0, 0, 1, 1, 1, 2, 3, 3, 4])
    failure = np.array([1, 0, 0, 0, 0, 1, 1, 1, 0], dtype=bool)  # blocks 0, 2 and 3 have failures
    for seed in range(20):
        chosen = blocks[half_of_blocks(failure, blocks, np.random.default_rng(seed))]
        assert len(set(chosen) & {0, 2, 3}) == 2
        assert len(set(chosen) & {1, 4}) == 1
        assert all((chosen == block).sum() == (blocks == block).sum() for block in set(chosen))


def test_seen_images_are_those_with_a_duplicate_on_the_other_side() -> None:
    features, failure, _ = _group(60)
    doubled, twice = np.repeat(features, 2, axis=0), np.repeat(failure, 2)
    again = explain_depths(doubled, twice, SETTINGS, [1])
    pairs = np.repeat(np.arange(60), 2)
    apart = cross_fit(doubled, twice, again, duplicates=pairs)
    for leaf in apart.trees[0].leaves:
        assert leaf.n_seen is not None
        assert 0.5 < leaf.n_seen / leaf.n_images <= 1  # four of five twins are in another part
    together = cross_fit(doubled, twice, again, duplicates=pairs, blocks=pairs)
    assert {leaf.n_seen for leaf in together.trees[0].leaves} == {0}
    assert {leaf.n_seen for leaf in cross_fit(doubled, twice, again).trees[0].leaves} == {None}


def test_shuffled_blocks_hold_where_images_of_a_block_fail_and_look_alike() -> None:
    """Null data: features and failures each differ by block and have nothing to do with each other."""
    rejected = {"images": 0, "blocks": 0}
    rng = np.random.default_rng(0)
    settings_ = Settings(k=3, depth=1)
    for seed in range(60):
        blocks = np.repeat(np.arange(16), 6)
        features = (rng.normal(size=(16, 4))[blocks] + 0.3 * rng.normal(size=(96, 4))).astype(np.float32)
        failure = rng.random(96) < np.where(rng.random(16) < 0.4, 0.8, 0.05)[blocks]
        analyses = explain_depths(features, failure, settings_, [1])
        for name, given_blocks in (("images", None), ("blocks", blocks)):
            (test,) = permutation_test(features, failure, analyses, permutations=39, seed=seed, blocks=given_blocks)
            rejected[name] += test.p is not None and test.p <= 0.05
    assert rejected["images"] > 20  # of 60, where 3 are expected
    assert rejected["blocks"] <= 8  # P(more than 8 of 60 at 0.05) = 0.002


def test_wilson_takes_effective_counts() -> None:
    found = BlockCounts.of(np.ones(6, dtype=bool), np.array([0, 0, 0, 1, 1, 1]))
    assert tuple(wilson_interval(*found.effective(0.95))) == pytest.approx(tuple(wilson_interval(2, 2)))
    assert dataclasses.astuple(BlockCounts.of(np.zeros(0, dtype=bool), np.zeros(0, dtype=int)))[:3] == (0, 0, 0)
