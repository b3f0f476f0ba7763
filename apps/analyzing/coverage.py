"""What the word vectors know of the words that people used; shown wherever something is computed with them."""

from __future__ import annotations

from html import escape

import streamlit as st

from analyzing.study_place import here
from barlow_core.wording import percent
from study.analysis import Analysis

NEED_VECTORS = ("agreement", "names", "understanding")
MOST = 300  # unknown words in the fold


def show_coverage(analysis: Analysis) -> None:
    """The vectors, the share of words that they know, and all words that they do not."""
    found = analysis.coverage
    share = "no words yet" if found.share is None else f"{percent(found.share)} of {found.words:,} words have a vector"
    options = [name for name, chosen in zip(("spelling", "hyphens", "plurals"), here().wording_switches, strict=True) if chosen]
    rule = f"departs from the paper's rule: {', '.join(options)}" if options else "the paper's rule"
    st.html(f'<p class="bw-words"><b>Word vectors</b> {escape(analysis.vectors_text)} · {escape(share)} · {escape(rule)}</p>')
    n = len(found.unknown)
    if not n:
        return
    with st.expander(f"{n:,} unknown word{'s' if n > 1 else ''}", type="compact"):
        listed = found.unknown.head(MOST)
        words = ", ".join(f"{word} ({n_times})" for word, n_times in zip(listed["word"], listed["occurrences"], strict=True))
        more = f" … and {n - MOST:,} more." if n > MOST else ""
        st.html(f'<p class="bw-quiet">{escape(words)}{more}</p>')
