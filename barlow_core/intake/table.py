"""A table that somebody else made: its cells, where each row lies in its file, and what is wrong with it, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.wording import count

MOST_PROBLEMS = 20
_LISTED = 5


class TableError(BarlowError):
    """What is wrong with a table, line by line; nothing of it was taken.

    Attributes:
        summary: a sentence that says how much is wrong.
        problems: all of it, each beginning with its line, in the order of the file.
        hint: what may help beyond putting the lines right; "" for nothing.
    """

    def __init__(self, summary: str, problems: Iterable[tuple[int, str]], hint: str = "", *, unit: str = "line"):
        self.summary, self.hint = summary, hint
        self.problems = tuple(f"{unit} {line}{text}" for line, text in sorted(problems, key=lambda one: one[0]))
        parts = [summary, *self.problems[:MOST_PROBLEMS], *self.more(MOST_PROBLEMS), *([hint] if hint else [])]
        super().__init__("\n".join(parts))

    def more(self, shown: int) -> list[str]:
        """A line that says how many problems there are beyond those shown; none where there are no more."""
        return [f"... and {len(self.problems) - shown:,} more."] if len(self.problems) > shown else []


@dataclass(frozen=True)
class Table:
    """A table as it is, before anybody says what its columns stand for.

    Attributes:
        source: what messages call it, such as its path.
        header: (D,) names of the columns, trimmed; "" for a column without, and the same name twice where the file has it so.
        cells: N x D, columns 0 to D - 1: trimmed text, or, where `typed`, whatever the source has. The index is 0 to N - 1.
        lines: (N,) int64: the line of the file in which a row begins, from 1; its number where the source has no lines.
        n_values: (N,) int32: how many values a row has; D, but for rows that do not fit the header.
        typed: whether the source tells numbers from text (Parquet, JSON, a data frame); a CSV does not.
        unit: what `lines` counts: "line" or "row".
        notes: what was left out or read in another way than usual, as sentences.
        broken: the line where the file stops being CSV, and why; None where it does not.
    """

    source: str
    header: tuple[str, ...]
    cells: pd.DataFrame
    lines: np.ndarray
    n_values: np.ndarray
    typed: bool = False
    unit: str = "line"
    notes: tuple[str, ...] = ()
    broken: tuple[int, str] | None = None

    def text(self, position: int) -> pd.Series:
        """A column as text, "" where there is nothing; whole numbers without a fraction, floats as Python writes them."""
        column = self.cells[position]
        return as_text(column) if self.typed else column

    @property
    def misfits(self) -> np.ndarray:
        """(N,) bool: rows that have more or fewer values than the header."""
        found: np.ndarray = self.n_values != len(self.header)
        return found

    def refuse_misfits(self) -> None:
        """Make sure that every row fits the header, and that the file is CSV to its end.

        Raises:
            TableError: some do not, by line.
        """
        width = len(self.header)
        problems = [
            (int(line), f": {count(int(n), 'field')}; expected {width}, as in the header")
            for line, n in zip(self.lines[self.misfits], self.n_values[self.misfits], strict=True)
        ]
        what = f"{self.source} has {count(len(problems), 'row')} that {'does' if len(problems) == 1 else 'do'} not fit its header"
        if self.broken is not None:
            line, reason = self.broken
            problems.append(
                (line, f": {reason}; a quotation mark is open, or not doubled inside a field. Nothing below was read")
            )
            what = f"{self.source} is not a valid CSV file from line {line} on"
        if problems:
            raise TableError(
                f"{what}. Nothing was imported.", problems, "A field that holds the separator must stand in quotation marks."
            )

    def named(self) -> pd.DataFrame:
        """The cells as text under the names of the columns ("column 3" for one without); the index is the line.

        Raises:
            BarlowError: two columns have the same name.
        """
        names = different_names(self.header, self.source)
        return pd.DataFrame({name: self.text(i) for i, name in enumerate(names)}).set_axis(pd.Index(self.lines), axis=0)


def different_names(header: Sequence[str], source: str) -> tuple[str, ...]:
    """The names of columns, "column 3" for one without.

    Raises:
        BarlowError: two columns have the same name.
    """
    names = tuple(name or f"column {number}" for number, name in enumerate(header, 1))
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        places = ", ".join(str(number) for number, name in enumerate(names, 1) if name == twice[0])
        raise BarlowError(
            f"{source!r} has {names.count(twice[0])} columns called {twice[0]!r} ({places}). Give each a name of its own."
        )
    return names


def as_text(column: pd.Series) -> pd.Series:
    """A column of any type as text: "" for what is missing, 3 for a whole number, 3.0 for a float, true dates in ISO 8601."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    missing = column.isna()
    text = column.astype(object).map(_word, na_action="ignore") if column.dtype == object else column.astype("str")
    return text.astype("str").mask(missing.to_numpy(), "").str.strip()


def _word(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def listed_lines(lines: Sequence[int], unit: str = "line") -> str:
    """ "line 3", "lines 3, 6", "lines 3, 6, 8, 9, 12 and 4 more"."""
    shown = ", ".join(str(line) for line in lines[:_LISTED])
    more = f" and {len(lines) - _LISTED:,} more" if len(lines) > _LISTED else ""
    return f"{unit}{'' if len(lines) == 1 else 's'} {shown}{more}"
