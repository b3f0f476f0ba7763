"""The metadata CSV that people bring: its columns, whatever their spelling, and its rows, with their line numbers."""

from __future__ import annotations

import csv
import itertools
import posixpath
import re
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from barlow_core.benchmark.class_names import MISSING
from barlow_core.benchmark.problems import Problems
from barlow_core.errors import BarlowError


def _singular(name: str) -> str:
    return name.casefold().removesuffix("s")


COLUMNS = {
    "path": "Filenames",
    "label": "Labels",
    "prediction": "Predictions",
    "confidence": "Confidence",
    "split": "Split",
}
_SINGULAR = {_singular(name): column for column, name in COLUMNS.items()}
# The columns of Benchmark.table; an attribute of such a name is kept as attribute_<name>.
RESERVED = frozenset([*COLUMNS, "label_name", "prediction_name", "digest", "row"])
_CHUNK = 20_000
# What a plain relative POSIX path never has: a backslash, an empty, "." or ".." part, a root or a drive.
_ODD_PATH = r"\\|//|(?:^|/)\.{1,2}(?:/|$)|^/|/$|^[A-Za-z]:[\\/]|^$"


def read_metadata(path: str | Path, *, required: tuple[str, ...] = ("path", "label")) -> tuple[pd.DataFrame, Problems]:
    """Read a metadata CSV as its columns and rows are; what the values mean is for later.

    Args:
        path: UTF-8 CSV with a header. Filenames, Labels, Predictions, Confidence, Split are known in any case and
            in the singular; further columns are attributes.
        required: which of "path", "label", "prediction" must be there.

    Returns:
        table: columns row (line number in the file, int64), then of the known ones those that are there: path (str,
            normalised relative POSIX path), label, prediction, split (str, trimmed), confidence (float64, NaN where
            empty); then the attributes (numbers where all values are numbers, else str).
        problems: rows of another length than the header, and bad paths and confidences, by position in `table`.

    Raises:
        BarlowError: the file is missing, not UTF-8, not CSV, empty, or lacks a column.
    """
    path = Path(path)
    problems = Problems()
    try:
        with _open(path) as file:
            reader = csv.reader(file, strict=True)
            header = next((cells for cells in reader if "".join(cells).strip()), [])
            columns = _columns(path, [cell.strip() for cell in header], required)
            frame = _read_text(reader, len(header))
    except UnicodeDecodeError:
        raise _undecodable(path) from None
    except csv.Error as error:
        raise BarlowError(f"{path} is not a valid CSV file ({error}). Expected quotes in pairs. Correct the file.") from None
    if frame.empty:
        raise BarlowError(f"{path} has a header and no rows. Expected one row an image.")
    ragged = frame["n_values"] != len(header)
    problems.add_where(ragged.to_numpy(), f"has {{}} values, the header has {len(header)}", frame["n_values"])
    table = pd.DataFrame({"row": frame["row"]})
    for position, name in columns.items():
        if name in COLUMNS:
            table[name] = frame[position]
    table["path"] = _normalise_paths(table["path"], problems)
    if "confidence" in table:
        table["confidence"] = _confidence(table["confidence"], problems)
    for position, name in columns.items():
        if name not in COLUMNS:
            table = _with_attribute(table, name, position, frame[position])
    return table, problems


def duplicates(paths: pd.Series, rows: np.ndarray | None) -> dict[int, str]:
    """Position of every later occurrence of a path -> a reason, with the line of the first where there are lines."""
    later = np.flatnonzero(paths.duplicated() & (paths != ""))
    if len(later) == 0 or rows is None:
        return {int(i): "duplicate filename" for i in later}
    first = pd.Series(rows, index=paths.to_numpy())[~paths.duplicated().to_numpy()]
    lines = first.loc[paths.to_numpy()[later]].to_numpy()
    return {int(i): f"duplicate filename, already on line {line}" for i, line in zip(later, lines, strict=True)}


