"""One section of the results: its finding, its numbers with their n, its text, its figures and its tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import pandas as pd
import streamlit as st
from shared.html import plain
from shared.panel_pictures import panel_html

from analyzing.charts import show_chart
from analyzing.study_place import go
from barlow_core.errors import BarlowError
from study.analysis import Analysis, item_panel
from study.report import Figure, Number, Section, Table, style
from study.report.cells import as_numbers
from study.report.wording import MISSING, to_paste

ROW = 35  # pixels of a row of a table
OPEN = ("item", "worker")  # ids, which may look like numbers
MOST_ROWS = 12  # of a table before it scrolls


def show_section(section: Section, analysis: Analysis, controls: Callable[[], None] | None = None) -> None:
    """A section from top to bottom; `controls` of its own stand below its text."""
    st.html(heading(section.title, section.lead))
    if section.numbers:
        st.html(numbers_html(section.numbers))
    if section.text:
        st.html(prose(section.text))
        _show_paste(to_paste(analysis, "\n\n".join(section.text)), key=f"paste section {section.id}")
    if controls is not None:
        controls()
    for note in section.notes:
        st.html(f'<p class="bw-note">{escape(note)}</p>')
    for figure in section.figures:
        show_figure(figure, analysis)
    for table in section.tables:
        show_table(table, analysis)


def heading(title: str, lead: str) -> str:
    return f'<h2 class="bw-h2">{escape(title)}</h2><p class="bw-lead">{escape(lead)}</p>'


def prose(paragraphs: Iterable[str]) -> str:
    """Paragraphs of plain text."""
    return '<div class="bw-prose">' + "".join(f"<p>{escape(text)}</p>" for text in paragraphs) + "</div>"


def title_html(part: Figure | Table) -> str:
    paper = f'<span class="bw-paper">{escape(part.paper)} of the paper</span>' if part.paper else ""
    return f'<h3 class="bw-h3">{escape(part.title)}{paper}</h3>'


def numbers_html(numbers: Iterable[Number]) -> str:
    """Headline numbers, each with its interval and what it rests on."""
    cells = []
    for number in numbers:
        name = escape(number.label)
        if number.help:
            tip = f'<span class="bw-tip" role="note">{escape(number.help)}</span>'
            name = f'<span class="bw-term" tabindex="0">{name}{tip}</span>'
        below = " · ".join(part for part in (number.interval, number.n) if part)
        cells.append(f"<div><dt>{name}</dt><dd>{escape(number.value)}</dd><dd class='bw-below'>{escape(below)}</dd></div>")
    return f'<dl class="bw-stats bw-numbers">{"".join(cells)}</dl>'


def show_figure(figure: Figure, analysis: Analysis) -> None:
    """A figure that can be pointed at, with what it is made of."""
    with st.container(border=True, key=f"figure {figure.id}"):
        st.html(title_html(figure))
        if figure.content is None:
            st.html(f'<p class="bw-empty">No figure: {escape(figure.reason or "there is nothing to draw")}.</p>')
            return
        show_chart(figure)
        st.html(f'<p class="bw-caption">{escape(figure.caption)}</p>')
        _show_downloads(
            f"figure {figure.id}", figure.title, {"PNG": figure.png, "SVG": figure.svg, "CSV": figure.csv}, figure.file_name
        )
        _show_computed(figure.computed)
        if figure.text:
            _show_paste(to_paste(analysis, figure.text), key=f"paste figure {figure.id}")


def show_table(table: Table, analysis: Analysis) -> None:
    """A table; where its rows are items or workers, a ticked one opens."""
    with st.container(border=True, key=f"table {table.id}"):
        st.html(title_html(table))
        if table.shown.empty:
            st.html(f'<p class="bw-empty">No table: {escape(table.reason or "there is nothing to list")}.</p>')
            return
        st.html(f'<p class="bw-caption">{escape(table.caption)}</p>')
        said = [name for name in table.shown if not (table.shown[name] == MISSING).all()]
        shown, columns = _sortable(table.shown[said])
        rows_that_open(shown, table.items_column, key=f"rows {table.id}", column_config=columns)
        if len(table.shown) < len(table.data):
            st.html(
                f'<p class="bw-note">The first {len(table.shown):,} of {len(table.data):,} rows; the CSV has all of them.</p>'
            )
        if table.pictures and table.items_column:
            _show_examples(table, analysis)
        _show_downloads(f"table {table.id}", table.title, {"CSV": table.csv}, table.file_name)
        _show_computed(table.computed)


def _sortable(shown: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table of texts with its numbers as numbers, which sort as such, and how its columns are shown."""
    columns: dict[str, Any] = {}
    for name in map(str, shown):
        label, numbers = style.heading(name), as_numbers(shown[name])
        columns[name] = label
        if numbers is not None and name not in OPEN:
            shown = shown.assign(**{name: pd.Series(numbers.values, index=shown.index, dtype=float)})
            columns[name] = st.column_config.NumberColumn(label, format=numbers.format)
    return shown, columns


