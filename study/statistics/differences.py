"""Do groupings and error tiers differ? Differences with two-way intervals, effect sizes for ordered values, corrected p-values.

The unit is the item: an item belongs to one grouping and one tier, and the averages of items are compared. Their test (Mann and
Whitney's) takes items as independent. Where workers answer in all groups, what a worker does everywhere cancels out of a difference, and
the test keeps its promise (docs/study_calibration.md); where they do not, there is no test here. The interval of the difference of means
resamples both, and is the more careful of the two.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import kruskal, mannwhitneyu, t
from statsmodels.stats.multitest import multipletests

from study.answers.table import PREFERENCES, RATINGS, attributes_of_items, checked, with_attributes_of_items
from study.statistics import uncertainty
from study.statistics.agreement_means import AgreementMeans
from study.statistics.estimates import CONFIDENCE, Estimate
from study.statistics.resampling import REPLICATES
from study.tiers import tiers_first

FACTORS = ("grouping", "tier")
AGREEMENT = "agreement "
TOO_FEW = "fewer than {n} items on one side, so no test"
NO_VARIATION = "all items have the same value, so there is nothing to test"
FEWEST = 3
# docs/study_calibration.md: with workers who answer on one side only, the test of items calls every second pair of equal groups different.
SHARED = 0.5
SEPARATE = (
    "fewer than half of the workers answered on both sides, so that different workers look like different groups: neither test nor interval of delta; the interval of the "
    "difference and the ordinal model know it"
)

SEPARATE_GROUPS = "fewer than half of the workers answered in more than one group, so that different workers look like different groups: no test"


@dataclass(frozen=True)
class Delta:
    """Cliff's delta: the chance that an item of the first side is above one of the second, minus the chance that it is below.

    Attributes:
        value: from -1 to 1, 0 for no difference; low, high: Feng and Cliff's (2004) asymmetric interval, None where no pair is tied or turned, or
            a side has one item.
        p: of the Mann-Whitney test (exact for small samples without ties, else the normal approximation).
    """

    value: float
    low: float | None
    high: float | None
    p: float


def cliffs_delta(first: np.ndarray, second: np.ndarray, *, confidence: float = CONFIDENCE) -> Delta | None:
    """Cliff's delta of two samples.

    Args:
        first, second: (n,), (m,) finite numbers. Averages that are equal as fractions count as equal.

    Returns:
        None where a side is empty.
    """
    first, second = np.round(first, 9), np.round(second, 9)
    n, m = len(first), len(second)
    if not n or not m:
        return None
    ordered_first, ordered_second = np.sort(first), np.sort(second)
    # For each value, the share of the other side below it minus the share above it.
    of_first = (np.searchsorted(ordered_second, first) - (m - np.searchsorted(ordered_second, first, side="right"))) / m
    of_second = ((n - np.searchsorted(ordered_first, second, side="right")) - np.searchsorted(ordered_first, second)) / n
    value = float(of_first.mean())
    p = float(mannwhitneyu(first, second).pvalue)
    untied = (np.searchsorted(ordered_second, first) + m - np.searchsorted(ordered_second, first, side="right")).sum()
    if n == 1 or m == 1 or abs(value) == 1 or not untied:
        return Delta(value, None, None, p)
    spread_first, spread_second = ((of_first - value) ** 2).sum(), ((of_second - value) ** 2).sum()
    of_pairs = untied - n * m * value**2
    variance = (m**2 * spread_first + n**2 * spread_second - of_pairs) / (n * m * (n - 1) * (m - 1))
    variance = max(variance, (1 - value**2) / (n * m - 1))
    quantile = float(t.ppf((1 + confidence) / 2, n + m - 2))
    half = quantile * np.sqrt(variance) * np.sqrt((1 - value**2) ** 2 + quantile**2 * variance)
    scale = 1 - value**2 + quantile**2 * variance
    low, high = (float(np.clip((value - value**3 + side) / scale, -1, 1)) for side in (-half, half))
    return Delta(value, low, high, p)


def magnitude(delta: float) -> str:
    """In words, by the usual bounds (Romano et al. 2006): negligible, small, medium, large."""
    bounds = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))
    return next((word for bound, word in bounds if abs(delta) < bound), "large")


def item_outcomes(answers: pd.DataFrame, agreement: Mapping[str, pd.Series]) -> pd.DataFrame:
    """What is compared, a column an outcome, the items as index: `ease` and `confidence` (averages), `B`, `C`, `both`, `none` (share of
    the item's answers), and `agreement <kind>`; NaN where an item has none.

    Args:
        agreement: for kinds of description, the agreement of the items.
    """
    table = checked(answers, [*RATINGS, "useful"])
    groups = table.groupby("item", sort=False)
    result = pd.DataFrame({question: groups[question].mean() for question in RATINGS})
    given = table[table["useful"].notna()]
    for choice in PREFERENCES:
        result[choice] = (given["useful"] == choice).groupby(given["item"], sort=False).mean().reindex(result.index)
    for kind, values in agreement.items():
        result[f"{AGREEMENT}{kind}"] = values.reindex(result.index).to_numpy(dtype=np.float64, na_value=np.nan)
    return result


def differences(
    answers: pd.DataFrame,
    agreement: Mapping[str, pd.Series] | None = None,
    *,
    means: AgreementMeans | None = None,
    factors: Sequence[str] = FACTORS,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> pd.DataFrame:
    """Every outcome between every two values of every factor.

    Args:
        answers: a table of answers with the columns of `factors`; one that it lacks, or that has fewer than two values, makes no rows. An
            item is on the side of the first value that its answers have, with all of them.
        agreement: see `item_outcomes`.
        means: of the agreements, with the values of the factors as sides; None resamples items only.

    Returns:
        A row a comparison: `outcome`, `factor`, `first`, `second`; `n_items_first`, `n_items_second`; `n_answers` (with the outcome; for
        agreement all of the items that have one), `n_workers`, `n_workers_both` (who answered on both sides); `mean_first`, `mean_second`, `difference`, `low`, `high` (means over answers, for
        agreement over items; two-way interval of their difference); `delta`, `delta_low`, `delta_high` (Cliff's, of item averages),
        `magnitude`, `p` (Mann-Whitney), `p_holm` (corrected for all rows that have a p), `reason`.
    """
    items = item_outcomes(answers, agreement or {})
    answers = with_attributes_of_items(answers, factors)
    of_items = attributes_of_items(answers, factors).reindex(items.index)
    answered = answers.groupby("item", sort=False).size()
    rows = []
    for factor, first, second in _pairs(answers, factors):
        sides = [items[(of_items[factor] == level).to_numpy(dtype=bool, na_value=False)] for level in (first, second)]
        found = _differences_of_answers(answers, factor, first, second, confidence, replicates, seed)
        for outcome in items.columns[len(found) :]:
            found[outcome] = _of_agreement(outcome, factor, first, second, sides, means, confidence, replicates, seed)
        workers = [set(answers.loc[answers[factor] == level, "worker"].unique()) for level in (first, second)]
        for outcome in items.columns:
            values = [side[outcome].dropna().to_numpy() for side in sides]
            n_answers = found[outcome].difference.n
            if outcome.startswith(AGREEMENT):  # There n is of items.
                n_answers = sum(int(answered.reindex(side.index[side[outcome].notna()]).sum()) for side in sides)
            row: dict[str, Any] = {"outcome": outcome, "factor": factor, "first": first, "second": second}
            row |= {"n_items_first": len(values[0]), "n_items_second": len(values[1]), "n_answers": n_answers}
            row |= {"n_workers": len(workers[0] | workers[1]), "n_workers_both": len(workers[0] & workers[1])}
            row |= _row(values, found[outcome], confidence)
            if row.get("p") is not None and row["n_workers_both"] < SHARED * row["n_workers"]:
                row |= {"p": None, "delta_low": None, "delta_high": None, "reason": SEPARATE}
            rows.append(row)
    columns = [
        "outcome",
        "factor",
        "first",
        "second",
        "n_items_first",
        "n_items_second",
        "n_answers",
        "n_workers",
        "n_workers_both",
    ]
    columns += [*_FLOATS, "magnitude", "reason"]
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(_FLOATS, "Float64"))
    table["p_holm"] = holm(table["p"])
    return table


def omnibus(answers: pd.DataFrame, agreement: Mapping[str, pd.Series] | None = None, *, factor: str = "tier") -> pd.DataFrame:
    """Kruskal and Wallis' test of all values of a factor at once, on item averages.

    Returns:
        A row an outcome: `outcome`, `factor`, `n_items`, `groups`, `h`, `epsilon_squared` (effect size, 0 to 1: H / (n - 1)), `p`, `p_holm`,
        `reason`; no rows where the factor has fewer than three values.
    """
    columns = ["outcome", "factor", "n_items", "groups", "h", "epsilon_squared", "p", "reason"]
    items = item_outcomes(answers, agreement or {})
    rows = []
    if factor in answers:
        answers = with_attributes_of_items(answers, [factor])
        of_item = attributes_of_items(answers, [factor])[factor].reindex(items.index)
        levels = levels_of(answers, factor)
        answered = answers.dropna(subset=factor).groupby("worker")[factor].nunique()
        separate = bool(len(answered)) and (answered > 1).mean() < SHARED
        for outcome in items.columns if len(levels) > 2 else ():
            parts = [
                items.loc[(of_item == level).to_numpy(dtype=bool, na_value=False), outcome].dropna().round(9) for level in levels
            ]
            n = sum(map(len, parts))
            row: dict[str, Any] = {"outcome": outcome, "factor": factor, "n_items": n, "groups": len(levels)}
            if min(map(len, parts)) < FEWEST:
                row["reason"] = TOO_FEW.format(n=FEWEST).replace("on one side", "in one group")
            elif pd.concat(parts).nunique() < 2:
                row["reason"] = NO_VARIATION
            elif separate:
                row["reason"] = SEPARATE_GROUPS
            else:
                test = kruskal(*parts)
                row |= {"h": float(test.statistic), "epsilon_squared": float(test.statistic) / (n - 1), "p": float(test.pvalue)}
            rows.append(row)
    table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(("h", "epsilon_squared", "p"), "Float64"))
    table["p_holm"] = holm(table["p"])
    return table


def holm(p: pd.Series) -> pd.Series:
    """Holm's (1979) correction, by statsmodels, of the p-values that are there (Float64)."""
    corrected = pd.Series(pd.NA, index=p.index, dtype="Float64")
    given = p[p.notna()].astype("float64")
    if len(given):
        corrected[given.index] = multipletests(given.to_numpy(), method="holm")[1]
    return corrected


_FLOATS = ("mean_first", "mean_second", "difference", "low", "high", "delta", "delta_low", "delta_high", "p")


class _Means(NamedTuple):
    """The means of two sides, and their difference."""

    first: float | None
    second: float | None
    difference: Estimate


def _row(values: list[np.ndarray], means: _Means, confidence: float) -> dict[str, object]:
    difference = means.difference
    row: dict[str, object] = {"mean_first": means.first, "mean_second": means.second}
    row |= {"difference": difference.value, "low": difference.low, "high": difference.high, "reason": difference.reason}
    delta = cliffs_delta(*values, confidence=confidence)
    if delta is None:
        return row
    row |= {"delta": delta.value, "delta_low": delta.low, "delta_high": delta.high, "magnitude": magnitude(delta.value)}
    if min(map(len, values)) < FEWEST:
        row["reason"] = TOO_FEW.format(n=FEWEST)
    elif len(np.unique(np.round(np.concatenate(values), 9))) == 1:
        row["reason"] = NO_VARIATION
    else:
        row["p"] = delta.p
    return row


def _pairs(answers: pd.DataFrame, factors: Sequence[str]) -> list[tuple[str, str, str]]:
    return [
        (factor, first, second)
        for factor in factors
        if factor in answers
        for first, second in itertools.combinations(levels_of(answers, factor), 2)
    ]


def levels_of(answers: pd.DataFrame, factor: str) -> list[str]:
    found = answers[factor].dropna().unique().tolist()
    return tiers_first(found)


def _differences_of_answers(
    answers: pd.DataFrame, factor: str, first: str, second: str, confidence: float, replicates: int, seed: int
) -> dict[str, _Means]:
    part = answers.loc[answers[factor].isin([first, second]), ["item", "worker", factor, *RATINGS, "useful"]]
    is_first = (part[factor] == first).to_numpy(dtype=bool)
    values = np.column_stack(
        [
            *(part[question].to_numpy(dtype=np.float64) for question in RATINGS),
            *(_hits(part["useful"], choice) for choice in PREFERENCES),
        ]
    )
    estimates = uncertainty.mean_differences(
        values, is_first, ~is_first, part["item"], part["worker"], confidence=confidence, replicates=replicates, seed=seed
    )
    sides = [[_mean(column[side]) for column in values.T] for side in (is_first, ~is_first)]
    return dict(zip((*RATINGS, *PREFERENCES), map(_Means, *sides, estimates), strict=True))


def _of_agreement(
    outcome: str,
    factor: str,
    first: str,
    second: str,
    sides: list[pd.DataFrame],
    means: AgreementMeans | None,
    confidence: float,
    replicates: int,
    seed: int,
) -> _Means:
    values = [side[outcome].to_numpy(dtype=np.float64) for side in sides]
    if means is None:
        difference = uncertainty.item_difference(*values, confidence=confidence, replicates=replicates, seed=seed)
    else:
        difference = means.difference(outcome.removeprefix(AGREEMENT), (factor, first), (factor, second))
    return _Means(_mean(values[0]), _mean(values[1]), difference)


def _mean(values: np.ndarray) -> float | None:
    """Of the numbers that are there."""
    given = values[~np.isnan(values)]
    return float(given.mean()) if len(given) else None


def _hits(choices: pd.Series, choice: str) -> np.ndarray:
    return np.where(choices.notna(), choices == choice, np.nan)
