"""The table of answers that all statistics of a study take, and its check.

A row is an accepted answer of one worker about one item (the visualization of one feature for one group). Columns:

| column | values |
|---|---|
| `item`, `worker` | ids, never missing; a worker answers an item once |
| `short`, `long` | text as typed (questions 1 and 2), or missing |
| `ease`, `confidence` | whole numbers from 1 to 5 (questions 3 and 4), or missing |
| `useful` | "B" (heatmaps), "C" (feature attack), "both" or "none" (question 5), or missing |

and, where they are known, `platform`, `seconds` (time on task), `simulated` (bool), and what is known of the item (`ATTRIBUTES`), such as
`grouping` ("label", "prediction"), `class_name` and `tier` ("top", "middle", "bottom"): the same in all of its answers, or missing. A function asks only for the columns that it needs. A missing answer is left out
of the statistic of its question and of its n, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError

LEVELS = (1, 2, 3, 4, 5)
RATINGS = ("ease", "confidence")
PREFERENCES = ("B", "C", "both", "none")
DESCRIPTIONS = ("short", "long")
CLOSED_QUESTIONS = (*RATINGS, "useful")
QUESTIONS = (*DESCRIPTIONS, *CLOSED_QUESTIONS)
# What is known of an item, in the order of pages and exports.
ATTRIBUTES = (
    "condition",
    "pair",
    "grouping",
    "class_name",
    "group",
    "tier",
    "feature",
    "rank",
    "mutual_information",
    "ber",
    "activation",
    "salience",
)
_MOST = 2**31 - 1
# The least and the most that a number can be. Numbers are finite, and those of _WHOLE are whole.
_RANGES = {
    "feature": (0, _MOST),
    "rank": (0, _MOST),
    "mutual_information": (0, np.inf),
    "ber": (0, 1),
    "activation": (-np.inf, np.inf),
    "salience": (-np.inf, np.inf),
    "seconds": (0, np.inf),
}
_WHOLE = ("feature", "rank")
NUMBERS = tuple(_RANGES)


def checked(answers: pd.DataFrame, columns: Collection[str]) -> pd.DataFrame:
    """`item`, `worker` and the named columns of a table of answers, with a fresh index and clean types.

    Ratings and other numbers (`NUMBERS`) come back as float64 with NaN where they are missing, everything else as it was.

    Raises:
        BarlowError: a column is missing, an id is, a worker answers an item twice, or a value is none of the possible ones.
    """
    wanted = list(dict.fromkeys(["item", "worker", *columns]))
    absent = [column for column in wanted if column not in answers.columns]
    if absent:
        raise BarlowError(
            f"The table of answers has no column {absent[0]!r}; its columns are {', '.join(map(str, answers.columns)) or 'none'}. "
            "Name the column so, or leave out what needs it."
        )
    table = answers[wanted].reset_index(drop=True)
    for column in ("item", "worker"):
        if table[column].isna().any():
            raise BarlowError(
                f"Row {int(table[column].isna().argmax())} of the answers has no {column}. Every answer needs an item and a worker."
            )
    twice = table.duplicated(["item", "worker"])
    if twice.any():
        row = table.loc[int(twice.argmax())]
        raise BarlowError(
            f"Worker {plain(row['worker'])!r} answers item {plain(row['item'])!r} more than once ({int(twice.sum()):,} such rows). Keep one answer each."
        )
    for column in RATINGS:
        if column in table:
            table[column] = _ratings(table[column])
    for column in NUMBERS:
        if column in table:
            table[column] = _numbers(table[column])
    if "useful" in table:
        _check_preferences(table["useful"])
    return table


def attributes_of_items(answers: pd.DataFrame, names: Collection[str] = ATTRIBUTES) -> pd.DataFrame:
    """What is known of items: of each attribute the first value that any answer to the item has.

    Args:
        answers: a table of answers.
        names: of attributes; those that the table lacks are left out.

    Returns:
        The items as index (`item`), in the order of their first answer; a column an attribute, of the table's type, missing where no answer
        to the item has it.
    """
    groups = answers.groupby("item", sort=False, observed=True)
    known = [name for name in dict.fromkeys(names) if name in answers]
    return groups[known].first() if known else pd.DataFrame(index=groups.size().index)


def with_attributes_of_items(answers: pd.DataFrame, names: Collection[str] = ATTRIBUTES) -> pd.DataFrame:
    """The table with what is known of an item in all of its answers; see `attributes_of_items`."""
    of_items = attributes_of_items(answers, names)
    places = of_items.index.get_indexer(pd.Index(answers["item"]))
    return answers.assign(**{str(name): of_items[name].array.take(places) for name in of_items})


def contradictions(answers: pd.DataFrame, names: Collection[str] = ATTRIBUTES) -> pd.DataFrame:
    """Answers that say something else of their item than the first answer that knows it.

    Args:
        answers: a table of answers; those without an item are left out.

    Returns:
        A row each: `attribute`, `row` and `first_row` (places in the table, from 0: of the answer, and of the first that knows).
    """
    items, _ = pd.factorize(answers["item"])
    found = []
    for name in names:
        if name not in answers:
            continue
        values, _ = pd.factorize(answers[name])
        known = np.flatnonzero((values >= 0) & (items >= 0))
        first = np.zeros(items.max(initial=-1) + 1, dtype=np.intp)
        first[items[known[::-1]]] = known[::-1]  # of equal indices numpy keeps the last, which is the first answer
        rows = known[values[known] != values[first[items[known]]]]
        found.append(pd.DataFrame({"attribute": name, "row": rows, "first_row": first[items[rows]]}))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["attribute", "row", "first_row"])


def wrong_numbers(name: str, numbers: np.ndarray) -> np.ndarray:
    """(n,) bool: which of (n,) numbers, NaN for none, a column of `NUMBERS` cannot have."""
    low, high = _RANGES[name]
    wrong = np.isinf(numbers) | (numbers < low) | (numbers > high)
    return wrong | (numbers != np.floor(numbers)) & ~np.isnan(numbers) if name in _WHOLE else wrong


def expected_number(name: str) -> str:
    """What a column of `NUMBERS` can have: "a number from 0 to 1"."""
    low, high = _RANGES[name]
    kind = "a whole number" if name in _WHOLE else "a number"
    if np.isinf(low):
        return f"{kind} that is finite"
    return f"{kind} that is not negative, and finite" if np.isinf(high) else f"{kind} from {low:,} to {high:,}"


def _numbers(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = wrong_numbers(str(column.name), numbers) | (np.isnan(numbers) & column.notna().to_numpy())
    if wrong.any():
        row = int(wrong.argmax())
        raise BarlowError(
            f"Row {row} of the answers has {column.name} {plain(column.iloc[row])!r}; expected {expected_number(str(column.name))}, or nothing."
        )
    return pd.Series(numbers, index=column.index, name=column.name)


def _ratings(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce").astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isin(numbers, LEVELS) & column.notna().to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise BarlowError(
            f"Row {row} of the answers has {column.name} {plain(column.iloc[row])!r}; expected a whole number from 1 to 5, or nothing."
        )
    return pd.Series(numbers, index=column.index, name=column.name)


def _check_preferences(column: pd.Series) -> None:
    wrong = ~column.isin(PREFERENCES) & column.notna()
    if wrong.any():
        row = int(wrong.argmax())
        raise BarlowError(f"Row {row} of the answers has useful {column.iloc[row]!r}; expected B, C, both or none, or nothing.")


def plain(value: Any) -> Any:
    """A cell as Python shows it: 6 instead of np.int64(6)."""
    return value.item() if isinstance(value, np.generic) else value


def check_choice(value: str, choices: Sequence[str], what: str) -> None:
    """Raise a BarlowError unless `value` is one of `choices`."""
    if value not in choices:
        raise BarlowError(f"{what} is {value!r}; expected one of {', '.join(choices)}.")
