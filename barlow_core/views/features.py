"""A feature within a group: how its values lie among failures and successes, its extremes, and the features that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from barlow_core.analyses import load_result, searched_group
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Condition, Node
from barlow_core.run import Run
from barlow_core.views.images import images_at
from barlow_core.wording import count

BLOCK = 256  # columns that are correlated at a time


class Distribution(NamedTuple):
    """The values of a feature over the searched images of a group.

    Attributes:
        table: low, high (of the bin; the last one holds its upper end), failures, successes, error_rate (NaN in an empty bin).
        thresholds: of the rule on this feature, increasing.
        n_images, n_failures, n_zero: how many there are, fail, and have exactly 0.
        what: a sentence that says what it was measured on.
    """

    table: pd.DataFrame
    thresholds: tuple[float, ...]
    n_images: int
    n_failures: int
    n_zero: int
    what: str


class Similar(NamedTuple):
    """Features that go with another.

    Attributes:
        table: feature, correlation (Pearson r, from -1 to 1), selected (whether the group's tree could choose it); the
            largest |r| first.
        n_images: that it was measured on.
        what: a sentence that says on which.
    """

    table: pd.DataFrame
    n_images: int
    what: str


def values_of_image(run: Run, key: str, position: int, features: Sequence[int]) -> pd.DataFrame:
    """The features of one image beside those of a group, in the order of `features`.

    Returns:
        feature, value; and over the searched images of the group share_below (of those with a lower value), lowest, highest,
        mean_failures, mean_successes (NaN where there is none).

    Raises:
        BarlowError: the group, the image or a feature does not exist.
    """
    values = images_at(run, [position], features=features).iloc[0]
    indices = searched_group(run, key).indices
    failure = run.benchmark.failure[indices]
    wanted = np.array(list(dict.fromkeys(features)), dtype=np.int64)
    columns = np.asarray(run.features()[np.ix_(indices, wanted)], dtype=np.float64)
    rows = []
    for feature, column in zip(wanted.tolist(), columns.T, strict=True):
        value = float(values[f"feature[{feature}]"])
        rows.append(
            {
                "feature": feature,
                "value": value,
                "share_below": float((column < value).mean()) if len(column) else np.nan,
                "lowest": float(column.min()) if len(column) else np.nan,
                "highest": float(column.max()) if len(column) else np.nan,
                "mean_failures": _mean(column[failure]),
                "mean_successes": _mean(column[~failure]),
            }
        )
    return pd.DataFrame(rows)


def distribution(run: Run, key: str, feature: int, *, node: Node | None = None, bins: int = 30) -> Distribution:
    """How the values of a feature lie among the failures and the successes of a group.

    Args:
        node: whose thresholds on this feature are given, too.
        bins: of equal width, from the lowest value to the highest; one where all values are equal.

    Raises:
        BarlowError: the group or the feature does not exist, or fewer than one bin.
    """
    if bins < 1:
        raise BarlowError(f"bins is {bins}. Expected at least 1.")
    indices = searched_group(run, key).indices
    failure = run.benchmark.failure[indices]
    values = _column(run, indices, feature)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    edges = np.linspace(low, high, bins + 1) if high > low else np.array([low, high])
    # A value goes into the bin that it is in by the edges that are given: rounding must not move one across.
    position = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    failures = np.bincount(position[failure], minlength=len(edges) - 1)
    successes = np.bincount(position[~failure], minlength=len(edges) - 1)
    whole = failures + successes
    table = pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "failures": failures,
            "successes": successes,
            "error_rate": np.divide(failures, whole, out=np.full(len(whole), np.nan), where=whole > 0),
        }
    )
    conditions = () if node is None else node.conditions
    n_failures = int(failure.sum())
    return Distribution(
        table=table,
        thresholds=tuple(
            sorted(
                condition.threshold
                for condition in conditions
                if isinstance(condition, Condition) and condition.feature == feature
            )
        ),
        n_images=len(values),
        n_failures=n_failures,
        n_zero=int((values == 0).sum()),
        what=f"Over the {count(len(values), 'searched image')} of {key}, {count(n_failures, 'failure')} among them.",
    )


def extremes(run: Run, key: str, feature: int, *, n: int = 12) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The searched images of a group with the lowest and the highest values of a feature, the most extreme first.

    Returns:
        Two tables as of `images_at`, of `n` images or all there are; equal values by position.
    """
    indices = searched_group(run, key).indices
    values = _column(run, indices, feature)
    lowest, highest = np.argsort(values, kind="stable")[:n], np.argsort(-values, kind="stable")[:n]
    return images_at(run, indices[lowest], features=[feature]), images_at(run, indices[highest], features=[feature])


def similar_features(run: Run, key: str, feature: int, *, n: int = 10, sample: int = 5000, seed: int = 0) -> Similar:
    """The features whose values rise or fall most with those of another, over the searched images of a group.

    Args:
        n: how many.
        sample: most images to read; of a larger group, as many are drawn at random.
        seed: of the draw.

    Raises:
        BarlowError: the group or the feature does not exist.

    Memory: sample * D numbers as stored.
    """
    indices = searched_group(run, key).indices
    whole = len(indices)
    if whole > sample:
        indices = np.sort(np.random.default_rng(seed).choice(indices, sample, replace=False))
    features = run.features()
    _check(feature, features.shape[1])
    rows = features[indices]
    correlation = correlations(rows, rows[:, feature])
    correlation[feature] = np.nan  # itself
    order = np.argsort(-np.abs(correlation), kind="stable")  # NaN, of features that do not vary, last
    order = order[: np.isfinite(correlation).sum()][:n]
    selected = {number for number, _ in load_result(run, key).features}
    table = pd.DataFrame(
        {
            "feature": order.astype(np.int64),
            "correlation": correlation[order],
            "selected": [int(number) in selected for number in order],
        }
    )
    drawn = "" if len(indices) == whole else f", drawn at random from {whole:,} (seed {seed})"
    return Similar(table, len(indices), f"Over {count(len(indices), 'searched image')} of {key}{drawn}.")


def correlations(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Pearson's r of every column of `features`, (n, D), with `values`, (n,): (D,) float64; NaN where one does not vary."""
    centred = np.asarray(values, dtype=np.float64) - np.mean(values, dtype=np.float64) if len(values) else np.zeros(0)
    length = np.sqrt(centred @ centred)
    found = np.full(features.shape[1], np.nan)
    for start in range(0, features.shape[1], BLOCK):
        block = np.asarray(features[:, start : start + BLOCK], dtype=np.float64)
        block = block - block.mean(axis=0) if len(block) else block
        lengths = np.sqrt((block**2).sum(axis=0)) * length
        np.divide(centred @ block, lengths, out=found[start : start + BLOCK], where=lengths > 0)
    return found


def _column(run: Run, indices: np.ndarray, feature: int) -> np.ndarray:
    """One feature of some images, float64."""
    features = run.features()
    _check(feature, features.shape[1])
    return np.asarray(features[indices, feature], dtype=np.float64)


def _check(feature: int, n_features: int) -> None:
    if not 0 <= feature < n_features:
        raise BarlowError(f"Feature {feature} does not exist. Expected an index from 0 to {n_features - 1}.")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
