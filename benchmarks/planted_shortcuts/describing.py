"""The network that describes the pictures: robust, and trained on other photographs, with squares of five colours anywhere.

As a robust network of ImageNet knows a thousand things, this one knows that coloured squares exist. It has seen none of the two classes, and
knows nothing of which square goes with what.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from barlow_core.extractors import Extractor
from barlow_core.storage.files import atomic_write
from barlow_core.training import adversarial
from benchmarks.planted_shortcuts.pictures import BLUE, CLASSES, RED, SQUARE, photographs

COLOURS = (None, RED, (30, 200, 60), BLUE, (240, 220, 40), (230, 60, 220))
OTHERS = ("airplane", "bird", "cat", "deer", "dog", "frog", "ship", "truck")
MEAN, STD, SIDE = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26), 32
N_FEATURES, RHO, EPOCHS, PHOTOGRAPHS = 128, 0.25, 5, 4_000


def describing_network() -> nn.Module:
    """Convolutions to maps of 8 x 8, global average pooling, and an output for every photographed class and colour."""
    layers: list[nn.Module] = []
    for inside, outside in ((3, 32), (32, 64)):
        layers += [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(64, N_FEATURES, 3, padding=1, bias=False), nn.BatchNorm2d(N_FEATURES), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(N_FEATURES, len(OTHERS) * len(COLOURS)))


def describing(cache: Path) -> Extractor:
    """The network, trained by objective (1) in about a minute, or taken from the file `cache`."""
    assert not set(OTHERS) & set(CLASSES)
    model = describing_network()
    if cache.is_file():
        model.load_state_dict(torch.load(cache, weights_only=True))
    else:
        pixels, labels = photographs(OTHERS)
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(labels))[:PHOTOGRAPHS]
        pixels, colours = pixels[chosen].copy(), rng.integers(0, len(COLOURS), PHOTOGRAPHS)
        for one, colour in zip(pixels, colours, strict=True):
            y, x = rng.integers(0, SIDE + 1 - SQUARE, 2)
            shade = rng.normal(0, 8, (SQUARE, SQUARE, 3))
            if COLOURS[colour] is not None:
                one[y : y + SQUARE, x : x + SQUARE] = np.clip(np.array(COLOURS[colour]) + shade, 0, 255)
        torch.manual_seed(0)
        model = describing_network()
        adversarial.train(
            model,
            torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()),
            torch.from_numpy(labels[chosen] * len(COLOURS) + colours),
            mean=MEAN,
            std=STD,
            epochs=EPOCHS,
            peak_rate=0.2,
            rho=RHO,
            step_size=RHO,
            steps=1,
            batch_size=64,
            progress=True,
        )
        with atomic_write(cache) as temporary:
            torch.save(model.state_dict(), temporary)
    return Extractor.from_model(model, image_size=SIDE, mean=MEAN, std=STD, name="describing network")
