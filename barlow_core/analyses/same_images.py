"""Failure modes that say the same thing: other rules, in other groups or of other depths, for mostly the same images."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from barlow_core.analyses.record import GroupResult
from barlow_core.statistics import SAME_RULE

SAME_IMAGES_COLUMNS = {"same_images": "string", "same_as": "string"}
BLOCK = 1024
"""Failure modes that are compared with all others at a time."""


def with_same_images(
    modes: pd.DataFrame, results: Mapping[str, GroupResult], images: Mapping[str, np.ndarray] | None
) -> pd.DataFrame:
    """Add which failure modes hold mostly the same images: a Jaccard index (images in both / images in either) of at least
    `SAME_RULE`. docs/researchers.md says why one half.

    Args:
        modes: group, depth and leaf of each, the first of its kind before the others.
        results: of the groups, by key.
        images: group -> (n,) int64, positions in the benchmark of its searched images; None to compare nothing.

    Returns:
        The table with `SAME_IMAGES_COLUMNS`. same_images is JSON: [group, depth, leaf, Jaccard index] of every other failure mode
        with mostly the same images, the most alike first. same_as is that of `shown_once` among all of the same depth.

    Cost: for each image, the square of the number of failure modes that it is in; seconds for 2,000 groups of 300,000 images.
    """
    names = list(zip(modes["group"], modes["depth"].tolist(), modes["leaf"].tolist(), strict=True))
    found: list[list[tuple[float, int]]] = [[] for _ in names]
    if images is not None and names:
        inside = _members(names, results, images)
        sizes = np.diff(inside.indptr)
        for start in range(0, len(names), BLOCK):
            both = (inside[start : start + BLOCK] @ inside.T).tocoo()
            first = both.row + start
            overlap = both.data / (sizes[first] + sizes[both.col] - both.data)
            for i in np.flatnonzero((overlap >= SAME_RULE) & (first != both.col)):
                found[first[i]].append((-float(overlap[i]), int(both.col[i])))
    texts = [json.dumps([[*names[j], round(-overlap, 4)] for overlap, j in sorted(same)]) for same in found]
    table = modes.assign(same_images=pd.array(texts, dtype="string"), same_as=pd.array([pd.NA] * len(names), dtype="string"))
    for _, part in table.groupby("depth"):
        table.loc[part.index, "same_as"] = shown_once(part)["same_as"]
    return table


def shown_once(modes: pd.DataFrame) -> pd.DataFrame:
    """Let one failure mode stand for all of a table that hold mostly the same images.

    One rule, in the order of the table: a failure mode stands for itself, unless an earlier one that does holds mostly the same
    images; then it is behind the one of these that is most like it.

    Args:
        modes: rows of `Run.failure_modes`, the most important first.

    Returns:
        The rows with same_as: missing where one stands for itself, else "GROUP/DEPTH/LEAF" of the one that it is behind.
    """
    standing: set[str] = set()
    behind: list[str | None] = []
    for group, depth, leaf, same in zip(modes["group"], modes["depth"], modes["leaf"], modes["same_images"], strict=True):
        alike = (mode_name(*other[:3]) for other in (json.loads(same) if same != "[]" else ()))
        behind.append(next((other for other in alike if other in standing), None))
        if behind[-1] is None:
            standing.add(mode_name(group, depth, leaf))
    return modes.assign(same_as=pd.array(behind, dtype="string"))


def behind(modes: pd.DataFrame) -> dict[str, list[str]]:
    """Which failure modes are behind each that stands for others (`mode_name`), in the order of the table of `shown_once`."""
    found: dict[str, list[str]] = {}
    others = modes[modes["same_as"].notna()]
    for group, depth, leaf, first in zip(others["group"], others["depth"], others["leaf"], others["same_as"], strict=True):
        found.setdefault(first, []).append(mode_name(group, depth, leaf))
    return found


def mode_name(group: str, depth: int, leaf: int) -> str:
    """A failure mode in one word, such as "label:cat/2/5" for leaf 5 of the tree of depth 2 of the label group of cats."""
    return f"{group}/{depth}/{leaf}"


def _members(
    names: list[tuple[str, int, int]], results: Mapping[str, GroupResult], images: Mapping[str, np.ndarray]
) -> sparse.csr_array:
    """(failure modes, images) with 1 where an image falls under a failure mode."""
    rows = []
    leaves: dict[tuple[str, int], np.ndarray] = {}
    for group, depth, leaf in names:
        if (group, depth) not in leaves:
            leaves[group, depth] = results[group].leaf_numbers(depth)
        rows.append(images[group][leaves[group, depth] == leaf])
    places = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    columns = np.concatenate(rows)
    width = int(columns.max(initial=-1)) + 1
    return sparse.csr_array((np.ones(len(columns), dtype=np.int32), columns, places), shape=(len(names), width))
