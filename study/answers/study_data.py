"""A study as the analyses take it: answers, items, workers and checks that belong to one moment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.answers.exclusion import ExclusionRule, exclusions
from study.answers.filters import Filters
from study.answers.quality import worker_quality
from study.answers.table import (
    ATTRIBUTES,
    DESCRIPTIONS,
    NUMBERS,
    QUESTIONS,
    RATINGS,
    attributes_of_items,
    checked,
    contradictions,
    plain,
    with_attributes_of_items,
)
from study.store.interviews.frames import InterviewTables
from study.tiers import tiers_first

_CATEGORIES = ("condition", "pair", "grouping", "class_name", "group", "tier", "platform")


@dataclass(frozen=True, eq=False)
class StudyData:
    """A study, or the part of one that filters keep.

    Attributes:
        name: of the file, or what the caller calls it.
        answers: a row an accepted answer to an item (no practice, no checks), in the order of sending: `item`, `worker` (a
            pseudonym), `short`, `long`, `ease`, `confidence`, `useful`, `simulated`, and as far as they are known those of
            `ATTRIBUTES`, `platform`, `seconds` and `submitted_at` (UTC).
        items: the items of kind "item" as index, answered or not, in the order of the study: `wanted` (Int64) and whatever their data holds.
        workers: everybody who took part as index: `platform`, `state`, `simulated`.
        checks: a row a gold or attention check that a worker met: `worker`, `item`, `kind`, `passed`.
        states: how many assignments there are: `kind`, `state`, `simulated`, `payable`, `n`.
        title: of the study; source: where the answers are from, as a sentence.
        path: of the study file; None where there is none.
        pay_per_item, currency: None and "" where pay is not known.
        paid: what the whole study has cost so far, for people; None where that is not known.
        answers_per_item: wanted for each item; None where that is not known.
        extractor: fingerprint of the network whose features the items show; None where that is not known.
        extractors: of each condition, where conditions show features of different networks; `extractor` is that of the first.
        notes: what about the study limits what can be said.
        filters: that made this part.
        interviews: of practitioners, none of whose answers are in `answers`; None where there are none.
        asks: of a study about core and spurious features the question that decides, "part" or "same" (a column of `answers`, beside `reason`);
            None of other studies.
    """

    name: str
    answers: pd.DataFrame
    items: pd.DataFrame
    workers: pd.DataFrame
    checks: pd.DataFrame
    states: pd.DataFrame
    title: str = ""
    source: str = ""
    path: Path | None = None
    pay_per_item: Decimal | None = None
    paid: Decimal | None = None
    currency: str = ""
    answers_per_item: int | None = None
    extractor: str | None = None
    extractors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    interviews: InterviewTables | None = None
    asks: str | None = None
    whole: StudyData | None = None

    @classmethod
    def from_answers(
        cls,
        table: pd.DataFrame,
        *,
        name: str = "answers",
        source: str = "",
        items: pd.DataFrame | None = None,
        checks: pd.DataFrame | None = None,
        **known: Any,
    ) -> StudyData:
        """A study out of a table of answers (`study.answers.table`), for notebooks and for answers collected elsewhere.

        Args:
            table: `item`, `worker`, and those of `short`, `long`, `ease`, `confidence`, `useful` that were asked; further columns as
                in `answers`. Times are taken as UTC where they name no zone. What one answer tells of its item holds for all of them.
            items: the items as index, all that are answered among them, where more is known of them than the answers tell.
            checks: see `checks`; the ids of workers are those of the answers.
            known: further attributes, such as `pay_per_item`.

        Raises:
            BarlowError: see `study.answers.table.checked`; answers to an item contradict each other in what they tell of it; an answered item
                is not among `items`, or one is there twice; no worker of `checks` has answered, or they do not say who passed.
        """
        answers, notes = _normal(table)
        if items is None:
            items = attributes_of_items(answers)
        else:
            items = _with_text_ids(items, answers)
        if "wanted" not in items:
            items = items.assign(wanted=pd.array([known.get("answers_per_item")] * len(items), dtype="Int64"))
        groups = answers.groupby("worker", sort=False)
        workers = pd.DataFrame({"simulated": groups["simulated"].any().astype(bool)})
        workers["platform"] = groups["platform"].first() if "platform" in answers else None
        workers["state"] = "active"
        counts = answers.groupby("simulated").size()
        states = pd.DataFrame(
            [("item", "accepted", bool(simulated), True, int(n)) for simulated, n in counts.items()],
            columns=["kind", "state", "simulated", "payable", "n"],
        )
        checks = pd.DataFrame(columns=["worker", "item", "kind", "passed"]) if checks is None else _checks(checks, answers)
        notes = (*known.pop("notes", ()), *notes)
        return cls(name, answers, items, workers, checks, states, source=source, notes=notes, **known)

    # --- what is in it

    @property
    def simulated(self) -> bool:
        """Whether any answer in it is not a person's."""
        return bool(self.answers["simulated"].any())

    @property
    def all_simulated(self) -> bool:
        return bool(len(self.answers)) and bool(self.answers["simulated"].all())

    @property
    def has_pictures(self) -> bool:
        return self.path is not None and "panel" in self.items and bool(self.items["panel"].notna().any())

    def has(self, column: str) -> bool:
        """Whether any answer has a value there."""
        return column in self.answers and bool(self.answers[column].notna().any())

    @property
    def n_items(self) -> int:
        return int(self.answers["item"].nunique())

    @property
    def n_workers(self) -> int:
        return int(self.answers["worker"].nunique())

    @property
    def of_its_run(self) -> pd.DataFrame:
        """The answers about features of the run that the study was made from; in others, the same number means another feature."""
        if not self.extractors:
            return self.answers
        own = [name for name, network in self.extractors.items() if network == self.extractor]
        return self.answers[self.answers["condition"].isin(own)]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the answers, of what is known of their items, and of the checks: the same study, the same digest."""
        known = [name for name in (*ATTRIBUTES, "wanted") if name in self.items]
        parts = (self.answers, self.items[known].rename_axis("item").reset_index(), self.checks)
        return hashlib.sha256(b"".join(_hashed(part) for part in parts)).hexdigest()

    def choices(self) -> dict[str, Any]:
        """What filters can be set to: `conditions`, `groupings`, `classes`, `tiers`, `platforms` (lists), `first_day`, `last_day` (or None),
        `has_checks`, `has_both` (people and simulated workers)."""
        columns = {
            "conditions": "condition",
            "groupings": "grouping",
            "classes": "class_name",
            "tiers": "tier",
            "platforms": "platform",
        }
        found: dict[str, Any] = {name: self._values(column) for name, column in columns.items()}
        days: list[date] = []
        if self.has("submitted_at"):
            times = self.answers["submitted_at"]
            days = [times.min().date(), times.max().date()]
        found["first_day"], found["last_day"] = days or (None, None)
        found["has_checks"] = len(self.checks) > 0
        found["has_both"] = self.simulated and not self.all_simulated
        return found

    def _values(self, column: str) -> list[str]:
        if column not in self.answers:
            return []
        found = self.answers[column].dropna().unique().tolist()
        return tiers_first(found)

    # --- parts of it

    @cached_property
    def failed_a_check(self) -> pd.Index:
        """Workers who failed a gold or attention check."""
        return pd.Index(self.checks.loc[~self.checks["passed"].astype(bool), "worker"].unique())

    def filtered(self, filters: Filters) -> StudyData:
        """The part that the filters keep; items follow grouping, class and tier, so that unanswered ones are counted where they belong.

        Raises:
            BarlowError: a filter for something that the study does not know.
        """
        if filters.is_empty:
            return self
        answers = self.answers[filters.kept(self.answers, self.failed_a_check)].reset_index(drop=True)
        items = self.items
        attributes = (("conditions", "condition"), ("groupings", "grouping"), ("classes", "class_name"), ("tiers", "tier"))
        for name, column in attributes:
            values = getattr(filters, name)
            if values and column in items:
                items = items[items[column].isin(values)]
        return replace(self, answers=answers, items=items, filters=filters, whole=self.whole or self)

    def without(self, workers: Sequence[Any] | pd.Index) -> StudyData:
        """The same without the answers of some workers."""
        if not len(workers):
            return self
        kept = self.answers[~self.answers["worker"].isin(list(workers))].reset_index(drop=True)
        return replace(self, answers=kept, whole=self.whole or self)

    @cached_property
    def quality(self) -> pd.DataFrame:
        """`study.answers.quality.worker_quality` of the whole study: a worker is judged by all of their answers, whatever is filtered."""
        if self.whole is not None:
            return self.whole.quality
        return worker_quality(self.answers, checks=self.checks if len(self.checks) else None)

    def excluded(self, rule: ExclusionRule | None) -> pd.DataFrame:
        """`study.answers.exclusion.exclusions` of all workers of the whole study; a rule of None excludes nobody."""
        found = exclusions(self.quality, rule)
        return found if rule is not None else found.assign(excluded=False, signals="")


def _normal(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A table of answers with all columns that the analyses ask for, in lean types; and which questions were not asked."""
    given = table.copy()
    notes = []
    for question in QUESTIONS:
        if question not in given:
            given[question] = pd.Series([np.nan if question in RATINGS else None] * len(given), index=given.index)
            notes.append(f"The table has no {question!r}; what needs it is left out.")
    if "simulated" not in given:
        given["simulated"] = False
    known = [column for column in (*ATTRIBUTES, "platform", "seconds", "submitted_at") if column in given]
    answers = checked(given, [*QUESTIONS, "simulated", *known])
    wrong = contradictions(answers)
    if len(wrong):
        name, row, first = wrong.iloc[0]
        raise BarlowError(
            f"Row {row} of the answers has {name} {plain(answers[name].iloc[row])!r}, but item {plain(answers['item'].iloc[row])!r} has "
            f"{plain(answers[name].iloc[first])!r} in row {first} ({count(len(wrong), 'such value')}). What is known of an item is the same in all "
            "of its answers, or missing; put it right, or leave the column out."
        )
    whole = with_attributes_of_items(lean(answers))
    for column in ATTRIBUTES:
        if column in whole and (filled := int(answers[column].isna().sum() - whole[column].isna().sum())):
            notes.append(f"{count(filled, 'answer')} without {column!r}: taken from other answers to the same items.")
    return whole, tuple(notes)


