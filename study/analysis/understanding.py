"""Does understanding matter? Whether features that people find easy, and describe alike, are those of classes that fail often, that
activate strongly, that know much about failure, or whose heatmaps are to the point.

Spearman's rank correlation over items, by scipy. Items of one class share its error rate and resemble each other, so the interval and
the p-value resample classes (of one grouping) with all their items; the error rate is one number a class and is correlated with the
averages of classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from study.analysis.differences import holm
from study.uncertainty import CONFIDENCE, REPLICATES, check_settings

CAUSES = ("ber", "activation", "mutual_information", "salience")
OUTCOMES = ("ease", "confidence", "short", "long", "concatenated")
# Known for a class and not for a feature.
OF_CLASSES = ("ber",)
FEWEST = 5
NOT_KNOWN = "the study does not know it"
TOO_FEW = "fewer than {n} {what} have both, so no correlation"
NO_VARIATION = "all {what} have the same value, so there is no order to compare"
FEW_CLASSES = "the items are of one class, so no interval"
RARELY_DEFINED = "defined in fewer than half of the resamples, so no interval"
_FLOATS = ("rho", "low", "high", "p")


def correlations(
    items: pd.DataFrame,
    *,
    causes: Sequence[str] = CAUSES,
    outcomes: Sequence[str] = OUTCOMES,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> pd.DataFrame:
    """Spearman's rho between what is known of features and what people made of them.

    Args:
        items: one row an item: the causes and outcomes as columns (missing values allowed), `group` (the class of one grouping) or
            `grouping` and `class_name`. A column that is not there gives rows with a reason.

    Returns:
        A row a pair: `cause`, `outcome`, `unit` ("items" or "classes"), `n` (units with both), `n_classes`, `rho` (-1 to 1), `low`, `high`,
        `p` (two-sided, from the same resamples; at least 2 / (replicates + 1)), `p_holm` (corrected for all rows), `reason`.
    """
    check_settings(confidence, replicates)
    classes = class_of_items(items)
    known = [name for name in (*causes, *outcomes) if name in items]
    of_items = pd.DataFrame({name: _numbers(items[name]) for name in known}, index=items.index)
    of_classes = of_items.groupby(classes).mean().round(9)
    found: dict[tuple[str, str], dict[str, object]] = {}
    for unit, table, codes in (("classes", of_classes, np.arange(len(of_classes))), ("items", of_items, classes)):
        asked = [(cause, outcome) for cause in causes for outcome in outcomes if (cause in OF_CLASSES) == (unit == "classes")]
        rows = {pair: _row(table, codes, pair, unit) for pair in asked}
        drawn = _resampled(table, codes, [pair for pair in asked if rows[pair]["reason"] is None], replicates, seed)
        found |= {pair: row | (_interval(drawn[pair], confidence) if pair in drawn else {}) for pair, row in rows.items()}
    result_rows = [{"cause": cause, "outcome": outcome, **found[cause, outcome]} for cause in causes for outcome in outcomes]
    columns = ["cause", "outcome", "unit", "n", "n_classes", *_FLOATS, "reason"]
    result = pd.DataFrame(result_rows, columns=columns).astype(dict.fromkeys(_FLOATS, "Float64"))
    result.insert(columns.index("reason"), "p_holm", holm(result["p"]))
    return result


def class_of_items(items: pd.DataFrame) -> np.ndarray:
    """(n,) a number for the class, of one grouping, of each item; each item its own class where classes are not known."""
    for columns in (["group"], ["grouping", "class_name"]):
        if all(column in items and items[column].notna().all() for column in columns):
            return items.groupby(columns, sort=False, observed=True).ngroup().to_numpy()
    return np.arange(len(items))


def _numbers(column: pd.Series) -> np.ndarray:
    # Averages of whole numbers are equal as fractions before they are as floats.
    return pd.to_numeric(column).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan).round(9)


def _row(table: pd.DataFrame, classes: np.ndarray, pair: tuple[str, str], unit: str) -> dict[str, object]:
    """The correlation of a pair; `reason` is None when it can be resampled."""
    row: dict[str, object] = {"unit": unit, "n": 0, "n_classes": 0}
    if not all(name in table and table[name].notna().any() for name in pair):
        return row | {"reason": NOT_KNOWN}
    given = table[list(pair)].notna().all(axis=1).to_numpy()
    values = table.loc[given, list(pair)].to_numpy()
    n, n_classes = len(values), len(np.unique(classes[given]))
    row |= {"n": n, "n_classes": n_classes}
    if n < FEWEST:
        return row | {"reason": TOO_FEW.format(n=FEWEST, what=unit)}
    if (values == values[0]).all(axis=0).any():
        return row | {"reason": NO_VARIATION.format(what=unit)}
    row["rho"] = float(spearmanr(values[:, 0], values[:, 1]).statistic)
    return row | {"reason": FEW_CLASSES if n_classes < 2 else None}


def _interval(drawn: np.ndarray, confidence: float) -> dict[str, object]:
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < len(drawn) / 2:
        return {"reason": RARELY_DEFINED}
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    beyond = min((defined <= 0).sum(), (defined >= 0).sum())
    return {"low": float(low), "high": float(high), "p": min(1.0, 2 * float(beyond + 1) / (len(defined) + 1))}


def _resampled(
    table: pd.DataFrame, classes: np.ndarray, pairs: Sequence[tuple[str, str]], replicates: int, seed: int
) -> dict[tuple[str, str], np.ndarray]:
    """(replicates,) rhos of each pair in resamples of whole classes, the same resamples for all; NaN without variation.

    A resample that draws an item w times is a sample with w copies of it, whose mid-ranks follow from cumulated weights, so that
    nothing is sorted anew; and columns that are missing in the same items share their ranks.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    orders = {name: _Order(table[name].to_numpy()) for name in names}
    given = {pair: table[list(pair)].notna().all(axis=1).to_numpy() for pair in pairs}
    drawn = {pair: np.empty(replicates) for pair in pairs}
    n_classes = int(classes.max(initial=-1)) + 1
    rng = np.random.default_rng(seed)
    batch = max(1, (1 << 18) // max(len(table), 1))
    for at in range(0, replicates if pairs else 0, batch):
        size = min(batch, replicates - at)
        draws = rng.integers(n_classes, size=(size, n_classes))
        counts = np.bincount((draws + n_classes * np.arange(size)[:, None]).ravel(), minlength=size * n_classes)
        # Resamples as rows: of many items there are few at a time, and rows of few numbers are slow.
        weights = counts.reshape(size, n_classes).astype(np.float64)[:, classes]
        ranks: dict[tuple[str, bytes], tuple[np.ndarray, np.ndarray]] = {}
        for pair in pairs:
            mask = given[pair].tobytes()
            for name in pair:
                if (name, mask) not in ranks:
                    of_given = weights * given[pair]
                    centred = orders[name].ranks(of_given) - (of_given.sum(axis=1, keepdims=True) + 1) / 2
                    ranks[name, mask] = centred, of_given * centred
            (x, weighted_x), (y, weighted_y) = ranks[pair[0], mask], ranks[pair[1], mask]
            products = [np.einsum("bn,bn->b", *two) for two in ((weighted_x, y), (weighted_x, x), (weighted_y, y))]
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn[pair][at : at + size] = products[0] / np.sqrt(products[1] * products[2])
    return drawn


class _Order:
    """The distinct values of a column in order, for mid-ranks under weights."""

    def __init__(self, values: np.ndarray):
        values = np.nan_to_num(values)  # a missing value has no weight, so its place does not matter
        self.place = (rankdata(values, method="dense") - 1).astype(np.intp)
        self.order = np.argsort(self.place, kind="stable")
        self.starts = np.flatnonzero(np.diff(self.place[self.order], prepend=-1))

    def ranks(self, weights: np.ndarray) -> np.ndarray:
        """(B, n) mid-ranks of each item among the copies of all that weights (B, n) make."""
        of_value = np.add.reduceat(weights[:, self.order], self.starts, axis=1)
        return (np.cumsum(of_value, axis=1) - (of_value - 1) / 2)[:, self.place]
