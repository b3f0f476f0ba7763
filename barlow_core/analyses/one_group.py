"""One group of a run, searched and checked; the unit of work that an engine runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from barlow_core.analyses.checks import Checks
from barlow_core.analyses.information_cache import InformationCache
from barlow_core.analyses.metadata_features import MetadataFeatures
from barlow_core.analyses.record import DuplicateCounts, GroupResult, HeldOutMeasures, packed
from barlow_core.analyses.rows import Rows
from barlow_core.analyses.together import Parts
from barlow_core.failure_modes import Settings, explain_depths, nothing_to_explain
from barlow_core.failure_tree import FailureTree
from barlow_core.groups import Group
from barlow_core.statistics import permutation_test, stability
from barlow_core.statistics.held_out import assign


def analyse_group(
    rows: Rows,
    group: Group,
    failure: np.ndarray,
    searched: np.ndarray | None,
    blocks: np.ndarray | None,
    metadata: MetadataFeatures,
    settings: Settings,
    checks: Checks,
    memory: Path,
) -> tuple[str, GroupResult]:
    """Search one group for failure modes, with trees of every depth up to `settings.depth`, and check them.

    Args:
        rows: where the group's features lie.
        failure: (n,) bool, of the group's images.
        searched: (n,) bool, the images to search; None for all.
        blocks: (n,) int64, the same number for images that a column keeps together (`Checks.blocks`); None without.
        metadata: columns of the metadata that rules may use, of the group's images.
        checks: resolved.
        memory: a file for mutual information (see `InformationCache`).

    Returns:
        The group's stored name, and everything about it.
    """
    features = rows.read()
    inside = np.ones(len(failure), dtype=bool) if searched is None else searched
    cache = InformationCache(memory, features[inside], failure[inside], settings)
    result = explain_group(
        group.key,
        features,
        failure,
        searched=searched,
        blocks=blocks,
        metadata=metadata,
        settings=settings,
        checks=checks,
        cache=cache,
    )
    cache.save()
    return group.stored_name, result


def explain_group(
    key: str,
    features: np.ndarray,
    failure: np.ndarray,
    *,
    searched: np.ndarray | None = None,
    blocks: np.ndarray | None = None,
    metadata: MetadataFeatures | None = None,
    settings: Settings,
    checks: Checks,
    cache: InformationCache | None = None,
) -> GroupResult:
    """Search and check one group in memory.

    Args:
        key: what to call it, "GROUPING:NAME".
        features: (n, D), failure: (n,) bool, of the group's images.
        searched, blocks, metadata, settings, checks: as for `analyse_group`; `checks.held_out` is not "auto".
        cache: what is known of the searched images' mutual information; None where nothing is.

    Raises:
        BarlowError: as `explain_depths`.
    """
    metadata = metadata or MetadataFeatures((), np.zeros((len(features), 0), dtype=np.float32))
    parts = Parts.of(features, searched, blocks, checks, seed=settings.seed)
    n_features, outcome = features.shape[1], failure[parts.searched]
    cache = cache or InformationCache(None, features[parts.searched], outcome, settings)
    remember = metadata.of(parts.searched).information(cache, outcome, settings)
    features = metadata.beside(features)
    within = features[parts.searched]
    depths = range(1, settings.depth + 1)
    explicable = nothing_to_explain(within, outcome) is None
    information = remember(np.arange(len(outcome))) if explicable else None
    analyses = explain_depths(within, outcome, settings, depths, information=information)

    measured = parts.hold_out(features, failure, analyses, checks, seed=settings.seed, information=remember)
    held_out = metadata.named_held_out(measured, n_features)
    first = analyses[0]
    tests = stable = None
    if checks.permutations:
        tests = tuple(
            permutation_test(
                within, outcome, analyses, permutations=checks.permutations, seed=settings.seed, blocks=parts.searched_blocks
            )
        )
    if checks.resamples:
        stable = stability(
            within,
            outcome,
            analyses,
            resamples=checks.resamples,
            correlation=checks.correlation,
            seed=settings.seed,
            blocks=parts.searched_blocks,
        )
    grouping, _, name = key.partition(":")
    return GroupResult(
        group=key,
        grouping=grouping,
        class_name=name,
        reason=first.reason,
        features=tuple((int(f), float(i)) for f, i in zip(first.features, first.information, strict=True) if f < n_features),
        columns=metadata.selected(first, n_features),
        trees={analysis.settings.depth: metadata.named(analysis, n_features).tree for analysis in analyses},
        held_out=None if held_out is None else HeldOutMeasures.of(held_out, checks.confidence, seed=settings.seed),
        permutation_tests=tests,
        stability=None if stable is None else metadata.named_stability(stable, n_features),
        duplicates=None if parts.duplicates is None else DuplicateCounts.of(parts.duplicates),
        leaves={analysis.settings.depth: packed(_leaf_numbers(analysis.tree, within)) for analysis in analyses},
    )


def _leaf_numbers(tree: FailureTree, features: np.ndarray) -> np.ndarray:
    """(n,) int64, the number of the leaf that each image falls into."""
    return np.array([leaf.number for leaf in tree.leaves], dtype=np.int64)[assign(tree, features)]
