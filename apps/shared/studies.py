"""Open the study that a page was started with, once for all of its visitors."""

from __future__ import annotations

import atexit
import gc
import tempfile
from pathlib import Path

import streamlit as st

from study.setup.making import preview_copy
from study.store import StudyStore

PATIENCE = 3.0  # seconds; then the worker hears that it takes longer, and the form tries again by itself
_opened: list[StudyStore] = []


def open_store(path: Path) -> StudyStore:
    """The study, opened once a process.

    Raises:
        BarlowError: there is no such study, or it is damaged.
    """
    return _open(str(path.resolve()))


@st.cache_resource(show_spinner=False)
def _open(path: str) -> StudyStore:
    store = StudyStore(path, patience=PATIENCE)
    _opened.append(store)
    # Streamlit collects garbage after every run of a page. All that is loaded by now stays; looking through it each time would
    # cost more than the whole page does.
    gc.collect()
    gc.freeze()
    return store


@atexit.register
def close_studies() -> None:
    """Asked to end, a server copies the log of its study back: the file alone is then the whole study. Doing it twice does no harm."""
    for store in _opened:
        store.close()


def open_preview(path: Path) -> StudyStore:
    """A copy of the study without anybody's answers, in a folder that goes with the process.

    Raises:
        BarlowError: as `open_store`.
    """
    return _open_preview(str(path.resolve()))[1]


@st.cache_resource(show_spinner=False)
def _open_preview(path: str) -> tuple[tempfile.TemporaryDirectory[str], StudyStore]:
    folder = tempfile.TemporaryDirectory(prefix="barlow-preview-")
    with StudyStore(path, patience=PATIENCE) as store:
        return folder, preview_copy(store, Path(folder.name) / "study.sqlite")
