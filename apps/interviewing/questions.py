"""The questions about a grouping, each kept as soon as it is answered."""

from __future__ import annotations

from html import escape
from typing import Any

import pandas as pd
import streamlit as st
from shared.html import plain

from interviewing.keeping import bound
from study.protocol import DESCRIBES, NECESSITY, Protocol
from study.setup.frozen_groupings import FrozenGrouping
from study.store import StudyStore
from study.store.interviews.people import name_of


def show_questions(store: StudyStore, protocol: Protocol, number: int, grouping: FrozenGrouping, feature: int) -> None:
    """Questions 1 and 2 about a feature, question 3 about the grouping."""
    tables = store.interviews.require_tables()
    name = grouping.id
    answered = tables.features
    answered = answered[(answered["participant"] == name_of(number)) & (answered["grouping"] == name)]
    about = _row(answered[answered["feature"] == feature])
    done = {int(one) for one in answered.loc[answered["describes"].notna() & answered["necessity"].notna(), "feature"]}
    _show_progress(grouping, feature, done)

    def keep(field: str) -> Any:
        return lambda value: store.interviews.answer_feature(number, name, feature, **{field: value})

    key = f"{name} {feature}"
    described = st.radio(
        f"1. Can you describe the images that feature {feature} stands for?",
        [value for value, _ in DESCRIBES],
        format_func=dict(DESCRIBES).__getitem__,
        horizontal=True,
        **bound(f"describes {key}", about.get("describes"), keep("describes")),
    )
    st.text_area(
        "In your own words", height=90, **bound(f"description {key}", about.get("description") or "", keep("description"))
    )
    if described in ("partly", "no") or about.get("difficulties"):
        st.multiselect(
            "What makes it hard?",
            [value for value, _ in protocol.difficulties],
            format_func=lambda value: plain(protocol.choices("difficulties")[value]),
            placeholder="Choose all that apply",
            **bound(f"difficulties {key}", list(about.get("difficulties") or []), keep("difficulties")),
        )
        st.text_area("What exactly?", height=70, **bound(f"difficulty {key}", about.get("difficulty") or "", keep("difficulty")))
    st.radio(
        "2. Is it necessary for the task, or a spurious correlation?",
        [value for value, _ in NECESSITY],
        format_func=dict(NECESSITY).__getitem__,
        **bound(f"necessity {key}", about.get("necessity"), keep("necessity")),
    )
    st.text_area("Why?", height=70, **bound(f"reason {key}", about.get("reason") or "", keep("reason")))
    st.divider()
    _show_actions(store, protocol, number, name, tables.actions)


def _show_progress(grouping: FrozenGrouping, feature: int, done: set[int]) -> None:
    left = [one for one in grouping.features if one not in done]
    marks = "".join(
        f'<li class="{"iv-done" if one in done else ""}">feature {one}{" (now)" if one == feature else ""}</li>'
        for one in grouping.features
    )
    words = "all are answered" if not left else f"{len(left)} to go: press a line of the tree that names it"
    st.html(f'<p class="bw-quiet">Features of this tree; {escape(words)}.</p><ul class="iv-features">{marks}</ul>')


def _show_actions(store: StudyStore, protocol: Protocol, number: int, name: str, actions: pd.DataFrame) -> None:
    about = _row(actions[(actions["participant"] == name_of(number)) & (actions["grouping"] == name)])

    def keep(field: str) -> Any:
        return lambda value: store.interviews.answer_actions(number, name, **{field: value})

    st.multiselect(
        "3. What would you do about the errors of this group?",
        [value for value, _ in protocol.actions],
        format_func=lambda value: plain(protocol.choices("actions")[value]),
        placeholder="Choose all that apply",
        **bound(f"actions {name}", list(about.get("actions") or []), keep("actions")),
    )
    st.text_area("In your own words", height=90, **bound(f"actions text {name}", about.get("text") or "", keep("text")))


def _row(found: pd.DataFrame) -> dict[str, Any]:
    """The only row of a table, or nothing; what is missing is None."""
    if found.empty:
        return {}
    row = found.iloc[0].to_dict()
    return {str(key): None if isinstance(value, float) and value != value else value for key, value in row.items()}
