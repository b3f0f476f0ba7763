"""Values of a table that is text: which stand for nothing, and numbers as spreadsheets of any country write them."""

from __future__ import annotations

import numpy as np
import pandas as pd

# How spreadsheets and programs write that there is no value.
MISSING = frozenset(["", "nan", "NaN", "NAN", "NA", "N/A", "<NA>", "null", "NULL", "None"])
# Of a source that can say itself that there is none.
NOTHING = frozenset([""])
_CHUNK = 100_000
_DECIMAL_COMMA = r"[+-]?\d+(?:,\d+)?"


def parse_missing(text: str) -> frozenset[str]:
    """Which texts stand for no value, as a person says it, with commas between: "NA,none"; "" for the empty text alone, which always does."""
    return NOTHING | {part.strip() for part in text.split(",")}


def numbers(text: pd.Series) -> pd.Series:
    """Text as float64, NaN where it is no number. "0,5" counts where all of them can be read with a comma, and one has one."""
    values = _floats(text)
    if values.isna().any() and has_decimal_commas(text):
        return _floats(text.str.replace(",", "."))
    return values


def _floats(text: pd.Series) -> pd.Series:
    """In pieces, since pandas makes a Python object of each value on the way."""
    values = np.empty(len(text))
    for start in range(0, len(text), _CHUNK):
        values[start : start + _CHUNK] = pd.to_numeric(text.iloc[start : start + _CHUNK], errors="coerce")
    return pd.Series(values, index=text.index, copy=False)


def has_decimal_commas(text: pd.Series) -> bool:
    """Whether these are numbers with a decimal comma: "0,5", and no thousands ("1,000" could be either)."""
    any_decimal = False
    for start in range(0, len(text), _CHUNK):
        piece = text.iloc[start : start + _CHUNK]
        present = piece[piece.notna() & (piece != "")]
        with_comma = present[present.str.contains(",", regex=False)]
        if not present.str.fullmatch(_DECIMAL_COMMA).all():
            return False
        any_decimal |= bool(len(with_comma) and not with_comma.str.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}").all())
    return any_decimal
