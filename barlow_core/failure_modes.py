"""Algorithm 1 of the paper: select features by mutual information, fit a tree, report the leaves where errors concentrate.

This is for one group in memory; `analyses.explain_run` does it for all groups of a run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from barlow_core import failure_tree
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import FailureTree, Node
from barlow_core.information import ESTIMATORS, check_inputs, mutual_information

DEEPEST = 10


@dataclass(frozen=True)
class Settings:
    """What decides which failure modes are found; the defaults are the paper's, but for the estimator (docs/estimators.md says why).

    Attributes:
        k: how many features to select by mutual information with failure.
        depth: most splits from the root of the tree to a leaf.
        delta: a failure mode has ER > BER + delta.
        tau: a failure mode has EC > tau.
        estimator, n_neighbors: of the mutual information; "knn" is the paper's.
        weighted: weigh failures by n_success / n_failure in the tree.
        min_leaf: fewest images in a leaf; None for a number that suits each group (`failure_tree.smallest_leaf`).
        seed: of the estimator's noise and of the tree's choice between equal splits.
    """

    k: int = 20
    depth: int = 3
    delta: float = 0.1
    tau: float = 0.2
    estimator: str = "binned"
    n_neighbors: int = 3
    weighted: bool = True
    min_leaf: int | None = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("k", 1), ("depth", 1), ("n_neighbors", 1), ("min_leaf", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise BarlowError(f"{name} is {value}. Expected a whole number of at least {low}.")
        if self.depth > DEEPEST:
            raise BarlowError(
                f"depth is {self.depth}. Expected at most {DEEPEST}: nobody reads a rule of more conditions, and the paper's have 1 to 3."
            )
        for name in ("delta", "tau"):
            if not 0 <= getattr(self, name) <= 1:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a share between 0 and 1.")
        if self.estimator not in ESTIMATORS:
            raise BarlowError(f"Unknown estimator {self.estimator!r}. Expected one of: {', '.join(ESTIMATORS)}.")


@dataclass(frozen=True)
class FailureAnalysis:
    """What explains the failures of one group.

    Attributes:
        tree: over the selected features.
        features: (k,) int64, the selected features, most informative first.
        information: (k,) float64, their mutual information with failure, in nats.
        settings: how it was found.
        reason: why there is nothing to find, for a group that cannot be explained; else None.
    """

    tree: FailureTree
    features: np.ndarray
    information: np.ndarray
    settings: Settings
    reason: str | None = None

    @property
    def n_images(self) -> int:
        return self.tree.root.n_images

    @property
    def n_failures(self) -> int:
        return self.tree.root.n_failures

    @property
    def ber(self) -> float:
        """Base error rate of the group (Definition 3)."""
        return self.tree.ber

    @property
    def aler(self) -> float:
        """Average leaf error rate of the tree (Definition 4)."""
        return self.tree.aler

    @property
    def leaves(self) -> list[Node]:
        """All leaves, highest importance value first."""
        return self.tree.leaves

    @cached_property
    def failure_modes(self) -> list[Node]:
        """The leaves with ER > BER + delta and EC > tau (Algorithm 1), highest importance value first."""
        return failure_modes(self.tree, delta=self.settings.delta, tau=self.settings.tau)

    def __repr__(self) -> str:
        head = f"{self.n_failures:,} failures in {self.n_images:,} images, BER {self.ber:.4f}, ALER {self.aler:.4f}"
        if self.reason:
            return f"FailureAnalysis: {head}; nothing to explain: {self.reason}"
        modes = [f"  {mode} ({mode.error_rate - self.ber:+.4f} over BER)" for mode in self.failure_modes]
        return "\n".join([f"FailureAnalysis: {head}, {len(modes)} failure modes", *modes])


def failure_modes(tree: FailureTree, *, delta: float = 0.1, tau: float = 0.2) -> list[Node]:
    """The leaves of `tree` with ER > BER + delta and EC > tau, highest importance value first (Algorithm 1)."""
    return [
        leaf
        for leaf in tree.leaves
        if is_failure_mode(leaf.n_images, leaf.n_failures, tree.root.n_images, tree.root.n_failures, delta=delta, tau=tau)
    ]


def is_failure_mode(
    n_images: int, n_failures: int, group_images: int, group_failures: int, *, delta: float = 0.1, tau: float = 0.2
) -> bool:
    """Whether ER > BER + delta and EC > tau (Algorithm 1), in whole numbers: no rounding makes an equality pass.

    Args:
        n_images, n_failures: of the leaf. A leaf without images, or in a group without failures, is none.
        group_images, group_failures: of its group.
        delta, tau: in [0, 1], meant as the decimal that they are written as: 0.1 is one tenth.
    """
    if not n_images or not group_failures:
        return False
    increase, coverage = (Fraction(str(float(bound))) for bound in (delta, tau))
    above = (n_failures * group_images - group_failures * n_images) * increase.denominator
    return above > increase.numerator * n_images * group_images and (
        n_failures * coverage.denominator > coverage.numerator * group_failures
    )


def select_features(information: np.ndarray, k: int) -> np.ndarray:
    """The k features with the most information, (k,) int64, best first; equal ones by their index."""
    return np.argsort(-information, kind="stable")[:k].astype(np.int64)


def explain(
    features: np.ndarray,
    failure: np.ndarray,
    *,
    k: int = 20,
    depth: int = 3,
    delta: float = 0.1,
    tau: float = 0.2,
    estimator: str = "binned",
    n_neighbors: int = 3,
    weighted: bool = True,
    min_leaf: int | None = 1,
    seed: int = 0,
) -> FailureAnalysis:
    """Find the failure modes of one group of images (Algorithm 1).

    Args:
        features: (n, D) features of the group's images.
        failure: (n,) bool, True where the classifier under inspection is wrong.
        (others): see `Settings`.

    Raises:
        BarlowError: shapes that do not fit, values that are not finite, settings out of range.

    A group with nothing to explain (no image, no failure, only failures, no feature that varies) gives a tree that is its root,
    no failure mode, and the reason.
    """
    settings = Settings(k, depth, delta, tau, estimator, n_neighbors, weighted, min_leaf, seed)
    return explain_depths(features, failure, settings, [depth])[0]


def explain_depths(
    features: np.ndarray,
    failure: np.ndarray,
    settings: Settings,
    depths: Sequence[int],
    *,
    information: np.ndarray | None = None,
) -> list[FailureAnalysis]:
    """`explain` for several depths at the cost of one: the selection, almost all of the work, is shared.

    Args:
        information: (D,) the mutual information of every feature with failure, where it is known already.
    """
    features, failure = check_inputs(features, failure)
    reason = nothing_to_explain(features, failure)
    if reason is None:
        if information is None:
            information = mutual_information(
                features, failure, estimator=settings.estimator, n_neighbors=settings.n_neighbors, seed=settings.seed
            )
        selected = select_features(information, settings.k)
    else:
        information, selected = np.zeros(features.shape[1]), np.empty(0, dtype=np.int64)
    values = features[:, selected]
    return [
        FailureAnalysis(
            tree=failure_tree.fit(
                values,
                failure,
                selected,
                depth=depth,
                weighted=settings.weighted,
                min_leaf=settings.min_leaf,
                seed=settings.seed,
            ),
            features=selected,
            information=information[selected],
            settings=replace(settings, depth=depth),
            reason=reason,
        )
        for depth in depths
    ]


def nothing_to_explain(features: np.ndarray, failure: np.ndarray) -> str | None:
    """Why no rule could tell failures from successes here; None where one might."""
    if len(failure) == 0:
        return "the group has no images"
    if not failure.any():
        return "the classifier never fails here"
    if failure.all():
        return "the classifier always fails here, so no feature can tell failures from successes"
    if (features == features[0]).all():
        return "no feature varies among these images"
    return None
