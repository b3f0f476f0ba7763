"""What was found in all groups as two tables, groups.parquet and failure_modes.parquet.

Numbers without a prefix are measured on the images that were searched; those with `held_out_` on images that took no part in
choosing features, thresholds or leaves (`statistics.held_out` says exactly which). Columns that end in `_low` and `_high` are
the ends of a confidence interval. What was not checked is missing (NaN).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.analyses.checks import Checks
from barlow_core.analyses.record import GroupResult, LeafMeasures, TreeMeasures
from barlow_core.analyses.same_images import SAME_IMAGES_COLUMNS, with_same_images
from barlow_core.analyses.verdicts import VERDICT_COLUMNS, ranked_positions, with_verdicts
from barlow_core.failure_modes import Settings, failure_modes
from barlow_core.statistics import benjamini_hochberg, increase_interval, wilson_interval

HELD_OUT_LEAF = {
    "held_out_n_images": "n_images",
    "held_out_n_failures": "n_failures",
    "held_out_error_rate": "error_rate",
    "held_out_error_rate_low": "error_rate_low",
    "held_out_error_rate_high": "error_rate_high",
    "held_out_error_coverage": "error_coverage",
    "held_out_increase": "increase",
    "held_out_increase_low": "increase_low",
    "held_out_increase_high": "increase_high",
    "held_out_agreement": "agreement",
    "held_out_n_blocks": "n_blocks",
    "held_out_n_seen": "n_seen",
    "held_out_p": "p",
}
HELD_OUT_TREE = {
    "held_out_aler_increase": "aler_increase",
    "held_out_aler_increase_low": "aler_increase_low",
    "held_out_aler_increase_high": "aler_increase_high",
}

FAILURE_MODE_COLUMNS = {
    "group": "string",
    "grouping": "string",
    "class_name": "string",
    "depth": "int64",
    "leaf": "int64",
    "rule": "string",
    "conditions": "string",
    "feature": "int64",
    "features": "object",
    "n_images": "int64",
    "n_failures": "int64",
    "error_rate": "float64",
    "error_rate_low": "float64",
    "error_rate_high": "float64",
    "error_coverage": "float64",
    "error_coverage_low": "float64",
    "error_coverage_high": "float64",
    "importance_value": "float64",
    "ber": "float64",
    "increase": "float64",
    "increase_low": "float64",
    "increase_high": "float64",
    "aler": "float64",
    **dict.fromkeys(HELD_OUT_LEAF, "float64"),
    "held_out_ber": "float64",
    "p": "float64",
    "q": "float64",
    "stability": "float64",
    **VERDICT_COLUMNS,
    **SAME_IMAGES_COLUMNS,
}


def groups_table(results: Sequence[GroupResult], checks: Checks) -> pd.DataFrame:
    """One row a group: group, grouping, class_name, n_images, n_failures, ber, n_duplicates (near-duplicates), reason; ALER and checks for each depth."""
    q = _q_values(results)
    rows = []
    for result in results:
        row: dict[str, Any] = {
            "group": result.group,
            "grouping": result.grouping,
            "class_name": result.class_name,
            "n_images": result.n_images,
            "n_failures": result.n_failures,
            "ber": result.ber,
            "n_duplicates": None if result.duplicates is None else result.duplicates.n_images,
            **{f"aler_depth_{depth}": tree.aler for depth, tree in result.trees.items()},
        }
        for depth in result.trees:
            held_out = held_out_columns(result.held_out_tree(depth), HELD_OUT_TREE)
            test = result.permutation_test(depth)
            row |= {f"{column}_depth_{depth}": value for column, value in held_out.items()}
            row |= {f"p_depth_{depth}": test and test.p, f"q_depth_{depth}": q.get((result.group, depth))}
        rows.append(row | {"reason": result.reason})
    table = pd.DataFrame(rows)
    measured = [column for column in table if str(column).startswith((*HELD_OUT_TREE, "p_depth", "q_depth", "n_duplicates"))]
    return table.astype(dict.fromkeys(measured, "float64") | {"reason": "string"})


def failure_modes_table(
    results: Sequence[GroupResult], settings: Settings, checks: Checks, images: Mapping[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """One row a leaf that passes delta and tau, the highest importance value first within a tree; `FAILURE_MODE_COLUMNS`.

    Args:
        images: group -> positions of its searched images, to find failure modes of mostly the same ones; None for none.
    """
    q = _q_values(results)
    rows = []
    for result in results:
        for depth, tree in result.trees.items():
            held_out, test = result.held_out_tree(depth), result.permutation_test(depth)
            stable = result.leaf_stability(depth)
            for leaf in failure_modes(tree, delta=settings.delta, tau=settings.tau):
                again = held_out.leaf(leaf.number) if held_out else None
                rows.append(
                    {
                        "group": result.group,
                        "grouping": result.grouping,
                        "class_name": result.class_name,
                        "depth": depth,
                        "leaf": leaf.number,
                        "rule": leaf.rule,
                        "conditions": json.dumps(leaf.conditions),
                        "feature": next(iter(leaf.features), None),
                        "features": list(leaf.features),
                        "n_images": leaf.n_images,
                        "n_failures": leaf.n_failures,
                        "error_rate": leaf.error_rate,
                        "error_coverage": leaf.error_coverage,
                        "importance_value": leaf.importance_value,
                        "ber": tree.ber,
                        "increase": leaf.error_rate - tree.ber,
                        "aler": tree.aler,
                        "_failures": tree.root.n_failures,
                        "_images": tree.root.n_images,
                        "_held_out_failures": held_out and held_out.n_failures,
                        "_held_out_images": held_out and held_out.n_images,
                        **held_out_columns(again, HELD_OUT_LEAF),
                        "held_out_ber": held_out and held_out.ber,
                        "p": test and test.p,
                        "q": q.get((result.group, depth)),
                        "stability": stable[leaf.number].feature_share if leaf.number in stable else None,
                    }
                )
    hidden = ["_failures", "_images", "_held_out_failures", "_held_out_images"]
    found = pd.DataFrame(rows, columns=[*FAILURE_MODE_COLUMNS, *hidden]).astype(dict.fromkeys(HELD_OUT_LEAF, "float64"))
    unmeasured = {one.group: one.held_out.reason for one in results if one.held_out and one.held_out.reason}
    intervals = _with_intervals(found, checks.confidence)
    table = with_verdicts(intervals, leaves_tested(results), unmeasured, shuffles=checks.permutations)
    in_order = table.iloc[ranked_positions(table)]
    table = with_same_images(in_order, {one.group: one for one in results}, images).sort_index()
    # A rule about metadata alone has no feature; where every rule has one, the column is of plain integers.
    types = FAILURE_MODE_COLUMNS | ({"feature": "Int64"} if table["feature"].isna().any() else {})
    return table[list(FAILURE_MODE_COLUMNS)].astype(types)


def leaves_tested(results: Sequence[GroupResult]) -> dict[int, int]:
    """Depth -> leaves of all trees of that depth that were measured on held-out images; a root that was not split is none."""
    found: dict[int, int] = {}
    for result in results:
        for tree in result.held_out.trees if result.held_out else ():
            found[tree.depth] = found.get(tree.depth, 0) + (len(tree.leaves) if len(tree.leaves) > 1 else 0)
    return found


def _with_intervals(table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    counts = table[["n_failures", "n_images", "_failures", "_images"]].to_numpy(dtype=np.float64).T
    failures, images, all_failures, all_images = counts
    intervals = {
        "error_rate": wilson_interval(failures, images, confidence=confidence),
        "error_coverage": wilson_interval(failures, all_failures, confidence=confidence),
        "increase": increase_interval(failures, images, all_failures, all_images, confidence=confidence),
    }
    return table.assign(
        **{f"{name}_low": interval.low for name, interval in intervals.items()},
        **{f"{name}_high": interval.high for name, interval in intervals.items()},
    )


def _q_values(results: Sequence[GroupResult]) -> dict[tuple[str, int], float]:
    """q of each group and depth: p corrected, at each depth, for the number of groups."""
    found: dict[tuple[str, int], float] = {}
    for depth in sorted({depth for result in results for depth in result.trees}):
        tests = [result.permutation_test(depth) for result in results]
        corrected = benjamini_hochberg(np.array([test and test.p for test in tests], dtype=np.float64))
        found |= {(result.group, depth): float(q) for result, q in zip(results, corrected, strict=True)}
    return found


def held_out_columns(measures: LeafMeasures | TreeMeasures | None, columns: Mapping[str, str]) -> dict[str, float | None]:
    """What was measured on held-out images as columns of a table (`HELD_OUT_LEAF`, `HELD_OUT_TREE`); None where nothing was."""
    return {column: getattr(measures, name, None) for column, name in columns.items()}
