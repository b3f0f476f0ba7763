"""Tables of sources that tell numbers from text: Parquet, JSON lines, data frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.intake.dialect import Dialect, open_text, undecodable
from barlow_core.intake.table import Table, TableError


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def is_json_lines(path: Path, dialect: Dialect) -> bool:
    """Whether the first line of a file that holds anything is a JSON object."""
    try:
        with open_text(path, dialect) as stream:
            first = next((line for line in islice(stream, 1000) if line.strip()), "")
    except UnicodeError:
        return False  # said by who reads it
    if not first.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except ValueError:
        return path.suffix.lower() in (".jsonl", ".ndjson", ".json")


def read_parquet(path: Path, expected: str) -> Table:
    """A Parquet file.

    Raises:
        BarlowError: it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame = pq.read_table(path).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError) as error:
        raise BarlowError(f"{path} is not a whole Parquet file ({error}). Expected {expected}.") from None
    return from_frame(frame, str(path), first=1)


def from_frame(frame: pd.DataFrame, source: str = "the data frame", *, first: int = 0) -> Table:
    """A pandas data frame as a table; its index counts for nothing, and a column of lists becomes one column a position.

    Args:
        first: number of the first row, for messages.
    """
    names: list[str] = []
    columns: list[Any] = []
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position].reset_index(drop=True)
        numbers = _vectors(column)
        if numbers is None:
            names.append(str(name).strip())
            columns.append(column)
        else:
            names += [f"{name}_{i}" for i in range(numbers.shape[1])]
            columns += list(numbers.T)
    rows = np.arange(first, first + len(frame), dtype=np.int64)
    cells = pd.DataFrame(dict(enumerate(columns)), index=range(len(frame)))
    return Table(source, tuple(names), cells, rows, np.full(len(frame), len(names), dtype=np.int32), typed=True, unit="row")


def read_json_lines(path: Path, dialect: Dialect, expected: str) -> Table:
    """A JSON object a line; a key that a line lacks, and null, are missing.

    Raises:
        BarlowError: it is no text.
        TableError: lines are no JSON objects, by line.
    """
    records: list[Mapping[str, Any]] = []
    lines: list[int] = []
    problems: list[tuple[int, str]] = []
    try:
        with open_text(path, dialect) as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except ValueError as error:
                    problems.append((number, f": {str(error)[:80]}; expected a JSON object, whole in its line"))
                    continue
                if isinstance(record, dict):
                    records.append(record)
                    lines.append(number)
                else:
                    problems.append((number, f": {line.strip()[:40]!r}; expected a JSON object such as {{...}}"))
    except UnicodeError:
        raise undecodable(path, dialect) from None
    if problems:
        raise TableError(f"{path} is not JSON lines throughout. Expected {expected}. Nothing was imported.", problems)
    names = list(dict.fromkeys(name for record in records for name in record))
    frame = pd.DataFrame({name: _column([record.get(name) for record in records]) for name in names})
    table = from_frame(frame, str(path))
    return Table(table.source, table.header, table.cells, np.array(lines, dtype=np.int64), table.n_values, typed=True)


def _column(values: list[Any]) -> pd.Series:
    """Values of JSON as they are, but for objects, which stay as text; whole numbers stay whole beside missing ones."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {int}:
        return pd.Series(values, dtype="Int64" if None in values else "int64")
    if kinds <= {int, float}:
        return pd.Series(values, dtype="float64")
    if kinds == {list}:
        return pd.Series(values, dtype=object)
    plain = [json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value for value in values]
    return pd.Series([None if value is None else str(value) for value in plain], dtype="str")


def _vectors(column: pd.Series) -> np.ndarray | None:
    """(N, K) float64 where a column holds K numbers in every row, such as probabilities; else None."""
    if column.dtype != object or column.empty:
        return None
    if not all(isinstance(value, list | tuple | np.ndarray) for value in column):
        return None
    try:
        array = np.array([np.asarray(value, dtype=np.float64) for value in column])
    except (ValueError, TypeError):
        return None
    return array if array.ndim == 2 and array.shape[1] else None
