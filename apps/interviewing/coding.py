"""Two coders read the free texts, each without seeing the other's codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from shared.html import plain

from interviewing.keeping import bound
from study.answers.coding import texts_to_code
from study.store import StudyStore
from study.store.interviews.frames import InterviewTables
from study.store.interviews.people import number_of

TITLES = {"actions": "What to do", "difficulties": "What makes a feature hard to describe"}


def show_coding(store: StudyStore, tables: InterviewTables) -> None:
    """The texts with the codes of one coder."""
    coder = st.text_input("Who codes?", key="coder", width=240, placeholder="a name of your own").strip()
    texts = texts_to_code(tables)
    if texts.empty:
        st.info("No participant has written a text that could be coded yet.")
        return
    if not coder:
        st.caption(
            "Two coders code on their own; the analysis gives their agreement with kappa. As a table: barlow study interview code."
        )
        return
    mine = tables.codings[tables.codings["coder"] == coder]
    done = {
        tuple(row[:4]): row[4] for row in mine[["what", "participant", "grouping", "feature", "codes"]].itertuples(index=False)
    }
    st.progress(len(done) / len(texts), text=f"{len(done):,} of {len(texts):,} texts coded by {plain(coder)}")
    what = st.segmented_control(
        "Texts about", list(TITLES), format_func=TITLES.__getitem__, default="actions", key="coded what", required=True
    )
    choices = tables.protocol.choices(str(what))
    for row in texts[texts["what"] == what].to_dict("records"):
        _show_text(store, coder, row, choices, done)


def _show_text(
    store: StudyStore, coder: str, row: Mapping[Any, Any], choices: Mapping[str, str], done: Mapping[tuple[Any, ...], list[str]]
) -> None:
    what, participant, grouping, feature = (row[name] for name in ("what", "participant", "grouping", "feature"))
    about = grouping if feature < 0 else f"{grouping}, feature {feature}"

    def keep(codes: list[str]) -> None:
        store.interviews.code(
            what, number_of(participant), grouping, None if feature < 0 else feature, coder=coder, codes=list(codes or [])
        )

    with st.container(border=True):
        st.text(row["text"])
        st.multiselect(
            plain(f"{participant}, {about}"),
            list(choices),
            format_func=lambda one: plain(choices[one]),
            placeholder="Choose all that the text says",
            **bound(
                f"codes {coder} {what} {participant} {grouping} {feature}",
                list(done.get((what, participant, grouping, feature), [])),
                keep,
            ),
        )
