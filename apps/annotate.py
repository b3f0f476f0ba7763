"""The worker's page of a study: `barlow study serve STUDY`, or `streamlit run apps/annotate.py -- STUDY [--preview]`."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st
from annotating import pages, task, visit
from annotating.arriving import arrive, visitor_address
from annotating.binding import KEY, is_theirs
from annotating.component import show_around, show_form
from annotating.item_pictures import example_item, item_panel
from annotating.visit import Visit
from shared.arguments import ANNOTATE, PREVIEW, arguments
from shared.html import served_picture, style
from shared.studies import open_preview, open_store

from barlow_core.errors import BarlowError
from study.errors import UnknownVisitorError
from study.participants.platforms import Identity, completion, new_guest
from study.store import StudyStore
from study.store.settings import GUEST_PREFIX

VISIT = "visit"
IDENTITY = "identity"


def main() -> None:
    """The page that comes next for this visitor."""
    st.set_page_config("Study", layout="wide", initial_sidebar_state="collapsed", menu_items={})
    style()
    st.html(f"<style>{(Path(__file__).parent / 'annotating' / 'style.css').read_text(encoding='utf-8')}</style>")
    try:
        given = arguments(ANNOTATE)
        path, preview = given.paths[0], PREVIEW in given.switches
        store = open_preview(path) if preview else open_store(path)
    except BarlowError as error:
        print(error, file=sys.stderr)
        pages.show_trouble(
            "The study is not available", "Something is not set up as it should be. The researchers need to fix it."
        )
        return
    try:
        identity = who(store, preview=preview)
    except UnknownVisitorError as error:
        pages.show_trouble("We cannot let you in yet", str(error), store.settings)
        return
    if identity.preview:
        show_example(path, store)
        return
    try:
        at = current_visit(store, identity)
        show(path, at)
        show_around(at.page, {} if preview else own_link(at))
    except UnknownVisitorError as error:
        pages.show_trouble("We cannot let you in yet", str(error), store.settings)
    except BarlowError as error:
        print(error, file=sys.stderr)
        text = "The study cannot be read at the moment. What you sent is saved. Please try again in a few minutes."
        pages.show_trouble("One moment, please", text, store.settings, again=lambda: None)


def who(store: StudyStore, *, preview: bool) -> Identity:
    """Who this is, as the link says; kept for as long as the page is open.

    Args:
        preview: whoever looks is somebody new, whatever the link says, in a copy that is thrown away.

    Raises:
        UnknownVisitorError: the link names nobody.
    """
    query = st.query_params.to_dict()
    known: Identity | None = st.session_state.get(IDENTITY)
    if preview:
        pages.show_preview_note()
        return st.session_state.setdefault(IDENTITY, Identity("link", new_guest()))
    if known is not None and all(query.get(name, value) == value for name, value in known.query.items()):
        return known  # also without any parameters: Back leads to the link as it was opened
    identity = st.session_state[IDENTITY] = arrive(query, store, visitor_address())
    return identity


def own_link(at: Visit) -> dict[str, str]:
    """Parameters that make the address in the browser the visitor's own: a reload or another device finds the same person."""
    link = dict(at.identity.query)
    if at.theirs and at.identity.platform != "link" and at.page != "consent" and at.outcome != "declined":
        # From now on the link says that it is they; a platform's id alone does not.
        link[KEY] = at.store.sign(at.identity.worker_id)
    return link


def current_visit(store: StudyStore, identity: Identity) -> Visit:
    """The visit that this page is; begun anew after a reload, which goes on where the file says."""
    found: Visit | None = st.session_state.get(VISIT)
    if found is None or found.identity != identity or found.store is not store:
        theirs = is_theirs(store, identity, st.query_params.get(KEY))
        found = st.session_state[VISIT] = visit.begin(store, identity, theirs=theirs, device=_device(store, identity))
    return found


def _device(store: StudyStore, identity: Identity) -> str | None:
    """A name of the visitor's device, for somebody who came by an open link; None where nothing is known, or not wanted."""
    if not identity.worker_id.startswith(GUEST_PREFIX) or store.settings.duplicates == "off":
        return None
    headers = st.context.headers
    address = visitor_address()
    browser = f"{headers.get('User-Agent', '')}|{headers.get('Accept-Language', '')}"
    return store.device(address, browser) if address else None


def show(path: Path, at: Visit) -> None:
    """The page at which a visit is."""
    settings = at.store.settings
    if at.page == "consent":
        pages.show_notice(at)
        at.consent = settings.consent
        pages.show_consent(settings, lambda: visit.agree(at), lambda: visit.decline(at))
    elif at.page == "instructions":
        total = at.store.standing(at.worker).practice_total
        pages.show_instructions(settings, total, lambda: visit.start(at))
    elif at.page == "quiz":
        pages.show_notice(at)
        pages.show_quiz(settings, lambda chosen: visit.take_quiz(at, chosen))
    elif at.page == "trouble":
        pages.show_trouble(
            "One moment, please", f"{at.notice} What you sent is saved.", settings, again=lambda: visit.try_again(at)
        )
    elif at.page == "end":
        end = completion(at.identity, settings, at.outcome or "complete")
        go_on = (lambda: visit.advance(at)) if at.standing is not None and at.standing.outcome is None else None
        pages.show_end(settings, end, at.standing, go_on)
    else:
        panel, trouble = item_panel(path, at.store, at.item)
        show_form(task.form_data(at, panel, served_picture, trouble=trouble), lambda message: visit.handle(at, message))


def show_example(path: Path, store: StudyStore) -> None:
    """What a task looks like, for somebody who has not accepted it yet."""
    panel, trouble = item_panel(path, store, example_item(store))
    show_form(task.example_data(store.settings, panel, served_picture, trouble=trouble), lambda message: None)


main()
