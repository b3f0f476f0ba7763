"""Leaves and trees, counted on held-out images: error rates, coverages and increases with their intervals.

How the images are held out, and what is counted, says `held_out`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor
from typing import Any

import numpy as np

from barlow_core.failure_tree import Node
from barlow_core.statistics.blocks import BlockCounts, aler_increase_by_blocks
from barlow_core.statistics.evidence import held_out_p
from barlow_core.statistics.intervals import (
    Interval,
    aler_increase,
    aler_increase_interval,
    increase_interval,
    increase_of_parts,
    wilson_interval,
)


@dataclass(frozen=True)
class LeafBlocks:
    """What the images of a leaf are worth where images belong together: `leaf` its own, `rest` all others of the group (failures
    among images), `failures` those of the leaf among all failures."""

    leaf: BlockCounts
    rest: BlockCounts
    failures: BlockCounts

    @classmethod
    def of(cls, inside: np.ndarray, failure: np.ndarray, blocks: np.ndarray | None) -> LeafBlocks | None:
        """For images (n,) with those `inside` the leaf; None without blocks."""
        if blocks is None:
            return None
        return cls(
            leaf=BlockCounts.of(failure[inside], blocks[inside]),
            rest=BlockCounts.of(failure[~inside], blocks[~inside]),
            failures=BlockCounts.of(inside[failure], blocks[failure]),
        )


@dataclass(frozen=True)
class Counts:
    """Images and failures among those of a group.

    Attributes:
        n_images, n_failures: of a leaf, or under a rule.
        all_images, all_failures: of the whole group.
    """

    n_images: int
    n_failures: int
    all_images: int
    all_failures: int

    @property
    def error_rate(self) -> float | None:
        """ER (Definition 1); None without images."""
        return self.n_failures / self.n_images if self.n_images else None

    @property
    def error_coverage(self) -> float | None:
        """EC (Definition 2), the share of all failures; None when there are none."""
        return self.n_failures / self.all_failures if self.all_failures else None

    @property
    def increase(self) -> float | None:
        """ER - BER; None without images."""
        return self.n_failures / self.n_images - self.all_failures / self.all_images if self.n_images else None


@dataclass(frozen=True)
class HeldOutLeaf(Counts):
    """A leaf, counted on held-out images: n_images fall into it (or into what stands for it, see `cross_fit`), of all_images held out.

    Attributes:
        number: of the leaf in the tree that is shown (`Node.number`).
        agreement: how well the rule was found again without the held-out images, from 0 to 1 (see `cross_fit`); None where
            the rule itself was measured (`by_split`).
        stand_ins: the rules that were measured in its place, at most one a fold; empty where the rule itself was.
        blocks: what its images are worth where images belong together; None where each stands for itself.
        n_seen: how many of the n_images have a near-duplicate among the images that were searched; None where it was not looked for.
    """

    number: int
    agreement: float | None = None
    stand_ins: tuple[Node, ...] = ()
    blocks: LeafBlocks | None = None
    n_seen: int | None = None

    def error_rate_interval(self, confidence: float = 0.95) -> Interval:
        counts = (self.n_failures, self.n_images) if self.blocks is None else self.blocks.leaf.effective(confidence)
        return wilson_interval(*counts, confidence=confidence)

    def error_coverage_interval(self, confidence: float = 0.95) -> Interval:
        counts = (self.n_failures, self.all_failures) if self.blocks is None else self.blocks.failures.effective(confidence)
        return wilson_interval(*counts, confidence=confidence)

    def increase_interval(self, confidence: float = 0.95) -> Interval:
        if self.blocks is not None:
            leaf, rest = self.blocks.leaf.effective(confidence), self.blocks.rest.effective(confidence)
            return increase_of_parts(leaf, rest, self.n_images / self.all_images, confidence=confidence)
        return increase_interval(self.n_failures, self.n_images, self.all_failures, self.all_images, confidence=confidence)

    def p(self, confidence: float = 0.95) -> float:
        """`evidence.held_out_p` of the leaf; where images belong together, of as many independent ones as they are worth (rounded
        against the leaf) at this confidence."""
        if self.blocks is None:
            return float(held_out_p(self.n_images, self.n_failures, self.all_images, self.all_failures))
        (f, n), (rest_f, rest_n) = self.blocks.leaf.effective(confidence), self.blocks.rest.effective(confidence)
        leaf_failures, rest_failures, leaf, rest = floor(f), ceil(rest_f), ceil(n), ceil(rest_n)
        return float(held_out_p(leaf, leaf_failures, leaf + rest, leaf_failures + rest_failures))

    def to_dict(self, confidence: float = 0.95) -> dict[str, Any]:
        """Counts, measures and their intervals as plain values, for JSON or a row of a table."""
        return {
            "leaf": self.number,
            "n_images": self.n_images,
            "n_failures": self.n_failures,
            "error_rate": self.error_rate,
            **_ends("error_rate", self.error_rate_interval(confidence)),
            "error_coverage": self.error_coverage,
            **_ends("error_coverage", self.error_coverage_interval(confidence)),
            "increase": self.increase,
            **_ends("increase", self.increase_interval(confidence)),
            "agreement": self.agreement,
            "stand_ins": [node.rule for node in self.stand_ins],
            "n_blocks": None if self.blocks is None else self.blocks.leaf.n_blocks,
            "n_seen": self.n_seen,
            "p": self.p(confidence),
        }


@dataclass(frozen=True)
class HeldOutTree:
    """A tree, counted on held-out images.

    Attributes:
        depth: of the search that found it.
        n_images, n_failures: all held-out images.
        leaves: for each leaf of the tree that is shown, in the order of `FailureTree.leaves`.
        cells: (fold, images, failures) for each leaf of each tree that was measured: the one tree of `by_split`, the K trees
            of `cross_fit`. ALER is made of these.
        by_blocks: for each tree that was measured, (leaf, block, failure) of its held-out images, where images belong together.
    """

    depth: int
    n_images: int
    n_failures: int
    leaves: tuple[HeldOutLeaf, ...]
    cells: tuple[tuple[int, int, int], ...]
    by_blocks: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...] | None = None

    @property
    def ber(self) -> float | None:
        """Held-out BER."""
        return self.n_failures / self.n_images if self.n_images else None

    @cached_property
    def aler(self) -> float | None:
        """Held-out ALER by Definition 4, sum of held-out ER * EC over the leaves; over folds, weighed by their failures.

        Never below BER, and above it by luck alone where leaves are small: to judge a tree, see `aler_increase`.
        """
        if not self.n_failures:
            return 0.0 if self.n_images else None
        return sum(f / n * f / self.n_failures for _, n, f in self.cells if n)

    @cached_property
    def aler_increase(self) -> float | None:
        """Held-out ALER - BER, corrected for the luck of small leaves (`intervals.aler_increase`); around 0 for a useless tree."""
        if self.by_blocks is not None and self.n_images:
            return aler_increase_by_blocks(self.by_blocks, resamples=1)[0]
        folds, images, failures = self._columns
        return aler_increase(images, failures, folds) if self.n_images else None

    def aler_increase_interval(self, confidence: float = 0.95, *, resamples: int = 2000, seed: int = 0) -> Interval | None:
        """Bootstrap interval of `aler_increase`; None without held-out images."""
        folds, images, failures = self._columns
        if not self.n_images:
            return None
        if self.by_blocks is not None:
            _, low, high = aler_increase_by_blocks(self.by_blocks, confidence=confidence, resamples=resamples, seed=seed)
            return Interval(np.asarray(low), np.asarray(high))
        return aler_increase_interval(images, failures, folds, confidence=confidence, resamples=resamples, seed=seed)

    @property
    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        folds, images, failures = np.array(self.cells, dtype=np.int64).reshape(-1, 3).T
        return folds, images, failures

    def to_dict(self, confidence: float = 0.95, *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
        """Counts, measures and their intervals as plain values, for JSON; the leaves under "leaves"."""
        interval = self.aler_increase_interval(confidence, resamples=resamples, seed=seed)
        return {
            "depth": self.depth,
            "n_images": self.n_images,
            "n_failures": self.n_failures,
            "ber": self.ber,
            "aler": self.aler,
            "aler_increase": self.aler_increase,
            **_ends("aler_increase", interval),
            "leaves": [leaf.to_dict(confidence) for leaf in self.leaves],
        }


@dataclass(frozen=True)
class HeldOut:
    """Held-out counts of one group.

    Attributes:
        method: "split" or "cross-fit".
        folds: how often the search was repeated (1 for "split"; 0 where nothing could be measured).
        trees: one for each depth, in the order in which they were asked for; empty where nothing could be measured.
        reason: why nothing could be measured; else None.
    """

    method: str
    folds: int
    trees: tuple[HeldOutTree, ...]
    reason: str | None = None

    def to_dict(self, confidence: float = 0.95, *, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
        """As plain values, for JSON."""
        trees = [tree.to_dict(confidence, resamples=resamples, seed=seed) for tree in self.trees]
        return {"method": self.method, "folds": self.folds, "reason": self.reason, "trees": trees}


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    low, high = (None, None) if interval is None else (float(interval.low), float(interval.high))
    return {f"{name}_low": low, f"{name}_high": high}
