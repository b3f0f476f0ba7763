"""Every node of a tree with its rates, on the images that were searched and on held-out ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from barlow_core.analyses import ExplainRecord
from barlow_core.analyses.metadata_features import condition_holds
from barlow_core.analyses.parquet import HELD_OUT_LEAF, held_out_columns
from barlow_core.analyses.record import LeafMeasures
from barlow_core.analyses.together import parts_of
from barlow_core.analyses.verdicts import ranked
from barlow_core.conditions import ColumnCondition
from barlow_core.failure_tree import Condition, FailureTree, Node
from barlow_core.run import Run
from barlow_core.statistics import HeldOutLeaf, wilson_interval
from barlow_core.statistics.blocks import as_blocks
from barlow_core.statistics.held_out_counts import LeafBlocks
from barlow_core.views.sentences import rule_words
from barlow_core.views.what_if import WhatIf


def node_rates(run: Run, key: str, evaluation: WhatIf) -> pd.DataFrame:
    """The nodes of a tree, in the order of their numbers (depth-first, `below` before `above`).

    Args:
        evaluation: of that group, from `re_evaluate`.

    Returns:
        node, parent (NA for the root), level (0 for the root), side ("below", "above", "" for the root), split (the condition
        that leads here from the parent, "" for the root), rule (in words), is_leaf, n_images, n_failures, error_rate with
        _low and _high (Wilson), error_coverage, importance_value, increase (ER - BER), rank (of the failure mode, from 1, in the
        order of `verdicts.ranked`, then those without a verdict by importance value; NA for other nodes), verdict (of a failure mode of the run, missing elsewhere); and held_out_n_images, held_out_n_failures, held_out_error_rate with _low and _high, held_out_error_coverage,
        held_out_increase with _low and _high, held_out_agreement, held_out_n_blocks, held_out_n_seen. These are NaN where nothing was measured: with a split every node is counted on the
        other splits; with cross-fitting only leaves have stand-ins (`statistics.cross_fit`).
    """
    analysis = evaluation.analysis
    checks = ExplainRecord.of(run).checks
    held_out = evaluation.held_out or {}
    if checks.held_out == "split":
        held_out = _counted(run, key, analysis.tree, checks.confidence)
    verdicts = {} if evaluation.refitted else _verdicts(run, key, analysis.settings.depth)
    modes = [mode.number for mode in analysis.failure_modes]
    in_order = [leaf for leaf in verdicts if leaf in modes] + [leaf for leaf in modes if leaf not in verdicts]
    ranks = {leaf: rank for rank, leaf in enumerate(in_order, 1)}
    rows = []
    for node, parent, level, split in _walk(analysis.tree.root, None, 0, None):
        low, high = wilson_interval(node.n_failures, node.n_images, confidence=checks.confidence)
        rows.append(
            {
                "node": node.number,
                "parent": parent,
                "level": level,
                "side": "" if split is None else "above" if node.number - (parent or 0) > 1 else "below",
                "split": "" if split is None else str(split),
                "rule": rule_words(node.conditions),
                "is_leaf": node.split is None,
                "n_images": node.n_images,
                "n_failures": node.n_failures,
                "error_rate": node.error_rate,
                "error_rate_low": float(low),
                "error_rate_high": float(high),
                "error_coverage": node.error_coverage,
                "importance_value": node.importance_value,
                "increase": node.error_rate - analysis.ber,
                "rank": ranks.get(node.number),
                "verdict": verdicts.get(node.number),
                **held_out_columns(held_out.get(node.number), HELD_OUT_LEAF),
            }
        )
    return pd.DataFrame(rows).astype(
        {"parent": "Int64", "rank": "Int64", "verdict": "string"} | dict.fromkeys(HELD_OUT_LEAF, "float64")
    )


def _verdicts(run: Run, key: str, depth: int) -> dict[int, str]:
    """Number of the leaf -> verdict, for the failure modes of the run in one tree, those with the most evidence first."""
    modes = run.failure_modes()
    own = ranked(modes[(modes["group"] == key) & (modes["depth"] == depth)])
    return dict(zip(own["leaf"].tolist(), own["verdict"].tolist(), strict=True))


def _walk(
    node: Node, parent: int | None, level: int, split: Condition | ColumnCondition | None
) -> list[tuple[Node, int | None, int, Condition | ColumnCondition | None]]:
    found = [(node, parent, level, split)]
    if node.split is not None and node.below is not None and node.above is not None:
        found += _walk(node.below, node.number, level + 1, node.split)
        found += _walk(node.above, node.number, level + 1, node.split.opposite())
    return found


def _counted(run: Run, key: str, tree: FailureTree, confidence: float) -> dict[int, LeafMeasures]:
    """The nodes of a tree, counted on the images of the group that are in another split than the one searched."""
    group, parts = parts_of(run, key)
    indices = group.indices[parts.measured]
    blocks = as_blocks(None if parts.blocks is None else parts.blocks[parts.measured], len(indices))
    if not len(indices):
        return {}
    failure, features = run.benchmark.failure[indices], run.features()
    used = {condition for node in tree.root for condition in node.conditions}
    follows = {condition: condition_holds(run.benchmark, features, condition, indices) for condition in used}
    found = {}
    for node in tree.root:
        holds = np.ones(len(indices), dtype=bool)
        for condition in node.conditions:
            holds &= follows[condition]
        counted = HeldOutLeaf(
            n_images=int(holds.sum()),
            n_failures=int(failure[holds].sum()),
            all_images=len(indices),
            all_failures=int(failure.sum()),
            number=node.number,
            blocks=LeafBlocks.of(holds, failure, blocks),
        )
        found[node.number] = LeafMeasures.from_dict(counted.to_dict(confidence))
    return found
