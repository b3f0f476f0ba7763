"""Do conditions of a study differ? Every headline number in each of them, and the difference with an interval and a test.

Items of one pair differ in their condition only, so pairs are what is drawn at random together with workers. Whether workers saw all
conditions or one, and whether items are paired, is in the answers; the interval of a difference knows both:

* means and shares over answers: `study.statistics.two_way_difference`;
* shares of items, and the agreement of descriptions, which lie between answers: resampled pairs and workers, percentiles of the
  difference, and for p the share of resamples on the other side of 0, doubled;
* alpha: one pair left out after the other (jackknife), Student's t; like alpha's own interval it is about other pairs and the same workers.

p-values are corrected by Holm's method for all differences of the table.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.stats import t

from study.answers.table import CLOSED_QUESTIONS, LEVELS, PREFERENCES, RATINGS, checked, with_attributes_of_items
from study.statistics.agreement_means import AgreementMeans, levels_of_items
from study.statistics.differences import holm
from study.statistics.estimates import ALL_THE_SAME, CONFIDENCE, Estimate, Sizes, estimate_of, percentiles
from study.statistics.exclusion_effect import headlines, mean_agreements
from study.statistics.reliability import FEWEST_ITEMS, MEASUREMENT, alphas_of_counts
from study.statistics.resampling import REPLICATES, resamples
from study.statistics.two_way_difference import FEWEST, TOO_FEW, difference_of_means
from study.statistics.two_way_score import mean_against_zero

CONDITION, PAIR = "condition", "pair"
BALANCE = "share of answers for B minus share for C"
TWO_WAY, RESAMPLED, JACKKNIFE = "two-way t", "resampled", "jackknife t"
_NUMBERS = (
    "value_first",
    "low_first",
    "high_first",
    "value_second",
    "low_second",
    "high_second",
    "difference",
    "low",
    "high",
    "p",
)
_Three = tuple[float | None, float | None, float | None]


class _Difference(NamedTuple):
    estimate: Estimate
    p: float | None
    test: str


def conditions_of(answers: pd.DataFrame) -> list[str]:
    """The conditions that answers are about, in the order of their names; none where the table knows of none."""
    return sorted(map(str, answers[CONDITION].dropna().unique())) if CONDITION in answers else []


def condition_sizes(answers: pd.DataFrame) -> pd.DataFrame:
    """What each condition rests on.

    Returns:
        A row a condition: `condition`, `items`, `paired` (items whose pair has answers in another condition, too), `answers`, `workers`,
        `workers_only` (who answered in no other condition).
    """
    table = _prepared(answers)
    in_pair = table.groupby(PAIR)[CONDITION].transform("nunique") > 1
    of_worker = table.groupby("worker")[CONDITION].transform("nunique")
    rows = []
    for name in conditions_of(answers):
        here = table[CONDITION] == name
        rows.append(
            {
                "condition": name,
                "items": table.loc[here, "item"].nunique(),
                "paired": table.loc[here & in_pair, "item"].nunique(),
                "answers": int(here.sum()),
                "workers": table.loc[here, "worker"].nunique(),
                "workers_only": table.loc[here & (of_worker == 1), "worker"].nunique(),
            }
        )
    return pd.DataFrame(rows, columns=["condition", "items", "paired", "answers", "workers", "workers_only"])


def condition_effects(
    answers: pd.DataFrame,
    agreement: Mapping[str, pd.Series] | None = None,
    described: pd.DataFrame | None = None,
    *,
    threshold: float = 3.0,
    confidence: float = CONFIDENCE,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> pd.DataFrame:
    """Every headline number of every two conditions.

    Args:
        answers: a table of answers with `condition`, and `pair` where items are matched; others are pairs of their own.
        agreement: for kinds of description the agreement of the items; described: their pairs (`study.agreement.cosine.agreements_and_pairs`).

    Returns:
        A row a number and two conditions: `measure`, `first`, `second`; `value_first`, `low_first`, `high_first` and the same of the
        second; `difference` (first - second), `low`, `high`, `p`, `p_holm`; `test`; `n_pairs` (with both), `n_workers`, `n_workers_both`; `reason`.
    """
    bootstrap: dict[str, Any] = {"confidence": confidence, "replicates": replicates, "seed": seed}
    table = _prepared(answers)
    names = conditions_of(answers)
    agreement = agreement or {}
    values = {name: _values(table[table[CONDITION] == name], agreement, described, threshold, bootstrap) for name in names}
    means = None
    if agreement and len(names) > 1:
        clusters = table.drop_duplicates("item").set_index("item")[PAIR]
        means = AgreementMeans(agreement, described, levels_of_items(table, [CONDITION]), clusters=clusters, **bootstrap)
    rows = []
    for first, second in itertools.combinations(names, 2):
        part = table[table[CONDITION].isin([first, second])]
        sides = [part[part[CONDITION] == name] for name in (first, second)]
        about: dict[str, Any] = {"first": first, "second": second}
        workers, pairs = ([set(side[column]) for side in sides] for column in ("worker", PAIR))
        about |= {"n_pairs": len(pairs[0] & pairs[1]), "n_workers": len(workers[0] | workers[1])}
        about |= {"n_workers_both": len(workers[0] & workers[1])}
        found = _differences(part, first, threshold, bootstrap)
        if means is not None:
            found |= {f"mean agreement of {kind} descriptions": _of_agreement(means, kind, first, second) for kind in agreement}
        for measure, difference in found.items():
            row = {"measure": measure, **about}
            for side, name in (("first", first), ("second", second)):
                row |= dict(
                    zip((f"value_{side}", f"low_{side}", f"high_{side}"), values[name].get(measure, (None,) * 3), strict=True)
                )
            estimate = difference.estimate
            row |= {"difference": estimate.value, "low": estimate.low, "high": estimate.high, "p": difference.p}
            rows.append(row | {"test": difference.test, "reason": estimate.reason})
    columns = ["measure", "first", "second", *_NUMBERS, "test", "n_pairs", "n_workers", "n_workers_both", "reason"]
    made = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(_NUMBERS, "Float64"))
    made.insert(columns.index("p") + 1, "p_holm", holm(made["p"]))
    return made


def _prepared(answers: pd.DataFrame) -> pd.DataFrame:
    """Answers about items of a condition; an item without a pair is one of its own."""
    known = [name for name in (CONDITION, PAIR) if name in answers]
    given = with_attributes_of_items(answers, known)
    questions = [name for name in CLOSED_QUESTIONS if name in given]
    table = checked(given, questions).assign(**{name: given[name].astype(object).to_numpy() for name in known})
    if PAIR not in table:
        table[PAIR] = None
    table[PAIR] = table[PAIR].where(table[PAIR].notna(), "item " + table["item"].astype(str)).astype(str)
    return (
        table[table[CONDITION].notna()].reset_index(drop=True)
        if CONDITION in table
        else table.iloc[:0].assign(**{CONDITION: None})
    )


def _values(
    part: pd.DataFrame,
    agreement: Mapping[str, pd.Series],
    described: pd.DataFrame | None,
    threshold: float,
    bootstrap: Mapping[str, Any],
) -> dict[str, _Three]:
    """The headline numbers of one condition."""
    items = part["item"].unique()
    here = {kind: values[values.index.isin(items)] for kind, values in agreement.items()}
    pairs = None if described is None else described[described["item"].isin(items)]
    balance = mean_against_zero(
        _sided(part["useful"])[part["useful"].notna()], *_ids(part[part["useful"].notna()]), confidence=bootstrap["confidence"]
    )
    own = {BALANCE: (balance.estimate.value, balance.estimate.low, balance.estimate.high)}
    return headlines(part, threshold, bootstrap) | own | mean_agreements(here, pairs, bootstrap)


def _differences(part: pd.DataFrame, first: str, threshold: float, bootstrap: Mapping[str, Any]) -> dict[str, _Difference]:
    is_first = (part[CONDITION] == first).to_numpy(dtype=bool)
    confidence = bootstrap["confidence"]
    useful = part["useful"]
    given = useful.notna().to_numpy()
    over_answers = {f"mean {question}": part[question].to_numpy(dtype=np.float64) for question in RATINGS}
    over_answers |= {f"share of answers for {choice}": np.where(given, useful == choice, np.nan) for choice in PREFERENCES}
    over_answers[BALANCE] = np.where(given, _sided(useful), np.nan)
    found = {}
    for measure, numbers in over_answers.items():
        made = difference_of_means(numbers, is_first, ~is_first, part[PAIR], part["worker"], confidence=confidence)
        found[measure] = _Difference(made.estimate, made.p, TWO_WAY)
    ratings = part[list(RATINGS)].to_numpy(dtype=np.float64)
    rated = ~np.isnan(ratings).any(axis=1)
    found[f"share of items with ease and confidence above {threshold:g}"] = _of_items(
        part[rated], is_first[rated], ratings[rated] - threshold, _all_above, bootstrap
    )
    chosen = (useful.to_numpy()[:, None] == np.array(PREFERENCES, dtype=object)).astype(np.float64)
    found["share of items that vote for none"] = _of_items(part[given], is_first[given], chosen[given], _none_wins, bootstrap)
    for question in MEASUREMENT:
        found[f"alpha of {question}"] = _of_alpha(part, is_first, question, confidence)
    return found


def _of_agreement(means: AgreementMeans, kind: str, first: str, second: str) -> _Difference:
    sides = (CONDITION, first), (CONDITION, second)
    estimate, drawn = means.difference(kind, *sides), means.drawn_difference(kind, *sides)
    return _Difference(estimate, None if estimate.low is None or drawn is None else p_of_resamples(drawn), RESAMPLED)


# --- numbers of items, over resampled pairs and workers


def _all_above(sums: Sequence[np.ndarray]) -> np.ndarray:
    return np.logical_and.reduce([one > 1e-9 for one in sums])


def _none_wins(sums: Sequence[np.ndarray]) -> np.ndarray:
    *others, none = sums  # in the order of PREFERENCES
    return np.logical_and.reduce([none > one for one in others])


def _of_items(
    part: pd.DataFrame,
    is_first: np.ndarray,
    values: np.ndarray,
    judge: Callable[[Sequence[np.ndarray]], np.ndarray],
    bootstrap: Mapping[str, Any],
) -> _Difference:
    """The share of items that `judge` says yes to, of the sums of their answers' values; first minus second.

    Resampled workers make averages noisier than the observed ones, so the resampled shares of each side are moved to centre on the
    observed share, as in `study.statistics.uncertainty.share_of_items_above`.
    """
    pair, pairs = pd.factorize(part[PAIR])
    worker, workers = pd.factorize(part["worker"])
    sizes = Sizes(part["item"].nunique(), len(workers))
    confidence = bootstrap["confidence"]
    sides = [_Side.of(part[side], pair[side], worker[side], values[side], len(workers)) for side in (is_first, ~is_first)]
    if not all(len(side.pair) for side in sides):
        which = "first" if not len(sides[0].pair) else "second"
        return _Difference(estimate_of(None, None, None, sizes, confidence, f"no answers on the {which} side"), None, RESAMPLED)
    ones = np.ones((len(workers), 1))
    shares = [float(judge([table @ ones for table in side.tables]).mean()) for side in sides]
    value = shares[0] - shares[1]
    for what, of in (("pairs", pair), ("workers", worker)):
        if min(len(np.unique(of[side])) for side in (is_first, ~is_first)) < FEWEST:
            reason = TOO_FEW.format(n=FEWEST, what=what)
            return _Difference(estimate_of(value, None, None, sizes, confidence, reason), None, RESAMPLED)
    drawn: list[list[np.ndarray]] = [[], []]
    for pair_counts, worker_counts in resamples(len(pairs), len(workers), 0, bootstrap["replicates"], bootstrap["seed"]):
        for side, found in zip(sides, drawn, strict=True):
            weights = pair_counts[side.pair] * (side.counts @ worker_counts > 0)
            with np.errstate(invalid="ignore"):
                yes = judge([table @ worker_counts for table in side.tables])
                found.append((weights * yes).sum(axis=0) / weights.sum(axis=0))
    first, second = (np.concatenate(found) for found in drawn)
    moved = (first + shares[0] - np.nanmean(first)) - (second + shares[1] - np.nanmean(second))
    if np.nanmax(moved) - np.nanmin(moved) < 1e-12:
        return _Difference(estimate_of(value, None, None, sizes, confidence, ALL_THE_SAME), None, RESAMPLED)
    return _Difference(percentiles(value, moved, sizes, confidence), p_of_resamples(moved), RESAMPLED)


class _Side(NamedTuple):
    """The items of a condition: the pair of each, (items,), and tables of items and all workers: answers, and their values."""

    pair: np.ndarray
    counts: csr_matrix
    tables: list[csr_matrix]

    @classmethod
    def of(cls, part: pd.DataFrame, pair: np.ndarray, worker: np.ndarray, values: np.ndarray, n_workers: int) -> _Side:
        item, labels = pd.factorize(part["item"])
        of_item = np.zeros(len(labels), dtype=np.intp)
        of_item[item] = pair
        shape = (len(labels), n_workers)
        return cls(
            of_item,
            csr_matrix((np.ones(len(item)), (item, worker)), shape=shape),
            [csr_matrix((column, (item, worker)), shape=shape) for column in values.T],
        )


def p_of_resamples(drawn: np.ndarray) -> float:
    """Two-sided, that a difference is 0: twice the share of its resamples beyond 0, and never 0 itself."""
    defined = drawn[~np.isnan(drawn)]
    beyond = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return min(1.0, 2 * (beyond + 1) / (len(defined) + 1))


# --- alpha


def _of_alpha(part: pd.DataFrame, is_first: np.ndarray, question: str, confidence: float) -> _Difference:
    """Krippendorff's alpha of one condition minus that of the other, with one pair left out after the other."""
    given = part[question].notna().to_numpy()
    values = list(PREFERENCES if question == "useful" else LEVELS)
    pair, labels = pd.factorize(part[PAIR])
    alphas = []
    n_items, with_items = 0, np.zeros(len(labels), dtype=bool)
    for side in (is_first & given, ~is_first & given):
        item, items = pd.factorize(part["item"][side])
        code = pd.Index(values).get_indexer(pd.Index(part[question][side]))
        counts = np.bincount(item * len(values) + code, minlength=len(items) * len(values)).reshape(-1, len(values))
        of_item = np.zeros(len(items), dtype=np.intp)
        of_item[item] = pair[side]
        enough = counts.sum(axis=1) >= 2
        counts, of_item = counts[enough], of_item[enough]
        with_items[of_item] = True
        n_items += len(counts)
        if len(counts):
            kept = np.vstack([np.ones(len(counts)), of_item[None, :] != np.arange(len(labels))[:, None]])
            alphas.append(alphas_of_counts(counts, kept, MEASUREMENT[question]))
    workers = part["worker"][given].nunique()
    sizes = Sizes(n_items, int(workers))
    if len(alphas) < 2 or np.isnan([alphas[0][0], alphas[1][0]]).any():
        return _Difference(
            estimate_of(None, None, None, sizes, confidence, "alpha is not defined on both sides"), None, JACKKNIFE
        )
    value = float(alphas[0][0] - alphas[1][0])
    without = (alphas[0] - alphas[1])[1:][with_items]
    n = len(without)
    reason = None
    if n < FEWEST_ITEMS:
        reason = f"fewer than {FEWEST_ITEMS} pairs with two answers or more, so no interval"
    elif np.isnan(without).any() or np.ptp(without) < 1e-12:
        reason = "alpha does not vary, or is not defined, without one of the pairs: no interval"
    if reason:
        return _Difference(estimate_of(value, None, None, sizes, confidence, reason), None, JACKKNIFE)
    error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * error
    p = float(2 * t.sf(abs(value) / error, n - 1))
    return _Difference(estimate_of(value, value - half, value + half, sizes, confidence, None), p, JACKKNIFE)


def _sided(useful: pd.Series) -> np.ndarray:
    """1 for B, -1 for C, 0 for what takes no side."""
    return np.asarray(useful.map({"B": 1, "C": -1}).fillna(0).astype(np.float64).to_numpy())


def _ids(part: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    return part["item"], part["worker"]
