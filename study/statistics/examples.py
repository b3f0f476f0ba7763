"""Which items to show as examples (appendix G): easy and difficult ones, and those that most people vote C or both for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors

from study.agreement.cosine import item_agreement
from study.agreement.descriptions import CONCATENATED
from study.answers.table import DESCRIPTIONS, PREFERENCES, RATINGS, attributes_of_items, check_choice, checked
from study.statistics.likert import votes

EASY = (
    "The items with the highest average ease; among equals the higher average confidence, then the higher agreement of the long "
    "descriptions, then the order of the table. Items with fewer than {min_answers} answers to question 3 are left out."
)
DIFFICULT = EASY.replace("highest", "lowest").replace("higher", "lower")
MOST_VOTES = "The items with the most answers {choice!r} to question 5; among equals the larger share of the item's answers, then the order of the table."
_ATTRIBUTES = ("class_name", "grouping", "tier")


def easy_items(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    k: int = 5,
    difficult: bool = False,
    min_answers: int = 3,
    agreement: Mapping[str, pd.Series] | None = None,
    **rule: Any,
) -> pd.DataFrame:
    """Tables 6 and 7: the items that people found easiest to describe, or hardest. `EASY` and `DIFFICULT` state the criteria.

    The paper does not say how it chose; these criteria are ours.

    Args:
        k: how many.
        agreement: of all items by kind of description, where it is known already.
        rule: `stop_words` and `wording` of the agreement.

    Returns:
        At most k rows, the items as index: `class_name`, `grouping`, `tier` where the table has them; `ease`, `confidence`
        (averages, Float64), `n` (ratings of ease), `short`, `long`, `concatenated` (agreement, Float64, <NA> where undefined), and
        `short_descriptions`, `long_descriptions` (lists of what people wrote).
    """
    table = checked(answers, [*RATINGS, *DESCRIPTIONS, *(name for name in _ATTRIBUTES if name in answers)])
    groups = table.groupby("item", sort=False)
    items = pd.DataFrame({**{name: groups[name].mean().astype("Float64") for name in RATINGS}, "n": groups["ease"].count()})
    items = items[items["n"] >= max(min_answers, 1)]
    known = dict(agreement or {})
    long = known["long"] if "long" in known else item_agreement(table, vectors, kind="long", **rule)["agreement"]
    sign = 1 if difficult else -1
    keys = [
        (sign * column.reindex(items.index)).to_numpy(dtype=np.float64, na_value=np.inf)
        for column in (long, items["confidence"], items["ease"])
    ]
    # Averages of whole numbers are equal as fractions before they are as floats; lexsort keeps the order of equals.
    chosen = items.iloc[np.lexsort([key.round(9) for key in keys])[: max(k, 0)]]
    rows = table[table["item"].isin(chosen.index)]
    result = _attributes(rows, chosen)
    for kind in (*DESCRIPTIONS, CONCATENATED):
        values = known[kind] if kind in known else item_agreement(rows, vectors, kind=kind, **rule)["agreement"]
        result[kind] = values.reindex(result.index).astype("Float64")
    return _with_descriptions(rows, result)


def most_votes(answers: pd.DataFrame, choice: str, *, k: int = 5) -> pd.DataFrame:
    """Sections G.3 ("C") and G.4 ("both"): the items with the most votes for a choice. `MOST_VOTES` states the criterion.

    Returns:
        At most k rows, the items as index, those without such a vote left out: `class_name`, `grouping`, `tier` where the table has
        them, the columns of `study.statistics.likert.votes`, and `short_descriptions`, `long_descriptions`.
    """
    check_choice(choice, PREFERENCES, "The choice")
    table = checked(answers, ["useful", *DESCRIPTIONS, *(name for name in _ATTRIBUTES if name in answers)])
    items = votes(table)
    items = items[items[choice] > 0]
    chosen = items.iloc[np.lexsort([items["n"].to_numpy(), -items[choice].to_numpy()])[: max(k, 0)]]
    rows = table[table["item"].isin(chosen.index)]
    return _with_descriptions(rows, _attributes(rows, chosen))


def _attributes(rows: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([attributes_of_items(rows, _ATTRIBUTES).reindex(items.index), items], axis=1)


def _with_descriptions(rows: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    for column in DESCRIPTIONS:
        lists = rows[rows[column].notna()].groupby("item", sort=False)[column].agg(list).to_dict()
        items[f"{column}_descriptions"] = pd.Series(
            [lists.get(item, []) for item in items.index], index=items.index, dtype=object
        )
    return items
