"""The participant's page: registration, the parts of the session, the end. It follows what the interviewer does within two seconds."""

from __future__ import annotations

import math
import sys

import streamlit as st
from shared.html import plain
from shared.scroll import begin_at_the_head
from shared.visitors import visitor_address

from barlow_core.wording import count
from interviewing.introduction import show_introduction, show_scenario
from interviewing.keeping import act, press, show_what_was_said
from interviewing.looking import Place, first_place, grouping_of, show_grouping
from interviewing.questions import show_questions
from interviewing.registration import show_end, show_registration
from interviewing.session_clock import clock_html
from interviewing.survey import show_survey
from study.errors import NotSavedError
from study.protocol import INTRODUCTION, PLACES, SCENARIO, Protocol
from study.store import StudyStore
from study.store.interviews.people import Participant

EVERY = 1.0  # seconds between two looks at the session
CODE, PLACE, LET_IN = "code", "place", "let in"


def show_participant(store: StudyStore) -> None:
    """The page that comes next for whoever the link names."""
    protocol = store.interviews.protocol
    number, why_not = _who(store, st.query_params.get(CODE, ""))
    if protocol is None or number is None:
        st.html('<h1 class="iv-h1">We cannot let you in yet</h1>')
        st.info(why_not)
        return
    person = store.interviews.participant(number)
    show_what_was_said()
    begin_at_the_head(f"{person.state} {person.part}")
    if person.state in ("registered", "running"):
        _follow(store, protocol, person)
    if person.state == "invited":
        show_registration(store, protocol, person)
    elif person.state == "registered":
        _show_waiting(store, protocol, person)
    elif person.state == "running":
        _show_session(store, protocol, person)
    else:
        show_end(store, protocol, person)


def _who(store: StudyStore, code: str) -> tuple[int | None, str]:
    """The number of whoever has this link, or why there is none: as with the crowd study, many wrong ones from one network have to wait."""
    address = None if st.session_state.get(LET_IN) == code else visitor_address()
    if code and address is not None and (wait := store.seconds_to_wait(address)):
        minutes = count(math.ceil(wait / 60), "minute")
        return None, f"Many links that are none came from your network. Please open yours again in {minutes}."
    number = store.interviews.of_code(code)
    if number is not None:
        st.session_state[LET_IN] = code
    elif code and address is not None:
        try:
            store.note_guess(address, code)
        except NotSavedError as error:
            print(f"A wrong link was not noted: {error}", file=sys.stderr)
    return number, "This page opens with a personal link only. Please use the link that you were sent, to its last letter."


def _state(person: Participant) -> tuple[object, ...]:
    """What makes it another page."""
    return person.state, person.part, person.on_break, person.surveyed


@st.fragment(run_every=EVERY)
def _follow(store: StudyStore, protocol: Protocol, drawn: Participant) -> None:
    """The clock; and the whole page again where somebody has moved the session meanwhile."""
    person = store.interviews.participant(drawn.number)
    with st.container(key="clock"):
        st.html(clock_html(person, protocol))
    if _state(person) != _state(drawn):
        st.rerun(scope="app")


def _show_waiting(store: StudyStore, protocol: Protocol, person: Participant) -> None:
    st.html(f'<h1 class="iv-h1">Welcome, {person.name}</h1>')
    if person.guided:
        st.write("You are registered. The interviewer starts the session; you can also start it here when you are together.")
    else:
        st.write(
            "You are registered. You go through the session alone: the clock helps you to divide the hour, you may take breaks."
        )
    st.button("Start the session", type="primary", key="start", on_click=press(lambda: store.interviews.start(person.number)))


def _show_session(store: StudyStore, protocol: Protocol, person: Participant) -> None:
    if person.on_break:
        st.html('<h1 class="iv-h1">A break</h1><p class="bw-lead">The clock stands. Everything you entered is saved.</p>')
        st.button("Go on", type="primary", key="go on", on_click=press(lambda: store.interviews.go_on(person.number)))
        return
    if person.part == INTRODUCTION:
        show_introduction(protocol)
    elif person.part == SCENARIO:
        show_scenario(protocol)
    elif person.part in PLACES:
        _show_grouping(store, protocol, person, person.groupings[PLACES[person.part] - 1])
    else:
        show_survey(store, protocol, person.number)
    _show_ways(store, person)


def _show_grouping(store: StudyStore, protocol: Protocol, person: Participant, name: str) -> None:
    """What there is to see, and beside it the questions."""
    grouping = grouping_of(store, name)
    places: dict[str, Place] = st.session_state.setdefault(PLACE, {})
    if name not in places:
        seen = person.looks_at if person.looks_at.get("grouping") == name else {}
        known = seen.get("node") in set(grouping.nodes["node"]) and seen.get("feature") in grouping.features
        places[name] = Place(int(seen["node"]), int(seen["feature"])) if known else first_place(grouping)
    place = places[name]

    def look(at: Place) -> None:
        act(lambda: store.interviews.look(person.number, grouping=name, node=at.node, feature=at.feature))

    def choose(at: Place) -> None:
        places[name] = at
        look(at)

    if dict(person.looks_at) != {"grouping": name, "node": place.node, "feature": place.feature}:
        look(place)
    with st.container(key="work"):
        left, right = st.columns([7, 4], gap="large")
        with left:
            show_grouping(grouping, place, choose)
        with right, st.container(border=True):
            show_questions(store, protocol, person.number, grouping, place.feature)
            if not person.guided:
                _show_remark(store, person, name)


def _show_remark(store: StudyStore, person: Participant, name: str) -> None:
    """Somebody alone notes what they would have said aloud."""
    st.divider()

    def keep() -> None:
        text = st.session_state.get("remark", "")
        if text.strip() and act(
            lambda: store.interviews.quote(person.number, text, author="participant", grouping=name), "Noted."
        ):
            st.session_state["remark"] = ""

    st.text_area("Anything else that you think while looking?", height=70, key="remark")
    st.button("Note it", key="note remark", on_click=keep)


def _show_ways(store: StudyStore, person: Participant) -> None:
    """Back, on, a break, the end."""
    parts = [part for part, _ in person.plan]
    at = parts.index(str(person.part))
    interviews, number = store.interviews, person.number
    with st.container(horizontal=True, key="ways"):
        if at > 0:
            st.button("Back", key="back", on_click=press(lambda: interviews.move(number, parts[at - 1])))
        if at + 1 < len(parts):
            st.button("Continue", type="primary", key="continue", on_click=press(lambda: interviews.move(number, parts[at + 1])))
        elif person.surveyed:
            st.button("Finish", type="primary", key="finish", on_click=press(lambda: interviews.finish(number)))
        else:
            st.button("Finish without the survey", key="finish", on_click=press(lambda: interviews.finish(number)))
        st.button("Take a break", key="break", on_click=press(lambda: interviews.take_break(number)))
    st.caption(
        plain("Everything you enter is saved when you leave the field. You can close this page and come back with the same link.")
    )
