"""Barlow: find where an image classifier fails, and see what those images have in common.

from barlow_core import Benchmark, Run, explain_run, extract, load, visualize

run = Run.create("runs/mine", Benchmark.from_csv("photos", "metadata.csv"))
extract(run, load("robust_resnet50", download=True), progress=True)
explain_run(run, progress=True)
visualize(run, progress=True)
run.failure_modes()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barlow_core.lazy import attach

if TYPE_CHECKING:
    from barlow_core.analyses import explain_run
    from barlow_core.benchmark import Benchmark
    from barlow_core.errors import BarlowError
    from barlow_core.extraction import extract
    from barlow_core.extractors import load, load_classifier
    from barlow_core.failure_modes import explain
    from barlow_core.panels import visualize
    from barlow_core.prediction import predict
    from barlow_core.run import Run

__all__ = [
    "BarlowError",
    "Benchmark",
    "Run",
    "explain",
    "explain_run",
    "extract",
    "load",
    "load_classifier",
    "predict",
    "visualize",
]

__getattr__ = attach(
    __name__,
    {
        "analyses": ["explain_run"],
        "benchmark": ["Benchmark"],
        "errors": ["BarlowError"],
        "extraction": ["extract"],
        "extractors": ["load", "load_classifier"],
        "failure_modes": ["explain"],
        "panels": ["visualize"],
        "prediction": ["predict"],
        "run": ["Run"],
    },
)
