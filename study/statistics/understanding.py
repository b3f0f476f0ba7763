"""Does understanding matter? Whether features that people find easy, and describe alike, are those of classes that fail often, that
activate strongly, that know much about failure, or whose heatmaps are to the point.

Spearman's rank correlation. Items of one class (of one grouping) share its error rate and resemble each other, so items are never taken as
independent where their classes are known:

- The error rate is one number a class and is correlated with the averages of classes; its p-value is that of a permutation test, which
  gives every class the error rate of any (all orders where they are few, else random ones).
- What is known of single items is correlated over items. Interval and p-value leave out one class after the other, with all its items (the
  jackknife), take Fisher's z for normal, and Student's t for the few classes. Unlike percentiles of resampled classes, which find something
  in nothing the more often the fewer classes there are, this keeps its promise (docs/study_calibration.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import permutation_test, rankdata, spearmanr, t

from barlow_core.wording import count
from study.statistics.differences import holm
from study.statistics.estimates import CONFIDENCE, check_settings
from study.statistics.resampling import REPLICATES

CAUSES = ("ber", "activation", "mutual_information", "salience")
OUTCOMES = ("ease", "confidence", "short", "long", "concatenated")
# Known for a class and not for a feature.
OF_CLASSES = ("ber",)
# Units for a correlation, and classes for an interval and for a p-value from it.
FEWEST = 5
FEWEST_CLASSES = 8
# Orders of a permutation test, at least: they cost little, and few of them could not be clear after correction. All orders of 7 are fewer.
PERMUTATIONS = 9999
# Parts that are left out in turn: above this, classes are left out several at a time, so that large studies do not take the square of it.
MOST_PARTS = 400
NOT_KNOWN = "the study does not know it"
NO_OUTCOME = "no item has this measure of understanding"
TOO_FEW = "fewer than {n} {what} have both, so no correlation"
NO_VARIATION = "all {what} have the same value, so there is no order to compare"
FEW_CLASSES = "fewer than {n} classes, so {what}"
CLASS_NOT_KNOWN = "{items} left out, whose class is not known"
INDEPENDENT = "no class is known: items taken as independent"
SHARED = "items of a class share it, and no class is known, so neither interval nor p"
PERFECT = "the order is perfect, so {what}"
UNDEFINED = "perfect or undefined without one of the classes, so {what}"
CONSTANT = "the same whichever class is left out, so {what}"
LEAST = "no p below {least:.2g} is possible, which is not clear after correction for {n}"
_FLOATS = ("rho", "low", "high", "p")
_NEGLIGIBLE = 1e-9


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
        items: one row an item: the causes and outcomes as columns (missing values allowed), and what `class_columns` looks for. A column that
            is not there gives rows with a reason.
        confidence: of the intervals; a corrected p below 1 - confidence is clear.
        replicates: random orders of the permutation tests, where there are more orders than that; at least `PERMUTATIONS` are taken.
        seed: of those orders.

    Returns:
        A row a pair: `cause`, `outcome`, `unit` ("items" or "classes"), `n` (units with both), `n_classes` (missing where no class is known
        and items are taken as independent), `rho` (-1 to 1), `low`, `high`, `p` (two-sided), `p_holm` (corrected for all rows that have a p),
        `p_least` (the smallest p that the permutation test could have given), `reason` (why something is missing, what was left out).
    """
    check_settings(confidence, replicates)
    classes = class_of_items(items)
    in_class = classes >= 0
    independent = not in_class.any()
    known = [name for name in (*causes, *outcomes) if name in items]
    of_items = pd.DataFrame({name: _numbers(items[name]) for name in known}, index=items.index)
    if independent:
        units = {"items": (of_items, np.arange(len(items)))}
    else:
        of_classes = of_items[in_class].groupby(classes[in_class]).mean().round(9)
        units = {"classes": (of_classes, np.arange(len(of_classes))), "items": (of_items[in_class], classes[in_class])}
    rows: dict[tuple[str, str], _Row] = {}
    for unit, (table, codes) in units.items():
        asked = [(cause, outcome) for cause in causes for outcome in outcomes]
        pairs = [pair for pair in asked if (pair[0] in OF_CLASSES and not independent) == (unit == "classes")]
        found = {pair: _row(table, codes, pair, unit) for pair in pairs}
        tested = [pair for pair in pairs if found[pair].rho is not None and not (independent and pair[0] in OF_CLASSES)]
        without = _without_each(table, codes, tested)
        for pair, row in found.items():
            if pair in tested:
                row = _tested(table, pair, row, without[pair], confidence, max(replicates, PERMUTATIONS), seed)
            notes = [row.reason]
            if row.rho is not None and independent:
                notes.append(SHARED if pair[0] in OF_CLASSES else INDEPENDENT)
            if all(name in of_items for name in pair) and not independent:
                left_out = int((_given(of_items, pair) & ~in_class).sum())
                notes.append(CLASS_NOT_KNOWN.format(items=count(left_out, "item")) if left_out else None)
            rows[pair] = replace(row, reason=_joined(notes))
    columns = ["cause", "outcome", "unit", "n", "n_classes", *_FLOATS, "p_least", "reason"]
    made = [{"cause": cause, "outcome": outcome, **asdict(rows[cause, outcome])} for cause in causes for outcome in outcomes]
    result = pd.DataFrame(made, columns=columns).astype(dict.fromkeys((*_FLOATS, "p_least"), "Float64") | {"n_classes": "Int64"})
    if independent:
        result["n_classes"] = pd.array([pd.NA] * len(result), dtype="Int64")
    result.insert(columns.index("p_least"), "p_holm", holm(result["p"]))
    hopeless = cannot_be_clear(result, 1 - confidence)
    for at in result.index[hopeless]:
        note = LEAST.format(least=result.loc[at, "p_least"], n=count(int(result["p"].notna().sum()), "correlation"))
        result.loc[at, "reason"] = _joined([None if pd.isna(result.loc[at, "reason"]) else str(result.loc[at, "reason"]), note])
    return result


