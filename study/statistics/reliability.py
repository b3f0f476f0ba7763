"""Do raters agree with each other? Krippendorff's alpha, with intervals over items.

Alpha is 1 - D_o / D_e, observed over expected disagreement: 1 for perfect agreement, 0 for what chance would give, below 0 for less than
that. It copes with items that have different numbers of answers; an item with one answer says nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Literal

import krippendorff
import numpy as np
import pandas as pd

from study.answers.table import LEVELS, PREFERENCES, check_choice, checked
from study.statistics.estimates import CONFIDENCE, NOBODY, check_settings
from study.statistics.resampling import REPLICATES

# Questions 3 and 4 are levels in an order, without a distance between them; question 5 is a choice.
Measurement = Literal["ordinal", "nominal"]
MEASUREMENT: dict[str, Measurement] = {"ease": "ordinal", "confidence": "ordinal", "useful": "nominal"}

NO_PAIRS = "no item has two answers"
ALL_THE_SAME = "all answers that can be paired are the same, so there is no disagreement to expect"
ONE_ITEM = "one item with two answers or more only: what chance would give is read off the same answers, so alpha says nothing"
ALL_ALIKE = "all items have the same kinds of answers, so no interval"
SOMETIMES_UNDEFINED = "defined in {share:.0%} of the resamples only; the interval is from those"
# Below this share of resamples in which alpha is defined there is no interval.
_ENOUGH = 0.5


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha of one question.

    Attributes:
        question: "ease", "confidence" or "useful".
        measurement: "ordinal" or "nominal".
        value: at most 1; None when it is undefined.
        low, high: percentile interval over resampled items; None when it is undefined.
        n: answers to the question.
        n_paired: those of them about items with two answers or more, which are all that alpha looks at.
        n_items: such items.
        n_workers: who gave these answers.
        reason: why something is missing; else None.
    """

    question: str
    measurement: Measurement
    value: float | None
    low: float | None
    high: float | None
    n: int
    n_paired: int
    n_items: int
    n_workers: int
    confidence: float = CONFIDENCE
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON or a row of a table."""
        return asdict(self)


def alpha(
    answers: pd.DataFrame, question: str, *, confidence: float = CONFIDENCE, replicates: int = REPLICATES, seed: int = 0
) -> Alpha:
    """Krippendorff's alpha of a question, by the `krippendorff` package; ordinal for ease and confidence, nominal for `useful`.

    The interval resamples items and keeps the workers: it is about other items and the same workers.

    Args:
        answers: a table of answers (`study.answers.table`).
        question: "ease", "confidence" or "useful".

    Raises:
        BarlowError: see `study.answers.table.checked`; or another question.
    """
    check_choice(question, list(MEASUREMENT), "The question")
    check_settings(confidence, replicates)
    table = checked(answers, [question])
    table = table[table[question].notna()]
    counts, paired, workers = _counts(table, question)
    measurement = MEASUREMENT[question]
    size = {"n": len(table), "n_paired": int(counts.sum()), "n_items": len(counts), "n_workers": workers}
    if not paired:
        reason = NO_PAIRS if len(table) else NOBODY
        return Alpha(question, measurement, None, None, None, **size, confidence=confidence, reason=reason)
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return Alpha(question, measurement, None, None, None, **size, confidence=confidence, reason=ALL_THE_SAME)
    if len(counts) == 1:
        return Alpha(question, measurement, None, None, None, **size, confidence=confidence, reason=ONE_ITEM)
    # Alpha knows an item by how often each answer was given, and items with the same counts by how many there are.
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    value = float(krippendorff.alpha(value_counts=np.repeat(patterns, times, axis=0), level_of_measurement=measurement))
    if len(patterns) == 1:
        return Alpha(question, measurement, value, None, None, **size, confidence=confidence, reason=ALL_ALIKE)
    drawn = np.random.default_rng(seed).multinomial(len(counts), times / len(counts), size=replicates)
    alphas = alphas_of_counts(patterns, drawn, measurement)
    defined = ~np.isnan(alphas)
    if defined.mean() < _ENOUGH:
        reason = f"defined in {defined.mean():.0%} of the resamples only, so no interval"
        return Alpha(question, measurement, value, None, None, **size, confidence=confidence, reason=reason)
    low, high = np.quantile(alphas[defined], [(1 - confidence) / 2, (1 + confidence) / 2])
    note = None if defined.mean() >= 0.95 else SOMETIMES_UNDEFINED.format(share=defined.mean())
    return Alpha(question, measurement, value, float(low), float(high), **size, confidence=confidence, reason=note)


def alphas(answers: pd.DataFrame, questions: Collection[str] = tuple(MEASUREMENT), **bootstrap: Any) -> pd.DataFrame:
    """`alpha` of several questions, a row each."""
    return pd.DataFrame([alpha(answers, question, **bootstrap).to_dict() for question in questions])


def alphas_of_counts(patterns: np.ndarray, times: np.ndarray, measurement: Measurement) -> np.ndarray:
    """Krippendorff's alpha of many collections of items at once.

    Args:
        patterns: (P, V) how often each of V values was given, for P kinds of item with two answers or more.
        times: (B, P) how many items of each kind each of B collections has.
        measurement: "ordinal" or "nominal".

    Returns:
        (B,) float64; NaN where only one value was given.
    """
    counts = patterns.astype(np.float64)
    size = counts.sum(axis=1)
    # Coincidences of values within an item (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"): they add up over items.
    pairs = counts[:, :, None] * counts[:, None, :]
    n_values = counts.shape[1]
    pairs[:, np.arange(n_values), np.arange(n_values)] -= counts
    pairs /= (size - 1)[:, None, None]
    observed = (times @ pairs.reshape(len(pairs), -1)).reshape(-1, n_values, n_values)
    of_value = times @ counts
    expected = of_value[:, :, None] * of_value[:, None, :]
    if measurement == "nominal":
        distance = np.broadcast_to(1.0 - np.eye(n_values), observed.shape)
    else:
        # Between ranks: the values from one to the other, and half of those at both ends.
        rank = np.cumsum(of_value, axis=1) - of_value / 2
        distance = (rank[:, :, None] - rank[:, None, :]) ** 2
    disagreement, chance = (observed * distance).sum(axis=(1, 2)), (expected * distance).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        result = 1 - (of_value.sum(axis=1) - 1) * disagreement / chance
    result[chance == 0] = np.nan
    return result


def _counts(table: pd.DataFrame, question: str) -> tuple[np.ndarray, bool, int]:
    """(items with two answers or more, values) how often each value was given; whether there are any; and who gave them."""
    values = PREFERENCES if question == "useful" else LEVELS
    codes, items = pd.factorize(table["item"])
    value = pd.Index(values).get_indexer(pd.Index(table[question]))
    counts = np.bincount(codes * len(values) + value, minlength=len(items) * len(values)).reshape(-1, len(values))
    paired = counts.sum(axis=1) >= 2
    workers = table["worker"][paired[codes]].nunique()
    return counts[paired], bool(paired.any()), int(workers)
