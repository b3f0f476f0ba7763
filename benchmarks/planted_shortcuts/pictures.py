"""The pictures: photographs of two classes of CIFAR-10, with coloured squares where the design wants them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from PIL import Image

from barlow_core.storage.shipped import data_dir

CLASSES = ("automobile", "horse")
SQUARE = 8  # pixels
RED, BLUE = (235, 25, 35), (25, 60, 235)
WITH_RED = {"train": (0.95, 0.05), "test": (0.5, 0.5)}  # share of the pictures of either class
WITH_BLUE, WRONG_LABELS = 0.3, 0.5
TRAINING = 550  # pictures of a class; the others are for testing


@dataclass(frozen=True)
class Pictures:
    """Pictures with what is known of them.

    Attributes:
        pixels: (n, 32, 32, 3) uint8.
        labels: (n,) int64, 0 or 1; wrong for some of those with a blue square.
        truth: (n,) int64, what is seen.
        red, blue: (n,) bool, whether a square is there.
        red_regions: (n, 32, 32) bool, where it is.
    """

    pixels: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    red: np.ndarray
    blue: np.ndarray
    red_regions: np.ndarray


@lru_cache(maxsize=2)
def photographs(classes: tuple[str, ...] = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """The photographs of some classes, (n, 32, 32, 3) uint8, and which of these each is of, (n,) int64."""
    with zipfile.ZipFile(data_dir() / "cifar10_test.zip") as archive:
        table = pd.read_csv(archive.open("metadata.csv"))
        table = table[table["Labels"].isin(classes)]
        pixels = [np.asarray(Image.open(archive.open(f"images/{name}"))) for name in table["Filenames"]]
    return np.stack(pixels), table["Labels"].map(classes.index).to_numpy(dtype=np.int64)


def draw(seed: int, *, with_red: dict[str, tuple[float, float]] = WITH_RED) -> dict[str, Pictures]:
    """The training and the test pictures of a seed.

    Args:
        with_red: for "train" and "test", the share of the pictures of either class that have a red square; all parts named are drawn.
    """
    pixels, truth = photographs()
    rng = np.random.default_rng([seed, 0])
    order = rng.permutation(len(truth))
    training = np.concatenate([order[truth[order] == c][:TRAINING] for c in (0, 1)])
    rows = {"train": training, "test": np.setdiff1d(order, training)}
    return {part: _with_squares(pixels[rows[part]], truth[rows[part]], shares, rng) for part, shares in with_red.items()}


def _with_squares(pixels: np.ndarray, truth: np.ndarray, with_red: tuple[float, float], rng: np.random.Generator) -> Pictures:
    n = len(truth)
    red = rng.random(n) < np.array(with_red)[truth]
    blue = rng.random(n) < WITH_BLUE
    wrong = blue & (rng.random(n) < WRONG_LABELS)
    drawn, regions = pixels.copy(), np.zeros(pixels.shape[:3], dtype=bool)
    # One in each half of the picture, which half is a matter of luck: they never cover each other.
    left = rng.random(n) < 0.5
    for i in range(n):
        for there, colour, first in ((red[i], RED, left[i]), (blue[i], BLUE, not left[i])):
            y = rng.integers(0, 33 - SQUARE)
            x = rng.integers(0, 17 - SQUARE) + (0 if first else 16)
            if there:
                shade = rng.normal(0, 8, (SQUARE, SQUARE, 3))
                drawn[i, y : y + SQUARE, x : x + SQUARE] = np.clip(np.array(colour) + shade, 0, 255)
                regions[i, y : y + SQUARE, x : x + SQUARE] |= colour == RED
    return Pictures(drawn, np.where(wrong, 1 - truth, truth), truth, red, blue, regions)
