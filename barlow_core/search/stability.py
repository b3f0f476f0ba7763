"""Would a search select the same images again, had it been given other images?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from barlow_core.search.short import agreement
from barlow_core.statistics.blocks import half_of_blocks

SAME = 0.5  # Jaccard index of the images of two rules, from which on they say the same thing


def recurrence(
    rules: Sequence[np.ndarray],
    again: Callable[[np.ndarray], Sequence[np.ndarray]],
    failure: np.ndarray,
    blocks: np.ndarray | None,
    *,
    resamples: int,
    seed: int,
) -> list[float | None]:
    """Repeat a search on random halves of its images, and see how often it finds rules for the same images.

    Halves are drawn as `statistics.stability` draws them: without replacement, half of the blocks with a failure, and half of those
    without. A half has fewer images, so what comes back in all halves is stable for sure, and what comes back in few need not be
    wrong: it may be too small for half of the images.

    Args:
        rules: (c,) bool each, the images that each rule selects among those that no search sees.
        again: searches the images at the positions that it is given, and returns the same of what it finds.
        failure: (n,) bool, of the searched images. blocks: (n,) int64 from 0 on, the same number for images that belong together.
        resamples: how many halves.

    Returns:
        For each rule the share of halves of which a rule selects mostly the same images (Jaccard index of at least `SAME`); None
        where the rule selects none, or nothing was resampled.
    """
    rng = np.random.default_rng([seed, 1])
    hits = np.zeros(len(rules))
    for _ in range(resamples if rules else 0):
        others = again(half_of_blocks(failure, blocks, rng))
        hits += [any((agreement(rule, other) or 0.0) >= SAME for other in others) for rule in rules]
    return [float(n / resamples) if resamples and rule.any() else None for n, rule in zip(hits, rules, strict=True)]
