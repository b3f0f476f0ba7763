"""What difference it makes to leave out workers: every headline number with all of them, and without the excluded ones."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any, cast

import pandas as pd
from gensim.models import KeyedVectors

from study.agreement.cosine import agreements_and_pairs, item_agreement
from study.agreement.descriptions import KINDS
from study.answers.table import CLOSED_QUESTIONS, DESCRIPTIONS, RATINGS, checked
from study.answers.tokenization import AS_THE_PAPER, Wording
from study.statistics import uncertainty
from study.statistics.agreement_means import AgreementMeans
from study.statistics.estimates import Estimate
from study.statistics.likert import items_above, preferences, votes
from study.statistics.reliability import MEASUREMENT, Alpha, alpha


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
        described: the agreement of the items by kind of description, and the pairs (`study.agreement.cosine.agreements_and_pairs`), of all workers,
            where they are known already.
        bootstrap: `confidence`, `replicates` and `seed` of the intervals.

    Returns:
        A row a measure (index): `all`, `all_low`, `all_high`, `kept`, `kept_low`, `kept_high`, `change` (kept - all), Float64, <NA> where a
        number, or an interval, is undefined.
    """
    table = checked(answers, [*CLOSED_QUESTIONS, *(DESCRIPTIONS if vectors is not None else ())])
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
            numbers = headlines(part, threshold, bootstrap) | mean_agreements(values, pairs, bootstrap)
        for place, column in enumerate((side, f"{side}_low", f"{side}_high")):
            result[column] = pd.Series({name: three[place] for name, three in numbers.items()}, dtype="Float64")
    result["change"] = result["kept"] - result["all"]
    result.index.name = "measure"
    return result


# A number and the ends of its interval.
_Three = tuple[float | None, float | None, float | None]


def headlines(table: pd.DataFrame, threshold: float, bootstrap: Mapping[str, Any]) -> dict[str, _Three]:
    """Every headline number of some answers but agreement, with its interval, by name."""
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


def mean_agreements(
    values: Mapping[str, pd.Series], pairs: pd.DataFrame | None, bootstrap: Mapping[str, Any]
) -> dict[str, _Three]:
    """The mean agreement of every kind of description, with its interval, by name."""
    if not values:
        return {}
    means = AgreementMeans(values, pairs, **bootstrap)
    return {f"mean agreement of {kind} descriptions": _three(means.mean(kind)) for kind in values}


def _three(estimate: Estimate | Alpha) -> _Three:
    return estimate.value, estimate.low, estimate.high
