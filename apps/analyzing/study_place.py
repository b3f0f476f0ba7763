"""Where the analyst is and what is kept of the study: the fields of the place, and what they are called in the URL (`shared.address`)."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from shared.address import Address, Query, last

from barlow_core.errors import BarlowError
from study.analysis import Filters
from study.answers.exclusion import parse_rule
from study.answers.notation import FILTERS, SETTINGS, from_query, to_query
from study.answers.tokenization import Wording

OVERVIEW, ITEMS, REPORT = "overview", "items", "report"
TEXTS = ("item", "worker", "vectors", "columns")  # in the address as they are
LISTS = {one.field: one.key for one in FILTERS if one.kind == "values"}
SWITCHES = tuple(one.field for one in SETTINGS if one.kind == "flag")


class Place(NamedTuple):
    """What is looked at, and of which part of the study."""

    page: str = OVERVIEW
    item: str | None = None  # an item in full, instead of the page
    worker: str | None = None  # a worker in full, instead of the page
    conditions: tuple[str, ...] = ()
    groupings: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    checks: str = "all"
    simulated: str = "all"
    exclude: bool = False  # the workers whom the exclusion rule names
    rule: str | None = None  # that rule, see `analyzing.exclusion_rule`; None for the usual one
    models: bool = False  # fit models of workers, which takes time
    vectors: str | None = None  # a file of word vectors; None for those that ship
    spelling: bool = False
    hyphens: bool = False
    plurals: bool = False
    columns: str | None = None  # of a CSV, which column is what, see `analyzing.csv_columns`; None for what their names say

    @property
    def filters(self) -> Filters:
        """The filters of the place."""
        return Filters(**{one.field: getattr(self, one.field) for one in FILTERS})

    @property
    def wording(self) -> Wording:
        return Wording(*self.wording_switches)

    @property
    def wording_switches(self) -> tuple[bool, bool, bool]:
        return self.spelling, self.hyphens, self.plurals


USUAL = Place()


def parse(query: Query) -> Place:
    """The place that a URL means; what means nothing is as if it were not there."""
    texts = last(query)
    found: dict[str, Any] = {name: texts.get(name) or None for name in TEXTS}
    filters = Filters.from_query(query)
    found |= {one.field: getattr(filters, one.field) for one in FILTERS}
    return Place(page=texts.get("page") or OVERVIEW, **found, **from_query(SETTINGS, query))


def unparse(place: Place, usual: Place = USUAL) -> Query:
    """The inverse of `parse`, without what is as in `usual`; filters and settings are left out where they are as everywhere."""
    found = {name: [str(getattr(place, name))] for name in ("page", *TEXTS) if getattr(place, name) != getattr(usual, name)}
    return found | to_query((*FILTERS, *SETTINGS), place._asdict())


def _leave(place: Place, changes: dict[str, Any]) -> dict[str, Any]:
    """Going to a page leaves the item or worker that is open."""
    if "page" in changes or "worker" in changes:
        changes = {"item": None, **changes}
    if "page" in changes:
        changes = {"worker": None, **changes}
    return changes


ADDRESS = Address(USUAL, parse=parse, unparse=unparse, follow=_leave)
here, adopt_url, write_url = ADDRESS.here, ADDRESS.adopt_url, ADDRESS.write_url
go, put, bound = ADDRESS.go, ADDRESS.put, ADDRESS.bound


def reset_filters() -> None:
    """Look at the whole study; for callbacks."""
    go(exclude=USUAL.exclude, **{one.field: getattr(USUAL, one.field) for one in FILTERS})


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
        dropped.append(
            "The address names word vectors that this page was not started with; those that come with Barlow are used instead."
        )
    for field, name in LISTS.items():
        wanted = getattr(place, field)
        kept = tuple(value for value in wanted if value in choices[field])
        if kept != wanted:
            changes[field] = kept
            gone = [value for value in wanted if value not in kept]
            dropped.append(f"This study has no {name} called {', '.join(gone)}; that filter is left out.")
    if choices["first_day"] is None and (place.since or place.until):
        changes |= {"since": None, "until": None}
        dropped.append("The answers of this study have no times; the filter on days is left out.")
    if place.checks != "all" and not choices["has_checks"]:
        changes["checks"] = "all"
        dropped.append("This study has no gold or attention checks; that filter is left out.")
    if place.simulated != "all" and not choices["has_both"]:
        changes["simulated"] = "all"
        dropped.append("All answers are from people, or all are simulated; that filter is left out.")
    if place.rule is not None:
        try:
            parse_rule(place.rule)
        except BarlowError as error:
            changes["rule"] = None
            dropped.append(f"{error} The default rule is used.")
    if changes:
        put(**changes)
    return dropped
