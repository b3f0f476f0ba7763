"""What the page was started with, read and analysed once for all of its visitors, and again only when it has changed."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from shared.arguments import ANALYZE, COLUMNS, MISSING, VECTORS, arguments

from barlow_core.errors import BarlowError
from barlow_core.intake.values import parse_missing
from study.analysis import Analysis, AnalysisOptions, Filters, StudyData, load_study, study_state
from study.answers.loading import is_table
from study.answers.mapping import parse_mapping
from study.report import section, sections_of


class Source(NamedTuple):
    """What the page was started with.

    Attributes:
        path: a study file, or a CSV of answers collected elsewhere.
        vectors: files of word vectors to choose from, besides those that ship.
        columns: for a CSV, its column for each of ours, as far as named.
        missing: for a CSV, the texts that stand for no value, with commas between; None for the usual ones.
    """

    path: Path
    vectors: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    missing: str | None = None

    @property
    def is_csv(self) -> bool:
        """Whether it is a CSV, by its content.

        Raises:
            BarlowError: there is no such file.
        """
        return is_table(self.path)


def given_source() -> Source:
    """What was written after `streamlit run apps/analyze.py --`.

    Raises:
        BarlowError: there is no study among it, more than one, or an option that means nothing here.
    """
    given = arguments(ANALYZE)
    columns: dict[str, str] = {}
    for text in given.values[COLUMNS]:
        columns |= parse_mapping(text)
    missing = given.values[MISSING][-1] if given.values[MISSING] else None
    return Source(given.paths[0], tuple(dict.fromkeys(given.values[VECTORS])), tuple(columns.items()), missing)


def state_of(source: Source) -> str:
    """A short text that changes when the study does; cheap, for asking every few seconds.

    Raises:
        BarlowError: there is no such file, or it cannot be read.
    """
    return study_state(source.path)


def read_answers(source: Source, state: str, columns: tuple[tuple[str, str], ...] = ()) -> StudyData:
    """The study as it was in `state` or later.

    Args:
        columns: for a CSV, which column is what; all that is known, since nothing is guessed any more.

    Raises:
        BarlowError: it cannot be read; for a CSV, everything that is wrong with it; columns for a study file.
    """
    return _read(str(source.path), state, columns, source.missing)


@st.cache_resource(max_entries=2, show_spinner=False)
def _read(path: str, state: str, columns: tuple[tuple[str, str], ...], missing: str | None) -> StudyData:
    return load_study(path, dict(columns), None if missing is None else parse_missing(missing))


def analysis_of(
    data: StudyData,
    key: tuple[str, ...],
    filters: Filters,
    options: AnalysisOptions,
    vectors: str | None,
) -> Analysis:
    """The analysis of a part of the study. Its results are computed when they are first asked for, and kept as long as it is.

    Args:
        key: tells the data from any other.

    Raises:
        BarlowError: a filter or a file of vectors cannot be used.
    """
    return _analysis(key, repr(filters), repr(options), vectors, data, filters, options)


# An analysis of 6,000 answers takes some MB, so a few analysts with filters of their own fit; the least recently used one goes.
@st.cache_resource(max_entries=8, show_spinner=False)
def _analysis(
    key: tuple[str, ...],
    kept: str,
    how: str,
    vectors: str | None,
    _data: StudyData,
    _filters: Filters,
    _options: AnalysisOptions,
) -> Analysis:
    return Analysis(_data, filters=_filters, options=_options, vectors=vectors)


def warm(analysis: Analysis, key: tuple[str, ...]) -> None:
    """Compute all sections in the background, one after the other, so that the next page is there when it is asked for.

    Args:
        key: what was asked for before is not computed again for the newer answers of a running study, of which there may be many.
    """
    done, busy = _warmed()
    if key not in done and busy.acquire(blocking=False):
        done.add(key)
        threading.Thread(target=_compute, args=(analysis, busy), daemon=True).start()


def _compute(analysis: Analysis, busy: threading.Lock) -> None:
    try:
        for name in sections_of(analysis.study):
            with suppress(BarlowError):  # the page says it when it is opened
                section(analysis, name)
    finally:
        busy.release()


@st.cache_resource(max_entries=1, show_spinner=False)
def _warmed() -> tuple[set[tuple[str, ...]], threading.Lock]:
    """What was computed so, and whether something is."""
    return set(), threading.Lock()
