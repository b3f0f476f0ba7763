"""The steps of a feature attack: batches of images that are attacked side by side, each batch by a thread of its own on a CPU.

A batch holds images of one request only (on a CPU), at most `BATCH`, whatever else is attacked with it, and one thread computes it.
So its pictures depend neither on the company nor on the number of cores, and no thread waits for another between steps.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import joblib
import torch

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.extractors.acceleration import SMALL_IMAGE, is_out_of_memory, one_thread_each
from barlow_core.panels.settings import AttackSettings

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

log = logging.getLogger(__name__)

# Images a batch, measured by benchmarks/bench_attack.py: more share the reading of the weights and the time that Python takes for an
# operation, fewer stay in the caches.
BATCH = {"cpu": 3, "mps": 12, "cuda": 96}
BATCH_OF_SMALL = 6  # on a CPU
# An attack that is to stop early looks back over so many steps.
WINDOW = 20
# Rounding to float32 moves a pixel of [0, 1] by at most 2**-25, and a norm by less than a millionth of it.
_PIXEL_ROUNDING, _NORM_ROUNDING = 2.0**-25, 1e-6


def batch_size(device: torch.device, height: int, width: int) -> int:
    """How many images of that size are attacked side by side in one batch."""
    if device.type == "cpu" and height * width <= SMALL_IMAGE:
        return BATCH_OF_SMALL
    return BATCH.get(device.type, 12)


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


class Raised(NamedTuple):
    """What is raised in each image: (N, m) int64 features and (N, m) float32 weights; m is 1 for single features."""

    features: torch.Tensor
    weights: torch.Tensor

    def words(self, place: int) -> str:
        used = self.weights[place] != 0
        return Direction(tuple(self.features[place, used].tolist()), tuple(self.weights[place, used].tolist())).words

    def values(self, features: torch.Tensor) -> torch.Tensor:
        """The weighted sums, (N,), of features (N, D)."""
        return (features.gather(1, self.features) * self.weights).sum(dim=1)

    def at(self, places: torch.Tensor | slice) -> Raised:
        return Raised(self.features[places], self.weights[places])

    def widened(self, width: int) -> Raised:
        """The same with `width` features an image, those that were not there with weight 0."""
        missing = (0, width - self.features.shape[1])
        return Raised(torch.nn.functional.pad(self.features, missing), torch.nn.functional.pad(self.weights, missing))


@dataclass(frozen=True)
class Attack:
    """One attack of all images.

    Attributes:
        network: what computes the gradients.
        measure: what computes the activations of frames: the same network, in float32 where `network` is not.
        settings: how far to go.
        at: numbers of steps, increasing, after which there is a frame; the last ends the attack.
        lower: towards lower activation instead of higher.
    """

    network: Extractor
    measure: Extractor
    settings: AttackSettings
    at: Sequence[int]
    lower: bool = False

    def frames(
        self, original: torch.Tensor, raised: Raised, sizes: Sequence[int], on_step: Callable[[int, int], None] | None
    ) -> list[AttackFrame]:
        """Attack `original` (N, 3, H, W); `sizes` says how many images in a row belong together.

        Whatever `on_step` raises, or the attack of one batch, ends the attack of all.
        """
        device = torch.device(self.network.device).type
        most = batch_size(torch.device(device), *original.shape[-2:])
        batches = _batches(sizes, most, together=device != "cpu")
        if not batches:
            return [self._frame(step, original, original.new_zeros(0), original) for step in self.at]
        reports: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        unwanted = threading.Event()

        parts: list[list[AttackFrame]] = [[] for _ in batches]
        errors: list[BaseException] = []
        coming: queue.SimpleQueue[tuple[int, slice]] = queue.SimpleQueue()
        for batch in enumerate(batches):
            coming.put(batch)

        def work() -> None:
            torch.get_num_threads()  # a new thread keeps to torch's number of threads only after it has asked for it once
            while not coming.empty():
                try:
                    place, batch = coming.get_nowait()
                except queue.Empty:
                    return
                try:
                    if not unwanted.is_set():
                        parts[place] = self._fitting(original[batch], raised.at(batch), batch.start, reports, unwanted)
                except BaseException as error:  # whatever it is, the thread that waits for it raises it
                    errors.append(error)
                    unwanted.set()
                finally:
                    reports.put(None)

        with ExitStack() as stack:
            # A single image may have all cores: there is nothing else to do with them.
            many = device == "cpu" and len(original) > 1
            if many:
                stack.enter_context(one_thread_each())
            n_workers = min(len(batches), int(joblib.cpu_count())) if many else 1
            # No pool: Python waits for a pool's threads before it lets anybody end an attack at the end of the program.
            workers = [threading.Thread(target=work, name="attack", daemon=True) for _ in range(n_workers)]
            try:
                for worker in workers:
                    worker.start()
                self._tell(reports, len(batches), on_step)
            finally:
                unwanted.set()
                for worker in workers:
                    worker.join()
        if errors:
            raise errors[0]
        return _joined(parts)

    def _tell(self, reports: queue.SimpleQueue[int | None], n_batches: int, on_step: Callable[[int, int], None] | None) -> None:
        """Report steps while the batches are attacked: as many as they have taken on average."""
        ended, taken, told, steps = 0, 0, 0, self.settings["steps"]
        while ended < n_batches:
            report = reports.get()
            ended += report is None
            taken += report or 0
            while told < min(steps, taken // n_batches):
                told += 1
                if on_step is not None:
                    on_step(told, steps)

    def _fitting(
        self,
        original: torch.Tensor,
        raised: Raised,
        first: int,
        reports: queue.SimpleQueue[int | None],
        unwanted: threading.Event,
    ) -> list[AttackFrame]:
        """The attack of a batch, of its halves where there is too little memory for all of it."""
        try:
            return list(self._attack(original, raised, first, reports, unwanted))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(original) == 1:
                raise BarlowError(
                    f"{self.network.device} has too little memory to attack a single image of {tuple(original.shape[-2:])} pixels. "
                    "Close other programs that use it, or use --device cpu."
                ) from error
        half = -(-len(original) // 2)
        log.warning(
            "%s: too little memory to attack %d images at a time; going on with %d.", self.network.device, len(original), half
        )
        parts = [
            self._fitting(original[part], raised.at(part), first + part.start, reports, unwanted)
            for part in (slice(0, half), slice(half, len(original)))
        ]
        return _joined(parts)

    def _attack(
        self,
        original: torch.Tensor,
        raised: Raised,
        first: int,
        reports: queue.SimpleQueue[int | None],
        unwanted: threading.Event,
    ) -> Iterator[AttackFrame]:
        """The attack of one batch; `first` is the place of its first image, for messages."""
        sign = -1.0 if self.lower else 1.0
        steps, length = self.settings["steps"], sign * self.settings["step_size"]
        attacked, values = original.clone(), original.new_zeros(len(original))
        going = torch.arange(len(original), device=original.device)
        history: list[torch.Tensor] = []
        for step in range(steps + 1):
            if unwanted.is_set():
                return
            if len(going) and step < steps:
                now, gradient = self._value_and_gradient(attacked[going], raised.at(going))
                values[going] = now
            if step in self.at:
                shown = self._values(attacked, raised) if step == steps or self.measure is not self.network else values.clone()
                _check_finite(shown, raised, first)
                yield self._frame(step, attacked.clone(), shown, original)
            if step == steps:
                return
            if len(going):
                moved = attacked[going] + length * _unit(gradient)
                attacked[going] = _project(moved, original[going], self.settings["epsilon"])
                if "early_stop" in self.settings:
                    history = [*history[-WINDOW:], sign * values]
                    going = going[_still_rising(history, sign * values, self.settings["early_stop"])[going]]
            reports.put(1)

    def _value_and_gradient(self, images: torch.Tensor, raised: Raised) -> tuple[torch.Tensor, torch.Tensor]:
        """Each image's activation, (n,), and its gradient by the image's own pixels.

        The sum separates into one term an image, so one backward pass gives all gradients; `autograd.grad` with
        respect to the images alone leaves the `.grad` of the weights untouched.
        """
        with torch.enable_grad(), _same_algorithms():
            pixels = images.detach().requires_grad_(True)
            values = raised.values(self.network.features(pixels))
            return values.detach(), torch.autograd.grad(values.sum(), pixels)[0]

    def _values(self, images: torch.Tensor, raised: Raised) -> torch.Tensor:
        """Each image's activation, (n,)."""
        with torch.no_grad(), _same_algorithms():
            return raised.values(self.measure.features(images))

    def _frame(self, step: int, images: torch.Tensor, activations: torch.Tensor, original: torch.Tensor) -> AttackFrame:
        return AttackFrame(step, images, activations, _norms(images - original)[:, 0, 0, 0])


