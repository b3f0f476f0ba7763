"""Labelled images -> a robust network that describes images of their kind: objective (1) of the paper on one's own data.

The pixels are brought to the network's size once, into a file beside the result that is mapped into memory, so that a training set
need not fit there. An interrupted training goes on after its last finished epoch; file and checkpoint go away at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.batches import load_batches, spans
from barlow_core.errors import BarlowError
from barlow_core.extractors import networks
from barlow_core.extractors.extractor import Preprocessing
from barlow_core.extractors.networks import Network
from barlow_core.progress import progress_bar, say
from barlow_core.run import digest
from barlow_core.storage.files import atomic_write
from barlow_core.storage.shards import ShardedArray
from barlow_core.training import adversarial
from barlow_core.training.adversarial import Epoch
from barlow_core.training.adversary import Logits
from barlow_core.training.card import write_card, write_log
from barlow_core.training.measuring import accuracy, robust_accuracy
from barlow_core.training.starting import SIDE, SMALL, starting_network
from barlow_core.training.team import Team, joined
from barlow_core.wording import count, percent

# The radius of the robust ImageNet networks that the paper's kind of pictures come from, at their 224 pixels.
RHO = 3.0
# Enough images for a channel's mean and deviation.
ENOUGH = 10_000
# How the finished network is attacked: so many of the held-out images, at radii in units of rho. The last one shows that the attack is
# not merely too weak: nothing should be left.
ATTACKED, STEPS, RESTARTS = 500, 20, 3
RADII = (0.5, 1.0, 2.0, 8.0)
# After every epoch, fewer images and steps, to see how it goes.
WATCHED, WATCHED_STEPS = 200, 10
# Few training images are soon learnt from once, and watching shall not take longer than that.
LEAST_WATCHED, WATCHED_SHARE = 20, 0.1


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        path: the checkpoint; `extractors.load(path)` reads it.
        epochs: the log: loss, and accuracies on a few held-out images, of every epoch.
        n_training, n_held_out: images that were learnt from, and images of other splits.
        accuracy: share of the held-out images that are classified rightly, None where there are none.
        robust_accuracy: the same of at most 500 of them, each moved by `rho` (l2) to where the loss is largest, from three random starts;
            None for rho = 0.
        rho: the radius.
    """

    path: Path
    epochs: list[Epoch]
    n_training: int
    n_held_out: int
    accuracy: float | None
    robust_accuracy: float | None
    rho: float

    def __repr__(self) -> str:
        course = f"loss {self.epochs[0].loss:.3f} -> {self.epochs[-1].loss:.3f} in {count(len(self.epochs), 'epoch')}"
        text = f"{self.path}: {course} of {self.n_training:,} images"
        if self.accuracy is None:
            return f"{text}; none were held out, which takes a column Split"
        text += f"; of {self.n_held_out:,} held-out images {percent(self.accuracy, space=' ')} right"
        if self.robust_accuracy is None:
            return text
        return f"{text}, {percent(self.robust_accuracy, space=' ')} under attack (l2, {self.rho:g})"


def default_rho(image_size: int) -> float:
    """The l2 radius of objective (1) for square images of `image_size` pixels in [0, 1]: 3 at 224 pixels, in proportion."""
    return RHO * image_size / SIDE


