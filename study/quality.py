"""The quality of workers: what speaks against an answer's being meant, a rule that says who is left out, and what difference it makes.

Nothing here excludes anybody by itself. `worker_quality` measures, `exclusions` applies a rule that can be read (`study.exclusion_text`),
`effect_of_exclusions` shows every headline number with all workers and without the excluded ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors

from barlow_core.errors import BarlowError
from study import uncertainty
from study.agreement import KINDS, agreements_and_pairs, item_agreement
from study.agreement_means import AgreementMeans
from study.answer_table import DESCRIPTIONS, PREFERENCES, RATINGS, checked
from study.likert import items_above, preferences, votes
from study.reliability import MEASUREMENT, Alpha, alpha
from study.words import AS_THE_PAPER, Wording, content_words

_ANSWERS = (*RATINGS, "useful")


@dataclass(frozen=True)
class ExclusionRule:
    """Who is left out. A signal whose threshold is None is not used.

    Failing checks is enough by itself; of the other signals, which a good worker can show by chance, it takes several.
    Agreement with others is measured and no signal: to leave out who disagrees would raise the very agreement that is reported.

    Attributes:
        checks_passed: fewer than this share of gold and attention checks passed.
        fast: median time on task below this share of the median worker's.
        same_rating: at least this share of answers with the same ease, confidence and preference.
        copied: at least this share of long descriptions that repeat what the worker wrote about another item.
        min_answers: each of the three patterns above counts only for workers with as many answers, or more, that can show it: answers with a
            time, with ease, confidence and preference, or with a long description.
        signals: how many of the three it takes.
        min_checks: checks count only for workers who met as many or more: one mistake is not yet a pattern.
    """

    checks_passed: float | None = 0.5
    fast: float | None = 1 / 3
    same_rating: float | None = 0.95
    copied: float | None = 0.5
    min_answers: int = 5
    signals: int = 2
    min_checks: int = 2

    def __post_init__(self) -> None:
        for name in ("checks_passed", "fast", "same_rating", "copied"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise BarlowError(f"{name} is {value}; expected a share from 0 to 1, or None to leave the signal out.")
        if min(self.signals, self.min_answers, self.min_checks) < 1:
            raise BarlowError(
                f"signals is {self.signals}, min_answers {self.min_answers} and min_checks {self.min_checks}; expected 1 or more of each."
            )


def worker_quality(answers: pd.DataFrame, *, checks: pd.DataFrame | None = None) -> pd.DataFrame:
    """What each worker's answers look like.

    Args:
        answers: a table of answers (`study.answer_table`), with `seconds` where times are known.
        checks: a row for every gold item or attention check that a worker met: columns `worker` and `passed` (bool).

    Returns:
        A row a worker (index), in the order of their first answer; <NA> where something cannot be said:

        - `n`: answers.
        - `checks`, `checks_passed`: how many checks, and the share that was passed.
        - `seconds`: median time on task; `speed`: that over the median of all workers' (0.3: three times as fast).
        - `same_rating`: share of answers that have the worker's most frequent combination of ease, confidence and preference.
        - `copied_long`, `copied_short`: share of descriptions that repeat, but for case and punctuation, one of the worker's about another
          item. Short ones repeat by right where features resemble each other.
        - `ease_gap`, `confidence_gap`: mean distance from the average of the others' ratings of the same item.
        - `useful_agreement`: mean share of the others who made the same choice about the same item.
        - `n_timed`, `n_complete`, `n_long`: answers with a time; with ease, confidence and preference; with a long description.

    Raises:
        BarlowError: see `study.answer_table.checked`; or `checks` lacks a column.
    """
    timed = ["seconds"] if "seconds" in answers else []
    table = checked(answers, [*_ANSWERS, *DESCRIPTIONS, *timed])
    worker, labels = pd.factorize(table["worker"])
    n = len(labels)
    result = pd.DataFrame(index=pd.Index(labels, name="worker"))
    result["n"] = np.bincount(worker, minlength=n)
    counted = _checks(checks, result.index)
    result["checks"], result["checks_passed"] = counted["n"], _column(counted["share"])
    seconds = pd.to_numeric(table["seconds"]).groupby(worker).median() if timed else pd.Series(np.nan, index=range(n))
    result["seconds"] = _column(seconds)
    result["speed"] = _column(seconds / seconds.median())
    result["same_rating"] = _column(_same_rating(table, worker, n))
    prints = {kind: _fingerprints(table[kind]) for kind in ("long", "short")}
    for kind, of_texts in prints.items():
        result[f"copied_{kind}"] = _column(_copied(of_texts, worker, n))
    item = pd.factorize(table["item"])[0]
    for question in RATINGS:
        result[f"{question}_gap"] = _column(_mean(_gap(table[question].to_numpy(), item), worker, n))
    result["useful_agreement"] = _column(_mean(_same_choice(table["useful"], item), worker, n))
    timed_answers = pd.to_numeric(table["seconds"]).notna() if timed else pd.Series(False, index=table.index)
    complete = table[list(_ANSWERS)].notna().all(axis=1)
    for name, given in (("n_timed", timed_answers), ("n_complete", complete), ("n_long", prints["long"] != 0)):
        result[name] = np.bincount(worker, weights=np.asarray(given), minlength=n).astype(np.int64)
    return result


def exclusions(quality: pd.DataFrame, rule: ExclusionRule | None = None) -> pd.DataFrame:
    """Who is left out by a rule, and why.

    Args:
        quality: what `worker_quality` returns.
        rule: None for the default rule.

    Returns:
        A row a worker: `excluded` (bool) and `signals` (text: every signal that is there, also where it takes more to exclude; "" for
        none).
    """
    rule = rule or ExclusionRule()
    patterns = [
        ("fast", _below(quality["speed"], rule.fast), "speed", "n_timed"),
        ("same rating", _at_least(quality["same_rating"], rule.same_rating), "same_rating", "n_complete"),
        ("copied", _at_least(quality["copied_long"], rule.copied), "copied_long", "n_long"),
    ]
    failed = _below(quality["checks_passed"], rule.checks_passed) & (quality["checks"] >= rule.min_checks).to_numpy()
    count = np.zeros(len(quality), dtype=np.int64)
    signals: list[list[str]] = [[] for _ in range(len(quality))]
    for row in np.flatnonzero(failed):
        signals[row].append(f"checks passed {_percent(quality['checks_passed'].iloc[row])}")
    for name, shown, column, counted in patterns:
        shown = shown & (quality[counted] >= rule.min_answers).to_numpy()
        count += shown
        for row in np.flatnonzero(shown):
            signals[row].append(f"{name} {_percent(quality[column].iloc[row])}")
    excluded = failed | (count >= rule.signals)
    return pd.DataFrame({"excluded": excluded, "signals": ["; ".join(found) for found in signals]}, index=quality.index)


def effect_of_exclusions(
    answers: pd.DataFrame,
    excluded: Collection[Hashable],
    *,
    threshold: float = 3.0,
    vectors: KeyedVectors | None = None,
    wording: Wording = AS_THE_PAPER,
    described: tuple[Mapping[str, pd.Series], pd.DataFrame | None] | None = None,
    **bootstrap: Any,
) -> pd.DataFrame:
    """Every headline number with all workers, and without the excluded ones.

    Args:
        vectors: for the agreement of descriptions; None leaves it out.
        described: the agreement of the items by kind of description, and the pairs (`study.agreement.agreements_and_pairs`), of all workers,
            where they are known already.
        bootstrap: `confidence`, `replicates` and `seed` of the intervals.

    Returns:
        A row a measure (index): `all`, `all_low`, `all_high`, `kept`, `kept_low`, `kept_high`, `change` (kept - all), Float64, <NA> where a
        number, or an interval, is undefined.
    """
    table = checked(answers, [*_ANSWERS, *(DESCRIPTIONS if vectors is not None else ())])
    result = pd.DataFrame()
    out = table["worker"].isin(list(excluded))
    values: dict[str, pd.Series] = {}
    pairs = None
    if described is not None:
        values, pairs = dict(described[0]), described[1]
    elif vectors is not None:
        tables, pairs = agreements_and_pairs(table, vectors, wording=wording)
        values = {kind: found["agreement"] for kind, found in tables.items()}
    numbers: dict[str, _Three] = {}
    for side, part in (("all", table), ("kept", table[~out])):
        if side == "kept" and vectors is not None and out.any():
            # The agreement of an item without an excluded worker stays what it is.
            touched = part[part["item"].isin(table.loc[out, "item"])]
            for kind in KINDS:
                again = _agreement(touched, vectors, kind, wording)
                values[kind] = pd.concat([values[kind].drop(table.loc[out, "item"].unique()), again])
            if pairs is not None:
                pairs = pairs[~pairs["first"].isin(list(excluded)) & ~pairs["second"].isin(list(excluded))]
        if side == "all" or out.any():
            numbers = _headlines(part, threshold, bootstrap) | _mean_agreements(values, pairs, bootstrap)
        for place, column in enumerate((side, f"{side}_low", f"{side}_high")):
            result[column] = pd.Series({name: three[place] for name, three in numbers.items()}, dtype="Float64")
    result["change"] = result["kept"] - result["all"]
    result.index.name = "measure"
    return result


# A number and the ends of its interval.
_Three = tuple[float | None, float | None, float | None]


def _headlines(table: pd.DataFrame, threshold: float, bootstrap: Mapping[str, Any]) -> dict[str, _Three]:
    numbers: dict[str, _Three] = {}
    for name, count in (("answers", len(table)), ("items", table["item"].nunique()), ("workers", table["worker"].nunique())):
        numbers[name] = count, None, None
    for question in RATINGS:
        numbers[f"mean {question}"] = _three(uncertainty.mean(table[question], table["item"], table["worker"], **bootstrap))
    above = items_above(table, threshold=threshold, **bootstrap)
    numbers[f"items with ease and confidence above {threshold:g}"] = above.count if above.n_items else None, None, None
    numbers[f"share of items with ease and confidence above {threshold:g}"] = _three(above.share)
    for row in preferences(table, **bootstrap).itertuples():
        numbers[f"share of answers for {row.choice}"] = cast("_Three", (row.share, row.low, row.high))
    vote = votes(table)["vote"]
    numbers["share of items that vote for none"] = _three(
        uncertainty.item_share((vote == "none").to_numpy(dtype=bool), **bootstrap)
    )
    for question in MEASUREMENT:
        numbers[f"alpha of {question}"] = _three(alpha(table, question, **bootstrap))
    return numbers


def _agreement(table: pd.DataFrame, vectors: KeyedVectors, kind: str, wording: Wording) -> pd.Series:
    return item_agreement(table, vectors, kind=kind, wording=wording)["agreement"]


def _mean_agreements(
    values: Mapping[str, pd.Series], pairs: pd.DataFrame | None, bootstrap: Mapping[str, Any]
) -> dict[str, _Three]:
    if not values:
        return {}
    means = AgreementMeans(values, pairs, **bootstrap)
    return {f"mean agreement of {kind} descriptions": _three(means.mean(kind)) for kind in values}


def _percent(share: float) -> str:
    return f"{share * 100:.0f}\N{NO-BREAK SPACE}%"


def _three(estimate: uncertainty.Estimate | Alpha) -> _Three:
    return estimate.value, estimate.low, estimate.high


def _checks(checks: pd.DataFrame | None, workers: pd.Index) -> pd.DataFrame:
    if checks is None:
        return pd.DataFrame({"n": 0, "share": np.nan}, index=workers)
    for column in ("worker", "passed"):
        if column not in checks:
            raise BarlowError(
                f"The table of checks has no column {column!r}; expected `worker` and `passed`, a row for every check that a worker met."
            )
    groups = checks.groupby("worker")["passed"]
    return pd.DataFrame({"n": groups.size(), "share": groups.mean()}).reindex(workers).fillna({"n": 0}).astype({"n": np.int64})


def _same_rating(table: pd.DataFrame, worker: np.ndarray, n: int) -> np.ndarray:
    answered = table[list(_ANSWERS)].notna().all(axis=1).to_numpy()
    choice = pd.Index(PREFERENCES).get_indexer(pd.Index(table["useful"][answered]))
    ease, confidence = (table.loc[answered, question].to_numpy(dtype=np.int64) for question in RATINGS)
    pattern = (worker[answered] * 6 + ease) * 24 + confidence * 4 + choice
    patterns, times = np.unique(pattern, return_counts=True)
    most = np.zeros(n)
    np.maximum.at(most, patterns // (6 * 24), times)
    return _over(most, np.bincount(worker[answered], minlength=n))


def _fingerprints(texts: pd.Series) -> np.ndarray:
    """(n,) uint64, what each text says, 0 for nothing: as texts, those of 600,000 answers would take hundreds of megabytes."""
    return np.fromiter((_fingerprint(text) for text in texts), dtype=np.uint64, count=len(texts))


def _copied(prints: np.ndarray, worker: np.ndarray, n: int) -> np.ndarray:
    given = prints != 0
    again = pd.DataFrame({"worker": worker[given], "text": prints[given]}).duplicated(keep=False).to_numpy()
    return _over(np.bincount(worker[given], weights=again, minlength=n), np.bincount(worker[given], minlength=n))


def _fingerprint(text: Any) -> int:
    words = content_words(text, stop_words=())
    return (
        int.from_bytes(hashlib.blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=8).digest(), "big") if words else 0
    )


def _gap(ratings: np.ndarray, item: np.ndarray) -> np.ndarray:
    """(n,) distance of each rating from the average of the others of its item; NaN without others."""
    given = ~np.isnan(ratings)
    size = int(item.max(initial=-1)) + 1
    sums = np.bincount(item[given], weights=ratings[given], minlength=size)[item]
    others = np.bincount(item[given], minlength=size)[item] - 1
    return np.abs(ratings - _over(sums - ratings, others))


def _same_choice(choices: pd.Series, item: np.ndarray) -> np.ndarray:
    """(n,) share of the others of the item who made the same choice; NaN without others."""
    choice = pd.Index(PREFERENCES).get_indexer(pd.Index(choices))
    given = choice >= 0
    size = int(item.max(initial=-1)) + 1
    counts = np.bincount(item[given] * len(PREFERENCES) + choice[given], minlength=size * len(PREFERENCES))
    same = counts[item * len(PREFERENCES) + choice] - 1.0
    others = np.bincount(item[given], minlength=size)[item] - 1
    return np.where(given, _over(same, others), np.nan)


def _mean(values: np.ndarray, worker: np.ndarray, n: int) -> np.ndarray:
    given = ~np.isnan(values)
    return _over(np.bincount(worker[given], weights=values[given], minlength=n), np.bincount(worker[given], minlength=n))


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is 0 or less."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _column(values: np.ndarray | pd.Series) -> Any:
    """Float64 with <NA> for what cannot be said."""
    return pd.Series(np.asarray(values, dtype=np.float64)).astype("Float64").array


def _below(values: pd.Series, threshold: float | None) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.zeros(len(values), dtype=bool) if threshold is None else numbers < threshold


def _at_least(values: pd.Series, threshold: float | None) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.zeros(len(values), dtype=bool) if threshold is None else numbers >= threshold
