"""The form of the worker's page in a browser, without Streamlit and a server: a few lines of script stand for both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotating.component import FOLDER, script
from annotating.task import form_settings, panel_data
from playwright.sync_api import Locator, Page

from study.store.settings import StudySettings
from study.texts import ENGLISH, Texts

# `host.start(data, latency)` shows a task. What the form sends lies in `host.messages`, and is answered after `latency`: an answer
# brings the next task, anything else a receipt.
HOST = """
import form from "%s";
const place = document.createElement("div");
document.querySelector("main").append(place);
place.attachShadow({ mode: "open" });
window.host = {
  messages: [],
  start(data, latency) {
    this.close?.();
    Object.assign(this, { data: { ...data, receipts: {} }, latency, messages: [], number: 1 });
    const style = document.createElement("style");
    style.textContent = window.formStyle;
    const root = document.createElement("div");
    place.shadowRoot.replaceChildren(style, root);
    this.show = () => { this.close = form({ data: this.data, parentElement: root, setTriggerValue: (name, message) => this.hear(message) }); };
    this.show();
  },
  hear(message) {
    this.messages.push(message);
    setTimeout(() => this.answer(message), this.latency);
  },
  answer(message) {
    const next = { ...this.data, receipts: { ...this.data.receipts, [message.id]: { ok: true, text: "" } } };
    if (message.kind === "submit") {
      this.number += 1;
      Object.assign(next, { view: `answer ${this.number}`, item: `item ${this.number}`, title: `Task ${this.number}`, answers: {}, ...this.next });
    }
    this.data = next;
    this.show();
  },
};
"""


PICTURE = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'><rect width='64' height='64' fill='teal'/></svg>"


def sections(texts: Texts = ENGLISH, n: int = 3) -> list[dict[str, Any]]:
    """The three sections of a panel, `n` pictures each, all of them the same."""
    return [
        {
            "letter": letter,
            "title": texts(f"section.{letter}.title"),
            "note": texts(f"section.{letter}.note"),
            "pictures": [
                {"src": PICTURE, "width": 64, "height": 64, "alt": texts(f"section.{letter}.alt", n=place, of=n)}
                for place in range(1, n + 1)
            ],
        }
        for letter in "ABC"
    ]


def task_data(settings: StudySettings | None = None, texts: Texts = ENGLISH, **changes: Any) -> dict[str, Any]:
    """A first task without pictures, as the server would send it."""
    return {
        "view": "answer 1",
        "mode": "answer",
        "item": "item 1",
        "token": None,
        "storage": "barlow test worker",
        "title": "Task 1",
        "practice": False,
        "notice": "",
        "feedback": None,
        "answers": {},
        "progress": ["0 answers sent"],
        "earlier": True,
        "contact": "study@example.org",
        **panel_data(None, lambda path: None, "", texts),
        **form_settings(settings or StudySettings(), texts),
        **changes,
    }


class FormHost:
    """The form on a page; `place` is the element that holds it."""

    def __init__(self, page: Page, *, clock: bool = False):
        """`clock`: time stands still but for `wait`."""
        self.page = page
        page.route(
            "http://form.test/**", lambda route: route.fulfill(content_type="text/html", body="<!doctype html><main></main>")
        )
        page.route("http://form.test/form.js", lambda route: route.fulfill(content_type="text/javascript", body=script()))
        page.goto("http://form.test/")
        if clock:
            page.clock.install(time=0)
            page.clock.pause_at(1000)
        style = (FOLDER / "form.css").read_text(encoding="utf-8")
        page.evaluate("style => { window.formStyle = style; }", style)
        page.add_script_tag(content=HOST % "http://form.test/form.js", type="module")
        page.wait_for_function("window.host")

    def start(self, data: Mapping[str, Any], *, latency: int = 0) -> None:
        self.page.evaluate("([data, latency]) => host.start(data, latency)", [dict(data), latency])

    def wait(self, milliseconds: int) -> None:
        """Let so much time pass (with `clock`)."""
        self.page.clock.run_for(milliseconds)

    def sent(self, *kinds: str) -> list[dict[str, Any]]:
        """The messages of these kinds that the form sent."""
        found: list[dict[str, Any]] = self.page.evaluate("() => host.messages")
        return [message for message in found if message["kind"] in kinds]

    def middle(self, target: Locator) -> tuple[float, float]:
        box = target.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
