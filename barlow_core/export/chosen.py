"""What is taken away: chosen failure modes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Node
from barlow_core.run import Run
from barlow_core.views.run_tables import depths, mode_table
from barlow_core.views.what_if import WhatIf, re_evaluate


class Chosen(NamedTuple):
    """A node of a group's tree.

    Attributes:
        group: key of the group.
        depth: of the tree.
        leaf: number of the node; any node will do.
        min_leaf, k: of the tree, where they are not the run's.
    """

    group: str
    depth: int
    leaf: int
    min_leaf: int | None = None
    k: int | None = None


def strongest(run: Run, *, depth: int | None = None, groups: Sequence[str] = (), top: int | None = None) -> list[Chosen]:
    """The failure modes of a run, in the order of `views.mode_table`.

    Args:
        depth: of the trees; None for the deepest.
        groups: keys; all where empty.
        top: at most so many.

    Raises:
        BarlowError: a group was not explained, or there are no trees of that depth.
    """
    known, made = set(run.groups()["group"]), depths(run)
    if depth is not None and depth not in made:
        raise BarlowError(f"{run.path} has no trees of depth {depth}. Expected one of: {', '.join(map(str, made))}.")
    for key in groups:
        if key not in known:
            raise BarlowError(f"{key} is not among the {len(known)} groups explained in {run.path}.")
    modes = mode_table(run, depth=depth or made[-1])
    if groups:
        modes = modes[modes["group"].isin(list(groups))]
    return [Chosen(str(row.group), int(row.depth), int(row.leaf)) for row in modes.head(top).itertuples()]  # type: ignore[arg-type]


def found(run: Run, chosen: Iterable[Sequence[object]]) -> list[tuple[Chosen, WhatIf, Node]]:
    """Each choice with the tree that it is in, and the node.

    Raises:
        BarlowError: a group was not explained, or its tree has no such node.
    """
    result = []
    for choice in chosen:
        one = Chosen(*choice)  # type: ignore[arg-type]
        evaluation = re_evaluate(run, one.group, depth=one.depth, min_leaf=one.min_leaf, k=one.k)
        try:
            node = evaluation.analysis.tree.node(one.leaf)
        except KeyError:
            numbers = ", ".join(str(node.number) for node in evaluation.analysis.tree.root)
            raise BarlowError(
                f"The tree of depth {one.depth} of {one.group} has no node {one.leaf}. Expected one of: {numbers}."
            ) from None
        result.append((one, evaluation, node))
    return result
