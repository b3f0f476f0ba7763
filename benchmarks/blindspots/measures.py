"""How well hypotheses match the blindspots that were planted: the measures of Plumb et al. (2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PRECISION = 0.8
RECALL = 0.8
MOST_HYPOTHESES = 10


@dataclass(frozen=True)
class Discovery:
    """What a method found in one benchmark.

    Attributes:
        discovered: (B,) bool, a blindspot each.
        belongs: (H,) int, the blindspot that each counted hypothesis belongs to, -1 for a false one.
    """

    discovered: np.ndarray
    belongs: np.ndarray

    @property
    def discovery_rate(self) -> float:
        """Share of the blindspots that are discovered; nan where none was planted."""
        return float(self.discovered.mean()) if len(self.discovered) else float("nan")

    @property
    def false_discovery_rate(self) -> float:
        """Share of the hypotheses that belong to no blindspot; 0 where there is no hypothesis."""
        return float((self.belongs < 0).mean()) if len(self.belongs) else 0.0


def discoveries(hypotheses: Sequence[np.ndarray], blindspots: np.ndarray) -> Discovery:
    """Match hypotheses with blindspots.

    A hypothesis belongs to a blindspot when at least PRECISION of its images lie in it; a blindspot is discovered when the
    hypotheses that belong to it hold at least RECALL of its images together.

    Args:
        hypotheses: (n,) bool each, the most important first; only the first MOST_HYPOTHESES count.
        blindspots: (n, B) bool, disjoint.

    Raises:
        ValueError: a hypothesis or a blindspot without images, or one of another length.
    """
    n, n_blindspots = blindspots.shape
    if n_blindspots and not blindspots.any(axis=0).all():
        raise ValueError("A blindspot has no images. Expected at least one each.")
    counted = list(hypotheses)[:MOST_HYPOTHESES]
    covered = np.zeros((n, n_blindspots), dtype=bool)
    belongs = np.full(len(counted), -1)
    for number, hypothesis in enumerate(counted):
        if hypothesis.shape != (n,) or not hypothesis.any():
            raise ValueError(
                f"Hypothesis {number} has shape {hypothesis.shape} and {hypothesis.sum()} images. Expected ({n},) and some."
            )
        for j in range(n_blindspots):
            if blindspots[hypothesis, j].mean() >= PRECISION:
                belongs[number] = j
                covered[:, j] |= hypothesis
    recall = (covered & blindspots).sum(axis=0) / np.maximum(blindspots.sum(axis=0), 1)
    return Discovery(recall >= RECALL, belongs)