def _same_algorithms() -> AbstractContextManager[None]:
    """cuDNN may otherwise pick algorithms that add in another order each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)


def _joined(parts: Sequence[Sequence[AttackFrame]]) -> list[AttackFrame]:
    """The frames of batches as frames of all of their images."""
    return [
        AttackFrame(
            frames[0].step,
            torch.cat([frame.images for frame in frames]),
            torch.cat([frame.activations for frame in frames]),
            torch.cat([frame.distances for frame in frames]),
        )
        for frames in zip(*parts, strict=True)
    ]


def _batches(sizes: Sequence[int], most: int, *, together: bool) -> list[slice]:
    """Cut images into batches of at most `most`, evenly, within each of the runs of `sizes` or `together`."""
    found, start = [], 0
    for size in [sum(sizes)] if together else sizes:
        if size:
            n = -(-size // most)
            edges = [start + round(size * i / n) for i in range(n + 1)]
            found += [slice(*edge) for edge in pairwise(edges)]
        start += size
    return found


def _still_rising(history: Sequence[torch.Tensor], values: torch.Tensor, share: float) -> torch.Tensor:
    """Which images gained more than `share` of their activation in the last `WINDOW` steps; all before there were as many."""
    if len(history) <= WINDOW:
        return torch.ones_like(values, dtype=torch.bool)
    before, recent = history[0], torch.stack(list(history[1:])).amax(dim=0)
    return recent - before > share * before.abs().clamp_min(torch.finfo(values.dtype).tiny)


def _check_finite(activations: torch.Tensor, raised: Raised, first: int) -> None:
    if not torch.isfinite(activations).all():
        place = int((~torch.isfinite(activations)).nonzero()[0, 0])
        raise BarlowError(
            f"The attack of {raised.words(place)} on image {first + place} of the batch gave an activation of "
            f"{float(activations[place])}. Expected a finite number: check the weights and the "
            "normalisation of the network."
        )


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
