"""The feature attack: change an image until a feature of it is as strong as it gets (paper, appendix C)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.panels.settings import attack_settings
from barlow_core.progress import progress_bar

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

# Rounding to float32 moves a pixel of [0, 1] by at most 2**-25, and a norm by less than a millionth of it.
_PIXEL_ROUNDING, _NORM_ROUNDING = 2.0**-25, 1e-6


Indices = int | Sequence[int] | np.ndarray | torch.Tensor
Raisable = Indices | Direction
"""What an attack raises: one feature or direction for all images, or (N,) features, one an image."""


class AttackFrame(NamedTuple):
    """Where an attack is after some of its steps.

    Attributes:
        step: how many were taken.
        images: (N, 3, H, W) float32 in [0, 1].
        activations: (N,) float32, of the attacked features (or of the direction) in them.
        distances: (N,) float32, l2 from the originals.
    """

    step: int
    images: torch.Tensor
    activations: torch.Tensor
    distances: torch.Tensor


def feature_attack(
    extractor: Extractor,
    images: torch.Tensor | np.ndarray,
    features: Raisable,
    *,
    steps: int = 500,
    step_size: float | None = None,
    epsilon: float | None = None,
    progress: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Raise a feature by gradient ascent on the image, inside an l2 ball around it (paper, appendix C).

    Every step moves each image by `step_size` along its own normalised gradient g / ||g||_2, then back into
    the ball of radius `epsilon` around the original and into [0, 1]. An image whose gradient is zero (a
    feature that a ReLU holds at 0) stays. Images do not influence each other, nothing is random, and the
    network is left as it was found.

    Args:
        images: (N, 3, H, W) floating point in [0, 1]; never written to.
        features: the feature to raise, one for all images or (N,) one an image, indices into the D features; or a direction, whose
            weighted sum of features is raised.
        steps: how many steps; 0 gives the images back.
        step_size: l2 length of one step; None scales the paper's 1.0 (see `attack_settings`).
        epsilon: l2 radius; None scales the paper's 500.0 with the size of the image.
        on_step: called after every step with how many are taken and how many there are; what it raises ends the attack.

    Returns:
        The attacked images, (N, 3, H, W) float32 in [0, 1], at most `epsilon` away from the originals, and
        the activations of the attacked features in them, (N,) float32. Both are on the device of the
        extractor.

    Raises:
        BarlowError: images, features or settings out of their range.
    """
    *_, last = _frames(extractor, images, features, [steps], step_size, epsilon, progress, on_step)
    return last.images, last.activations


def feature_attack_frames(
    extractor: Extractor,
    images: torch.Tensor | np.ndarray,
    features: Raisable,
    *,
    frames: int = 5,
    steps: int = 500,
    step_size: float | None = None,
    epsilon: float | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> list[AttackFrame]:
    """A feature attack on its way: the images at its beginning, at its end, and in between at steps that lie evenly.

    The last frame is what `feature_attack` gives for the same arguments.

    Args:
        frames: how many, at least 2; there are fewer where there are fewer steps.
        (others): see `feature_attack`.

    Raises:
        BarlowError: fewer than 2 frames; or as `feature_attack`.
    """
    if frames < 2:
        raise BarlowError(f"frames is {frames}. Expected at least 2, the beginning and the end of the attack.")
    at = sorted({round(steps * frame / (frames - 1)) for frame in range(frames)})
    return list(_frames(extractor, images, features, at, step_size, epsilon, False, on_step))


def _frames(
    extractor: Extractor,
    images: torch.Tensor | np.ndarray,
    features: Raisable,
    at: Sequence[int],
    step_size: float | None,
    epsilon: float | None,
    progress: bool,
    on_step: Callable[[int, int], None] | None,
) -> Iterator[AttackFrame]:
    """The attack after each number of steps of `at`, increasing; it ends with the last of them."""
    original = _checked_images(images).to(extractor.device)
    raised = _Raised.of(features, len(original), extractor.n_features, original.device)
    settings = attack_settings(*original.shape[-2:], steps=at[-1], step_size=step_size, epsilon=epsilon)
    attacked = original.clone()
    # cuDNN may otherwise pick algorithms that add in another order each time.
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        for step in progress_bar(range(settings["steps"] + 1), desc="attack", unit="step", nested=True, shown=progress):
            if step:
                direction = _unit(_gradient(extractor, attacked, raised))
                attacked = _project(attacked + settings["step_size"] * direction, original, settings["epsilon"])
                if on_step is not None:
                    on_step(step, settings["steps"])
            if step in at:
                with torch.no_grad():
                    activations = _activations(extractor, attacked, raised)
                _check_finite(activations, raised)
                yield AttackFrame(step, attacked, activations, _norms(attacked - original)[:, 0, 0, 0])


class _Raised(NamedTuple):
    """What is raised in each image: (N, m) int64 features and (N, m) float32 weights; m is 1 for single features."""

    features: torch.Tensor
    weights: torch.Tensor

    @classmethod
    def of(cls, features: Raisable, n: int, n_features: int, device: torch.device) -> _Raised:
        if isinstance(features, Direction):
            _check_range(torch.tensor(features.features), n_features)
            indices = torch.tensor(features.features, device=device).expand(n, -1)
            return cls(indices, torch.tensor(features.weights, dtype=torch.float32, device=device).expand(n, -1))
        indices = _checked_features(features, n, n_features).to(device)[:, None]
        return cls(indices, torch.ones_like(indices, dtype=torch.float32))

    def words(self, place: int) -> str:
        features = tuple(self.features[place].tolist())
        return Direction(features, tuple(self.weights[place].tolist())).words


def _check_finite(activations: torch.Tensor, raised: _Raised) -> None:
    if not torch.isfinite(activations).all():
        place = int((~torch.isfinite(activations)).nonzero()[0, 0])
        raise BarlowError(
            f"The attack of {raised.words(place)} on image {place} of the batch gave an activation of "
            f"{float(activations[place])}. Expected a finite number: check the weights and the "
            "normalisation of the network."
        )


def _activations(extractor: Extractor, images: torch.Tensor, raised: _Raised) -> torch.Tensor:
    return (extractor.features(images).gather(1, raised.features) * raised.weights).sum(dim=1)


def _gradient(extractor: Extractor, images: torch.Tensor, raised: _Raised) -> torch.Tensor:
    """The gradient of each image's activation by its own pixels.

    The sum separates into one term an image, so one backward pass gives all gradients; `autograd.grad` with
    respect to the images alone leaves the `.grad` of the weights untouched.
    """
    with torch.enable_grad():
        pixels = images.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(_activations(extractor, pixels, raised).sum(), pixels)
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


def _checked_features(features: Indices, n: int, n_features: int) -> torch.Tensor:
    chosen = torch.as_tensor(features)
    if chosen.is_floating_point() or chosen.dtype == torch.bool or chosen.ndim > 1 or (chosen.ndim == 1 and len(chosen) != n):
        raise BarlowError(
            f"The features have shape {tuple(chosen.shape)} and type {chosen.dtype}. "
            f"Expected one whole number, or one for each of the {n} images."
        )
    chosen = chosen.to(torch.int64).expand(n)
    _check_range(chosen, n_features)
    return chosen


def _check_range(features: torch.Tensor, n_features: int) -> None:
    wrong = features[(features < 0) | (features >= n_features)]
    if len(wrong):
        raise BarlowError(f"Feature {int(wrong[0])} does not exist. Expected an index from 0 to {n_features - 1}.")
