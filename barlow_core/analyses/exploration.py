"""What would other settings find? A table over k, depth, leaf size, delta and tau, without changing the run."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.analyses.checks import Checks
from barlow_core.analyses.information_cache import InformationCache, information_folder
from barlow_core.analyses.metadata_features import MetadataFeatures, encoded
from barlow_core.analyses.record import ExplainRecord
from barlow_core.analyses.rows import Rows, gathered
from barlow_core.analyses.together import Parts
from barlow_core.engine import run_shards
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, Settings, explain_depths, failure_modes, nothing_to_explain
from barlow_core.groups import parse
from barlow_core.run import Run
from barlow_core.statistics import HeldOut

COLUMNS = (
    "k",
    "min_leaf",
    "depth",
    "delta",
    "tau",
    "groups_with_modes",
    "failure_modes",
    "n_images",
    "increase",
    "held_out_increase",
    "error_coverage",
    "aler_increase",
    "held_out_aler_increase",
)


def explore(
    run: Run,
    *,
    k: Sequence[int] = (),
    depth: Sequence[int] = (),
    min_leaf: Sequence[int] = (),
    delta: Sequence[float] = (),
    tau: Sequence[float] = (),
    engine: str = "local",
    workers: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Search the groups of an explained run with every combination of settings; leave the run as it is.

    Args:
        k, depth, min_leaf, delta, tau: values to try (see `Settings`); empty for the run's own.
        engine, workers: as for `explain_run`.

    Returns:
        One row a combination, over all groups that can be explained: k, min_leaf (missing where each group has its own), depth,
        delta, tau; groups_with_modes, the
        share of groups with a failure mode; failure_modes, how many there are; then means over the failure modes of n_images,
        increase (ER - BER), held_out_increase and error_coverage; and means over the groups of aler_increase (ALER - BER) and
        held_out_aler_increase (corrected for luck, see `statistics.aler_increase`). NaN where there is nothing to average.

    Raises:
        BarlowError: the run is not explained, or a setting is out of range.

    Cost: one tree for each group, fold, k, leaf size and depth. The mutual information, which takes nearly all the time of
    `explain_run`, is remembered by it.
    """
    record = ExplainRecord.of(run)
    own, checks = record.settings, record.checks
    depths = sorted(set(depth)) or list(range(1, own.depth + 1))
    fits = [
        replace(own, k=one_k, min_leaf=leaf, depth=max(depths))
        for one_k, leaf in itertools.product(k or [own.k], list[int | None](min_leaf) or [own.min_leaf])
    ]
    thresholds = list(itertools.product(delta or [own.delta], tau or [own.tau]))
    for one_delta, one_tau in thresholds:
        replace(own, delta=one_delta, tau=one_tau)  # raises where one is out of range
    if min(depths) < 1:
        raise BarlowError(f"depth is {min(depths)}. Expected a whole number of at least 1.")

    benchmark = run.benchmark
    failure, searched, blocks = benchmark.failure, checks.searched(benchmark), checks.blocks(benchmark)
    metadata = encoded(benchmark, record.metadata_features)
    groups = [parse(benchmark, key) for key in run.groups()["group"]]
    memory = information_folder(run, own, checks)
    with run.lock(), gathered(run.features_path, groups, run.path / "explore", progress=progress) as source:
        shards = [
            (
                source.find(group),
                failure[group.indices],
                None if searched is None else searched[group.indices],
                None if blocks is None else blocks[group.indices],
                metadata.of(group.indices),
                fits,
                depths,
                thresholds,
                checks,
                memory / f"{group.stored_name}.npz",
            )
            for group in groups
        ]
        found = run_shards(
            _explore_group, shards, engine=engine, workers=workers, description="explore", unit="group", progress=progress
        )
        rows = pd.DataFrame(itertools.chain.from_iterable(found))
    return _summarize(rows)


def _explore_group(
    rows: Rows,
    failure: np.ndarray,
    searched: np.ndarray | None,
    blocks: np.ndarray | None,
    metadata: MetadataFeatures,
    fits: Sequence[Settings],
    depths: Sequence[int],
    thresholds: Sequence[tuple[float, float]],
    checks: Checks,
    memory: Path,
) -> list[dict[str, Any]]:
    """One row for each combination of settings: sums over the failure modes of one group."""
    features = rows.read()
    parts = Parts.of(features, searched, blocks, checks, seed=fits[0].seed)
    outcome = failure[parts.searched]
    cache = InformationCache(memory, features[parts.searched], outcome, fits[0])
    features = metadata.beside(features)
    within = features[parts.searched]
    if nothing_to_explain(within, outcome) is not None:
        return []
    remember = metadata.of(parts.searched).information(cache, outcome, fits[0])
    information = remember(np.arange(len(outcome)))
    found = []
    for settings in fits:
        analyses = explain_depths(within, outcome, settings, depths, information=information)
        held_out = parts.hold_out(features, failure, analyses, checks, seed=settings.seed, information=remember)
        for analysis, (delta, tau) in itertools.product(analyses, thresholds):
            found.append(_row(analysis, delta, tau, held_out))
    cache.save()
    return found


def _row(analysis: FailureAnalysis, delta: float, tau: float, held_out: HeldOut | None) -> dict[str, Any]:
    modes = failure_modes(analysis.tree, delta=delta, tau=tau)
    tree = next((tree for tree in held_out.trees if tree.depth == analysis.settings.depth), None) if held_out else None
    again = {leaf.number: leaf.increase for leaf in tree.leaves} if tree else {}
    increases = [increase for mode in modes if (increase := again.get(mode.number)) is not None]
    return {
        "k": analysis.settings.k,
        "min_leaf": analysis.settings.min_leaf,
        "depth": analysis.settings.depth,
        "delta": delta,
        "tau": tau,
        "groups_with_modes": bool(modes),
        "failure_modes": len(modes),
        "n_images": sum(mode.n_images for mode in modes),
        "increase": sum(mode.error_rate - analysis.ber for mode in modes),
        "error_coverage": sum(mode.error_coverage for mode in modes),
        "held_out_increase": sum(increases),
        "measured": len(increases),
        "aler_increase": analysis.aler - analysis.ber,
        "held_out_aler_increase": tree.aler_increase if tree and tree.aler_increase is not None else np.nan,
    }


def _summarize(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    grouped = rows.groupby(["k", "min_leaf", "depth", "delta", "tau"], dropna=False)
    shares = grouped[["groups_with_modes", "aler_increase", "held_out_aler_increase"]].mean()
    sums = grouped[["failure_modes", "n_images", "increase", "error_coverage", "held_out_increase", "measured"]].sum()
    n_modes, measured = (sums[name].where(sums[name] > 0) for name in ("failure_modes", "measured"))
    means = {name: sums[name] / n_modes for name in ("n_images", "increase", "error_coverage")}
    table = shares.assign(failure_modes=sums["failure_modes"], held_out_increase=sums["held_out_increase"] / measured, **means)
    return table.reset_index()[list(COLUMNS)]
