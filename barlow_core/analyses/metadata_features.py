"""Columns of the metadata among the candidates of a search, behind the D features of the extractor.

Inside a search a column is one more row of numbers: its numbers, or for each category 1 where an image has it and 0 elsewhere.
Everything that is chosen, shuffled or measured treats it as it treats a feature. What leaves the search has its name: a
`ColumnCondition` instead of an index beyond the features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from barlow_core.analyses.information_cache import InformationCache
from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.columns import comparable, find_column
from barlow_core.conditions import ColumnCandidate, ColumnCondition
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, Settings
from barlow_core.failure_tree import Condition, FailureTree, Node, fold
from barlow_core.information import mutual_information
from barlow_core.statistics import HeldOut, Stability

# A category is a candidate of its own; with more of them nobody would learn anything from one.
MOST_CATEGORIES = 100


@dataclass(frozen=True)
class MetadataFeatures:
    """Columns as candidates.

    Attributes:
        candidates: M of them.
        values: (n, M) float32, their rows of numbers for the images at hand.
    """

    candidates: tuple[ColumnCandidate, ...]
    values: np.ndarray

    def of(self, positions: np.ndarray) -> MetadataFeatures:
        """Those of some of the images."""
        return MetadataFeatures(self.candidates, self.values[positions])

    def beside(self, features: np.ndarray) -> np.ndarray:
        """(n, D + M): the features (n, D), and behind them the columns."""
        return np.hstack([features, self.values]) if self.candidates else features

    def information(self, cache: InformationCache, failure: np.ndarray, settings: Settings) -> Callable[[np.ndarray], np.ndarray]:
        """What gives the mutual information (D + M,) of features, which are remembered, and columns, over the images at some positions."""
        if not self.candidates:
            return cache

        def of_both(rows: np.ndarray) -> np.ndarray:
            own = mutual_information(
                self.values[rows],
                failure[rows],
                estimator=settings.estimator,
                n_neighbors=settings.n_neighbors,
                seed=settings.seed,
            )
            return np.concatenate([cache(rows), own])

        return of_both

    def named(self, analysis: FailureAnalysis, n_features: int) -> FailureAnalysis:
        """The same with conditions on columns by name, and no columns among its selected `features`; see `selected`."""
        if not self.candidates:
            return analysis
        own = analysis.features < n_features
        return replace(
            analysis,
            tree=FailureTree(self._named_node(analysis.tree.root, n_features)),
            features=analysis.features[own],
            information=analysis.information[own],
        )

    def named_held_out(self, held_out: HeldOut | None, n_features: int) -> HeldOut | None:
        """The same for the rules that were measured."""
        if held_out is None or not self.candidates:
            return held_out
        trees = []
        for tree in held_out.trees:
            leaves = [
                replace(leaf, stand_ins=tuple(self._named_node(node, n_features) for node in leaf.stand_ins))
                for leaf in tree.leaves
            ]
            trees.append(replace(tree, leaves=tuple(leaves)))
        return replace(held_out, trees=tuple(trees))

    def named_stability(self, found: Stability, n_features: int) -> Stability:
        """The same without an index for what is no feature."""
        if not self.candidates:
            return found
        trees = tuple(
            replace(
                tree,
                leaves=tuple(
                    replace(leaf, feature=None) if leaf.feature is not None and leaf.feature >= n_features else leaf
                    for leaf in tree.leaves
                ),
            )
            for tree in found.trees
        )
        return replace(found, trees=trees, features=tuple(one for one in found.features if one.feature < n_features))

    def selected(self, analysis: FailureAnalysis, n_features: int) -> tuple[tuple[str, str | None, float], ...]:
        """(column, category or None, information in nats) of the columns that were selected, most informative first."""
        chosen = zip(analysis.features.tolist(), analysis.information.tolist(), strict=True)
        found = [(self.candidates[i - n_features], information) for i, information in chosen if i >= n_features]
        return tuple((candidate.column, candidate.category, information) for candidate, information in found)

    def _named_node(self, node: Node, n_features: int) -> Node:
        return replace(
            node,
            conditions=fold([self._named(condition, n_features) for condition in node.conditions]),
            split=None if node.split is None else self._named(node.split, n_features),
            below=None if node.below is None else self._named_node(node.below, n_features),
            above=None if node.above is None else self._named_node(node.above, n_features),
        )

    def _named(self, condition: Condition | ColumnCondition, n_features: int) -> Condition | ColumnCondition:
        if isinstance(condition, ColumnCondition) or condition.feature < n_features:
            return condition
        return self.candidates[condition.feature - n_features].condition(condition.operator, condition.threshold)


def encoded(benchmark: Benchmark, columns: Sequence[str]) -> MetadataFeatures:
    """Make candidates of columns, for all N images.

    A column of numbers is one candidate; an image without a number counts as below all of them. A column of text has a candidate for each
    category, and one for the images without a value where there are such.

    Raises:
        BarlowError: no such column, one without values, one of text with more than `MOST_CATEGORIES` categories, or one given twice.

    Memory: N * 4 bytes a candidate.
    """
    names = [find_column(benchmark, name) for name in columns]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise BarlowError(f"The column {twice!r} is given twice as a metadata feature. Expected different columns.")
    candidates: list[ColumnCandidate] = []
    rows: list[np.ndarray] = []
    for name in names:
        values = comparable(benchmark, name)
        if values.dtype.kind == "f":
            missing = np.isnan(values)
            low, high = float(np.float32(np.nanmin(values))), float(np.nanmax(values))
            if not np.isfinite(np.array([low, high], dtype=np.float32)).all():
                raise BarlowError(
                    f"The column {name!r} has numbers up to {max(abs(low), abs(high)):g}. Expected finite ones below 3e38."
                )
            candidates.append(ColumnCandidate(name, None, low, bool(missing.any())))
            rows.append(np.where(missing, low - max(1.0, high - low), values))
            continue
        categories = sorted(set(values.tolist()))
        if len(categories) > MOST_CATEGORIES:
            raise BarlowError(
                f"The column {name!r} has {len(categories):,} categories. Expected at most {MOST_CATEGORIES} for rules to use. Put them "
                "into fewer kinds in the metadata, or leave the column out."
            )
        candidates += [ColumnCandidate(name, category) for category in categories]
        rows += [values == category for category in categories]
    stacked = np.stack(rows, axis=1).astype(np.float32) if rows else np.zeros((len(benchmark), 0), dtype=np.float32)
    return MetadataFeatures(tuple(candidates), stacked)


def condition_holds(
    benchmark: Benchmark, features: np.ndarray, condition: Condition | ColumnCondition, positions: np.ndarray
) -> np.ndarray:
    """(n,) bool: for which images at `positions` of the benchmark a condition holds; of `features` (N, D), only its own are read."""
    if isinstance(condition, ColumnCondition):
        return condition.holds_for(comparable(benchmark, condition.column)[positions])
    return condition._replace(feature=0).holds(np.asarray(features[positions, condition.feature])[:, None])
