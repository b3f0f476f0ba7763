"""Which images of a group are searched, which are measured on, and which of them belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from barlow_core.analyses.checks import DUPLICATES, Checks
from barlow_core.analyses.record import ExplainRecord
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.groups import Group, parse
from barlow_core.run import Run
from barlow_core.statistics import HeldOut, cross_fit, measure
from barlow_core.statistics.duplicates import MOST_IMAGES, Duplicates, near_duplicates


@dataclass(frozen=True)
class Parts:
    """The n images of a group, as the checks of a search take them.

    Attributes:
        searched: (n,) bool, the images that are searched.
        blocks: (n,) int64, the same number for images that are kept together; None where every image stands for itself.
        duplicates: the near-duplicates among all n; None where they were not looked for.
    """

    searched: np.ndarray
    blocks: np.ndarray | None
    duplicates: Duplicates | None

    @classmethod
    def of(
        cls, features: np.ndarray, searched: np.ndarray | None, blocks: np.ndarray | None, checks: Checks, *, seed: int
    ) -> Parts:
        """Find what belongs together.

        Args:
            features: (n, D), of all images of the group.
            searched: (n,) bool; None for all.
            blocks: (n,) int64, by a column of the metadata (`Checks.blocks`); None without.
            checks: resolved.
            seed: of `near_duplicates`.

        Cost: that of `near_duplicates`, where they are looked for.
        """
        together = checks.keep_together == DUPLICATES
        looked_for = together or (checks.duplicates and checks.held_out != "none" and len(features) <= MOST_IMAGES)
        duplicates = near_duplicates(features, seed=seed) if looked_for else None
        if together and duplicates is not None:
            blocks = duplicates.blocks
        return cls(np.ones(len(features), dtype=bool) if searched is None else searched, blocks, duplicates)

    @property
    def searched_blocks(self) -> np.ndarray | None:
        return None if self.blocks is None else self.blocks[self.searched]

    @property
    def measured(self) -> np.ndarray:
        """(n,) bool, the images that a split holds out: those that are not searched, and belong to none that is."""
        outside = ~self.searched
        if self.blocks is not None:
            outside &= ~np.isin(self.blocks, self.blocks[self.searched])
        return outside

    def hold_out(
        self,
        features: np.ndarray,
        failure: np.ndarray,
        analyses: Sequence[FailureAnalysis],
        checks: Checks,
        *,
        seed: int,
        information: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> HeldOut | None:
        """Measure what was found in the searched images as `checks` say; None for no check.

        Args:
            features: (n, D), failure: (n,) bool: of all images of the group.
            analyses: of the searched ones.
            information: for `cross_fit`, by positions among the searched ones.
        """
        numbers = None if self.duplicates is None else self.duplicates.blocks
        if checks.held_out == "cross-fit":
            return cross_fit(
                features[self.searched],
                failure[self.searched],
                analyses,
                folds=checks.folds,
                seed=seed,
                information=information,
                blocks=self.searched_blocks,
                duplicates=None if numbers is None else numbers[self.searched],
            )
        if checks.held_out == "split":
            out = self.measured
            return measure(
                analyses,
                features[out],
                failure[out],
                blocks=None if self.blocks is None else self.blocks[out],
                seen=None if numbers is None else np.isin(numbers[out], numbers[self.searched]),
            )
        return None


def parts_of(run: Run, key: str) -> tuple[Group, Parts]:
    """A group of an explained run, and the parts that its search had; near-duplicates only where they were kept together.

    Cost: where they were, that of `near_duplicates` and of reading the group's features; else none to speak of.
    """
    benchmark, record = run.benchmark, ExplainRecord.of(run)
    group, checks = parse(benchmark, key), record.checks
    searched, blocks = checks.searched(benchmark), checks.blocks(benchmark)
    inside = None if searched is None else searched[group.indices]
    own = None if blocks is None else blocks[group.indices]
    if checks.keep_together == DUPLICATES:
        return group, Parts.of(run.features()[group.indices], inside, own, checks, seed=record.settings.seed)
    return group, Parts(np.ones(len(group), dtype=bool) if inside is None else inside, own, None)
