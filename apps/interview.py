"""Interviews of a study: `barlow study interview serve STUDY`, or `streamlit run apps/interview.py -- STUDY [--interviewer]`.

The participant's page and the interviewer's are the same script in two processes on two ports: a participant's link can never lead to
the interviewer's page, and what the interviewer's page does not load it cannot show.
"""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st
from shared.arguments import INTERVIEW, INTERVIEWER, arguments
from shared.html import plain, style
from shared.studies import open_store

from barlow_core.errors import BarlowError

STYLE = Path(__file__).parent / "interviewing" / "style.css"


def main() -> None:
    """The page of whoever this process is for."""
    st.set_page_config("Interview", layout="wide", initial_sidebar_state="collapsed", menu_items={})
    style("tree.css")
    st.html(f"<style>{STYLE.read_text(encoding='utf-8')}</style>")
    try:
        given = arguments(INTERVIEW)
        store = open_store(given.paths[0])
        if INTERVIEWER in given.switches:
            from interviewing.interviewer import show_interviewer

            show_interviewer(store)
        else:
            from interviewing.participant import show_participant

            show_participant(store)
    except BarlowError as error:
        print(error, file=sys.stderr)
        if INTERVIEWER in sys.argv:
            st.error(plain(str(error)))
        else:
            st.error(
                "This page is not available at the moment. What you entered is saved. Please reload in a minute, or write to us."
            )


main()
