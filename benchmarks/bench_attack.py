"""How long panels take, and what other ways of doing the same work would take.

    python benchmarks/bench_attack.py [--steps 20] [--panels 8] [--extractor robust_resnet_cifar10]

A panel is attacked as a batch of its own (six images), so that its bytes depend on nothing else. This measures what that costs
against attacking several panels in one batch, and how cost and gain grow with the number of steps.
"""

from __future__ import annotations

import argparse
import time

import torch

from barlow_core.extractors import Extractor, load
from barlow_core.panels.attack import feature_attack

K = 6


def seconds(extractor: Extractor, images: torch.Tensor, features: list[int], steps: int) -> float:
    started = time.perf_counter()
    feature_attack(extractor, images, features, steps=steps)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--panels", type=int, default=8)
    parser.add_argument("--extractor", default="robust_resnet_cifar10")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    extractor = load(arguments.extractor, device=arguments.device)
    side, n = extractor.image_size, K * arguments.panels
    images = torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))
    features = [(7 * (i // K)) % extractor.n_features for i in range(n)]
    print(f"{extractor!r}, {torch.get_num_threads()} threads, {arguments.panels} panels of {K} images, {arguments.steps} steps")
    seconds(extractor, images[:K], features[:K], 2)  # warm up

    for together in (1, 2, 4, 8):
        size = K * together
        took = sum(seconds(extractor, images[i : i + size], features[i : i + size], arguments.steps) for i in range(0, n, size))
        per_step = took / arguments.panels / arguments.steps * 1000
        print(f"{together:3d} panels a batch: {per_step:7.1f} ms a step and panel, {per_step * 0.5:6.1f} s a panel of 500 steps")

    before = float(extractor.features(images[:K])[:, features[0]].mean())
    print(f"mean activation of feature {features[0]}: {before:.3f} before")
    for steps in (10, 30, 50, 71, 100, 200):
        started = time.perf_counter()
        _, after = feature_attack(extractor, images[:K], features[0], steps=steps)
        print(f"{steps:5d} steps: {float(after.mean()):7.3f} after, {time.perf_counter() - started:6.2f} s")


if __name__ == "__main__":
    main()
