from __future__ import annotations

import numpy as np
import pytest

from barlow_core import views
from barlow_core.analyses import explain_run
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Condition, Node
from barlow_core.run import Run


@pytest.fixture
def explained(ten: Run) -> Run:
    explain_run(ten, depth=1, workers=1)
    return ten


def test_a_distribution_by_hand(explained: Run) -> None:
    """Cats have feature 0 at 0, 1, 2 (failures) and 3, 6, 7 (successes)."""
    node = Node(1, (Condition(0, "<", 2.5), Condition(0, ">", 0.5), Condition(1, "<", 9.0)), 0, 0, 0.0, 0.0)
    found = views.distribution(explained, "label:cat", 0, node=node, bins=7)
    assert found.table["low"].tolist() == pytest.approx([0, 1, 2, 3, 4, 5, 6])
    assert found.table["high"].tolist() == pytest.approx([1, 2, 3, 4, 5, 6, 7])
    assert found.table["failures"].tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert found.table["successes"].tolist() == [0, 0, 0, 1, 0, 0, 2], "the last bin holds its upper end"
    assert found.table["error_rate"].iloc[3] == 0
    assert np.isnan(found.table["error_rate"].iloc[4])
    assert found.thresholds == (0.5, 2.5)
    assert (found.n_images, found.n_failures, found.n_zero) == (6, 3, 1)
    assert found.what == "Over the 6 searched images of label:cat, 3 failures among them."


def test_a_distribution_is_numpy_s_histogram(explained_run: Run) -> None:
    benchmark = explained_run.benchmark
    at = np.flatnonzero(benchmark.labels == 2)
    for feature in range(12):
        values = explained_run.features()[at, feature].astype(np.float64)
        found = views.distribution(explained_run, "label:truck", feature, bins=9)
        counts, edges = np.histogram(values, bins=9)
        assert (found.table["failures"] + found.table["successes"]).tolist() == counts.tolist()
        assert np.append(found.table["low"], values.max()).tolist() == pytest.approx(edges.tolist())


def test_a_feature_that_never_varies_has_one_bin(explained: Run) -> None:
    found = views.distribution(explained, "label:cat", 2)
    assert found.table[["low", "high", "failures", "successes"]].to_numpy().tolist() == [[1.0, 1.0, 3, 3]]


def test_extremes_by_hand(explained: Run) -> None:
    lowest, highest = views.extremes(explained, "label:cat", 3, n=3)
    assert lowest["position"].tolist() == [3, 4, 5], "4 and 5 have the same value"
    assert highest["position"].tolist() == [2, 0, 1]
    assert highest["feature[3]"].tolist() == [9.0, 5.0, 3.0]
    assert len(views.extremes(explained, "label:cat", 3, n=99)[0]) == 6


def test_similar_features_by_hand(explained: Run) -> None:
    found = views.similar_features(explained, "label:cat", 0)
    assert found.table["feature"].tolist() == [1, 3], "not itself, and not the one that never varies"
    assert found.table["correlation"].iloc[0] == pytest.approx(-1.0)
    values = explained.features()[:6].astype(np.float64)
    assert found.table["correlation"].iloc[1] == pytest.approx(np.corrcoef(values[:, 0], values[:, 3])[0, 1])
    assert found.what == "Over 6 searched images of label:cat."
    assert views.similar_features(explained, "label:cat", 2).table.empty


def test_similar_features_of_a_large_group_are_measured_on_some_of_it(explained_run: Run) -> None:
    found = views.similar_features(explained_run, "label:truck", 0, sample=10, seed=3)
    assert found.n_images == 10
    assert found.what == "Over 10 searched images of label:truck, drawn at random from 40 (seed 3)."
    assert found.table.equals(views.similar_features(explained_run, "label:truck", 0, sample=10, seed=3).table)


def test_correlations_are_numpy_s() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((40, 300)).astype(np.float16) + np.float16(100)
    expected = np.corrcoef(features.astype(np.float64), features[:, 7].astype(np.float64), rowvar=False)[-1, :-1]
    np.testing.assert_allclose(views.correlations(features, features[:, 7]), expected, atol=1e-12)
    assert np.isnan(views.correlations(np.ones((3, 2)), np.arange(3.0))).all()
    assert np.isnan(views.correlations(np.ones((0, 2)), np.zeros(0))).all()


def test_values_of_an_image_by_hand(explained: Run) -> None:
    table = views.values_of_image(explained, "label:cat", 4, [3, 0])
    assert table["feature"].tolist() == [3, 0]
    three, zero = (row for _, row in table.iterrows())
    assert (zero["value"], zero["share_below"], zero["lowest"], zero["highest"]) == (6.0, 4 / 6, 0.0, 7.0)
    assert (zero["mean_failures"], zero["mean_successes"]) == (1.0, pytest.approx(16 / 3))
    assert three["share_below"] == 1 / 6
    # An image of another group: its own values beside that group's.
    assert views.values_of_image(explained, "label:cat", 7, [0])["share_below"].tolist() == [1.0]


def test_what_does_not_exist_is_named(explained: Run) -> None:
    for call in (views.distribution, views.extremes, views.similar_features):
        with pytest.raises(BarlowError, match="Feature 4 does not exist"):
            call(explained, "label:cat", 4)
    with pytest.raises(BarlowError, match="No class is called 'bird'"):
        views.distribution(explained, "label:bird", 0)
    with pytest.raises(BarlowError, match="bins is 0"):
        views.distribution(explained, "label:cat", 0, bins=0)
