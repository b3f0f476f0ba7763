"""An analyst's session in a real browser: what only a browser can tell."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest
from analysis_study import items, make_study
from PIL import Image
from playwright.sync_api import Browser, Download, Page, expect

from barlow_core.storage.shipped import apps_dir
from browser.conftest import DESKTOP, PHONE, free_port, served
from study.store import StudyStore

Open = Callable[..., Page]
ITEM = str(items()[0]["id"])
SCROLLED = "document.querySelector('.stMain').scrollTop"
QUIET = """() => document.querySelector(".stApp").dataset.testScriptState === "notRunning" """


@pytest.fixture(scope="module")
def study(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 simulated answers to 48 items, all with pictures. (Asks for the browser first: without one, no work.)"""
    return make_study(tmp_path_factory.mktemp("analyzed") / "study.sqlite", pictures=range(48))


@pytest.fixture(scope="module")
def analyze_url(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`barlow study analyze STUDY --app`, started from some other folder."""
    port = free_port()
    command = ["barlow_core", "study", "analyze", str(study), "--app", "--no-open", "--port", str(port)]
    with served(command, port, tmp_path_factory.mktemp("elsewhere")) as url:
        yield url


def settle(page: Page) -> None:
    """Wait until the page has been computed."""
    page.wait_for_function(QUIET, timeout=20_000)


def kept(page: Page) -> str:
    return page.locator(".bw-kept").inner_text()


def download(page: Page, press: Callable[[], None]) -> tuple[str, bytes]:
    """The name and the content of what a button gives."""
    with page.expect_download() as found:
        press()
    got: Download = found.value
    return got.suggested_filename, Path(str(got.path())).read_bytes()


def test_an_analysts_session(analyze_url: str, study: Path, open_page: Open) -> None:
    with StudyStore(study) as store:
        answers = store.answers()
    page = open_page(analyze_url)
    expect(page.get_by_role("heading", level=1)).to_have_text("What do people see?")
    expect(page.locator(".bw-banner")).to_contain_text("imulated")
    expect(page.locator(".bw-kept")).to_contain_text("240 answers of 24 workers about 48 items")

    # A filter strikes what is shown, and stays on the way through the sections.
    page.get_by_role("button", name="Label", exact=True).click()
    some = answers[answers["grouping"] == "label"]
    n = f"{len(some)} answers of {some['worker'].nunique()} workers about {some['item'].nunique()} items"
    expect(page.locator(".bw-kept")).to_contain_text(n)
    expect(page).to_have_url(f"{analyze_url}/?grouping=label")
    page.get_by_role("radio", name="Ease").click()
    expect(page).to_have_url(f"{analyze_url}/?page=likert&grouping=label")
    expect(page.locator(".bw-kept")).to_contain_text(n)

    # Figures to take away.
    figure = page.locator("[class*='st-key-figure']").filter(has_text="Figure 9a").first
    figure.scroll_into_view_if_needed()
    name, png = download(page, figure.get_by_role("button", name="PNG", exact=True).click)
    assert name.endswith(".png")
    assert min(Image.open(io.BytesIO(png)).size) > 300
    name, svg = download(page, figure.get_by_role("button", name="SVG", exact=True).click)
    assert name.endswith(".svg")
    text = " ".join(ElementTree.fromstring(svg).itertext())
    assert "imulated" in text
    name, csv = download(page, figure.get_by_role("button", name="CSV", exact=True).click)
    assert name.endswith(".csv")
    assert b"imulated" in csv
    table = pd.read_csv(io.BytesIO(csv), comment="#")
    assert len(table)
    assert set(table.get("item", some["item"])) <= set(some["item"]), "the filter holds for what is taken away"
    figure.get_by_text("How this was computed").click()
    expect(figure).to_contain_text("ease: 24 items; confidence: 24 items")

    # From a point to its item, and back.
    point = page.locator("[data-testid=stVegaLiteChart] .mark-symbol path").first
    point.scroll_into_view_if_needed()
    left = page.evaluate(SCROLLED)
    assert left > 100
    point.click()
    expect(page.get_by_role("heading", name="What people said")).to_be_visible()
    page.wait_for_function(f"{SCROLLED} === 0")
    assert "item=label" in page.url
    page.wait_for_function(
        "() => { const all = [...document.images]; return all.length === 9 && all.every(i => i.naturalWidth > 0) }"
    )
    assert page.locator(".bw-answers tbody tr").count() == 5
    page.go_back()
    expect(page.locator("[data-testid=stVegaLiteChart]").first).to_be_visible()
    expect(page.locator(".bw-kept")).to_contain_text(n)
    expect(page).to_have_url(f"{analyze_url}/?page=likert&grouping=label")

    # What is opened begins at its head, and the way back leads to the point that was left.
    page.locator("[data-testid=stVegaLiteChart] .mark-symbol path").first.click()
    page.wait_for_function(f"{SCROLLED} === 0")
    page.get_by_role("button", name="Back to the results").click()
    page.wait_for_function(f"Math.abs({SCROLLED} - {left}) < 60")
    settle(page)
    page.get_by_role("button", name="Next: Preferences").click()
    expect(page).to_have_url(f"{analyze_url}/?page=preferences&grouping=label")
    page.wait_for_function(f"{SCROLLED} === 0")

    # Everything at once.
    page.get_by_role("radio", name="Report").click()
    name, report = download(page, page.get_by_role("button", name="Report (HTML)").click)
    assert name == "study-report.html"
    assert "imulated" in report.decode()
    assert n in report.decode()
    name, archive = download(page, page.get_by_role("button", name="Everything (ZIP)").click)
    assert name == "study-report.zip"
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert files.testzip() is None
        kinds = {Path(entry).suffix for entry in files.namelist()}
    assert {".html", ".png", ".svg", ".csv"} <= kinds


def test_new_answers_appear_in_place(tmp_path: Path, open_page: Open, browser: Browser) -> None:
    study = make_study(tmp_path / "running.sqlite", n_answers=20)
    port = free_port()
    command = ["streamlit", "run", str(apps_dir() / "analyze.py"), "--server.headless=true", f"--server.port={port}"]
    with served([*command, "--", str(study)], port, tmp_path) as url, StudyStore(study) as store:
        page = open_page(url)
        expect(page.locator(".bw-kept")).to_contain_text("20 answers")
        settle(page)
        # What must not happen: the page loads again, its title is drawn anew, or anything fades.
        page.evaluate("""() => { window.title = document.querySelector(".bw-title"); window.faded = [];
          const look = () => { for (const e of document.querySelectorAll("[data-stale]"))
            if (getComputedStyle(e).opacity < 1) window.faded.push(e.className); requestAnimationFrame(look); }; look(); }""")
        item = store.claim("somebody")
        assert item is not None
        store.submit("somebody", item.id, {"short": "fur", "long": "fur of a cat", "ease": 4, "confidence": 4, "useful": "B"})
        expect(page.locator(".bw-kept")).to_contain_text("21 answers", timeout=20_000)
        settle(page)
        assert page.evaluate("window.title === document.querySelector('.bw-title')")
        assert page.evaluate("window.faded") == []


PLACES = ["?page=likert", "?page=quality", "?page=items", "?page=report", f"?item={quote(ITEM)}"]


def test_phone_needs_no_sideways_scrolling(analyze_url: str, open_page: Open) -> None:
    for place in PLACES:
        page = open_page(f"{analyze_url}/{place}", viewport=PHONE)
        settle(page)
        widths = page.evaluate(
            "[document.documentElement, document.querySelector('.stMain')].map(e => [e.scrollWidth, e.clientWidth])"
        )
        assert all(scroll <= client for scroll, client in widths), place
        outside = """[...document.querySelectorAll(".bw-h2, .bw-h3, .bw-figure, .bw-stats div, .bw-facts div, .bw-answers td, .stButton, \
.stDownloadButton, .stVegaLiteChart")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)"""
        assert page.evaluate(outside) == [], place
        page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(analyze_url: str, open_page: Open, theme: str) -> None:
    """WCAG's contrast of 4.5 to 1, for the smallest and palest text of the page and of its charts."""
    contrast = """names => {
      const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
      const paint = colours => { canvas.clearRect(0, 0, 1, 1);
        for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => { v /= 255;
          return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); };
      const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
      const grounds = e => { const found = []; for (; e; e = e.parentElement) found.unshift(getComputedStyle(e).backgroundColor);
        return ["white", ...found]; };
      return names.map(name => { const e = document.querySelector(name), ground = grounds(e), style = getComputedStyle(e);
        const ink = e instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [light(paint(ground)), light(paint([...ground, ink]))].sort((x, y) => x - y);
        return [name, (b + 0.05) / (a + 0.05)]; });
    }"""
    for place, names in (
        (
            "?page=likert",
            [".bw-banner", ".bw-kept", ".bw-caption", ".bw-note", ".bw-below", ".bw-paper", ".role-axis-label text"],
        ),
        (f"?item={quote(ITEM)}", [".bw-facts dt", ".bw-answers th", "figcaption"]),
    ):
        page = open_page(f"{analyze_url}/{place}", viewport=DESKTOP, theme=theme)
        for name in names:
            page.locator(name).first.wait_for(state="attached")
        assert {name: round(ratio, 1) for name, ratio in page.evaluate(contrast, names) if ratio < 4.5} == {}
