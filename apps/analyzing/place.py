"""Where the analyst is and what is kept of the study: the fields of the place, and what they are called in the URL (`shared.address`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import streamlit as st
from shared import address

from barlow_core.errors import BarlowError
from study.analysis import Filters
from study.answers.exclusion import parse_rule
from study.answers.tokenization import Wording

OVERVIEW, ITEMS, REPORT = "overview", "items", "report"
LISTS = {"groupings": "grouping", "classes": "class", "tiers": "tier", "platforms": "platform"}
DAYS = ("since", "until")
CHOICES = {"checks": ("all", "passed"), "simulated": ("all", "people", "simulated")}
SWITCHES = ("exclude", "models", "spelling", "hyphens", "plurals")
FILTERS = (*LISTS, *DAYS, *CHOICES)


class Place(NamedTuple):
    """What is looked at, and of which part of the study."""

    page: str = OVERVIEW
    item: str | None = None  # an item in full, instead of the page
    worker: str | None = None  # a worker in full, instead of the page
    groupings: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    checks: str = "all"
    simulated: str = "all"
    exclude: bool = False  # the workers whom the exclusion rule names
    rule: str | None = None  # that rule, see `analyzing.rule`; None for the usual one
    models: bool = False  # fit models of workers, which takes time
    vectors: str | None = None  # a file of word vectors; None for those that ship
    spelling: bool = False
    hyphens: bool = False
    plurals: bool = False
    columns: str | None = None  # of a CSV, which column is what, see `analyzing.importing`; None for what their names say

    @property
    def filters(self) -> Filters:
        """The filters of the place."""
        return Filters(**{name: getattr(self, name) for name in FILTERS})

    @property
    def wording(self) -> Wording:
        return Wording(*self.wording_switches)

    @property
    def wording_switches(self) -> tuple[bool, bool, bool]:
        return self.spelling, self.hyphens, self.plurals


def here() -> Place:
    """Where the analyst is."""
    place: Place = st.session_state.get(address.PLACE, Place())
    return place


def adopt_url() -> None:
    """Go to what the URL says, unless this page wrote it there itself."""
    address.adopt(_query(), parse)


def write_url() -> None:
    """Write the place into the URL, leaving out what is as by default, so that opening the page is one step of history."""
    address.write(_query(), unparse(here()))


def _query() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def parse(query: dict[str, list[str]]) -> Place:
    """The place that a URL means; what means nothing is as if it were not there."""
    last = {name: values[-1] for name, values in query.items() if values}
    found: dict[str, Any] = {name: last.get(name) or None for name in ("item", "worker", "rule", "vectors", "columns")}
    found["page"] = last.get("page") or OVERVIEW
    found |= {field: tuple(dict.fromkeys(query.get(name, ()))) for field, name in LISTS.items()}
    found |= {name: _day(last.get(name)) for name in DAYS}
    if found["since"] and found["until"] and found["since"] > found["until"]:
        found["since"], found["until"] = found["until"], found["since"]
    found |= {name: last[name] for name, possible in CHOICES.items() if last.get(name) in possible}
    found |= {name: last.get(name) == "1" for name in SWITCHES}
    return Place(**found)


def unparse(place: Place) -> dict[str, list[str]]:
    """The inverse of `parse`."""
    usual = Place()
    wanted = {}
    for field, value in place._asdict().items():
        if value == getattr(usual, field):
            continue
        values = value if isinstance(value, tuple) else ("1",) if value is True else (str(value),)
        wanted[LISTS.get(field, field)] = list(values)
    return wanted


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def go(**changes: Any) -> None:
    """Go somewhere else; for callbacks. Going to a page leaves the item or worker that is open."""
    if "page" in changes or "worker" in changes:
        changes = {"item": None, **changes}
    if "page" in changes:
        changes = {"worker": None, **changes}
    address.move(here()._replace(**changes))


def reset_filters() -> None:
    """Look at the whole study; for callbacks."""
    usual = Place()
    go(**{name: getattr(usual, name) for name in (*FILTERS, "exclude")})


def settle(choices: dict[str, Any], pages: list[str], vectors: list[str]) -> list[str]:
    """Drop from the place what this study does not have; returns a sentence for each thing that was dropped.

    Args:
        choices: `StudyData.choices`.
        pages: the ids of all pages.
        vectors: the files of word vectors that the page was started with.
    """
    place = here()
    dropped = []
    changes: dict[str, Any] = {}
    if place.page not in pages:
        changes["page"] = OVERVIEW
    if place.vectors is not None and place.vectors not in vectors:
        changes["vectors"] = None
        dropped.append("The address names word vectors that this page was not started with; those that ship are used.")
    for field, name in LISTS.items():
        wanted = getattr(place, field)
        kept = tuple(value for value in wanted if value in choices[field])
        if kept != wanted:
            changes[field] = kept
            gone = [value for value in wanted if value not in kept]
            dropped.append(f"This study has no {name} called {', '.join(gone)}; that filter is left out.")
    if choices["first_day"] is None and (place.since or place.until):
        changes |= {"since": None, "until": None}
        dropped.append("This study knows no times of its answers; the days are left out.")
    if place.checks != "all" and not choices["has_checks"]:
        changes["checks"] = "all"
        dropped.append("This study has no gold or attention checks; that filter is left out.")
    if place.simulated != "all" and not choices["has_both"]:
        changes["simulated"] = "all"
        dropped.append("The answers are all of one kind, people or simulated; that filter is left out.")
    if place.rule is not None:
        try:
            parse_rule(place.rule)
        except BarlowError as error:
            changes["rule"] = None
            dropped.append(f"{error} The usual rule is taken.")
    if changes:
        address.put(place._replace(**changes))
    return dropped


def bound(field: str, value: Any, *, change: Callable[[Any], dict[str, Any]] | None = None) -> dict[str, Any]:
    """Arguments for a widget that shows a field of the place and changes it, see `shared.address.bound`."""
    return address.bound(field, value, go, change=change)
