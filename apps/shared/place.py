"""Where the visitor is, kept in the URL: a link or a reload shows the same, and the back button goes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

WRITTEN = "url as this page wrote it"


class Place(NamedTuple):
    """What is looked at; `name` is the class (or pair), None for all of them."""

    grouping: str
    name: str | None
    depth: int


def adopt_url(default: Place, *, groupings: Sequence[str], depths: Sequence[int]) -> None:
    """Bring the widgets `grouping`, `name` and `depth` to what the URL says, unless this page wrote it there itself."""
    found = st.query_params.to_dict()
    if found == st.session_state.get(WRITTEN):
        return
    depth = found.get("depth", "")
    st.session_state["grouping"] = found["grouping"] if found.get("grouping") in groupings else default.grouping
    st.session_state["name"] = found.get("class", default.name)
    st.session_state["depth"] = int(depth) if depth.isdecimal() and int(depth) in depths else default.depth
    st.session_state[WRITTEN] = found


def write_url(place: Place, default: Place) -> None:
    """Write `place` into the URL, leaving out what is as by default (so that opening the page is one step of history)."""
    parts = {"grouping": place.grouping, "class": place.name, "depth": str(place.depth)}
    usual = {"grouping": default.grouping, "class": default.name, "depth": str(default.depth)}
    wanted = {key: value for key, value in parts.items() if value is not None and value != usual[key]}
    if wanted != st.query_params.to_dict():
        st.query_params.from_dict(wanted)
    st.session_state[WRITTEN] = wanted


def go(grouping: str, name: str | None) -> None:
    """Go to a group, or to all of a grouping; for callbacks of widgets."""
    st.session_state["grouping"] = grouping
    st.session_state["name"] = name
