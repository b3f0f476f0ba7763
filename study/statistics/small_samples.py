"""Shares of a few people, with exact intervals, and the agreement of two coders."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm, t
from statsmodels.stats.inter_rater import cohens_kappa

from study.statistics.estimates import CONFIDENCE

NO_PAIRS = "no text was coded by both"
ONE_CODE = "both coders give the same answer to every text, so chance would agree as well"
ONE_SIDED = "one coder gives the same answer to every text, so kappa is 0 whatever the other does, and no interval"
PERFECT = "the coders agree about every text, so no interval"
TOO_FEW = "fewer than three texts, so no interval"


def share(count: int, n: int, confidence: float = CONFIDENCE) -> tuple[float | None, float | None, float | None]:
    """count / n with Clopper and Pearson's interval, which holds the truth at least as often as it promises, however few there are.

    Returns:
        (share, low, high); all None of nobody.
    """
    if not n:
        return None, None, None
    interval = binomtest(count, n).proportion_ci(confidence, method="exact")
    return count / n, float(interval.low), float(interval.high)


def kappas(pairs: pd.DataFrame, codes: list[str], confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Cohen's kappa of two coders for each code, and of all decisions together.

    A text has a code or not, so each code is a table of two by two. The interval of one code is the large-sample one of Fleiss, Cohen and
    Everitt (1969), by statsmodels; that of all codes together leaves out one text after the other (jackknife, Student's t), as the
    decisions about one text belong together.

    Args:
        pairs: a row a text that both have coded: `first`, `second` (lists of codes).
        codes: that there are.

    Returns:
        `code` ("all" in the first row), `texts`, `agree` (decisions that are the same), `kappa`, `low`, `high`, `reason`.
    """
    first, second = (_has(pairs[name], codes) for name in ("first", "second"))
    rows = [_together(first, second, confidence)]
    for place, code in enumerate(codes):
        a, b = first[:, place], second[:, place]
        row = {"code": code, "texts": len(a), "agree": int((a == b).sum()), "kappa": None, "low": None, "high": None}
        table = np.array([[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]], dtype=float)
        reason = NO_PAIRS if not len(a) else None
        if len(a):
            value = _kappa(a, b)
            if value is None:
                reason = ONE_CODE
            else:
                row["kappa"] = value
                if value == 1:
                    reason = PERFECT
                elif len(set(a)) == 1 or len(set(b)) == 1:
                    reason = ONE_SIDED
                else:
                    half = float(norm.ppf((1 + confidence) / 2)) * float(cohens_kappa(table).std_kappa)
                    row |= {"low": max(-1.0, value - half), "high": min(1.0, value + half)}
        rows.append(row | {"reason": reason})
    return pd.DataFrame(rows, columns=["code", "texts", "agree", "kappa", "low", "high", "reason"])


def _has(codes_of: pd.Series, codes: list[str]) -> np.ndarray:
    """(texts, codes) bool."""
    return np.array([[code in found for code in codes] for found in codes_of], dtype=bool).reshape(len(codes_of), len(codes))


def _kappa(a: np.ndarray, b: np.ndarray) -> float | None:
    """(p_o - p_e) / (1 - p_e); None where chance agrees always."""
    observed = float((a == b).mean())
    p, q = float(a.mean()), float(b.mean())
    expected = p * q + (1 - p) * (1 - q)
    return None if expected == 1 else (observed - expected) / (1 - expected)


def _together(first: np.ndarray, second: np.ndarray, confidence: float) -> dict[str, object]:
    """All decisions of both coders, chance agreement worked out for each code of its own."""
    n = len(first)
    row: dict[str, object] = {"code": "all", "texts": n, "agree": int((first == second).sum())}
    row |= {"kappa": None, "low": None, "high": None}
    value = _pooled(first, second) if n else None
    if value is None:
        return row | {"reason": ONE_CODE if n else NO_PAIRS}
    row["kappa"] = value
    if value == 1:
        return row | {"reason": PERFECT}
    if n < 3:
        return row | {"reason": TOO_FEW}
    left_out = [_pooled(np.delete(first, i, axis=0), np.delete(second, i, axis=0)) for i in range(n)]
    known = np.array([one for one in left_out if one is not None])
    if len(known) < n:
        return row | {"reason": ONE_CODE}
    error = float(np.sqrt((n - 1) / n * ((known - known.mean()) ** 2).sum()))
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * error
    return row | {"low": max(-1.0, value - half), "high": min(1.0, value + half), "reason": None}


def _pooled(first: np.ndarray, second: np.ndarray) -> float | None:
    p, q = first.mean(axis=0), second.mean(axis=0)
    expected = float((p * q + (1 - p) * (1 - q)).mean())
    observed = float((first == second).mean())
    return None if expected == 1 else (observed - expected) / (1 - expected)
