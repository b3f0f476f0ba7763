"""The two runs of a comparison, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from barlow_core.analyses.metadata_features import condition_holds
from barlow_core.analyses.record import ExplainRecord, GroupResult, LeafMeasures, load_results
from barlow_core.benchmark import Benchmark
from barlow_core.compare.differences import CELLS
from barlow_core.conditions import ColumnCondition
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import failure_modes
from barlow_core.failure_tree import Node
from barlow_core.groups import all_groups, parse
from barlow_core.run import Run


def positions(benchmark: Benchmark, other: Run) -> np.ndarray | None:
    """Where in `other` each image of `benchmark` is, (N,) int64; None when they are not the same images."""
    theirs = other.benchmark
    if len(theirs) != len(benchmark):
        return None
    positions = pd.Index(theirs.names).get_indexer(pd.Index(benchmark.names)).astype(np.int64)
    same = (positions >= 0).all() and bool((theirs.digests[positions] == benchmark.digests).all())
    return positions if same else None


class Side:
    """One of the two runs, its images at the positions that they have in the first run where they are the same.

    Attributes:
        failure: (N,) bool, and searched: (N,) bool, the images that were searched, or None for all; both by these positions.
        results: group key -> what was found in it; trees, modes: its tree of the depth that is compared, and of that the
            leaves that pass delta and tau.
    """

    def __init__(self, run: Run, order: np.ndarray | None, first: Benchmark, depth: int, delta: float, tau: float):
        self.benchmark, self.features = run.benchmark, run.features()
        self.fingerprint = run.require("extract")["extractor"]["fingerprint"]
        self.order = np.arange(len(self.benchmark)) if order is None else order  # own position of each image
        self._place = np.argsort(self.order)  # the inverse: place of each own position
        self.failure = self.benchmark.failure[self.order]
        searched = ExplainRecord.of(run).checks.searched(self.benchmark)
        self.searched = None if searched is None else searched[self.order]
        self.depth = depth
        self.results = {_shared_key(result, first): result for result in load_results(run).values()}
        self.trees = {key: result.trees[depth] for key, result in self.results.items()}
        self.modes = {key: failure_modes(tree, delta=delta, tau=tau) for key, tree in self.trees.items()}

    @cached_property
    def _class_groups(self) -> dict[str, np.ndarray]:
        return {group.key: group.indices for group in all_groups(self.benchmark, ("label", "prediction"))}

    def all_images(self, key: str) -> np.ndarray | None:
        """The images of a group, (n,) int64 increasing; None where this run does not have the class."""
        found = self._class_groups.get(key)
        if found is None:
            try:
                found = parse(self.benchmark, key).indices
            except BarlowError:
                return None
        return np.sort(self._place[found])

    def images(self, key: str) -> np.ndarray | None:
        """Those of them that this run searched."""
        found = self.all_images(key)
        return found if found is None or self.searched is None else found[self.searched[found]]

    def inside(self, modes: Sequence[Node], images: np.ndarray) -> list[np.ndarray]:
        """(n,) bool for each rule: which of `images` it holds. Only the features of the rules are read.

        Raises:
            BarlowError: a rule about a column of the metadata that this run does not have.
        """
        used = sorted({feature for mode in modes for feature in mode.features})
        values = np.asarray(self.features[self.order[images][:, None], np.array(used, dtype=np.int64)])
        column = {feature: i for i, feature in enumerate(used)}
        held = []
        for mode in modes:
            inside = np.ones(len(images), dtype=bool)
            for condition in mode.conditions:
                if isinstance(condition, ColumnCondition):
                    inside &= condition_holds(self.benchmark, self.features, condition, self.order[images])
                else:
                    inside &= condition._replace(feature=column[condition.feature]).holds(values)
            held.append(inside)
        return held

    def held_out(self, key: str, leaf: int) -> LeafMeasures | None:
        """A leaf on held-out images; None where it was not measured."""
        tree = self.results[key].held_out_tree(self.depth)
        return None if tree is None else tree.leaf(leaf)


def _shared_key(result: GroupResult, first: Benchmark) -> str:
    """A group's key as the first run writes it: a pair has its classes, a product its columns in the order of the benchmark."""
    if result.grouping in ("label", "prediction"):  # nothing to order, and there may be thousands
        return result.group
    try:
        return parse(first, result.group).key
    except BarlowError:
        return result.group


class Pair:
    """Both runs, and what they have in common."""

    def __init__(self, first: Side, second: Side, *, same_images: bool):
        self.sides = (first, second)
        self.same_images = same_images
        self.same_extractor = first.fingerprint == second.fingerprint
        outcomes = zip(_outcome(first), _outcome(second), strict=True)
        self.same_failures = same_images and all(np.array_equal(one, two) for one, two in outcomes)

    def measurable(self) -> bool:
        """Whether the rules of one run mean anything in the other."""
        return self.same_images or self.same_extractor

    def alike(self, one: np.ndarray | None, two: np.ndarray | None) -> bool:
        """Whether a set of images of the first run is the same as one of the second; None for a set that is not known."""
        return self.same_images and one is not None and two is not None and np.array_equal(one, two)

    def interval(self, one: np.ndarray | None, two: np.ndarray | None) -> str | None:
        """How a difference of error rates between two sets of images is to be estimated; None where there is none."""
        if one is None or two is None:
            return None
        if self.alike(one, two):
            return None if self.same_failures else "paired"
        return "independent"

    def cells(self, images: np.ndarray) -> dict[str, int]:
        """The 2 x 2 table of failures of the two runs on the same images."""
        one, two = (side.failure[images] for side in self.sides)
        table = (one & two, one & ~two, ~one & two, ~one & ~two)
        return {name: int(cell.sum()) for name, cell in zip(CELLS, table, strict=True)}


def _outcome(side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions by name, (N,) each."""
    names = np.array(side.benchmark.class_names, dtype=object)
    predictions = side.benchmark.predictions
    assert predictions is not None  # nothing is explained without
    return names[side.benchmark.labels[side.order]], names[predictions[side.order]]
