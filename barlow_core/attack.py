"""The feature attack: change an image until a feature of it is as strong as it gets (paper, appendix C)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch
from tqdm.auto import tqdm

from barlow_core.errors import BarlowError

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

# The settings of the paper (appendix C), for images of 224 x 224 pixels.
PAPER_SIDE, PAPER_STEPS, PAPER_EPSILON = 224, 500, 500.0
FEWEST_STEPS = 50
# Rounding to float32 moves a pixel of [0, 1] by at most 2**-25, and a norm by less than a millionth of it.
_PIXEL_ROUNDING, _NORM_ROUNDING = 2.0**-25, 1e-6


class AttackSettings(TypedDict):
    """What decides how far an attack goes; lengths are l2, for pixels in [0, 1]."""

    steps: int
    step_size: float
    epsilon: float


def default_steps(side: int) -> int:
    """Steps for an image of `side` pixels: the paper's 500 at 224, in proportion below, never fewer than 50.

    With the default step size, steps then have the paper's length of 1 for images from 23 to 224 pixels.
    """
    return max(FEWEST_STEPS, min(PAPER_STEPS, round(PAPER_STEPS * side / PAPER_SIDE)))


def attack_settings(
    height: int, width: int, *, steps: int = 500, step_size: float | None = None, epsilon: float | None = None
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
    return {"steps": int(steps), "step_size": float(step_size), "epsilon": float(epsilon)}


def feature_attack(
    extractor: Extractor,
    images: torch.Tensor | np.ndarray,
    features: int | Sequence[int] | np.ndarray | torch.Tensor,
    *,
    steps: int = 500,
    step_size: float | None = None,
    epsilon: float | None = None,
    progress: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Raise a feature by gradient ascent on the image, inside an l2 ball around it (paper, appendix C).

    Every step moves each image by `step_size` along its own normalised gradient g / ||g||_2, then back into
    the ball of radius `epsilon` around the original and into [0, 1]. An image whose gradient is zero (a
    feature that a ReLU holds at 0) stays. Images do not influence each other, nothing is random, and the
    network is left as it was found.

    Args:
        images: (N, 3, H, W) floating point in [0, 1]; never written to.
        features: the feature to raise, one for all images or (N,) one an image; indices into the D features.
        steps: how many steps; 0 gives the images back.
        step_size: l2 length of one step; None scales the paper's 1.0 (see `attack_settings`).
        epsilon: l2 radius; None scales the paper's 500.0 with the size of the image.

    Returns:
        The attacked images, (N, 3, H, W) float32 in [0, 1], at most `epsilon` away from the originals, and
        the activations of the attacked features in them, (N,) float32. Both are on the device of the
        extractor.

    Raises:
        BarlowError: images, features or settings out of their range.
    """
    original = _checked_images(images).to(extractor.device)
    chosen = _checked_features(features, len(original), extractor.n_features).to(original.device)
    settings = attack_settings(*original.shape[-2:], steps=steps, step_size=step_size, epsilon=epsilon)
    attacked = original.clone()
    # cuDNN may otherwise pick algorithms that add in another order each time.
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for _ in tqdm(range(settings["steps"]), desc="attack", unit="step", leave=False, disable=not progress):
            direction = _unit(_gradient(extractor, attacked, chosen))
            attacked = _project(attacked + settings["step_size"] * direction, original, settings["epsilon"])
        with torch.no_grad():
            activations = _activations(extractor, attacked, chosen)
    if not torch.isfinite(activations).all():
        place = int((~torch.isfinite(activations)).nonzero()[0, 0])
        raise BarlowError(
            f"The attack of feature {int(chosen[place])} on image {place} of the batch gave an activation of "
            f"{float(activations[place])}. Expected a finite number: check the weights and the "
            "normalisation of the network."
        )
    return attacked, activations


def _activations(extractor: Extractor, images: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    return extractor.features(images).gather(1, features[:, None])[:, 0]


def _gradient(extractor: Extractor, images: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """The gradient of each image's activation by its own pixels.

    The sum separates into one term an image, so one backward pass gives all gradients; `autograd.grad` with
    respect to the images alone leaves the `.grad` of the weights untouched.
    """
    with torch.enable_grad():
        pixels = images.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(_activations(extractor, pixels, features).sum(), pixels)
    return gradient


def _norms(vectors: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(vectors, dim=(1, 2, 3), keepdim=True)


def _unit(gradient: torch.Tensor) -> torch.Tensor:
    """Each image's gradient at length 1; a gradient of zero stays zero instead of becoming NaN."""
    norms = _norms(gradient)
    return torch.where(norms > 0, gradient / norms.clamp_min(torch.finfo(gradient.dtype).tiny), 0.0)


def _project(images: torch.Tensor, original: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Bring images into the ball of radius `epsilon` around `original`, then into [0, 1].

    Clamping last keeps both: the original lies in the box, so clamping brings every single pixel nearer to
    the original's (or leaves it), and no distance grows. Aiming inside the sphere by what rounding may add keeps
    the distance, computed exactly, within the budget.
    """
    change = images - original
    radius = max(0.0, epsilon * (1 - _NORM_ROUNDING) - _PIXEL_ROUNDING * math.sqrt(original.shape[1:].numel()))
    shrink = (radius / _norms(change).clamp_min(torch.finfo(change.dtype).tiny)).clamp_max(1.0)
    return (original + change * shrink).clamp(0.0, 1.0)


def _checked_images(images: torch.Tensor | np.ndarray) -> torch.Tensor:
    tensor = torch.as_tensor(images)
    if tensor.ndim != 4 or tensor.shape[1] != 3 or not tensor.is_floating_point():
        raise BarlowError(
            f"The images have shape {tuple(tensor.shape)} and type {tensor.dtype}. "
            "Expected (N, 3, H, W) floating point with values in [0, 1], as Extractor.preprocess gives them."
        )
    tensor = tensor.detach().to(torch.float32)
    if len(tensor) and not (tensor.min() >= 0 and tensor.max() <= 1):
        raise BarlowError(
            f"The images reach from {float(tensor.min()):g} to {float(tensor.max()):g}. Expected values in "
            "[0, 1]: the extractor normalises by mean and deviation itself."
        )
    return tensor


def _checked_features(features: int | Sequence[int] | np.ndarray | torch.Tensor, n: int, n_features: int) -> torch.Tensor:
    chosen = torch.as_tensor(features)
    if chosen.is_floating_point() or chosen.dtype == torch.bool or chosen.ndim > 1 or (chosen.ndim == 1 and len(chosen) != n):
        raise BarlowError(
            f"The features have shape {tuple(chosen.shape)} and type {chosen.dtype}. "
            f"Expected one whole number, or one for each of the {n} images."
        )
    chosen = chosen.to(torch.int64).expand(n)
    if n and not (chosen.min() >= 0 and chosen.max() < n_features):
        wrong = int(chosen[(chosen < 0) | (chosen >= n_features)][0])
        raise BarlowError(f"There is no feature {wrong}. Expected an index from 0 to {n_features - 1}.")
    return chosen
