"""An interview on two screens in a real browser, from registration to the tables, with both servers killed in between."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from click.testing import CliRunner
from interview_pages import SECRET, make_interviews
from interviewing import interviewer as interviewer_page
from interviewing import participant
from playwright.sync_api import Browser, Locator, Page, expect

from browser.conftest import DESKTOP, free_port
from browser.worker_page import annotate
from study.cli import study as barlow_study

TABLET = {"width": 820, "height": 1180}
WORDS = "The wheels, seen from the side"
QUOTE = "It looks at the wheels and not at the car."


class Server:
    """A page of a study in a process that can be killed and started again on the same port."""

    def __init__(self, study: Path, *options: str):
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.command = [sys.executable, "-m", *annotate(study, self.port, "interview.py"), *options]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def two_servers(study: Path) -> Iterator[tuple[Server, Server]]:
    servers = (Server(study), Server(study, "--interviewer"))
    try:
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()


def button(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def field(page: Page, name: str) -> Any:
    return page.get_by_role("textbox", name=name)


def enter(page: Page) -> None:
    field(page, "Secret").fill(SECRET)
    button(page, "Enter").click()


def choose(page: Page, question: str, answer: str) -> None:
    page.get_by_role("radiogroup", name=question).get_by_text(answer, exact=True).click()


def answer_feature(page: Page, feature: int) -> None:
    choose(page, f"1. Can you describe the images that feature {feature} stands for?", "Yes")
    describe(page, f"{WORDS} {feature}")
    choose(page, "2. Is it necessary for the task, or a spurious correlation?", "A spurious correlation")


def describe(page: Page, said: str) -> None:
    words = field(page, "In your own words").first
    words.fill(said)
    words.blur()


def seconds_until(what: Locator, do: Callable[[], object] = lambda: None) -> float:
    """From what is done on one screen to what is seen on the other."""
    do()
    start = time.monotonic()
    expect(what).to_be_visible(timeout=60_000)
    return time.monotonic() - start


def test_an_interview_on_two_screens(browser: Browser, tmp_path: Path) -> None:
    store = make_interviews(tmp_path / "study.sqlite")
    store.interviews.invite("first-code")
    problems: list[str] = []
    frames: list[bytes] = []
    contexts = []

    def opened(url: str, viewport: dict[str, int]) -> Page:
        context = browser.new_context(viewport=viewport)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        return page if not url else _gone(page, url)

    def watch(page: Page) -> None:
        """Everything that the interviewer's screen is sent."""

        def note(payload: str | bytes) -> None:
            frames.append(payload.encode() if isinstance(payload, str) else payload)

        page.on("websocket", lambda socket: socket.on("framereceived", note))
        page.on("response", lambda response: frames.append(response.url.encode()))

    with two_servers(store.path) as (theirs, ours):
        # Registration, and the second screen that follows by itself.
        person = opened(f"{theirs.url}/?code=first-code", DESKTOP)
        choose(person, "Your role", "Researcher")
        choose(person, "Your experience with machine learning", "5 - 10 years")
        choose(person, "I have applied machine learning to images or video.", "Yes")
        person.get_by_text("I have read the text above").click()
        button(person, "Take part").click()
        expect(person.get_by_text("Welcome, P1")).to_be_visible()
        interviewer = opened("", DESKTOP)
        watch(interviewer)
        _gone(interviewer, ours.url)
        enter(interviewer)
        button(interviewer, "Start the session").click()
        expect(person.get_by_text("How failures are found")).to_be_visible()
        expect(person.get_by_role("timer")).to_be_visible()
        button(person, "Continue").click()
        expect(person.get_by_text("Your situation")).to_be_visible()
        button(interviewer, "Next: First group").click()
        expect(person.get_by_role("tree")).to_be_visible()
        answer_feature(person, 2)
        expect(interviewer.get_by_text(f"{WORDS} 2")).to_be_visible()
        person.locator(".bw-node[data-press='1']").click()
        expect(interviewer.locator("p", has_text="Feature 1").get_by_text("looks at it")).to_be_visible()
        field(interviewer, "A quote, word for word").fill(QUOTE)
        button(interviewer, "Note it").click()
        expect(interviewer.locator(".iv-quotes").get_by_text(QUOTE)).to_be_visible()

        # Both servers are killed; both screens go on where they were.
        answer_feature(person, 1)
        expect(interviewer.get_by_text(f"{WORDS} 1")).to_be_visible()
        # What either does reaches the other screen within two seconds, without a reload; a busy computer may take longer, but not always.
        for page in (person, interviewer):
            page.evaluate("window.isTheSamePage = true")
        to_person, to_interviewer = [], []
        for said in (f"{WORDS} once more", f"{WORDS} and again", f"{WORDS} 1"):
            to_person.append(seconds_until(person.get_by_text("The clock stands."), button(interviewer, "Break").click))
            to_interviewer.append(seconds_until(button(interviewer, "Break"), button(person, "Go on").click))
            describe(person, said)
            to_interviewer.append(seconds_until(interviewer.get_by_text(said, exact=True)))
        assert min(to_person) < 2, to_person
        assert min(to_interviewer) < 2, to_interviewer
        assert max(participant.EVERY, interviewer_page.EVERY) <= 1, "between two looks at the session"
        assert all(page.evaluate("window.isTheSamePage") for page in (person, interviewer))

        for server in (theirs, ours):
            server.kill()
            server.start()
        for server in (theirs, ours):
            server.wait()
        assert store.check() == []
        tablet = opened(f"{theirs.url}/?code=first-code", TABLET)
        # A server that has just started reads its libraries first.
        expect(field(tablet, "In your own words").first).to_have_value(f"{WORDS} 1", timeout=60_000)
        _gone(interviewer, ours.url)
        enter(interviewer)
        expect(interviewer.locator(".iv-quotes").get_by_text(QUOTE)).to_be_visible()

        # The rest on a tablet, where the questions stand below the pictures and nothing is cut off.
        assert tablet.evaluate("document.documentElement.scrollWidth <= innerWidth")
        pictures, questions = tablet.locator(".bw-panel").first.bounding_box(), field(tablet, "Why?").bounding_box()
        assert pictures is not None
        assert questions is not None
        assert questions["y"] > pictures["y"] + pictures["height"]
        before = tablet.locator(".bw-figure").count()
        button(tablet, "More examples").click()
        expect(tablet.get_by_text("Further images, the strongest first")).to_be_visible()
        tablet.get_by_text("Lowest activations").click()
        expect(tablet.get_by_text("Images in which the feature is weakest")).to_be_visible()
        assert tablet.locator(".bw-figure").count() > before
        button(tablet, "Continue").click()
        expect(tablet.locator("h2").first).to_be_in_viewport()  # the next part begins at its head
        expect(interviewer.locator("h3", has_text="2.").get_by_text("on screen")).to_be_visible()
        button(tablet, "Continue").click()
        statements = [text for _, text in store.interviews.require_tables().protocol.statements]
        for text in statements[:5]:
            choose(tablet, text, "Strongly agree")
        expect(tablet.get_by_text("1 left open")).to_be_visible()
        button(tablet, "Send").click()
        expect(tablet.get_by_text("cannot be seen or changed any more")).to_be_visible()
        expect(interviewer.get_by_text("Closing survey: sent.")).to_be_visible()
        button(tablet, "Finish").click()
        expect(tablet.get_by_text("Thank you for taking part")).to_be_visible()
        expect(button(interviewer, "Reopen the session")).to_be_visible()

        # What the interviewer's browser was sent: the quote, but no word of the survey.
        sent = b"".join(frames)
        assert QUOTE.encode() in sent
        assert WORDS.encode() in sent
        for text in (*statements, "Strongly agree"):
            assert text.encode() not in sent
    for context in contexts:
        context.close()
    assert problems == []
    done = CliRunner().invoke(barlow_study, ["interview", "export", str(store.path), str(tmp_path / "tables")])
    assert done.exit_code == 0, done.output
    answers = pd.read_csv(tmp_path / "tables" / "features.csv").set_index("feature")
    assert answers["description"].to_dict() == {2: f"{WORDS} 2", 1: f"{WORDS} 1"}
    assert set(answers["necessity"]) == {"spurious"}
    quotes = pd.read_csv(tmp_path / "tables" / "quotes.csv")
    assert quotes[["participant", "text", "part"]].values.tolist() == [["P1", QUOTE, "first"]]
    assert quotes["seconds"].gt(0).all()
    assert pd.read_csv(tmp_path / "tables" / "statements.csv")["n"].sum() == 0  # one person's survey alone is in no table
    with store._file.reading() as db:
        assert db.conn.execute("SELECT sent, released FROM interview_opinion").fetchone()[:] == (1, 0)
    assert store.check() == []


def _gone(page: Page, url: str) -> Page:
    page.goto(url, timeout=60_000)
    return page
