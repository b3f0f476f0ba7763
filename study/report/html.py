"""All results as one HTML file that needs nothing else: figures, tables, pictures and text are inside."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from study.analysis import Analysis
from study.report import front
from study.report.all_sections import results
from study.report.cells import is_number
from study.report.elements import Figure, Section, Table
from study.report.pictures import SECTIONS, data_uri, pictures_of
from study.report.style import heading

ROWS = 40


def report_html(analysis: Analysis, sections: Sequence[Section] | None = None) -> bytes:
    """The report; the same study and settings give the same bytes.

    Args:
        sections: those that are made already; None makes all.
    """
    made = list(results(analysis)) if sections is None else sections
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    name = escape(front.title(analysis))
    parts = [
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>\n{style}</style>\n</head>\n<body>",
        _banner(analysis),
        f"<header><h1>{name}</h1>",
        _list(front.facts(analysis), "facts"),
        "</header>",
        f'<nav aria-label="Contents"><ol>{"".join(f"<li><a href=#{section.id}>{escape(section.title)}</a></li>" for section in made)}</ol></nav>',
        "<main>",
        *(part for section in made for part in _section(analysis, section)),
        "</main>",
        "</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part).encode()


def _banner(analysis: Analysis) -> str:
    return f'<p class="banner" role="alert">{escape(analysis.banner)}</p>' if analysis.banner else ""


def _section(analysis: Analysis, section: Section) -> Iterator[str]:
    yield f'<section id="{section.id}"><h2>{escape(section.title)}</h2>'
    yield f'<p class="lead">{escape(section.lead)}</p>'
    if section.numbers:
        cells = (
            f"<div><dt>{escape(number.label)}</dt><dd>{escape(number.value)}</dd><dd class=small>{escape(number.interval)}</dd>"
            f"<dd class=small>{escape(number.n)}</dd></div>"
            for number in section.numbers
        )
        yield f'<dl class="numbers">{"".join(cells)}</dl>'
    for text in section.text:
        yield f"<p>{escape(text)}</p>"
    for figure in section.figures:
        yield _figure(figure)
    for table in section.tables:
        yield from _table(analysis, table)
    if section.notes:
        yield f'<ul class="notes">{"".join(f"<li>{escape(note)}</li>" for note in section.notes)}</ul>'
    yield "</section>"


def _figure(figure: Figure) -> str:
    name = f"<b>{escape(figure.title)}</b>{f' ({escape(figure.paper)} of the paper)' if figure.paper else ''}. "
    if figure.reason:
        return f'<figure id="figure-{figure.id}"><figcaption>{name}There is no figure: {escape(figure.reason)}.</figcaption></figure>'
    picture = base64.b64encode(figure.svg()).decode()
    said = figure.text or figure.caption
    return (
        f'<figure id="figure-{figure.id}"><img src="data:image/svg+xml;base64,{picture}" alt="{escape(f"{figure.title}. {said}")}">'
        f"<figcaption>{name}{escape(figure.caption)}</figcaption>{_how(figure.computed)}</figure>"
    )


def _how(computed: str) -> str:
    return (
        f"<details><summary>How this was computed</summary>{_list(front.computed_lines(computed), 'how')}</details>"
        if computed
        else ""
    )


def _list(rows: Sequence[tuple[str, str]], kind: str) -> str:
    return (
        f'<dl class="{kind}">{"".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in rows)}</dl>'
    )


def _table(analysis: Analysis, table: Table) -> Iterator[str]:
    name = (
        f"<b>{escape(table.title)}</b>{f' ({escape(table.paper)} of the paper)' if table.paper else ''}. {escape(table.caption)}"
    )
    if table.reason and table.shown.empty:
        yield f'<p class="empty" id="table-{table.id}">{name} Empty: {escape(table.reason)}.</p>'
        return
    shown = printable(table.shown)
    more = f" The first {ROWS} of {len(table.data):,} rows; the CSV has all." if len(table.data) > ROWS else ""
    right = {column for column in shown.columns if all(is_number(cell) for cell in shown[column])}
    head = "".join(
        f"<th scope=col{' class=number' if name in right else ''}>{escape(heading(name))}</th>" for name in shown.columns
    )
    rows = []
    for _, row in shown.head(ROWS).iterrows():
        cells = "".join(f"<td{' class=number' if name in right else ''}>{escape(str(row[name]))}</td>" for name in shown.columns)
        rows.append(f"<tr>{cells}</tr>")
        if table.pictures and table.items_column:
            rows.append(f"<tr><td colspan={len(shown.columns)}>{_panel(analysis, str(row[table.items_column]))}</td></tr>")
    yield f'<div class="table" id="table-{table.id}"><p>{name}{more}</p><div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
    yield "\n".join(rows)
    yield f"</tbody></table></div>{_how(table.computed)}</div>"


def _panel(analysis: Analysis, item: str) -> str:
    pictures = pictures_of(analysis, item)
    if pictures.reason:
        return f"<p class=empty>{escape(pictures.reason)}</p>"
    rows = []
    for (letter, text), row in zip(SECTIONS, pictures.rows, strict=True):
        images = "".join(f'<img src="{data_uri(path)}" alt="{escape(alt)}">' for path, alt in row)
        rows.append(f"<div><span><b>{letter}</b> {text}</span>{images}</div>")
    return f'<div class="panel">{"".join(rows)}</div>'


def printable(shown: pd.DataFrame) -> pd.DataFrame:
    """A table without the columns that say nothing in any row."""
    kept = [column for column in shown.columns if not shown[column].astype(str).isin(["—", ""]).all() or not len(shown)]
    return shown[kept]
