"""The items of a study and their pictures, read once for all visitors."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from barlow_core.errors import BarlowError
from barlow_core.panels import Panel
from study.setup.frozen_panels import OF_OBJECT, OF_THE_SAME, has_pictures, load_item_panel
from study.setup.more_pictures import MorePictures, load_more
from study.store import StudyStore
from study.texts import Texts


def item_panel(path: Path, store: StudyStore, item: str | None, texts: Texts) -> tuple[Panel | None, str]:
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
        return None, texts("task.no_pictures")


def more_pictures(path: Path, store: StudyStore, item: str | None, texts: Texts) -> tuple[dict[str, MorePictures], str]:
    """What an item shows beside A, B and C, by "object" and "further", and what is wrong with it, in words for a worker."""
    data = item_data(store, item)
    found = {}
    try:
        for name, kind in (("object", OF_OBJECT), ("further", OF_THE_SAME)):
            if data.get(kind[0]):
                found[name] = _more(str(path), str(item), kind, data)
    except BarlowError as error:
        print(error, file=sys.stderr)
        return {}, texts("task.no_pictures")
    return found, ""


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
def _more(path: str, item: str, kind: tuple[str, str], _data: Mapping[str, Any]) -> MorePictures:
    found = load_more(path, _data, kind)
    assert found is not None
    return found


@st.cache_resource(max_entries=2000, show_spinner=False)
def _panel(path: str, item: str, _data: Mapping[str, Any]) -> Panel:
    return load_item_panel(path, _data)
