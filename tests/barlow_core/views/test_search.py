"""What a search found, in words."""

from __future__ import annotations

import pandas as pd

from barlow_core.analyses import FoundRule
from barlow_core.views.search import direction_words, search_words, short_words, unsearched_words


def rule(features: tuple[int, ...], weights: tuple[float, ...]) -> FoundRule:
    return FoundRule({"features": features, "weights": weights, "short_features": None, "short_weights": None})


def test_a_direction_in_words() -> None:
    assert direction_words(rule((4,), (1.0,))) == "much of feature 4"
    assert direction_words(rule((4, 2), (0.8, 0.6))) == "much of feature 4 and feature 2, taken together"
    assert direction_words(rule((4, 2, 9), (-0.8, 0.5, -0.1)), {9: "orange fur"}) == (
        "much of feature 2, and little of feature 4 and “orange fur”, taken together"
    )
    assert direction_words(rule(tuple(range(7)), (1.0,) * 7)) == (
        "much of feature 0, feature 1, feature 2, feature 3 and feature 4, and 2 more features, taken together"
    )


def test_the_rule_in_short_is_said_with_how_nearly_it_is_the_rule() -> None:
    row = {
        "features": range(40),
        "weights": [0.1] * 40,
        "short_features": [3, 9],
        "short_weights": [0.6, -0.8],
        "short_agreement": 0.41,
        "short_held_out_n_images": 29,
        "short_held_out_n_failures": 14,
    }
    one = FoundRule(row)
    assert direction_words(one) == "much of feature 3, and little of feature 9, taken together"
    assert str(short_words(one)).replace("\N{NO-BREAK SPACE}", " ") == (
        "The rule weighs 40 features; 2 features say it in short. By themselves they select partly the same held-out images "
        "(41.0 % of all that either selects), of which 48.3 % are wrong (14 of 29)."
    )
    assert short_words(rule((4, 2), (0.8, 0.6))) is None
    nothing = FoundRule(row | {"short_held_out_n_images": 0})
    assert "select no held-out image" in str(short_words(nothing))


def test_what_is_certain_and_what_could_not_be_searched() -> None:
    groups = pd.DataFrame({"group": ["label:cat", "label:dog"], "rules": [2, 0], "reason": [None, "3 of 9 fail"]})
    rules = pd.DataFrame({"verdict": ["confirmed", "not confirmed"]})
    assert search_words(groups, rules, hidden=1) == (
        "2 rules in 1 group of 2 searched: 1 confirmed, 1 not confirmed, 0 too few images to tell (--all shows the other 1). "
        "1 group could not be searched, such as label:dog: 3 of 9 fail."
    )
    assert unsearched_words(groups.head(1)) is None
