"""What was found in all groups as two tables, groups.parquet and failure_modes.parquet.

Numbers without a prefix are measured on the images that were searched; those with `held_out_` on images that took no part in
choosing features, thresholds or leaves (`statistics.held_out` says exactly which). Columns that end in `_low` and `_high` are
the ends of a confidence interval. What was not checked is missing (NaN).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.analyses.checks import Checks
from barlow_core.failure_modes import Settings, failure_modes
from barlow_core.failure_tree import FailureTree, Node
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
}


def groups_table(results: Sequence[dict[str, Any]], checks: Checks) -> pd.DataFrame:
    """One row a group: group, grouping, class_name, n_images, n_failures, ber, reason; ALER and checks for each depth."""
    q = _q_values(results)
    rows = []
    for result in results:
        trees = {int(depth): FailureTree(Node.from_dict(tree)) for depth, tree in result["trees"].items()}
        root = next(iter(trees.values())).root
        row: dict[str, Any] = {
            "group": result["group"],
            "grouping": result["grouping"],
            "class_name": result["class_name"],
            "n_images": root.n_images,
            "n_failures": root.n_failures,
            "ber": root.error_rate,
            **{f"aler_depth_{depth}": tree.aler for depth, tree in trees.items()},
        }
        for depth in trees:
            held_out, test = _held_out(result, depth), _test(result, depth)
            row |= {f"{column}_depth_{depth}": held_out.get(name) for column, name in HELD_OUT_TREE.items()}
            row |= {f"p_depth_{depth}": test.get("p"), f"q_depth_{depth}": q.get((result["group"], depth))}
        rows.append(row | {"reason": result["reason"]})
    table = pd.DataFrame(rows)
    measured = [column for column in table if str(column).startswith((*HELD_OUT_TREE, "p_depth", "q_depth"))]
    return table.astype(dict.fromkeys(measured, "float64") | {"reason": "string"})


def failure_modes_table(results: Sequence[dict[str, Any]], settings: Settings, checks: Checks) -> pd.DataFrame:
    """One row a leaf that passes delta and tau, the highest importance value first within a tree; `FAILURE_MODE_COLUMNS`."""
    q = _q_values(results)
    rows = []
    for result in results:
        for depth, plain in result["trees"].items():
            tree = FailureTree(Node.from_dict(plain))
            held_out, test = _held_out(result, int(depth)), _test(result, int(depth))
            held_out_leaves = {leaf["leaf"]: leaf for leaf in held_out.get("leaves", ())}
            stable = _stable(result, int(depth))
            for leaf in failure_modes(tree, delta=settings.delta, tau=settings.tau):
                again = held_out_leaves.get(leaf.number, {})
                rows.append(
                    {
                        "group": result["group"],
                        "grouping": result["grouping"],
                        "class_name": result["class_name"],
                        "depth": int(depth),
                        "leaf": leaf.number,
                        "rule": leaf.rule,
                        "conditions": json.dumps(leaf.conditions),
                        "feature": leaf.features[0],
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
                        **{column: again.get(name) for column, name in HELD_OUT_LEAF.items()},
                        "held_out_ber": held_out.get("ber"),
                        "p": test.get("p"),
                        "q": q.get((result["group"], int(depth))),
                        "stability": stable.get(leaf.number),
                    }
                )
    hidden = ["_failures", "_images"]
    table = _with_intervals(pd.DataFrame(rows, columns=[*FAILURE_MODE_COLUMNS, *hidden]), checks.confidence)
    return table[list(FAILURE_MODE_COLUMNS)].astype(FAILURE_MODE_COLUMNS)


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


def _q_values(results: Sequence[dict[str, Any]]) -> dict[tuple[str, int], float]:
    """q of each group and depth: p corrected, at each depth, for the number of groups."""
    found: dict[tuple[str, int], float] = {}
    for depth in sorted({int(depth) for result in results for depth in result["trees"]}):
        p = [_test(result, depth).get("p") for result in results]
        corrected = benjamini_hochberg(np.array(p, dtype=np.float64))
        found |= {(result["group"], depth): float(q) for result, q in zip(results, corrected, strict=True)}
    return found


def _held_out(result: dict[str, Any], depth: int) -> dict[str, Any]:
    trees = (result["held_out"] or {}).get("trees", ())
    return next((tree for tree in trees if tree["depth"] == depth), {})


def _test(result: dict[str, Any], depth: int) -> dict[str, Any]:
    return next((test for test in result["permutation_test"] or () if test["depth"] == depth), {})


def _stable(result: dict[str, Any], depth: int) -> dict[int, float | None]:
    """Leaf number -> how often the feature of its last split is chosen again."""
    trees = (result["stability"] or {}).get("trees", ())
    leaves = next((tree["leaves"] for tree in trees if tree["depth"] == depth), ())
    return {leaf["number"]: leaf["feature_share"] for leaf in leaves}
