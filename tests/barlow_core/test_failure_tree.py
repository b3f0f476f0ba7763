from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from barlow_core.failure_tree import (
    Condition,
    FailureTree,
    Node,
    fit,
    fold,
    rule_text,
    short_threshold,
    smallest_leaf,
    threshold_text,
)


def two_leaves(below: tuple[int, int], above: tuple[int, int]) -> FailureTree:
    """A tree of depth 1 with the given (failures, images) in each leaf."""
    values = np.repeat([0.0, 1.0], [below[1], above[1]])[:, None]
    failure = np.concatenate([np.arange(below[1]) < below[0], np.arange(above[1]) < above[0]])
    return fit(values, failure, [7], depth=1)


def test_figure_5() -> None:
    """The paper's example: BER 0.2, leaf 1 with ER 0.454, ALER 0.291; worked out with 50 of 110 and 50 of 390 images failing."""
    tree = two_leaves((50, 110), (50, 390))
    leaf = tree.leaves[0]
    assert tree.ber == 0.2
    assert leaf.error_rate == pytest.approx(0.4545, abs=1e-4)
    assert leaf.error_coverage == 0.5
    assert tree.aler == pytest.approx(0.5 * 50 / 110 + 0.5 * 50 / 390)
    assert tree.aler == pytest.approx(0.291, abs=5e-4)
    assert leaf.importance_value == pytest.approx(0.5 * 50 / 110)


@st.composite
def groups(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 60))
    d = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = rng.integers(0, draw(st.integers(1, 8)) + 1, size=(n, d)).astype(np.float32)
    return features, rng.random(n) < draw(st.floats(0, 1))


@settings(max_examples=150, deadline=None)
@given(groups(), st.integers(1, 3), st.booleans(), st.integers(1, 5))
def test_measures_of_any_tree(group: tuple[np.ndarray, np.ndarray], depth: int, weighted: bool, min_leaf: int) -> None:
    features, failure = group
    tree = fit(features, failure, range(features.shape[1]), depth=depth, weighted=weighted, min_leaf=min_leaf)
    leaves = tree.leaves
    assert sum(leaf.n_images for leaf in leaves) == len(failure)
    assert sum(leaf.n_failures for leaf in leaves) == failure.sum()
    assert all(leaf.n_images >= min(min_leaf, len(failure)) for leaf in leaves)
    if failure.any():
        assert sum(leaf.error_coverage for leaf in leaves) == pytest.approx(1)
        assert tree.aler >= tree.ber - 1e-12  # Jensen
        assert max(leaf.error_rate for leaf in leaves) >= tree.aler - 1e-12  # Proposition 1
    else:
        assert (tree.aler, tree.ber) == (0, 0)
    for node in tree.root:  # A node's folded conditions select exactly the images that were counted in it.
        inside = node.contains(features)
        assert (inside.sum(), failure[inside].sum()) == (node.n_images, node.n_failures)
    assert FailureTree(Node.from_dict(json.loads(json.dumps(tree.root.to_dict())))) == tree
    assert [node.number for node in tree.root] == list(range(len(list(tree.root))))


def test_same_splits_as_scikit_learn() -> None:
    """The oracle: a weighted entropy tree fitted directly, its leaves compared image by image."""
    rng = np.random.default_rng(1)
    features = rng.exponential(size=(400, 5)).astype(np.float32)
    failure = rng.random(400) < np.where(features[:, 2] < 0.5, 0.6, 0.1)
    tree = fit(features, failure, range(5), depth=3, seed=3)
    weight = (~failure).sum() / failure.sum()
    oracle = DecisionTreeClassifier(criterion="entropy", max_depth=3, random_state=3, class_weight={False: 1, True: weight})
    member = oracle.fit(features, failure).apply(features)
    ours = {frozenset(np.flatnonzero(leaf.contains(features))) for leaf in tree.leaves}
    assert ours == {frozenset(np.flatnonzero(member == number)) for number in np.unique(member)}


