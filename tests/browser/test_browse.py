"""The browse app in a real browser: the tasks of a researcher, one after the other, and what only a browser can tell.

With $BARLOW_SCREENSHOTS set to a folder, every stop leaves a picture there to look at.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from barlow_core import views
from barlow_core.analyses import explain_run
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.run import Run
from barlow_core.storage.shipped import apps_dir
from browser.conftest import DESKTOP, PHONE, free_port, served

expect.set_options(timeout=15_000)  # a machine that does other things, too
Open = Callable[..., Page]
PATIENCE = 200_000  # ms for a picture that is made on a busy machine
LOAD_ALL = """() => {
  const images = [...document.images], app = document.querySelector(".stApp");
  images.forEach(image => { image.loading = "eager"; });
  return app.dataset.testScriptState === "notRunning" && images.every(image => image.complete && image.naturalWidth > 0);
}"""


@pytest.fixture(scope="session")
def second_run(real_run: Run) -> Run:
    """The same images and features with a better model's predictions, explained."""
    benchmark = real_run.benchmark
    path = real_run.path.parent / "better"
    shutil.copytree(real_run.path, path)
    right = np.random.default_rng(0).random(len(benchmark)) < 0.4
    predictions = np.where(right, benchmark.labels, np.asarray(benchmark.predictions))
    run = Run.create(path, benchmark.with_predictions(predictions), overwrite=True)
    explain_run(run, workers=1)
    return run


