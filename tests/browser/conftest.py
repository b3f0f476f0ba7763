"""A real browser, and a run on real images served to it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from barlow_core import extractors
from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.extraction import extract
from barlow_core.panels import visualize
from barlow_core.run import Run
from barlow_core.storage.shipped import data_dir

CHROMIUM = ["chromium", "chromium-browser", "google-chrome"]
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
N_IMAGES, CLASSES = 1500, ["automobile", "cat", "dog", "truck"]
DESKTOP, PHONE = {"width": 1440, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("There is no Chromium on the PATH. CI must have one: see .ci/run.")
        pytest.skip(f"There is no browser on the PATH ({', '.join(CHROMIUM)}). Install chromium to test the pages in it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address; at the end of the test, no script of a page may have failed."""
    contexts, problems = [], []

    def start(url: str, *, viewport: dict[str, int] = DESKTOP, theme: str = "light") -> Page:
        context = browser.new_context(viewport=viewport, color_scheme=theme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url)
        page.locator(".bw-h2").first.wait_for()
        return page

    yield start
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="session")
def real_run(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Images of four classes of the embedded example, explained, with one panel. (Asks for the browser first: without one, no work.)"""
    folder = tmp_path_factory.mktemp("real")
    with zipfile.ZipFile(data_dir() / "cifar10_test.zip") as archive:
        table = pd.read_csv(archive.open("metadata.csv"))
        table = table[table["Labels"].isin(CLASSES) & table["Predictions"].isin(CLASSES)].head(N_IMAGES)
        archive.extractall(folder, [f"images/{name}" for name in table["Filenames"]])
    table.to_csv(folder / "metadata.csv", index=False)
    run = Run.create(folder / "run", Benchmark.from_csv(folder / "images", folder / "metadata.csv"))
    extractor = extractors.load("robust_resnet_cifar10")
    extract(run, extractor)
    explain_run(run, workers=1)
    visualize(run, extractor, keys=["label:dog"], features=[0], steps=2)
    return run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(command: list[str], port: int, cwd: Path, *, base_path: str = "") -> Iterator[str]:
    """Run a command that serves a page until the block ends; yields the address."""
    url = f"http://localhost:{port}{base_path and '/'}{base_path}"
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=cwd, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                    break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, f"{command} ended with status {process.returncode}"
                assert time.monotonic() < deadline, f"{command} does not answer"
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def browse_url(real_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`barlow browse RUN`, started from some other folder."""
    port = free_port()
    command = ["barlow_core", "browse", str(real_run.path), "--no-open", "--port", str(port)]
    with served(command, port, tmp_path_factory.mktemp("elsewhere")) as url:
        yield url
