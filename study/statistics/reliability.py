"""Do raters agree with each other? Krippendorff's alpha, with intervals over items.

Alpha is 1 - D_o / D_e, observed over expected disagreement: 1 for perfect agreement, 0 for what chance would give, below 0 for less than
that. It copes with items that have different numbers of answers; an item with one answer says nothing and is left out.

The interval is made on the scale of Fisher's transformation for intraclass correlations, log((1 + (k - 1) alpha) / (1 - alpha)) with k answers an item on
average, which keeps it within what alpha can be, with Student's t for one less than the items. The standard error is the jackknife's (one item
left out after the other), or that which alpha has if answers do not depend on items (Mantel 1967, Cancer Research 27, 209-220), whichever is larger:
items that happen to disagree alike would otherwise make random answers read as worse than chance. docs/study_calibration.md shows how
often it holds the truth, and percentiles of resampled items beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import krippendorff
import numpy as np
import pandas as pd
from scipy.stats import t

from study.answers.table import LEVELS, PREFERENCES, check_choice, checked
from study.statistics.estimates import CONFIDENCE, NOBODY, check_settings

# Questions 3 and 4 are levels in an order, without a distance between them; question 5 is a choice.
Measurement = Literal["ordinal", "nominal"]
MEASUREMENT: dict[str, Measurement] = {"ease": "ordinal", "confidence": "ordinal", "useful": "nominal"}

NO_PAIRS = "no item has two answers"
ALL_THE_SAME = "all answers that can be paired are the same, so there is no disagreement to expect"
ONE_ITEM = "one item with two answers or more only: what chance would give is read off the same answers, so alpha says nothing"
PERFECT = "everybody agrees about every item, so no interval"
OPPOSED = "answers about the same item are as different as they can be, so no interval"
ALL_BUT_ONE = "the answers about all items but one are alike, so no interval"
# docs/study_calibration.md: of two and three items an interval says next to nothing, of five to nine it can be too short.
FEWEST_ITEMS, FEW_ITEMS = 5, 10
TOO_FEW = f"fewer than {FEWEST_ITEMS} items with two answers or more, so no interval"
FEW = f"fewer than {FEW_ITEMS} items with two answers or more: the interval can be too short"


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha of one question.

    Attributes:
        question: "ease", "confidence" or "useful", or a choice of another questionnaire.
        measurement: "ordinal" or "nominal".
        value: at most 1; None when it is undefined.
        low, high: interval over items, from -1 / (k - 1) to 1 for k answers an item; None when it is undefined.
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


def alpha(answers: pd.DataFrame, question: str, *, values: Any = None, confidence: float = CONFIDENCE, **_: Any) -> Alpha:
    """Krippendorff's alpha of a question, by the `krippendorff` package; ordinal for ease and confidence, nominal for choices.

    The interval is about other items and the same workers. Other settings of a bootstrap are taken and not used.

    Args:
        answers: a table of answers (`study.answers.table`).
        question: "ease", "confidence" or "useful"; or any choice, with its `values`.
        values: a sequence of what an answer to a choice can be.

    Raises:
        BarlowError: see `study.answers.table.checked`; or another question.
    """
    if values is None:
        check_choice(question, list(MEASUREMENT), "The question")
        values = PREFERENCES if question == "useful" else LEVELS
    measurement = MEASUREMENT.get(question, "nominal")
    check_settings(confidence, 1)
    table = checked(answers, [question])
    table = table[table[question].notna()]
    counts, paired, workers = _counts(table, question, values)
    size = {"n": len(table), "n_paired": int(counts.sum()), "n_items": len(counts), "n_workers": workers}

    def found(value: float | None, low: float | None, high: float | None, reason: str | None) -> Alpha:
        return Alpha(question, measurement, value, low, high, **size, confidence=confidence, reason=reason)

    if not paired:
        return found(None, None, None, NO_PAIRS if len(table) else NOBODY)
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return found(None, None, None, ALL_THE_SAME)
    if len(counts) == 1:
        return found(None, None, None, ONE_ITEM)
    # Alpha knows an item by how often each answer was given, and items with the same counts by how many there are.
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    value = float(krippendorff.alpha(value_counts=np.repeat(patterns, times, axis=0), level_of_measurement=measurement))
    if len(counts) < FEWEST_ITEMS:
        return found(value, None, None, TOO_FEW)
    ends = _interval(value, patterns, times, measurement, confidence)
    if isinstance(ends, str):
        return found(value, None, None, ends)
    return found(value, *ends, FEW if len(counts) < FEW_ITEMS else None)


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
    distance = _distances(of_value, measurement)
    disagreement, chance = (observed * distance).sum(axis=(1, 2)), (expected * distance).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        result = 1 - (of_value.sum(axis=1) - 1) * disagreement / chance
    result[chance == 0] = np.nan
    return result


def _interval(
    value: float, patterns: np.ndarray, times: np.ndarray, measurement: Measurement, confidence: float
) -> tuple[float, float] | str:
    """The ends of the interval, or why there are none.

    Args:
        patterns, times: (P, V) and (P,) the kinds of item, and how many are of each.
    """
    n_items = int(times.sum())
    per_item = float(times @ patterns.sum(axis=1)) / n_items
    below, above = 1 + (per_item - 1) * value, 1 - value
    if above <= 1e-12:
        return PERFECT
    if below <= 1e-12:
        return OPPOSED
    without_one = alphas_of_counts(patterns, times - np.eye(len(times), dtype=times.dtype), measurement)
    if np.isnan(without_one).any():
        return ALL_BUT_ONE
    jackknife = np.sqrt((n_items - 1) / n_items * (times @ (without_one - times @ without_one / n_items) ** 2))
    # From alpha's scale to that of the transformation by its slope, which is `per_item` at an alpha of 0.
    slope = (per_item - 1) / below + 1 / above
    error = max(slope * jackknife, per_item * sd_without_agreement(patterns, times, measurement))
    half = t.ppf((1 + confidence) / 2, n_items - 1) * error
    low, high = (1 - per_item / (below / above * np.exp(side) + per_item - 1) for side in (-half, half))
    return float(low), float(high)


def sd_without_agreement(patterns: np.ndarray, times: np.ndarray, measurement: Measurement) -> float:
    """Alpha's standard deviation over all ways of handing the same answers out to the items anew, in closed form.

    Alpha is then 1 minus a multiple of a sum, over all pairs of answers, of a weight (1 / (m - 1) for two of the m answers of an item) times
    the distance of the two; Mantel (1967) gives the variance of such a sum under permutations.

    Args:
        patterns, times: as in `_interval`; at least four answers.
    """
    of_value = times @ patterns
    n = float(of_value.sum())
    sizes = patterns.sum(axis=1)
    distance = _distances(of_value[None], measurement)[0]
    to_others = distance @ of_value
    all_distances = float(of_value @ to_others)
    # Mantel's sums over pairs: of squares, and of squared sums of all pairs of one answer. Weights of one answer sum to 1.
    squares = np.array([times @ (sizes / (sizes - 1)), of_value @ distance**2 @ of_value])
    rows = np.array([n, of_value @ to_others**2])
    totals = np.array([n, all_distances]) ** 2
    shared, rest = rows - squares, totals + 2 * squares - 4 * rows
    second = 2 * squares.prod() + 4 * shared.prod() / (n - 2) + rest.prod() / ((n - 2) * (n - 3)) - totals.prod() / (n * (n - 1))
    return float((n - 1) / all_distances * np.sqrt(max(second, 0.0) / (n * (n - 1))))


def _distances(of_value: np.ndarray, measurement: Measurement) -> np.ndarray:
    """(B, V, V) between values, of (B, V) how often each was given."""
    n_values = of_value.shape[1]
    if measurement == "nominal":
        return np.broadcast_to(1.0 - np.eye(n_values), (len(of_value), n_values, n_values))
    # Between ranks: the values from one to the other, and half of those at both ends.
    rank = np.cumsum(of_value, axis=1) - of_value / 2
    return np.asarray((rank[:, :, None] - rank[:, None, :]) ** 2, dtype=np.float64)


def _counts(table: pd.DataFrame, question: str, values: Sequence[Any]) -> tuple[np.ndarray, bool, int]:
    """(items with two answers or more, values) how often each value was given; whether there are any; and who gave them."""
    codes, items = pd.factorize(table["item"])
    value = pd.Index(list(values)).get_indexer(pd.Index(table[question]))
    counts = np.bincount(codes * len(values) + value, minlength=len(items) * len(values)).reshape(-1, len(values))
    paired = counts.sum(axis=1) >= 2
    workers = table["worker"][paired[codes]].nunique()
    return counts[paired], bool(paired.any()), int(workers)
