"""Core or spurious on a phone: a worker sees the object and the feature, says what is highlighted and why, and it is in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from analysis_study import draw_panel
from PIL import Image
from playwright.sync_api import Browser, expect

from barlow_core.storage.files import write_json
from browser.conftest import PHONE, free_port, served
from browser.worker_page import Worker, annotate, no_dialogs, person, sent
from study.core_or_spurious import CORE_OR_SPURIOUS, settings_of
from study.setup.frozen_panels import freeze, panels_folder, seal
from study.store import StudyStore

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
CLASS = "<b>tiger</b>"


@pytest.fixture(scope="module")
def store(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyStore]:
    path = tmp_path_factory.mktemp("study") / "study.sqlite"
    about = {"class_name": CLASS, "group": "label:tiger", "grouping": "label", "feature": 3, "rank": 1}
    frozen = freeze(draw_panel(path.parent / "drawn", about, np.random.default_rng(0)), panels_folder(path), "panel")

    def fill(folder: Path) -> None:
        for number in range(6):
            Image.new("RGB", (48, 48), (40 * number, 90, 120)).save(folder / f"a_{number}.png")
        images = [{"index": number, "name": f"{number}.png", "image": f"a_{number}.png"} for number in range(6)]
        write_json(folder / "pictures.json", {"class_name": CLASS, "images": images})

    digest = seal(panels_folder(path), "object-tiger", fill)
    item = {"id": "label:tiger:3", **about, **frozen, "object_pictures": "object-tiger", "object_sha256": digest}
    with StudyStore.create(path, items=[item], open_link=True, **settings_of(CORE_OR_SPURIOUS, {})) as made:
        yield made


def test_a_worker_says_on_a_phone_what_is_highlighted(browser: Browser, store: StudyStore, tmp_path: Path) -> None:
    port = free_port()
    context = browser.new_context(viewport=PHONE, has_touch=True)
    context.set_default_timeout(15_000)
    with served(annotate(store.path, port), port, tmp_path) as url:
        worker = Worker(context.new_page())
        with no_dialogs(worker.page):
            worker.page.goto(url)
            expect(worker.heading("Part of the object, or something else?")).to_be_visible(timeout=60_000)
            worker.button("I agree").click()
            expect(worker.page.get_by_text("Go by what you see")).to_be_visible()
            worker.button("Start").click()
            worker.at("Task 1")
        expect(worker.heading(f"The main object: {CLASS}")).to_be_visible()
        objects = worker.page.get_by_role("group", name="The main object")
        expect(objects.get_by_role("img")).to_have_count(6)
        expect(worker.page.get_by_role("group", name="Pictures", exact=True).get_by_role("img")).to_have_count(9)
        assert worker.page.evaluate(OVERFLOW) <= 1
        # One by one in a row, however narrow the page is.
        boxes = [picture.bounding_box() for picture in objects.get_by_role("img").all()]
        assert len({round(box["y"]) for box in boxes if box}) == 1
        worker.send_button.click()
        expect(worker.page.get_by_text("What is highlighted: please choose one.")).to_be_visible()
        worker.group("What do the bright regions show").get_by_text("The background").click()
        worker.page.wait_for_timeout(600)  # the page is made for people, who pause
        worker.page.get_by_label("Why do you think so?").fill("grass & <i>leaves</i> behind it")
        worker.group("How sure are you").get_by_text("4", exact=True).click()
        worker.page.wait_for_timeout(600)
        worker.send_button.click()
        expect(worker.heading(re.compile("Thank you"))).to_be_visible()
        assert sent(store, person(worker)) == [
            {"part": "background", "reason": "grass & <i>leaves</i> behind it", "confidence": 4}
        ]
    context.close()
