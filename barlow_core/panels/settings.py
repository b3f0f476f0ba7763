"""How far a feature attack goes, by default and by choice (paper, appendix C)."""

from __future__ import annotations

import math
from typing import NotRequired, TypedDict

from barlow_core.errors import BarlowError

# The settings of the paper (appendix C), for images of 224 x 224 pixels.
PAPER_SIDE, PAPER_STEPS, PAPER_EPSILON = 224, 500, 500.0
FEWEST_STEPS = 50


class AttackSettings(TypedDict):
    """What decides how far an attack goes; lengths are l2, for pixels in [0, 1].

    `early_stop` is there only where the attack of an image may end before all steps are taken.
    """

    steps: int
    step_size: float
    epsilon: float
    early_stop: NotRequired[float]


def default_steps(side: int) -> int:
    """Steps for an image of `side` pixels: the paper's 500 at 224, in proportion below, never fewer than 50.

    With the default step size, steps then have the paper's length of 1 for images from 23 to 224 pixels.
    """
    return max(FEWEST_STEPS, min(PAPER_STEPS, round(PAPER_STEPS * side / PAPER_SIDE)))


def attack_settings(
    height: int,
    width: int,
    *,
    steps: int = 500,
    step_size: float | None = None,
    epsilon: float | None = None,
    early_stop: float | None = None,
) -> AttackSettings:
    """The settings of an attack with the missing ones filled in.

    The paper takes 500 steps of length 1 and a budget of 500 for 224 x 224 pixels. The l2 length of the same
    visible change grows with the side of the image, so None stands for `epsilon = 500 * side / 224` and
    `step_size = epsilon / steps` (with `side = sqrt(height * width)`): exactly the paper's numbers at 224 x
    224 and 500 steps, and a path as long as the budget for any other size and number of steps.

    Raises:
        BarlowError: a setting that is not a positive, finite number.
    """
    if isinstance(steps, bool) or int(steps) != steps or steps < 0:
        raise BarlowError(f"steps is {steps!r}. Expected a whole number, 0 or more (the paper takes 500).")
    if epsilon is None:
        epsilon = PAPER_EPSILON * math.sqrt(height * width) / PAPER_SIDE
    if step_size is None:
        step_size = epsilon / max(steps, 1)
    for name, value in (("epsilon", epsilon), ("step_size", step_size)):
        if not (math.isfinite(value) and value > 0):
            raise BarlowError(f"{name} is {value!r}. Expected an l2 length greater than 0, for pixels in [0, 1].")
    settings: AttackSettings = {"steps": int(steps), "step_size": float(step_size), "epsilon": float(epsilon)}
    if early_stop is not None:
        if not 0 <= early_stop < 1:
            raise BarlowError(
                f"early_stop is {early_stop!r}. Expected a share of the activation, from 0 to below 1, such as 0.01."
            )
        settings["early_stop"] = float(early_stop)
    return settings
