"""Answers that were collected elsewhere: a CSV, such as Mechanical Turk's results of a batch, as a study to analyse.

Which column is what says a mapping (`study.answers.mapping`). Everything that an answer cannot be is listed with its line and its value
before anything is analysed; nothing is dropped or repaired in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.intake import TableError, read_table
from barlow_core.intake.columns import plain
from barlow_core.intake.values import has_decimal_commas, numbers
from barlow_core.wording import count
from study.answers.csv_times import UNTOLD, read_times
from study.answers.mapping import EXPECTED, MAPPABLE, NEEDED, check_names, guess_mapping
from study.answers.study_data import StudyData
from study.answers.table import ATTRIBUTES, PREFERENCES, QUESTIONS, contradictions, expected_number, wrong_numbers
from study.tiers import TIERS

_LISTED = 10
# What platforms (Mechanical Turk, Prolific) and this one's own exports call an answer that counts, and one that does not.
_COUNTS = ("approved", "submitted", "accepted", "completed", "awaiting review", "partially approved")
_REJECTED = ("rejected", "returned", "timed-out", "screened out", "discarded", "surplus", "withdrawn", "expired", "reserved")
_USEFUL = {
    "b": "B",
    "sectionb": "B",
    "heatmap": "B",
    "heatmaps": "B",
    "c": "C",
    "sectionc": "C",
    "attack": "C",
    "attacks": "C",
    "featureattack": "C",
    "featureattacks": "C",
    "both": "both",
    "bothsections": "both",
    "bandc": "both",
    "bc": "both",
    "bothbandc": "both",
    "sectionsbandc": "both",
    "none": "none",
    "neither": "none",
    "neitherofthem": "none",
    "noneofthem": "none",
}
_CHOICES = {"grouping": ("label", "prediction"), "tier": TIERS}
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
_MISSING = ("", "nan", "na", "n/a", "null", "none", "{}")


class AnswersError(TableError):
    """Values that answers cannot have, line by line; nothing was imported."""


def import_answers(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    *,
    missing: Collection[str] | None = None,
    name: str | None = None,
    **known: Any,
) -> StudyData:
    """A CSV of answers, or another table of them, as a study.

    Args:
        path: of the file, see `barlow_core.intake.read_table`.
        mapping: which column is what (`MAPPABLE`), and nothing else is; None guesses.
        missing: texts that stand for no value, beside the empty one; None for the usual ones, in any case (nan, NA, null, none, …).
        name: of the study; None takes that of the file.
        known: further attributes of `StudyData`, such as `pay_per_item`, `currency`, `answers_per_item`.

    Raises:
        BarlowError: the file is no table, or a needed column is missing.
        TableError: rows do not fit the header.
        AnswersError: values are not what they should be. Of both, `problems` lists all, with the line of the file, the column, the
            value and what was expected; the message has the first 20.
    """
    file = Path(path)
    read = read_table(file, expected=EXPECTED)
    read.refuse_misfits()
    table = read.named()
    mapping = guess_mapping(file) if mapping is None else {what: column for what, column in mapping.items() if column}
    _check_mapping(mapping, table, file)
    problems: list[tuple[int, str]] = []
    dropped, notes = _dropped(table, mapping, problems)
    columns = {what: table.loc[~dropped, column] for what, column in mapping.items() if what != "state"}
    if missing is not None:
        columns = {what: values.mask(values.isin(list(missing)), "") for what, values in columns.items()}
    words = _MISSING if missing is None and not read.typed else ("",)
    made = pd.DataFrame({what: _column(what, values, mapping[what], words, problems, notes) for what, values in columns.items()})
    pairs = made[list(NEEDED)].dropna()
    twice = pairs.duplicated(keep="first")
    if twice.any():
        first = pairs.reset_index(names="line").groupby(list(NEEDED))["line"].first()
        problems += [
            (
                line,
                f": worker {worker!r} answers item {item!r} again, after {read.unit} {first[item, worker]}; one answer each is expected",
            )
            for line, item, worker in pairs[twice].itertuples()
        ]
    hints = []
    if "state" in mapping and any(f"column {mapping['state']!r}" in text for _, text in problems):
        hints.append("Where a column holds something else, say so: another name, or none, such as state=")
    if any(UNTOLD in text for _, text in problems):
        hints.append("Where nobody knows which comes first, leave the times out: submitted_at=")
    against = contradictions(made)
    for attribute, row, first_row in against.itertuples(index=False):
        values = columns[attribute]
        earlier = f"{values.iloc[first_row][:60]!r}, which {read.unit} {values.index[first_row]} has for the same item, {made['item'].iloc[row]!r}"
        problems.append((int(values.index[row]), _said(mapping[attribute], values.iloc[row], earlier)))
    if len(against):
        hints.append(
            "What is known of an item is the same in all of its answers: put it right, or leave it empty, or leave the column out, such as "
            f"{against['attribute'].iloc[0]}="
        )
    if problems:
        raise AnswersError(
            f"{file} has {count(len(problems), 'value')} that answers cannot have. Nothing was imported.",
            problems,
            "\n".join(hints),
            unit=read.unit,
        )
    said = ", ".join(f"{what} from {column!r}" for what, column in mapping.items())
    notes = [f"Imported from {file.name}: {said}.", *read.notes, *notes]
    unused = [column for column in table.columns if column not in mapping.values()]
    missing = [question for question in QUESTIONS if question not in mapping]
    if missing and unused:
        listed = ", ".join(map(repr, unused[:_LISTED])) + (
            f" and {len(unused) - _LISTED:,} more" if len(unused) > _LISTED else ""
        )
        notes.append(f"Not used: {listed}. If one of them is {' or '.join(missing)}, say so: {missing[0]}=COLUMN")
    made = _group(made).reset_index(drop=True)
    if pay := known.get("pay_per_item"):
        known["pay_per_item"] = Decimal(str(pay))
    return StudyData.from_answers(
        made, name=name or file.name, source=f"Answers imported from {file.name}.", notes=tuple(notes), **known
    )


# --- reading and checking


def _check_mapping(mapping: Mapping[str, str], table: pd.DataFrame, file: Path) -> None:
    check_names(mapping)
    columns = ", ".join(table.columns)
    if absent := [column for column in mapping.values() if column not in table]:
        raise BarlowError(f"{file} has no column {absent[0]!r}; its columns are {columns}.")
    for what in NEEDED:
        if what not in mapping:
            raise BarlowError(
                f"No column of {file} says which {what} an answer is {'about' if what == 'item' else 'from'}. Its columns are {columns}. Say which: {what}=COLUMN"
            )
    if not any(question in mapping for question in QUESTIONS):
        raise BarlowError(
            f"No column of {file} is known as an answer. Its columns are {columns}. Say which, such as: ease=COLUMN,short=COLUMN"
        )


def _dropped(table: pd.DataFrame, mapping: Mapping[str, str], problems: list[tuple[int, str]]) -> tuple[pd.Series, list[str]]:
    """Which rows do not count, and sentences about them; a status that is not known is added to the problems."""
    if "state" not in mapping:
        return pd.Series(False, index=table.index), []
    column = mapping["state"]
    values = table[column]
    states = values.str.lower().str.replace(r"[^a-z0-9]", "", regex=True)
    dropped = states.isin([plain(state) for state in _REJECTED])
    blank = values == ""
    known = f"one that counts ({', '.join(_COUNTS)}) or does not ({', '.join(_REJECTED)})"
    _note(problems, ~dropped & ~blank & ~states.isin([plain(state) for state in _COUNTS]), values, column, known)
    notes = []
    if n := int(dropped.sum()):
        notes.append(f"{count(n, 'row')} that the platform rejected or that never counted {'is' if n == 1 else 'are'} left out.")
    if n := int(blank.sum()):
        notes.append(f"{count(n, 'row')} without a value in {column!r} {'counts' if n == 1 else 'count'} as accepted.")
    return dropped, notes


def _column(
    what: str, values: pd.Series, column: str, words: tuple[str, ...], problems: list[tuple[int, str]], notes: list[str]
) -> pd.Series:
    """A column as an answer has it; what cannot be is added to the problems, what had to be inferred to the notes.

    Args:
        words: in lower case, those that stand for no value.
    """
    if what in ("short", "long"):
        return values.where((values != "") & ~((values == "nan") & ("nan" in words)), None)
    if what == "useful":
        given = ~values.str.lower().isin([one for one in words if one != "none"])
        found = _of_each(
            values,
            lambda texts: texts.map(lambda text: _USEFUL.get(plain(text).removeprefix("section")) or _USEFUL.get(plain(text))),
        )
        _note(problems, given & found.isna(), values, column, f"one of {', '.join(PREFERENCES)}")
        return found.where(given, None)
    missing = values.str.lower().isin(words)
    if what in NEEDED:
        _note(problems, values == "", values, column, "an id")
        return values.where(values != "", None)
    if what in ("ease", "confidence"):
        # "4", "4.0", and what forms make of a scale: "4 (easy)", "4 - easy". A second number makes it another answer: "4-5", "3:4".
        pattern = r"^([1-5])(?:\.0+)?(?:\s*[-(:–—]\D*)?$"
        digits = _of_each(values, lambda texts: numbers(texts.str.extract(pattern, expand=False)))
        _note(problems, digits.isna() & ~missing, values, column, "a whole number from 1 to 5")
        return digits
    if what == "simulated":
        lower = values.str.lower()
        _note(problems, ~lower.isin([*_TRUE, *_FALSE]) & ~missing, values, column, "true or false")
        return lower.isin(_TRUE)
    if what == "submitted_at":
        times = read_times(values.where(~missing), column)
        problems += [(line, _said(column, values[line], expected)) for line, expected in times.wrong.items()]
        notes += times.notes
        return times.values
    if what in _CHOICES:
        lower = values.str.lower()
        possible = lower.isin(_CHOICES[what])
        _note(problems, ~possible & ~missing, values, column, f"{', '.join(_CHOICES[what][:-1])} or {_CHOICES[what][-1]}")
        return lower.where(possible, None)
    if what in ("class_name", "group", "platform"):
        return values.where(values != "", None)
    found = _of_each(values.where(~missing), numbers)
    if has_decimal_commas(values[~missing]):
        notes.append(f"Numbers in {column!r} are written with decimal commas, and read so.")
    wrong = wrong_numbers(what, found.to_numpy()) | (found.isna() & ~missing).to_numpy()
    _note(problems, wrong, values, column, expected_number(what))
    return found.mask(wrong)


def _of_each(values: pd.Series, function: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """What a function makes of a column, each value read once."""
    places, texts = pd.factorize(values)
    return function(pd.Series(texts, dtype="str")).reindex(places).set_axis(values.index)


def _note(problems: list[tuple[int, str]], wrong: pd.Series | np.ndarray, values: pd.Series, column: str, expected: str) -> None:
    found = values[np.asarray(wrong, dtype=bool)]
    problems += [(line, _said(column, value, expected)) for line, value in zip(found.index.tolist(), found, strict=True)]


def _said(column: str, value: str, expected: str) -> str:
    return f", column {column!r}: {value[:60]!r}; expected {expected}"


def _group(table: pd.DataFrame) -> pd.DataFrame:
    """With `group` where grouping and class tell it, and the other way round."""
    table = table.copy()
    if "group" not in table and {"grouping", "class_name"} <= set(table):
        table["group"] = table["grouping"] + ":" + table["class_name"]
    if "group" in table:
        parts = table["group"].str.partition(":")
        if "grouping" not in table and parts[0].dropna().isin(["label", "prediction"]).all():
            table["grouping"] = parts[0]
        if "class_name" not in table and (parts[1].dropna() == ":").all():
            table["class_name"] = parts[2]
    return table[[column for column in table if column in MAPPABLE or column in ATTRIBUTES]]
