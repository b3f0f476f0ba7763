"""All results as one HTML file that needs nothing else: figures, tables, pictures and text are inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from barlow_core.storage.shipped import report_template
from study.analysis import Analysis
from study.report import front
from study.report.cells import number_columns, printable
from study.report.elements import Figure, Section, Table
from study.report.pictures import PANEL_SECTIONS, data_uri, pictures_of
from study.report.sections import all_sections
from study.report.style import heading

ROWS = 40


def report_html(analysis: Analysis, sections: Sequence[Section] | None = None) -> bytes:
    """The report; the same study and settings give the same bytes.

    Args:
        sections: those that are made already; None makes all.
    """
    page = report_template("study.report").render(
        title=front.title(analysis),
        style=Path(__file__).with_name("report.css").read_text(encoding="utf-8"),
        banner=analysis.banner,
        facts=front.facts(analysis),
        sections=list(all_sections(analysis)) if sections is None else sections,
        lines_of=front.computed_lines,
        svg_uri=_svg_uri,
        printed=partial(_printed, analysis),
    )
    return f"{page}\n".encode()


def _svg_uri(figure: Figure) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(figure.svg()).decode()}"


@dataclass(frozen=True)
class _Column:
    heading: str
    is_number: bool


@dataclass(frozen=True)
class _Panel:
    """The pictures of an item: letter, text and (address, description) of the pictures of each section; or why there are none."""

    rows: list[tuple[str, str, list[tuple[str, str]]]]
    reason: str | None


@dataclass(frozen=True)
class _Row:
    cells: list[tuple[_Column, str]]
    panel: _Panel | None


@dataclass(frozen=True)
class _PrintedTable:
    """A table as the page has it; `more` says where rows are left out, else ""."""

    columns: list[_Column]
    rows: list[_Row]
    more: str


def _printed(analysis: Analysis, table: Table) -> _PrintedTable:
    shown = printable(table.shown)
    numbers = number_columns(shown)
    columns = [_Column(heading(name), name in numbers) for name in shown.columns]
    rows = [
        _Row(
            [(column, str(cell)) for column, cell in zip(columns, row, strict=True)],
            _panel(analysis, str(dict(zip(shown.columns, row, strict=True))[table.items_column]))
            if table.pictures and table.items_column
            else None,
        )
        for row in shown.head(ROWS).itertuples(index=False, name=None)
    ]
    more = f" The first {ROWS} of {len(table.data):,} rows; the CSV has all." if len(table.data) > ROWS else ""
    return _PrintedTable(columns, rows, more)


def _panel(analysis: Analysis, item: str) -> _Panel:
    pictures = pictures_of(analysis, item)
    rows = [
        (letter, text, [(data_uri(path), alt) for path, alt in row])
        for (letter, text), row in zip(PANEL_SECTIONS, pictures.rows, strict=not pictures.reason)
    ]
    return _Panel(rows, pictures.reason)
