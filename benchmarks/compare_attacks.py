"""What the faster ways of a feature attack change: in pixels, in the activation that is reached, and to the eye.

    python benchmarks/compare_attacks.py [--features 5] [--picture attacks.jpg]

On the first images of the CIFAR-10 example: for each feature the six that activate it most, attacked as the network came (exact), accelerated
in float32, and with gradients of bfloat16 (emulated, slowly and with the same rounding, where the processor has none). Differences are of
pixels from 0 to 1; gains are of the activation over that of the image, as shares of the exact attack's. The picture shows exact, float32 and
bfloat16 side by side, a row a feature.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from bench_extract import example
from machine import described
from PIL import Image

from barlow_core.benchmark.images import open_image
from barlow_core.extractors import load
from barlow_core.panels import attack_settings, default_steps, pictures
from barlow_core.panels.attack_steps import Attack, Raised

K, IMAGES, SIDE, GAP = 6, 150, 64, 12


def row(images: torch.Tensor) -> np.ndarray:
    """Images side by side, as they are shown."""
    return np.concatenate(list(pictures.enlarge(pictures.to_pixels(images), SIDE)), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=5, help="how many")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    print(described())
    exact = load("robust_resnet_cifar10")
    measure = exact.accelerated()
    ways = {"exact": (exact, exact), "float32": (measure, measure), "bfloat16": (exact.accelerated("bfloat16"), measure)}
    settings = attack_settings(exact.image_size, exact.image_size, steps=default_steps(exact.image_size))
    with tempfile.TemporaryDirectory() as folder:
        paths = example(Path(folder) / "images", IMAGES).paths
        images = torch.stack([exact.preprocess(open_image(path)) for path in paths])
    with torch.no_grad():
        activations = exact.features(images)
    chosen = torch.linspace(0, exact.n_features - 1, arguments.features + 2).long()[1:-1].tolist()
    places = torch.cat([activations[:, feature].topk(K).indices for feature in chosen])
    features = torch.tensor(chosen).repeat_interleave(K)[:, None]
    original, before = images[places], activations[places].gather(1, features)[:, 0]
    raised = Raised(features, torch.ones_like(features, dtype=torch.float32))
    found = {
        name: Attack(*networks, settings, [settings["steps"]]).frames(original, raised, [K] * len(chosen), None)[0]
        for name, networks in ways.items()
    }
    reached = found["exact"].activations - before
    for name in ("float32", "bfloat16"):
        difference = (found[name].images - found["exact"].images).abs().flatten(1).mean(dim=1)
        gains = (found[name].activations - before) / reached
        print(
            f"{name}: pixels differ by {difference.median():.4f} on average (median of {len(places)} images; {difference.min():.4f} to "
            f"{difference.max():.4f}); gains are {gains.median():.3f} of the exact ones ({gains.min():.3f} to {gains.max():.3f})"
        )
    if arguments.picture is not None:
        rows = []
        for start in range(0, len(places), K):
            parts = [row(found[name].images[start : start + K]) for name in ways]
            gap = np.full((SIDE, GAP, 3), 255, dtype=np.uint8)
            rows.append(np.concatenate([part for each in parts for part in (each, gap)][:-1], axis=1))
        Image.fromarray(np.concatenate(rows)).save(arguments.picture, quality=88)


if __name__ == "__main__":
    main()