@pytest.fixture(scope="session")
def url(real_run: Run, second_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`barlow browse RUN RUN`, started from some other folder."""
    port = free_port()
    command = ["barlow_core", "browse", str(real_run.path), str(second_run.path), "--no-open", "--port", str(port)]
    with served(command, port, tmp_path_factory.mktemp("elsewhere")) as address:
        yield address


@pytest.fixture
def struck(real_run: Run) -> str:
    """The class whose confirmed failure mode holds the most failures."""
    modes = views.mode_table(real_run, grouping="label", depth=1)
    modes = modes[modes["verdict"] == CONFIRMED]
    return str(modes["class_name"].iloc[modes["n_failures"].argmax()])


def settled(page: Page, name: str = "") -> None:
    """Wait until the page has answered and every image of it is there; leave a picture where one is wanted."""
    page.wait_for_timeout(150)  # until a click has reached the server
    page.wait_for_function(LOAD_ALL, timeout=30_000)
    folder = os.environ.get("BARLOW_SCREENSHOTS")
    if folder and name:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", name=text, level=2)).to_be_visible()


def test_task_1_the_benchmark_at_a_glance(url: str, real_run: Run, struck: str, open_page: Open) -> None:
    page = open_page(url)
    expect(page.get_by_role("heading", level=1)).to_have_text("run")
    expect(page.get_by_text("1,500 images · 4 classes")).to_be_visible()
    settled(page, "1-benchmark")
    heading(page, "What is certain, what is a guess?")
    expect(page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
    heading(page, "Most frequent confusions")
    images = page.locator("figure img").all()
    assert len(images) >= 6
    assert all(image.get_attribute("alt") for image in images)
    addresses = [str(image.get_attribute("src")) for image in images]
    assert all(address.startswith("media/") for address in addresses), "relative, for a proxy that adds a prefix"
    search = page.get_by_role("textbox", name="Search")
    search.fill("nothing is called so")
    search.press("Enter")
    expect(page.get_by_text("No group matches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"find=nothing"))
    page.get_by_role("button", name=f"Open {struck}").first.click()
    heading(page, f"Images labelled {struck}")
    page.get_by_text("← All groups").click()
    heading(page, "What is certain, what is a guess?")


def test_task_2_a_tree_is_walked_by_keyboard_and_the_way_back_leads_back(url: str, struck: str, open_page: Open) -> None:
    page = open_page(f"{url}/?class={quote(struck)}&depth=2")
    settled(page, "2-group")
    nodes = page.get_by_role("treeitem")
    chosen = page.locator("[role=treeitem][aria-selected=true]")
    expect(chosen).to_have_count(1)
    nodes.first.click()
    expect(nodes.first).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile("node=0"))
    settled(page)
    expect(nodes.first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(nodes.nth(1)).to_be_focused()
    assert nodes.nth(1).evaluate("e => getComputedStyle(e).outlineStyle") == "solid", "what has the focus can be seen"
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(nodes.nth(1)).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile("node=1"))
    settled(page)
    assert "failures of" in str(chosen.get_attribute("aria-label"))
    page.go_back()
    expect(nodes.first).to_have_attribute("aria-selected", "true")
    page.reload()
    page.get_by_role("tree").wait_for()
    expect(nodes.first).to_have_attribute("aria-selected", "true")
    page.get_by_role("spinbutton", name="δ (ER over BER)").fill("0.9")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No leaf of this tree fails more than 90 points")).to_be_visible()
    page.get_by_role("button", name="Reset to the run's settings").click()
    expect(page.get_by_text("No leaf of this tree")).to_have_count(0)


def test_task_3_images_and_features_of_a_node(url: str, struck: str, open_page: Open) -> None:
    page = open_page(f"{url}/?class={quote(struck)}")
    settled(page)
    page.get_by_role("button", name="Make this panel").first.click()
    panel = page.locator(".bw-panel").first
    panel.wait_for(timeout=PATIENCE)
    expect(panel.get_by_role("heading")).to_have_text(
        ["A Most activating images", "B Where the feature responds", "C Feature attack"]
    )
    expect(panel).to_contain_text("changed in 2 steps")  # as `visualize` was asked for before
    settled(page, "3-feature")
    boxes = [image.bounding_box() for image in panel.locator("img").all()]
    columns = len(boxes) // 3
    lefts = [round(box["x"]) for box in boxes if box]
    assert lefts[:columns] == lefts[columns : 2 * columns] == lefts[2 * columns :], "a column is one image"
    page.get_by_text("Attack, step by step").click()
    page.get_by_role("button", name="Show the attack step by step").click()
    expect(page.locator("figcaption", has_text="step 0")).to_be_visible(timeout=PATIENCE)

    page.get_by_role("radio", name=re.compile("^All ")).or_(page.get_by_role("button", name=re.compile("^All "))).first.click()
    expect(page).to_have_url(re.compile("show=all"))
    settled(page)
    cells = page.locator(".bw-cell")
    cells.first.focus()
    page.keyboard.press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_alt_text(re.compile("^Heatmap of feature"))).to_be_visible(timeout=PATIENCE)
    expect(dialog.get_by_role("columnheader", name="Mean of failures")).to_be_visible()
    settled(page, "3-full-size")
    before = page.url
    dialog.get_by_role("button", name="Next →").click()
    expect(dialog.get_by_text("3 of ")).to_be_visible()
    expect(page).not_to_have_url(before)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page).not_to_have_url(re.compile("image="))


def test_task_4_what_one_thinks_is_kept(url: str, struck: str, open_page: Open) -> None:
    page = open_page(f"{url}/?class={quote(struck)}")
    settled(page)
    page.get_by_label("Name", exact=True).fill("dark fur")
    page.get_by_test_id("stForm").get_by_text("spurious", exact=True).click()
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Record").click()
    chip = page.locator(".bw-chip", has_text="dark fur")
    expect(chip).to_be_visible()
    expect(page.locator(".bw-named", has_text="dark fur").first).to_be_visible()
    settled(page, "4-judged")
    page.get_by_test_id("stButtonGroup").first.get_by_text("Benchmark").click()
    expect(page.locator(".bw-chip", has_text="dark fur").first).to_be_visible()
    page.get_by_test_id("stButtonGroup").first.get_by_text("Notes").click()
    heading(page, "Notes about features")
    settled(page, "4-notes")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Nothing is recorded yet")).to_be_visible()


def test_task_5_two_models_side_by_side(url: str, open_page: Open) -> None:
    page = open_page(f"{url}/?page=compare")
    expect(page.get_by_text("run and better: the same images, other failures, the same extractor")).to_be_visible()
    expect(page.get_by_text("The same images, as predicted here.").or_(page.get_by_text("Failures here")).first).to_be_visible()
    settled(page, "5-compare")


def test_task_6_results_are_taken_away(url: str, struck: str, open_page: Open, tmp_path: Path) -> None:
    page = open_page(f"{url}/?class={quote(struck)}")
    page.get_by_role("button", name="Add to export").click()
    page.get_by_text("Export (1)").click()
    heading(page, "Export")
    settled(page, "6-take")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    report = tmp_path / download.value.suggested_filename
    download.value.save_as(report)
    link = page.get_by_test_id("stCode").inner_text().strip()
    assert link.startswith(url)
    again = open_page(link)
    expect(again.get_by_text(f"Images labelled {struck}")).to_be_visible()
    again.context.set_offline(True)
    again.goto(report.as_uri())
    expect(again.get_by_text(re.compile("feature")).first).to_be_visible()
    assert again.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert again.evaluate("document.images.length") > 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_phone_needs_no_sideways_scrolling(url: str, struck: str, open_page: Open, theme: str) -> None:
    outside = """[...document.querySelectorAll(".bw-h2, .bw-node, .bw-figure, .bw-stats div, .bw-card, .bw-numbers, code.bw-code")]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)"""
    wide = "[document.documentElement, document.querySelector('.stMain')].every(e => e.scrollWidth <= e.clientWidth)"
    page = open_page(url, viewport=PHONE, theme=theme)
    mark = f"label:{quote(struck)}/1/1"
    for place in ("", f"?class={quote(struck)}&depth=3", "?page=compare", "?page=notes", f"?page=export&kept={mark}"):
        page.goto(f"{url}/{place}")
        page.locator(".bw-h2").first.wait_for()
        settled(page, f"phone-{theme}-{re.sub('[^a-z]+', '-', place) or 'benchmark'}")
        assert page.evaluate(wide), place
        assert page.evaluate(outside) == [], place


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(url: str, struck: str, open_page: Open, theme: str) -> None:
    """WCAG's contrast of 4.5 to 1, for the smallest and palest text that the page brings itself."""
    page = open_page(f"{url}/?class={quote(struck)}", viewport=DESKTOP, theme=theme)
    contrast = """names => {
      const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
      const paint = colours => { canvas.clearRect(0, 0, 1, 1);
        for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => { v /= 255;
          return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); };
      const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
      const grounds = e => { const found = []; for (; e; e = e.parentElement) found.unshift(getComputedStyle(e).backgroundColor);
        return ["white", ...found]; };
      return names.map(name => {
        const e = document.querySelector(name), ground = grounds(e);
        const [a, b] = [light(paint(ground)), light(paint([...ground, getComputedStyle(e).color]))].sort((x, y) => x - y);
        return [name, (b + 0.05) / (a + 0.05)]; });
    }"""
    names = [
        ".bw-lead",
        ".bw-stats dt",
        ".bw-badge",
        ".bw-mode .bw-number",
        "[aria-selected=true] small",
        ".bw-number small",
        ".bw-cell span",
        ".bw-cell small",
        ".bw-suggestions small",
        ".bw-quiet",
        ".bw-numbers thead th",
    ]
    for name in names:
        page.locator(name).first.wait_for(state="attached")
    settled(page)
    assert {name: round(ratio, 1) for name, ratio in page.evaluate(contrast, names) if ratio < 4.5} == {}


