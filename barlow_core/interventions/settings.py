"""What decides how an intervention is made and judged."""

from __future__ import annotations

import math
from dataclasses import dataclass

from barlow_core.errors import BarlowError

FILLS = ("inpaint", "mean", "blur", "noise")
# l2 length of the largest change through the extractor for images of 224 pixels: twice the radius in which published robust networks
# of ImageNet were trained (eps 3), so that the change is visible in the picture and still small.
EPSILON, SIDE = 12.0, 224


@dataclass(frozen=True)
class InterventionSettings:
    """How a failure mode is intervened on.

    Attributes:
        images: at most so many failures of the leaf, successes outside of it, and images of other classes.
        doses: in how many equal steps the change grows to its full size.
        epsilon: l2 length of the full change through the extractor, for pixels in [0, 1]; None for 12 at 224 pixels, in proportion to
            the side.
        fills: what takes the place of the region that the feature looks at, of `FILLS`; none of them for no change of regions.
        threshold: the region is where the heatmap, scaled to [0, 1], is at least this.
        controls: random features; None for as many as the test needs (`n_controls`).
        alpha: the level of the test behind the verdict, over all ways of changing the images together.
        tolerance: share of images, at most, whose stored prediction is not the model's.
        seed: of every random choice.
    """

    images: int = 20
    doses: int = 3
    epsilon: float | None = None
    fills: tuple[str, ...] = ("inpaint",)
    threshold: float = 0.5
    controls: int | None = None
    alpha: float = 0.05
    tolerance: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("images", 1), ("doses", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a whole number of at least {low}.")
        if self.epsilon is not None and not (math.isfinite(self.epsilon) and self.epsilon > 0):
            raise BarlowError(f"epsilon is {self.epsilon}. Expected an l2 length above 0, for pixels in [0, 1].")
        for fill in self.fills:
            if fill not in FILLS:
                raise BarlowError(f"A region cannot be filled with {fill!r}. Expected one of: {', '.join(FILLS)}.")
        if len(set(self.fills)) < len(self.fills):
            raise BarlowError("A fill is named twice. Expected each once.")
        for name, value in (("threshold", self.threshold), ("alpha", self.alpha)):
            if not 0 < value < 1:
                raise BarlowError(f"{name} is {value}. Expected a number between 0 and 1.")
        if not 0 <= self.tolerance <= 1:
            raise BarlowError(f"tolerance is {self.tolerance}. Expected a share between 0 and 1.")
        if self.controls is not None and self.controls < 1:
            raise BarlowError(f"controls is {self.controls}. Expected at least 1 random feature.")

    def n_controls(self, n_ways: int) -> int:
        """Random features: as many as let p of each of `n_ways` ways reach alpha / n_ways; it is 1 / (n + 1) at best."""
        if self.controls is not None:
            return self.controls
        return math.ceil(n_ways / self.alpha - 1e-9) - 1

    def full_change(self, image_size: int) -> float:
        """The l2 length of the full change, for square images of `image_size` pixels."""
        return EPSILON * image_size / SIDE if self.epsilon is None else self.epsilon
