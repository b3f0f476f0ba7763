"""New answers while the study runs: the page looks whether there are any, and changes only when there are."""

from __future__ import annotations

import streamlit as st

from analyzing.source import Source, state_of
from barlow_core.errors import BarlowError

LOOK_EVERY = 5  # seconds


def follow(start: Source, state: str) -> None:
    """Look for a later state than the one that is shown, and show that. Nothing of the page is drawn again until there is one."""

    @st.fragment(run_every=LOOK_EVERY)
    def look() -> None:
        try:
            changed = state_of(start) != state
        except BarlowError:
            changed = True  # the page says what is wrong
        if changed:
            st.rerun()

    look()
