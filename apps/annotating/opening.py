"""Open the study that the page was started with, once for all of its visitors; and the pictures of its items."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from barlow_core.errors import BarlowError
from barlow_core.panels import Panel
from study.setup.frozen_panels import has_pictures, load_item_panel
from study.setup.making import preview_copy
from study.store import StudyStore

PATIENCE = 3.0  # seconds; then the worker hears that it takes longer, and the form tries again by itself


def open_store(path: Path) -> StudyStore:
    """The study, opened once a process.

    Raises:
        BarlowError: there is no such study, or it is damaged.
    """
    return _open(str(path.resolve()))


@st.cache_resource(show_spinner=False)
def _open(path: str) -> StudyStore:
    store = StudyStore(path, patience=PATIENCE)
    # Streamlit collects garbage after every run of a page. All that is loaded by now stays; looking through it each time would
    # cost more than the whole page does.
    gc.collect()
    gc.freeze()
    return store


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


def item_panel(path: Path, store: StudyStore, item: str | None) -> tuple[Panel | None, str]:
    """The pictures of an item, and what is wrong with them, in words for a worker; None where the study has none.

    Args:
        path: of the study, beside which the pictures lie.
    """
    data = item_data(store, item)
    if not has_pictures(data):
        return None, ""
    try:
        return _panel(str(path), str(item), data), ""
    except BarlowError as error:
        print(error, file=sys.stderr)
        return None, "The pictures of this task cannot be shown. Please report it below, and skip the task."


def example_item(store: StudyStore) -> str | None:
    """An item to show to somebody who only looks: one for practice, or the first."""
    items = _listed(str(store.path), store)
    practice = [item["id"] for item in items.values() if item.get("kind") == "practice"]
    return next(iter([*practice, *items]), None)


def item_data(store: StudyStore, item: str | None) -> Mapping[str, Any]:
    """What the study says about an item."""
    return _listed(str(store.path), store).get(item or "", {})


@st.cache_resource(show_spinner=False)
def _listed(path: str, _store: StudyStore) -> dict[str, dict[str, Any]]:
    # Items never change once a study is made.
    return {str(item["id"]): item for item in _store.item_list()}


@st.cache_resource(max_entries=2000, show_spinner=False)
def _panel(path: str, item: str, _data: Mapping[str, Any]) -> Panel:
    return load_item_panel(path, _data)
