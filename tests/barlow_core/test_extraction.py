from __future__ import annotations

import copy
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from barlow_core import extraction, extractors
from barlow_core.benchmark import Benchmark, device_batches
from barlow_core.errors import BarlowError
from barlow_core.extraction import extract
from barlow_core.prediction import predict
from barlow_core.run import Run
from barlow_core.storage.shipped import data_dir

N = 300


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """The first 300 of CIFAR-10's test images."""
    folder = tmp_path_factory.mktemp("cifar")
    with zipfile.ZipFile(data_dir() / "cifar10_test.zip") as archive:
        archive.extractall(folder, [f"images/{i:05d}.png" for i in range(N)])
        header, *rows = archive.read("metadata.csv").decode().splitlines()
    (folder / "metadata.csv").write_text("\n".join([header, *sorted(rows)[:N]]))
    return Benchmark.from_csv(folder / "images", folder / "metadata.csv")


@pytest.fixture(scope="module")
def robust() -> extractors.Extractor:
    return extractors.load("robust_resnet_cifar10")


def test_features_are_the_networks(cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path) -> None:
    """Each row is what the network gives for that image alone: order, shards and batches change nothing that matters."""
    from barlow_core.benchmark.images import open_image

    features = extract(Run.create(tmp_path / "run", cifar), robust, batch_size=7, shard_size=64)
    assert features.shape == (N, 256)
    for i in (0, 63, 64, N - 1):
        alone = robust.features(robust.preprocess(open_image(cifar.paths[i]))[None])[0].numpy()
        np.testing.assert_allclose(features[i], alone, atol=1e-4)


