"""The mean agreement of descriptions over items, of all and by grouping and tier, with two-way intervals of means and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.agreement.cosine import KINDS
from study.answers.table import attributes_of_items
from study.statistics import uncertainty
from study.statistics.pair_means import PairMeans
from study.statistics.uncertainty import Estimate


class AgreementMeans:
    """Means of agreements from one set of resamples.

    An item's agreement is the mean over the pairs of its descriptions, and resampling workers weighs the pairs anew
    (`study.statistics.pair_means.PairMeans`). Where the pairs are too many to hold, items alone are resampled, and the reason says so.

    Args:
        agreement: for kinds of description the agreement of the items, on their ids.
        pairs: those of `study.agreement.cosine.agreements_and_pairs`, or None for too many.
        levels: for names of sides the items of each; the side of all is always there.
    """

    def __init__(
        self,
        agreement: Mapping[str, pd.Series],
        pairs: pd.DataFrame | None,
        levels: Mapping[tuple[str, str], pd.Index] | None = None,
        **bootstrap: Any,
    ):
        self._kinds = [kind for kind in KINDS if kind in agreement]
        self._agreement, self._bootstrap = agreement, bootstrap
        self._items = dict(levels or {})
        self._sides = list(self._items)
        self._means: PairMeans | None = None
        if pairs is not None:
            sides = np.ones((1 + len(self._sides), len(pairs)), dtype=bool)
            for row, side in zip(sides[1:], self._sides, strict=True):
                row[:] = pairs["item"].isin(self._items[side])
            self._means = PairMeans(pairs[self._kinds], pairs["item"], pairs["first"], pairs["second"], sides=sides, **bootstrap)

    def mean(self, kind: str) -> Estimate:
        """Over all items that have an agreement."""
        if self._means is not None:
            return self._means.mean(self._kinds.index(kind))
        return _with_reason(uncertainty.item_mean(_numbers(self._agreement[kind]), **self._bootstrap))

    def difference(self, kind: str, first: tuple[str, str], second: tuple[str, str]) -> Estimate:
        """The mean over the items of one side minus that of another."""
        if self._means is not None:
            return self._means.difference(self._kinds.index(kind), *(1 + self._sides.index(side) for side in (first, second)))
        parts = [_numbers(self._agreement[kind].reindex(self._items[side])) for side in (first, second)]
        return _with_reason(uncertainty.item_difference(*parts, **self._bootstrap))


TOO_MANY = "too many pairs of descriptions to weigh: the interval resamples items only"


def _with_reason(estimate: Estimate) -> Estimate:
    if estimate.low is None:
        return estimate
    return Estimate(**{**estimate.to_dict(), "reason": TOO_MANY})


def _numbers(values: pd.Series) -> np.ndarray:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def levels_of_items(answers: pd.DataFrame, factors: Sequence[str]) -> dict[tuple[str, str], pd.Index]:
    """For (factor, value) the items of it."""
    of_items = attributes_of_items(answers, factors)
    return {
        (factor, str(value)): of_items.index[of_items[factor] == value]
        for factor in map(str, of_items)
        for value in of_items[factor].dropna().unique()
    }
