"""Image-steps a second of feature attacks, beside the bare network and beside the loop that one would write without Barlow.

    python benchmarks/bench_attack.py [--network resnet50] [--panels 4] [--steps 4] [--rounds 5] [--busy 2] [--device cuda]

(a) bare: forward to the features and backward to the pixels, folded, channels last, in the precision that is best here, six images at a
    time, on all cores.
(b) plain: the loop over panels of six images: the network as it comes, gradient, normalised step, projection.

Each round times all of them, one after the other, and gives ratios; the median of the rounds counts. With --batches, the sizes of the
batches that a thread (or a GPU) attacks at a time are compared instead.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from bench_extract import network
from machine import busy, described

from barlow_core.extractors import Extractor
from barlow_core.panels import attack_settings, attack_steps
from barlow_core.panels.attack import attack_networks, attack_together

K = 6


def plain(extractor: Extractor, requests: Sequence[tuple[torch.Tensor, int]], steps: int) -> None:
    for images, feature in requests:
        settings = attack_settings(*images.shape[-2:], steps=steps)
        attacked = images
        for _ in range(steps):
            pixels = attacked.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(extractor.forward(pixels).features[:, feature].sum(), pixels)
            moved = attacked + settings["step_size"] * gradient / _norms(gradient) - images
            attacked = (images + moved * (settings["epsilon"] / _norms(moved)).clamp_max(1)).clamp(0, 1)
        with torch.no_grad():
            extractor.features(attacked)


def _norms(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-20)


def bare(extractor: Extractor, images: torch.Tensor, times: int) -> None:
    for _ in range(times):
        pixels = images.detach().requires_grad_(True)
        torch.autograd.grad(extractor.features(pixels)[:, 0].sum(), pixels)


def rate(work: Callable[[], object], image_steps: int, device: str) -> float:
    started = time.perf_counter()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return image_steps / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="example", help="example, or a name of torchvision's such as resnet50")
    parser.add_argument("--panels", type=int, default=4)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, default=0, help="processes that compute something else meanwhile")
    parser.add_argument("--batches", type=int, nargs="*", default=[])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    extractor, steps, device = network(arguments.network, arguments.device), arguments.steps, arguments.device
    side, n = extractor.image_size, K * arguments.panels
    images = torch.rand(arguments.panels, K, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    requests = [(panel, 7 * number % extractor.n_features) for number, panel in enumerate(images)]
    fast, _ = attack_networks(extractor)
    bare(fast, images[0], 1)
    print(described(device))
    print(
        f"{extractor!r}, {fast.execution.precision}, {arguments.panels} panels of {K} images, {steps} steps, {arguments.busy} busy processes beside it"
    )

    def attack(batch: int | None = None) -> float:
        kind = torch.device(device).type
        before = attack_steps.BATCH[kind]
        attack_steps.BATCH[kind] = batch or before
        try:
            return rate(lambda: attack_together(extractor, requests, steps=steps), n * steps, device)
        finally:
            attack_steps.BATCH[kind] = before

    ways: dict[str, Callable[[], float]] = {"attack": attack}
    if arguments.batches:
        ways |= {f"batches of {size}": partial(attack, size) for size in arguments.batches}
    else:
        ways["bare"] = lambda: rate(lambda: bare(fast, images[0], steps), K * steps, device)
        ways["plain"] = lambda: rate(lambda: plain(extractor, requests, steps), n * steps, device)
    rounds: list[dict[str, float]] = []
    with busy(arguments.busy):
        for _ in range(arguments.rounds):
            rounds.append({name: way() for name, way in ways.items()})
            print("  ".join(f"{name} {value:.2f}" for name, value in rounds[-1].items()), "image-steps/s", flush=True)
    for against in list(ways)[1:]:
        ratios = [found["attack"] / found[against] for found in rounds]
        print(f"attack / {against:12s} {statistics.median(ratios):5.2f}  (rounds: {', '.join(f'{x:.2f}' for x in ratios)})")


if __name__ == "__main__":
    main()
