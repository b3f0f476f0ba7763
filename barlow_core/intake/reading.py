"""Any table of a file: CSV in its many dialects, Parquet, JSON lines; told by its content, read in pieces."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.intake.dialect import Dialect, detect, open_text, undecodable
from barlow_core.intake.table import Table, listed_lines
from barlow_core.intake.typed import is_json_lines, is_parquet, read_json_lines, read_parquet
from barlow_core.wording import count

_CHUNK = 20_000  # rows that are lists of Python's own before they become columns, which take less memory
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_table(path: str | Path, *, expected: str = "a table as CSV, Parquet or JSON lines", one_column: bool = False) -> Table:
    """A table with a line of column names: text in UTF-8 or UTF-16 with commas, semicolons, tabs or bars; Parquet; JSON lines.

    Values are trimmed. Blank lines are skipped. Rows whose values are all empty, and an empty value that every row has beyond the header
    (a separator at the end), are left out and said so. Memory: that of the table, and a piece of 20,000 rows.

    Args:
        expected: what the file should be, for messages: "a CSV of answers".
        one_column: take a CSV of one column, too; mostly that is the sign of a separator that is not known.

    Returns:
        The table. Rows that do not fit the header are in it, cut or filled, and told by `misfits`; where a CSV ends within quotes,
        `broken` says so, and what was read before is in it.

    Raises:
        BarlowError: there is no such file, it is no table, or no text (with the line).
    """
    path = Path(path)
    dialect = detect(path, expected)
    if is_parquet(path):
        return read_parquet(path, expected)
    if is_json_lines(path, dialect):
        return read_json_lines(path, dialect, expected)
    with _Rows(path, dialect) as rows:
        header = _header(rows, expected, one_column=one_column)
        pieces = _Pieces(len(header))
        for lines, cells in rows.pieces():
            pieces.add(lines, cells)
    return pieces.table(str(path), header, [f"{path.name}: {dialect.note}."] if dialect.note else [], rows.broken)


def read_header(
    path: str | Path, *, n_rows: int = 5, expected: str = "a table as CSV, Parquet or JSON lines"
) -> tuple[tuple[str, ...], list[list[str]]]:
    """The names of the columns and the first rows as text, each as long as the header: cut, or filled with "".

    Raises:
        BarlowError: see `read_table`.
    """
    path = Path(path)
    dialect = detect(path, expected)
    if is_parquet(path) or is_json_lines(path, dialect):
        table = read_table(path, expected=expected)
        first = pd.DataFrame({i: table.text(i).head(n_rows) for i in range(len(table.header))})
        return table.header, first.to_numpy().tolist()
    with _Rows(path, dialect) as rows:
        header = _header(rows, expected)
        found = list(itertools.islice((row for row in rows if any(cell.strip() for cell in row)), n_rows))
    filled = [[cell.strip() for cell in row[: len(header)]] + [""] * (len(header) - len(row)) for row in found]
    return tuple(header), filled


class _Rows:
    """The rows of a CSV, as lists of text; a blank line is an empty one.

    Attributes:
        line: in which the next row begins, from 1.
        broken: see `Table`.
    """

    def __init__(self, path: Path, dialect: Dialect):
        self.path, self._dialect = path, dialect
        self.broken: tuple[int, str] | None = None

    def __enter__(self) -> _Rows:
        self._stream = open_text(self.path, self._dialect)
        # Strict, since a quotation mark that is never closed would otherwise swallow all that follows it.
        self._reader = csv.reader(self._stream, delimiter=self._dialect.separator, strict=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    @property
    def line(self) -> int:
        return int(self._reader.line_num) + 1

    def __iter__(self) -> Iterator[list[str]]:
        while self.broken is None:
            line = self.line
            try:
                row = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.broken = (line, str(error))
                return
            except UnicodeError:
                raise undecodable(self.path, self._dialect) from None
            yield row

    def pieces(self) -> Iterator[tuple[np.ndarray, list[list[str]]]]:
        """What is left, in pieces of rows, with the line in which each begins."""
        while True:
            start = self.line
            cells: list[list[str]] = []
            try:
                # extend keeps what came before an error, which is read faster so than row by row
                cells.extend(itertools.islice(self._reader, _CHUNK))
            except csv.Error as error:
                self.broken = (start + int(_n_lines(cells).sum()), str(error))
            except UnicodeError:
                raise undecodable(self.path, self._dialect) from None
            if cells:
                one_each = self.line - start == len(cells)
                n_lines = np.ones(len(cells), dtype=np.int64) if one_each else _n_lines(cells)
                yield start + n_lines.cumsum() - n_lines, cells
            if len(cells) < _CHUNK:
                return


def _n_lines(cells: list[list[str]]) -> np.ndarray:
    """(N,) int64: how many lines of the file each row takes."""
    return np.array([1 + sum(len(_LINE_END.findall(cell)) for cell in row) for row in cells], dtype=np.int64)


def _header(rows: _Rows, expected: str, *, one_column: bool = False) -> list[str]:
    found = next((cells for cells in rows if any(cell.strip() for cell in cells)), [])
    if rows.broken is not None:
        line, reason = rows.broken
        raise BarlowError(
            f"{rows.path} is not a valid CSV file: it cannot be read as a table (line {line}: {reason}). Expected {expected}, with a "
            "line of column names and quotes in pairs."
        )
    if not found:
        raise BarlowError(
            f"{rows.path} is empty. Expected {expected}, with a line of column names. It cannot be read as a table."
        )
    if len(found) == 1 and not one_column:
        raise BarlowError(
            f"{rows.path} has only one column, {found[0].strip()!r}. Expected {expected}: commas, semicolons or tabs between columns."
        )
    return [cell.strip() for cell in found]


@dataclass
class _Pieces:
    """Columns in the making.

    Attributes:
        width: of the header.
        longer: rows that have one empty value beyond the header.
        empty: lines of rows without any value.
    """

    width: int
    longer: int = 0
    empty: list[int] = field(default_factory=list)
    frames: list[pd.DataFrame] = field(default_factory=list)

    def add(self, lines: np.ndarray, cells: list[list[str]]) -> None:
        n_values = np.fromiter(map(len, cells), dtype=np.int32, count=len(cells))
        keep = n_values > 0
        beyond = np.zeros(len(cells), dtype=bool)
        for position in np.flatnonzero(n_values != self.width):
            row = cells[position]
            has_any = any(cell.strip() for cell in row)
            beyond[position] = len(row) == self.width + 1 and not row[-1].strip()
            if not has_any:
                keep[position] = False
                if len(row) > 1:
                    self.empty.append(int(lines[position]))
            cells[position] = (row + [""] * self.width)[: self.width]
        frame = pd.DataFrame(dict(enumerate(zip(*cells, strict=True))), dtype="str")
        frame = frame.apply(lambda column: column.str.strip())
        blank = keep & (frame[0] == "").to_numpy() & (n_values == self.width)
        if blank.any():
            blank &= (frame == "").all(axis=1).to_numpy()
            self.empty += lines[blank].tolist() if self.width > 1 else []
            keep &= ~blank
        self.longer += int((beyond & keep).sum())
        frame = frame.assign(line=lines, n_values=n_values)
        self.frames.append(frame if keep.all() else frame[keep])

    def table(self, source: str, header: list[str], notes: list[str], broken: tuple[int, str] | None) -> Table:
        if self.frames:
            joined = pd.concat(self.frames, ignore_index=True)
        else:
            joined = pd.DataFrame({i: pd.Series(dtype="str") for i in range(self.width)}).assign(line=[], n_values=[])
        self.frames.clear()
        n_values = joined.pop("n_values").to_numpy(dtype=np.int32)
        # Where only some rows have the empty value, it says that something is amiss.
        if self.longer and self.longer == len(joined):
            notes.append("Every row ends with one separator more than the header; the empty field behind it is left out.")
            n_values = np.full(len(joined), self.width, dtype=np.int32)
        if self.empty:
            verb = "is" if len(self.empty) == 1 else "are"
            notes.append(
                f"{count(len(self.empty), 'row')} without any value {verb} left out ({listed_lines(sorted(self.empty))})."
            )
        lines = joined.pop("line").to_numpy(dtype=np.int64)
        return Table(source, tuple(header), joined, lines, n_values, notes=tuple(notes), broken=broken)
