"""What a search found, in words and as images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from barlow_core.analyses import FoundRule, SearchRecord
from barlow_core.analyses.verdicts import verdict_counts
from barlow_core.run import Run
from barlow_core.search.short import NEARLY
from barlow_core.views.sentences import belonging_words, group_words, seen_words
from barlow_core.wording import count, percent, percent_interval, points, points_interval

MOST_NAMED = 5  # features of a rule that its sentence names
NO_RULE = "The search found no rule. There may be nothing to find, or too few failures."
NONE_CONFIRMED = "No rule is confirmed on held-out images."


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


def not_searched_words(run: Run) -> str | None:
    """Why a run has nothing to show of a search, before the command that changes it; None where it has."""
    if run.is_current("search"):
        return None
    if run.recorded("search") is not None:
        return "What was searched is out of date: the features, labels or predictions have changed."
    return (
        "A search looks for several blindspots at once, each of which may be a conjunction of many attributes. This run has not "
        "been searched yet."
    )


def certain_words(run: Run, groups: pd.DataFrame, rules: pd.DataFrame) -> str:
    """How what a search found was counted, what it takes to be confirmed, and what could not be searched.

    Args:
        groups, rules: as for `search_words`.
    """
    record = SearchRecord.of(run)
    together = record.checks.keep_together
    said = [
        f"{count(len(rules), 'rule')}, found in one part of the images and counted in the other, which played no part in finding them.",
        f"A rule is confirmed when its failures there are not luck (q at most {record.settings.alpha:g}, corrected for all rules of all "
        f"groups) and its error rate is more than {record.settings.delta * 100:g} points above its group's.",
        f"The split keeps {belonging_words(together)} together." if together else None,
        unsearched_words(groups),
    ]
    return " ".join(filter(None, said))


class FoundRuleWords(NamedTuple):
    """A rule of a search in words. Of these, one sentence: "<of> <what><in_short>, <error_rate> <counted>."

    Attributes:
        title: its group, "Images labelled truck".
        of: "Of images labelled truck with".
        what: its images, "much of feature 12 and feature 7, taken together".
        in_short: " (the rule in short)"; empty where `what` is the rule as it is.
        error_rate: held-out ER with its interval; empty where no held-out image follows the rule.
        counted: failures, and ER - BER with its interval, "are wrong held out (29 of 40), +30.1 points (…) over the group".
        group: counts over all images of the group, and why they are too high.
        notes: how nearly `what` is the rule, how stable it is, and what makes its numbers too good.
    """

    title: str
    of: str
    what: str
    in_short: str
    error_rate: str
    counted: str
    group: str
    notes: tuple[str, ...]


def found_rule_words(rule: FoundRule, names: Mapping[int, str] | None = None) -> FoundRuleWords:
    """Say a rule with its counts.

    Args:
        names: see `direction_words`.
    """
    row = rule.row
    title = group_words(str(row["grouping"]), str(row["class_name"])).title
    n, failures = int(row["held_out_n_images"]), int(row["held_out_n_failures"])
    rate, counted = "", "no held-out image is among them"
    if n:
        rate = (
            f"{percent(row['held_out_error_rate'])} "
            f"({percent_interval(row['held_out_error_rate_low'], row['held_out_error_rate_high'])})"
        )
        interval = points_interval(float(row["held_out_increase_low"]), float(row["held_out_increase_high"]))
        counted = f"are wrong held out ({failures:,} of {n:,}), {points(row['held_out_increase'])} ({interval}) over the group"
    return FoundRuleWords(
        title=title,
        of=f"Of {title[0].lower()}{title[1:]} with",
        what=direction_words(rule, names),
        in_short=" (the rule in short)" if rule.short != rule.direction else "",
        error_rate=rate,
        counted=counted,
        group=f"All in all {int(row['n_images']):,} images follow the rule, of which {int(row['n_failures']):,} fail "
        f"({percent(row['error_rate'])}); those that were searched flatter this rate. They hold {percent(row['error_coverage'])} of the "
        "group's failures (EC).",
        notes=tuple(said for said in (short_words(rule), stability_words(rule), seen_words(pd.Series(dict(row)))) if said),
    )


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


def stability_words(rule: FoundRule) -> str | None:
    """How often the search selects the same images again; None where that was not measured."""
    if rule.stability is None:
        return None
    return (
        f"Repeated on random halves of the searched images, the search selects mostly the same held-out images again in "
        f"{percent(rule.stability)} of the halves."
    )


def _listed(parts: list[str], *, comma: bool = False) -> str:
    """ "a", "a and b", "a, b and c"; with `comma`, one before the last "and" as well."""
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])}{',' if comma else ''} and {parts[-1]}"
