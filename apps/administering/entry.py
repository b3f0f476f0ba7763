"""Who may come in, and how the study is set: pause, invites, settings."""

from __future__ import annotations

import streamlit as st

from administering.acting import act
from barlow_core.wording import count
from study.participants.platforms import new_invite_codes
from study.store import StudyStore
from study.store.settings import CHANGEABLE, SECRET
from study.store.written_settings import parse, written

MOST_INVITES = 500


def show_entry(store: StudyStore) -> None:
    """Room for new people, a pause, invites, settings; all of it holds at once in every process that serves the study."""
    settings, places = store.settings, store.places()
    if settings.recruiting:
        st.text(f"Open to new people: {places.free:,} free, {places.taken:,} taken for the moment.")
        st.button(
            "Pause: let nobody new in", key="pause", on_click=act, args=(lambda: store.configure(recruiting=False), "Paused.")
        )
    else:
        st.warning("Paused: nobody new is let in. Those who take part already go on.")
        st.button(
            "Resume", key="resume", on_click=act, args=(lambda: store.configure(recruiting=True), "Open to new people again.")
        )
    st.html('<h2 class="bw-h3">Invites</h2>')
    st.caption(f"{count(len(settings.invite_codes), 'invite code')}; each is a personal link that ends in ?invite=CODE.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input("More of them", 1, MOST_INVITES, 1, key="more invites", width=160)
        st.button("Make invite codes", key="invite", on_click=_invite, args=(store,))
    if settings.invite_codes and st.toggle("Show the codes", key="show invites"):
        st.code("\n".join(settings.invite_codes), language=None)
    _show_settings(store)


def _invite(store: StudyStore) -> None:
    codes = new_invite_codes(int(st.session_state["more invites"]))
    act(lambda: store.invite(codes), f"New invite codes: {', '.join(codes)}")


def _show_settings(store: StudyStore) -> None:
    st.html('<h2 class="bw-h3">Settings</h2>')
    values = written(store.settings)
    names = [name for name in CHANGEABLE if name not in SECRET]
    name = st.selectbox("A setting that can change while people answer", names, index=None, key="setting")
    if name is None:
        return
    key = f"value of {name}"
    st.text_area("Value (texts as they are, everything else as JSON)", str(values[name]), key=key)

    def change() -> None:
        store.configure(**{name: parse(name, st.session_state[key])})

    st.button("Change", key="change setting", on_click=act, args=(change, f"{name} is changed."))
