"""Mutual information between each feature and failure (paper, section 5, feature selection).

Two estimators: "knn", the nearest-neighbour estimator that the paper uses (`barlow_core.information.knn`), and "binned", which
is faster, has no random part, and copes with features that are silent on most images (`barlow_core.information.binned`).
docs/estimators.md compares them.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.information.binned import BinnedInformation
from barlow_core.information.knn import NearestNeighbours

ESTIMATORS = ("knn", "binned")


def mutual_information(
    features: np.ndarray,
    failure: np.ndarray,
    *,
    estimator: str = "knn",
    n_neighbors: int = 3,
    seed: int = 0,
    threads: int = 1,
) -> np.ndarray:
    """Estimate I(failure; feature) for every feature.

    Args:
        features: (n, D) real numbers.
        failure: (n,) bool, True where the classifier is wrong.
        estimator: "knn", the nearest-neighbour estimator of Ross (2014), bit for bit as scikit-learn's `mutual_info_classif`
            computes it; or "binned", which takes no neighbours, no seed and no threads. The default is the paper's and stays
            it, so that numbers of scripts that call this function can be compared with the paper's and with scikit-learn's.
            `explain` takes "binned" by default: its features hold on other images as well, are found there again more often
            in large groups, and depend on no seed (docs/estimators.md).
        n_neighbors: neighbours of the k-NN estimator.
        seed: of the small noise that this estimator adds to break ties.
        threads: that share its work; the result does not depend on them.

    Returns:
        (D,) float64, nats, at least 0. All zero where failure does not vary, or with fewer than two images:
        there is nothing to be informed about.

    Raises:
        BarlowError: an unknown estimator, settings out of range, or inputs that do not fit.

    Both costs grow with D * n log n. For 1300 images with 2048 features on one core: about 0.2 s for "knn", 0.05 s for "binned".
    """
    features, failure = check_inputs(features, failure)
    return _make(features, estimator, n_neighbors, seed, threads, once=True)(failure)


class Estimator(Protocol):
    """Mutual information of fixed features with one failure after another; made by `prepare`."""

    def __call__(self, failure: np.ndarray) -> np.ndarray:
        """For failure, (n,) bool: (D,) float64, exactly what `mutual_information` gives."""

    def many(self, failures: np.ndarray) -> np.ndarray:
        """For failures, (P, n) bool, one a row: (P, D) float64."""


def prepare(features: np.ndarray, *, estimator: str = "knn", n_neighbors: int = 3, seed: int = 0, threads: int = 1) -> Estimator:
    """Do once what `mutual_information` does with the features alone, for many failures over the same features.

    Args:
        (all): as for `mutual_information`. The estimator may read `features` again: leave them as they are.

    Returns:
        An `Estimator`. It keeps a byte a number for "binned", and 12 for "knn" up to 256 MiB, beyond which it sorts again.

    Raises:
        BarlowError: as `mutual_information`; on a call, where a failure does not fit the features.
    """
    return _Checked(_make(check_features(features), estimator, n_neighbors, seed, threads, once=False), len(features))


def _make(features: np.ndarray, estimator: str, n_neighbors: int, seed: int, threads: int, *, once: bool) -> Estimator:
    if estimator not in ESTIMATORS:
        raise BarlowError(f"Unknown estimator {estimator!r} of mutual information. Expected one of: {', '.join(ESTIMATORS)}.")
    for name, value, low, high in (
        ("n_neighbors", n_neighbors, 1, None),
        ("seed", seed, 0, 2**32 - 1),
        ("threads", threads, 1, None),
    ):
        if value < low or (high is not None and value > high):
            upper = "" if high is None else f" and at most {high}"
            raise BarlowError(f"{name} is {value}. Expected a whole number of at least {low}{upper}.")
    if estimator == "binned":
        return BinnedInformation(features)
    kept = {"keep": 0} if once else {}
    return NearestNeighbours(features, n_neighbors=n_neighbors, seed=seed, threads=threads, **kept)


class _Checked:
    """An estimator that looks at what it is asked before it answers."""

    def __init__(self, estimator: Estimator, n: int):
        self._estimator = estimator
        self._n = n

    def __call__(self, failure: np.ndarray) -> np.ndarray:
        failure = np.asarray(failure)
        if failure.shape != (self._n,):
            raise BarlowError(f"failure has shape {failure.shape}. Expected ({self._n},): one flag per image.")
        return self._estimator(_flags(failure))

    def many(self, failures: np.ndarray) -> np.ndarray:
        failures = np.asarray(failures)
        if failures.ndim != 2 or failures.shape[1] != self._n:
            raise BarlowError(f"failures has shape {failures.shape}. Expected (P, {self._n}): one row of flags per failure.")
        return self._estimator.many(_flags(failures))


def check_inputs(features: np.ndarray, failure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features as (n, D) and failure as (n,) bool, or say what does not fit.

    Raises:
        BarlowError: wrong shapes, different lengths, values as for `check_features`, or a failure that is not True or False.
    """
    features, failure = np.asarray(features), np.asarray(failure)
    if features.ndim != 2 or failure.shape != features.shape[:1]:
        raise BarlowError(
            f"Features have shape {features.shape} and failure {failure.shape}. Expected (n, D) and (n,): one row and one flag per image."
        )
    return check_features(features), _flags(failure)


def check_features(features: np.ndarray) -> np.ndarray:
    """Return features as (n, D) real numbers that float32, in which trees compare them, can hold; or say what does not fit.

    Raises:
        BarlowError: another shape, no numbers, or values that are not finite, or not as float32 (beyond about 3.4e38).
    """
    features = np.asarray(features)
    if features.ndim != 2:
        raise BarlowError(f"Features have shape {features.shape}. Expected (n, D): one row per image.")
    if features.dtype.kind not in "fiub":
        raise BarlowError(f"Features are of type {features.dtype}. Expected real numbers.")
    rows = max(1, (1 << 22) // max(1, features.shape[1]))
    for start in range(0, len(features), rows):
        with np.errstate(over="ignore"):
            bad = ~np.isfinite(features[start : start + rows].astype(np.float32, copy=False))
        if bad.any():
            row, column = np.argwhere(bad)[0]
            value = features[start + row, column]
            expected = (
                f"numbers within float32's range (±{np.finfo(np.float32).max:.2g}): scale the features"
                if np.isfinite(value)
                else "finite numbers: extract the features again"
            )
            raise BarlowError(f"Feature {column} of image {start + row} is {value}. Expected {expected}.")
    return features


def _flags(failure: np.ndarray) -> np.ndarray:
    if failure.dtype != np.bool_ and not np.isin(failure, (0, 1)).all():
        raise BarlowError(
            f"failure holds {failure.dtype} values other than 0 and 1. Expected True where the classifier is wrong."
        )
    return failure.astype(bool)
