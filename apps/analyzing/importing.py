"""A CSV of answers collected elsewhere: which of its columns is what."""

from __future__ import annotations

from html import escape

import streamlit as st
from shared.html import plain

from analyzing.opening import Started, open_study
from analyzing.results import heading
from barlow_core.errors import BarlowError
from study.analysis import StudyData
from study.importing import MAPPABLE, guess_mapping, read_header

CHOSEN = "columns of the table"


def columns_of(start: Started) -> tuple[tuple[str, str], ...]:
    """What is known of the columns so far: chosen on the page, named at the start, guessed from their names."""
    chosen: tuple[tuple[str, str], ...] | None = st.session_state.get(CHOSEN)
    if chosen is not None:
        return chosen
    named = dict(start.columns)
    guessed = {name: column for name, column in guess_mapping(start.path).items() if column not in named.values()}
    return tuple((guessed | named).items())


def open_table(start: Started, state: str) -> StudyData | None:
    """The answers of the CSV; None, with a form on the page, where it is not clear yet which column is what."""
    columns = columns_of(start)
    try:
        return open_study(start, state, columns)
    except BarlowError as error:
        _ask(start, dict(columns), str(error))
        return None


def _ask(start: Started, columns: dict[str, str], problem: str) -> None:
    found_header = read_header(start.path)
    header = list(found_header.columns)
    st.html(
        heading(
            "Which column is what?",
            f"{start.path.name} has {len(header):,} columns. Every row is an answer of one worker to one item.",
        )
    )
    st.warning(plain(problem))
    st.dataframe([dict(row) for row in found_header.rows], hide_index=True)
    with st.form("columns", enter_to_submit=False):
        grid = st.columns(2)
        for number, (name, meaning) in enumerate(MAPPABLE.items()):
            found = columns.get(name)
            grid[number % 2].selectbox(
                f"{name}: {plain(meaning)}",
                header,
                index=header.index(found) if found in header else None,
                placeholder="not in this table",
                key=f"column {name}",
            )
        st.form_submit_button("Open", type="primary", on_click=_choose)
    st.html(f'<p class="bw-note">Or name them at the start: <code>--columns {escape("item=HITId,worker=WorkerId")}</code></p>')


def _choose() -> None:
    found = ((name, st.session_state.get(f"column {name}")) for name in MAPPABLE)
    st.session_state[CHOSEN] = tuple((name, column) for name, column in found if column)