def cannot_be_clear(table: pd.DataFrame, level: float) -> pd.Series:
    """(rows) bool, of a table of `correlations`: tested on so few classes that no order of them is clear after correction for all tests.

    Args:
        level: below which a corrected p is clear. Where others are clear the correction is for fewer, so what is clear can be clear.
    """
    n = int(table["p"].notna().sum())
    return ((table["p_least"] * n >= level) & (table["p_holm"] >= level)).fillna(False).astype(bool)


def class_columns(items: pd.DataFrame) -> tuple[str, ...]:
    """The columns that say of which class, and if possible of which grouping, an item is; () where no class is known.

    `group`, or `grouping` with `class_name` where these are known of more items; `class_name` alone only where no grouping is known.
    """

    def n_known(columns: tuple[str, ...]) -> int:
        return int(items[list(columns)].notna().all(axis=1).sum()) if all(column in items for column in columns) else 0

    best = max((("group",), ("grouping", "class_name")), key=n_known)
    return next((columns for columns in (best, ("class_name",)) if n_known(columns)), ())


def class_of_items(items: pd.DataFrame) -> np.ndarray:
    """(n,) a number for the class (of one grouping, where that is known) of each item; -1 for an item whose class is not known."""
    columns = list(class_columns(items))
    if not columns:
        return np.full(len(items), -1)
    keys = items[columns].astype(object)
    numbers = keys.groupby(columns, sort=False, dropna=True).ngroup()
    return numbers.where(keys.notna().all(axis=1), -1).fillna(-1).to_numpy(dtype=np.intp)


@dataclass(frozen=True)
class _Row:
    """A row of `correlations`."""

    unit: str
    n: int = 0
    n_classes: int = 0
    rho: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_least: float | None = None
    reason: str | None = None


def _joined(notes: Sequence[str | None]) -> str | None:
    return "; ".join(note for note in notes if note is not None) or None


def _numbers(column: pd.Series) -> np.ndarray:
    # Averages of whole numbers are equal as fractions before they are as floats.
    return pd.to_numeric(column).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan).round(9)


def _given(table: pd.DataFrame, pair: tuple[str, str]) -> np.ndarray:
    return table[list(pair)].notna().all(axis=1).to_numpy()


