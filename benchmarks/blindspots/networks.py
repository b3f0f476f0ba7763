"""The small networks of this benchmark: one that knows every attribute, and one a benchmark that fails in its blindspots."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from benchmarks.blindspots.pictures import ATTRIBUTES, EVERYTHING, SIDE, draw_pictures

WIDTHS = (16, 32, 64, 64)
N_FEATURES = 96
BATCH = 128


class SmallNetwork(nn.Module):
    """Four convolutions over the picture and its coordinates, mean and max over positions, and a hidden layer: the features.

    Coordinates are given as two more channels, because pooling would lose where the square is.
    """

    def __init__(self, n_outputs: int):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 5
        for i, width in enumerate(WIDTHS):
            layers += [
                nn.Conv2d(channels, width, 3, stride=2 if i < 3 else 1, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
        self.trunk = nn.Sequential(*layers)
        self.hidden = nn.Linear(2 * channels, N_FEATURES)
        self.head = nn.Linear(N_FEATURES, n_outputs)
        ramp = torch.linspace(-1, 1, SIDE)
        self.register_buffer("coordinates", torch.stack(torch.meshgrid(ramp, ramp, indexing="ij"))[None])
        self.to(memory_format=torch.channels_last)  # twice as fast on one core

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 2 * WIDTHS[-1]), what the convolutions see in images (n, SIDE, SIDE, 3) uint8."""
        x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        maps = self.trunk(torch.cat([x, self.coordinates.expand(len(x), -1, -1, -1)], dim=1))  # type: ignore[operator]
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)

    def features(self, pooled: torch.Tensor) -> torch.Tensor:
        """(n, N_FEATURES), at least 0, from what `pooled` gives."""
        return functional.relu(self.hidden(pooled))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(self.pooled(images)))


def train_general(seed: int, *, n_images: int = 40_000, epochs: int = 6) -> SmallNetwork:
    """Train a network to tell all attributes of pictures in which all of them vary.

    Attributes of an object that is not there do not count.
    """
    images, attributes = draw_pictures(EVERYTHING, n_images, np.random.default_rng([seed, 2]))
    targets, weights = attribute_targets(attributes)
    torch.manual_seed(seed)
    network = SmallNetwork(len(ATTRIBUTES))
    _fit(network, torch.from_numpy(images), targets, weights, epochs=epochs, rate=4e-3, seed=seed)
    return network.eval()


def attribute_targets(attributes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Targets and weights, both (n, attributes) float32; weight 0 where an attribute cannot be seen."""
    weights = np.ones((len(attributes), len(ATTRIBUTES)), dtype=np.float32)
    for j, name in enumerate(ATTRIBUTES):
        presence = f"{name.split()[0]} present"
        if name != presence and presence in ATTRIBUTES:
            weights[:, j] = attributes[presence]
    return attributes[list(ATTRIBUTES)].to_numpy(dtype=np.float32), weights


def see(network: SmallNetwork, images: np.ndarray) -> torch.Tensor:
    """What the convolutions of `network` see in images (n, SIDE, SIDE, 3) uint8: (n, 2 * WIDTHS[-1]) float32."""
    with torch.inference_mode():
        parts = [network.pooled(part) for part in torch.from_numpy(images).split(512)]
    return torch.cat(parts).clone()


def train_inspected(
    general: SmallNetwork, seen: torch.Tensor, labels: np.ndarray, *, seed: int, epochs: int = 60
) -> SmallNetwork:
    """Train a network for the labels that it is given, from `general` on, as the published set-up goes on from ImageNet.

    The convolutions stay as they are; the hidden layer, which gives the features, and the head learn.

    Args:
        seen: what `see` gives for the training images. labels: (n,) bool, wrong in the blindspots.
    """
    network = copy.deepcopy(general)
    torch.manual_seed(seed)
    network.head = nn.Linear(N_FEATURES, 1)
    targets = labels.astype(np.float32)[:, None]
    behind = nn.Sequential(network.hidden, nn.ReLU(), network.head)
    _fit(behind, seen, targets, np.ones_like(targets), epochs=epochs, rate=3e-3, seed=seed)
    return network.eval()


def look(network: SmallNetwork, seen: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, N_FEATURES) and outputs (n, outputs), float32, from what `see` gives."""
    with torch.inference_mode():
        features = network.features(seen)
        return features.numpy().copy(), network.head(features).numpy().copy()


def _fit(
    module: nn.Module,
    inputs: torch.Tensor,
    targets: np.ndarray,
    weights: np.ndarray,
    *,
    epochs: int,
    rate: float,
    seed: int,
) -> None:
    module.train()
    generator = torch.Generator().manual_seed(seed)
    y, w = torch.tensor(targets), torch.tensor(weights)
    batches = len(inputs) // BATCH
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=epochs * batches)
    for _ in range(epochs):
        order = torch.randperm(len(inputs), generator=generator)
        for batch in order[: batches * BATCH].split(BATCH):
            loss = functional.binary_cross_entropy_with_logits(module(inputs[batch]), y[batch], w[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def general_error(general: SmallNetwork, seed: int, n_images: int = 4000) -> pd.Series:
    """Share of new pictures in which each attribute is told wrong, where it can be seen."""
    images, attributes = draw_pictures(EVERYTHING, n_images, np.random.default_rng([seed, 3]))
    targets, weights = attribute_targets(attributes)
    _, outputs = look(general, see(general, images))
    wrong = ((outputs > 0) != (targets > 0.5)) * weights
    return pd.Series(wrong.sum(axis=0) / weights.sum(axis=0), index=list(ATTRIBUTES))
