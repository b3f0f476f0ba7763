"""Do something to the study at the press of a button, and say on the next page what became of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from shared.html import plain

from barlow_core.errors import BarlowError

SAID = "said"


def act(do: Callable[[], object], done: str) -> None:
    """Do it; `done` is said where it works, else what is in the way."""
    try:
        do()
    except BarlowError as error:
        st.session_state[SAID] = ("error", str(error))
    else:
        st.session_state[SAID] = ("success", done)


def show_what_was_said() -> None:
    """The outcome of the last action, once."""
    kind, text = st.session_state.pop(SAID, ("", ""))
    if text:
        (st.error if kind == "error" else st.success)(plain(text))
