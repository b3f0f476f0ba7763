"""The metadata of images as columns: found by name, and read as categories."""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError

if TYPE_CHECKING:
    from barlow_core.benchmark.benchmark import Benchmark

# Larger whole numbers are no longer exact as floats, so their text would claim too much.
LARGEST_WHOLE = 2**53


class Categories(NamedTuple):
    """A column as categories.

    Attributes:
        name: of the column, as the benchmark spells it.
        codes: (N,) int64, positions in `values`; -1 for an image without a value.
        values: the distinct values as text: numbers in increasing order, else sorted.
    """

    name: str
    codes: np.ndarray
    values: list[str]


def column_names(benchmark: Benchmark) -> list[str]:
    """The columns that images can be grouped by: the attributes, and "split" and "confidence" where there are such."""
    known = {"split": benchmark.split, "confidence": benchmark.confidence}
    return [*map(str, benchmark.attributes), *(name for name, values in known.items() if values is not None)]


def find_column(benchmark: Benchmark, name: str) -> str:
    """The column that `name` means, case aside, as the benchmark spells it.

    Raises:
        BarlowError: there is none; close names are suggested.
    """
    known = {column.casefold(): column for column in column_names(benchmark)}
    found = known.get(name.casefold())
    if found is not None:
        return found
    if not known:
        raise BarlowError(
            f"No column is called {name!r}: the images have no metadata but labels. Import them with a CSV that has it."
        )
    close = get_close_matches(name.casefold(), known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(known[near] for near in close)}?" if close else f"Available: {', '.join(known.values())}."
    raise BarlowError(f"No column of the metadata is called {name!r}. {hint}")


def column(benchmark: Benchmark, name: str) -> pd.Series:
    """The values of a column, one an image, missing where an image has none.

    Raises:
        BarlowError: there is no such column (see `find_column`), or it has no value at all.
    """
    name = find_column(benchmark, name)
    if name in ("split", "confidence") and name not in benchmark.attributes:
        values = pd.Series(benchmark.split if name == "split" else benchmark.confidence, name=name)
    else:
        values = benchmark.attributes[name]
    values = values.reset_index(drop=True).replace("", np.nan) if values.dtype.kind in "OTU" else values.reset_index(drop=True)
    if values.isna().all():
        raise BarlowError(
            f"The column {name!r} has no value for any of {len(benchmark):,} images. Expected some. Use another column."
        )
    return values


def categories(benchmark: Benchmark, name: str) -> Categories:
    """A column as categories; a whole number has the same text whether it is stored as 7 or as 7.0.

    Raises:
        BarlowError: as `column`.
    """
    values = column(benchmark, name)
    if pd.api.types.is_numeric_dtype(values):
        codes, known = pd.factorize(values, sort=True, use_na_sentinel=True)
        texts = [_number_text(value) for value in known]
    else:
        codes, known = pd.factorize(values.map(str, na_action="ignore"), sort=True, use_na_sentinel=True)
        texts = [str(value) for value in known]
    return Categories(find_column(benchmark, name), np.asarray(codes, dtype=np.int64), texts)


def column_digest(benchmark: Benchmark, name: str) -> str:
    """32 hex digits that stand for the values of a column, image by image."""
    found = categories(benchmark, name)
    digest = hashlib.blake2b("\0".join(found.values).encode(), digest_size=16)
    digest.update(found.codes.astype("<i8").tobytes())
    return digest.hexdigest()


def _number_text(value: Any) -> str:
    number = value.item() if hasattr(value, "item") else value
    return str(int(number)) if isinstance(number, float) and number.is_integer() and abs(number) < LARGEST_WHOLE else str(number)


def comparable(benchmark: Benchmark, name: str) -> np.ndarray:
    """A column as rules compare it: (N,) float64, NaN where there is no number; or (N,) str, "" where there is no value.

    Raises:
        BarlowError: as `column`.
    """
    values = column(benchmark, name)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    return values.map(str, na_action="ignore").fillna("").to_numpy(dtype=object)
