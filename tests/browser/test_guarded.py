"""The pages of a study as `barlow study serve` starts them, behind the real nginx with the configuration of docs/nginx.conf."""

from __future__ import annotations

import http.client
import re
import shutil
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from nginx import nginx, program
from playwright.sync_api import Browser, BrowserContext, Page, expect
from worker_study import make_worker_study

from browser.conftest import DESKTOP, free_port, served
from browser.worker_page import Worker
from study.store import StudyStore
from study.store.admin_secret import hashed
from study.store.attempts import GUESSES

SECRET = "correct horse battery"
INVITE = "anna-1234"


@pytest.fixture(scope="module")
def store(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyStore]:
    program()
    path = tmp_path_factory.mktemp("study") / "study.sqlite"
    with make_worker_study(path, admin_hash=hashed(SECRET), invite_codes=(INVITE,)) as made:
        yield made


@pytest.fixture(scope="module")
def ports(store: StudyStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    """The public one, the app's own, the admin page's."""
    found = [free_port(), free_port(), free_port()]
    url = f"https://localhost:{found[0]}"
    command = ["barlow_core", "study", "serve", str(store.path), f"--port={found[1]}", f"--admin-port={found[2]}", f"--url={url}"]
    elsewhere, folder = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp("nginx")
    with served(command, found[1], elsewhere), nginx(folder, found[0], found[1:2]):
        yield found
    # A clean stop has copied the log back: the file alone is the whole study.
    shutil.copy(store.path, elsewhere / "alone.sqlite")
    alone = sqlite3.connect(f"file:{elsewhere / 'alone.sqlite'}?immutable=1", uri=True)
    kept = alone.execute("SELECT count(*) FROM answer").fetchone()[0]
    alone.close()
    assert kept == sum(len(store.history(worker)) for worker in store.workers()["worker"]) > 0


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """A page in a browser that complains about nothing, least of all the content security policy."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def start(url: str) -> Page:
        contexts.append(browser.new_context(viewport=DESKTOP, ignore_https_errors=True))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


def ask(port: int, path: str, *, secure: bool = True) -> tuple[int, dict[str, str], int]:
    """Status, headers and length of an answer."""
    context = ssl._create_unverified_context()
    kinds = http.client.HTTPSConnection("localhost", port, context=context), http.client.HTTPConnection("localhost", port)
    connection = kinds[0 if secure else 1]
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, len(body)


def test_headers_closed_doors_and_small_files(ports: list[int]) -> None:
    for number, port in enumerate(ports):
        status, headers, _ = ask(port, "/", secure=number == 0)
        assert status == 200
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "strict-origin"
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert "unsafe" not in policy["script-src"]
        assert ("https://worker.mturk.com" in policy["frame-ancestors"]) == (number < 2), "never the admin page"
        for closed in ("metrics", "agent/openapi.json", "script-health-check", "upload_file/x/y"):
            assert ask(port, f"/_stcore/{closed}", secure=number == 0)[0] == 404
        assert ask(port, "/_stcore/health", secure=number == 0)[0] == 200
    page = Path(__import__("streamlit").__file__).parent / "static" / "index.html"
    script = re.search(r'src="\.(/static/js/index\.[^"]+)"', page.read_text())[1]  # type: ignore[index]
    _, direct, whole = ask(ports[1], script, secure=False)
    _, packed, small = ask(ports[0], script)
    assert (packed["content-encoding"], "content-encoding" in direct) == ("gzip", False)
    assert small < whole / 2
    assert packed["cache-control"] == "public, immutable, max-age=31536000"


def test_the_worker_works_behind_it(store: StudyStore, ports: list[int], open_page: Callable[..., Page]) -> None:
    page = open_page("about:blank")
    heard: list[bytes] = []
    keep = lambda frame: heard.append(frame if isinstance(frame, bytes) else frame.encode())  # noqa: E731
    page.on("websocket", lambda socket: socket.on("framereceived", keep))
    page.goto(f"https://localhost:{ports[0]}/")
    worker = Worker(page).to_the_tasks().answer()
    loaded = "group => [...group.querySelectorAll('img')].every(image => image.complete && image.naturalWidth > 0)"
    assert page.get_by_role("group", name="Pictures", exact=True).evaluate(loaded)
    worker.send_button.click()
    worker.at("Task 2")
    said = b"".join(heard)
    assert b"annotate.py" in said, "the message that names the script was among them"
    for folder in (str(Path(__file__).parents[2]), str(store.path.parent), str(Path(__import__("streamlit").__file__).parent)):
        assert folder.encode() not in said


def test_the_admin_page_works_under_its_policy(ports: list[int], open_page: Callable[..., Page]) -> None:
    page = open_page(f"http://localhost:{ports[2]}")
    page.get_by_role("textbox", name="Secret").fill(SECRET)
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_text("Tasks complete")).to_be_visible()
    for name in ("Problems", "Pay", "Entry and settings", "Answers and backups", "Workers"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
    page.get_by_role("tab", name="Answers and backups").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).filter(visible=True).click()
    assert download.value.suggested_filename == "study-answers.zip"


def test_no_other_site_shows_the_page_in_a_frame(ports: list[int], browser: Browser) -> None:
    class Around(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f'<iframe src="https://localhost:{ports[0]}/"></iframe>'.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Around)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(f"http://127.0.0.1:{site.server_port}/")
    context.close()
    site.shutdown()


def test_guessed_invites_have_to_wait(store: StudyStore, ports: list[int], open_page: Callable[..., Page]) -> None:
    """By the address that the proxy says; and for as long as it takes, in every process and after every reload."""
    base = f"https://localhost:{ports[0]}/?invite="
    page = open_page(f"{base}{INVITE}")
    expect(page.get_by_role("button", name="I agree")).to_be_visible()
    for n in range(GUESSES - 1):
        store.note_guess("127.0.0.1", f"guess-{n}")
    page.goto(f"{base}no-such-code")
    expect(page.get_by_text("is not one of this study")).to_be_visible()
    page.goto(f"{base}{INVITE}")
    expect(page.get_by_text("Please try again in 10 minutes")).to_be_visible()
