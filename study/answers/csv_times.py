"""Times that somebody else wrote: days whose order of day and month is known, or none.

"03/04/2020" is a day of March to one program and of April to another. A column has one order, which its days above the 12th tell; where
none does, nobody can know, and nothing is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

EXPECTED = "a time such as 2026-03-01T12:00:00Z"
UNTOLD = "a time whose day and month can be told apart"
# 2026-03-01, 2026/3/1, 20260301. Nearly all times of a platform are so; without what looks ahead, Arrow matches it.
_YEAR_FIRST = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{8})(?:\D|$)"
# 01/03/2026, 1.3.2026; a year of two digits could be any of the three.
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)")
# Sat Apr 04 10:11:12 PDT 2020, 4-Apr-2020, April 4, 2020: a month, a day and a year, in any order; a zone such as -0700 is no year.
_NAMED = re.compile(
    r"(?i)(?=.*(?<![a-z])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)(?=.*(?<![\d:])\d{1,2}(?![\d:]))(?=.*(?<![\d+])(?<!\s-)\d{4}(?!\d))"
)
# Mechanical Turk: "Sat Apr 04 10:11:12 PDT 2020"; pandas does not know the zone, and some versions leave it out in silence.
_ZONES = {
    "PDT": "-0700",
    "PST": "-0800",
    "MDT": "-0600",
    "MST": "-0700",
    "CDT": "-0500",
    "CST": "-0600",
    "EDT": "-0400",
    "EST": "-0500",
    "GMT": "+0000",
    "UTC": "+0000",
}


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        values: UTC, missing where there is none or it is wrong.
        wrong: for lines of those that are wrong what was expected.
        notes: what had to be inferred, as sentences.
    """

    values: pd.Series
    wrong: dict[int, str]
    notes: tuple[str, ...] = ()


def read_times(texts: pd.Series, column: str) -> Times:
    """A column of times as text.

    Args:
        texts: without blanks around them, missing where there is none; the index is the line.
        column: its name, for notes.
    """
    given = texts.dropna()
    year_first = given.str.match(_YEAR_FIRST).to_numpy(dtype=bool)
    rest = given[~year_first]
    pairs = np.array([_pair(text) for text in rest], dtype=np.int64).reshape(-1, 2)
    numeric = pairs[:, 0] > 0
    named = np.fromiter((_NAMED.match(text) is not None for text in rest), dtype=bool, count=len(rest))
    wrong = dict.fromkeys(rest.index[~numeric & ~named].tolist(), f"{EXPECTED}: with its day, and the year in four digits")
    ordered, notes = _in_order(rest[numeric], pairs[numeric], column, wrong)
    spelled = rest[named & ~numeric].str.replace(
        r"\b[A-Z]{3,4}\b", lambda found: _ZONES.get(found.group(), found.group()), regex=True
    )
    known = pd.concat([given[year_first], ordered, spelled]).reindex(texts.index) if len(rest) else texts
    values = pd.to_datetime(
        known.where(~known.index.isin(list(wrong))) if wrong else known, utc=True, errors="coerce", format="mixed"
    )
    failed = (values.isna() & texts.notna()).to_numpy()
    wrong = dict.fromkeys(texts.index[failed].tolist(), EXPECTED) | wrong
    return Times(values, wrong, notes)


def _pair(text: str) -> tuple[int, int]:
    """The first two numbers of a day that ends with its year; zeros for another text."""
    found = _YEAR_LAST.match(text)
    return (int(found[1]), int(found[3])) if found else (0, 0)


def _in_order(texts: pd.Series, pairs: np.ndarray, column: str, wrong: dict[int, str]) -> tuple[pd.Series, tuple[str, ...]]:
    """The texts with the year first, and what was inferred; what does not fit is added to those that are wrong."""
    above = pairs > 12
    tells = above[:, 0] != above[:, 1]
    either = ~above.any(axis=1) & (pairs[:, 0] != pairs[:, 1])
    if not tells.any():
        wrong |= dict.fromkeys(
            texts.index[either].tolist(),
            f"{UNTOLD}, such as 2026-03-01T12:00:00Z; no day above the 12th in the column says which comes first",
        )
        return _year_first(texts, day_first=False), ()
    at = int(tells.argmax())
    day_first = bool(above[at, 0])
    order = f"the {'day' if day_first else 'month'} first"
    other = tells & (above[:, 0] != day_first)
    wrong |= dict.fromkeys(
        texts.index[other].tolist(), f"{order}, as in line {texts.index[at]} ({texts.iloc[at]!r}); a column has one order"
    )
    notes: tuple[str, ...] = ()
    if either.any():
        notes = (
            f"Times in {column!r} such as {texts.iloc[int(either.argmax())]!r} are read with {order}, as {texts.iloc[at]!r} (line "
            f"{texts.index[at]}) can be read in no other way.",
        )
    return _year_first(texts, day_first=day_first), notes


def _year_first(texts: pd.Series, *, day_first: bool) -> pd.Series:
    form = r"\4-\3-\1" if day_first else r"\4-\1-\3"
    return pd.Series([_YEAR_LAST.sub(form, text, count=1) for text in texts], index=texts.index, dtype="str")
