"""Items and workers: all items as a table, and one item or worker in full."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Any

import pandas as pd
import streamlit as st
from shared.html import plain
from shared.panel_pictures import further_html, panel_html

from analyzing.results import heading, rows_that_open
from analyzing.study_place import go, here
from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.analysis import Analysis, ItemView, further_pictures, item_panel
from study.core_or_spurious import ANSWERS
from study.report import style

USEFUL = {"B": "B, the heatmaps", "C": "C, the feature attack", "both": "both", "none": "none"}
TABLE = {
    "condition": "Condition",
    "grouping": "Grouping",
    "class_name": "Class",
    "tier": "Error tier",
    "feature": "Feature",
    "ease": "Ease",
    "confidence": "Confidence",
    "n": "n",
    "vote": "Vote",
    "short": "Agreement, short",
    "long": "Agreement, long",
    "name": "Name",
    "support": "Support",
    "mark": "Mark",
    "verdict": "Verdict",
    "object": "Main object",
    "background": "Background",
    "separate": "Separate object",
    "yes": "The same",
    "no": "Something else",
    "rank": "Rank",
    "mutual_information": "Mutual information",
    "ber": "Error rate",
    "activation": "Activation",
    "salience": "Salience",
}
MOST_ROWS = 18
SHOWN = ("Short", "Long", "Ease", "Confidence", "Most useful", "Seconds", "Worker")
SHOWN_DECIDED = {
    "part": ("What is highlighted", "Reason", "Confidence", "Seconds", "Worker"),
    "same": ("The same thing", "Reason", "Confidence", "Seconds", "Worker"),
}


def show_items(analysis: Analysis) -> None:
    """All items as a table that sorts and searches; a ticked row opens."""
    table = analysis.item_table.reset_index()
    if "vote" in table:
        table["vote"] = table["vote"].astype(object).where(~table["tied"], "tie").fillna("—")
    st.html(
        heading("All items", f"{analysis.n_text}. Click a column heading to sort; use the table's magnifying glass to search.")
    )
    number = st.column_config.NumberColumn
    formats: dict[str, Any] = {name: number(TABLE[name], format="%.2f") for name in ("ease", "confidence", "short", "long")}
    formats |= {name: number(TABLE[name], format="%.3f") for name in ("mutual_information", "activation", "salience")}
    formats = {name: one for name, one in formats.items() if name in table}
    formats |= {"ber": number(TABLE["ber"], format="percent"), "item": st.column_config.TextColumn("Item", pinned=True)}
    rows_that_open(
        table,
        "item",
        key="all items",
        rows=MOST_ROWS,
        column_order=["item", *(name for name in TABLE if name in table)],
        column_config=TABLE | formats,
    )
    st.download_button(
        "CSV",
        partial(_csv, analysis),  # made when it is asked for
        "items.csv",
        "text/csv",
        key="download items",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
        help="All items, as CSV",
    )


def _csv(analysis: Analysis) -> bytes:
    from study.report import items_csv  # what lays out documents, which looking does without

    return items_csv(analysis)


def show_item(analysis: Analysis, item: str) -> None:
    """An item with its pictures and everything that was said about it."""
    with st.container(horizontal=True, vertical_alignment="center", key="way"):
        _back()
        _neighbours(analysis, item)
    try:
        view = analysis.item(item)
    except BarlowError as error:
        st.warning(plain(str(error)))
        return
    st.html(heading(view.title, view.lead) + facts(view.attributes))
    _show_pictures(analysis, item)
    st.html(f'<h3 class="bw-h3 bw-apart">What people said</h3>{answers_html(view.answers)}')
    _open_workers(view)
    if view.verdict is None:
        st.html(f'<h3 class="bw-h3 bw-apart">Agreement of the descriptions</h3>{agreement_html(view)}')


def show_worker(analysis: Analysis, worker: str) -> None:
    """A worker: what speaks for and against their answers, and the answers."""
    _back()
    try:
        view = analysis.worker(worker)
    except BarlowError as error:
        st.warning(plain(str(error)))
        return
    st.html(heading(f"Worker {view.worker}", view.lead) + facts(view.attributes))
    if view.answers.empty:
        st.info("The current filters leave none of this worker's answers.")
        return
    st.html('<h3 class="bw-h3 bw-apart">Their answers</h3>')
    asked = (
        ("short", "long", "ease", "confidence", "useful") if analysis.study.asks is None else (*ANSWERS, "reason", "confidence")
    )
    shown = [name for name in ("item", *asked, "seconds") if name in view.answers]
    names: dict[str, Any] = {name: name.capitalize() for name in shown}
    names |= {"useful": "Most useful", "part": "What is highlighted", "same": "The same thing"} | {
        "seconds": st.column_config.NumberColumn("Seconds", format="%.0f")
    }
    rows_that_open(view.answers, "item", key="answers of the worker", rows=MOST_ROWS, column_order=shown, column_config=names)


def _back() -> None:
    st.button("← Back to the results", on_click=go, kwargs={"page": here().page}, type="tertiary")


def _neighbours(analysis: Analysis, item: str) -> None:
    """The items before and after this one in the table of all items."""
    order = [str(other) for other in analysis.item_table.index]
    at = order.index(item) if item in order else len(order)
    for label, there in (("Previous item", order[:at][-1:]), ("Next item", order[at + 1 :][:1])):
        st.button(label, on_click=go, kwargs={"item": there[0] if there else None}, disabled=not there, type="tertiary")


def facts(values: Mapping[str, str]) -> str:
    """Names and values as a quiet list."""
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in values.items())
    return f'<dl class="bw-facts">{cells}</dl>'


def _show_pictures(analysis: Analysis, item: str) -> None:
    try:
        panel, further = item_panel(analysis.study, item), further_pictures(analysis.study, item)
    except BarlowError as error:
        st.html(f'<p class="bw-empty">{escape(str(error))}</p>')
        return
    st.html(panel_html(panel))
    if further is not None:
        activations = [f"{one['activation']:.3f}" for one in further.about]
        st.html(further_html(list(zip(further.images, further.overlays, activations, strict=True))))


def answers_html(answers: pd.DataFrame) -> str:
    """Every answer in full, exactly as it was typed."""
    if answers.empty:
        return '<p class="bw-empty">No answers here with the current filters. Remove filters to see more.</p>'
    decides = next((question for question in ANSWERS if question in answers), None)
    names = SHOWN if decides is None else SHOWN_DECIDED[decides]
    head = "".join(f"<th scope='col'>{name}</th>" for name in names)
    rows = "".join(_answer_html(row, names, decides) for row in answers.itertuples())
    return f'<table class="bw-answers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _answer_html(row: Any, names: tuple[str, ...], decides: str | None) -> str:
    said: tuple[str, ...]
    if decides is None:
        said = (_typed(row.short), _typed(row.long), _whole(row.ease), _whole(row.confidence), USEFUL.get(row.useful, "–"))
    else:
        said = (escape(style.label(getattr(row, decides))), _typed(getattr(row, "reason", None)), _whole(row.confidence))
    values = (
        *said,
        _whole(getattr(row, "seconds", None)),
        f"<small>{escape(str(row.worker))}{' (simulated)' if row.simulated else ''}</small>",
    )
    return "<tr>" + "".join(f'<td data-name="{name}">{value}</td>' for name, value in zip(names, values, strict=True)) + "</tr>"


def _typed(text: Any) -> str:
    return escape(text) if isinstance(text, str) and text.strip() else '<i class="bw-quiet">nothing</i>'


def _whole(number: Any) -> str:
    return "–" if pd.isna(number) else f"{number:.0f}"


def _open_workers(view: ItemView) -> None:
    if view.answers.empty:
        return
    with st.expander("Open one of these workers", type="compact"), st.container(horizontal=True, gap="small"):
        for worker in view.answers["worker"]:
            st.button(plain(str(worker)), key=f"worker {worker}", on_click=go, kwargs={"worker": str(worker)}, type="tertiary")


def agreement_html(view: ItemView) -> str:
    """The agreement of the descriptions by kind, with the words that have no vector."""
    rows = []
    for kind, found in view.agreement.items():
        value = f"{found.value:.4f}" if found.value is not None else "undefined"
        below = [] if found.reason is None else [found.reason]
        below.append(f"{found.usable} of {count(found.n, 'description')} usable")
        below.append(f"without a vector: {', '.join(found.unknown)}" if found.unknown else "every word has a vector")
        rows.append(
            f"<div><dt>{escape(kind.capitalize())}</dt><dd>{escape(value)}</dd>"
            f'<dd class="bw-below">{escape(" · ".join(below))}</dd></div>'
        )
    return f'<dl class="bw-stats bw-numbers">{"".join(rows)}</dl>'
