"""What answers about core and spurious features decide: votes and verdicts of items, shares of them, confidence, reasons.

All functions take a table of answers (`study.answers.table`) with the question that decides, "part" (first round) or "same" (second one).
An item has a verdict as soon as more than half of the answers that it wants say the same: answers that are still to come cannot change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from study.answers.table import checked, plain
from study.core_or_spurious import ANSWERS, MEANS, OPEN, TIE, VERDICTS
from study.statistics import uncertainty
from study.statistics.reliability import Alpha, alpha

REASON = "reason"


def verdicts(answers: pd.DataFrame, question: str, wanted: pd.Series | None = None) -> pd.DataFrame:
    """What people decided about every item.

    Args:
        wanted: answers that each item wants, by item; where it is missing, all answers are there.

    Returns:
        A table with the items as index, in the order of their first answer: how many gave each answer of the question, `n`, `wanted`,
        `verdict` ("core" or "spurious", "confirmed" or "rejected"; "tie": all are there and neither has a majority; "open": not yet decided),
        `support` (answers for the verdict; of a tie or an open one, for the side with more), `most` (a tuple: the answers given most often)
        and `confidence` (mean, Float64, <NA> where nobody rated).

    Raises:
        BarlowError: see `study.answers.table.checked`; or a value that is no answer to the question.
    """
    table = _decided(answers, question)
    values, sides, means = ANSWERS[question], VERDICTS[question], MEANS[question]
    items = pd.Index(table["item"].unique(), name="item")
    counts = pd.crosstab(table["item"], table[question]).reindex(index=items, columns=list(values), fill_value=0)
    result = pd.DataFrame(counts.to_numpy(), index=items, columns=list(values))
    n = result.sum(axis=1)
    known = pd.Series(pd.NA, index=items, dtype="Int64") if wanted is None else wanted.reindex(items).astype("Int64")
    full = known.fillna(n).to_numpy(dtype=np.int64)
    votes = np.stack([result[[value for value in values if means[value] == side]].sum(axis=1) for side in sides])
    verdict = np.where(n.to_numpy() >= full, TIE, OPEN).astype(object)
    for side, of_side in zip(sides, votes, strict=True):
        verdict[2 * of_side > full] = side
    most = result.max(axis=1)
    result["n"], result["wanted"] = n, full
    result["verdict"] = verdict
    result["support"] = votes.max(axis=0, initial=0)
    winners = [
        tuple(value for value in values if row[value] == top) for row, top in zip(result.to_dict("records"), most, strict=True)
    ]
    result["most"] = pd.Series(winners, index=items, dtype=object)
    rated = table.groupby("item", sort=False)["confidence"].mean() if "confidence" in table else pd.Series(dtype="float64")
    result["confidence"] = rated.reindex(items).astype("Float64")
    return result


def verdict_shares(found: pd.DataFrame, question: str, *, confidence: float) -> pd.DataFrame:
    """How many items have which verdict, with Wilson's interval over items: `verdict`, `count`, `n`, `share`, `low`, `high`."""
    rows = []
    for verdict in (*VERDICTS[question], TIE, OPEN):
        hits = (found["verdict"] == verdict).to_numpy(dtype=bool)
        estimate = uncertainty.item_share(hits, confidence=confidence)
        rows.append((verdict, int(hits.sum()), len(hits), estimate.value, estimate.low, estimate.high))
    table = pd.DataFrame(rows, columns=["verdict", "count", "n", "share", "low", "high"])
    return table.astype(dict.fromkeys(("share", "low", "high"), "Float64"))


def confidence_by_answer(answers: pd.DataFrame, question: str, **bootstrap: Any) -> pd.DataFrame:
    """Mean confidence of those who gave each answer, and of all: `answer` ("all" last) and the columns of an `Estimate`."""
    table = _decided(answers, question)
    parts = {value: table[table[question] == value] for value in ANSWERS[question]} | {"all": table}
    return pd.DataFrame(
        [
            {"answer": value} | uncertainty.mean(part["confidence"], part["item"], part["worker"], **bootstrap).to_dict()
            for value, part in parts.items()
        ]
    )


def alphas(answers: pd.DataFrame, question: str, *, confidence: float) -> list[Alpha]:
    """Krippendorff's alpha of the answers as they were given, of what they speak for where that is less, and of confidence."""
    table = _decided(answers, question)
    found = [alpha(table, question, values=ANSWERS[question], confidence=confidence)]
    if len(VERDICTS[question]) < len(ANSWERS[question]):
        sides = table.assign(verdict=table[question].map(MEANS[question]))
        found.append(alpha(sides, "verdict", values=VERDICTS[question], confidence=confidence))
    return [*found, alpha(table, "confidence", confidence=confidence)]


def reasons(answers: pd.DataFrame, question: str) -> pd.DataFrame:
    """Why people said so: `item`, the question, `confidence`, `reason`, `worker`; answers with a reason, those of an item together."""
    table = _decided(answers, question)
    if REASON not in table:
        return pd.DataFrame(columns=["item", question, "confidence", REASON, "worker"])
    table = table[table[REASON].fillna("").str.strip() != ""]
    order = table["item"].map({item: place for place, item in enumerate(dict.fromkeys(answers["item"]))})
    answer = table[question].map({value: place for place, value in enumerate(ANSWERS[question])})
    table = table.assign(_order=order, _answer=answer).sort_values(["_order", "_answer"], kind="stable")
    return table[["item", question, "confidence", REASON, "worker"]].reset_index(drop=True)


def _decided(answers: pd.DataFrame, question: str) -> pd.DataFrame:
    """The answers that answer the question, checked."""
    others: Sequence[str] = [name for name in ("confidence", REASON) if name in answers]
    table = checked(answers, [question, *others])
    table = table[table[question].notna()].reset_index(drop=True)
    wrong = ~table[question].isin(ANSWERS[question])
    if wrong.any():
        value = plain(table[question][int(wrong.argmax())])
        raise BarlowError(f"An answer has {question} {value!r}; expected one of {', '.join(ANSWERS[question])}, or nothing.")
    return table
