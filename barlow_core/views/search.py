"""What a search found, in words."""

from __future__ import annotations

import pandas as pd

from barlow_core.analyses.verdicts import verdict_counts
from barlow_core.wording import count


def search_words(groups: pd.DataFrame, rules: pd.DataFrame, *, hidden: int = 0) -> str:
    """How much of what a search found is certain, and what could not be searched.

    Args:
        groups, rules: of `analyses.searched_groups` and `analyses.found_rules`.
        hidden: rules that are not shown.
    """
    counts = verdict_counts(rules)
    said = f"{count(len(rules), 'rule')} in {count(int((groups['rules'] > 0).sum()), 'group')} of {len(groups):,} searched: "
    said += ", ".join(f"{n:,} {verdict}" for verdict, n in counts.items())
    if hidden:
        said += f" (--all shows the other {hidden:,})"
    unsearched = groups["reason"].dropna()
    if len(unsearched):
        said += f". {count(len(unsearched), 'group')} could not be searched; of the first, {unsearched.iloc[0]}"
    return f"{said}."
