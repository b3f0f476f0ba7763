"""A worker in a real browser: what a person does on the worker's page, by the names that a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from annotating.visit import READ
from playwright.sync_api import FrameLocator, Locator, Page, expect
from worker_study import ANSWERS

from barlow_core.storage.shipped import apps_dir
from study.participants.platforms import new_guest
from study.store import StudyStore

expect.set_options(timeout=15_000)  # a busy machine is no mistake of the page
CHOICES = {"B": "Section B", "C": "Section C", "both": "Both", "none": "Neither"}
SERVER = [
    "--server.headless=true",
    "--server.fileWatcherType=none",
    "--client.toolbarMode=minimal",
    "--client.showErrorDetails=none",
]


def annotate(study: Path, port: int, script: str = "annotate.py") -> list[str]:
    """The command that serves a page of a study."""
    return ["streamlit", "run", str(apps_dir() / script), *SERVER, f"--server.port={port}", "--", str(study)]


def prepared(store: StudyStore) -> str:
    """A worker who has read the instructions and done the practice; the end of their link."""
    worker = new_guest()
    store.register(worker, platform="link", details={READ: True})
    while (claimed := store.claim(worker)) is not None and claimed.kind == "practice":
        store.submit(worker, claimed.id, ANSWERS, claimed.token)
    return f"/?invite={worker}"


class Worker:
    """Someone in front of a page, or of a frame within it."""

    def __init__(self, page: Page, place: FrameLocator | None = None):
        self.page = page
        self.place: Page | FrameLocator = place or page

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.place.get_by_role("button", name=name)

    def heading(self, name: str | re.Pattern[str]) -> Locator:
        return self.place.get_by_role("heading", name=name)

    def group(self, question: str) -> Locator:
        return self.place.get_by_role("group", name=question)

    @property
    def short(self) -> Locator:
        return self.place.get_by_label("at most 3 words")

    @property
    def long(self) -> Locator:
        return self.place.get_by_label("at most 15 words")

    @property
    def send_button(self) -> Locator:
        return self.button(re.compile("^(Send answer|Sending)"))

    def to_the_tasks(self) -> Worker:
        """Agree, read, and do the practice."""
        self.button("I agree").click()
        self.button("Start with practice").click()
        expect(self.heading("Practice")).to_be_visible()
        self.answer()
        self.send_button.click()
        self.button("Go on").click()
        return self.at("Task 1")

    def at(self, title: str) -> Worker:
        expect(self.heading(title)).to_be_visible()
        return self

    def answer(self, **answers: Any) -> Worker:
        """Fill everything in."""
        given = {**ANSWERS, **answers}
        self.short.fill(given["short"])
        self.long.fill(given["long"])
        self.group("How easy").get_by_text(str(given["ease"]), exact=True).click()
        self.group("How confident").get_by_text(str(given["confidence"]), exact=True).click()
        self.group("most useful").get_by_text(CHOICES[given["useful"]]).click()
        return self

    def middle(self, part: Locator) -> tuple[float, float]:
        """Where on the page, in pixels, a pointer would press a part."""
        box = part.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def chosen(self, question: str) -> str:
        return self.group(question).get_by_role("radio", checked=True).input_value()


def person(worker: Worker) -> str:
    """The id that an open link gave this visitor."""
    return re.search(r"invite=(guest-\w+)", worker.page.url)[1]  # type: ignore[index]


def sent(store: StudyStore, worker: str) -> list[dict[str, object]]:
    """What is in the study file of a worker, practice aside."""
    return [dict(answer.answers) for answer in reversed(store.history(worker)) if answer.kind == "item"]


@contextmanager
def no_dialogs(page: Page) -> Iterator[None]:
    """Nothing that was typed may run: no alert, no picture from elsewhere."""
    seen: list[str] = []
    page.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: seen.append(request.url) if "evil" in request.url else None)
    yield
    assert seen == []
