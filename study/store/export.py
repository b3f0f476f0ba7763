"""Answers on their way out: CSV, JSON lines, Parquet, each with a codebook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write, write_parquet

if TYPE_CHECKING:
    import pandas as pd

PRIVATE = 0o600
FORMATS = ("csv", "jsonl", "parquet")
# What spreadsheets take for the beginning of a formula, full-width forms included; the apostrophe itself, so that taking one
# apostrophe away always gives the text back.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def format_of(path: Path, given: str | None) -> str:
    """The format that was asked for, or the one of the file's name.

    Raises:
        BarlowError: none of `FORMATS`.
    """
    found = given or path.suffix.removeprefix(".").lower()
    if found not in FORMATS:
        raise BarlowError(
            f"{path}: the format {found!r} is none of {', '.join(FORMATS)}. End the name in .csv, or give the format."
        )
    return found


def write_table(path: Path, table: pd.DataFrame, kind: str) -> None:
    """Write `table` in format `kind`, atomically."""
    if kind == "parquet":
        write_parquet(path, table)
        return
    with atomic_write(path) as temporary:
        if kind == "csv":
            # With both characters at the end of a line (RFC 4180), each of them is quoted where it stands in a text.
            safe(table).to_csv(
                temporary, index=False, encoding="utf-8", lineterminator="\r\n", date_format="%Y-%m-%dT%H:%M:%S.%fZ"
            )
        else:
            table.to_json(temporary, orient="records", lines=True, force_ascii=False, date_format="iso", date_unit="ms")


def write_answers(path: Path, kind: str, table: pd.DataFrame, codebook: pd.DataFrame, *, private: bool = False) -> list[Path]:
    """Write answers and, beside them, their codebook; the files that were written.

    Args:
        private: only the owner may read the answers, as they hold the ids of people.

    Raises:
        BarlowError: one of them cannot be written.
    """
    book = codebook_path(path)
    try:
        write_table(path, table, kind)
        if private:
            path.chmod(PRIVATE)
        write_table(book, codebook, "csv")
    except OSError as error:
        raise BarlowError(f"{path} could not be written ({error}). Choose another place, or make room.") from error
    return [path, book]


def codebook_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_codebook.csv")


def safe(table: pd.DataFrame) -> pd.DataFrame:
    """`table` for a spreadsheet: texts that could be taken for a formula begin with an apostrophe, column names too."""
    made = table.copy()
    for column in made.columns:
        if made[column].dtype.kind not in "biufcM" and made[column].dtype.name not in ("boolean", "Int64"):
            made[column] = made[column].map(_escaped, na_action="ignore")
    made.columns = [_escaped(column) for column in made.columns]
    return made


def _escaped(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.lstrip(" \u00a0").startswith(FORMULA) else value
