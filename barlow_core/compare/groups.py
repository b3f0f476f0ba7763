"""The groups of two runs side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from barlow_core.compare.comparison import SIDES
from barlow_core.compare.differences import CELLS, GROUP, with_difference, with_rate
from barlow_core.compare.sides import Pair

GROUP_COLUMNS = {
    "group": "string",
    "grouping": "string",
    "class_name": "string",
    "explained_in": "string",
    "same_images": "boolean",
    **{f"{column}_{side}": dtype for column, dtype in (("n_images", "Int64"), ("n_failures", "Int64")) for side in SIDES},
    **{f"ber_{side}": "float64" for side in SIDES},
    "ber_difference": "float64",
    "ber_difference_low": "float64",
    "ber_difference_high": "float64",
    "interval": "string",
    **{f"{column}_{side}": "float64" for column in ("aler_increase", "held_out_aler_increase") for side in SIDES},
    **{f"failure_modes_{side}": "Int64" for side in SIDES},
}


def overall(pair: Pair, confidence: float) -> pd.Series:
    """All images of both runs; see `Comparison.overall`."""
    images = [np.arange(len(side.failure)) for side in pair.sides]
    row: dict[str, Any] = {"interval": pair.interval(*images) if pair.same_images else "independent"}
    for name, side in zip(SIDES, pair.sides, strict=True):
        row |= {f"n_images_{name}": len(side.failure), f"n_failures_{name}": int(side.failure.sum())}
    if pair.same_images:
        row |= pair.cells(images[0])
    table = pd.DataFrame([row]).reindex(columns=list(dict.fromkeys([*row, *CELLS])))
    table = with_difference(with_rate(table, "ber", "n_failures", "n_images"), "ber_difference", "ber", GROUP, confidence)
    return table.drop(columns=list(CELLS)).astype(object).iloc[0]


def groups_table(pair: Pair, confidence: float) -> pd.DataFrame:
    """One row a group that either run explained; see `Comparison.groups`."""
    rows = []
    for key in dict.fromkeys(key for side in pair.sides for key in side.results):
        explained = [name for name, side in zip(SIDES, pair.sides, strict=True) if key in side.results]
        images = [side.images(key) for side in pair.sides]
        result = next(side.results[key] for side in pair.sides if key in side.results)
        interval = pair.interval(*images)
        row: dict[str, Any] = {
            "group": key,
            "grouping": result.grouping,
            "class_name": key.partition(":")[2],
            "explained_in": "both" if len(explained) == 2 else explained[0],
            "same_images": pair.alike(*images),
            "interval": interval,
        }
        if interval == "paired" and images[0] is not None:
            row |= pair.cells(images[0])
        for name, side, own in zip(SIDES, pair.sides, images, strict=True):
            if own is not None:
                row |= {f"n_images_{name}": len(own), f"n_failures_{name}": int(side.failure[own].sum())}
            if key in side.results:
                tree, held_out = side.trees[key], side.results[key].held_out_tree(side.depth)
                row |= {
                    f"aler_increase_{name}": tree.aler - tree.ber,
                    f"held_out_aler_increase_{name}": held_out and held_out.aler_increase,
                    f"failure_modes_{name}": len(side.modes[key]),
                }
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(dict.fromkeys([*GROUP_COLUMNS, *CELLS])))
    table = with_difference(with_rate(table, "ber", "n_failures", "n_images"), "ber_difference", "ber", GROUP, confidence)
    return table[list(GROUP_COLUMNS)].astype(GROUP_COLUMNS)
