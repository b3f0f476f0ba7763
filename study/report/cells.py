"""Cells of a table that are shown as text and are numbers all the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from study.report.wording import MISSING

_PERCENT = "\N{NO-BREAK SPACE}%"


class Numbers(NamedTuple):
    """A column as numbers.

    Attributes:
        values: None for a cell that says nothing.
        format: of the numbers, as printf has it.
    """

    values: list[float | None]
    format: str


def is_number(cell: object) -> bool:
    """Whether a cell is set to the right."""
    return _number(str(cell).lstrip("< ")) is not None or str(cell) == MISSING


def as_numbers(cells: Iterable[object]) -> Numbers | None:
    """The numbers of a column, so that it sorts as numbers; None where any cell is none, or says less than a number ("< 0.001")."""
    texts = [str(cell) for cell in cells]
    values = [None if text in (MISSING, "") else _number(text) for text in texts]
    given = [text for text, value in zip(texts, values, strict=True) if value is not None]
    said = [text for text in texts if text not in (MISSING, "")]
    percents = {text.endswith(_PERCENT) for text in given}
    if not given or given != said or len(percents) > 1:
        return None
    digits = max(len(text.removesuffix(_PERCENT).partition(".")[2]) for text in given)
    return Numbers(values, f"%.{digits}f" + (" %%" if percents == {True} else ""))


def _number(text: str) -> float | None:
    try:
        return float(text.removesuffix(_PERCENT).replace(",", "").replace("−", "-"))
    except ValueError:
        return None
