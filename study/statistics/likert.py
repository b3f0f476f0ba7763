"""What people said of a feature by numbers: ease and confidence (questions 3 and 4, Figure 9a), and preferences (question 5, Figure 9b).

All functions take a table of answers (`study.answers.table`). Intervals of shares and means are two-way bootstraps over items and workers
(`study.statistics.uncertainty`) and take `confidence`, `replicates` and `seed` as options; B against C has a test of its own. `by` names columns that split the table,
such as ["grouping", "tier"]; every part is treated by itself, and rows without a value there are a part of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from study.answers.table import DESCRIPTIONS, LEVELS, PREFERENCES, RATINGS, check_choice, checked
from study.statistics import two_way_score, uncertainty
from study.statistics.estimates import CONFIDENCE, Estimate


@dataclass(frozen=True)
class ItemsAbove:
    """How many items have an average above a threshold.

    Attributes:
        count: such items.
        n_items: items with an answer.
        share: count / n_items with its interval.
        questions: that must all be above.
    """

    count: int
    n_items: int
    share: Estimate
    questions: tuple[str, ...]
    threshold: float


@dataclass(frozen=True)
class HeatmapAgainstAttack:
    """Do people prefer heatmaps (B) or feature attacks (C)?

    Answers "both" and "none" take no side. Interval and p are of one test, so that the interval leaves out 0 exactly where p is below
    1 - confidence.

    Attributes:
        n_b, n_c: answers for each.
        difference: share of B minus share of C among all answers, with the interval of `study.statistics.two_way_score`.
        items_b, items_c, items_tied: items with more votes for B, for C, as many for both (items without either included).
        degrees_of_freedom: of Student's t: one less than the items or the workers that took a side, whichever are fewer.
        p: that the shares of B and C are the same, with other items and other workers.
        reason: why there is no p; else None.
    """

    n_b: int
    n_c: int
    difference: Estimate
    items_b: int
    items_c: int
    items_tied: int
    degrees_of_freedom: int | None
    p: float | None
    reason: str | None


# --- ease and confidence


def item_averages(answers: pd.DataFrame, question: str) -> pd.DataFrame:
    """The average rating of every item.

    Args:
        question: "ease" or "confidence".

    Returns:
        A table with the items as index, in the order of their first answer, and columns `average` (1 to 5) and `n`. An item that
        nobody rated is not in it.

    Raises:
        BarlowError: see `study.answers.table.checked`; or another question.
    """
    table = _rated(answers, [question])
    groups = table.groupby("item", sort=False)[question]
    return pd.DataFrame({"average": groups.mean(), "n": groups.size()})


def items_above(
    answers: pd.DataFrame, questions: Sequence[str] = RATINGS, *, threshold: float = 3.0, **bootstrap: Any
) -> ItemsAbove:
    """How many items have an average above a threshold, in all the questions at once (the paper: more than 800 of 1,200).

    Args:
        questions: "ease", "confidence" or both. An answer that lacks one of them counts for none.
    """
    table = _rated(answers, questions)
    values = table[list(questions)].to_numpy()
    share = uncertainty.share_of_items_above(values, table["item"], table["worker"], threshold=threshold, **bootstrap)
    count = 0 if share.value is None else round(share.value * share.n_items)
    return ItemsAbove(count, share.n_items, share, tuple(questions), threshold)


def averages(answers: pd.DataFrame, question: str, *, by: Sequence[str] = (), **bootstrap: Any) -> pd.DataFrame:
    """The mean rating over answers.

    Returns:
        A row a part: the columns of `by`, then those of `Estimate`.
    """

    def estimate(part: pd.DataFrame) -> pd.DataFrame:
        table = _rated(part, [question])
        return pd.DataFrame([uncertainty.mean(table[question], table["item"], table["worker"], **bootstrap).to_dict()])

    return _by(answers, by, estimate)


def level_counts(answers: pd.DataFrame, question: str, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """How many answers each level of the scale has, for diverging stacked bars.

    Returns:
        Five rows a part: the columns of `by`, then `level` (1 to 5), `count`, `n` (answers of the part), `share` (count / n), and
        `left`, `right`: where the level's piece of a bar of length 1 begins and ends when the middle of level 3 is at 0. Share and places
        are <NA> (Float64) where n is 0.
    """

    def levels(part: pd.DataFrame) -> pd.DataFrame:
        ratings = _rated(part, [question])[question]
        count = np.bincount(ratings.astype(np.int64), minlength=LEVELS[-1] + 1)[1:]
        n = len(ratings)
        share = count / n if n else np.full(len(LEVELS), np.nan)
        right = np.cumsum(share) - share[0] - share[1] - share[2] / 2
        table = pd.DataFrame({"level": LEVELS, "count": count, "n": n, "share": share, "left": right - share, "right": right})
        return table.astype(dict.fromkeys(("share", "left", "right"), "Float64"))

    return _by(answers, by, levels)


# --- preferences


def preferences(answers: pd.DataFrame, *, by: Sequence[str] = (), **bootstrap: Any) -> pd.DataFrame:
    """Figure 9b: the share of answers for B, C, both and none.

    Returns:
        Four rows a part: the columns of `by`, then `choice`, `count`, `share`, `low`, `high`, `n`, `n_items`, `n_workers`, `confidence`
        and `reason`, as in `Estimate`.
    """

    def shares(part: pd.DataFrame) -> pd.DataFrame:
        table = _preferring(part)
        hits = table["useful"].to_numpy()[:, None] == np.array(PREFERENCES, dtype=object)
        estimates = uncertainty.shares(hits, table["item"], table["worker"], **bootstrap)
        rows = pd.DataFrame([estimate.to_dict() for estimate in estimates]).rename(columns={"value": "share"})
        rows.insert(0, "choice", PREFERENCES)
        rows.insert(1, "count", hits.sum(axis=0))
        return rows

    return _by(answers, by, shares)


def votes(answers: pd.DataFrame) -> pd.DataFrame:
    """The vote of every item: the choice with the most answers.

    Returns:
        A table with the items as index, in the order of their first answer: `B`, `C`, `both`, `none` (counts), `n`, `winners` (a
        tuple: the choices with the most answers), `tied` (more than one winner), `vote` (the winner, None when tied) and
        `majority` (the winner has more than half of the answers).
    """
    table = _preferring(answers)
    codes, items = pd.factorize(table["item"])
    choice = pd.Index(PREFERENCES).get_indexer(pd.Index(table["useful"]))
    counts = np.bincount(codes * len(PREFERENCES) + choice, minlength=len(items) * len(PREFERENCES)).reshape(-1, len(PREFERENCES))
    most = counts.max(axis=1, initial=0)
    winning = counts == most[:, None]
    tied = winning.sum(axis=1) > 1
    # Sixteen possible sets of winners, looked up rather than built item by item.
    sets = [tuple(name for bit, name in enumerate(PREFERENCES) if mask >> bit & 1) for mask in range(1 << len(PREFERENCES))]
    masks = winning @ (1 << np.arange(len(PREFERENCES)))
    result = pd.DataFrame(counts, columns=list(PREFERENCES), index=pd.Index(items, name="item"))
    result["n"] = counts.sum(axis=1)
    result["winners"] = pd.Series([sets[mask] for mask in masks], index=result.index, dtype=object)
    vote = np.array([*PREFERENCES, None], dtype=object)[np.where(tied, len(PREFERENCES), winning.argmax(axis=1))]
    result["tied"] = tied
    result["vote"] = pd.Series(vote, index=result.index, dtype=object)
    result["majority"] = 2 * most > result["n"]
    return result


def vote_shares(answers: pd.DataFrame) -> pd.DataFrame:
    """How many items vote for what, under three readings of "majority vote" (the paper: 0.92 % of 1,200 for none).

    Returns:
        A row a choice: `choice`; `most` (items where it alone has the most answers), `most_or_tied` (ties included, so that an item can
        count twice), `majority` (more than half of the answers); the same with `_share`, out of `n_items` (Float64, <NA> when there are none).
    """
    table = votes(answers)
    n = len(table)
    winners = table["winners"]
    rows = []
    for choice in PREFERENCES:
        alone = table["vote"] == choice
        counts = {
            "most": int(alone.sum()),
            "most_or_tied": int(sum(choice in names for names in winners)),
            "majority": int((alone & table["majority"]).sum()),
        }
        row_shares = {f"{name}_share": count / n if n else None for name, count in counts.items()}
        rows.append({"choice": choice, **counts, **row_shares, "n_items": n})
    return pd.DataFrame(rows).astype({f"{name}_share": "Float64" for name in ("most", "most_or_tied", "majority")})


def heatmap_against_attack(answers: pd.DataFrame, *, confidence: float = CONFIDENCE, **_: Any) -> HeatmapAgainstAttack:
    """Whether more people find the heatmaps (B) useful or the feature attacks (C).

    Other settings of a bootstrap are taken and not used.
    """
    table = _preferring(answers)
    side = table["useful"].map({"B": 1, "C": -1}).fillna(0).to_numpy(dtype=np.int64)
    n_b, n_c = int((side == 1).sum()), int((side == -1).sum())
    found = two_way_score.mean_against_zero(side, table["item"], table["worker"], confidence=confidence)
    codes, items = pd.factorize(table["item"])
    by_item = np.bincount(codes, weights=side, minlength=len(items))
    items_b, items_c = int((by_item > 0).sum()), int((by_item < 0).sum())
    return HeatmapAgainstAttack(
        n_b=n_b,
        n_c=n_c,
        difference=found.estimate,
        items_b=items_b,
        items_c=items_c,
        items_tied=len(items) - items_b - items_c,
        degrees_of_freedom=found.degrees_of_freedom,
        p=found.p,
        reason=found.reason,
    )


# --- parts of the table


def _rated(answers: pd.DataFrame, questions: Sequence[str]) -> pd.DataFrame:
    if not questions:
        raise BarlowError(f"No question is named; expected {' or '.join(RATINGS)}, or both.")
    for question in questions:
        check_choice(question, RATINGS, "The question")
    table = checked(answers, questions)
    return table[table[list(questions)].notna().all(axis=1)].reset_index(drop=True)


def _preferring(answers: pd.DataFrame) -> pd.DataFrame:
    table = checked(answers, ["useful"])
    return table[table["useful"].notna()].reset_index(drop=True)


def _by(answers: pd.DataFrame, by: Sequence[str], make: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """What `make` makes of every part of the table, below each other, after the columns that tell the parts; no rows for no parts."""
    if isinstance(by, str):
        raise BarlowError(f"`by` is the text {by!r}; expected a list of columns, [{by!r}].")
    absent = [column for column in by if column not in answers.columns]
    if absent:
        raise BarlowError(
            f"The table of answers has no column {absent[0]!r} to split by; it has {', '.join(map(str, answers.columns))}."
        )
    if not by:
        return make(answers)
    parts = []
    # Without what is not asked for: descriptions are most of a table, and every part is a copy.
    asked = answers[[column for column in answers.columns if column not in DESCRIPTIONS]]
    for labels, part in asked.groupby(list(by), sort=True, dropna=False, observed=True):
        table = make(part)
        for place, (column, label) in enumerate(zip(by, cast("Sequence[Any]", labels), strict=True)):
            table.insert(place, column, label)
        parts.append(table)
    if parts:
        return pd.concat(parts, ignore_index=True)
    nothing = make(answers).iloc[:0]
    return nothing.reindex(columns=[*by, *nothing.columns])
