"""Which page is shown; everything that a page needs is imported from here, after the first paint."""

from __future__ import annotations

from json import JSONDecodeError

import streamlit as st
from pyarrow import ArrowInvalid
from shared.html import plain
from streamlit.delta_generator import DeltaGenerator

from barlow_core.errors import BarlowError
from browsing.compare import show_compare
from browsing.downloads import show_downloads
from browsing.group import show_group
from browsing.header import settle, show_header
from browsing.judgements import opinions
from browsing.notes import show_notes
from browsing.overview import show_overview
from browsing.run_place import adopt_url, here, write_url
from browsing.search import show_search
from browsing.started import open_chosen, started


def show(first: DeltaGenerator) -> None:
    """The page at the URL, from top to bottom; what keeps it from being shown is said in a message.

    Args:
        first: what was painted before, to be emptied.
    """
    try:
        _show(first)
    except BarlowError as error:
        first.empty()
        st.error(plain(str(error)))
    except OSError as error:
        first.empty()
        st.error(plain(f"A file of this run cannot be read: {error}. Restore it, or make the run again."))
    except (ArrowInvalid, JSONDecodeError) as error:
        first.empty()
        st.error(
            plain(
                f"A file of this run cannot be read because it is incomplete or damaged: {error}. If a command is writing the run, "
                "wait until it has finished and reload; otherwise make the run again."
            )
        )


def _show(first: DeltaGenerator) -> None:
    adopt_url()
    chosen = started()
    name, run = open_chosen(chosen, here().run)
    if not show_header(first, chosen, name, run):
        return
    usual = settle(chosen, name, run)
    said = opinions(run, read_only=chosen.read_only)
    page = here().page
    if page == "group":
        show_group(run, said, usual)
    elif page == "search":
        show_search(run, said)
    elif page == "compare":
        show_compare(chosen, name, run)
    elif page == "notes":
        show_notes(run, said)
    elif page == "export":
        show_downloads(run, said, usual)
    else:
        show_overview(run, said)
    write_url(usual)