def _row(table: pd.DataFrame, codes: np.ndarray, pair: tuple[str, str], unit: str) -> _Row:
    """The correlation of a pair, or a reason why there is none."""
    for name, reason in zip(pair, (NOT_KNOWN, NO_OUTCOME), strict=True):
        if name not in table or not table[name].notna().any():
            return _Row(unit, reason=reason)
    given = _given(table, pair)
    values = table.loc[given, list(pair)].to_numpy()
    row = _Row(unit, len(values), len(np.unique(codes[given])))
    if row.n < FEWEST:
        return replace(row, reason=TOO_FEW.format(n=FEWEST, what=unit))
    if (values == values[0]).all(axis=0).any():
        return replace(row, reason=NO_VARIATION.format(what=unit))
    return replace(row, rho=float(spearmanr(values[:, 0], values[:, 1]).statistic))


def _tested(
    table: pd.DataFrame, pair: tuple[str, str], row: _Row, without: np.ndarray, confidence: float, permutations: int, seed: int
) -> _Row:
    """A correlation with interval and p-value, or why they are missing."""
    if row.unit == "items":
        return _jackknifed(row, without, confidence, "neither interval nor p")
    p, least = _permuted(table.loc[_given(table, pair), list(pair)].to_numpy(), permutations, seed)
    return replace(_jackknifed(row, without, confidence, "no interval"), p=p, p_least=least)


def _jackknifed(row: _Row, without: np.ndarray, confidence: float, missing: str) -> _Row:
    """A correlation with the interval and p-value of the jackknife, or a reason.

    Args:
        without: (parts,) rhos without one part of the classes each.
        missing: what there is not where there is no interval.
    """
    if row.rho is None or row.n_classes < FEWEST_CLASSES:
        return replace(row, reason=FEW_CLASSES.format(n=FEWEST_CLASSES, what=missing))
    if abs(row.rho) > 1 - _NEGLIGIBLE:
        return replace(row, reason=PERFECT.format(what=missing))
    if not (np.abs(without) < 1 - _NEGLIGIBLE).all():
        return replace(row, reason=UNDEFINED.format(what=missing))
    parts, z, each = len(without), math.atanh(row.rho), np.arctanh(without)
    error = math.sqrt((parts - 1) / parts * float(((each - each.mean()) ** 2).sum()))
    if error < _NEGLIGIBLE:
        return replace(row, reason=CONSTANT.format(what=missing))
    half = float(t.ppf((1 + confidence) / 2, parts - 1)) * error
    return replace(row, low=math.tanh(z - half), high=math.tanh(z + half), p=float(2 * t.sf(abs(z) / error, parts - 1)))


def _permuted(values: np.ndarray, permutations: int, seed: int) -> tuple[float, float]:
    """The two-sided p-value of a rank correlation when the first column of (n, 2) values may stand in any order, and the least possible."""
    first, second = (rankdata(column) - (len(values) + 1) / 2 for column in values.T)

    def strength(first: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.abs((first * second).sum(axis=axis))

    found = permutation_test(
        (first,),
        strength,
        permutation_type="pairings",
        vectorized=True,
        alternative="greater",
        n_resamples=permutations,
        batch=max(1, (1 << 20) // len(first)),
        rng=np.random.default_rng(seed),
    )
    null = found.null_distribution
    exact = math.factorial(len(first)) <= permutations
    return float(found.pvalue), float((null >= null.max()).mean()) if exact else 1 / (len(null) + 1)


def _without_each(table: pd.DataFrame, codes: np.ndarray, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], np.ndarray]:
    """(parts,) rhos of each pair, each without one part of the classes (one class, up to `MOST_PARTS` of them); NaN without variation.

    Leaving out an item is a weight of nought, and mid-ranks follow from cumulated weights, so that nothing is sorted anew; and columns that
    are missing in the same items share their ranks.
    """
    if not pairs:
        return {}
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    orders = {name: _Order(table[name].to_numpy()) for name in names}
    given = {pair: _given(table, pair) for pair in pairs}
    part = codes % MOST_PARTS
    n_parts = int(part.max()) + 1
    found = {pair: np.empty(n_parts) for pair in pairs}
    batch = max(1, (1 << 18) // len(table))
    for at in range(0, n_parts, batch):
        left_out = np.arange(at, min(at + batch, n_parts))
        weights = (part != left_out[:, None]).astype(np.float64)
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
                found[pair][left_out] = products[0] / np.sqrt(products[1] * products[2])
    # A class without a value of the pair is none of its parts.
    return {pair: rhos[np.unique(part[given[pair]])] for pair, rhos in found.items()}


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
