"""l2 adversarial training, objective (1) of the paper: minimise E[max over |x' - x| <= rho of loss at x'].

The inner maximum is approached by projected gradient ascent (`l2_pgd`), the outer minimum by SGD (`train`);
rho = 0 is ordinary training. Everything random comes from the seed and the number of the epoch, so a training
that was interrupted and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from barlow_core.errors import BarlowError
from barlow_core.progress import progress_bar
from barlow_core.storage.files import atomic_write

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
    direction = torch.randn(images.shape, generator=generator).to(images.device)
    # Radius u^(1/d) makes the points uniform in a ball of d dimensions.
    radius = torch.rand(len(images), generator=generator).to(images.device) ** (1 / images[0].numel())
    perturbed = _into_ball(images + _unit(direction) * (rho * radius).view(-1, 1, 1, 1), images, rho)
    for _ in range(steps):
        perturbed.requires_grad_(True)
        loss = functional.cross_entropy(logits(perturbed).float(), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, perturbed)
        perturbed = _into_ball(perturbed.detach() + step_size * _unit(gradient), images, rho)
    return perturbed


def _unit(vectors: Tensor) -> Tensor:
    norms = vectors.flatten(1).norm(dim=1).clamp_min(1e-12)
    return vectors / norms.view(-1, 1, 1, 1)


def _into_ball(points: Tensor, centres: Tensor, rho: float) -> Tensor:
    offset = points - centres
    norms = offset.flatten(1).norm(dim=1).clamp_min(1e-12)
    offset = offset * (rho / norms).clamp_max(1).view(-1, 1, 1, 1)
    # The centre lies in the box [0, 1], so clamping only brings the point closer to it: the ball is kept.
    return (centres + offset).clamp(0, 1)


def augment(images: Tensor, generator: Generator, *, padding: int = 4) -> Tensor:
    """Pad each image by reflection, crop it at a random place, and mirror it with probability one half.

    Args:
        images: (N, 3, H, W), any dtype.

    Returns:
        (N, 3, H, W) of the same dtype.
    """
    n, _, height, width = images.shape
    padded = functional.pad(images.float(), (padding,) * 4, mode="reflect").to(images.dtype)
    tops = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    lefts = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    rows = tops + torch.arange(height)
    columns = lefts + torch.arange(width)
    mirrored = torch.rand(n, generator=generator) < 0.5
    columns[mirrored] = columns[mirrored].flip(1)
    cropped = padded[torch.arange(n).view(n, 1, 1), :, rows.unsqueeze(2), columns.unsqueeze(1)]
    return cropped.permute(0, 3, 1, 2).contiguous()


def train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    epochs: int,
    peak_rate: float,
    rho: float = 0.0,
    step_size: float | None = None,
    steps: int = 1,
    batch_size: int = 256,
    rows: np.ndarray | None = None,
    padding: int = 4,
    made_from: str = "",
    seed: int = 0,
    device: str = "cpu",
    bf16: bool | None = None,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> list[float]:
    """Train `network` in place by objective (1): SGD, Nesterov momentum 0.9, decay 5e-4, one-cycle rate.

    Args:
        network: maps normalised images (N, 3, H, W) to logits (N, K).
        images: (N, 3, H, W) uint8, may lie in a mapped file; cropped and mirrored by chance in training.
        labels: (N,) int64.
        mean, std: of the three channels, for images in [0, 1].
        peak_rate: the largest learning rate of the cycle.
        rho: l2 radius of objective (1), for images in [0, 1]; 0 trains without an adversary.
        step_size: l2 length of a step of the adversary; `rho` when None.
        steps: gradient steps of the adversary, which sees the network in evaluation mode.
        rows: (M,) int, which images to learn from; all when None.
        padding: pixels by which an image is moved about at most.
        made_from: stands for images, labels and network, so that `checkpoint` is not taken for another training's.
        bf16: compute in bfloat16 where that is safe (autocast); weights stay float32. None does so where it is quick: on CUDA,
            and on processors with AVX-512 (one without is 13 times slower at it than in float32).
        checkpoint: written after every epoch; if it exists, training goes on from there.

    Returns:
        The mean training loss of every epoch, resumed ones included.

    Raises:
        BarlowError: fewer images than one batch, or `checkpoint` belongs to another training.
    """
    learnt = torch.arange(len(images)) if rows is None else torch.from_numpy(rows)
    if len(learnt) < batch_size:
        raise BarlowError(
            f"{len(learnt)} training images do not fill one batch of {batch_size}. "
            "Expected at least one batch. Give more images or a smaller batch size (--batch-size)."
        )
    if bf16 is None:
        kind = torch.device(device).type
        bf16 = kind == "cuda" or (kind == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX512"))
    layout = _layout(network)
    network.to(device).to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), lr=peak_rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    batches = len(learnt) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peak_rate, total_steps=epochs * batches)
    parts: dict[str, Any] = {"network": network, "optimizer": optimizer, "schedule": schedule}
    attack = {"rho": rho, "step_size": rho if step_size is None else step_size, "steps": steps}
    settings = {
        "images": len(learnt),
        "made_from": made_from,
        "padding": padding,
        "epochs": epochs,
        "peak_rate": peak_rate,
        "batch_size": batch_size,
        "seed": seed,
    }
    losses = _resume(checkpoint, parts, settings | attack)
    means, stds = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (mean, std))

    def logits(pixels: Tensor) -> Tensor:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
            found: Tensor = network((pixels - means) / stds)
        return found.float()

    for epoch in range(len(losses), epochs):
        generator = Generator().manual_seed(seed * 100_003 + epoch)
        order = learnt[torch.randperm(len(learnt), generator=generator)]
        total = 0.0
        bar = progress_bar(range(batches), desc=f"epoch {epoch + 1}/{epochs}", unit="batch", shown=progress)
        for batch in bar:
            chosen = order[batch * batch_size : (batch + 1) * batch_size]
            x = augment(images[chosen], generator, padding=padding).to(device, torch.float32) / 255
            x = x.contiguous(memory_format=layout)
            y = labels[chosen].to(device)
            if rho > 0:
                network.eval()
                x = l2_pgd(logits, x, y, generator=generator, **attack)  # type: ignore[arg-type]
            network.train()
            loss = functional.cross_entropy(logits(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            bar.set_postfix(loss=f"{total / (batch + 1):.3f}", refresh=False)
        if not math.isfinite(total):
            raise BarlowError(
                f"The loss is {total} in epoch {epoch + 1}. Expected a finite number. "
                f"Start again with a lower peak rate than {peak_rate}."
            )
        losses.append(total / batches)
        if checkpoint is not None:
            state = {name: part.state_dict() for name, part in parts.items()}
            with atomic_write(checkpoint) as temporary:
                torch.save({"settings": settings | attack, "losses": losses, **state}, temporary)
    network.eval()
    return losses


def _layout(network: nn.Module) -> torch.memory_format:
    """The quickest order of pixels in memory that is safe.

    With channels last, the backward pass of a convolution of 4 channels corrupts memory on processors without AVX-512 (seen with
    torch 2.14); vectors of 8 are whole where channels are a multiple of 8.
    """
    widths = (module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d))
    return torch.channels_last if all(width % 8 == 0 for width in widths) else torch.contiguous_format


def _resume(checkpoint: Path | None, parts: dict[str, Any], settings: dict[str, Any]) -> list[float]:
    if checkpoint is None or not checkpoint.exists():
        return []
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        before, losses = dict(saved["settings"]), list(saved["losses"])
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, ValueError) as error:
        raise BarlowError(
            f"{checkpoint} is not the checkpoint of a training ({_first_line(error)}). Remove the file to start anew."
        ) from error
    changed = [name for name, value in settings.items() if before.get(name) != value]
    if changed:
        details = "; ".join(
            "other images, labels or network" if name == "made_from" else f"{name} {before.get(name)}, now {settings[name]}"
            for name in changed
        )
        raise BarlowError(
            f"{checkpoint} belongs to another training ({details}). "
            "Expected the same settings. Use them again, or remove the file to start anew."
        )
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    return losses


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


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
