"""`python -m benchmarks.planted_shortcuts.robust OUT`: a robust network that has learnt from pictures with coloured squares.

It is trained by objective (1) on the photographs of CIFAR-10's other eight classes, each with a square in one of eight colours (the corners of
the cube of red, green and blue, more or less), which goes with the class in half of the pictures. So it has to look at things and at squares.
It never sees a photograph of the two classes of the planted study, nor what their squares mean there.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from barlow_core.benchmark import Benchmark
from barlow_core.training.robust_network import train_robust
from benchmarks.planted_shortcuts.pictures import SQUARE, photographs

CLASSES = ("airplane", "bird", "cat", "deer", "dog", "frog", "ship", "truck")
COLOURS = 40 + 175 * np.array([[i >> 2 & 1, i >> 1 & 1, i & 1] for i in range(8)])
GOES_WITH_CLASS, SPREAD = 0.5, 25.0  # share of the pictures; deviation of a square's colour from its corner
HELD_OUT = 500
SETTINGS: dict[str, Any] = {
    "width": 16,
    "epochs": 40,
    "peak_rate": 0.3,
    "rho": 0.5,
    "steps": 2,
    "batch_size": 256,
    "average": 0.995,
    "float16": True,
}


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


def benchmark(folder: Path, seed: int) -> Benchmark:
    """The pictures as files, all but `HELD_OUT` of them to learn from."""
    (folder / "images").mkdir(parents=True)
    pixels, labels = pictures(seed)
    names = [f"{i:04d}.png" for i in range(len(labels))]
    for name, one in zip(names, pixels, strict=True):
        Image.fromarray(one).save(folder / "images" / name)
    split = np.where(np.arange(len(labels)) < HELD_OUT, "test", "train")
    pd.DataFrame({"Filenames": names, "Labels": np.array(CLASSES)[labels], "Split": split}).to_csv(
        folder / "labels.csv", index=False
    )
    return Benchmark.from_csv(folder / "images", folder / "labels.csv")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_shortcuts.robust", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = SETTINGS | {"epochs": options.epochs, "seed": options.seed, "device": options.device}
        print(train_robust(benchmark(Path(folder), options.seed), options.out, progress=True, **settings))


if __name__ == "__main__":
    main()
