"""Which part of a study is looked at: by condition, grouping, class, tier, platform, day, attention checks, people or simulations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.answers.notation import CHECKS, FILTERS, WHO, from_query, to_arguments, to_query

# Filter, column of the table of answers, and what it is called in a sentence.
_COLUMNS = (
    ("conditions", "condition", "condition", ""),
    ("groupings", "grouping", "grouping", ""),
    ("classes", "class_name", "class", "classes"),
    ("tiers", "tier", "error tier", ""),
    ("platforms", "platform", "platform", ""),
)


@dataclass(frozen=True)
class Filters:
    """What is kept of a study. Everything at its default keeps all of it.

    Attributes:
        conditions, groupings, classes, tiers, platforms: values to keep; () keeps all, also where there is no value.
        since, until: first and last day (UTC) on which kept answers were sent, both included. An answer without a time is kept only
            when neither is set.
        checks: "passed" keeps workers who failed no gold or attention check (who met none, too); "all" keeps everybody.
        excluded_workers: to leave out, by pseudonym.
        simulated: "people" or "simulated" keeps the answers of only these; "all" keeps both.

    How they are written in an address and on the command line is said in `study.answers.notation`; workers named by hand are in neither.
    """

    conditions: tuple[str, ...] = ()
    groupings: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    checks: str = "all"
    excluded_workers: tuple[str, ...] = ()
    simulated: str = "all"

    def __post_init__(self) -> None:
        for name in ("conditions", "groupings", "classes", "tiers", "platforms", "excluded_workers"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Iterable):
                raise BarlowError(f"The filter {name} is {value!r}; expected a list of values, such as [{str(value)!r}].")
            object.__setattr__(self, name, tuple(dict.fromkeys(str(one) for one in value)))
        for name, possible in (("checks", CHECKS), ("simulated", WHO)):
            if getattr(self, name) not in possible:
                raise BarlowError(f"The filter {name} is {getattr(self, name)!r}; expected one of {', '.join(possible)}.")
        if self.since and self.until and self.since > self.until:
            raise BarlowError(f"The first day, {self.since}, is after the last one, {self.until}. Swap them.")

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> Filters:
        """The filters that the parameters of an address mean; what means nothing is as if it were not there, and days stand in their order."""
        found = from_query(FILTERS, query)
        if found["since"] and found["until"]:
            found["since"], found["until"] = sorted((found["since"], found["until"]))
        return cls(**found)

    def to_query(self) -> dict[str, list[str]]:
        """The parameters of an address; `from_query` is the inverse."""
        return to_query(FILTERS, vars(self))

    def to_arguments(self) -> list[str]:
        """The arguments of `barlow study analyze`."""
        return to_arguments(FILTERS, vars(self))

    @property
    def is_empty(self) -> bool:
        """Whether everything is kept."""
        return all(getattr(self, field.name) == field.default for field in fields(self))

    @property
    def text(self) -> str:
        """What is kept, as a sentence."""
        parts = []
        for name, _, one, many in _COLUMNS:
            values = getattr(self, name)
            if values:
                parts.append(f"{one if len(values) == 1 else many or one + 's'} {_listed(values)}")
        if self.since or self.until:
            days = [f"from {self.since.isoformat()}"] if self.since else []
            days += [f"until {self.until.isoformat()}"] if self.until else []
            parts.append(f"answers {' '.join(days)} (UTC)")
        if self.checks == "passed":
            parts.append("workers who failed no gold or attention check")
        if self.simulated != "all":
            parts.append("people only" if self.simulated == "people" else "simulated workers only")
        if self.excluded_workers:
            parts.append(f"without {count(len(self.excluded_workers), 'worker')} named by hand")
        return f"Kept: {'; '.join(parts)}." if parts else "Kept: the whole study."

    def kept(self, answers: pd.DataFrame, failed: pd.Index) -> pd.Series:
        """Which answers are kept, bool, with the index of the table.

        Args:
            answers: the table of answers of a `StudyData`.
            failed: workers who failed a check.

        Raises:
            BarlowError: a filter for something that the study does not know.
        """
        mask = pd.Series(True, index=answers.index)
        for name, column, one, _ in _COLUMNS:
            values = getattr(self, name)
            if values:
                mask &= _column(answers, column, one).isin(values)
        if self.since or self.until:
            times = _column(answers, "submitted_at", "time of sending")
            mask &= times.notna()
            if self.since:
                mask &= times >= pd.Timestamp(self.since, tz="UTC")
            if self.until:
                mask &= times < pd.Timestamp(self.until, tz="UTC") + pd.Timedelta(days=1)
        if self.checks == "passed":
            mask &= ~answers["worker"].isin(failed)
        if self.excluded_workers:
            mask &= ~answers["worker"].isin(self.excluded_workers)
        if self.simulated != "all":
            mask &= answers["simulated"] == (self.simulated == "simulated")
        return mask


def _column(answers: pd.DataFrame, column: str, what: str) -> Any:
    if column not in answers:
        raise BarlowError(f"The study has no {what} for its answers, so it cannot be filtered by it. Leave this filter out.")
    return answers[column]


def _listed(values: tuple[str, ...], most: int = 5) -> str:
    shown = ", ".join(values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
