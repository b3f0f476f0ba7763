"""The quality of workers: what speaks against an answer's being meant.

Nothing here excludes anybody. Who is left out says a rule (`study.answers.exclusion`); what difference that makes, `study.statistics.exclusion_effect`.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from study.answers.table import CLOSED_QUESTIONS, DESCRIPTIONS, PREFERENCES, RATINGS, checked
from study.answers.tokenization import content_words


def worker_quality(answers: pd.DataFrame, *, checks: pd.DataFrame | None = None) -> pd.DataFrame:
    """What each worker's answers look like.

    Args:
        answers: a table of answers (`study.answers.table`), with `seconds` where times are known.
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
        BarlowError: see `study.answers.table.checked`; or `checks` lacks a column.
    """
    timed = ["seconds"] if "seconds" in answers else []
    table = checked(answers, [*CLOSED_QUESTIONS, *DESCRIPTIONS, *timed])
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
    complete = table[list(CLOSED_QUESTIONS)].notna().all(axis=1)
    for name, given in (("n_timed", timed_answers), ("n_complete", complete), ("n_long", prints["long"] != 0)):
        result[name] = np.bincount(worker, weights=np.asarray(given), minlength=n).astype(np.int64)
    return result


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
    answered = table[list(CLOSED_QUESTIONS)].notna().all(axis=1).to_numpy()
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
