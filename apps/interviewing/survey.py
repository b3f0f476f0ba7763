"""The closing survey: six statements, answered in private. Only the participant's page has this module.

What is chosen comes back after a reload by a key in the address, which is made here and is not part of the link that was sent: whoever
sent it cannot look.
"""

from __future__ import annotations

import secrets

import streamlit as st
from shared.html import plain

from interviewing.keeping import bound, press
from study.protocol import LEVELS, Protocol
from study.store import StudyStore
from study.store.interviews.opinions import TOGETHER

STATEMENT, KEY = "statement ", "key"


def show_survey(store: StudyStore, protocol: Protocol, number: int) -> None:
    """The statements on five levels, and the button that sends them."""
    st.html(
        '<div class="iv-text"><h2 class="bw-h2">To close: how much do you agree?</h2><p>Your answers are private. The interviewer does not see '
        f"them, and they appear only in sums over at least {TOGETHER} people.</p></div>"
    )
    if store.interviews.participant(number).surveyed:
        st.success("Thank you, your answers are in. They cannot be seen or changed any more.")
        return
    if KEY not in st.query_params:
        st.query_params[KEY] = secrets.token_urlsafe(16)
    key = st.query_params[KEY]
    drafted = store.interviews.opinion_draft(number, key)

    def keep(_: object) -> None:
        store.interviews.save_opinion(number, chosen(protocol), key)

    levels = list(range(1, len(LEVELS) + 1))
    for name, text in protocol.statements:
        st.radio(
            plain(text),
            levels,
            format_func=lambda level: LEVELS[level - 1],
            horizontal=True,
            **bound(f"{STATEMENT}{name}", drafted.get(name), keep),
        )
    left = len(protocol.statements) - len(chosen(protocol))

    def send() -> None:
        store.interviews.save_opinion(number, chosen(protocol), key)
        store.interviews.send_opinion(number)

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Send", type="primary", key="send survey", on_click=press(send))
        if left:
            st.caption(f"{left} left open; you may leave out what you do not want to answer.")


def chosen(protocol: Protocol) -> dict[str, int]:
    """The levels that are chosen on the page."""
    found = {name: st.session_state.get(f"{STATEMENT}{name}") for name, _ in protocol.statements}
    return {name: level for name, level in found.items() if level is not None}
