"""One benchmark: its pictures, the networks that look at them, and what a search is given. Kept on disk, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.blindspots.networks import SmallNetwork, look, see, train_general, train_inspected
from benchmarks.blindspots.pictures import LABEL, draw_pictures
from benchmarks.blindspots.planting import PER_WORLD, draw_worlds_designs, membership

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


def make(seed: int, cache: Path) -> dict[str, np.ndarray]:
    """The test pictures of a benchmark as the networks see them: arrays `own`, `general`, `labels`, `logits`, `blindspots`, `head`.

    `head` holds the weights, over the network's own features, from which it decides.
    """
    file = _file(cache, seed)
    if not file.exists():
        _make_world(seed // PER_WORLD, cache)
    with np.load(file) as content:
        return dict(content)


def _file(cache: Path, seed: int) -> Path:
    return cache / f"benchmark-{seed}.npz"


def _make_world(world_seed: int, cache: Path) -> None:
    general = general_network(cache)
    designs = draw_worlds_designs(world_seed)
    rng = np.random.default_rng([world_seed, 4])
    images, attributes = draw_pictures(designs[0].world, N_TRAIN, rng)
    seen = see(general, images)
    images, test_attributes = draw_pictures(designs[0].world, N_TEST, rng)
    test_seen = see(general, images)
    features, _ = look(general, test_seen)
    for design in designs:
        labels = attributes[LABEL].to_numpy() & ~membership(design, attributes).any(axis=1)
        inspected = train_inspected(general, seen, labels, seed=design.seed)
        own, logits = look(inspected, test_seen)
        partial = _file(cache, design.seed).with_suffix(".partial.npz")
        np.savez(
            partial,
            own=own,
            general=features,
            labels=test_attributes[LABEL].to_numpy(),
            logits=logits[:, 0],
            blindspots=membership(design, test_attributes),
            head=inspected.head.weight.detach().numpy(),
        )
        partial.rename(_file(cache, design.seed))


def trained(arrays: dict[str, np.ndarray], space: str) -> Case:
    """The network's own failures, in its own feature space ("own") or in the general one ("general").

    Of its own features, the part along which the network decides is taken out: there, failures are whatever lies on the wrong side.
    """
    labels, logits = arrays["labels"], arrays["logits"].astype(float)
    features = without(arrays["own"], arrays["head"]) if space == "own" else arrays[space]
    return Case(features, labels, logits > 0, 1 / (1 + np.exp(-logits)), arrays["blindspots"])


def without(features: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(n, D): features minus their projection on the rows of directions (m, D)."""
    basis, _ = np.linalg.qr(directions.T.astype(np.float64))
    return features - (features @ basis) @ basis.T


def oracle(arrays: dict[str, np.ndarray], seed: int) -> Case:
    """Planted failures, in the general feature space: with probability FAILS_INSIDE in a blindspot and FAILS_OUTSIDE elsewhere.

    The confidence of a prediction is Beta(8, 2), whether it is right or wrong, on the side of the prediction.
    """
    probability = np.where(arrays["blindspots"].any(axis=1), FAILS_INSIDE, FAILS_OUTSIDE)
    return _planted(arrays, probability, arrays["blindspots"], np.random.default_rng([seed, 5]))


def nothing(arrays: dict[str, np.ndarray], seed: int, rate: float = 0.1) -> Case:
    """Failures by chance alone, in the general feature space: whatever is found is false."""
    none = np.zeros((len(arrays["labels"]), 0), dtype=bool)
    return _planted(arrays, np.full(len(none), rate), none, np.random.default_rng([seed, 6]))


def _planted(arrays: dict[str, np.ndarray], probability: np.ndarray, blindspots: np.ndarray, rng: np.random.Generator) -> Case:
    labels = arrays["labels"]
    predictions = labels ^ (rng.random(len(labels)) < probability)
    sure = 0.5 + rng.beta(8, 2, size=len(labels)) / 2
    return Case(arrays["general"], labels, predictions, np.where(predictions, sure, 1 - sure), blindspots)
