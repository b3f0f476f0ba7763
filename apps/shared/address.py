"""Where a visitor is, kept in the URL: a link or a reload shows exactly the same, and the back button goes back.

The place, a tuple of the page's own, lives in the session; widgets show it and change it in callbacks (`bound`), and the URL follows
it. When the URL is not what the page wrote there (a link, a reload, the back button), the place follows the URL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

PLACE, WRITTEN, MOVED = "place", "url as this page wrote it", "moved by a widget of this page"


def adopt(found: Mapping[str, Any], parse: Callable[[Any], Any]) -> None:
    """Go to what the URL says, unless this page wrote it there itself.

    A click may come with the URL of before, as the browser had it when the page was about to write a new one. What the click
    means counts then; only a visit that begins, a reload and the back button come without a click.

    Args:
        found: the parameters of the URL.
        parse: the place that they mean.
    """
    moved = st.session_state.pop(MOVED, False)
    if PLACE not in st.session_state or (found != st.session_state.get(WRITTEN) and not moved):
        st.session_state[PLACE] = parse(found)
    st.session_state[WRITTEN] = found


def write(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Write the parameters `wanted` into the URL, which has those of `found`."""
    if wanted != found:
        st.query_params.from_dict(wanted)
    st.session_state[WRITTEN] = wanted
    st.session_state[MOVED] = False


def put(place: Any) -> None:
    """Be at `place`."""
    st.session_state[PLACE] = place


def move(place: Any) -> None:
    """Go to `place` whatever the URL says; for callbacks."""
    put(place)
    stay()


def stay() -> None:
    """Stay at this place whatever the URL says; for callbacks of what is clicked without going anywhere."""
    st.session_state[MOVED] = True


def bound(
    field: str, value: Any, go: Callable[..., None], *, change: Callable[[Any], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Arguments for a widget that shows a field of the place and changes it.

    Args:
        value: what the widget shows now.
        go: the page's own way to another place, by fields.
        change: what the widget's value means, as arguments for `go`; None for the field itself.
    """
    key = f"choose {field}"
    st.session_state[key] = value

    def changed() -> None:
        new = st.session_state[key]
        go(**({field: new} if change is None else change(new)))

    return {"key": key, "on_change": changed}