@contextmanager
def forwarded(port: int) -> Iterator[int]:
    """Another port whose traffic goes to `port`, as a proxy on a remote host would send it on."""
    listener = socket.create_server(("localhost", 0))

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                end.close()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("localhost", port))
            except OSError:  # the app has ended, and the browser still asks
                client.close()
                continue
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def test_behind_a_proxy_with_a_base_path_and_read_only(real_run: Run, struck: str, open_page: Open, tmp_path: Path) -> None:
    port = free_port()
    command = ["barlow_core", "browse", str(real_run.path), "--no-open", "--port", str(port), "--base-path", "/tools/barlow/"]
    with served([*command, "--read-only"], port, tmp_path, base_path="tools/barlow"), forwarded(port) as outside:
        page = open_page(f"http://localhost:{outside}/tools/barlow/?class={quote(struck)}")
        expect(page.get_by_text("read-only").first).to_be_visible()
        settled(page)
        expect(page.get_by_role("button", name="Record")).to_have_count(0)
        expect(page.get_by_role("button", name="Make this panel")).to_have_count(0)
        page.get_by_role("treeitem").last.click()
        expect(page.get_by_role("treeitem").last).to_have_attribute("aria-selected", "true")
        assert page.url.startswith(f"http://localhost:{outside}/tools/barlow/?")
        settled(page)


def test_the_app_runs_by_itself(real_run: Run, open_page: Open, tmp_path: Path) -> None:
    port = free_port()
    command = ["streamlit", "run", str(apps_dir() / "browse.py"), "--server.headless=true", f"--server.port={port}"]
    with served([*command, "--", str(real_run.path)], port, tmp_path) as address:
        started = time.monotonic()
        page = open_page(address)
        heading(page, "Where the classifier fails")
        assert time.monotonic() - started < 60
