"""`python -m benchmarks.planted_shortcuts.robust OUT`: a robust network that has learnt from pictures with coloured squares.

It is trained by objective (1) on the photographs of CIFAR-10's other eight classes, each with a square in one of eight colours (the corners of
the cube of red, green and blue, more or less), which goes with the class in half of the pictures. So it has to look at things and at squares.
It never sees a photograph of the two classes of the planted study, nor what their squares mean there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from barlow_core.extractors import small_resnet
from barlow_core.extractors.small_resnet import CIFAR10_MEAN, CIFAR10_STD, SmallResNet
from barlow_core.training import adversarial
from barlow_core.training.measuring import accuracy
from benchmarks.planted_shortcuts.pictures import SQUARE, photographs

CLASSES = ("airplane", "bird", "cat", "deer", "dog", "frog", "ship", "truck")
COLOURS = 40 + 175 * np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)])
GOES_WITH_CLASS, SPREAD = 0.5, 25.0  # share of the pictures; deviation of a square's colour from its corner
PLANES, BLOCKS = (32, 48, 96, 128), (1, 1, 2, 2)
RHO, EPOCHS, RATE, BATCH, HELD_OUT = 0.5, 40, 0.2, 128, 500


def pictures(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Photographs with squares, (n, 32, 32, 3) uint8, and their classes, (n,) int64; in random order."""
    pixels, labels = photographs(CLASSES)
    rng = np.random.default_rng([seed, 11])
    order = rng.permutation(len(labels))
    pixels, labels = pixels[order].copy(), labels[order]
    chosen = np.where(rng.random(len(labels)) < GOES_WITH_CLASS, labels, rng.integers(0, len(COLOURS), len(labels)))
    for one, colour in zip(pixels, chosen, strict=True):
        y, x = rng.integers(0, 33 - SQUARE, 2)
        shade = rng.normal(0, SPREAD, 3) + rng.normal(0, 8, (SQUARE, SQUARE, 3))
        one[y : y + SQUARE, x : x + SQUARE] = np.clip(COLOURS[colour] + shade, 0, 255)
    return pixels, labels


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_shortcuts.robust", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    network = small_resnet.build(PLANES, BLOCKS, len(CLASSES))
    model = SmallResNet(network, PLANES, BLOCKS, CIFAR10_MEAN, CIFAR10_STD, CLASSES)
    pixels, labels = pictures(options.seed)
    images, classes = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels)
    adversarial.train(
        network,
        images,
        classes,
        rows=np.arange(HELD_OUT, len(labels)),
        mean=CIFAR10_MEAN,
        std=CIFAR10_STD,
        epochs=options.epochs,
        peak_rate=RATE,
        rho=RHO,
        step_size=RHO * 2 / 3,
        steps=2,
        batch_size=BATCH,
        seed=options.seed,
        device=options.device,
        progress=True,
    )
    small_resnet.save(options.out, model)
    share = accuracy(model.logits, images[:HELD_OUT], classes[:HELD_OUT], device=options.device)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB; {share:.1%} of {HELD_OUT} held-out pictures right")


if __name__ == "__main__":
    main()
