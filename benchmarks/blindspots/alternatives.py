"""What one would use instead: the paper's tree, and the ideas of PlaneSpot and of Domino.

Each is given a `Case` and returns hypotheses, (n,) bool each, the most important first.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture

from barlow_core.failure_modes import explain
from benchmarks.blindspots.making import Case


def paper_tree(case: Case, *, depth: int, tau: float = 0.2, seed: int = 0) -> list[np.ndarray]:
    """Barlow as published: a tree for each label, its failure modes by importance value IV."""
    found: list[tuple[float, np.ndarray]] = []
    for label in (False, True):
        rows = np.flatnonzero(case.labels == label)
        if not case.failure[rows].any():
            continue
        analysis = explain(case.features[rows], case.failure[rows], depth=depth, tau=tau, seed=seed)
        found += [
            (leaf.importance_value, _spread(rows, leaf.contains(case.features[rows]), len(case.labels)))
            for leaf in analysis.failure_modes
        ]
    return [mask for _, mask in sorted(found, key=lambda pair: -pair[0])]


def embed(features: np.ndarray, *, method: str, seed: int) -> np.ndarray:
    """(n, 2): the features in two dimensions. PlaneSpot uses scvis, for which "umap" or "tsne" stand in."""
    few = PCA(min(30, features.shape[1]), random_state=seed).fit_transform(features)
    if method == "umap":
        from umap import UMAP  # an optional package of this benchmark alone

        return UMAP(random_state=seed, n_jobs=1).fit_transform(few)
    return TSNE(random_state=seed, init="pca", n_jobs=1).fit_transform(few)


def planespot(case: Case, plane: np.ndarray, *, weight: float, most: int = 10, seed: int = 0) -> list[np.ndarray]:
    """PlaneSpot: a Gaussian mixture over position in the plane and confidence, clusters by error rate times failures.

    Args:
        plane: (n, 2), from `embed`; scaled to [0, 1] here.
        weight: of the confidence beside the two coordinates.
        most: components at most; BIC chooses among 1 to that many... and all of them are ranked.
    """
    low, high = plane.min(axis=0), plane.max(axis=0)
    points = np.column_stack([(plane - low) / (high - low), weight * case.confidence])
    fits = [GaussianMixture(k, random_state=seed).fit(points) for k in range(1, most + 1)]
    best = min(fits, key=lambda fit: fit.bic(points))
    return _ranked(best.predict(points), case.failure)


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
    return [slices == k for k in np.argsort(-gap) if (slices == k).any()]


def _ranked(clusters: np.ndarray, failure: np.ndarray) -> list[np.ndarray]:
    masks = [clusters == k for k in np.unique(clusters)]
    return sorted(masks, key=lambda mask: -float(failure[mask].mean() * failure[mask].sum()))


def _spread(rows: np.ndarray, inside: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    mask[rows[inside]] = True
    return mask
