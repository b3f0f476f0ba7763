"""l2 adversarial training, objective (1) of the paper: minimise E[max over |x' - x| <= rho of loss at x'].

The inner maximum is approached by projected gradient ascent (`l2_pgd`), the outer minimum by SGD (`train`);
rho = 0 is ordinary training. Everything random comes from the seed and the number of the epoch, so a training
that was interrupted and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.optim import swa_utils

from barlow_core.errors import BarlowError
from barlow_core.progress import progress_bar
from barlow_core.storage.files import atomic_write
from barlow_core.training.adversary import l2_pgd, moved
from barlow_core.training.team import Team

Tensors = tuple[Tensor, ...] | list[Tensor]


def augment(images: Tensor, generator: Generator, *, padding: int = 4) -> Tensor:
    """Pad each image by reflection, crop it at a random place, and mirror it with probability one half.

    Args:
        images: (N, 3, H, W), any dtype and device.
        generator: on the CPU, so that every device gets the same crops.
        padding: pixels, fewer than H and W.

    Returns:
        (N, 3, H, W) of the same dtype, on the same device.
    """
    n, channels, height, width = images.shape
    tops = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    lefts = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    rows = _reflected(tops + torch.arange(height) - padding, height)
    columns = _reflected(lefts + torch.arange(width) - padding, width)
    mirrored = torch.rand(n, generator=generator) < 0.5
    columns[mirrored] = columns[mirrored].flip(1)
    places = moved((rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1), images.device)
    taken = images.flatten(2).gather(2, places.unsqueeze(1).expand(-1, channels, -1))
    return taken.view(images.shape)


def _reflected(places: Tensor, length: int) -> Tensor:
    """Places beyond either border, as if the image was mirrored there; the border itself is not repeated."""
    inside = places.abs()
    return torch.where(inside >= length, 2 * (length - 1) - inside, inside)


@dataclass(frozen=True)
class Epoch:
    """One epoch of a training: a row of its log.

    Attributes:
        epoch: from 1.
        loss: mean training loss.
        rate: learning rate of its last batch.
        seconds: how long it took.
        accuracy, robust_accuracy: shares of held-out images that are right after it, as they are and under attack; None where not measured.
    """

    epoch: int
    loss: float
    rate: float
    seconds: float
    accuracy: float | None
    robust_accuracy: float | None


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
    team: Team | None = None,
    bf16: bool | None = None,
    average: float = 0.0,
    checkpoint: Path | None = None,
    measure: Callable[[nn.Module], tuple[float, float | None]] | None = None,
    on_epoch: Callable[[Sequence[Epoch]], None] | None = None,
    progress: bool = False,
) -> list[Epoch]:
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
        team: the processes that train together, this one among them; this one alone, on the CPU, when None. `batch_size` is what all of them
            take at a time, each an equal part.
        bf16: compute in bfloat16 where that is safe (autocast); weights stay float32. None does so where it is quick: on CUDA,
            and on processors with AVX-512 (one without is 13 times slower at it than in float32).
        average: the network becomes an exponential moving average of its weights, of which each batch keeps this share, such as 0.999
            (fewer in the first batches: (1 + t) / (10 + t)); 0 for the weights of the last batch.
        checkpoint: written after every epoch, by the first process; if it exists, training goes on from there.
        measure: called after every epoch with the network as it would be if this was the last; its accuracy, and that under attack.
        on_epoch: called after every epoch, and at once where some were resumed, with all epochs so far.

    Returns:
        Every epoch, resumed ones included.

    Raises:
        BarlowError: fewer images than one batch, a batch that cannot be shared out, or `checkpoint` belongs to another training.
    """
    learnt = torch.arange(len(images)) if rows is None else torch.from_numpy(rows)
    if len(learnt) < batch_size:
        raise BarlowError(
            f"{len(learnt)} training images do not fill one batch of {batch_size}. "
            "Expected at least one batch. Give more images or a smaller batch size (--batch-size)."
        )
    team = team or Team()
    if batch_size % team.size:
        raise BarlowError(
            f"Batches of {batch_size} images cannot be shared out evenly among {team.size} processes. "
            f"Use a multiple of {team.size} (--batch-size)."
        )
    where = torch.device(team.device)
    if bf16 is None:
        bf16 = quick_in_bf16(where)
    layout = _layout(network)
    network.to(where).to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), lr=peak_rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    batches = len(learnt) // batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=peak_rate, total_steps=epochs * batches)
    parts: dict[str, Any] = {"network": network, "optimizer": optimizer, "schedule": schedule}
    averaged = _averaged(network, average) if average else None
    if averaged is not None:
        parts["averaged"] = averaged
    attack = {"rho": rho, "step_size": rho if step_size is None else step_size, "steps": steps}
    settings = {
        "images": len(learnt),
        "made_from": made_from,
        "padding": padding,
        "epochs": epochs,
        "peak_rate": peak_rate,
        "batch_size": batch_size,
        "seed": seed,
        "average": average,
    }
    if team.size > 1:
        settings["processes"] = team.size  # each draws its own random numbers
    done = _resume(checkpoint, parts, settings | attack)
    team.wait()
    if done and on_epoch is not None and team.leads:
        on_epoch(done)
    learning = team.together(network)
    means, stds = (torch.tensor(values, device=where).view(1, 3, 1, 1) for values in (mean, std))

    def logits(pixels: Tensor, through: nn.Module = network) -> Tensor:
        with torch.autocast(where.type, torch.bfloat16, enabled=bf16):
            found: Tensor = through((pixels - means) / stds)
        return found.float()

    for epoch in range(len(done), epochs):
        started = time.monotonic()
        generator = Generator().manual_seed(seed * 100_003 + epoch)
        order = learnt[torch.randperm(len(learnt), generator=generator)]
        generator = team.generator(seed * 100_003 + epoch, generator)
        losses: list[Tensor] = []
        shown = started
        bar = progress_bar(range(batches), desc=f"epoch {epoch + 1}/{epochs}", unit="batch", shown=progress)
        for batch in bar:
            chosen = team.part(order[batch * batch_size : (batch + 1) * batch_size])
            x = augment(moved(images[chosen], where), generator, padding=padding).float() / 255
            x = x.contiguous(memory_format=layout)
            y = moved(labels[chosen], where)
            if rho > 0:
                network.eval()
                x = l2_pgd(logits, x, y, generator=generator, **attack)  # type: ignore[arg-type]
            network.train()
            loss = functional.cross_entropy(logits(x, learning), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            rate = float(schedule.get_last_lr()[0])
            schedule.step()
            if averaged is not None:
                averaged.update_parameters(network)
            losses.append(loss.detach())
            # Reading the loss of every batch would keep the host from preparing the next while a GPU computes.
            if time.monotonic() - shown > 1:
                shown = time.monotonic()
                bar.set_postfix(loss=f"{_mean(losses):.3f}", refresh=False)
        mean_loss = team.mean(_mean(losses))
        if not math.isfinite(mean_loss):
            raise BarlowError(
                f"The loss is {mean_loss} in epoch {epoch + 1}. Expected a finite number. "
                f"Start again with a lower peak rate than {peak_rate}."
            )
        reached = (network if averaged is None else averaged.module).eval()
        shares = (None, None) if measure is None or not team.leads else measure(reached)
        done.append(Epoch(epoch + 1, mean_loss, rate, time.monotonic() - started, *shares))
        if checkpoint is not None and team.leads:
            state = {name: part.state_dict() for name, part in parts.items()}
            with atomic_write(checkpoint) as temporary:
                torch.save({"settings": settings | attack, "epochs": [asdict(one) for one in done], **state}, temporary)
        if on_epoch is not None and team.leads:
            on_epoch(done)
    if averaged is not None:
        network.load_state_dict(averaged.module.state_dict())
    network.eval()
    return done


def quick_in_bf16(device: torch.device) -> bool:
    """Whether a training gains by bfloat16."""
    return device.type == "cuda" or (device.type == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX512"))


def _mean(losses: Sequence[Tensor]) -> float:
    return float(torch.stack(list(losses)).cpu().double().mean())


def _averaged(network: nn.Module, keep: float) -> swa_utils.AveragedModel:
    """The moving average of a network, of the statistics of its batch normalisations as well."""

    def update(averages: Tensors, now: Tensors, _: Tensor | int) -> None:
        # Counted on the CPU: the count that is handed over lies on the device, and reading it would wait for that.
        t = int(averaged.n_averaged)
        kept = min(keep, (1 + t) / (10 + t))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, now, 1 - kept)
        else:  # how many batches there were
            torch._foreach_copy_(averages, now)

    averaged = swa_utils.AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    return averaged


def _layout(network: nn.Module) -> torch.memory_format:
    """The quickest order of pixels in memory that is safe.

    With channels last, the backward pass of a convolution of 4 channels corrupts memory on processors without AVX-512 (seen with
    torch 2.14); vectors of 8 are whole where channels are a multiple of 8.
    """
    widths = (module.out_channels for module in network.modules() if isinstance(module, nn.Conv2d))
    return torch.channels_last if all(width % 8 == 0 for width in widths) else torch.contiguous_format


def _resume(checkpoint: Path | None, parts: dict[str, Any], settings: dict[str, Any]) -> list[Epoch]:
    if checkpoint is None or not checkpoint.exists():
        return []
    try:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        before, done = dict(saved["settings"]), [Epoch(**one) for one in saved["epochs"]]
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError, ValueError) as error:
        raise BarlowError(
            f"{checkpoint} is not the checkpoint of a training ({_first_line(error)}). Remove the file to start anew."
        ) from error
    alone = {"processes": 1}
    before, settings = alone | before, alone | settings
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
    return done


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
