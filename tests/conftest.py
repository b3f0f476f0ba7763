"""A small benchmark with a failure mode that was planted in it, as files, as a run folder, and explained."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path

# Before torch is imported, here and in processes that tests start: processors that are faster in bfloat16 would compute features in it, and
# tests state the numbers of float32. What is different in bfloat16 has tests that ask for it.
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"

import hypothesis
import numpy as np
import pytest
from PIL import Image

from barlow_core.analyses import Checks, explain_run, search_run
from barlow_core.benchmark import Benchmark
from barlow_core.run import Run, digest

# A shell that starts the suite in the background has it ignore Ctrl-C, and processes that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long one example takes says how busy the machine is (the first one imports torch); hangs are pytest-timeout's to end.
hypothesis.settings.register_profile("barlow", deadline=None)
hypothesis.settings.load_profile("barlow")

CLASSES = ["cat", "dog", "truck"]
N_FEATURES = 12
PLANTED = 7  # trucks are mistaken for cats where this feature is below 0.5


@pytest.fixture(scope="session")
def planted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """images/ with 120 pictures of noise, metadata.csv, and features.npy (120 x 12)."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    features = rng.exponential(size=(120, N_FEATURES)).astype(np.float32)
    labels = np.repeat([0, 1, 2], 40)
    predictions = labels.copy()
    predictions[(labels == 2) & (features[:, PLANTED] < 0.5)] = 0
    predictions[[0, 45]] = [1, 0]  # a few failures with no cause
    np.save(folder / "features.npy", features)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Filenames", "Predictions", "Labels", "Confidence"])
        for i, (label, prediction) in enumerate(zip(labels, predictions, strict=True)):
            name = f"{i:03d}.png"
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / "images" / name)
            writer.writerow([name, CLASSES[prediction], CLASSES[label], 0.9])
    return folder


@pytest.fixture(scope="session")
def planted_benchmark(planted_folder: Path) -> Benchmark:
    return Benchmark.from_csv(planted_folder / "images", planted_folder / "metadata.csv")


def with_features(run: Run, features: np.ndarray) -> Run:
    """Give a run features from elsewhere, as `extract` would have left them."""
    np.save(run.features_path, features)
    run.record(
        "extract",
        key=digest(run.benchmark.images_digest, features.tobytes().hex()),
        settings={},
        seconds=0.0,
        extractor={"name": "planted", "source": None, "options": {}, "fingerprint": "planted"},
    )
    return run


@pytest.fixture(scope="session")
def searched_run(planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Images that fail along one direction of three features: explained, and searched as a whole and by label. For reading only."""
    features = np.random.default_rng(0).normal(size=(120, 6)).astype(np.float32)
    labels = np.asarray(planted_benchmark.labels)
    predictions = np.where(features[:, :3].sum(axis=1) > 1.2, (labels + 1) % 3, labels)
    benchmark = planted_benchmark.with_predictions(predictions)
    run = with_features(Run.create(tmp_path_factory.mktemp("searched") / "run", benchmark), features)
    explain_run(run, workers=1, depth=1, checks=Checks(held_out="none"))
    search_run(run, groupings=["all", "label"], checks=Checks(resamples=3), workers=1)
    return run


@pytest.fixture
def planted_run(planted_benchmark: Benchmark, planted_folder: Path, tmp_path: Path) -> Run:
    """A run folder with features, not yet explained."""
    return with_features(Run.create(tmp_path / "run", planted_benchmark), np.load(planted_folder / "features.npy"))


@pytest.fixture
def make_explained(planted_run: Run) -> Callable[..., Run]:
    def make(**settings: object) -> Run:
        explain_run(planted_run, workers=1, **settings)
        return planted_run

    return make


@pytest.fixture
def explained_run(make_explained: Callable[..., Run]) -> Run:
    return make_explained()
