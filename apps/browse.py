"""Browse the failure modes of runs: `barlow browse RUN [RUN...]`, or `streamlit run apps/browse.py -- RUN [RUN...]`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from shared.html import style

STYLE = Path(__file__).parent / "browsing" / "style.css"


def main() -> None:
    """Paint at once, then show the page."""
    st.set_page_config("Failure modes", layout="wide")
    style("tree.css")
    st.html(f"<style>{STYLE.read_text(encoding='utf-8')}</style>")
    first = st.empty()
    first.html('<header class="bw-title"><h1>Failure modes</h1><p role="status">Opening …</p></header>')
    from browsing.pages import show  # Tables, charts and trees take a second or two to import, once after the start.

    show(first)


main()