def train_robust(
    benchmark: Benchmark,
    out: str | Path,
    *,
    arch: str | None = None,
    image_size: int | None = None,
    width: int | None = None,
    start: str | Path | None = None,
    download: bool = False,
    split: str = "train",
    epochs: int = 20,
    peak_rate: float = 0.2,
    rho: float | None = None,
    steps: int = 3,
    step_size: float | None = None,
    batch_size: int = 128,
    average: float = 0.0,
    float16: bool = False,
    attacked: int = ATTACKED,
    seed: int = 0,
    device: str = "cpu",
    overwrite: bool = False,
    progress: bool = False,
) -> Trained:
    """Train a network on a benchmark by l2 adversarial training (objective (1)) and write a checkpoint that `load` reads.

    Args:
        out: the file to write; a card (.card.json, .card.md) and the log (.log.csv, .log.svg) come beside it. OUT.checkpoint.pt and
            OUT.pixels.npy (3 x image_size² bytes an image) lie there meanwhile.
        arch: "small_resnet" (the example's, for small images) or the name of a torchvision network; that of `start`, else small_resnet, when None.
        image_size: side of the square the network sees, in pixels; 32 for small_resnet, else 224, when None.
        width: channels of small_resnet's first stage, which every later one doubles; 32 when None, and of `start` where that is given.
        start: what to start from: the file of a checkpoint, or a name as `load` takes it; where it has other classes, the last layer is
            learnt anew. Random weights when None.
        download: fetch `start` where it is robust_resnet50 or robust_resnet18 and not here yet.
        split: learn from the images with this Split and measure on the others, where there is such a column.
        peak_rate: the largest learning rate of the one-cycle schedule.
        rho: l2 radius, for images in [0, 1]; `default_rho` when None, 0 for ordinary training.
        steps, step_size: of the adversary; steps have the l2 length 2/3 rho when None.
        average: see `adversarial.train`.
        float16: round the finished weights to 16 bits, before they are measured: half the file.
        batch_size: images at a time, of all processes together where `torchrun` started several.
        attacked: how many of the held-out images are attacked for the card, at most: 540 gradients each. Lower it where the training
            itself is short and the network is large.
        overwrite: train anew where `out` is there already.

    Raises:
        BarlowError: `out` is there; no image has this split; fewer images than a batch; another training's checkpoint; settings
            that make no sense; a network without global average pooling, whose features could not be shown.
    """
    out = Path(out)
    check_out(out, overwrite=overwrite)
    _check(
        arch=arch,
        width=width,
        start=start,
        epochs=epochs,
        peak_rate=peak_rate,
        rho=rho,
        steps=steps,
        step_size=step_size,
        average=average,
        attacked=attacked,
    )
    learnt = _learnt(benchmark, split)
    network, arch, kind = starting_network(arch, image_size, width, start, benchmark.class_names, seed, download=download)
    rho = default_rho(network.image_size) if rho is None else rho
    step_size = 2 / 3 * rho if step_size is None else step_size
    out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint, pixels = out.with_suffix(".checkpoint.pt"), out.with_suffix(".pixels.npy")
    made_from = digest(benchmark.images_digest, benchmark.outcome_digest, split, arch, network.image_size, str(start))
    labels, training, held_out = torch.tensor(benchmark.labels), np.flatnonzero(learnt), np.flatnonzero(~learnt)
    settings = {
        "start": "random weights" if start is None else str(start),
        "split": split,
        "epochs": epochs,
        "peak_rate": peak_rate,
        "rho": rho,
        "steps": steps,
        "step_size": step_size,
        "batch_size": batch_size,
        "average": average,
        "weights": "16 bits" if float16 else "32 bits",
        "seed": seed,
    }
    with joined(device) as team:
        progress = progress and team.leads
        if team.leads:
            with _pixels(benchmark, network, pixels, made_from, progress=progress):
                pass  # the others find them made
        team.wait()
        with _pixels(benchmark, network, pixels, made_from, progress=False) as array:
            images = torch.from_numpy(np.asarray(array.data))
            if start is None:
                network = _normalised(network, images, training)
            watched = min(WATCHED, max(LEAST_WATCHED, int(WATCHED_SHARE * len(training))))
            held = _Held(
                network, images, labels, held_out, rho=rho, watched=watched, attacked=attacked, seed=seed, device=team.device
            )

            def finished(log_of_epochs: Sequence[Epoch]) -> None:
                write_log(out, log_of_epochs)
                if progress:
                    say(f"epoch {len(log_of_epochs)}/{epochs}: {held.told(log_of_epochs[-1])}")

            log_of_epochs = adversarial.train(
                network.model,
                images,
                labels,
                mean=network.mean,
                std=network.std,
                rows=training,
                padding=max(1, network.image_size // 8),
                made_from=made_from,
                epochs=epochs,
                peak_rate=peak_rate,
                rho=rho,
                step_size=step_size,
                steps=steps,
                batch_size=batch_size,
                average=average,
                seed=seed,
                team=team,
                checkpoint=checkpoint,
                measure=held.watched if len(held_out) else None,
                on_epoch=finished,
                progress=progress,
            )
            trained = None
            if team.leads:
                if float16:
                    _round(network.model)
                found = held.attacked(progress=progress) if len(held_out) else None
                _save(out, network, kind | {"arch": arch}, float16=float16)
                card = {
                    "network": _described(network, arch),
                    "data": {"training": len(training), "held_out": len(held_out), "digest": benchmark.images_digest},
                    "settings": settings,
                    "measured": found,
                    "cost": {"seconds": sum(epoch.seconds for epoch in log_of_epochs), "device": _device_name(team)},
                    "versions": {"barlow": version("barlow"), "torch": torch.__version__, "torchvision": torchvision.__version__},
                }
                write_card(out, card, log_of_epochs)
                right = None if found is None else found["accuracy"]
                robust = None if found is None or rho == 0 else _at(found, rho)
                trained = Trained(out, log_of_epochs, len(training), len(held_out), right, robust, rho)
        trained = team.from_leader(trained)
        if team.leads:
            for leftover in (checkpoint, *pixels.parent.glob(f"{pixels.stem}.*")):
                leftover.unlink(missing_ok=True)
        return trained


def _at(found: dict[str, Any], rho: float) -> float:
    """The robust accuracy at radius `rho`, which is one of those attacked."""
    return next(float(one["accuracy"]) for one in found["robust"] if one["radius"] == rho)


def _described(network: Network, arch: str) -> dict[str, Any]:
    return {
        "arch": arch,
        "image_size": network.image_size,
        "classes": list(network.class_names or []),
        "parameters": sum(parameter.numel() for parameter in network.model.parameters()),
    }


def _device_name(team: Team) -> str:
    if team.device.startswith("cuda"):
        name = torch.cuda.get_device_name(team.device)
    else:
        name = f"{team.device}, {count(torch.get_num_threads(), 'thread')}"
    return name if team.size == 1 else f"{team.size} times {name}"


def check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a file that cannot or must not be written.

    Raises:
        BarlowError: `out` is a folder, or is there already and shall not be replaced.
    """
    if out.is_dir():
        raise BarlowError(f"{out} is a folder. Expected the name of a file to write, such as {out / 'robust.pt'}.")
    if out.exists() and not overwrite:
        raise BarlowError(f"{out} already exists. Name another file, or replace it with overwrite=True (--overwrite).")


def _check(
    *,
    arch: str | None,
    width: int | None,
    start: str | Path | None,
    epochs: int,
    peak_rate: float,
    rho: float | None,
    steps: int,
    step_size: float | None,
    average: float,
    attacked: int,
) -> None:
    if width is not None and (arch not in (None, SMALL) or start is not None or width < 1):
        raise BarlowError(
            f"width is {width}, of {arch or SMALL}{'' if start is None else f', from {start}'}. Expected at least 1, and only for a {SMALL} "
            "with random weights (--width)."
        )
    if epochs < 1:
        raise BarlowError(f"epochs is {epochs}. Expected at least 1 (--epochs).")
    if not peak_rate > 0:
        raise BarlowError(f"The learning rate is {peak_rate}. Expected more than 0, such as 0.1 (--rate).")
    if rho is not None and not rho >= 0:
        raise BarlowError(f"rho is {rho}. Expected an l2 radius of 0 or more, for pixels in [0, 1] (--rho).")
    if steps < 0 or (step_size is not None and not step_size > 0):
        raise BarlowError(f"The adversary has {steps} steps of {step_size}. Expected 0 or more, of a length above 0.")
    if attacked < 1:
        raise BarlowError(f"attacked is {attacked}. Expected at least one image (--attacked).")
    if not 0 <= average < 1:
        raise BarlowError(f"average is {average}. Expected a share from 0 to below 1, such as 0.999 (--average).")


def _learnt(benchmark: Benchmark, split: str) -> np.ndarray:
    """(N,) bool: the images to learn from."""
    if benchmark.split is None:
        return np.ones(len(benchmark), dtype=bool)
    learnt: np.ndarray = benchmark.split.astype(str) == split
    if not learnt.any():
        known = ", ".join(sorted(set(benchmark.split.astype(str))))
        raise BarlowError(
            f"No image has the split {split!r}; the column Split says {known}. Name one of these with split= (--split)."
        )
    return learnt


def _pixels(benchmark: Benchmark, network: Network, path: Path, made_from: str, *, progress: bool) -> ShardedArray:
    """All images at the network's size, (N, 3, H, W) uint8, on disk."""
    size = network.image_size
    preprocess = Preprocessing(size, network.resize, network.interpolation)
    array = ShardedArray(path, key=made_from, shape=(len(benchmark), 3, size, size), dtype=np.uint8, overwrite=True)
    rows: list[np.ndarray] = []

    with progress_bar(total=len(benchmark), initial=array.n_done, desc="pixels", unit="image", shown=progress) as bar:
        for (start, stop), images in load_batches(
            benchmark.paths, spans(array.pending(), 64), preprocess, digests=benchmark.digests
        ):
            rows.append(images.mul(255).round().to(torch.uint8).numpy())
            bar.update(stop - start)
            if stop % array.shard_size == 0 or stop == len(benchmark):
                shard = np.concatenate(rows)
                array.write(stop - len(shard), shard)
                rows = []
    return array


def _normalised(network: Network, images: Tensor, training: np.ndarray) -> Network:
    """`network` with the mean and deviation of the channels of the training images (of at most 10,000, evenly spread)."""
    chosen = training[:: max(1, len(training) // ENOUGH)]
    totals = torch.zeros(2, 3, dtype=torch.float64)
    for rows in np.array_split(chosen, max(1, len(chosen) // 256)):
        values = images[rows].double() / 255
        totals += torch.stack([values.mean((2, 3)).sum(0), values.square().mean((2, 3)).sum(0)])
    mean, square = totals / len(chosen)
    std = (square - mean.square()).clamp_min(1e-6).sqrt()
    return replace(network, mean=tuple(mean.tolist()), std=tuple(std.tolist()))


class _Held:
    """The held-out images of a training, on which networks are measured."""

    def __init__(
        self,
        network: Network,
        images: Tensor,
        labels: Tensor,
        rows: np.ndarray,
        *,
        rho: float,
        watched: int,
        attacked: int,
        seed: int,
        device: str,
    ):
        self._network, self._rows, self._rho = network, rows, rho
        self._watched, self._attacked = watched, attacked
        self._of: dict[str, Any] = {"images": images, "labels": labels, "device": device}
        self._seed = seed

    def watched(self, model: nn.Module) -> tuple[float, float | None]:
        """Accuracy of `model` on a few images, as they are and under a short attack; the network is left in evaluation mode."""
        network, device, rows = replace(self._network, model=model), self._of["device"], self._some(self._watched)
        logits = _logits(network, device)
        # Where bfloat16 is quick, this attack takes its gradients in it: it would cost a third of a training of few images otherwise.
        ascent = _logits(network, device, bf16=adversarial.quick_in_bf16(torch.device(device)))
        robust = self._robust(logits, rows, self._rho, WATCHED_STEPS, 1, ascent) if self._rho else None
        return accuracy(logits, rows=rows, **self._of), robust

    def told(self, epoch: Epoch) -> str:
        """What `watched` found after an epoch, for people."""
        text = f"loss {epoch.loss:.3f}"
        if epoch.accuracy is not None:
            text += f"; of {count(len(self._some(self._watched)), 'held-out image')} {percent(epoch.accuracy, space=' ')} right"
        if epoch.robust_accuracy is not None:
            text += f", {percent(epoch.robust_accuracy, space=' ')} under attack"
        return text

    def attacked(self, *, progress: bool) -> dict[str, Any]:
        """What the card says: accuracy on all images, and on some under attack, at several radii."""
        logits, rows = _logits(self._network, self._of["device"]), self._some(self._attacked)
        # A network that was trained without an adversary is attacked all the same.
        unit = self._rho or default_rho(self._network.image_size)
        wanted = [(unit * radius, STEPS) for radius in RADII] + [(unit, 5 * STEPS)]
        bar = progress_bar(wanted, desc="attack the finished network", unit="radius", shown=progress)
        *robust, more = [
            {"radius": radius, "accuracy": self._robust(logits, rows, radius, steps, RESTARTS)} for radius, steps in bar
        ]
        return {
            "accuracy": accuracy(logits, rows=self._rows, **self._of),
            "attacked": len(rows),
            "steps": STEPS,
            "restarts": RESTARTS,
            "robust": robust,
            "more_steps": more,
        }

    def _some(self, most: int) -> np.ndarray:
        return self._rows[:: max(1, -(-len(self._rows) // most))]

    def _robust(
        self, logits: Logits, rows: np.ndarray, rho: float, steps: int, restarts: int, ascent: Logits | None = None
    ) -> float:
        settings: dict[str, Any] = {"rho": rho, "steps": steps, "restarts": restarts, "seed": self._seed, "ascent": ascent}
        return robust_accuracy(logits, rows=rows, **settings, **self._of)


def _logits(network: Network, device: str, *, bf16: bool = False) -> Logits:
    model = network.model.to(device).eval()
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (network.mean, network.std))

    def logits(images: Tensor) -> Tensor:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16):
            found: Tensor = model((images - mean) / std)
        return found.float()

    return logits


def _round(model: nn.Module) -> None:
    """Weights and statistics become what 16 bits can say, still as 32."""
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())


def _save(out: Path, network: Network, kind: dict[str, Any], *, float16: bool) -> None:
    content = kind | {
        "num_classes": networks.weights_classes(network.model),
        "mean": list(network.mean),
        "std": list(network.std),
        "image_size": network.image_size,
        "resize": network.resize,
        "classes": list(network.class_names or []),
        "state_dict": {
            name: (value.half() if float16 and value.is_floating_point() else value).cpu().contiguous()
            for name, value in network.model.state_dict().items()
        },
    }
    with atomic_write(out) as temporary:
        torch.save(content, temporary)
