"""Where a visitor is, kept in the URL: a link or a reload shows exactly the same, and the back button goes back.

The place, a named tuple of the page's own (`browsing.run_place`, `analyzing.study_place`), lives in the session; widgets show it and
change it in callbacks (`Address.bound`), and the URL follows it. When the URL is not what the page wrote there (a link, a reload, the
back button), the place follows the URL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import streamlit as st

PLACE, WRITTEN, MOVED = "place", "url as this page wrote it", "moved by a widget of this page"
Query = dict[str, list[str]]  # parameters of a URL by name, each with all of its values
P = TypeVar("P", bound=Any)


class Address(Generic[P]):
    """The way of a page's place into the URL and out of it.

    Args:
        start: where somebody is who comes without a link.
        parse: the place that a URL means.
        unparse: its inverse; the parameters of a place, without those that are as in another one.
        follow: given the place and the fields that are about to change, all fields that change with them.
    """

    def __init__(
        self,
        start: P,
        *,
        parse: Callable[[Query], P],
        unparse: Callable[[P, P], Query],
        follow: Callable[[P, dict[str, Any]], dict[str, Any]],
    ):
        self._start, self._parse, self._unparse, self._follow = start, parse, unparse, follow

    def here(self) -> P:
        """Where the visitor is."""
        place: P = st.session_state.get(PLACE, self._start)
        return place

    def adopt_url(self) -> None:
        """Go to what the URL says, unless this page wrote it there itself.

        A click may come with the URL of before, as the browser had it when the page was about to write a new one. What the click
        means counts then; only a visit that begins, a reload and the back button come without a click.
        """
        found = _query()
        moved = st.session_state.pop(MOVED, False)
        if PLACE not in st.session_state or (found != st.session_state.get(WRITTEN) and not moved):
            st.session_state[PLACE] = self._parse(found)
        st.session_state[WRITTEN] = found

    def write_url(self, usual: P | None = None) -> None:
        """Write the place into the URL, leaving out what is as in `usual`, so that opening the page is one step of history.

        Args:
            usual: where the page would be without a link; None: `start`.
        """
        wanted = self._unparse(self.here(), self._start if usual is None else usual)
        if wanted != _query():
            st.query_params.from_dict(wanted)
        st.session_state[WRITTEN] = wanted
        st.session_state[MOVED] = False

    def put(self, **changes: Any) -> None:
        """Set fields of the place, leave all others as they are, and have the URL follow."""
        st.session_state[PLACE] = self.here()._replace(**changes)

    def go(self, **changes: Any) -> None:
        """Go somewhere else, whatever the URL says; for callbacks. What follows from the changes changes too, see `follow`."""
        self.put(**self._follow(self.here(), changes))
        stay()

    def bound(self, field: str, value: Any, *, change: Callable[[Any], dict[str, Any]] | None = None) -> dict[str, Any]:
        """Arguments for a widget that shows a field of the place and changes it.

        Args:
            value: what the widget shows now.
            change: what the widget's value means, as arguments for `go`; None for the field itself.
        """
        key = f"choose {field}"
        st.session_state[key] = value

        def changed() -> None:
            new = st.session_state[key]
            self.go(**({field: new} if change is None else change(new)))

        return {"key": key, "on_change": changed}


def stay() -> None:
    """Stay at this place whatever the URL says; for callbacks of what is clicked without going anywhere."""
    st.session_state[MOVED] = True


def last(query: Mapping[str, list[str]]) -> dict[str, str]:
    """Parameters that mean one thing each: where one is given twice, the last counts."""
    return {name: values[-1] for name, values in query.items() if values}


def _query() -> Query:
    return {name: st.query_params.get_all(name) for name in st.query_params}
