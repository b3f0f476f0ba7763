"""The feature attack: change an image until a feature of it is as strong as it gets (paper, appendix C)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import torch

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.extractors.acceleration import best_precision
from barlow_core.panels.attack_steps import Attack, AttackFrame, Raised
from barlow_core.panels.settings import attack_settings
from barlow_core.progress import progress_bar

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

Indices = int | Sequence[int] | np.ndarray | torch.Tensor
Raisable = Indices | Direction
"""What an attack raises: one feature or direction for all images, or (N,) features, one an image."""


def feature_attack(
    extractor: Extractor,
    images: torch.Tensor | np.ndarray,
    features: Raisable,
    *,
    steps: int = 500,
    step_size: float | None = None,
    epsilon: float | None = None,
    early_stop: float | None = None,
    lower: bool = False,
    exact: bool = False,
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
        early_stop: leave an image as it is once 20 steps have raised its activation by no more than this share of it, such as 0.01;
            None takes all steps.
        lower: lower the feature instead.
        exact: run the network as it is, instead of the faster way that differs by rounding (`attack_networks`).
        on_step: called after every step with how many are taken and how many there are; what it raises ends the attack.

    Returns:
        The attacked images, (N, 3, H, W) float32 in [0, 1], at most `epsilon` away from the originals, and
        the activations of the attacked features in them, (N,) float32. Both are on the device of the
        extractor.

    Raises:
        BarlowError: images, features or settings out of their range; too little memory for one image.
    """
    settings = {"steps": steps, "step_size": step_size, "epsilon": epsilon, "early_stop": early_stop}
    how = {"lower": lower, "exact": exact, "progress": progress, "on_step": on_step}
    return attack_together(extractor, [(images, features)], **settings, **how)[0]  # type: ignore[arg-type]


def attack_together(
    extractor: Extractor,
    requests: Sequence[tuple[torch.Tensor | np.ndarray, Raisable]],
    *,
    steps: int = 500,
    step_size: float | None = None,
    epsilon: float | None = None,
    early_stop: float | None = None,
    lower: bool = False,
    exact: bool = False,
    progress: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """`feature_attack` for several (images, features) of the same size at once: all cores are used, and a GPU is filled.

    On a CPU every result has the bits that it has alone; on a GPU it differs by rounding (docs/speed.md says how much).
    """
    taken = [_checked(extractor, images, features) for images, features in requests]
    if not taken:
        return []
    shape = taken[0][0].shape[-2:]
    settings = attack_settings(*shape, steps=steps, step_size=step_size, epsilon=epsilon, early_stop=early_stop)
    width = max(raised.features.shape[1] for _, raised in taken)
    original = torch.cat([images for images, _ in taken])
    raised = Raised(*(torch.cat(parts) for parts in zip(*(raised.widened(width) for _, raised in taken), strict=True)))
    sizes = [len(images) for images, _ in taken]
    network, measure = attack_networks(extractor, exact=exact)
    with progress_bar(total=settings["steps"], desc="attack", unit="step", nested=True, shown=progress) as bar:

        def step_taken(done: int, total: int) -> None:
            bar.update()
            if on_step is not None:
                on_step(done, total)

        (last,) = Attack(network, measure, settings, [settings["steps"]], lower).frames(original, raised, sizes, step_taken)
    return list(zip(last.images.split(sizes), last.activations.split(sizes), strict=True))


def feature_attack_frames(
    extractor: Extractor,
    images: torch.Tensor | np.ndarray,
    features: Raisable,
    *,
    frames: int = 5,
    steps: int = 500,
    step_size: float | None = None,
    epsilon: float | None = None,
    early_stop: float | None = None,
    lower: bool = False,
    exact: bool = False,
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
    original, raised = _checked(extractor, images, features)
    at = sorted({round(steps * frame / (frames - 1)) for frame in range(frames)})
    settings = attack_settings(*original.shape[-2:], steps=steps, step_size=step_size, epsilon=epsilon, early_stop=early_stop)
    network, measure = attack_networks(extractor, exact=exact)
    return Attack(network, measure, settings, at, lower).frames(original, raised, [len(original)], on_step)


def attack_networks(extractor: Extractor, *, exact: bool = False) -> tuple[Extractor, Extractor]:
    """What computes the gradients of an attack, and what the activations that it reports: the extractor, run faster unless `exact`.

    Gradients have bfloat16's precision where the device gains by it, since a step follows their direction alone; activations always
    float32's. float16 is for neither: small gradients would vanish in it.
    """
    if exact:
        return extractor, extractor
    with suppress(BarlowError, AttributeError):  # whatever has features can be attacked, a function of the pixels too
        measure = extractor.accelerated()
        with suppress(BarlowError):
            if best_precision(extractor.device) == "bfloat16":
                return extractor.accelerated("bfloat16"), measure
        return measure, measure
    return extractor, extractor


def _checked(extractor: Extractor, images: torch.Tensor | np.ndarray, features: Raisable) -> tuple[torch.Tensor, Raised]:
    original = _checked_images(images).to(extractor.device)
    n, device = len(original), original.device
    if isinstance(features, Direction):
        _check_range(torch.tensor(features.features), extractor.n_features)
        indices = torch.tensor(features.features, device=device).expand(n, -1)
        return original, Raised(indices, torch.tensor(features.weights, dtype=torch.float32, device=device).expand(n, -1))
    indices = _checked_features(features, n, extractor.n_features).to(device)[:, None]
    return original, Raised(indices, torch.ones_like(indices, dtype=torch.float32))


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
