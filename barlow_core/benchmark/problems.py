"""What is wrong with which row of a benchmark, collected so that a person sees all of it at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.api.typing import NAType

from barlow_core.errors import BarlowError
from barlow_core.intake.values import MISSING
from barlow_core.wording import count

SHOWN = 10


class Problems:
    """Reasons why rows cannot be used.

    Attributes:
        of_row: position of a row of the table -> its reasons.
        strays: (file, row, reason) of what never became a row of the table.
        without_file: positions whose file is not to be looked at: it has no usable name, or was never written.
        notes: what was read in another way than usual, or left out, as sentences; nothing that has to be put right.
        hints: what may help where there are problems, as sentences.
        unit: what rows are numbered by: "line" of a file, or "row".
        missing: texts that stand for no value.
    """

    def __init__(self, unit: str = "line") -> None:
        self.notes: list[str] = []
        self.hints: list[str] = []
        self.unit = unit
        self.missing = MISSING
        self.of_row: dict[int, list[str]] = defaultdict(list)
        self.strays: list[tuple[str, int | None, str]] = []
        self.without_file: set[int] = set()

    def add(self, reasons: dict[int, str]) -> None:
        """Add one reason for each position in `reasons`."""
        for position, reason in reasons.items():
            self.of_row[position].append(reason)

    def add_where(self, bad: np.ndarray, reason: str, values: Iterable[object] | None = None) -> None:
        """Add `reason` at each position where `bad`, (N,) bool; with `values`, (N,), `{}` stands for the row's own."""
        positions = np.flatnonzero(bad)
        if len(positions) == 0:
            return
        own = np.asarray(values, dtype=object) if values is not None else None
        self.add({int(i): reason if own is None else reason.format(repr(own[i])) for i in positions})

    def stray(self, file: str, row: int | None, reason: str) -> None:
        """Add something that belongs to no row of the table."""
        self.strays.append((file, row, reason))

    def bad(self, n_rows: int) -> np.ndarray:
        """(n_rows,) bool: which rows have a reason."""
        bad = np.zeros(n_rows, dtype=bool)
        bad[list(self.of_row)] = True
        return bad

    def listed(self, names: np.ndarray, rows: np.ndarray | None) -> pd.DataFrame:
        """One row a bad row: file, row (line of the CSV, missing where there is none), reason; in the table's order.

        Args:
            names: (N,) the file of each row of the table.
            rows: (N,) the line of each row in the CSV, or None.
        """
        found: list[tuple[str, int | None, str]] = [
            (str(names[i]), None if rows is None else int(rows[i]), "; ".join(self.of_row[i])) for i in sorted(self.of_row)
        ]
        listed = pd.DataFrame(found + self.strays, columns=["file", "row", "reason"])
        return listed.astype({"file": "str", "row": "Int64", "reason": "str"})

    def report(self, listed: pd.DataFrame, source: str, n_rows: int, *, can_skip: bool = True) -> BarlowError:
        """The error that shows the first problems and counts all of them; `can_skip`: whether the caller has skip_bad."""
        lines = [f"  {self._place(*row)}" for row in listed.head(SHOWN).itertuples(index=False, name=None)]
        if len(listed) > SHOWN:
            lines.append(f"  … and {len(listed) - SHOWN:,} more")
        return BarlowError(
            f"{source}: {count(len(listed), 'row or image', 'rows or images')} (of {n_rows:,}) cannot be used.\n"
            + "\n".join(lines)
            + "\n"
            "Expected every image to be readable and to have a label (and a prediction, where there are any) with a "
            f"name. Correct these{', or leave them out with --skip-bad (skip_bad=True)' if can_skip else ''}."
            + "".join(f"\n{hint}" for hint in [*self.hints, *self.notes])
        )

    def _place(self, file: str, row: int | NAType, reason: str) -> str:
        return f"{file}: {reason}" if row is pd.NA else f"{self.unit} {row}, {file or 'no file'}: {reason}"


def no_skipped() -> pd.DataFrame:
    """The table of skipped rows where none was skipped: file, row, reason."""
    empty = pd.DataFrame(columns=["file", "row", "reason"])
    return empty.astype({"file": "str", "row": "Int64", "reason": "str"})
