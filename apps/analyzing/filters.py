"""The sidebar: which part of the study is looked at, and how descriptions are compared. Everything on the page follows it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st
from shared.html import plain

from analyzing.exclusion_rule import rule_of
from analyzing.study_place import Place, bound, here, reset_filters
from study.analysis import StudyData
from study.answers.exclusion import rule_in_words

GROUPINGS = {"label": "Label", "prediction": "Prediction"}
TIERS = {"top": "Top error rates", "middle": "Middle", "bottom": "Bottom"}
WHO = {"all": "Everyone", "people": "People", "simulated": "Simulated"}
SHIPPED = "Google News (subset included with Barlow)"
WORDS_HELP = (
    "The paper's rule: lower case, split on punctuation, stop words and words without a vector left out. "
    "With the options below, agreement can no longer be compared with the paper's."
)


def show_filters(data: StudyData, vectors: tuple[str, ...]) -> None:
    """The controls, bound to the place."""
    place, choices = here(), data.choices()
    with st.sidebar:
        st.html('<h2 class="bw-side">Filters</h2>')
        _choose_some("Condition", "conditions", choices, {})
        _choose_some("Grouping", "groupings", choices, GROUPINGS)
        _choose_some("Error tier", "tiers", choices, TIERS)
        if choices["classes"]:
            st.multiselect(
                "Class",
                choices["classes"],
                placeholder="All classes",
                **bound("classes", list(place.classes), change=lambda new: {"classes": tuple(new)}),
            )
        _choose_some("Platform", "platforms", choices, {})
        _choose_days(place, choices)
        if choices["has_both"]:
            st.segmented_control(
                "Who answered",
                list(WHO),
                format_func=WHO.__getitem__,
                required=True,
                **bound("simulated", place.simulated, change=lambda new: {"simulated": new or "all"}),
            )
        if choices["has_checks"]:
            st.toggle(
                "Only workers who passed all checks",
                help="Leaves out everyone who failed a gold or attention check. Those who had none stay.",
                **bound("checks", place.checks == "passed", change=lambda new: {"checks": "passed" if new else "all"}),
            )
        st.toggle(
            "Without excluded workers",
            help=f"{rule_in_words(rule_of(place))} Workers are judged by all of their answers. The page on workers shows who is excluded, what that changes, and how to change the rule.",
            **bound("exclude", place.exclude),
        )
        if not place.filters.is_empty or place.exclude:
            st.button("Show the whole study", on_click=reset_filters, icon=":material/filter_alt_off:", type="tertiary")
        if data.asks is None:  # nobody describes anything there
            _choose_words(place, vectors)


def _choose_some(label: str, field: str, choices: dict[str, Any], titles: dict[str, str]) -> None:
    if len(choices[field]) < 2 and not getattr(here(), field):
        return
    st.pills(
        label,
        choices[field],
        selection_mode="multi",
        format_func=lambda value: titles.get(value, plain(value)),
        help="Nothing chosen: all of them.",
        **bound(field, list(getattr(here(), field)), change=lambda new: {field: tuple(new)}),
    )


def _choose_days(place: Place, choices: dict[str, Any]) -> None:
    first, last = choices["first_day"], choices["last_day"]
    if first is None or (first == last and not (place.since or place.until)):
        return
    for label, field in (("From", "since"), ("Until", "until")):
        value = getattr(place, field)
        st.date_input(
            label,
            min_value=min(first, value or first),
            max_value=max(last, value or last),
            format="YYYY-MM-DD",
            help="Inclusive; days are in UTC.",
            **bound(field, value, change=partial(_ordered, field)),
        )


def _ordered(field: str, day: Any) -> dict[str, Any]:
    """A day, and the other one moved along where it would be on the wrong side."""
    place = here()
    if field == "since" and day and place.until and day > place.until:
        return {"since": day, "until": day}
    if field == "until" and day and place.since and day < place.since:
        return {"since": day, "until": day}
    return {field: day}


def _choose_words(place: Place, vectors: tuple[str, ...]) -> None:
    st.html('<h2 class="bw-side">Word vectors</h2>')
    st.selectbox(
        "Word vectors",
        ["", *vectors],
        format_func=lambda path: Path(path).name if path else SHIPPED,
        help="What agreement and names are computed with. To choose from files of your own, such as "
        "GoogleNews-vectors-negative300.bin.gz, start the page with: --vectors FILE",
        **bound("vectors", place.vectors or "", change=lambda new: {"vectors": new or None}),
    )
    st.caption("Departures from the paper's rule", help=WORDS_HELP)
    for field, label, example in (
        ("spelling", "One spelling", "grey counts as gray, colour as color"),
        ("hyphens", "Compounds as one word", "monkey-like is looked up whole before it is split"),
        ("plurals", "Singular and plural as one", "stripes counts as stripe"),
    ):
        st.checkbox(label, help=example, **bound(field, getattr(place, field)))
