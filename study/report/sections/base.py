"""What all sections need: figures and tables with the banner, the subtitle and the fold filled in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pandas as pd

from study.report.elements import SHOWN, Figure, Table
from study.report.style import label
from study.report.wording import MISSING, decimal, is_missing, p_value, share, share_digits


class About(Protocol):
    """What figures and tables are about: an analysis, or the interviews of one."""

    @property
    def n_text(self) -> str: ...

    @property
    def banner(self) -> str | None: ...


def figure(analysis: About, *, content: Any, reason: str | None = None, **given: Any) -> Figure:
    """A figure of an analysis; without content where there is a reason."""
    subtitle = given.pop("subtitle", analysis.n_text)
    return Figure(content=None if reason else content, reason=reason, banner=analysis.banner, subtitle=subtitle, **given)


def table(analysis: About, data: pd.DataFrame, *, shown: pd.DataFrame | None = None, **given: Any) -> Table:
    """A table of an analysis; what is shown is at most `SHOWN` rows of the formatted table, or of the data."""
    return Table(data=data, shown=(as_text(data) if shown is None else shown).head(SHOWN), banner=analysis.banner, **given)


def rows_of(data: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, as objects with its columns as attributes."""
    yield from data.itertuples()


def records_of(data: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, by column."""
    return [{str(key): value for key, value in row.items()} for row in data.to_dict("records")]


def as_text(data: pd.DataFrame, *, share_of: str | None = None, **kinds: str) -> pd.DataFrame:
    """The first `SHOWN` rows of a table as people read them: numbers with two decimals, missing values as dashes.

    Args:
        share_of: the column with the number that shares are of.
        kinds: for columns: "share", "p", "whole", "fine" (four decimals), "label" (the name of a column or value); others by their type.
    """
    made = {}
    whole = data[share_of].head(SHOWN).tolist() if share_of else [None] * min(len(data), SHOWN)
    for column in data.columns:
        kind = kinds.get(str(column))
        cells = zip(data[column].head(SHOWN), whole, strict=True)
        made[str(column)] = [share(value, n) if kind == "share" else _cell(value, kind) for value, n in cells]
    return pd.DataFrame(made, columns=[str(column) for column in data.columns], dtype=object)


def attributes_to_show(data: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Those of the columns that say more than the items' ids, which often are grouping:class:feature."""
    shown = [name for name in names if name in data]
    if {"grouping", "class_name"} <= set(shown) and len(data):
        # Where one of the two is not known, the item's id tells neither.
        told = data[["grouping", "class_name"]].notna().all(axis=None) and all(
            str(item).startswith(f"{grouping}:{class_name}:")
            for item, grouping, class_name in zip(data["item"], data["grouping"], data["class_name"], strict=True)
        )
        shown = [name for name in shown if not told or name not in ("grouping", "class_name", "feature")]
    return shown


def merged(data: pd.DataFrame, value: str, low: str, high: str, *, share_of: str | None = None, digits: int = 2) -> list[str]:
    """A value and its interval as one column: "43.2 % [40.9, 45.4]"; shares where `share_of` names the column of what they are of."""
    made = []
    for row in records_of(data):
        n = row[share_of] if share_of else None
        factor, places = (100, share_digits(n)) if share_of else (1, digits)
        text = share(row[value], n) if share_of else decimal(row[value], digits)
        if not is_missing(row[low]) and not is_missing(row[high]):
            text += f" [{decimal(float(row[low]) * factor, places)}, {decimal(float(row[high]) * factor, places)}]"
        made.append(text)
    return made


def _cell(value: Any, kind: str | None) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(f"{one[0]} ({one[1]})" if isinstance(one, tuple) else str(one) for one in value)
    if is_missing(value) or value is pd.NaT:
        return MISSING
    if kind == "p":
        return p_value(value)
    if kind == "fine":
        return decimal(value, 4)
    if kind == "whole":
        return f"{int(value):,}".replace("-", "−")
    if kind == "label":
        return label(value)
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if hasattr(value, "dtype") or isinstance(value, int | float):
        number = float(value)
        return (
            f"{int(number):,}".replace("-", "−")
            if isinstance(value, int) or str(getattr(value, "dtype", "")).startswith("int")
            else decimal(number)
        )
    return str(value)