def test_half_precision(cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", cifar)
    half = extract(run, robust, dtype="float16")
    assert half.dtype == np.float16
    with pytest.raises(BarlowError, match="dtype"):
        extract(run, robust, dtype="float32")
    full = extract(run, robust, dtype="float32", overwrite=True)
    np.testing.assert_allclose(half.astype(np.float32), full, atol=2e-3)


def test_other_weights_are_refused(cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", cifar)
    before = extract(run, robust).copy()
    standard = extractors.load("standard_resnet_cifar10")
    with pytest.raises(BarlowError, match="--overwrite"):
        extract(run, standard)
    assert np.array_equal(run.features(), before)
    assert not np.array_equal(extract(run, standard, overwrite=True), before)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, threads decode")
def test_the_way_of_a_gpu_gives_the_same(
    cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything but the device: processes decode, pieces are put together, results come one batch behind; an error ends the processes."""
    fast = robust.accelerated("float32")
    expected = extract(Run.create(tmp_path / "cpu", cifar), robust, precision="float32", batch_size=50, shard_size=100)

    def on_cpu(paths: Any, batches: Any, preprocess: Any, device: Any, **given: Any) -> Any:
        assert device.type == "meta"
        return device_batches.device_batches(paths, batches, preprocess, torch.device("cpu"), **given)

    monkeypatch.setattr(extraction, "device_batches", on_cpu)
    monkeypatch.setattr(device_batches, "FEWEST_FOR_PROCESSES", 1)
    monkeypatch.setattr(fast, "features", copy.copy(fast).features)
    monkeypatch.setattr(fast, "device", torch.device("meta"))
    found = extract(Run.create(tmp_path / "gpu", cifar), robust, precision="float32", batch_size=50, shard_size=100, workers=2)
    np.testing.assert_allclose(found, expected, atol=1e-5)

    before = set(multiprocessing.active_children())  # of other tests' engines

    def failing(features: np.ndarray, paths: list[Path], **_: Any) -> np.ndarray:
        assert len(set(multiprocessing.active_children()) - before) == 2
        raise BarlowError("not finite")

    monkeypatch.setattr(extraction, "_finite", failing)
    with pytest.raises(BarlowError, match="not finite") as kept:
        extract(Run.create(tmp_path / "bad", cifar), robust, precision="float32", batch_size=50, workers=2)
    assert kept.value.__traceback__ is not None
    assert set(multiprocessing.active_children()) <= before


SCRIPT = """
import sys, time
from barlow_core import extraction, extractors
from barlow_core.extraction import extract
from barlow_core.run import Run
real = extractors.Extractor.features
def slow(self, images):
    time.sleep(0.3)
    return real(self, images)
extractors.Extractor.features = slow
extract(Run(sys.argv[1]), extractors.load("robust_resnet_cifar10"), batch_size=20, shard_size=40)
"""


def test_killed_and_resumed_gives_the_same_bytes(cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", cifar)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(run.path)])
    flags = run.path / "features.done.npy"
    deadline = time.monotonic() + 120
    while (not flags.exists() or np.load(flags).sum() < 2) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = np.load(flags)
    assert 2 <= done.sum() < len(done)
    marker = run.features_path.stat().st_ino
    extract(run, robust, batch_size=20, shard_size=40)
    assert run.features_path.stat().st_ino == marker, "the same file was continued"
    whole = Run.create(tmp_path / "whole", cifar)
    extract(whole, robust, batch_size=20, shard_size=40)
    assert run.features_path.read_bytes() == whole.features_path.read_bytes()
    assert Run(run.path).is_current("extract")


@pytest.mark.parametrize(("name", "published"), [("robust_resnet_cifar10", 0.817), ("standard_resnet_cifar10", 0.866)])
def test_predictions_have_the_networks_accuracy(cifar: Benchmark, tmp_path: Path, name: str, published: float) -> None:
    """Wrong preprocessing or class order would show here: data/README.md gives the accuracy on all 10,000 images."""
    run = Run.create(tmp_path / "run", cifar)
    predict(run, extractors.load(name), overwrite=True)
    benchmark = Run(run.path).benchmark
    assert 1 - benchmark.failure.mean() == pytest.approx(published, abs=3 * np.sqrt(published * (1 - published) / N))
    assert benchmark.confidence is not None
    assert ((benchmark.confidence > 0.1) & (benchmark.confidence <= 1)).all()
    if name == "standard_resnet_cifar10":  # the predictions that the example ships with
        assert (benchmark.predictions == cifar.predictions).mean() > 0.99


def test_a_network_of_other_classes_is_refused(cifar: Benchmark, tmp_path: Path) -> None:
    network = extractors.Classifier.from_model(
        torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2)),
        image_size=32,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        class_names=["cat", "toaster"],
    )
    run = Run.create(tmp_path / "run", cifar)
    with pytest.raises(BarlowError, match="does not know"):
        predict(run, network, overwrite=True)


def test_predict_does_not_replace_what_came_with_the_import(cifar: Benchmark, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", cifar)
    with pytest.raises(BarlowError, match="overwrite"):
        predict(run, extractors.load("standard_resnet_cifar10"))


class Mean(torch.nn.Module):
    """Its features are the mean red, green and blue of an image, divided by `divisor`."""

    def __init__(self, divisor: float = 1.0):
        super().__init__()
        self.divisor = divisor

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(images / self.divisor, 1).flatten(1)


def means(divisor: float = 1.0) -> extractors.Extractor:
    return extractors.Extractor.from_model(Mean(divisor), image_size=32, mean=[0] * 3, std=[1] * 3, name="means")


def test_features_by_hand(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    """Features that need no network: the mean of each channel, out of the decoded files."""
    from PIL import Image

    features = extract(Run.create(tmp_path / "run", planted_benchmark), means(), batch_size=7, shard_size=50, workers=3)
    pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in planted_benchmark.paths])
    np.testing.assert_allclose(features, pixels.mean((1, 2)) / 255, rtol=1e-5)


def test_a_second_call_computes_nothing(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    run, network = Run.create(tmp_path / "run", planted_benchmark), means()
    extract(run, network)
    record, network.features = run.recorded("extract"), None  # type: ignore[assignment, method-assign]
    extract(run, network, overwrite=True)
    assert run.recorded("extract") == record


@pytest.mark.parametrize(("divisor", "dtype", "advice"), [
    (0.0, "float32", "not finite.*Check the weights"),
    (1e-6, "float16", "too large for float16. Use float32"),
])  # fmt: skip
def test_features_that_cannot_be_stored_name_the_image(
    planted_benchmark: Benchmark, tmp_path: Path, divisor: float, dtype: str, advice: str
) -> None:
    run = Run.create(tmp_path / "run", planted_benchmark)
    with pytest.raises(BarlowError, match=rf"A feature of .*000\.png by means is {advice}"):
        extract(run, means(divisor), dtype=dtype)
    assert run.recorded("extract") is None


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("MPS backend out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


class Small(extractors.Extractor):
    """An extractor on a device that has room for `room` images at a time."""

    room, error, tried = 0, OUT_OF_MEMORY[0], 0

    def features(self, images: torch.Tensor) -> torch.Tensor:
        Small.tried = max(Small.tried, len(images))
        if len(images) > self.room:
            raise self.error
        return super().features(images)


def small_device(room: int, error: Exception) -> Small:
    network = Small.from_model(Mean(1.0), image_size=32, mean=[0] * 3, std=[1] * 3, name="means")
    network.room, network.error = room, error
    return network


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
@pytest.mark.parametrize("exact", [True, False])
def test_too_little_memory_halves_the_batch_and_goes_on(
    planted_benchmark: Benchmark, tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, exact: bool
) -> None:
    run = Run.create(tmp_path / "run", planted_benchmark)
    features = extract(run, small_device(9, error), batch_size=40, workers=1, exact=exact)
    expected = extract(Run.create(tmp_path / "other", planted_benchmark), means(), exact=exact)
    np.testing.assert_allclose(features, expected, rtol=1e-6)
    assert run.require("extract")["settings"]["batch_size"] == 5
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"cpu: too little memory for {n} images at a time; going on with {n // 2}." for n in (40, 20, 10)]


def test_too_little_memory_for_one_image_says_what_to_do(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="cpu has too little memory for means with a single image of 32 pixels.*--device cpu"):
        extract(Run.create(tmp_path / "run", planted_benchmark), small_device(0, OUT_OF_MEMORY[0]))


def test_an_error_that_is_not_of_memory_comes_through(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="something else"):
        extract(Run.create(tmp_path / "run", planted_benchmark), small_device(0, RuntimeError("something else")))


# --- elsewhere


def test_shards_computed_elsewhere_have_the_same_bytes(cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path) -> None:
    """What a worker of the cluster returns, put together; and the first shard is there already."""
    here, run = (Run.create(tmp_path / name, cifar) for name in ("here", "run"))
    expected = extract(here, robust, precision="float32", shard_size=100)
    told: list[tuple[int, int]] = []

    def elsewhere(function: object, shards: list[tuple[Any, ...]], **settings: Any) -> Iterator[Any]:
        assert settings["engine"] == "ray"
        assert settings["gpus"]
        for shard in reversed(shards):
            told.append(shard[-1])
            yield function(*json.loads(json.dumps(shard)))  # type: ignore[operator]
            if len(told) == 2:
                raise BarlowError("A worker process was ended from outside")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "run_shards", elsewhere)
        with pytest.raises(BarlowError, match="ended from outside"):
            extract(run, robust, precision="float32", shard_size=100, engine="ray")
        assert told == [(200, 300), (100, 200)]
        told.append((0, 0))
        found = extract(run, robust, precision="float32", shard_size=100, engine="ray")
    assert told[-1] == (0, 100), "only the shard of the lost worker is computed again"
    assert np.array_equal(found, expected)
    with pytest.raises(BarlowError, match="was handed over in Python"):
        extract(Run.create(tmp_path / "other", cifar), means(), engine="ray")


# --- fast and exact


def test_fast_features_are_the_exact_ones_but_for_rounding(
    cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path
) -> None:
    """bfloat16 has 8 bits: where the processor computes in float32 instead, it emulates the rounding."""
    runs = {method: Run.create(tmp_path / method, cifar) for method in ("exact", "float32", "bfloat16")}
    exact = extract(runs["exact"], robust, exact=True)
    fast = extract(runs["float32"], robust, precision="float32")
    half = extract(runs["bfloat16"], robust, precision="bfloat16")
    np.testing.assert_allclose(fast, exact, atol=1e-5)
    assert 1e-3 < np.abs(half - exact).max() < 0.05
    executions = {method: run.require("extract")["execution"] for method, run in runs.items()}
    assert executions["exact"]["folded"] == 0
    assert not executions["exact"]["channels_last"]
    assert not executions["exact"]["jpeg_at_reduced_size"]
    # 4 stages of 2 blocks of 2 convolutions, 3 of the shortcuts, and the stem
    assert executions["float32"]["folded"] == 20
    assert executions["bfloat16"]["precision"] == "bfloat16"
    assert len({run.require("extract")["key"] for run in runs.values()}) == 3


def test_the_number_of_threads_changes_no_bit(cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    one, many = (
        extract(Run.create(tmp_path / str(workers), cifar), robust, precision="float32", workers=workers) for workers in (1, 5)
    )
    assert np.array_equal(one, many)
    assert torch.get_num_threads() == before


def test_features_that_are_there_count_however_they_were_made(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    """As when a run is looked at, or goes on, on another machine; only who insists on a way gets a complaint."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    network = extractors.Extractor.from_model(model, image_size=32, mean=[0] * 3, std=[1] * 3)
    run = Run.create(tmp_path / "run", planted_benchmark)
    before = extract(run, network, precision="bfloat16").copy()
    assert np.array_equal(extract(run, network), before)
    with pytest.raises(BarlowError, match="--overwrite"):
        extract(run, network, exact=True)
    assert not np.array_equal(extract(run, network, exact=True, overwrite=True), before)
    assert run.require("extract")["execution"]["precision"] == "float32"
    with pytest.raises(BarlowError, match="exact features are float32, and precision is 'bfloat16'"):
        extract(run, network, exact=True, precision="bfloat16")
    with pytest.raises(BarlowError, match="precision is 'int8'"):
        extract(run, network, precision="int8", overwrite=True)


def test_replaced_features_do_not_stand_while_they_are_half_done(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    """Stopped while other features take their place, a run has no features, instead of a mixture of both."""
    run = Run.create(tmp_path / "run", planted_benchmark)
    extract(run, means())
    other = means(2.0)
    other.features = None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError):
        extract(run, other, overwrite=True)
    with pytest.raises(BarlowError, match="nothing from `barlow extract` yet"):
        Run(run.path).features()


def test_the_run_loads_its_extractor_again(cifar: Benchmark, robust: extractors.Extractor, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", cifar)
    extract(run, robust)
    assert Run(run.path).extractor().fingerprint == robust.fingerprint
    other = Run.create(tmp_path / "other", cifar)
    extract(other, means())
    with pytest.raises(BarlowError, match="handed over in Python"):
        other.extractor()


class OwnWeights(torch.nn.Module):
    """A network that looks into its own weights, which folding changes."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)
        torch.nn.init.constant_(self.norm.weight, 3.0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (self.norm(self.convolution(images)) * self.convolution.weight.abs().sum()).mean((2, 3))


def test_a_network_that_cannot_be_run_faster_is_run_as_it_is(
    planted_benchmark: Benchmark, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = extractors.Extractor.from_model(OwnWeights(), image_size=32, mean=[0] * 3, std=[1] * 3, name="own")
    run, other = (Run.create(tmp_path / name, planted_benchmark) for name in ("run", "other"))
    assert np.array_equal(extract(run, network), extract(other, network, exact=True))
    assert "own cannot be run in float32 (its logits change). Going on in a slower way." in caplog.text
    assert run.require("extract")["execution"]["folded"] == 0
