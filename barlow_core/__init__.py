"""Barlow: find where an image classifier fails, and see what those images have in common.

from barlow_core import Benchmark, Run, explain_run, load, visualize
from barlow_core.extraction import extract

run = Run.create("runs/mine", Benchmark.from_csv("photos", "metadata.csv"))
extract(run, load("robust_resnet50", download=True), progress=True)
explain_run(run, progress=True)
visualize(run, progress=True)
run.failure_modes()
"""

from __future__ import annotations

import importlib
from typing import Any

# Looked up on first use: tables and help texts do without the seconds that torch takes. (`extract` and `predict` are missing on
# purpose: they are the names of modules, too.)
_HOMES = {
    "Benchmark": "benchmark",
    "BarlowError": "errors",
    "Extractor": "extractors",
    "load": "extractors",
    "FailureAnalysis": "failure_modes",
    "explain": "failure_modes",
    "explain_run": "analyses",
    "feature_attack": "panels",
    "make_panel": "panels",
    "visualize": "panels",
    "Run": "run",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
