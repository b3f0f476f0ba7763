"""A CSV of answers collected elsewhere: which of its columns is what."""

from __future__ import annotations

from html import escape

import streamlit as st
from shared.html import plain

from analyzing.results import heading
from analyzing.source import Source, read_answers
from analyzing.study_place import go, here, put
from barlow_core.errors import BarlowError
from barlow_core.intake import TableError
from study.analysis import StudyData
from study.answers.importing import AnswersError
from study.answers.mapping import MAPPABLE, Header, complete_mapping, mapping_text, parse_mapping, read_header

ASKED = "What does each column hold?"
ONE_ANSWER = "Each row is one worker's answer to one item."
LISTED = 10  # problems, which leave the form below them in sight


def columns_of(start: Source) -> dict[str, str]:
    """Which column is what: chosen on the page, as the address says it; named at the start; guessed from their names.

    Raises:
        BarlowError: the file is no table, or the address says no mapping.
    """
    return complete_mapping(start.path, dict(start.columns) | parse_mapping(here().columns or ""))


def open_data(start: Source, state: str) -> StudyData | None:
    """The answers of a study file or of a CSV; None, with what is to do on the page, where a CSV cannot be read so."""
    if not start.is_csv:
        if here().columns:
            put(columns=None)
        return read_answers(start, state, start.columns)
    usual = complete_mapping(start.path, dict(start.columns))
    try:
        columns = columns_of(start)
    except BarlowError as error:
        _ask(start, usual, usual, error)
        return None
    try:
        return read_answers(start, state, tuple(columns.items()))
    except AnswersError as error:
        _ask(start, columns, usual, error)
    except TableError as error:
        # Whatever its columns stand for, this table must be put right first.
        st.html(
            heading(
                "This table cannot be read", f"{start.path.name}, line by line. The page opens the table once it is corrected."
            )
        )
        _show_problem(error)
    except BarlowError as error:
        _ask(start, columns, usual, error)
    return None


def _show_problem(error: BarlowError) -> None:
    """What is wrong, a line for each thing."""
    if not isinstance(error, TableError):
        st.warning(plain(str(error)))
        return
    listed = [*error.problems[:LISTED], *error.more(LISTED)]
    parts = [plain(error.summary), "\n".join(f"- {plain(_one_line(text))}" for text in listed), plain(error.hint)]
    st.warning("\n\n".join(part for part in parts if part))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _ask(start: Source, columns: dict[str, str], usual: dict[str, str], problem: BarlowError) -> None:
    found = read_header(start.path)
    st.html(heading(ASKED, f"{start.path.name} has {len(found.columns):,} columns. {ONE_ANSWER}"))
    _show_problem(problem)
    _form(found, columns, usual)
    st.html(
        f'<p class="bw-note">Or name them on the command line: <code>--columns {escape("item=HITId,worker=WorkerId")}</code></p>'
    )


def offer_columns(start: Source) -> None:
    """For a CSV that is open, a button to see and to change which of its columns is what."""
    if start.is_csv and st.button(ASKED, icon=":material/view_column:", type="tertiary"):
        _see_columns(start)


@st.dialog(ASKED, width="large")
def _see_columns(start: Source) -> None:
    st.caption(ONE_ANSWER)
    if _form(read_header(start.path), columns_of(start), complete_mapping(start.path, dict(start.columns))):
        st.rerun()


def _form(found: Header, columns: dict[str, str], usual: dict[str, str]) -> bool:
    """The first rows of a table, and a choice of a column for each thing that an answer has. Whether it was sent."""
    header = list(found.columns)
    st.dataframe([dict(row) for row in found.rows], hide_index=True)
    with st.form("columns", enter_to_submit=False):
        grid = st.columns(2)
        for number, (name, meaning) in enumerate(MAPPABLE.items()):
            column = columns.get(name)
            grid[number % 2].selectbox(
                f"{name}: {plain(meaning)}",
                header,
                index=header.index(column) if column in header else None,
                placeholder="not in this table",
                key=f"column {name}",
            )
        return st.form_submit_button("Open", type="primary", on_click=_choose, args=(usual,))


def _choose(usual: dict[str, str]) -> None:
    """Put what was chosen into the address, so that a reload and a link keep it."""
    found = {name: st.session_state.get(f"column {name}") for name in MAPPABLE}
    go(columns=mapping_text({name: column for name, column in found.items() if column}, usual) or None)
