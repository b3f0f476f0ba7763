"""How what the search finds is checked: on held-out images, against luck, for stability."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.columns import categories, column_names
from barlow_core.errors import BarlowError

DUPLICATES = "duplicates"
HELD_OUT = ("auto", "cross-fit", "split", "none")
# What people call the part of a benchmark that rules may be searched in.
SEARCH_NAMES = ("search", "discovery", "train", "training", "dev", "development")
USUAL_PERMUTATIONS, FEWEST_PERMUTATIONS = 199, 39
# Numbers that all shuffles together may look at: about ten minutes of one core. It looks at 90 million a second in groups of 1,000
# images with 256 features, and at 340 million where 1,300 images have 2,048.
AFFORDABLE = 10**11


@dataclass(frozen=True)
class Checks:
    """Which checks are made of every group, and how thoroughly.

    Attributes:
        held_out: "split" searches the images of one split only and measures the rules on the others; "cross-fit" searches all
            images, and measures by repeating the search without the images that it is measured on; "none" does neither;
            "auto" is "split" where the benchmark has a Split column of which one value is to be searched, else "cross-fit".
        search_split: the value of Split whose images are searched; None for the one with a usual name (`SEARCH_NAMES`).
        folds: of cross-fitting.
        permutations: most shuffles of the permutation test; 0 for no test, None for as many as `affordable_permutations`.
        resamples: random halves on which the search is repeated to see how stable it is; 0 for none.
        correlation: |Pearson r| from which on two features count as the same in that.
        confidence: of every interval.
        keep_together: a column of the metadata; images with the same value in it (frames of a video, slices of one patient) stand
            on one side of every fold and split, are shuffled and resampled as one, and count in intervals for what they are worth
            (`statistics.blocks`). An image without a value stands for itself. Or "duplicates": near-duplicates, found from the
            features of each group (`statistics.duplicates`). None where every image stands for itself.
        duplicates: whether near-duplicates are looked for, to say which held-out images were as good as searched; in groups of
            at most `duplicates.MOST_IMAGES` images, unless they are to be kept together.
    """

    held_out: str = "auto"
    search_split: str | None = None
    folds: int = 5
    permutations: int | None = 0
    resamples: int = 0
    correlation: float = 0.8
    confidence: float = 0.95
    keep_together: str | None = None
    duplicates: bool = True

    def __post_init__(self) -> None:
        if self.held_out not in HELD_OUT:
            raise BarlowError(f"held_out is {self.held_out!r}. Expected one of: {', '.join(HELD_OUT)}.")
        for name, low in (("folds", 2), ("permutations", 0), ("resamples", 0)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise BarlowError(f"{name} is {value}. Expected a whole number of at least {low}.")
        for name in ("correlation", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a number between 0 and 1.")
        if self.search_split is not None and self.held_out not in ("auto", "split"):
            raise BarlowError(
                f"search_split is {self.search_split!r}, but held_out is {self.held_out!r}. Expected held_out 'split' with it."
            )

    def resolved(self, benchmark: Benchmark) -> Checks:
        """These checks with "auto" decided for `benchmark`, and the split that is searched by its name.

        Raises:
            BarlowError: a split is asked for that the benchmark does not have, or that leaves nothing on one side; a column to
                keep together that it does not have.
        """
        split = self._search_split(benchmark) if self.held_out in ("auto", "split") else None
        held_out = self.held_out if self.held_out != "auto" else "cross-fit" if split is None else "split"
        together = self._keep_together(benchmark)
        return replace(self, held_out=held_out, search_split=split, keep_together=together)

    def searched(self, benchmark: Benchmark) -> np.ndarray | None:
        """(N,) bool, the images that are searched; None for all. Of resolved checks."""
        return None if self.search_split is None else np.asarray(benchmark.split) == self.search_split

    @property
    def columns(self) -> list[str]:
        """The columns of the metadata that these checks depend on. Of resolved checks."""
        return [] if self.keep_together in (None, DUPLICATES) else [str(self.keep_together)]

    def blocks(self, benchmark: Benchmark) -> np.ndarray | None:
        """(N,) int64, the same number for images that a column keeps together; None where no column does. Of resolved checks."""
        if not self.columns:
            return None
        found = categories(benchmark, self.columns[0])
        alone = np.flatnonzero(found.codes < 0)
        blocks = found.codes.copy()
        blocks[alone] = len(found.values) + np.arange(len(alone))
        return blocks

    def _keep_together(self, benchmark: Benchmark) -> str | None:
        if self.keep_together is None:
            return None
        if self.keep_together == DUPLICATES:
            if DUPLICATES in map(str.casefold, column_names(benchmark)):
                raise BarlowError(
                    f"keep_together is {DUPLICATES!r}, which means near-duplicates, but the metadata has a column of that name, too. "
                    "Expected one of them. Rename the column in the metadata and import it again."
                )
            return DUPLICATES
        return categories(benchmark, self.keep_together).name

    def _search_split(self, benchmark: Benchmark) -> str | None:
        known = [] if benchmark.split is None else sorted(set(benchmark.split))
        asked = self.search_split
        if asked is None:
            usual = [name for name in known if name.lower() in SEARCH_NAMES]
            if len(usual) == 1 and len(known) > 1:
                return usual[0]
            if self.held_out == "auto":
                return None
            raise BarlowError(
                f"Which split is to be searched? Expected the name of one with search_split (--search-split); available: "
                f"{', '.join(known) or 'none, the metadata has no Split column'}."
            )
        if asked not in known:
            raise BarlowError(
                f"No image has the Split {asked!r}. Available: {', '.join(known) or 'none, the metadata has no Split column'}."
            )
        if len(known) == 1:
            raise BarlowError(f"Every image has the Split {asked!r}, so none is left to measure on. Use held_out 'cross-fit'.")
        return asked


def affordable_permutations(n_values: int) -> int:
    """How many shuffles to test luck with, so that the test takes about ten minutes of one core at most.

    Args:
        n_values: images times features, summed over the groups: what one shuffle of every group looks at.

    Returns:
        199; fewer where they would look at more than 10^11 numbers in all; none rather than fewer than 39, with which p could not
        even be 0.025.
    """
    n = min(USUAL_PERMUTATIONS, AFFORDABLE // max(n_values, 1))
    return n if n >= FEWEST_PERMUTATIONS else 0