def _open(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        raise BarlowError(f"{path}: no such file. Expected a CSV with {_wanted()}.") from None
    except OSError as error:
        raise BarlowError(f"{path} cannot be read ({error.strerror}). Expected a CSV with {_wanted()}.") from None


def _undecodable(path: Path) -> BarlowError:
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return BarlowError(f"{path} is written in UTF-16. Expected UTF-8. Save it as CSV UTF-8.")
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        found = error.object[error.start : error.start + 4]
        return BarlowError(f"{path}, line {line}: the bytes {found!r} are not UTF-8. Expected UTF-8 text. Save it as CSV UTF-8.")
    return BarlowError(f"{path} changed while it was read. Try again.")


def _wanted() -> str:
    return "the columns Filenames, Labels and, once there are any, Predictions"


def _columns(path: Path, header: list[str], required: tuple[str, ...]) -> dict[int, str]:
    """Return position -> our name of the column, or the attribute's own."""
    if not header:
        raise BarlowError(f"{path} is empty. Expected a CSV with {_wanted()}, and one row an image.")
    columns = {position: _SINGULAR.get(_singular(name), name) for position, name in enumerate(header)}
    found = f"found {', '.join(map(repr, header))}"
    for name in COLUMNS:
        if list(columns.values()).count(name) > 1:
            raise BarlowError(f"{path} has more than one column for {COLUMNS[name]} ({found}). Expected one. Rename the other.")
    missing = [COLUMNS[name] for name in required if name not in columns.values()]
    if missing:
        separator = next((mark for mark in ";\t|" if len(header) == 1 and mark in header[0]), None)
        hint = f" Its columns seem to be separated by {separator!r}: save it with commas." if separator else ""
        raise BarlowError(f"{path} has no column {' and no column '.join(missing)}; {found}. Expected {_wanted()}.{hint}")
    return columns


def _read_text(reader: Any, width: int) -> pd.DataFrame:
    """Read what a csv.reader has left, in chunks, so that few cells are Python objects at a time.

    Returns:
        One str column a position in the header, trimmed; `row`, the line that a row begins on; `n_values`, how many
        values it has (made as many as the header's). Blank rows are left out.
    """
    chunks: list[pd.DataFrame] = []
    line = reader.line_num + 1
    while cells := list(itertools.islice(reader, _CHUNK)):
        n_lines = np.ones(len(cells), dtype=np.int64)
        if reader.line_num + 1 - line != len(cells):  # some values have line breaks
            n_lines += [sum(cell.count("\n") for cell in row) for row in cells]
        n_values = np.fromiter(map(len, cells), dtype=np.int64)
        for position in np.flatnonzero(n_values != width):
            cells[position] = (cells[position] + [""] * width)[:width]
        frame = pd.DataFrame(dict(enumerate(zip(*cells, strict=True))), dtype="str")
        frame = frame.apply(lambda column: column.str.strip())
        blank = frame[0] == ""
        if blank.any():
            blank = (frame == "").all(axis=1)
        frame = frame.assign(row=line + n_lines.cumsum() - n_lines, n_values=n_values)
        chunks.append(frame[~blank])
        line = reader.line_num + 1
    return pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame()


def _normalise_paths(paths: pd.Series, problems: Problems) -> pd.Series:
    odd = np.flatnonzero(paths.str.contains(_ODD_PATH))
    if len(odd) == 0:
        return paths
    values = paths.to_numpy(dtype=object, copy=True)
    for position in odd:
        path = values[position].replace("\\", "/")
        tidy = posixpath.normpath(path) if path else ""
        if not path:
            reason = "filename is empty"
        elif path.startswith("/") or re.match("[A-Za-z]:/", path):
            reason = "filename is absolute; write it relative to the folder of images"
        elif tidy.split("/")[0] in ("..", "."):
            reason = "filename leads out of the folder of images"
        else:
            values[position] = tidy
            continue
        problems.add({int(position): reason})
        problems.without_file.add(int(position))
    return pd.Series(values, dtype="str")


def _confidence(text: pd.Series, problems: Problems) -> pd.Series:
    missing = text.isin(MISSING)
    values = pd.to_numeric(text.where(~missing), errors="coerce").astype("float64")
    bad = ~missing & ~values.between(0, 1)
    problems.add_where(bad.to_numpy(), "confidence {} is not a number in [0, 1]", text)
    return values


def _with_attribute(table: pd.DataFrame, name: str, position: int, text: pd.Series) -> pd.DataFrame:
    """Add an attribute under a name that no other column has, also where case does not count."""
    if not name and (text == "").all():
        return table  # a comma at the end of every line
    name = name or f"column_{position + 1}"
    if name.casefold() in RESERVED:
        name = f"attribute_{name}"
    taken = {str(column).casefold() for column in table}
    candidates = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2)))
    unique = next(candidate for candidate in candidates if candidate.casefold() not in taken)
    return table.assign(**{unique: typed(text)})


def typed(text: pd.Series) -> pd.Series:
    """Turn text into numbers where every value that is there is one; "007" is not (it would lose its zeros)."""
    missing = text.isin(MISSING)
    present = text[~missing]
    if present.empty or present.str.match(r"[+-]?0\d").any():
        return text.mask(missing)
    try:
        numbers = pd.to_numeric(present.astype(object))
    except (ValueError, TypeError):
        return text.mask(missing)
    if numbers.dtype.kind not in "iuf":
        return text.mask(missing)
    return numbers if not missing.any() else numbers.astype("float64").reindex(text.index)
