"""Filters and settings of an analysis as people pass them on: in the address of the analyst's page, and as options of a command.

`FILTERS` and `SETTINGS` say once how each is written. What the page writes into its address and reads there (`to_query`, `from_query`), the
command that makes the same results (`to_arguments`) and the options of `barlow study analyze` follow these two tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

CHECKS = ("all", "passed")
WHO = ("all", "people", "simulated")
REPLICATES = 2000  # as `study.statistics.resampling` has it, which takes a second to import


@dataclass(frozen=True)
class Written:
    """How one filter or setting is written.

    Attributes:
        field: its name in `Filters`, `AnalysisOptions` or `Wording`.
        key: in an address, as key=value.
        option: of the command.
        kind: "values" (any number of texts), "day" (2026-03-01), "choice" (one of `choices`), "flag" (there or not), "text" or "number".
        meaning: one sentence for the help of the command.
        usual: the value that is not written.
        flag: the value that a flag stands for.
        least: of a number.
        in_address: whether the page can be told by its address.
    """

    field: str
    key: str
    option: str
    kind: Literal["values", "day", "choice", "flag", "text", "number"]
    meaning: str
    usual: Any = None
    choices: tuple[str, ...] = ()
    flag: Any = True
    least: int | None = None
    in_address: bool = True

    def texts(self, value: Any) -> list[str]:
        """A value as the texts of an address; `value` is the inverse."""
        if self.kind == "values":
            return [str(one) for one in value]
        return [self._mark if self.kind == "flag" else value.isoformat() if self.kind == "day" else str(value)]

    def value(self, texts: Sequence[str]) -> Any:
        """The value that the texts of an address mean; the usual one where they mean nothing."""
        if self.kind == "values":
            return tuple(dict.fromkeys(texts))
        last = texts[-1] if texts else ""
        if self.kind == "day":
            return _day(last)
        if self.kind == "flag":
            return self.flag if last == self._mark else self.usual
        return last if last and (self.kind == "text" or last in self.choices) else self.usual

    def arguments(self, value: Any) -> list[str]:
        """A value as arguments of the command."""
        if self.kind == "flag":
            return [self.option]
        return [argument for text in self.texts(value) for argument in (self.option, text)]

    @property
    def _mark(self) -> str:
        return "1" if self.flag is True else str(self.flag)


FILTERS = (
    Written(
        "conditions", "condition", "--condition", "values", "Only answers about items of this condition; may be repeated.", ()
    ),
    Written(
        "groupings",
        "grouping",
        "--grouping",
        "values",
        "Only answers of this grouping (label or prediction); may be repeated.",
        (),
    ),
    Written("classes", "class", "--class", "values", "Only answers about this class; may be repeated.", ()),
    Written(
        "tiers",
        "tier",
        "--tier",
        "values",
        "Only answers of this error tier (top, middle or bottom); may be repeated.",
        (),
    ),
    Written("platforms", "platform", "--platform", "values", "Only answers of workers of this platform; may be repeated.", ()),
    Written("since", "since", "--since", "day", "Only answers sent on this day (UTC) or later."),
    Written("until", "until", "--until", "day", "Only answers sent on this day (UTC) or before."),
    Written(
        "checks",
        "checks",
        "--checks-passed",
        "flag",
        "Only workers who failed no gold or attention check.",
        "all",
        flag="passed",
    ),
    Written("simulated", "simulated", "--who", "choice", "Only answers of people, or of simulated workers.", "all", WHO),
)

SETTINGS = (
    Written(
        "exclude",
        "exclude",
        "--exclude",
        "flag",
        "Apply the exclusion rule to all numbers; without it, only the rule's effect is shown.",
        False,
    ),
    Written(
        "rule",
        "rule",
        "--rule",
        "text",
        "Another exclusion rule, written as in the page's address: checks passed, time, same ratings, copied, answers needed, signals "
        "needed, checks needed; - for an unused signal. The default is 0.5,1/3,0.95,0.5,5,2,2. Checks only, and stricter: "
        "0.8,-,-,-,5,2,1",
    ),
    Written(
        "spelling",
        "spelling",
        "--same-spelling",
        "flag",
        "Count grey and gray, colour and color as one word, which the paper's rule does not.",
        False,
    ),
    Written("hyphens", "hyphens", "--hyphens", "flag", "Look up hyphenated words as a whole first.", False),
    Written("plurals", "plurals", "--plurals", "flag", "Count a plural as its singular.", False),
    Written("models", "models", "--models", "flag", "Also fit Dawid and Skene's model and MACE (needs barlow[crowd]).", False),
    Written(
        "replicates",
        "replicates",
        "--replicates",
        "number",
        "Number of bootstrap resamples.",
        REPLICATES,
        least=50,
        in_address=False,
    ),
    Written("seed", "seed", "--seed", "number", "Seed of the bootstraps.", 0, in_address=False),
)


def to_query(table: Iterable[Written], values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Values by field as the parameters of an address; usual ones are left out. `from_query` is the inverse."""
    return {one.key: one.texts(values[one.field]) for one in table if one.in_address and values[one.field] != one.usual}


def from_query(table: Iterable[Written], query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Values by field out of the parameters of an address; what means nothing is as if it were not there."""
    return {one.field: one.value(query.get(one.key, ())) for one in table if one.in_address}


def to_arguments(table: Iterable[Written], values: Mapping[str, Any]) -> list[str]:
    """Values by field as arguments of `barlow study analyze`; usual ones are left out."""
    return [argument for one in table if values[one.field] != one.usual for argument in one.arguments(values[one.field])]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
