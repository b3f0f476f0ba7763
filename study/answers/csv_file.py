"""Reading a CSV that somebody else wrote: every row where the file has it, and nothing shifted, filled or dropped in silence."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.wording import count

MOST_PROBLEMS = 20
_SEPARATORS = (",", ";", "\t")
_CHUNK = 50_000  # rows that are lists of Python's own before they become a part of the table, which takes less memory


class TableError(BarlowError):
    """What is wrong with a table, line by line; nothing of it was taken.

    Attributes:
        summary: a sentence that says how much is wrong.
        problems: all of it, each beginning with its line, in the order of the file.
        hint: what may help beyond putting the lines right; "" for nothing.
    """

    def __init__(self, summary: str, problems: Iterable[tuple[int, str]], hint: str = ""):
        self.summary, self.hint = summary, hint
        self.problems = tuple(f"line {line}{text}" for line, text in sorted(problems, key=lambda one: one[0]))
        parts = [summary, *self.problems[:MOST_PROBLEMS], *self.more(MOST_PROBLEMS), *([hint] if hint else [])]
        super().__init__("\n".join(parts))

    def more(self, shown: int) -> list[str]:
        """A line that says how many problems there are beyond those shown; none where there are no more."""
        return [f"... and {len(self.problems) - shown:,} more."] if len(self.problems) > shown else []


@dataclass(frozen=True)
class CsvTable:
    """A table as text.

    Attributes:
        rows: a column (str) for each name of the header; the index is the line of the file in which a row begins, from 1.
        notes: what the reading left out, as sentences.
    """

    rows: pd.DataFrame
    notes: tuple[str, ...] = ()


def read_csv(path: str | Path) -> CsvTable:
    """A table with a header: UTF-8; commas, semicolons or tabs.

    Blank lines are skipped. Rows whose fields are all empty, and an empty field that every row has beyond the header (a separator at
    the end), are left out and said so.

    Raises:
        BarlowError: there is no such file, or it is no table: not UTF-8 (with the line), one column only, two of the same name.
        TableError: rows have more or fewer fields than the header.
    """
    file = Path(path)
    empty: list[int] = []
    longer, wrong = 0, False
    chunks: list[pd.DataFrame] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    with _Rows(file) as reader:
        names = _header(file, reader)

        def collect() -> None:
            chunks.append(pd.DataFrame(rows, columns=names, index=pd.Index(lines, dtype="int64"), dtype="str"))
            rows.clear()
            lines.clear()

        n = len(names)
        for line, row in reader:
            if len(row) == n + 1 and not row[-1]:
                longer += 1
                row.pop()
            if not any(row):
                empty.append(line)
                continue
            if len(row) != n:
                wrong = True
                break
            rows.append(row)
            lines.append(line)
            if len(rows) == _CHUNK:
                collect()
        collect()
        wrong = wrong or reader.broken is not None
    n_rows = sum(map(len, chunks)) + len(empty)
    if wrong or 0 < longer < n_rows:
        # Where only some rows have the empty field, it says that something is amiss.
        raise _misfits(file, names)
    notes = []
    if longer:
        notes.append("Every row ends with one separator more than the header; the empty field behind it is left out.")
    if empty:
        notes.append(
            f"{count(len(empty), 'row')} without any value {'is' if len(empty) == 1 else 'are'} left out ({_lines(empty)})."
        )
    return CsvTable(pd.concat(chunks) if len(chunks) > 1 else chunks[0], tuple(notes))


def read_header(path: str | Path, *, n_rows: int = 5) -> tuple[tuple[str, ...], tuple[dict[str, str], ...]]:
    """The names of the columns and the first rows, as far as they go: a row may lack fields or have too many.

    Raises:
        BarlowError: see `read_csv`.
    """
    file = Path(path)
    with _Rows(file) as reader:
        names = _header(file, reader)
        rows = [dict(zip(names, [*row, *[""] * len(names)], strict=False)) for _, row in islice(reader, n_rows)]
    return tuple(names), tuple(rows)


class _Rows:
    """The rows of a file that are not blank, each with the line in which it begins.

    Attributes:
        broken: line and reason where the file stops being CSV; None where it does not.
    """

    def __init__(self, file: Path):
        if not file.is_file():
            raise BarlowError(f"There is no file {str(file)!r}. Give a CSV of answers.")
        self._file = file
        self.broken: tuple[int, str] | None = None

    def __enter__(self) -> _Rows:
        try:
            self._stream = open(self._file, encoding="utf-8-sig", newline="")
            first = next((line for line in self._stream if line.strip()), "")
            self._stream.seek(0)
        except OSError as error:
            raise BarlowError(f"{str(self._file)!r} cannot be read ({error.strerror or error}).") from error
        except UnicodeDecodeError as error:
            self._stream.close()
            raise _not_utf8(self._file) from error
        # Strict, since a quotation mark that is never closed would otherwise swallow all that follows it.
        self._reader = csv.reader(self._stream, delimiter=max(_SEPARATORS, key=first.count), strict=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        while self.broken is None:
            line = self._reader.line_num + 1
            try:
                row = next(self._reader)
            except csv.Error as error:
                self.broken = (line, str(error))
                break
            except UnicodeDecodeError as error:
                raise _not_utf8(self._file) from error
            if len(row) > 1 or (row and row[0].strip()):
                return line, row
        raise StopIteration


def _not_utf8(file: Path) -> BarlowError:
    place = ""
    with open(file, "rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start : error.start + 1]
                meant = byte.decode("cp1252", errors="ignore")
                place = f": line {number} has the byte 0x{byte.hex().upper()}"
                place += f", {meant!r} as Windows writes Western European text" if meant.isalpha() else ""
                break
    return BarlowError(
        f"{str(file)!r} is not UTF-8{place}. Save it as UTF-8 and try again (in Excel: Save As, CSV UTF-8). Nothing was imported."
    )


def _header(file: Path, reader: _Rows) -> list[str]:
    _, found = next(reader, (0, []))
    if not found:
        reason = f"line {reader.broken[0]}: {reader.broken[1]}" if reader.broken else "it is empty"
        raise BarlowError(f"{str(file)!r} cannot be read as a table ({reason}). Expected CSV with a line of column names.")
    names = [name.strip() or f"column {number}" for number, name in enumerate(found, 1)]
    if len(names) < 2:
        raise BarlowError(
            f"{str(file)!r} has one column only, {names[0]!r}. Expected commas, semicolons or tabs between columns."
        )
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        places = [str(number) for number, name in enumerate(names, 1) if name == twice[0]]
        raise BarlowError(
            f"{str(file)!r} has {len(places)} columns called {twice[0]!r} ({', '.join(places)}). Give each a name of its own."
        )
    return names


def _misfits(file: Path, names: Sequence[str]) -> TableError:
    """All rows that have more or fewer fields than the header, and where the file stops being CSV."""
    with _Rows(file) as reader:
        next(reader)
        problems = [
            (line, f": {count(len(row), 'field')}; expected {len(names)}, as in the header")
            for line, row in reader
            if any(row) and len(row) != len(names)
        ]
    if reader.broken is not None:
        line, reason = reader.broken
        problems.append((line, f": {reason}; a quotation mark is open, or not doubled inside a field. Nothing below was read"))
    return TableError(
        f"{file} has {count(len(problems), 'row')} that {'does' if len(problems) == 1 else 'do'} not fit its header. "
        "Nothing was imported.",
        problems,
        "A field that holds the separator must stand in quotation marks.",
    )


def _lines(lines: Sequence[int], most: int = 5) -> str:
    shown = ", ".join(str(line) for line in lines[:most])
    return f"line{'' if len(lines) == 1 else 's'} {shown}{f' and {len(lines) - most:,} more' if len(lines) > most else ''}"