def _text(ids: pd.Series | pd.Index) -> pd.Series:
    """Ids as `lean` has them."""
    column = pd.Series(ids.to_numpy(dtype=object) if ids.dtype == object else ids).reset_index(drop=True)
    return column.astype("str").where(column.notna(), None)


def _with_text_ids(items: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    items = items.set_axis(pd.Index(_text(items.index), name="item"))
    if items.index.has_duplicates:
        raise BarlowError(
            f"Item {items.index[items.index.duplicated()][0]!r} is among the items more than once. Keep one row each."
        )
    unknown = answers["item"][~answers["item"].isin(items.index)].unique()
    if len(unknown):
        raise BarlowError(
            f"{count(len(unknown), 'item')} of the answers, such as {unknown[0]!r}, {'is' if len(unknown) == 1 else 'are'} not among the items, "
            f"which are {_some(items.index)}. Give all items by the ids that the answers have, as the index, or leave the items out."
        )
    return items


def _checks(checks: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    for column in ("worker", "passed"):
        if column not in checks:
            raise BarlowError(
                f"The table of checks has no column {column!r}; expected `worker` and `passed`, a row for every check that a worker met."
            )
    wrong = ~checks["passed"].isin([True, False])
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise BarlowError(f"Row {row} of the checks has passed {plain(checks['passed'].iloc[row])!r}; expected true or false.")
    ids = {column: _text(checks[column]).to_numpy() for column in ("worker", "item") if column in checks}
    checks = checks.assign(**ids, passed=checks["passed"].astype(bool))
    # Somebody may fail a check and answer nothing else; that all did is a table of other ids.
    if len(checks) and len(answers) and not checks["worker"].isin(answers["worker"]).any():
        raise BarlowError(
            f"No worker of the checks ({_some(checks['worker'].unique())}) has answered anything; workers of the answers are "
            f"{_some(answers['worker'].unique())}. Give the checks by the ids that the answers have."
        )
    return checks


def _some(ids: Any, most: int = 3) -> str:
    shown = ", ".join(map(repr, list(ids[:most])))
    return (f"{shown} and {len(ids) - most:,} more" if len(ids) > most else shown) or "none"


def _hashed(table: pd.DataFrame) -> bytes:
    """SHA-256 of a table's columns, whatever their order, and rows; of values and not of how they are held."""
    digest = hashlib.sha256(f"{len(table)}".encode())
    for name in sorted(table, key=str):
        column = table[name]
        if column.dtype.kind in "iufb" and not isinstance(column.dtype, pd.CategoricalDtype):
            column = pd.Series(column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
        elif column.dtype.kind == "M":
            column = column.dt.as_unit("us")
        else:
            # A text each once, so that a hundred thousand of the same take as little time as one.
            codes, values = pd.factorize(column)
            column = pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(pd.Index(values).astype(str), dtype=object)))
        rows = pd.util.hash_pandas_object(column, index=False).to_numpy()
        digest.update(f"\n{name}\n".encode() + np.asarray(rows, dtype="<u8").tobytes())
    return digest.digest()


def lean(answers: pd.DataFrame) -> pd.DataFrame:
    """A table of answers in types that take little room: repeated texts as categories, in a stated order for tiers."""
    answers = answers.copy(deep=False)
    answers["simulated"] = answers["simulated"].fillna(False).astype(bool)
    for column in ("item", "worker", *DESCRIPTIONS, "useful"):
        if answers[column].dtype == "str":
            continue
        if column in ("item", "worker") or answers[column].notna().any():
            answers[column] = answers[column].astype("str").where(answers[column].notna(), None)
        else:
            answers[column] = answers[column].astype(object)
    for column in _CATEGORIES:
        if column in answers:
            values = answers[column].astype("category").cat.remove_unused_categories()
            values = values.cat.rename_categories([str(value) for value in values.cat.categories])
            answers[column] = values.cat.set_categories(tiers_first(values.cat.categories), ordered=column == "tier")
    for column in NUMBERS:
        if column in answers:
            numbers = pd.to_numeric(answers[column], errors="coerce").astype("Float64")
            answers[column] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    if "submitted_at" in answers:
        answers["submitted_at"] = pd.to_datetime(answers["submitted_at"], utc=True, format="ISO8601")
    return answers
