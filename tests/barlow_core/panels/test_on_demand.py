"""Pictures made while somebody looks: heatmaps of one image, attacks frame by frame, and the queue that makes them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError, ImageError
from barlow_core.extraction import extract
from barlow_core.extractors import Extractor
from barlow_core.panels import load_panel, make_panel, pictures
from barlow_core.panels.attack_frames import found_frames, make_frames
from barlow_core.panels.jobs import Job, PanelJobs
from barlow_core.panels.overlays import found_overlay, overlay, overlays
from barlow_core.panels.picture_cache import cache_folder, trim
from barlow_core.run import Run


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 12, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Extractor.from_model(model, image_size=32, mean=[0.5] * 3, std=[0.25] * 3, name="tiny")


@pytest.fixture(scope="module")
def prepared(planted_benchmark: Benchmark, extractor: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Run.create(tmp_path_factory.mktemp("prepared") / "run", planted_benchmark)
    extract(run, extractor)
    explain_run(run, depth=1, delta=0.0, tau=0.0, workers=1)
    return run.path


@pytest.fixture
def run(prepared: Path, tmp_path: Path) -> Run:
    return Run(shutil.copytree(prepared, tmp_path / "run"))


# --- heatmaps


def test_an_overlay_is_the_one_that_a_panel_shows(run: Run, extractor: Extractor) -> None:
    """Another way to the same pixels: the panel of the feature, whose first image is looked at."""
    panel = make_panel(run, extractor, "label:truck", 3, k=2, steps=1)
    column = panel.images[0]
    found = overlay(run, extractor, column.index, 3)
    for kind in ("image", "heatmap", "overlay"):
        ours, theirs = Image.open(getattr(found, kind)), Image.open(panel.path / getattr(column, kind))
        assert np.array_equal(np.asarray(ours), np.asarray(theirs)), kind
    assert found.activation == pytest.approx(column.activation, rel=1e-5)
    assert found.side == pictures.looking_size(32)
    assert found.image.is_relative_to(run.path / "cache" / "overlays")


def test_an_overlay_is_made_once_and_found_without_a_network(
    run: Run, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found_overlay(run, 5, 3) is None
    first, other = overlays(run, extractor, 5, [3, 7])
    monkeypatch.setattr(Extractor, "forward", lambda *_: pytest.fail("computed again"))
    assert overlay(run, extractor, 5, 3) == found_overlay(run, 5, 3) == first
    assert found_overlay(run, 5, 7) == other != first
    first.heatmap.unlink()
    assert found_overlay(run, 5, 3) is None, "a file that was deleted is made again"


def test_an_overlay_of_other_features_is_not_found(run: Run, extractor: Extractor) -> None:
    overlay(run, extractor, 5, 3)
    record = run.info["stages"]["extract"]
    run.record("extract", key="other", settings={}, seconds=0.0, extractor=record["extractor"])
    assert found_overlay(run, 5, 3) is None


@pytest.mark.parametrize(
    ("position", "feature", "message"), [(120, 0, "Image 120 does not exist"), (0, 12, "Feature 12 does not exist")]
)
def test_what_does_not_exist_is_named(run: Run, extractor: Extractor, position: int, feature: int, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        overlay(run, extractor, position, feature)
    with pytest.raises(BarlowError, match=message):
        make_frames(run, extractor, position, feature)


def test_a_missing_image_and_another_extractor_are_refused(run: Run, extractor: Extractor, tmp_path: Path) -> None:
    other = Extractor.from_model(
        nn.Sequential(nn.Conv2d(3, 12, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), image_size=32, mean=[0.5] * 3, std=[0.25] * 3
    )
    with pytest.raises(BarlowError, match="same extractor"):
        overlay(run, other, 0, 0)
    run.__dict__["benchmark"] = replace(run.benchmark, images_dir=tmp_path / "moved")
    with pytest.raises(ImageError, match=r"000\.png: no such file"):
        overlay(run, extractor, 0, 0)


# --- frames


def test_stages_are_kept_as_pictures_with_their_numbers(run: Run, extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_frames(run, 5, 3, frames=3) is None
    steps: list[int] = []
    made = make_frames(run, extractor, 5, 3, frames=3, on_step=lambda step, _: steps.append(step))
    assert steps == list(range(1, made.attack["steps"] + 1))
    assert made.table["step"].tolist() == [0, round(made.attack["steps"] / 2), made.attack["steps"]]
    assert made.table["activation"].is_monotonic_increasing
    assert made.table["distance"].iloc[0] == 0
    before = np.asarray(Image.open(made.table["path"].iloc[0]))
    assert np.array_equal(before, np.asarray(Image.open(overlay(run, extractor, 5, 3).image)))
    assert not np.array_equal(before, np.asarray(Image.open(made.table["path"].iloc[-1])))
    monkeypatch.setattr(Extractor, "forward", lambda *_: pytest.fail("computed again"))
    again = make_frames(run, extractor, 5, 3, frames=3)
    assert again.table.equals(made.table)
    assert found_frames(run, 5, 3, frames=4) is None
    assert found_frames(run, 5, 3, frames=3, steps=7) is None


# --- the folder


def test_where_the_run_cannot_be_written_pictures_go_elsewhere(
    run: Run, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    folder = cache_folder(run)
    assert not folder.is_relative_to(run.path)
    assert overlay(run, extractor, 5, 3).image.is_relative_to(folder)
    assert not list((run.path / "cache").iterdir())
    shutil.rmtree(folder)


def test_the_oldest_pictures_make_room(tmp_path: Path) -> None:
    for i in range(11):
        (tmp_path / f"{i}").write_bytes(b"")
        os.utime(tmp_path / f"{i}", (i, i))
    trim(tmp_path, most=11)
    assert len(list(tmp_path.iterdir())) == 11
    trim(tmp_path, most=10)
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == [6, 7, 8, 9, 10]


# --- the queue


@pytest.fixture
def queue(extractor: Extractor) -> Iterator[PanelJobs]:
    queue = PanelJobs(lambda run: extractor)
    yield queue
    queue.close()


def test_a_panel_is_made_in_the_background(run: Run, queue: PanelJobs) -> None:
    job = queue.panel(run, "label:truck", 3, k=2, steps=4)
    assert job.wait(60)
    assert (job.state, job.progress, job.error, job.done) == ("done", 1.0, None, True)
    panel = load_panel(run, "label:truck", 3)
    assert panel is not None
    assert (panel.k, panel.attack["steps"]) == (2, 4)
    assert job.seconds > 0
    assert queue.find(job.key) is job
    assert queue.all() == [job]
    for other in (queue.overlay(run, 5, 3), queue.frames(run, 5, 3, frames=2, steps=2)):
        assert other.wait(60)
        assert other.error is None
    assert found_overlay(run, 5, 3)
    assert found_frames(run, 5, 3, frames=2, steps=2)


def test_one_at_a_time_in_the_order_of_the_wishes(run: Run, extractor: Extractor) -> None:
    gate, entered = threading.Event(), threading.Event()

    def load(_: Run) -> Extractor:
        entered.set()
        gate.wait(60)
        return extractor

    queue = PanelJobs(load)
    first = queue.panel(run, "label:truck", 3, k=1, steps=1)
    assert entered.wait(60)
    second, third = queue.overlay(run, 1, 1), queue.overlay(run, 2, 1)
    assert (first.state, second.state, third.state) == ("running", "waiting", "waiting")
    assert [queue.ahead(job) for job in (first, second, third)] == [0, 1, 2]
    assert queue.overlay(run, 1, 1) is second, "the same wish is one job"
    assert queue.panel(run, "label:truck", 3, k=1, steps=1) is first
    second.cancel()
    assert queue.overlay(run, 1, 1) is not second, "who wants it again gets it"
    gate.set()
    assert third.wait(60)
    assert second.state == "cancelled"
    assert (first.state, third.state) == ("done", "done")
    queue.close()
    with pytest.raises(BarlowError, match="shutting down"):
        queue.overlay(run, 3, 1)


def test_a_cancelled_panel_leaves_nothing(run: Run, queue: PanelJobs) -> None:
    job = queue.panel(run, "label:truck", 3, k=2, steps=1_000_000)
    while job.progress == 0:
        assert not job.done, job.error
        time.sleep(0.005)
    job.cancel()
    assert job.wait(60)
    assert (job.state, job.error) == ("cancelled", None)
    assert 0 < job.progress < 1
    assert load_panel(run, "label:truck", 3) is None
    assert not list(run.panels_path.glob(".*"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BarlowError("The weights are gone. Bring them back."), "^The weights are gone. Bring them back.$"),
        (MemoryError(), "^Memory ran out"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "^Memory ran out"),
        (OSError(28, "No space left on device"), "^It could not be written.*No space left"),
        (ZeroDivisionError("division by zero"), "^Something unexpected went wrong: ZeroDivisionError: division by zero"),
    ],
)
def test_a_failure_is_told_in_words_and_the_next_one_goes_on(
    run: Run, extractor: Extractor, error: Exception, words: str
) -> None:
    attempts = []

    def load(_: Run) -> Extractor:
        attempts.append(1)
        if len(attempts) == 1:
            raise error
        return extractor

    queue = PanelJobs(load)
    failed = queue.overlay(run, 1, 1)
    assert failed.wait(60)
    assert failed.state == "failed"
    assert re.search(words, failed.error or "")
    again = queue.overlay(run, 1, 1)
    assert again is not failed
    assert again.wait(60)
    assert again.state == "done"
    queue.forget(again)
    assert queue.all() == []
    queue.close()


def test_a_job_waits_for_another_command_that_writes(run: Run, queue: PanelJobs) -> None:
    with run.lock():
        job = queue.panel(run, "label:truck", 3, k=1, steps=1)
        while "another barlow command" not in job.message:
            assert not job.done, job.error
            time.sleep(0.01)
    assert job.wait(60)
    assert job.state == "done"


def test_it_does_not_wait_for_ever(run: Run, queue: PanelJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barlow_core.panels.jobs.SECONDS_FOR_LOCK", 0)
    with run.lock():
        job = queue.panel(run, "label:truck", 3, k=1, steps=1)
        assert job.wait(60)
    assert "Another barlow command is writing" in str(job.error)


def test_old_jobs_are_forgotten(run: Run, queue: PanelJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barlow_core.panels.jobs.KEPT", 2)
    made: list[Job] = []
    for position in range(4):
        made.append(queue.overlay(run, position, 0))
        assert made[-1].wait(60)
    assert queue.all() == made[1:]


def test_closing_ends_what_runs(run: Run, extractor: Extractor) -> None:
    queue = PanelJobs(lambda _: extractor)
    job = queue.panel(run, "label:truck", 3, k=1, steps=1_000_000)
    while job.progress == 0:
        time.sleep(0.005)
    queue.close(timeout=60)
    assert job.state == "cancelled"


ENDS = """
import sys, time
from barlow_core.panels import jobs
from barlow_core.extractors import Extractor
from barlow_core.run import Run
from torch import nn
import torch
torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(3, 12, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
extractor = Extractor.from_model(model, image_size=32, mean=[0.5] * 3, std=[0.25] * 3, name="tiny")
job = jobs.PanelJobs(lambda _: extractor).panel(Run(sys.argv[1]), "label:truck", 3, k=1, steps=1_000_000)
while job.progress == 0:
    assert not job.done, job.error
    time.sleep(0.005)
"""


def test_a_program_ends_cleanly_while_a_picture_is_made(run: Run) -> None:
    """An interpreter that ends under a thread in torch aborts with "terminate called without an active exception"."""
    ended = subprocess.run([sys.executable, "-c", ENDS, str(run.path)], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert load_panel(run, "label:truck", 3) is None
    assert not list(run.panels_path.glob(".*"))
