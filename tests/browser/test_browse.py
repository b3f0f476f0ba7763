"""The page in a real browser: what only a browser can tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from barlow_core import views
from barlow_core.paths import apps_dir
from barlow_core.run import Run
from browser.conftest import DESKTOP, PHONE, free_port, served

Open = Callable[..., Page]
LOAD_ALL = """() => {
  const images = [...document.images], app = document.querySelector(".stApp");
  images.forEach(image => { image.loading = "eager"; });
  return app.dataset.testScriptState === "notRunning" && images.every(image => image.complete && image.naturalWidth > 0);
}"""


@pytest.fixture
def struck(real_run: Run) -> str:
    """The class whose failure mode holds the most failures."""
    modes = views.failure_modes(real_run, grouping="label", depth=1)
    return str(modes["class_name"].iloc[modes["n_failures"].argmax()])


def load_all_images(page: Page) -> None:
    """Wait until every image of the page is there, also those that load when one scrolls to them."""
    page.wait_for_function(LOAD_ALL, timeout=15_000)


def test_overview_shows_where_it_fails(browse_url: str, real_run: Run, open_page: Open) -> None:
    page = open_page(browse_url)
    expect(page.get_by_role("heading", level=1)).to_have_text("run")
    expect(page.get_by_text("200 images · 4 classes")).to_be_visible()
    expect(page.locator(".bw-card").first).to_be_in_viewport()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    load_all_images(page)
    images = page.locator("figure img").all()
    assert len(images) >= 6
    assert all(image.get_attribute("alt") for image in images)
    addresses = [str(image.get_attribute("src")) for image in images]
    assert all(address.startswith("media/") for address in addresses), "relative, for a proxy that adds a prefix"


def test_a_class_is_reached_by_keyboard_and_kept_by_reload_and_back(browse_url: str, struck: str, open_page: Open) -> None:
    page = open_page(browse_url)
    choice = page.get_by_role("combobox")
    choice.focus()
    choice.press_sequentially(struck)
    expect(page.get_by_role("option").first).to_contain_text(struck)
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name=f"Images labelled {struck}", level=2)
    expect(heading).to_be_visible()
    expect(page.locator(".bw-mode").first).to_be_visible()
    expect(page.get_by_role("heading", name="failure mode 1")).to_be_visible()
    load_all_images(page)
    page.get_by_role("radiogroup").last.get_by_text("2", exact=True).click()
    expect(page).to_have_url(f"{browse_url}/?class={quote(struck)}&depth=2")
    expect(page.locator(".bw-tree ul ul ul").first).to_be_visible()
    page.reload()
    expect(heading).to_be_visible()
    expect(page.locator(".bw-tree ul ul ul").first).to_be_visible()
    page.go_back()
    expect(page.locator(".bw-tree ul ul ul")).to_have_count(0)
    expect(heading).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Where the classifier fails")).to_be_visible()


def test_a_missing_panel_is_made_on_demand(browse_url: str, struck: str, open_page: Open) -> None:
    page = open_page(browse_url)
    page.get_by_role("button", name=f"Open {struck}").first.click()
    page.get_by_role("button", name="Make this panel").first.click()
    panel = page.locator(".bw-panel").first
    panel.wait_for(timeout=60_000)
    expect(panel.get_by_role("heading")).to_have_text(["A Most activating images", "B Where it is seen", "C Feature attack"])
    expect(panel).to_contain_text("changed in 2 steps")  # as `visualize` was asked for before
    load_all_images(page)
    boxes = [image.bounding_box() for image in panel.locator("img").all()]
    columns = len(boxes) // 3
    lefts = [round(box["x"]) for box in boxes if box]
    assert lefts[:columns] == lefts[columns : 2 * columns] == lefts[2 * columns :], "a column is one image"
    page.reload()
    expect(page.locator(".bw-panel").first).to_be_visible()
    page.get_by_role("button", name="← All groups").click()
    expect(page.locator(".bw-strips h5", has_text="strongest")).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", ["", "?class={}&depth=3", "?grouping=prediction&class={}"])
def test_phone_needs_no_sideways_scrolling(browse_url: str, struck: str, open_page: Open, theme: str, place: str) -> None:
    page = open_page(f"{browse_url}/{place.format(quote(struck))}", viewport=PHONE, theme=theme)
    load_all_images(page)
    widths = page.evaluate(
        "[document.documentElement, document.querySelector('.stMain')].map(e => [e.scrollWidth, e.clientWidth])"
    )
    assert all(scroll <= client for scroll, client in widths)
    outside = """[...document.querySelectorAll(".bw-h2, .bw-node, .bw-figure, .bw-stats div, .bw-card, code.bw-code")]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)"""
    assert page.evaluate(outside) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browse_url: str, struck: str, open_page: Open, theme: str) -> None:
    """WCAG's contrast of 4.5 to 1, for the smallest and palest text that the page brings itself."""
    page = open_page(f"{browse_url}/?class={quote(struck)}", viewport=DESKTOP, theme=theme)
    contrast = """() => {
      const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
      const paint = colours => { canvas.clearRect(0, 0, 1, 1);
        for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => { v /= 255;
          return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); };
      const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
      const grounds = e => { const found = []; for (; e; e = e.parentElement) found.unshift(getComputedStyle(e).backgroundColor);
        return ["white", ...found]; };
      return [".bw-lead", ".bw-stats dt", ".bw-section p", "figcaption", ".bw-badge", ".bw-mode .bw-number"].map(name => {
        const e = document.querySelector(name), ground = grounds(e);
        const [a, b] = [light(paint(ground)), light(paint([...ground, getComputedStyle(e).color]))].sort();
        return [name, (b + 0.05) / (a + 0.05)]; });
    }"""
    page.locator("figcaption").first.wait_for()
    assert {name: round(ratio, 1) for name, ratio in page.evaluate(contrast) if ratio < 4.5} == {}


def test_the_app_runs_by_itself(real_run: Run, open_page: Open, tmp_path: Path) -> None:
    port = free_port()
    command = ["streamlit", "run", str(apps_dir() / "browse.py"), "--server.headless=true", f"--server.port={port}"]
    with served([*command, "--", str(real_run.path)], port, tmp_path) as url:
        page = open_page(url)
        expect(page.get_by_role("heading", name="Where the classifier fails")).to_be_visible()
