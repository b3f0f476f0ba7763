"""What a search found, in words."""

from __future__ import annotations

import pandas as pd

from barlow_core.analyses import FoundRule
from barlow_core.directions import Direction
from barlow_core.views.search import direction_words, search_words, unsearched_words


def rule(features: tuple[int, ...], weights: tuple[float, ...]) -> FoundRule:
    return FoundRule("label:cat", 0, "", Direction(features, weights), 1.0, {})


def test_a_direction_in_words() -> None:
    assert direction_words(rule((4,), (1.0,))) == "much of feature 4"
    assert direction_words(rule((4, 2), (0.8, 0.6))) == "much of feature 4 and feature 2, taken together"
    assert direction_words(rule((4, 2, 9), (-0.8, 0.5, -0.1)), {9: "orange fur"}) == (
        "much of feature 2, and little of feature 4 and “orange fur”, taken together"
    )
    assert direction_words(rule(tuple(range(7)), (1.0,) * 7)) == (
        "much of feature 0, feature 1, feature 2, feature 3 and feature 4, and 2 more features with less part, taken together"
    )


def test_what_is_certain_and_what_could_not_be_searched() -> None:
    groups = pd.DataFrame({"group": ["label:cat", "label:dog"], "rules": [2, 0], "reason": [None, "3 of 9 fail"]})
    rules = pd.DataFrame({"verdict": ["confirmed", "not confirmed"]})
    assert search_words(groups, rules, hidden=1) == (
        "2 rules in 1 group of 2 searched: 1 confirmed, 1 not confirmed, 0 too few images to tell (--all shows the other 1). "
        "1 group could not be searched, such as label:dog: 3 of 9 fail."
    )
    assert unsearched_words(groups.head(1)) is None
