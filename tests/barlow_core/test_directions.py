"""Weighted sums of features."""

from __future__ import annotations

import numpy as np
import pytest

from barlow_core import directions
from barlow_core.directions import Direction
from barlow_core.errors import BarlowError


def test_a_feature_is_a_direction_with_one_weight() -> None:
    features = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    feature = Direction.of(2)
    assert feature.values(features).tolist() == features[:, 2].tolist()
    assert feature.slug == "2"
    assert Direction.of(feature) is feature


def test_sum_by_hand() -> None:
    direction = Direction((3, 0), (2.0, -0.5))
    assert direction.values(np.array([[4.0, 9, 9, 1.0], [0, 9, 9, 10]])).tolist() == [0.0, 20.0]
    assert str(direction) == "2.00 feature[3] - 0.50 feature[0]"


def test_rows_are_those_asked_for_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directions, "ROWS_AT_ONCE", 3)
    features = np.random.default_rng(0).normal(size=(11, 6)).astype(np.float32)
    rows = np.array([10, 0, 4, 4, 7])
    for columns in ((5, 1), (4, 0, 5, 2, 1)):
        weights = np.linspace(-1, 2, len(columns))
        direction = Direction(columns, tuple(weights.tolist()))
        expected = sum(w * features[:, c].astype(float) for c, w in zip(columns, weights, strict=True))
        assert direction.values(features) == pytest.approx(expected)
        assert direction.values(features, rows) == pytest.approx(expected[rows])


def test_names_tell_directions_apart() -> None:
    slugs = {Direction(features, weights).slug for features in ((1, 2), (2, 1)) for weights in ((0.6, 0.8), (0.8, 0.6))}
    assert len(slugs) == 4


@pytest.mark.parametrize(
    ("features", "weights"),
    [((), ()), ((1,), (1.0, 2.0)), ((1, 1), (1.0, 2.0)), ((-1,), (1.0,)), ((1,), (0.0,)), ((1,), (np.nan,))],
)
def test_what_is_no_direction_is_refused(features: tuple[int, ...], weights: tuple[float, ...]) -> None:
    with pytest.raises(BarlowError, match="Expected one or more features"):
        Direction(features, weights)
