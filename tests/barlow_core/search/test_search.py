"""`search`: conjunctions that were planted are found, luck is not, and what is counted is counted on other images."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.decomposition import PCA

from barlow_core.errors import BarlowError
from barlow_core.search import search, searching, short, space, stability
from barlow_core.search.space import Space, deviation


def attributes(n: int, seed: int, n_features: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Features that show 8 hidden attributes linearly, with noise; and the attributes, (n, 8) bool."""
    rng = np.random.default_rng(seed)
    hidden = rng.random((n, 8)) < 0.5
    mixing = np.random.default_rng(99).normal(size=(8, n_features))
    return hidden @ mixing + rng.normal(0, 0.3, size=(n, n_features)), hidden


def planted(seed: int, n: int = 2400) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Two conjunctions of four attributes, in which 95 % fail, 3 % elsewhere."""
    features, hidden = attributes(n, seed)
    spots = [hidden[:, :4].all(axis=1), hidden[:, 4:7].all(axis=1) & ~hidden[:, 0]]
    rng = np.random.default_rng([seed, 1])
    return features, rng.random(n) < np.where(spots[0] | spots[1], 0.95, 0.03), spots


@pytest.mark.parametrize("seed", range(3))
def test_finds_each_of_two_conjunctions(seed: int) -> None:
    features, failure, spots = planted(seed)
    result = search(features, failure, seed=seed)
    assert len(result.confirmed) == 2
    matched = set()
    for rule in result.confirmed:
        held = rule.holds(features)
        number = int(np.argmax([(held & spot).sum() for spot in spots]))
        assert (held & spots[number]).sum() >= 0.8 * held.sum()
        assert (held & spots[number]).sum() >= 0.8 * spots[number].sum()
        matched.add(number)
    assert matched == {0, 1}


def test_counts_are_those_of_its_parts_and_p_is_fishers() -> None:
    features, failure, _ = planted(5)
    result = search(features, failure, seed=5)
    assert result.searched.sum() == round(0.7 * failure.sum()) + round(0.7 * (~failure).sum())
    assert (result.n_images, result.n_failures) == (len(failure), failure.sum())
    assert result.rules
    for rule in result.rules:
        held = rule.holds(features)
        assert (rule.group.n_images, rule.group.n_failures) == (held.sum(), (held & failure).sum())
        rest = ~result.searched
        inside, outside = held & rest, ~held & rest
        table = [[(g & failure).sum(), (g & ~failure).sum()] for g in (inside, outside)]
        assert rule.held_out.n_images == inside.sum()
        assert rule.p == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-9)
        assert rule.q >= rule.p


def test_failures_of_the_confirming_part_have_no_say_in_what_is_found() -> None:
    features, failure, _ = planted(6)
    searched = np.arange(len(failure)) % 2 == 0
    changed = failure.copy()
    changed[~searched] = np.random.default_rng(0).permutation(changed[~searched])
    one, two = search(features, failure, searched=searched), search(features, changed, searched=searched)
    by_threshold = [sorted(rule.threshold for rule in result.rules) for result in (one, two)]
    assert by_threshold[0] == by_threshold[1]
    assert one.confirmed
    assert not two.confirmed


def test_luck_is_confirmed_no_more_often_than_stated() -> None:
    """200 groups without anything to find, alpha 0.2 so that the share can be told from 0; 3 standard errors of room."""
    alpha, hits = 0.2, 0
    for seed in range(200):
        rng = np.random.default_rng([7, seed])
        features = rng.exponential(size=(150, 8))
        result = search(features, rng.random(150) < 0.2, seed=seed, alpha=alpha, delta=0, most=2, starts=1)
        hits += bool(result.confirmed)
    assert hits / 200 <= alpha + 3 * (alpha * (1 - alpha) / 200) ** 0.5


def test_blocks_stand_on_one_side_and_count_for_what_they_are_worth() -> None:
    """Every image three times over: as blocks, no more is certain than of the images once."""
    features, failure, _ = planted(12, n=900)
    blocks = np.repeat(np.arange(900), 3)
    thrice = search(np.repeat(features, 3, axis=0), np.repeat(failure, 3), blocks=blocks, duplicates=blocks, seed=1)
    sides = thrice.searched.reshape(-1, 3)
    assert (sides == sides[:, :1]).all()
    assert (thrice.confirming == ~thrice.searched).all()
    assert thrice.confirmed
    for rule in thrice.rules:
        assert rule.held_out.n_seen == 0
        assert rule.held_out.blocks is not None
        assert rule.held_out.blocks.leaf.n_blocks * 3 == rule.held_out.n_images
        independent = fisher_exact(
            [
                [rule.held_out.n_failures, rule.held_out.n_images - rule.held_out.n_failures],
                [
                    rule.held_out.all_failures - rule.held_out.n_failures,
                    rule.held_out.all_images - rule.held_out.all_failures - rule.held_out.n_images + rule.held_out.n_failures,
                ],
            ],
            alternative="greater",
        ).pvalue
        assert rule.p >= independent


def test_near_duplicates_on_both_sides_are_counted() -> None:
    features, failure, _ = planted(13, n=900)
    twice = search(np.repeat(features, 2, axis=0), np.repeat(failure, 2), duplicates=np.repeat(np.arange(900), 2))
    seen = [rule.held_out.n_seen for rule in twice.confirmed]
    assert seen
    assert all(n is not None and n > 0 for n in seen)


def test_given_parts_leave_out_what_belongs_to_what_was_searched() -> None:
    features, failure, _ = planted(14, n=900)
    searched = np.arange(900) < 601
    result = search(features, failure, searched=searched, blocks=np.arange(900) // 2)
    assert not result.confirming[:602].any()
    assert result.confirming[602:].all()


def test_same_seed_same_rules() -> None:
    features, failure, _ = planted(8, n=1200)
    first, second = (search(features, failure, seed=3) for _ in range(2))
    assert [rule.to_dict() for rule in first.rules] == [rule.to_dict() for rule in second.rules]
    assert not np.array_equal(first.searched, search(features, failure, seed=4).searched)


def test_space_is_the_same_from_fewer_images_than_features() -> None:
    """Features that are there twice have the components of one copy, longer by the root of two."""
    x = np.random.default_rng(0).normal(size=(60, 40)) * np.linspace(3, 0.1, 40)
    every = np.arange(60)
    wide, narrow = Space.of(np.hstack([x, x]), every), Space.of(x, every)
    assert wide.axes.shape[0] == narrow.axes.shape[0]
    one, other = wide.coordinates(np.hstack([x, x]), every), narrow.coordinates(x, every)
    assert np.abs(one) == pytest.approx(np.abs(other), abs=1e-6)


def test_space_is_that_of_principal_component_analysis() -> None:
    x = (np.random.default_rng(1).normal(size=(9000, 30)) @ np.diag(np.linspace(4, 0.5, 30))).astype(np.float32)
    rows = np.arange(0, 9000, 2)
    own, pca = Space.of(x, rows), PCA(n_components=0.995, svd_solver="full").fit(x[rows].astype(np.float64))
    assert len(own.axes) == pca.n_components_
    expected = pca.transform(x[5:50].astype(np.float64)) / pca.explained_variance_[0] ** 0.5
    assert np.abs(own.coordinates(x, np.arange(5, 50))) == pytest.approx(np.abs(expected), rel=1e-3, abs=1e-6)
    assert deviation(x) == pytest.approx(x.std(axis=0, dtype=np.float64), rel=1e-12)


def test_large_matrices_have_the_same_components_as_small_ones() -> None:
    x = np.random.default_rng(5).normal(size=(300, 300)) * np.linspace(5, 0.1, 300)
    values, vectors = np.linalg.eigh(x @ x.T)
    found, axes = space._largest(x @ x.T)
    assert found == pytest.approx(values[::-1][:64])
    assert np.abs((axes * vectors[:, ::-1].T[:64]).sum(axis=1)) == pytest.approx(1)


def test_more_images_than_are_fitted_are_all_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    features, failure, spots = planted(15, n=6000)
    monkeypatch.setattr(searching, "MOST_FITTED", 2000)
    found = search(features, failure, seed=15)
    assert found.searched.sum() == pytest.approx(0.7 * 6000, abs=1)
    assert len(found.confirmed) == 2
    for rule in found.confirmed:
        held = rule.holds(features)
        assert rule.held_out.n_images == (held & found.confirming).sum()
        assert rule.held_out.all_images == found.confirming.sum()
        assert max((held & spot).sum() / (held | spot).sum() for spot in spots) > 0.8


def test_the_features_are_never_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_FITTED", 2000)
    monkeypatch.setattr(short, "MOST_PURSUED", 2000)
    features, hidden = attributes(30_000, 4, n_features=128)
    features, failure = features.astype(np.float32), hidden[:, :4].all(axis=1)
    tracemalloc.start()
    try:
        found = search(features, failure, most=1, starts=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.confirmed
    assert peak < features.nbytes


def test_what_is_planted_comes_back_on_halves_and_luck_does_not() -> None:
    features, failure, _ = planted(16)
    result = search(features, failure, resamples=3, most=3, starts=2)
    assert [rule.stability for rule in result.confirmed] == [1.0, 1.0]
    lucky = []
    for seed in range(12):
        rng = np.random.default_rng([17, seed])
        noise = search(rng.exponential(size=(200, 12)), rng.random(200) < 0.2, seed=seed, resamples=5, most=2, starts=1)
        lucky += [rule.stability for rule in noise.rules if rule.stability is not None]
    assert len(lucky) > 5
    assert np.mean(lucky) < 0.25


def test_halves_keep_blocks_together(monkeypatch: pytest.MonkeyPatch) -> None:
    features, failure, _ = planted(12, n=900)
    blocks = np.repeat(np.arange(900), 3)
    seen, own = [], stability.half_of_blocks

    def half(failure: np.ndarray, blocks: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
        seen.append((blocks, own(failure, blocks, rng)))
        return seen[-1][1]

    monkeypatch.setattr(stability, "half_of_blocks", half)
    rows, failed = np.repeat(features, 3, axis=0), np.repeat(failure, 3)
    result = search(rows, failed, blocks=blocks, seed=1, resamples=2, most=2, starts=1)
    assert result.rules
    assert all(rule.stability is not None for rule in result.confirmed)
    for given, chosen in seen:
        assert given is not None
        assert (np.unique(given[chosen], return_counts=True)[1] == 3).all()
    assert len(seen) == 2


def test_rules_are_distinct() -> None:
    features, failure, _ = planted(9)
    masks = [rule.holds(features) for rule in search(features, failure, most=8).rules]
    for i, one in enumerate(masks):
        for other in masks[:i]:
            assert (one & other).sum() < 0.5 * (one | other).sum()


def test_a_scale_of_the_features_changes_nothing_but_the_threshold() -> None:
    features, failure, _ = planted(10, n=1200)
    one, scaled = search(features, failure), search(features * 1000 + 5, failure)
    for rule, other in zip(one.rules, scaled.rules, strict=True):
        assert np.mean(rule.holds(features) == other.holds(features * 1000 + 5)) > 0.99


def test_text_names_the_features_with_most_part() -> None:
    features, failure, _ = planted(11)
    rule = search(features, failure).confirmed[0]
    weights = np.array(rule.direction.weights)
    assert np.linalg.norm(weights) == pytest.approx(1)
    strength = np.abs(weights) * features.std(axis=0)[list(rule.features)]
    assert strength.tolist() == sorted(strength, reverse=True)
    assert f"feature[{rule.features[0]}]" in str(rule)
    assert "confirmed" in str(rule)


@pytest.mark.parametrize("failures", [0, 5, 300])
def test_too_little_to_search_gives_no_rules(failures: int) -> None:
    features = np.random.default_rng(0).normal(size=(300, 5))
    result = search(features, np.arange(300) < failures)
    assert result.rules == []
    assert result.n_failures == failures
    assert "at least 10 are needed" in str(result.reason)


def test_constant_features_give_no_rules() -> None:
    assert search(np.ones((100, 3)), np.arange(100) % 2 == 0).confirmed == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 1.0}, r"share is 1\.0"),
        ({"alpha": 0}, "alpha is 0"),
        ({"delta": -0.1}, r"delta is -0\.1"),
        ({"penalty": 0}, "penalty is 0"),
        ({"most": 0}, "most is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"resamples": -1}, "resamples is -1"),
        ({"searched": np.ones(40, dtype=bool)}, "Expected images to search and others to confirm"),
        ({"searched": np.ones(39, dtype=bool)}, "searched has shape"),
    ],
)
def test_mistakes_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        search(np.zeros((40, 3)), np.arange(40) < 20, **arguments)


def test_features_that_are_not_finite_are_named() -> None:
    features = np.zeros((40, 3))
    features[7, 2] = np.nan
    with pytest.raises(BarlowError, match="Feature 2 of image 7 is nan"):
        search(features, np.arange(40) < 20)
