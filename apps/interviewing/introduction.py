"""What a participant reads first: the way from images to failure modes as a figure, the terms, the scenario."""

from __future__ import annotations

from html import escape

import streamlit as st
from shared.html import paragraphs

from study.protocol import Protocol

# A box: what it is, and what happens there. Five of them in a row, or below each other on a narrow screen.
STEPS = (
    ("Images", "labelled, with the predictions of the classifier that is looked at"),
    ("Robust network", "describes every image by features"),
    ("Groups", "all images with one label, or with one prediction"),
    ("Failure tree", "splits a group by the features that tell failures from successes"),
    ("Failure modes", "nodes in which failures concentrate"),
    ("Pictures", "A strongest images, B heatmaps, C changed images"),
)


def show_introduction(protocol: Protocol) -> None:
    """The workflow and its terms."""
    boxes = "".join(
        f"<li><b>{number}. {escape(name)}</b><span>{escape(text)}</span></li>" for number, (name, text) in enumerate(STEPS, 1)
    )
    terms = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in protocol.terms)
    st.html(
        f'<div class="iv-text"><h2 class="bw-h2">How failures are found</h2>'
        f'<ol class="iv-steps" aria-label="From images to failure modes">{boxes}</ol>'
        f"{''.join(paragraphs(text) for text in protocol.workflow)}"
        f'<h3 class="bw-h3">Terms</h3><dl class="iv-terms">{terms}</dl></div>'
    )


def show_scenario(protocol: Protocol) -> None:
    """What the participant is asked to imagine."""
    st.html(f'<div class="iv-text"><h2 class="bw-h2">Your situation</h2>{paragraphs(protocol.scenario)}</div>')
