"""Cells of a table that are shown as text and are numbers all the same."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from study.report.wording import MISSING

_PERCENT = "\N{NO-BREAK SPACE}%"
# As this project writes numbers: other texts that Python would take for one ("007", "1e5", "nan") are somebody's words.
_NUMBER = re.compile(rf"[−-]?(0|[1-9]\d{{0,2}}(,\d{{3}})+|[1-9]\d*)(\.\d+)?({_PERCENT})?", re.ASCII)


class Numbers(NamedTuple):
    """A column as numbers.

    Attributes:
        values: None for a cell that says nothing.
        format: of the numbers, as printf has it, or "localized" where thousands are set apart.
    """

    values: list[float | None]
    format: str


def is_number(cell: object) -> bool:
    """Whether a cell is set to the right."""
    return _number(str(cell).lstrip("< ")) is not None or str(cell) == MISSING


def as_numbers(cells: Iterable[object]) -> Numbers | None:
    """The numbers of a column, so that it sorts as numbers; None where any cell is none, says less than a number ("< 0.001"), or
    has other digits than the rest."""
    texts = [str(cell) for cell in cells]
    said = [text for text in texts if text not in (MISSING, "")]
    digits = {len(text.removesuffix(_PERCENT).partition(".")[2]) for text in said}
    # One format for all of them, or some would be shown with digits that nobody wrote.
    if any(_number(text) is None for text in said) or len(digits) != 1 or len({text.endswith(_PERCENT) for text in said}) != 1:
        return None
    values = [_number(text) for text in texts]
    if digits == {0} and any("," in text for text in said):
        return Numbers(values, "localized")
    return Numbers(values, f"%.{digits.pop()}f" + (" %%" if said[0].endswith(_PERCENT) else ""))


def number_columns(shown: pd.DataFrame) -> set[str]:
    """The columns of a table of texts that are set to the right: those whose every cell is a number."""
    return {str(column) for column in shown.columns if all(is_number(cell) for cell in shown[column])}


def printable(shown: pd.DataFrame) -> pd.DataFrame:
    """A table of texts without the columns that say nothing in any row."""
    kept = [column for column in shown.columns if not shown[column].astype(str).isin([MISSING, ""]).all() or not len(shown)]
    return shown[kept]


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    return float(text.removesuffix(_PERCENT).replace(",", "").replace("−", "-"))
