"""One benchmark: its pictures, the networks that look at them, and what a search is given. Kept on disk, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.blindspots.networks import SmallNetwork, look, see, train_general, train_inspected
from benchmarks.blindspots.pictures import LABEL, draw_pictures
from benchmarks.blindspots.planting import draw_design, membership

N_TRAIN = 8192
N_TEST = 6144
GENERAL_SEED = 0
# The oracle: failures are planted, not learned.
FAILS_INSIDE, FAILS_OUTSIDE = 0.95, 0.03


@dataclass(frozen=True)
class Case:
    """What a method is given, and, in `blindspots` alone, what it is to find.

    Attributes:
        features: (n, D) float32, at least 0.
        labels, predictions: (n,) bool.
        confidence: (n,) float64, the probability that the network gives to "there is a square".
        blindspots: (n, B) bool, the images of each planted blindspot.
    """

    features: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    confidence: np.ndarray
    blindspots: np.ndarray

    @property
    def failure(self) -> np.ndarray:
        return self.labels != self.predictions

    def part(self, rows: np.ndarray) -> Case:
        return Case(self.features[rows], self.labels[rows], self.predictions[rows], self.confidence[rows], self.blindspots[rows])


def general_network(cache: Path) -> SmallNetwork:
    """The network that knows all attributes, trained once."""
    file = cache / f"general-{GENERAL_SEED}.pt"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        torch.save(train_general(GENERAL_SEED).state_dict(), file)
    weights = torch.load(file, weights_only=True)
    network = SmallNetwork(len(weights["head.bias"]))
    network.load_state_dict(weights)
    return network.eval()


def make(seed: int, cache: Path, *, n_blindspots: int | None = None) -> dict[str, np.ndarray]:
    """Pictures of the test set as the networks see them: arrays `own`, `general`, `labels`, `logits`, `blindspots`."""
    file = cache / f"benchmark-{seed}{'' if n_blindspots is None else f'-{n_blindspots}'}.npz"
    if not file.exists():
        general = general_network(cache)
        design = draw_design(seed, n_blindspots=n_blindspots)
        rng = np.random.default_rng([seed, 4])
        images, attributes = draw_pictures(design.world, N_TRAIN, rng)
        labels = attributes[LABEL].to_numpy() & ~membership(design, attributes).any(axis=1)
        inspected = train_inspected(general, see(general, images), labels, seed=seed)
        images, attributes = draw_pictures(design.world, N_TEST, rng)
        seen = see(general, images)
        own, logits = look(inspected, seen)
        arrays = {
            "own": own,
            "general": look(general, seen)[0],
            "labels": attributes[LABEL].to_numpy(),
            "logits": logits[:, 0],
            "blindspots": membership(design, attributes),
        }
        partial = file.with_suffix(".partial.npz")
        np.savez(partial, **arrays)
        partial.rename(file)
    with np.load(file) as content:
        return dict(content)


def trained(arrays: dict[str, np.ndarray], space: str) -> Case:
    """The network's own failures, in its own feature space or in the general one."""
    labels, logits = arrays["labels"], arrays["logits"].astype(float)
    return Case(arrays[space], labels, logits > 0, 1 / (1 + np.exp(-logits)), arrays["blindspots"])


def oracle(arrays: dict[str, np.ndarray], seed: int, *, outside: float = FAILS_OUTSIDE) -> Case:
    """Planted failures, in the general feature space: with probability FAILS_INSIDE in a blindspot and `outside` elsewhere.

    The confidence of a prediction is Beta(8, 2), whether it is right or wrong, on the side of the prediction.
    """
    labels = arrays["labels"]
    rng = np.random.default_rng([seed, 5])
    probability = np.where(arrays["blindspots"].any(axis=1), FAILS_INSIDE, outside)
    predictions = labels ^ (rng.random(len(labels)) < probability)
    sure = 0.5 + rng.beta(8, 2, size=len(labels)) / 2
    return Case(arrays["general"], labels, predictions, np.where(predictions, sure, 1 - sure), arrays["blindspots"])
