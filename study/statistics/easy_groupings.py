"""Which groupings are easy to begin an interview with, by what the crowd said about the features of their trees (section 9 of the paper).

The rule: a grouping is judged by those features of its tree of depth 2 that workers have described. Its ease is the mean of their mean
ratings of ease, its agreement the mean of the agreement of their long descriptions. Groupings are ordered by each of the two; the sum
of both places decides, then ease, then the order of the study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from barlow_core.wording import count
from study.answers.table import attributes_of_items

COLUMNS = ["group", "features", "described", "answers", "ease", "agreement", "easy"]


def easy_groupings(
    answers: pd.DataFrame, agreement: pd.Series, trees: Mapping[str, Sequence[int]], *, n: int = 5
) -> pd.DataFrame:
    """The groupings from the easiest on; the first `n` are the easy set.

    Args:
        answers: a table of answers (`study.answers.table`) with `group` and `feature`.
        agreement: of the long descriptions, by item; missing where it is undefined.
        trees: features by group.

    Returns:
        `group`, `features` (of the tree), `described` (of these by workers), `answers` (about these), `ease` (1 to 5), `agreement`,
        `easy`. Groupings of whose features nobody described any come last, have no numbers, and are never easy.
    """
    items = attributes_of_items(answers, ["group", "feature"])
    items["ease"] = answers.groupby("item", sort=False)["ease"].mean()
    items["answers"] = answers.groupby("item", sort=False).size()
    items["agreement"] = agreement.reindex(items.index)
    rows = []
    for group, features in trees.items():
        found = items[(items["group"].astype(object) == group) & items["feature"].isin(list(features))]
        rows.append(
            {
                "group": group,
                "features": len(features),
                "described": len(found),
                "answers": int(found["answers"].sum()),
                "ease": found["ease"].astype("float64").mean(),
                "agreement": found["agreement"].astype("float64").mean(),
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS[:-1])
    # Without an agreement (one description a feature, or words that the vectors do not know) the last place in that order.
    places = table[["ease", "agreement"]].rank(ascending=False, na_option="bottom", method="min").sum(axis=1)
    order = table.assign(places=places, nobody=table["ease"].isna()).sort_values(
        ["nobody", "places", "ease"], ascending=[True, True, False], kind="stable"
    )
    known = order["ease"].notna()
    return order.assign(easy=known & (known.cumsum() <= n))[COLUMNS].reset_index(drop=True)


def rule_words(table: pd.DataFrame, where: str) -> str:
    """How the easy set was chosen, as a sentence for the protocol.

    Args:
        where: the answers are from.
    """
    easy = table[table["easy"]]
    return (
        f"The {count(len(easy), 'grouping')} with the highest ease and agreement of the features in their trees, by {int(easy['answers'].sum()):,} "
        f"crowd answers in {where}: the sum of the places in both orders."
    )
