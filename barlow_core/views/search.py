"""What a search found, in words and as images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from barlow_core.analyses import FoundRule
from barlow_core.analyses.verdicts import verdict_counts
from barlow_core.groups import parse
from barlow_core.run import Run
from barlow_core.search.short import NEARLY
from barlow_core.wording import count, percent

MOST_NAMED = 5  # features of a rule that its sentence names


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
    return " ".join(filter(None, [f"{said}.", unsearched_words(groups)]))


def unsearched_words(groups: pd.DataFrame) -> str | None:
    """How many groups could not be searched, and why the first of them; None where all were."""
    unsearched = groups[groups["reason"].notna()]
    if unsearched.empty:
        return None
    first = unsearched.iloc[0]
    return f"{count(len(unsearched), 'group')} could not be searched, such as {first['group']}: {first['reason']}."


def direction_words(rule: FoundRule, names: Mapping[int, str] | None = None) -> str:
    """What the images of a rule have: "much of feature 12 and feature 7, and little of feature 30, taken together".

    Of the rule in short (`short_words` says how nearly that is the same).

    Args:
        names: what people call features; others go by their numbers.
    """
    names = names or {}
    direction = rule.short
    named = list(zip(direction.features, direction.weights, strict=True))[:MOST_NAMED]
    parts = []
    for sign, amount in ((1, "much"), (-1, "little")):
        called = [f"“{names[f]}”" if f in names else f"feature {f}" for f, weight in named if weight * sign > 0]
        if called:
            parts.append(f"{amount} of {_listed(called)}")
    more = len(direction.features) - len(named)
    if more:
        parts.append(count(more, "more feature"))
    together = ", taken together" if len(direction.features) > 1 else ""
    return f"{_listed(parts, comma=True)}{together}"


def short_words(rule: FoundRule) -> str | None:
    """How nearly the features in `direction_words` are the rule; None where it has no others."""
    n = len(rule.direction.features)
    if rule.short == rule.direction:
        return None
    said = f"The rule weighs {count(n, 'feature')}; {count(len(rule.short.features), 'feature')} say it in short."
    same, images = rule.row["short_agreement"], int(rule.row["short_held_out_n_images"])
    if pd.isna(same) or not images:
        return f"{said} By themselves they select no held-out image."
    failures = int(rule.row["short_held_out_n_failures"])
    return (
        f"{said} By themselves they select {'nearly' if same >= NEARLY else 'partly'} the same held-out images ({percent(same)} of all that either "
        f"selects), of which {percent(failures / images)} are wrong ({failures:,} of {images:,})."
    )


def rule_positions(run: Run, rule: FoundRule) -> np.ndarray:
    """(n,) int64, the positions in the benchmark of the images of the group that follow a rule, the clearest first."""
    indices = parse(run.benchmark, rule.group).indices
    values = rule.direction.values(run.features(), indices)
    order = np.argsort(-values, kind="stable")
    return indices[order[values[order] > rule.threshold]]


def _listed(parts: list[str], *, comma: bool = False) -> str:
    """ "a", "a and b", "a, b and c"; with `comma`, one before the last "and" as well."""
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])}{',' if comma else ''} and {parts[-1]}"
