"""A model that depends on one feature of the extractor and on nothing else, and pictures on which it fails for that reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from barlow_core.benchmark import Benchmark
from barlow_core.directions import Direction
from barlow_core.extraction import extract
from barlow_core.extractors import Classifier, Extractor
from barlow_core.interventions import Target
from barlow_core.run import Run

SIDE, N_FEATURES, STEERING = 16, 48, 5
USUAL = {"image_size": SIDE, "mean": [0.5] * 3, "std": [0.5] * 3}


class Steered(nn.Module):
    """Class 0 where feature `STEERING` is above a threshold."""

    def __init__(self, body: nn.Module, threshold: float):
        super().__init__()
        self.body, self.threshold = body, threshold

    def forward(self, images: Tensor) -> Tensor:
        score = 100 * (self.body(images)[:, STEERING] - self.threshold)
        return torch.stack([score, -score], dim=1)


def extractor() -> Extractor:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, N_FEATURES, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    # Without a common part, raising one feature does not raise all of them.
    with torch.no_grad():
        body[0].weight -= body[0].weight.mean(dim=(1, 2, 3), keepdim=True)
        body[0].bias.fill_(0.2)
    return Extractor.from_model(body, **USUAL)  # type: ignore[arg-type]


def steered_run(folder: Path, n: int = 120) -> tuple[Run, Extractor, Classifier]:
    """A run whose predictions are those of the steered model; labels are as good as tossed."""
    rng = np.random.default_rng(0)
    images = folder / "images"
    images.mkdir()
    coarse = rng.random((n, 4, 4, 3))
    pixels = np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2) * 0.7 + 0.3 * rng.random((n, SIDE, SIDE, 3))
    names = [f"{i:03d}.png" for i in range(n)]
    for name, one in zip(names, pixels, strict=True):
        Image.fromarray((one * 255).astype(np.uint8)).save(images / name)
    labels = np.array(["a", "b"])[rng.integers(0, 2, n)]
    pd.DataFrame({"Filenames": names, "Labels": labels}).to_csv(folder / "labels.csv", index=False)
    network = extractor()
    run = Run.create(folder / "run", Benchmark.from_csv(images, folder / "labels.csv"))
    values = np.asarray(extract(run, network)[:, STEERING])
    between = np.sort(values)[n // 2 - 5 : n // 2 + 6]
    gap = int(np.diff(between).argmax())  # no image at the threshold, where rounding would decide
    threshold = float(between[gap : gap + 2].mean())
    model = Classifier.from_model(
        Steered(network._model, threshold).eval(),
        class_names=["a", "b"],
        name="steered",
        **USUAL,  # type: ignore[arg-type]
    )
    predicted = np.where(values > threshold, 0, 1)
    run.save_benchmark(run.benchmark.with_predictions(predicted))
    extract(run, network)
    return run, network, model


def target(run: Run, feature: int, *, group: str = "a", above: bool = False) -> Target:
    """A made-up rule: images of a class where a feature is below (above) its median."""
    values = np.asarray(run.features()[:, feature])
    threshold = float(np.median(values))
    holds = (values > threshold) == above
    own = run.benchmark.labels == run.benchmark.class_names.index(group)
    return Target(
        f"label:{group}",
        "depth 1, leaf 1",
        f"feature[{feature}] {'>' if above else '<'} {threshold:.4f}",
        Direction.of(feature),
        above,
        threshold,
        np.flatnonzero(own & holds),
        np.flatnonzero(own & ~holds),
        np.flatnonzero(~own & holds),
    )
