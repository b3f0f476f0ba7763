"""What workers reported, with the pictures that they saw; and what the rules of the study flagged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from shared.html import plain
from shared.panel_pictures import panel_html

from administering.acting import act
from administering.tables import moment_column
from barlow_core.errors import BarlowError
from study.setup.frozen_panels import has_pictures, load_item_panel
from study.store import StudyStore

TEXT = st.column_config.TextColumn


def show_reports(store: StudyStore) -> None:
    """What workers said is wrong; the open ones first, each with its pictures."""
    table = store.reports().sort_values("done", kind="stable")
    if table.empty:
        st.info("No problems have been reported.")
        return
    st.dataframe(
        table,
        hide_index=True,
        row_height=60,
        column_order=["done", "at", "item", "text", "worker"],
        column_config={
            "done": "Done",
            "at": moment_column("When (UTC)"),
            "item": TEXT("Task"),
            "text": TEXT("What they say", width="large"),
            "worker": TEXT("Worker"),
        },
    )
    rows: dict[int, Mapping[Any, Any]] = {int(row["number"]): row for row in table.to_dict("records")}
    said = {number: f"{row['at']:%Y-%m-%d %H:%M} · {row['item']} · {row['text'][:80]}" for number, row in rows.items()}
    number = st.selectbox(
        "Look at one, with its pictures", list(said), format_func=lambda one: said[one], index=None, key="report"
    )
    if number is None:
        return
    st.text(rows[number]["text"])
    _show_pictures(store, rows[number]["item"])
    if not rows[number]["done"]:
        st.button("Done", key="report done", on_click=act, args=(lambda: store.settle_report(number), "The report is done."))


def _show_pictures(store: StudyStore, item: str) -> None:
    data = next(one for one in store.item_list() if one["id"] == item)
    if not has_pictures(data):
        st.caption("This task has no pictures.")
        return
    try:
        st.html(panel_html(load_item_panel(store.path, data)))
    except BarlowError as error:
        st.error(plain(str(error)))


def show_flags(store: StudyStore) -> None:
    """Answers and workers that broke a stated rule, and devices with more than one worker."""
    flags = store.flags()
    st.html('<h2 class="bw-h3">Flagged</h2>')
    if flags.empty:
        st.caption("No answer broke a rule (speed, identical, automation, duplicates: see the settings).")
    else:
        st.dataframe(
            flags,
            hide_index=True,
            column_config={"at": moment_column("When (UTC)"), "item": TEXT("Task"), "worker": TEXT("Worker"), "rules": "Rules"},
        )
    for ids in store.duplicates():
        st.caption(plain(f"From one device: {', '.join(ids)}"))
