from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from barlow_core.cli import cli
from barlow_core.errors import BarlowError
from study.analysis import Analysis, AnalysisOptions, StudyData
from study.report import archive, report_html, report_pdf, write_report
from study.report.front import computed_lines
from study.report.writing import PROVENANCE

FAST = ["--replicates", "50", "--quiet"]


class Reader(HTMLParser):
    """Tags, addresses and text of a document; fails on tags that are not closed."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.alts: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.sources += [str(given[name]) for name in ("src", "href") if given.get(name)]
        self.ids += [str(given["id"])] if given.get("id") else []
        if tag == "img":
            self.alts.append(given.get("alt") or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def report(study_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written by the command."""
    folder = tmp_path_factory.mktemp("out") / "results"
    result = CliRunner().invoke(cli, ["study", "analyze", str(study_file), "--out", str(folder), *FAST])
    assert result.exit_code == 0, result.output
    assert "240 answers of 24 workers about 48 items" in result.output
    return folder


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny pictures, for tests that are not about them."""
    dot = io.BytesIO()
    Image.new("RGB", (4, 4), "white").save(dot, "PNG")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'
    monkeypatch.setattr("study.report.elements._rendered", lambda _, kind, __: svg if kind == "svg" else dot.getvalue())


def test_the_same_study_gives_the_same_bytes_in_another_process(report: Path, study_file: Path, tmp_path: Path) -> None:
    """Another hash seed, another time zone, another language."""
    other = tmp_path / "again"
    command = [sys.executable, "-m", "barlow_core", "study", "analyze", str(study_file), "--out", str(other), *FAST]
    environment = os.environ | {"PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    first, second = tree(report), tree(other)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_all_files_are_there(report: Path) -> None:
    names = set(tree(report))
    assert {"report.html", "report.pdf", PROVENANCE} <= names
    for figure in ("figure_9a_ease_and_confidence", "figure_9b_preferences", "figure_66_agreement", "levels", "differences"):
        assert {f"figures/{figure}.{kind}" for kind in ("png", "svg", "csv")} <= names
    for table in (
        "table_6_easy_items",
        "table_7_difficult_items",
        "section_g3_most_votes_c",
        "section_g4_most_votes_both",
        "names_table",
    ):
        assert f"tables/{table}.csv" in names


def test_names_have_a_file_of_their_own(report: Path, analysis: Analysis) -> None:
    found = pd.read_csv(report / "names.csv").set_index("item")
    assert found["name"].to_dict() == analysis.names["name"].to_dict()
    assert found["support"].to_dict() == analysis.names["support"].to_dict()
    assert {"grouping", "class_name", "feature", "n", "similarity", "words", "ease", "agreement", "reason"} <= set(found.columns)


def test_items_have_a_file_of_their_own(report: Path, analysis: Analysis) -> None:
    found = pd.read_csv(report / "items.csv").set_index("item")
    assert len(found) == 48
    assert found["ease"].to_dict() == pytest.approx(analysis.item_table["ease"].to_dict())
    assert {"grouping", "class_name", "tier", "confidence", "n", "vote", "short", "name", "simulated"} <= set(found.columns)


def test_the_html_stands_alone_and_is_whole(report: Path) -> None:
    found = Reader((report / "report.html").read_text(encoding="utf-8"))
    assert all(source.startswith(("data:", "#")) for source in found.sources), "nothing is fetched"
    assert {source[1:] for source in found.sources if source.startswith("#")} <= set(found.ids)
    assert all(found.alts), "every picture says what it shows"
    assert len(found.ids) == len(set(found.ids))
    assert "<script>alert(1)</script> **bold** $x$" in found.text, "what workers typed is text"
    assert (
        sum(source.startswith("data:image/png") for source in found.sources) > 0
        or "This study has no pictures of item" in found.text
    )


def test_the_banner_is_on_every_page_figure_and_export(report: Path) -> None:
    files = tree(report)
    banner = "Simulated data: no answer is a person"
    assert banner.encode() in files["report.html"]
    for name, content in files.items():
        if name.endswith(".svg"):
            assert banner.encode() in content, name
        if name.endswith(".csv"):
            table = pd.read_csv(io.BytesIO(content))
            assert "simulated" in table.columns, name
    assert banner.encode() in files[PROVENANCE]


@pytest.mark.usefixtures("quick_pictures")
def test_the_pdf_has_all_sections_and_the_same_bytes_each_time() -> None:
    table = pd.DataFrame({"item": ["a", "b"], "worker": "w", "ease": [4, 2], "short": ["fur", "毛皮"], "simulated": True})
    data = StudyData.from_answers(table, title="A <b>study</b> & more")
    pdf = report_pdf(Analysis(data, options=AnalysisOptions(replicates=20)))
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) > 3
    assert pdf == report_pdf(Analysis(data, options=AnalysisOptions(replicates=20)))


@pytest.mark.usefixtures("quick_pictures")
def test_a_report_takes_the_place_of_an_earlier_one_and_of_nothing_else(tmp_path: Path) -> None:
    analysis = Analysis(
        StudyData.from_answers(pd.DataFrame({"item": ["a"], "worker": ["w"], "ease": [4]})),
        options=AnalysisOptions(replicates=20),
    )
    folder = tmp_path / "deep" / "results"
    write_report(analysis, folder, pdf=False)
    (folder / "figures" / "stale.png").write_bytes(b"old")
    write_report(analysis, folder, pdf=False)
    assert not (folder / "figures" / "stale.png").exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["results"], "nothing half-written is left"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    with pytest.raises(BarlowError, match="nor an earlier report; nothing was written"):
        write_report(analysis, mine)
    assert [path.name for path in mine.iterdir()] == ["thesis.tex"]
    with pytest.raises(BarlowError):
        write_report(analysis, mine / "thesis.tex" / "below")
    packed = archive(analysis, pdf=False)
    with zipfile.ZipFile(io.BytesIO(packed)) as found:
        assert {name: found.read(name) for name in found.namelist()} == tree(folder)
    assert packed == archive(analysis, pdf=False)


@pytest.mark.usefixtures("quick_pictures")
def test_an_interrupted_report_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analysis = Analysis(
        StudyData.from_answers(pd.DataFrame({"item": ["a"], "worker": ["w"], "ease": [4]})),
        options=AnalysisOptions(replicates=20),
    )
    write_report(analysis, tmp_path / "results", pdf=False)
    before = tree(tmp_path / "results")

    def stop(*_: Any, **__: Any) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("study.report.writing.report_html", stop)
    with pytest.raises(KeyboardInterrupt):
        write_report(analysis, tmp_path / "results", pdf=False)
    assert tree(tmp_path / "results") == before
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_names_with_markup_stay_text(analysis: Analysis) -> None:
    html = report_html(analysis, []).decode()
    assert "<b>fence</b> *x*" not in html
    assert computed_lines(r"- **n:** \<b\>fence\</b\> \*x\*") == [("n", "<b>fence</b> *x*")]
