"""A group's tree under other settings, at once: delta and tau choose among leaves, leaf size and k refit one small tree.

Nothing is written: the run stays as `barlow explain` left it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from barlow_core import failure_tree
from barlow_core.analyses import Checks, ExplainRecord, GroupResult, load_result, searched_group
from barlow_core.analyses.information_cache import information_cache
from barlow_core.analyses.metadata_features import encoded
from barlow_core.analyses.record import HeldOutMeasures, LeafMeasures
from barlow_core.analyses.together import Parts
from barlow_core.failure_modes import FailureAnalysis, Settings, explain_depths
from barlow_core.run import Run
from barlow_core.wording import count

# A group with more features in all (images * D, in bytes of float32) is refitted without repeating the search in folds.
WHOLE_GROUP = 128 << 20


class WhatIf(NamedTuple):
    """A group's tree under some settings.

    Attributes:
        analysis: tree, failure modes and settings.
        refitted: whether the tree is another than the one that the run keeps.
        held_out: leaf number -> its held-out numbers, where they come from cross-fitting; None where they were not worked out. With a split they are counted by `node_rates`.
        words: what was done, for a person.
    """

    analysis: FailureAnalysis
    refitted: bool
    held_out: dict[int, LeafMeasures] | None
    words: str


def re_evaluate(
    run: Run,
    key: str,
    *,
    depth: int | None = None,
    delta: float | None = None,
    tau: float | None = None,
    min_leaf: int | None = None,
    k: int | None = None,
) -> WhatIf:
    """The tree of a group, and its failure modes, under other settings than the run's; what is None stays as in the run.

    Args:
        key: of an explained group.
        depth: of the tree; None for the deepest of the run.
        (others): see `failure_modes.Settings`.

    Raises:
        BarlowError: the group was not explained, or a setting is out of range.

    Cost: one line of trees.json where the run keeps that tree; else one tree, and where the run cross-fitted one for each
    fold. Mutual information, the expensive part, is remembered by the run.
    """
    record = ExplainRecord.of(run)
    own = record.settings
    given: dict[str, Any] = {"depth": depth, "delta": delta, "tau": tau, "min_leaf": min_leaf, "k": k}
    chosen = replace(own, **{name: value for name, value in given.items() if value is not None})
    result = load_result(run, key)
    kept = chosen.depth in result.trees and (chosen.min_leaf, chosen.k) == (own.min_leaf, own.k)
    if kept or result.reason is not None:  # with a reason there is a root alone, which no setting can split
        words = "The tree of the run."
        if (chosen.delta, chosen.tau) != (own.delta, own.tau):
            words = "The tree of the run; delta and tau choose other leaves of it as failure modes."
        return WhatIf(result.analysis(chosen), False, _cross_fitted(result.held_out, chosen.depth), words)
    return _refitted(run, key, result, chosen, record.checks)


def _refitted(run: Run, key: str, result: GroupResult, chosen: Settings, checks: Checks) -> WhatIf:
    group = searched_group(run, key)
    failure = run.benchmark.failure[group.indices]
    stored = run.features()
    selected = np.array([feature for feature, _ in result.features], dtype=np.int64)
    information = np.array([nats for _, nats in result.features])
    min_leaf = chosen.min_leaf or failure_tree.smallest_leaf(len(group))
    words = f"A tree that was fitted now, on {count(len(group), 'image')}, with at least {count(min_leaf, 'image')} in a leaf"
    metadata = encoded(run.benchmark, ExplainRecord.of(run).metadata_features).of(group.indices)
    n_features = stored.shape[1]
    fits_whole = len(group) * stored.shape[1] * 4 <= WHOLE_GROUP
    if fits_whole and (checks.held_out == "cross-fit" or chosen.k > len(selected) + len(result.columns)):
        features = np.asarray(stored[group.indices], dtype=np.float32)
        remember = metadata.information(information_cache(run, key, features, failure), failure, chosen)
        everything = np.arange(len(failure))
        searchable = metadata.beside(features)
        (analysis,) = explain_depths(searchable, failure, chosen, [chosen.depth], information=remember(everything))
        leaves = None
        if checks.held_out == "cross-fit":
            blocks = checks.blocks(run.benchmark)
            own = None if blocks is None else blocks[group.indices]
            parts = Parts.of(features, None, own, checks, seed=chosen.seed)
            again = parts.hold_out(searchable, failure, [analysis], checks, seed=chosen.seed, information=remember)
            again = metadata.named_held_out(again, n_features)
            if again is not None and again.trees:
                measured = [LeafMeasures.from_dict(leaf.to_dict(checks.confidence)) for leaf in again.trees[0].leaves]
                leaves = {leaf.leaf: leaf for leaf in measured}
        return WhatIf(metadata.named(analysis, n_features), True, leaves, f"{words}; the run keeps another.")
    at = {(candidate.column, candidate.category): n_features + i for i, candidate in enumerate(metadata.candidates)}
    selected = np.array([*selected, *(at[column, category] for column, category, _ in result.columns)], dtype=np.int64)
    information = np.array([*information, *(nats for *_, nats in result.columns)])
    best = np.argsort(-information, kind="stable")[: chosen.k]
    selected, information = selected[best], information[best]
    values = np.stack(
        [
            np.asarray(stored[group.indices, i] if i < n_features else metadata.values[:, i - n_features], dtype=np.float32)
            for i in selected
        ],
        axis=1,
    )
    tree = failure_tree.fit(
        values,
        failure,
        selected,
        depth=chosen.depth,
        weighted=chosen.weighted,
        min_leaf=chosen.min_leaf,
        seed=chosen.seed,
    )
    if checks.held_out == "cross-fit":
        words += "; the group is too large to repeat the search in folds while you wait, so it has no held-out numbers"
    analysis = FailureAnalysis(tree, selected, information, replace(chosen, k=len(selected)), None)
    return WhatIf(metadata.named(analysis, n_features), True, None, f"{words}; the run keeps another.")


def _cross_fitted(held_out: HeldOutMeasures | None, depth: int) -> dict[int, LeafMeasures] | None:
    """Leaf number -> its measures; None where that tree was not cross-fitted."""
    if held_out is None or held_out.method != "cross-fit":
        return None
    leaves = next((tree.leaves for tree in held_out.trees if tree.depth == depth), None)
    return None if leaves is None else {leaf.leaf: leaf for leaf in leaves}
