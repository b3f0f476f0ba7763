"""The images that an intervention changes: drawn on both sides of the condition, and among other classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor
from barlow_core.interventions.asking import Inspected, pictures
from barlow_core.interventions.kinds import ELSEWHERE, LEAF, OUTSIDE, SIDES
from barlow_core.interventions.settings import InterventionSettings
from barlow_core.interventions.target import Target
from barlow_core.run import Run


@dataclass(frozen=True)
class Images:
    """The images that are changed, in the order leaf, outside, other classes.

    Attributes:
        positions: (n,) int64, in the benchmark.
        sides: (n,) of `kinds.SIDES`.
        labels: (n,) int64.
        seen: (n, 3, S, S), as the extractor sees them; asked: (n, 3, T, T), as the model does.
        n_contradicted: how many were left out because the model says something else than is stored of them.
    """

    positions: np.ndarray
    sides: np.ndarray
    labels: np.ndarray
    seen: Tensor
    asked: Tensor
    n_contradicted: int

    def at(self, rows: np.ndarray) -> Images:
        return Images(
            self.positions[rows], self.sides[rows], self.labels[rows], self.seen[rows], self.asked[rows], self.n_contradicted
        )


def drawn_images(run: Run, inspected: Inspected, extractor: Extractor, target: Target, settings: InterventionSettings) -> Images:
    """Draw the images to change, and leave out those of which the model says something else than is stored."""
    benchmark, rng = run.benchmark, np.random.default_rng([settings.seed, 1])
    wrong, stored = benchmark.failure, benchmark.predictions
    assert stored is not None
    chosen = {
        LEAF: target.inside[wrong[target.inside]],
        OUTSIDE: target.outside[~wrong[target.outside]],
        ELSEWHERE: target.elsewhere[~wrong[target.elsewhere]],
    }
    chosen = {side: found for side, found in chosen.items() if side in (*target.sides, ELSEWHERE)}
    if not any(len(chosen[side]) for side in target.sides):
        raise BarlowError(
            f"The leaf of {target.group} ({target.rule}) has no failure that could be repaired, or outside of it is no success that could "
            "be broken. Choose another failure mode."
        )
    drawn = {
        side: np.sort(rng.permutation(found)[: settings.images * (2 if target.sides == (side,) else 1)])
        for side, found in chosen.items()
    }  # a permutation: the same first images, however many are asked for
    positions = np.concatenate([drawn[side] for side in SIDES if side in drawn])
    sides = np.concatenate([np.full(len(drawn[side]), side, dtype=object) for side in SIDES if side in drawn])
    seen, asked = pictures(run, positions, extractor.preprocess, inspected.preprocess)
    labels = benchmark.labels[positions]
    agrees = inspected.ask(asked, labels).predictions == stored[positions]
    images = Images(positions, sides, labels, seen, asked, int((~agrees).sum())).at(np.flatnonzero(agrees))
    if not (images.sides != ELSEWHERE).any():
        raise BarlowError(
            f"The model contradicts the stored predictions of all {len(positions)} images that were to be changed. Expected the model that "
            "made them: --model."
        )
    return images
