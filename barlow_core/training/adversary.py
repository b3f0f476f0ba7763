"""The adversary of objective (1): the point of an l2 ball around an image at which the loss is largest, approached by gradient steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

Logits = Callable[[Tensor], Tensor]


def l2_pgd(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    rho: float,
    step_size: float,
    steps: int,
    generator: Generator | None = None,
) -> Tensor:
    """Search the l2 ball around each image for the largest cross-entropy: the inner maximum of (1).

    Starts at a random point of the ball, then takes `steps` gradient steps of l2 length `step_size`,
    projecting back after each.

    Args:
        logits: maps images (N, 3, H, W) in [0, 1] to logits (N, K).
        images: (N, 3, H, W) in [0, 1].
        labels: (N,) int64.
        generator: on the CPU, so that every device gets the same random starts.

    Returns:
        (N, 3, H, W) in [0, 1], at most `rho` from `images` in l2 norm, without gradient.
    """
    direction = moved(torch.randn(images.shape, generator=generator), images.device)
    # Radius u^(1/d) makes the points uniform in a ball of d dimensions.
    radius = moved(torch.rand(len(images), generator=generator), images.device) ** (1 / images[0].numel())
    perturbed = _into_ball(images + _unit(direction) * (rho * radius).view(-1, 1, 1, 1), images, rho)
    for _ in range(steps):
        perturbed.requires_grad_(True)
        loss = functional.cross_entropy(logits(perturbed).float(), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, perturbed)
        perturbed = _into_ball(perturbed.detach() + step_size * _unit(gradient), images, rho)
    return perturbed


def moved(values: Tensor, device: torch.device) -> Tensor:
    """`values` of the processor on `device`, where CUDA is without waiting for what it still computes."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def _unit(vectors: Tensor) -> Tensor:
    norms = vectors.flatten(1).norm(dim=1).clamp_min(1e-12)
    return vectors / norms.view(-1, 1, 1, 1)


def _into_ball(points: Tensor, centres: Tensor, rho: float) -> Tensor:
    offset = points - centres
    norms = offset.flatten(1).norm(dim=1).clamp_min(1e-12)
    offset = offset * (rho / norms).clamp_max(1).view(-1, 1, 1, 1)
    # The centre lies in the box [0, 1], so clamping only brings the point closer to it: the ball is kept.
    return (centres + offset).clamp(0, 1)
