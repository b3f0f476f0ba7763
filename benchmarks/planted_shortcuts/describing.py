"""What describes the pictures: a fixed bank of smooth filters, which learns nothing and is told nothing.

64 features say how much of the picture is close to each of 64 colours (a grid of red, green and blue), 32 how many edges of an orientation and
scale there are. They are means of smooth functions, so small l2 changes of the picture change them little, which is what training by
objective (1) gives a network.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from barlow_core.extractors import Extractor, load

SIDE, LEVELS, WIDTH = 32, 4, 0.2  # pixels; levels a channel; deviation of the bell around a colour
ORIENTATIONS, WAVELENGTHS, PHASES, FILTER = 8, (4.0, 8.0), (0.0, np.pi / 2), 9
MEAN, STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


class Bank(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] -> maps (N, 96, H / 2, W / 2)."""

    def __init__(self) -> None:
        super().__init__()
        levels = torch.linspace(0, 1, LEVELS)
        self.register_buffer("colours", torch.cartesian_prod(levels, levels, levels))
        self.register_buffer("edges", torch.from_numpy(_gabor()))

    def forward(self, images: Tensor) -> Tensor:
        blurred = functional.avg_pool2d(images, 4, stride=2, padding=1, count_include_pad=False)
        distance = (blurred[:, None] - self.colours[None, :, :, None, None]).square().sum(dim=2)  # type: ignore[index]
        near = torch.exp(-distance / (2 * WIDTH**2))
        grey = images.mean(dim=1, keepdim=True)
        edges = functional.softplus(4 * functional.conv2d(grey, self.edges, stride=2, padding=FILTER // 2)) / 4  # type: ignore[arg-type]
        return torch.cat([near, edges], dim=1)


def _gabor() -> np.ndarray:
    """(32, 1, 9, 9) float32, each without a mean and of l2 norm 1."""
    y, x = np.mgrid[:FILTER, :FILTER] - FILTER // 2
    filters = []
    for wavelength in WAVELENGTHS:
        for turn in np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS:
            for phase in PHASES:
                wave = np.cos(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / wavelength + phase)
                one = wave * np.exp(-(x**2 + y**2) / (2 * (wavelength / 2) ** 2))
                one -= one.mean()
                filters.append(one / np.linalg.norm(one))
    return np.stack(filters)[:, None].astype(np.float32)


def described_by(extractor: str | None) -> Extractor:
    """The bank, or another extractor, as `barlow_core.extractors.load` takes it."""
    return describing() if extractor is None else load(extractor)


def describing() -> Extractor:
    """The bank as an extractor of 96 features; its two logits mean nothing."""
    torch.manual_seed(0)
    n_features = LEVELS**3 + ORIENTATIONS * len(WAVELENGTHS) * len(PHASES)
    model = nn.Sequential(Bank(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_features, 2))
    return Extractor.from_model(model, image_size=SIDE, mean=MEAN, std=STD, name="filter bank")
