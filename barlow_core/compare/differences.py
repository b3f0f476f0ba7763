"""Rates and their differences for whole columns of counts; columns end in `_first` and `_second`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from barlow_core.compare.comparison import SIDES
from barlow_core.statistics import difference_interval, paired_difference_interval

CELLS = ("both", "only_first", "only_second", "neither")  # of the 2 x 2 table of paired failures


class Counts:
    """The names of the columns of counts that a difference is made of."""

    def __init__(self, prefix: str):
        self.failures, self.images = f"{prefix}n_failures", f"{prefix}n_images"
        self.cells = [f"{prefix}{cell}" for cell in CELLS]
        self.interval = f"{prefix}interval"


GROUP = Counts("")


def as_float(column: pd.Series) -> pd.Series:
    """Numbers as float64, whatever kind of missing there is among them as NaN."""
    return column.astype("Float64").astype("float64")


def with_rate(table: pd.DataFrame, rate: str, failures: str, images: str) -> pd.DataFrame:
    """failures / images of both sides, missing where there is no image."""
    total = {side: as_float(table[f"{images}_{side}"]) for side in SIDES}
    return table.assign(
        **{f"{rate}_{side}": as_float(table[f"{failures}_{side}"]) / total[side].where(total[side] > 0) for side in SIDES}
    )


def with_difference(table: pd.DataFrame, name: str, rate: str, counts: Counts, confidence: float) -> pd.DataFrame:
    """rate of the second - rate of the first, and its interval; missing where one of them is, or where there is no estimate."""
    rates = [as_float(table[f"{rate}_{side}"]) for side in SIDES]
    difference = (rates[1] - rates[0]).where(table[counts.interval].notna() | (rates[0] == rates[1]))
    low, high = (pd.Series(np.nan, index=table.index) for _ in range(2))
    for kind in ("paired", "independent"):
        chosen = (table[counts.interval] == kind) & difference.notna()
        if not chosen.any():
            continue
        part = table[chosen]
        if kind == "paired":
            both, only_first, only_second, neither = (as_float(part[cell]).to_numpy() for cell in counts.cells)
            interval = paired_difference_interval(both, only_second, only_first, neither, confidence=confidence)
        else:
            f_1, f_2 = (as_float(part[f"{counts.failures}_{side}"]).to_numpy() for side in SIDES)
            n_1, n_2 = (as_float(part[f"{counts.images}_{side}"]).to_numpy() for side in SIDES)
            interval = difference_interval(f_2, n_2, f_1, n_1, confidence=confidence)
        low[chosen], high[chosen] = interval.low, interval.high
    return table.assign(**{name: difference, f"{name}_low": low, f"{name}_high": high})
