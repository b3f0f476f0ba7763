"""The exclusion rule: its thresholds as controls, and as a part of the address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from analyzing.study_place import Place, bound, here
from barlow_core.errors import BarlowError
from study.answers.exclusion import COUNTS, ExclusionRule, parse_rule, rule_text

CONTROLS = {
    "checks_passed": (
        "Share of checks passed, below",
        "Excludes by itself: fewer than this share of gold and attention checks passed.",
    ),
    "fast": ("Time, below", "A signal: median time on task below this share of the median worker's."),
    "same_rating": (
        "Same ratings, from",
        "A signal: at least this share of answers with the same ease, confidence and preference.",
    ),
    "copied": (
        "Copied, from",
        "A signal: at least this share of long descriptions copied from the worker's own about another item.",
    ),
    "signals": ("Signals needed", "How many of the three signals exclude a worker."),
    "min_answers": ("Answers needed", "The signals apply only to workers with at least this many answers."),
    "min_checks": ("Checks needed", "Checks apply only to workers who had at least this many."),
}


def rule_of(place: Place) -> ExclusionRule:
    """The rule of a place; the usual one where the address says nothing sensible."""
    try:
        return parse_rule(place.rule) if place.rule else ExclusionRule()
    except BarlowError:
        return ExclusionRule()


def text_of(rule: ExclusionRule) -> str | None:
    """The rule for the address; None for the usual one."""
    return None if rule == ExclusionRule() else rule_text(rule)


def choose_rule() -> None:
    """Controls for the rule; everything that it affects follows at once."""
    rule = rule_of(here())
    with st.expander("Change the rule", type="compact"):
        st.caption("Shares are from 0 to 1. Leave a field empty to ignore that signal.")
        columns = st.columns(3)
        for number, (name, (label, meaning)) in enumerate(CONTROLS.items()):
            value = getattr(rule, name)

            def change(new: float | None, name: str = name) -> dict[str, str | None]:
                changed: Any = {name: new}
                return {"rule": text_of(replace(rule, **changed))}

            if name in COUNTS:
                columns[number % 3].number_input(
                    label,
                    min_value=1,
                    max_value=3 if name == "signals" else None,
                    help=meaning,
                    **bound(name, value, change=change),
                )
            else:
                columns[number % 3].number_input(
                    label,
                    value=None,  # so that it can be emptied
                    min_value=0.0,
                    max_value=1.0,
                    step=0.05,
                    placeholder="not used",
                    help=meaning,
                    **bound(name, value, change=change),
                )
