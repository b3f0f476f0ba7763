from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from barlow_core.benchmark import device_batches
from barlow_core.benchmark.batches import load_batches, spans
from barlow_core.benchmark.images import check_image
from barlow_core.errors import BarlowError, ImageError
from barlow_core.extractors.extractor import Preprocessing

CPU = torch.device("cpu")
N = 90
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, threads decode")
_OTHERS: set[Any] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    """Processes of other tests' engines may still wait for work."""
    _OTHERS.clear()
    _OTHERS.update(multiprocessing.active_children())


def started() -> set[Any]:
    """Processes that the test started, and that run."""
    return set(multiprocessing.active_children()) - _OTHERS


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("noise")
    paths = [folder / f"{i:02d}.jpg" for i in range(N)]
    for i, path in enumerate(paths):
        pixels = np.random.default_rng(i).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.fixture(params=["processes", "threads"])
def decoded_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(device_batches, "FEWEST_FOR_PROCESSES", 1 if request.param == "processes" else N + 1)
    return str(request.param)


def digest_of(images: Tensor) -> str:
    return hashlib.sha256(images.contiguous().numpy().tobytes()).hexdigest()


@linux
def test_batches_are_those_of_threads_to_the_byte(noise: list[Path], decoded_by: str) -> None:
    """Batches longer than a piece, of a piece, shorter than one, of one image; JPEG files at half of their size."""
    batches = [(0, 50), (50, 82), (82, 89), (89, 90)]
    preprocess = Preprocessing(16, 20).pixels
    known = {"digests": [check_image(path) for path in noise], "least_side": 40}
    expected = [(span, digest_of(images)) for span, images in load_batches(noise, batches, preprocess, **known, workers=1)]
    found = []
    for span, images in device_batches.device_batches(noise, batches, preprocess, CPU, **known, workers=3):
        assert images.shape == (span[1] - span[0], 3, 16, 16)
        assert images.dtype == torch.uint8
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert len(started()) == (3 if decoded_by == "processes" else 0)
        found.append((span, digest_of(images)))
    assert found == expected
    assert not started()


@linux
def test_an_unreadable_or_changed_image_is_named_as_by_threads(noise: list[Path], tmp_path: Path, decoded_by: str) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    paths = [*noise[:70], bad, *noise[70:]]
    preprocess = Preprocessing(16, 20).pixels
    with pytest.raises(ImageError) as expected:
        list(load_batches(paths, spans([(0, N)], 40), preprocess, workers=1))
    with pytest.raises(ImageError) as found:
        list(device_batches.device_batches(paths, spans([(0, N)], 40), preprocess, CPU, workers=2))
    assert str(found.value) == str(expected.value)
    assert "bad.jpg" in str(found.value)
    with pytest.raises(ImageError, match=r"41\.jpg has changed since it was imported"):
        digests = [check_image(path) if i != 41 else "other" for i, path in enumerate(noise)]
        list(device_batches.device_batches(noise, spans([(0, N)], 40), preprocess, CPU, digests=digests, workers=2))
    assert not started()


@linux
def test_nothing_of_torchs_common_random_numbers_is_used(noise: list[Path], decoded_by: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(device_batches.device_batches(noise, spans([(0, N)], 40), Preprocessing(16, 20).pixels, CPU, workers=2))
    assert torch.equal(torch.rand(3), expected)


@linux
def test_processes_end_when_the_batches_are_closed(noise: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_batches, "FEWEST_FOR_PROCESSES", 1)
    batches = device_batches.device_batches(noise, spans([(0, N)], 20), Preprocessing(16, 20).pixels, CPU, workers=2)
    next(batches)
    assert len(started()) == 2
    batches.close()
    assert not started()


@linux
def test_a_killed_process_is_explained(noise: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_batches, "FEWEST_FOR_PROCESSES", 1)
    monkeypatch.setattr(device_batches, "PIECE", 2)
    batches = device_batches.device_batches(noise, spans([(0, N)], 4), Preprocessing(16, 20).pixels, CPU, workers=2)
    with pytest.raises(BarlowError, match="ended from outside.*--workers 1"), device_batches.lost_processes_named():
        next(batches)
        for process in started():
            process.kill()
        list(batches)
    assert not started()
    with pytest.raises(RuntimeError, match="another"), device_batches.lost_processes_named():
        raise RuntimeError("another")


@linux
def test_too_little_shared_memory_is_left_to_threads(
    noise: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(device_batches, "FEWEST_FOR_PROCESSES", 1)
    monkeypatch.setattr(device_batches, "SHARED_MEMORY", Path("/nowhere"))
    for _ in device_batches.device_batches(noise, spans([(0, N)], 40), Preprocessing(16, 20).pixels, CPU, workers=2):
        assert not started()
    assert "--shm-size" in caplog.text


@linux
def test_threads_go_on_where_a_process_hangs(
    noise: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    preprocess = Preprocessing(16, 20).pixels
    expected = [digest_of(images) for _, images in load_batches(noise, spans([(0, N)], 40), preprocess, workers=1)]
    decoded = 0

    def hanging(picture: Image.Image) -> Tensor:
        nonlocal decoded
        decoded += 1
        if multiprocessing.parent_process() is not None and decoded == 33:
            time.sleep(60)
        return preprocess(picture)

    monkeypatch.setattr(device_batches, "FEWEST_FOR_PROCESSES", 1)
    monkeypatch.setattr(device_batches, "PIECE", 10)
    monkeypatch.setattr(device_batches, "PATIENCE", 3)
    found = device_batches.device_batches(noise, spans([(0, N)], 40), hanging, CPU, workers=2)
    assert [digest_of(images) for _, images in found] == expected
    assert "Threads go on" in caplog.text
    assert not started()


SCRIPT = """
import multiprocessing, sys, time
from pathlib import Path
import torch
from barlow_core.benchmark import device_batches
from barlow_core.extractors.extractor import Preprocessing
device_batches.FEWEST_FOR_PROCESSES = device_batches.PIECE = 1
paths = sorted(Path(sys.argv[1]).iterdir())
spans = [(i, i + 1) for i in range(len(paths))]
def decode():
    for _ in device_batches.device_batches(paths, spans, Preprocessing(16, 20).pixels, torch.device("cpu"), workers=2):
        print(*(process.pid for process in multiprocessing.active_children()), flush=True)
        time.sleep(1)
try:
    decode()
except KeyboardInterrupt as error:
    kept = error
    print(len(multiprocessing.active_children()), "left", flush=True)
decode()
"""


@linux
def test_interrupted_or_killed_no_process_is_left(noise: list[Path]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(noise[0].parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert len(process.stdout.readline().split()) == 2
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    lines = iter(process.stdout.readline, "")
    assert next(line for line in lines if "left" in line) == "0 left\n"
    pids = next(lines).split()
    assert len(pids) == 2
    process.kill()
    _, errors = process.communicate(timeout=60)
    assert errors == ""
    deadline = time.monotonic() + 3  # far below the five seconds after which torch's processes look for their parent
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
