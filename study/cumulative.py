"""Cumulative distributions over items (Figures 9a and 66 of the paper)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def cumulative(values: ArrayLike) -> pd.DataFrame:
    """How many values are at most x, for every x that occurs.

    Args:
        values: (n,) numbers, one an item; what is missing (NaN, <NA>, None) is left out.

    Returns:
        A table with columns `value` (ascending, distinct), `n` (items with at most this value) and `share` (of all with a value),
        ending at 1; no rows where there are no values.
    """
    numbers = pd.to_numeric(pd.Series(values)).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = numbers[~np.isnan(numbers)]
    # Averages of whole numbers are equal as fractions before they are as floats.
    distinct, counts = np.unique(numbers.round(12), return_counts=True)
    at_most = np.cumsum(counts)
    return pd.DataFrame({"value": distinct, "n": at_most, "share": at_most / max(len(numbers), 1)})
