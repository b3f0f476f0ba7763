"""How good a network is: the share of images that it classifies rightly, as they are and under attack."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from barlow_core.training.adversary import Logits, l2_pgd


def accuracy(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    rows: np.ndarray | None = None,
    batch_size: int = 500,
    device: str = "cpu",
) -> float:
    """Share of `images` (N, 3, H, W, uint8), or of its `rows`, whose largest logit is the label, in [0, 1]."""
    chosen = torch.arange(len(images)) if rows is None else torch.from_numpy(rows)
    right = 0
    with torch.inference_mode():
        for batch in chosen.split(batch_size):
            pixels = images[batch].to(device).float().div(255)
            right += int((logits(pixels).argmax(1).cpu() == labels[batch]).sum())
    return right / len(chosen)


def robust_accuracy(
    logits: Logits,
    images: Tensor,
    labels: Tensor,
    *,
    rows: np.ndarray,
    rho: float,
    steps: int = 20,
    restarts: int = 3,
    batch_size: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    ascent: Logits | None = None,
) -> float:
    """Share of images that stay right wherever the adversary moves them: `l2_pgd` from `restarts` random starts each.

    Args:
        images: (N, 3, H, W) uint8; labels: (N,) int64.
        rows: (M,) int, the images to attack.
        batch_size: images at a time; 100 on the CPU and 500 elsewhere when None. Random starts depend on it.
        ascent: what the adversary takes its gradients of, such as the same network in bfloat16; `logits`, which says what is right, when None.
        rho: l2 radius, for images in [0, 1]; steps have the length 2.5 rho / `steps`, which crosses the ball whatever the start.

    Returns:
        In [0, 1], an upper bound of what withstands the strongest attack.
    """
    generator = torch.Generator().manual_seed(seed)
    withstood = 0
    for batch in torch.from_numpy(rows).split(batch_size or (100 if device == "cpu" else 500)):
        x, y = images[batch].to(device).float().div(255), labels[batch].to(device)
        with torch.inference_mode():
            right = logits(x).argmax(1) == y
        for _ in range(restarts):
            if not right.any():
                break
            # Whatever one start has moved over the border need not be attacked from another.
            moved = l2_pgd(
                ascent or logits, x[right], y[right], rho=rho, step_size=2.5 * rho / steps, steps=steps, generator=generator
            )
            with torch.inference_mode():
                right[right.clone()] = logits(moved).argmax(1) == y[right]
        withstood += int(right.sum())
    return withstood / len(rows)
