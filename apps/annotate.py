"""The worker's page of a study: `barlow study serve STUDY`, or `streamlit run apps/annotate.py -- STUDY [--preview]`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from annotating import pages, task, visit
from annotating.arriving import arrive
from annotating.binding import KEY, is_theirs
from annotating.component import show_around, show_form
from annotating.item_pictures import example_item, item_data, item_panel, more_pictures
from annotating.visit import Visit
from shared.arguments import ANNOTATE, PREVIEW, arguments
from shared.html import served_picture, style
from shared.studies import open_preview, open_store
from shared.visitors import visitor_address

from barlow_core.errors import BarlowError
from barlow_core.panels import Panel
from study.errors import UnknownVisitorError
from study.participants.platforms import Identity, completion, new_guest, visitor_message
from study.store import StudyStore
from study.store.languages import preferred
from study.store.settings import GUEST_PREFIX, StudySettings
from study.texts import ENGLISH, Texts

VISIT = "visit"
IDENTITY = "identity"


def main() -> None:
    """The page that comes next for this visitor."""
    st.set_page_config(layout="wide", initial_sidebar_state="collapsed", menu_items={})
    style()
    st.html(f"<style>{(Path(__file__).parent / 'annotating' / 'style.css').read_text(encoding='utf-8')}</style>")
    try:
        given = arguments(ANNOTATE)
        path, preview = given.paths[0], PREVIEW in given.switches
        store = open_preview(path) if preview else open_store(path)
    except BarlowError as error:
        print(error, file=sys.stderr)
        show_trouble("unavailable", ENGLISH("trouble.unavailable"), ENGLISH)
        return
    language = preferred(store.settings.languages, str(st.context.headers.get("Accept-Language", "")))
    settings, texts = store.settings.in_language(language), store.settings.texts_in(language)
    if preview:
        pages.show_preview_note(texts)
    try:
        identity = who(store, preview=preview)
        if identity.preview:
            show_example(path, store, settings, texts)
            return
        at = current_visit(store, identity, language)
        shown = show(path, at)
        finish(at.page, shown, at.settings, at.texts, {} if preview else own_link(at))
    except UnknownVisitorError as error:
        show_trouble("visitor", visitor_message(texts, error.key, error.values), texts, settings)
    except BarlowError as error:
        print(error, file=sys.stderr)
        show_trouble("moment", texts("trouble.unreadable"), texts, settings, again=lambda: None)


def finish(page: str, title: str, settings: StudySettings | None, texts: Texts, link: Mapping[str, str] | None = None) -> None:
    """What every page has: a title in the browser, its language, an address that leads back."""
    study = texts("page.study") if settings is None else settings.title
    st.set_page_config(study if title == study else texts("page.title", page=title, study=study))
    show_around(page, link or {}, language=texts.language, direction=texts.direction)


def show_trouble(
    what: str, text: str, texts: Texts, settings: StudySettings | None = None, again: Callable[[], None] | None = None
) -> None:
    """A page that says what is in the way."""
    title = texts(f"trouble.{what}_title")
    pages.show_trouble(title, text, texts, settings, again)
    finish("trouble", title, settings, texts)


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


def current_visit(store: StudyStore, identity: Identity, language: str) -> Visit:
    """The visit that this page is; begun anew after a reload, which goes on where the file says."""
    found: Visit | None = st.session_state.get(VISIT)
    if found is None or found.identity != identity or found.store is not store:
        theirs = is_theirs(store, identity, st.query_params.get(KEY))
        device = _device(store, identity)
        found = st.session_state[VISIT] = visit.begin(store, identity, theirs=theirs, device=device, language=language)
    return found


def _device(store: StudyStore, identity: Identity) -> str | None:
    """A name of the visitor's device, for somebody who came by an open link; None where nothing is known, or not wanted."""
    if not identity.worker_id.startswith(GUEST_PREFIX) or store.settings.duplicates == "off":
        return None
    headers = st.context.headers
    address = visitor_address()
    browser = f"{headers.get('User-Agent', '')}|{headers.get('Accept-Language', '')}"
    return store.device(address, browser) if address else None


def show(path: Path, at: Visit) -> str:
    """The page at which a visit is; its title."""
    settings, texts = at.settings, at.texts
    if at.page == "consent":
        pages.show_notice(at)
        at.consent = settings.consent
        pages.show_consent(at, lambda: visit.agree(at), lambda: visit.decline(at))
        return settings.title
    if at.page == "instructions":
        pages.show_instructions(at, at.store.standing(at.worker).practice_total, lambda: visit.start(at))
        return texts("instructions.heading")
    if at.page == "quiz":
        pages.show_notice(at)
        pages.show_quiz(at, lambda chosen: visit.take_quiz(at, chosen))
        return texts("quiz.heading", n=len(settings.quiz))
    if at.page == "trouble":
        text = f"{at.notice} {texts('trouble.saved')}"
        pages.show_trouble(texts("trouble.moment_title"), text, texts, settings, again=lambda: visit.try_again(at))
        return texts("trouble.moment_title")
    if at.page == "end":
        end = completion(at.identity, settings, at.outcome or "complete", texts)
        go_on = (lambda: visit.advance(at)) if at.standing is not None and at.standing.outcome is None else None
        pages.show_end(at, end, go_on)
        return end.title
    panel, more, trouble = pictures_of(path, at.store, at.item, texts)
    data = task.form_data(at, panel, served_picture, more=more, trouble=trouble)
    show_form(data, lambda message: visit.handle(at, message))
    return str(data["title"])


def pictures_of(
    path: Path, store: StudyStore, item: str | None, texts: Texts
) -> tuple[Panel | None, dict[str, list[list[dict[str, Any]]]], str]:
    """The panel of an item, what is shown beside it (`task.more_data`), and what is wrong with the pictures, in words for a worker."""
    panel, trouble = item_panel(path, store, item, texts)
    more, more_trouble = more_pictures(path, store, item, texts)
    class_name = str(item_data(store, item).get("class_name", ""))
    return panel, task.more_data(more, class_name, served_picture, texts), trouble or more_trouble


def show_example(path: Path, store: StudyStore, settings: StudySettings, texts: Texts) -> None:
    """What a task looks like, for somebody who has not accepted it yet."""
    panel, more, trouble = pictures_of(path, store, example_item(store), texts)
    show_form(task.example_data(settings, texts, panel, served_picture, more=more, trouble=trouble), lambda message: None)
    finish("example", texts("task.preview"), settings, texts)


main()
