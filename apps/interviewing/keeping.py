"""What is entered is kept at once: each field writes to the study file as soon as it is left, and takes from there what it shows first."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import streamlit as st
from shared.html import plain

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.errors import NotSavedError

TROUBLE, SAID, UNSAVED = "trouble", "said", "unsaved"


def bound(key: str, stored: Any, keep: Callable[[Any], object]) -> dict[str, Any]:
    """Arguments for a field of Streamlit: its key, at first with what is stored, and what happens when it changes."""
    if key not in st.session_state:  # a field that was not on the page has none
        st.session_state[key] = stored

    def changed() -> None:
        value = st.session_state.get(key)
        if value is not None:  # a field that has left the page since has no value; nobody can choose none
            act(lambda: keep(value))

    return {"key": key, "on_change": changed}


def act(do: Callable[[], object], done: str = "") -> bool:
    """Do it; what is in the way is said on the next page, or `done`. Whether it worked."""
    try:
        do()
    except NotSavedError as error:
        # Where the file lies, and what is wrong with it, is for whoever runs the study.
        print(error, file=sys.stderr)
        st.session_state.setdefault(UNSAVED, []).append(do)
        return False
    except BarlowError as error:
        st.session_state[TROUBLE] = str(error)
        return False
    st.session_state.pop(TROUBLE, None)
    st.session_state[SAID] = done
    return True


def save_again() -> None:
    """Do, in their order, all that could not be saved; what still cannot stays for the next time."""
    for do in st.session_state.pop(UNSAVED, []):
        act(do)


def press(do: Callable[[], object], done: str = "") -> Callable[[], None]:
    """`act`, as what happens when a button is pressed."""

    def pressed() -> None:
        act(do, done)

    return pressed


def show_what_was_said() -> None:
    """What could not be saved, until something can; what was done, once."""
    if n := len(st.session_state.get(UNSAVED, [])):
        st.error(
            f"{count(n, 'entry is', 'entries are')} not saved yet: the study cannot be written to at the moment. It is still on this page."
        )
        st.button("Save it now", key="save again", on_click=save_again)
    if trouble := st.session_state.get(TROUBLE):
        st.error(plain(trouble))
    if said := st.session_state.pop(SAID, ""):
        st.success(plain(said))
