"""What one would use instead: the paper's tree, subgroup discovery, and the ideas of PlaneSpot and of Domino.

Each is given a `Case` and returns hypotheses, (n,) bool each, the most important first.
"""

from __future__ import annotations

import hashlib

import numpy as np
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from barlow_core.failure_modes import explain
from barlow_core.statistics.evidence import held_out_p
from benchmarks.blindspots.beam import best_subgroup, conditions
from benchmarks.blindspots.making import Case


def paper_tree(case: Case, *, depth: int, tau: float = 0.2, seed: int = 0) -> list[np.ndarray]:
    """Barlow as published: a tree for each label, its failure modes by importance value IV."""
    found: list[tuple[float, np.ndarray]] = []
    for label in (False, True):
        rows = np.flatnonzero(case.labels == label)
        if not case.failure[rows].any():
            continue
        analysis = explain(case.features[rows], case.failure[rows], depth=depth, tau=tau, estimator="binned", seed=seed)
        found += [
            (leaf.importance_value, _spread(rows, leaf.contains(case.features[rows]), len(case.labels)))
            for leaf in analysis.failure_modes
        ]
    return [mask for _, mask in sorted(found, key=lambda pair: -pair[0])]


def embed(features: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n, 2): the features in two dimensions by UMAP, scaled to [0, 1]. PlaneSpot uses scvis, for which UMAP stands in here."""
    from umap import UMAP  # installed for this benchmark alone

    key = hashlib.blake2b(np.ascontiguousarray(features).tobytes()).hexdigest()
    if key not in _PLANES:
        few = PCA(min(30, features.shape[1]), random_state=seed).fit_transform(features)
        plane = UMAP(n_epochs=200, random_state=seed, n_jobs=1).fit_transform(few)
        _PLANES[key] = (plane - plane.min(axis=0)) / np.ptp(plane, axis=0)
    return _PLANES[key]


_PLANES: dict[str, np.ndarray] = {}  # benchmarks of one world share their features
COMPONENTS = (1, 2, 3, 4, 6, 8, 10, 12)
LEAST_FAILURES = 10  # of a class that is looked at


def planespot(case: Case, *, weight: float = 0.5, seed: int = 0) -> list[np.ndarray]:
    """PlaneSpot: a Gaussian mixture over position in the plane and confidence; clusters by error rate times failures.

    Class by class, as the tree and the search: all blindspots lie in one class.

    Args:
        weight: of the confidence beside the two coordinates.
            BIC chooses the number of components.
    """
    found: list[tuple[float, np.ndarray]] = []
    for label in (False, True):
        rows = np.flatnonzero(case.labels == label)
        if case.failure[rows].sum() < LEAST_FAILURES:
            continue
        points = np.column_stack([embed(case.features[rows]), weight * case.confidence[rows]])
        fits = [GaussianMixture(k, random_state=seed).fit(points) for k in COMPONENTS]
        clusters = min(fits, key=lambda fit: fit.bic(points)).predict(points)
        for k in np.unique(clusters):
            inside = clusters == k
            failed = case.failure[rows][inside]
            found.append((float(failed.mean() * failed.sum()), _spread(rows, inside, len(case.labels))))
    return _failing([mask for _, mask in sorted(found, key=lambda pair: -pair[0])], case)


def domino(case: Case, *, components: int = 25, weight: float = 10.0, seed: int = 0, iterations: int = 100) -> list[np.ndarray]:
    """Domino: an error-aware mixture, p(embedding | slice) p(label | slice)^weight p(prediction | slice)^weight.

    Diagonal covariances, slices initialised in the cells of the confusion matrix, expectation maximisation. `domino` 0.1.5
    itself asks for scikit-learn 0.24.2, which has no wheels for the Pythons that Barlow supports.
    """
    rng = np.random.default_rng(seed)
    x = PCA(min(128, case.features.shape[1]), random_state=seed).fit_transform(case.features).astype(float)
    label = np.column_stack([~case.labels, case.labels]).astype(float)
    prediction = np.column_stack([1 - case.confidence, case.confidence])
    cell = np.arange(components) % 4
    start = (case.labels[:, None] == (cell >= 2)) & (case.predictions[:, None] == (cell % 2 == 1))
    share = start + rng.uniform(0, 1e-3, size=(len(x), components))
    share /= share.sum(axis=1, keepdims=True)
    previous = -np.inf
    for _ in range(iterations):
        total = share.sum(axis=0) + 1e-10
        means = share.T @ x / total[:, None]
        variance = share.T @ x**2 / total[:, None] - means**2 + 1e-6
        p_label, p_prediction = (share.T @ y / total[:, None] for y in (label, prediction))
        density = -0.5 * (
            (x**2) @ (1 / variance).T
            - 2 * x @ (means / variance).T
            + (means**2 / variance + np.log(2 * np.pi * variance)).sum(axis=1)
        )
        joint = (
            density
            + np.log(total / len(x))
            + weight * (np.log(label @ p_label.T + 1e-12) + np.log(prediction @ p_prediction.T + 1e-12))
        )
        evidence = logsumexp(joint, axis=1)
        share = np.exp(joint - evidence[:, None])
        if abs(evidence.mean() - previous) < 1e-3:
            break
        previous = evidence.mean()
    # Domino ranks slices by how far prediction and label differ in them.
    gap = np.abs(p_label - p_prediction)[:, 1]
    slices = share.argmax(axis=1)
    return _failing([slices == k for k in np.argsort(-gap) if (slices == k).any()], case)


def beam_search(
    case: Case, *, depth: int = 6, width: int = 20, rounds: int = 5, share: float = 0.7, alpha: float = 0.05, seed: int = 0
) -> list[np.ndarray]:
    """Subgroup discovery: beam search over thresholds of single features (`beam`), with sequential covering, label by label.

    The best subgroup of `share` of the images is kept where Fisher's exact test on the others has p <= alpha and ER - BER > 0.1
    there; then its images are taken out, and the next one is looked for, up to `rounds` times.
    """
    found: list[tuple[float, np.ndarray]] = []
    for label in (False, True):
        rows = np.flatnonzero(case.labels == label)
        features, failure = case.features[rows], case.failure[rows]
        if failure.sum() < LEAST_FAILURES:
            continue
        left, known = np.ones(len(rows), dtype=bool), np.random.default_rng([seed, label]).random(len(rows)) < share
        covers = conditions(features[known]).holds(features)
        for _ in range(rounds):
            part = left & known
            if failure[part].sum() < LEAST_FAILURES:
                break
            _, best = best_subgroup(covers[:, part], failure[part], depth=depth, width=width)
            inside = covers[list(best)].all(axis=0) & left
            held, all_held = inside & ~known, left & ~known
            n, f, all_n, all_f = (int(mask.sum()) for mask in (held, held & failure, all_held, all_held & failure))
            p = float(held_out_p(n, f, all_n, all_f)) if n else 1.0
            if p > alpha or f / n - all_f / all_n <= 0.1:
                break
            found.append((p, _spread(rows, inside, len(case.labels))))
            left &= ~inside
    return [mask for _, mask in sorted(found, key=lambda pair: pair[0])]


def _failing(masks: list[np.ndarray], case: Case) -> list[np.ndarray]:
    """Without clusters that fail no more than the rest by delta = 0.1, which neither method calls a finding."""
    return [mask for mask in masks if case.failure[mask].mean() > case.failure.mean() + 0.1]


def _spread(rows: np.ndarray, inside: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    mask[rows[inside]] = True
    return mask
