"""The interviewer's page: the session as the participant has it, live; quotes with time stamps; the parts and the clock.

It never asks for the closing survey: tables are read without it, and the module that shows it is the participant's.
"""

from __future__ import annotations

from html import escape

import streamlit as st
from shared.door import passes
from shared.html import plain

from interviewing.coding import show_coding
from interviewing.keeping import act, press, show_what_was_said
from interviewing.moving import show_controls, show_plan
from interviewing.session_clock import clock_html, minutes_text
from study.protocol import DESCRIBES, NECESSITY, PLACES, Protocol
from study.store import StudyStore
from study.store.interviews.frames import InterviewTables
from study.store.interviews.people import Participant, name_of, number_of

EVERY = 1.0  # seconds between two looks at the session
GOING_ON = ("registered", "running", "finished")


def show_interviewer(store: StudyStore) -> None:
    """Everything that the page has, for those who know the secret of the study."""
    if not passes(store):
        return
    tables = store.interviews.tables()
    if tables is None:
        st.info("This study has no interviews yet. Prepare them: barlow study interview create RUN --study STUDY")
        return
    st.html(f'<header class="bw-title"><h1>{escape(tables.protocol.title)}</h1><p>{escape(store.path.name)}</p></header>')
    if tables.participants["simulated"].any():
        st.warning("There are simulated participants among these, who are not people.")
    show_what_was_said()
    session, people, coding = st.tabs(["Session", "Participants", "Coding"], key="tabs")
    with session:
        _show_session(store, tables)
    with people:
        _show_people(store, tables)
    with coding:
        show_coding(store, tables)


def _show_session(store: StudyStore, tables: InterviewTables) -> None:
    people = tables.participants
    names = people.loc[people["state"].isin(GOING_ON), "participant"].tolist()
    states = dict(zip(people["participant"], people["state"], strict=True))
    if not names:
        st.info("Nobody has registered yet. Invite people on the next tab, and send each of them a link.")
        return
    running = [name for name in names if states[name] == "running"]
    chosen = st.selectbox(
        "Session",
        names,
        index=names.index(running[0]) if running else 0,
        format_func=lambda name: f"{name} ({states[name]})",
        key="session",
        width=240,
    )
    person = store.interviews.participant(number_of(chosen))
    live, notes = st.columns([7, 5], gap="large")
    with live:
        _follow(store, tables.protocol, person)
    with notes:
        show_controls(store, tables.protocol, person)
        _show_notes(store, tables, person)
        show_plan(store, tables.protocol, person)


@st.fragment(run_every=EVERY)
def _follow(store: StudyStore, protocol: Protocol, drawn: Participant) -> None:
    """The session as it is now; the whole page again where it has moved."""
    person = store.interviews.participant(drawn.number)
    tables = store.interviews.tables()
    assert tables is not None
    role = protocol.choices("roles").get(str(person.role), "")
    experience = protocol.choices("experience").get(str(person.experience), "")
    how = "with an interviewer" if person.guided else "alone"
    st.html(f'<p class="bw-lead">{escape(" · ".join(filter(None, (person.name, role, experience, how))))}</p>')
    st.html(clock_html(person, protocol))
    st.html(_answers(tables, person))
    st.html(_quotes(tables, person))
    if (person.state, person.part, person.on_break) != (drawn.state, drawn.part, drawn.on_break):
        st.rerun(scope="app")


def _answers(tables: InterviewTables, person: Participant) -> str:
    """What was answered so far, and what is on the participant's screen."""
    looked = person.looks_at.get("grouping"), person.looks_at.get("feature")
    shown = []
    for place, grouping in enumerate(person.groupings, 1):
        row = tables.groupings.set_index("grouping").loc[grouping]
        here = person.part is not None and PLACES.get(person.part) == place
        mark = ' <span class="bw-badge">on screen</span>' if here else ""
        shown.append(f'<h3 class="bw-h3 iv-own">{place}. {escape(grouping)}{mark}</h3>')
        answers = tables.features[(tables.features["participant"] == person.name) & (tables.features["grouping"] == grouping)]
        by_feature = {int(one["feature"]): one for one in answers.to_dict("records")}
        for feature in row["features"]:
            eye = ' <span class="bw-badge">looks at it</span>' if here and looked == (grouping, feature) else ""
            shown.append(
                f'<p class="iv-answer"><b>Feature {feature}</b>{eye}{_said(by_feature.get(int(feature)), tables.protocol)}</p>'
            )
        actions = tables.actions[(tables.actions["participant"] == person.name) & (tables.actions["grouping"] == grouping)]
        for one in actions.to_dict("records"):
            names = ", ".join(str(tables.protocol.choices("actions").get(action, action)) for action in one["actions"])
            shown.append(f'<p class="iv-answer"><b>Would do</b> {escape(names)}{_text(one["text"])}</p>')
    survey = "sent" if person.surveyed else "not sent yet"
    shown.append(f'<p class="bw-quiet">Closing survey: {survey}. Its answers are private and are not shown here.</p>')
    return f'<div class="iv-live">{"".join(shown)}</div>'