def _show_examples(table: Table, analysis: Analysis) -> None:
    """The rows with their pictures and what people wrote, made when the fold is opened: they are many."""
    fold = st.expander("Pictures and descriptions", type="compact", key=f"examples {table.id}", on_change="rerun")
    if not fold.open:
        return
    with fold:
        for item in map(str, table.shown[table.items_column]):
            view = analysis.item(item)
            # A description and a longer one; or, where nobody describes, a choice and its reason.
            asks, table_of = analysis.study.asks, view.answers
            first, second = (
                (table_of["short"], table_of["long"]) if asks is None else (table_of[asks].map(style.label), table_of["reason"])
            )
            said = "".join(
                f"<li>{escape(str(short))}: <span>{escape(str(long))}</span></li>"
                for short, long in zip(first, second, strict=True)
            )
            st.html(f'<h4 class="bw-h4">{escape(view.title)}</h4><ul class="bw-said">{said}</ul>')
            try:
                st.html(panel_html(item_panel(analysis.study, item)))
            except BarlowError as error:
                st.html(f'<p class="bw-empty">{escape(str(error))}</p>')


def rows_that_open(shown: Any, column: str | None, *, key: str, rows: int = MOST_ROWS, **options: Any) -> None:
    """A table whose ticked row opens what its `column` ("item" or "worker") names; with None, a table to read."""
    options |= {"hide_index": True, "key": key, "height": ROW * (min(len(shown), rows) + 1) + 3}
    if column is None:
        st.dataframe(shown, **options)
        return

    def open_ticked() -> None:
        ticked = st.session_state[key]["selection"]["rows"]
        if ticked:
            go(**{column: str(shown[column].iloc[ticked[0]])})

    st.dataframe(shown, on_select=open_ticked, selection_mode="single-row", **options)
    st.html(f'<p class="bw-note">Select a row to open the {column}.</p>')


MIME = {"PNG": "image/png", "SVG": "image/svg+xml", "CSV": "text/csv"}


def _show_downloads(name: str, title: str, makers: dict[str, Callable[[], bytes]], file_name: Callable[[str], str]) -> None:
    with st.container(horizontal=True, gap="small", key=f"downloads {name}"):
        for kind, make in makers.items():
            st.download_button(
                kind,
                make,  # made when it is asked for
                file_name(kind.lower()),
                MIME[kind],
                key=f"download {name} {kind}",
                on_click="ignore",
                icon=":material/download:",
                type="tertiary",
                help=plain(f"{title}, as {kind}"),
            )


def _show_computed(text: str) -> None:
    if text:
        with st.expander("How this was computed", type="compact"):
            st.markdown(text)


def _show_paste(text: str, *, key: str) -> None:
    with st.expander("Text to paste", key=key, type="compact"):
        st.code(text, language=None, wrap_lines=True)