@st.composite
def neighbouring_values(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Features whose values are a few float32 numbers next to each other, among which a float32 threshold has no room."""
    n, d = draw(st.integers(2, 60)), draw(st.integers(1, 3))
    first = np.float32(draw(st.floats(1, 8, width=32)) * 2.0 ** draw(st.integers(0, 20)))
    values = [first]
    for _ in range(draw(st.integers(1, 4))):
        values.append(np.nextafter(values[-1], np.float32(np.inf)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = np.array(values, dtype=np.float32)[rng.integers(len(values), size=(n, d))]
    return features, rng.random(n) < np.where(features[:, 0] > first, 0.7, 0.2)


@settings(max_examples=300, deadline=None)
@given(neighbouring_values())
def test_neighbouring_float32_values_fall_as_in_scikit_learn(group: tuple[np.ndarray, np.ndarray]) -> None:
    features, failure = group
    tree = fit(features, failure, range(features.shape[1]), weighted=False)
    oracle = DecisionTreeClassifier(criterion="entropy", max_depth=3, random_state=0).fit(features, failure)
    member = oracle.apply(features)
    ours = {frozenset(np.flatnonzero(leaf.contains(features))) for leaf in tree.leaves}
    assert ours == {frozenset(np.flatnonzero(member == number)) for number in np.unique(member)}
    for node in tree.root:
        inside = node.contains(features)
        assert (inside.sum(), failure[inside].sum()) == (node.n_images, node.n_failures)


def test_two_float32_values_next_to_each_other() -> None:
    """60 images with 5 failures at one value, 40 with 35 at the next: the rule of the second holds 40 images, not none."""
    low = np.float32(2.9072573)
    features = np.repeat([low, np.nextafter(low, np.float32(3))], [60, 40])[:, None]
    failure = np.concatenate([np.arange(60) < 5, np.arange(40) < 35])
    best = fit(features, failure, [0], depth=1).leaves[0]
    assert (best.n_images, best.n_failures) == (40, 35)
    assert best.contains(features).sum() == 40


@settings(max_examples=30, deadline=None)
@given(groups())
def test_monotone_transforms_do_not_change_the_leaves(group: tuple[np.ndarray, np.ndarray]) -> None:
    features, failure = group
    plain = fit(features, failure, range(features.shape[1]))
    bent = fit(features**3 + 2 * features, failure, range(features.shape[1]))
    assert [(leaf.n_images, leaf.n_failures) for leaf in plain.leaves] == [
        (leaf.n_images, leaf.n_failures) for leaf in bent.leaves
    ]


def test_weighing_failures_changes_which_split_is_best() -> None:
    """50 failures in 1000. Feature 0 isolates 15 of them, pure; feature 1 gathers 45 of them among 400 images.

    Gains by hand, in bits: unweighted 0.069 and 0.042, with both outcomes counting alike 0.169 and 0.234.
    """
    failure = np.arange(1000) < 50
    isolates = np.arange(1000) < 15
    gathers = (np.arange(1000) < 45) | (np.arange(1000) >= 1000 - 355)
    features = np.stack([isolates, gathers], axis=1).astype(np.float32)
    chosen = {weighted: fit(features, failure, [0, 1], depth=1, weighted=weighted).root.split for weighted in (True, False)}
    assert chosen == {False: Condition(0, "<", 0.5), True: Condition(1, "<", 0.5)}


def test_indices_are_the_extractors_not_the_selections() -> None:
    tree = fit(np.array([[5.0, 0.0], [6.0, 0.0], [5.5, 1.0], [6.5, 1.0]]), np.array([True, True, False, False]), [1634, 12])
    assert str(tree.root.split) == "feature[12] < 0.5000"


def test_repeated_conditions_fold() -> None:
    path = [
        Condition(3, "<", 0.9),
        Condition(1, ">", 2.0),
        Condition(3, "<", 0.4),
        Condition(3, ">", 0.1),
        Condition(1, ">", 2.5),
    ]
    folded = fold(path)
    assert folded == (Condition(3, "<", 0.4), Condition(1, ">", 2.5), Condition(3, ">", 0.1))
    assert rule_text(folded) == "0.1000 < feature[3] < 0.4000 and feature[1] > 2.5000"
    assert rule_text(()) == "all images"


def test_thresholds_close_to_each_other_stay_apart() -> None:
    assert rule_text((Condition(3, ">", 0.50001), Condition(3, "<", 0.50004))) == "0.50001 < feature[3] < 0.50004"


@pytest.mark.parametrize(
    ("low", "high", "middle", "rounded"),
    [
        (0.31, 0.33, 0.32049999, 0.3205),  # four decimals are enough
        (0.500005, 0.500025, 0.500015, 0.50001),  # 0.5000 would send the lower value up: five are needed
        (0.50003, 0.50005, 0.50004, 0.50004),
        (0.0, 0.0004, 0.0002, 0.0002),
        (0.004311, 0.004318, 0.0043145, 0.004314),  # three significant digits round to 0.00431, which is too low
        (2.0, 2.00002, 2.00001, 2.0),  # a value on the threshold is below it
    ],
)
def test_as_many_digits_as_keep_every_image_on_its_side(low: float, high: float, middle: float, rounded: float) -> None:
    assert short_threshold(low, high, middle) == rounded


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e6, 1e6, width=32), st.integers(1, 1000))
def test_a_rule_as_printed_selects_the_same_images(low: float, steps: int) -> None:
    values = np.array([low, low], dtype=np.float32)
    for _ in range(steps):
        values[1] = np.nextafter(values[1], np.float32(np.inf))
    features, failure = np.repeat(values, 10)[:, None], np.arange(20) < 9
    leaf = fit(features, failure, [4], depth=1).leaves[0]
    assume(leaf.conditions)  # scikit-learn takes values closer than 1e-7 for equal
    printed = float(leaf.rule.split()[-1])
    assert (features[:, 0] <= np.float64(printed)).sum() == 10


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.3779, "1.3779"),
        (0.0000432, "4.32e-05"),
        (0.0, "0.0000"),
        (-0.00123, "-0.00123"),
        (0.50001, "0.50001"),
        (1e30, f"{1e30:.4f}"),
    ],
)
def test_small_thresholds_stay_visible(value: float, text: str) -> None:
    assert threshold_text(value) == text


def test_tree_as_text() -> None:
    assert str(two_leaves((3, 4), (1, 6))).splitlines() == [
        "all images  ER 0.4000  EC 1.0000  (4/10)",
        "  feature[7] < 0.5000  ER 0.7500  EC 0.7500  (3/4)",
        "  feature[7] > 0.5000  ER 0.1667  EC 0.2500  (1/6)",
    ]


@pytest.mark.parametrize(("n_images", "fewest"), [(1, 5), (250, 5), (251, 6), (300, 6), (1000, 20), (1001, 21)])
def test_the_smallest_leaf_is_five_images_or_two_percent(n_images: int, fewest: int) -> None:
    assert smallest_leaf(n_images) == fewest


def test_a_tree_without_min_leaf_has_leaves_that_suit_the_group() -> None:
    rng = np.random.default_rng(0)
    features, failure = rng.random((400, 5)).astype(np.float32), rng.random(400) < 0.2
    assert min(leaf.n_images for leaf in fit(features, failure, range(5), depth=6).leaves) < 8
    assert min(leaf.n_images for leaf in fit(features, failure, range(5), depth=6, min_leaf=None).leaves) >= 8
