"""Images, labels and predictions, and where they came from: intake of every format, and its validation."""

from barlow_core.benchmark.benchmark import Benchmark

__all__ = ["Benchmark"]
