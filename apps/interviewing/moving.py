"""The interviewer moves the session: start, parts, breaks, the end, and the plan of the hour."""

from __future__ import annotations

import streamlit as st
from shared.html import plain

from interviewing.keeping import act, press
from study.protocol import Protocol
from study.store import StudyStore
from study.store.interviews.people import Participant


def show_controls(store: StudyStore, protocol: Protocol, person: Participant) -> None:
    """What can be done now."""
    interviews, number = store.interviews, person.number
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        if person.state == "registered":
            st.button("Start the session", type="primary", key="start", on_click=press(lambda: interviews.start(number)))
            return
        if person.state == "finished":
            st.button("Reopen the session", key="reopen", on_click=press(lambda: interviews.reopen(number)))
            return
        parts = [part for part, _ in person.plan]
        at = parts.index(str(person.part))
        key = f"part of {number} {person.part}"
        st.selectbox(
            "Part on both screens",
            parts,
            index=at,
            format_func=lambda part: plain(protocol.title_of(part)),
            key=key,
            on_change=press(lambda: interviews.move(number, st.session_state[key])),
            width=190,
        )
        if at + 1 < len(parts):
            following = parts[at + 1]
            st.button(
                f"Next: {protocol.title_of(following)}",
                key="next",
                on_click=press(lambda: interviews.move(number, following)),
            )
        if person.on_break:
            st.button("Go on", type="primary", key="go on", on_click=press(lambda: interviews.go_on(number)))
        else:
            st.button("Break", key="break", on_click=press(lambda: interviews.take_break(number)))
        st.button("End", key="end", on_click=press(lambda: interviews.finish(number)))


def show_plan(store: StudyStore, protocol: Protocol, person: Participant) -> None:
    """Give parts another place or other minutes."""
    if person.state == "finished":
        return
    plan = list(person.plan)
    with st.expander(f"Plan of the hour ({sum(minutes for _, minutes in plan):g} minutes)"):
        for place, (part, minutes) in enumerate(plan):
            with st.container(horizontal=True, vertical_alignment="bottom"):
                key = f"minutes of {person.number} {part} {minutes:g}"
                st.number_input(
                    plain(protocol.title_of(part)),
                    min_value=1.0,
                    max_value=240.0,
                    step=1.0,
                    value=minutes,
                    format="%.0f",
                    key=key,
                    width=170,
                    on_change=_set_minutes,
                    args=(store, person, place, key),
                )
                for word, other in (("↑", place - 1), ("↓", place + 1)):
                    st.button(
                        word,
                        key=f"move {part} {word}",
                        help="Earlier" if word == "↑" else "Later",
                        disabled=not 0 <= other < len(plan),
                        on_click=_swap,
                        args=(store, person, place, other),
                    )


def _set_minutes(store: StudyStore, person: Participant, place: int, key: str) -> None:
    plan = list(person.plan)
    plan[place] = (plan[place][0], float(st.session_state[key]))
    act(lambda: store.interviews.set_plan(person.number, plan))


def _swap(store: StudyStore, person: Participant, place: int, other: int) -> None:
    plan = list(person.plan)
    plan[place], plan[other] = plan[other], plan[place]
    act(lambda: store.interviews.set_plan(person.number, plan))
