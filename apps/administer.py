"""The admin page of a study: `barlow study admin STUDY`, or `streamlit run apps/administer.py -- STUDY`.

A process of its own on a port of its own, so that a worker's page can never lead here.
"""

from __future__ import annotations

from html import escape

import streamlit as st
from administering.acting import show_what_was_said
from administering.entry import show_entry
from administering.money import show_money
from administering.panes import show_copies, show_progress, show_workers
from administering.problems import show_flags, show_reports
from shared.arguments import ADMINISTER, arguments
from shared.door import passes
from shared.html import plain, style
from shared.studies import open_store

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.store import StudyStore

EVERY = 30  # seconds between two looks at the progress


def main() -> None:
    """The page, for those who may see it."""
    st.set_page_config("Study admin", layout="wide", menu_items={})
    style()
    try:
        store = open_store(arguments(ADMINISTER).paths[0])
        if passes(store):
            show(store)
    except BarlowError as error:
        st.error(plain(str(error)))


def show(store: StudyStore) -> None:
    """Everything that the page has."""
    if trouble := store.trouble():
        st.error(plain(trouble))
    st.html(f'<header class="bw-title"><h1>{escape(store.settings.title)}</h1><p>{escape(store.path.name)}</p></header>')
    with st.container():  # always there, so that the tabs below keep their place
        show_what_was_said()
    progress(store)
    open_reports = int((~store.reports()["done"]).sum())
    workers, problems, money, entry, copies = st.tabs(
        [
            "Workers",
            f"Problems ({open_reports})" if open_reports else "Problems",
            "Pay",
            "Entry and settings",
            "Answers and backups",
        ]
    )
    with workers:
        show_workers(store)
    with problems:
        show_reports(store)
        show_flags(store)
    with money:
        show_money(store)
    with entry:
        show_entry(store)
    with copies:
        show_copies(store)


@st.fragment(run_every=EVERY)
def progress(store: StudyStore) -> None:
    """Where the study stands, looked at again by itself."""
    done = store.progress()
    if done.answers_simulated:
        st.warning(f"{count(done.answers_simulated, 'answer')} of {done.answers:,} come from simulated workers, not from people.")
    show_progress(done)


main()
