"""The form by itself in a real browser: what depends on the moment and the place of a click, for many of both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from worker_study import ANSWERS

from browser.form_host import FormHost, task_data

SCREENS = [{"width": 1366, "height": 768}, {"width": 1920, "height": 1080}]
DELAYS = [0, 30, 80, 150, 250, 350, 399, 401, 450, 600]
LATENCY = 400


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    problems: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen['width']}x{screen['height']}")
def test_a_second_click_hits_nothing_that_has_just_come(page: Page, screen: dict[str, int]) -> None:
    """Sent with a mistake, mended, and sent by a double click: whatever the pause between the clicks, one answer, and nothing else."""
    page.set_viewport_size(screen)  # type: ignore[arg-type]
    form = FormHost(page, clock=True)
    send = page.get_by_role("button", name="Send answer")
    for delay in DELAYS:
        form.start(task_data(answers={**ANSWERS, "short": "four words are many"}), latency=LATENCY)
        form.wait(1000)
        send.click()
        assert "One answer needs another look." in page.get_by_role("alert").all_inner_texts()
        page.get_by_label("at most 3 words").fill("two words")
        form.wait(1000)
        send.scroll_into_view_if_needed()
        place = form.middle(send)
        page.mouse.click(*place)
        form.wait(delay)
        page.mouse.click(*place)
        form.wait(1)
        assert page.get_by_role("dialog").count() == 0, f"{delay} ms after the first click"
        form.wait(1000)
        assert form.sent("skip", "stop", "back", "next") == [], f"{delay} ms after the first click"
        assert [message["item"] for message in form.sent("submit")] == ["item 1"]
