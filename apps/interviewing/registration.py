"""Before the session: what it is about, consent, and who the participant is. Nothing is kept before they agree."""

from __future__ import annotations

from html import escape

import streamlit as st
from shared.html import paragraphs, plain

from interviewing.keeping import TROUBLE, act, press
from study.protocol import Protocol
from study.store import StudyStore
from study.store.interviews.people import Participant


def show_registration(store: StudyStore, protocol: Protocol, person: Participant) -> None:
    """Consent, role, experience, the requirement."""
    total = sum(minutes for _, minutes in protocol.plan)
    st.html(
        f'<div class="iv-text"><h1 class="iv-h1">{escape(protocol.title)}</h1><p class="bw-lead">About {total:g} minutes · you are '
        f"{person.name} here, your name is not kept</p>{paragraphs(protocol.consent)}</div>"
    )
    with st.container(key="register"):
        st.radio(
            "Your role",
            [value for value, _ in protocol.roles],
            format_func=lambda value: plain(protocol.choices("roles")[value]),
            index=None,
            horizontal=True,
            key="role",
        )
        st.radio(
            "Your experience with machine learning",
            [value for value, _ in protocol.experience],
            format_func=lambda value: plain(protocol.choices("experience")[value]),
            index=None,
            horizontal=True,
            key="experience",
        )
        st.radio(plain(protocol.requirement), ["Yes", "No"], index=None, horizontal=True, key="requirement")
        st.checkbox("I have read the text above and agree to take part.", key="consent")

        def register() -> None:
            # As they stand when the button is pressed, which may be newer than the page.
            role, experience, fits, agrees = (
                st.session_state.get(key) for key in ("role", "experience", "requirement", "consent")
            )
            if fits == "No":
                act(lambda: store.interviews.screen_out(person.number))
            elif role is None or experience is None or fits is None or not agrees:
                st.session_state[TROUBLE] = (
                    "Please answer the three questions and agree, or close this page if you do not want to take part."
                )
            else:
                act(lambda: store.interviews.register(person.number, role, experience))

        st.button("Take part", type="primary", key="register me", on_click=register)
    _show_contact(protocol)


def show_end(store: StudyStore, protocol: Protocol, person: Participant) -> None:
    """Why there is nothing (more) to do."""
    if person.state == "screened_out":
        title, text = (
            "Thank you",
            "This study asks people who have applied machine learning to images. Nothing was kept about you.",
        )
    elif person.state == "withdrawn":
        title, text = "You have left the study", "Everything that you said is deleted."
    else:
        title, text = "Thank you for taking part", "Everything is saved. You may close this page."
    st.html(f'<div class="iv-text"><h1 class="iv-h1">{title}</h1><p>{text}</p></div>')
    if person.state == "finished":
        st.button("I want to add something", key="reopen", on_click=press(lambda: store.interviews.reopen(person.number)))
    _show_contact(protocol)


def _show_contact(protocol: Protocol) -> None:
    if protocol.contact:
        st.caption(plain(f"Questions, or you want your answers deleted? Write to {protocol.contact}"))