def _said(row: dict[object, object] | None, protocol: Protocol) -> str:
    if row is None:
        return " <span>no answer yet</span>"
    described, necessity = dict(DESCRIBES).get(str(row["describes"])), dict(NECESSITY).get(str(row["necessity"]))
    hard = row["difficulties"]
    kinds = ", ".join(str(protocol.choices("difficulties").get(one, one)) for one in hard) if isinstance(hard, list) else ""
    parts = [
        f" describes it: {escape(described.lower())}" if described else "",
        _text(row["description"]),
        f"<br>hard: {escape(kinds)}" if kinds else "",
        _text(row["difficulty"]),
        f"<br>{escape(necessity)}" if necessity else "",
        _text(row["reason"]),
    ]
    return "".join(parts)


def _text(value: object) -> str:
    return f" <q>{escape(value)}</q>" if isinstance(value, str) and value.strip() else ""


def _quotes(tables: InterviewTables, person: Participant) -> str:
    found = tables.quotes[tables.quotes["participant"] == person.name].sort_values("quote", ascending=False)
    if found.empty:
        return '<p class="bw-quiet">No quotes yet.</p>'
    lines = "".join(
        f"<li><time>{minutes_text(row['seconds'])}</time> <q>{escape(row['text'])}</q>"
        f"<small>{escape(_about(row, tables.protocol))}</small></li>"
        for row in found.to_dict("records")
    )
    return f'<h3 class="bw-h3 iv-own">Quotes</h3><ul class="iv-quotes">{lines}</ul>'


def _about(row: dict[object, object], protocol: Protocol) -> str:
    theme = protocol.choices("themes").get(str(row["theme"])) if isinstance(row["theme"], str) else None
    grouping = row["grouping"] if isinstance(row["grouping"], str) else None
    author = "noted by the participant" if row["author"] == "participant" else None
    return " · ".join(str(one) for one in (theme, grouping, author) if one)


def _show_notes(store: StudyStore, tables: InterviewTables, person: Participant) -> None:
    """Note what is said, with the time; put it under a theme; take it out."""
    themes = tables.protocol.choices("themes")

    def keep() -> None:
        text, theme = st.session_state.get("quote", ""), st.session_state.get("quote theme")
        now = store.interviews.participant(person.number)
        grouping = now.groupings[PLACES[now.part] - 1] if now.part in PLACES and now.groupings else None
        if not text.strip():
            return
        if act(lambda: store.interviews.quote(person.number, text, theme=theme, grouping=grouping)):
            st.session_state["quote"] = ""

    st.text_area("A quote, word for word", height=90, key="quote", placeholder="The time on the clock is noted with it.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Theme", list(themes), index=None, format_func=lambda one: plain(themes[one]), key="quote theme", width=220)
        st.button("Note it", type="primary", key="note", on_click=keep)
    found = tables.quotes[tables.quotes["participant"] == person.name]
    if found.empty:
        return
    with st.expander("Change a quote"):
        said = {int(row["quote"]): f"{minutes_text(row['seconds'])} {row['text'][:60]}" for row in found.to_dict("records")}
        number = st.selectbox("Quote", list(said), format_func=lambda one: plain(said[one]), key="quote to change")
        current = found.loc[found["quote"] == number, "theme"].iloc[0]
        options: list[str | None] = [None, *themes]
        st.selectbox(
            "Its theme",
            options,
            index=options.index(current if isinstance(current, str) else None),
            format_func=lambda one: "none" if one is None else plain(themes[one]),
            key=f"theme of {number}",
            on_change=press(lambda: store.interviews.set_theme(number, st.session_state[f"theme of {number}"])),
        )
        st.button("Remove it", key=f"remove {number}", on_click=press(lambda: store.interviews.remove_quote(number)))


def _show_people(store: StudyStore, tables: InterviewTables) -> None:
    """Who was invited, how far they are, their links; more invitations."""
    people = tables.participants
    codes = {name_of(number): f"?code={code}" for number, code in store.interviews.codes().items()}
    shown = people.assign(
        role=people["role"].map(tables.protocol.choices("roles")),
        experience=people["experience"].map(tables.protocol.choices("experience")),
        minutes=people["minutes"].round(1),
        link=people["participant"].map(codes),
        way=people["guided"].map({True: "with an interviewer", False: "alone"}),
    )
    st.dataframe(shown[["participant", "state", "role", "experience", "minutes", "way", "link"]], hide_index=True)
    st.caption(
        plain("A link is the address of the participants' page followed by what stands here: https://study.example.org/?code=…")
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("How many", 1, 100, 1, key="how many", width=140)
        st.toggle("They go through it alone", key="alone")
        st.button("Invite", key="invite", on_click=press(lambda: _invite(store), "Invited."))


def _invite(store: StudyStore) -> None:
    from study.participants.platforms import new_invite_codes

    for code in new_invite_codes(int(st.session_state["how many"])):
        store.interviews.invite(code, guided=not st.session_state["alone"])
