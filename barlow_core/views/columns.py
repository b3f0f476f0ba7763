"""What stands in a column of the metadata, over the images of a group: shown where a feature of a rule would have pictures."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from barlow_core.analyses import searched_group
from barlow_core.analyses.metadata_features import condition_holds
from barlow_core.benchmark.columns import comparable
from barlow_core.conditions import ColumnCondition
from barlow_core.failure_tree import Node
from barlow_core.run import Run

MOST_NUMBERS = 12  # different ones that are listed; more are counted in ranges
RANGES = 8
MISSING = "(missing)"


def column_values(run: Run, key: str, column: str, *, node: Node | None = None) -> pd.DataFrame:
    """How often the searched images of a group have each value of a column, and how often they fail.

    Args:
        column: of the metadata.
        node: of a tree of the group, to say which values its conditions on the column hold for.

    Returns:
        A row a value, or a range of about equally many images where there are more than `MOST_NUMBERS` numbers; categories with the most
        images first, numbers in their order, missing ones last: value (text), n_images, n_failures, error_rate, in_rule (the share
        of the images for which the conditions hold; 1.0 without).

    Raises:
        BarlowError: no such group or column.
    """
    indices = searched_group(run, key).indices
    values, failure = comparable(run.benchmark, column)[indices], run.benchmark.failure[indices]
    conditions = [] if node is None else [c for c in node.conditions if isinstance(c, ColumnCondition) and c.column == column]
    holds = np.ones(len(indices), dtype=bool)
    for condition in conditions:
        holds &= condition_holds(run.benchmark, np.empty((0, 0)), condition, indices)
    numbers = values.dtype.kind == "f"
    table = pd.DataFrame(
        {"value": _texts(values) if numbers else pd.Series(values).replace("", MISSING), "failure": failure, "holds": holds}
    )
    table["at"] = values if numbers else 0.0
    found = (
        table.groupby("value", sort=False)
        .agg(n_images=("failure", "size"), n_failures=("failure", "sum"), in_rule=("holds", "mean"), at=("at", "min"))
        .reset_index()
    )
    found = found.sort_values(["at", "n_images"], ascending=[True, False], kind="stable", na_position="last", ignore_index=True)
    last = found["value"] == MISSING
    found = pd.concat([found[~last], found[last]], ignore_index=True)
    return found.assign(error_rate=found["n_failures"] / found["n_images"])[
        ["value", "n_images", "n_failures", "error_rate", "in_rule"]
    ]


def _texts(values: np.ndarray) -> pd.Series:
    """Numbers, or the ranges that they are in, as text."""
    present = values[~np.isnan(values)]
    if len(np.unique(present)) <= MOST_NUMBERS:
        return pd.Series([MISSING if np.isnan(value) else f"{value:g}" for value in values], dtype=object)
    edges = np.unique(np.quantile(present, np.linspace(0, 1, RANGES + 1)))
    at = np.clip(np.searchsorted(edges, np.where(np.isnan(values), edges[0], values), side="right") - 1, 0, len(edges) - 2)
    names = np.array([f"{low:.4g} to {high:.4g}" for low, high in itertools.pairwise(edges)], dtype=object)
    return pd.Series(np.where(np.isnan(values), MISSING, names[at]), dtype=object)
