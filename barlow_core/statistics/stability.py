"""Would the same features be chosen again, had other images been at hand?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, explain_depths
from barlow_core.information import check_inputs
from barlow_core.statistics.blocks import as_blocks, half_of_blocks
from barlow_core.statistics.held_out import check_analyses


@dataclass(frozen=True)
class LeafStability:
    """How often the rule of a leaf recurs.

    Attributes:
        number: of the leaf (`Node.number`).
        feature: the feature of the split nearest to the leaf (`Node.features[0]`); None for a root, which has no rule.
        feature_share: share of resamples in which the tree of the same depth splits on that feature, or on a correlated one.
        rule_share: share in which it splits on every feature of the rule, or on one correlated to it; None for a root.
    """

    number: int
    feature: int | None
    feature_share: float | None
    rule_share: float | None


@dataclass(frozen=True)
class TreeStability:
    """The leaves of one tree, in the order of `FailureTree.leaves`."""

    depth: int
    leaves: tuple[LeafStability, ...]


@dataclass(frozen=True)
class FeatureStability:
    """How often a feature is selected again.

    Attributes:
        feature: its index.
        share: share of resamples in which it is among the k selected.
        correlated_share: share in which it, or one correlated to it, is.
    """

    feature: int
    share: float
    correlated_share: float


@dataclass(frozen=True)
class Stability:
    """The stability of what was found in one group.

    Attributes:
        resamples: how often the search was repeated.
        correlation: |Pearson r| from which on two features count as the same.
        trees: one a depth.
        features: one for each selected feature, most informative first.
        reason: why nothing could be measured; else None.
    """

    resamples: int
    correlation: float
    trees: tuple[TreeStability, ...]
    features: tuple[FeatureStability, ...]
    reason: str | None = None


def stability(
    features: np.ndarray,
    failure: np.ndarray,
    analyses: Sequence[FailureAnalysis],
    *,
    resamples: int = 20,
    correlation: float = 0.8,
    seed: int = 0,
    blocks: np.ndarray | None = None,
) -> Stability:
    """Repeat the whole search on random halves of a group, and see how often the same features are chosen.

    Each half is drawn without replacement from the failures and from the successes apart (rounded up), so it has the BER of
    the group. A half has fewer images than the group, so what is chosen in all halves is stable for sure, and what is chosen
    in few need not be wrong: among correlated features any one may carry the rule. That is why a feature with |Pearson r| of
    at least `correlation` with it, over the group's images, counts as the same. Luck alone has a feature selected again in
    about k / D of the halves.

    Args:
        features: (n, D) features of the group's images.
        failure: (n,) bool.
        analyses: of `explain_depths` on exactly these images; their settings, alike but for the depth, are those of the search.
        resamples: how many halves.
        correlation: from 0 to 1; above 1 for no feature but the same.
        seed: of the halves.
        blocks: (n,) int, images that belong together have the same. Halves are then made of blocks: half of those with a failure,
            and half of those without.

    Raises:
        BarlowError: as `explain_depths`; less than 1 resample; analyses of other images.

    Cost: `resamples` times `explain_depths` on half of the images.
    """
    features, failure = check_inputs(features, failure)
    if resamples < 1:
        raise BarlowError(f"resamples is {resamples}. Expected a whole number of at least 1.")
    if not correlation >= 0:
        raise BarlowError(f"correlation is {correlation}. Expected a number between 0 and 1, such as 0.8.")
    check_analyses(analyses, failure)
    reason = next((analysis.reason for analysis in analyses if analysis.reason), None)
    if reason is not None or not analyses:
        return Stability(0, correlation, (), (), reason)

    depths = [analysis.settings.depth for analysis in analyses]
    rng, together = np.random.default_rng(seed), as_blocks(blocks, len(failure))
    selections: list[np.ndarray] = []
    splits: list[list[np.ndarray]] = []  # of each resample and depth
    for _ in range(resamples):
        half = half_of_blocks(failure, together, rng)
        again = explain_depths(features[half], failure[half], analyses[0].settings, depths)
        selections.append(again[0].features)
        splits.append([_split_features(analysis) for analysis in again])

    selected = analyses[0].features
    chosen = np.unique(np.concatenate([selected, *selections]))
    same = _correlations(features, selected, chosen) >= correlation
    same |= selected[:, None] == chosen
    like = {int(feature): chosen[same[i]] for i, feature in enumerate(selected)}

    def recurs(feature: int, among: np.ndarray) -> bool:
        return bool(np.isin(like[feature], among).any())

    trees = []
    for i, analysis in enumerate(analyses):
        leaves = []
        for leaf in analysis.leaves:
            if not leaf.features:
                leaves.append(LeafStability(leaf.number, None, None, None))
                continue
            hits = [[recurs(feature, resample[i]) for feature in leaf.features] for resample in splits]
            leaves.append(
                LeafStability(
                    number=leaf.number,
                    feature=leaf.features[0],
                    feature_share=sum(hit[0] for hit in hits) / resamples,
                    rule_share=sum(all(hit) for hit in hits) / resamples,
                )
            )
        trees.append(TreeStability(depths[i], tuple(leaves)))
    found = [
        FeatureStability(
            feature=int(feature),
            share=sum(bool(np.isin(feature, selection)) for selection in selections) / resamples,
            correlated_share=sum(recurs(int(feature), selection) for selection in selections) / resamples,
        )
        for feature in selected
    ]
    return Stability(resamples, correlation, tuple(trees), tuple(found))


def _split_features(analysis: FailureAnalysis) -> np.ndarray:
    """The features on which a tree splits."""
    return np.unique([node.split.feature for node in analysis.tree.root if node.split is not None])


def _correlations(features: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """|Pearson r| of features `rows` with features `columns`, (len(rows), len(columns)); 0 for a constant feature."""
    one, two = (_standardized(features[:, indices]) for indices in (rows, columns))
    return np.abs(one.T @ two)


def _standardized(values: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and length 1; 0 for constant ones."""
    centred = values.astype(np.float64)
    centred = np.where((values == values[0]).all(axis=0), 0.0, centred - centred.mean(axis=0))
    length = np.linalg.norm(centred, axis=0)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
