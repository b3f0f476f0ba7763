"""A run of three classes with an extractor that is quick enough to make panels in a test."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.extraction import extract
from barlow_core.extractors import Extractor
from barlow_core.run import Run


def small_extractor(seed: int = 0) -> Extractor:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    return Extractor.from_model(model, image_size=32, mean=[0.5] * 3, std=[0.25] * 3, name="small")


def small_run(folder: Path, benchmark: Benchmark, extractor: Extractor, **settings: object) -> Run:
    """Explained, without panels; 12 features."""
    run = Run.create(folder, benchmark)
    extract(run, extractor)
    explain_run(run, workers=1, **({"depth": 1, "delta": 0.0, "tau": 0.0, "min_leaf": 3, "k": 6} | settings))  # type: ignore[arg-type]
    return run
