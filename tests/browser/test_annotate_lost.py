"""The worker's page when things break: the connection, the server, the file; and two servers behind one proxy."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, expect
from proxy import Proxy
from worker_study import ANSWERS, make_worker_study

from browser.conftest import DESKTOP, free_port, served
from browser.worker_page import Worker, annotate, prepared, sent
from study.store import StudyStore
from study.store.connections import lock_path


@pytest.fixture(scope="module")
def store(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyStore]:
    with make_worker_study(tmp_path_factory.mktemp("study") / "study.sqlite", tasks=4) as made:
        yield made


@pytest.fixture(scope="module")
def ports(store: StudyStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """Two servers on one study file."""
    found = [free_port(), free_port()]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with served(annotate(store.path, found[0]), found[0], elsewhere), served(annotate(store.path, found[1]), found[1], elsewhere):
        yield found


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[str], Page]]:
    contexts = []

    def start(url: str) -> Page:
        contexts.append(browser.new_context(viewport=DESKTOP))
        contexts[-1].set_default_timeout(20_000)
        page = contexts[-1].new_page()
        page.goto(url)
        return page

    yield start
    for context in contexts:
        context.close()


def test_a_lost_connection_loses_nothing(store: StudyStore, ports: list[int], open_page: Callable[[str], Page]) -> None:
    proxy = Proxy(ports[:1])
    link = prepared(store)
    page = open_page(f"http://localhost:{proxy.port}{link}")
    worker = Worker(page).at("Task 1").answer()
    proxy.cut()
    worker.send_button.click()
    expect(page.get_by_text("Not saved yet, trying again")).to_be_visible(timeout=20_000)
    expect(worker.short).to_have_value("striped fur")
    expect(page.get_by_text("Connection error")).to_be_hidden()
    assert sent(store, link.split("=")[1]) == []
    proxy.restore()
    expect(worker.heading("Task 2")).to_be_visible(timeout=30_000)
    assert sent(store, link.split("=")[1]) == [ANSWERS]
    proxy.close()


def test_a_killed_server_loses_nothing(store: StudyStore, open_page: Callable[[str], Page], tmp_path: Path) -> None:
    """Typed before the server dies, sent while it is dead, kept once it is back; and what was acknowledged stays."""
    port, link = free_port(), prepared(store)
    command = [sys.executable, "-m", *annotate(store.path, port)]
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        page = open_page(f"http://localhost:{port}{link}")
        worker = Worker(page).at("Task 1").answer()
        worker.send_button.click()
        worker.at("Task 2").answer(short="second")
        server.kill()
        server.wait(timeout=10)
        assert sent(store, link.split("=")[1]) == [ANSWERS]
        worker.send_button.click()
        page.wait_for_timeout(300)
        server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        expect(worker.heading("Task 3")).to_be_visible(timeout=40_000)
        assert sent(store, link.split("=")[1]) == [ANSWERS, {**ANSWERS, "short": "second"}]
        assert store.check() == []
    finally:
        server.kill()
        server.wait(timeout=10)


def test_a_locked_file_is_waited_for(store: StudyStore, ports: list[int], open_page: Callable[[str], Page]) -> None:
    link = prepared(store)
    page = open_page(f"http://localhost:{ports[0]}{link}")
    worker = Worker(page).at("Task 1").answer()
    with FileLock(lock_path(store.path)):
        worker.send_button.click()
        expect(page.get_by_text("Not saved yet. The study is busy at the moment. Your answer stays here")).to_be_visible(
            timeout=15_000
        )
        expect(worker.short).to_have_value("striped fur")
    expect(worker.heading("Task 2")).to_be_visible(timeout=20_000)
    assert sent(store, link.split("=")[1]) == [ANSWERS]


def test_two_servers_behind_a_proxy_that_remembers(store: StudyStore, ports: list[int], open_page: Callable[[str], Page]) -> None:
    """Each visitor stays with one server, whose sessions and pictures the other does not have; the study file is one."""
    proxy = Proxy(ports)
    links = [prepared(store) for _ in range(3)]
    workers = [Worker(open_page(f"http://localhost:{proxy.port}{link}")) for link in links]
    for number in (1, 2):
        for worker in workers:
            worker.at(f"Task {number}").answer(short=f"fur {number}")
            loaded = "group => [...group.querySelectorAll('img')].every(image => image.complete && image.naturalWidth > 0)"
            assert worker.page.get_by_role("group", name="Pictures", exact=True).evaluate(loaded)
        for worker in workers:
            worker.send_button.click()
    for worker in workers:
        worker.at("Task 3")
    assert all(count > 0 for count in proxy.served)
    for link in links:
        assert [answer["short"] for answer in sent(store, link.split("=")[1])] == ["fur 1", "fur 2"]
    assert store.check() == []
    # The servers can change behind a worker: the file knows where they are.
    moved = Worker(open_page(f"http://localhost:{ports[1]}{links[0]}"))
    assert moved.at("Task 3")
    proxy.close()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
