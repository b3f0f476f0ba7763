"""Sentences about what was found: rules, groups, held-out numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

import pandas as pd

from barlow_core.analyses import Checks, ExplainRecord
from barlow_core.analyses.checks import DUPLICATES
from barlow_core.conditions import OR_MISSING, ColumnCondition
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.failure_tree import Condition, threshold_text
from barlow_core.groups import PRODUCT, parts
from barlow_core.run import Run
from barlow_core.statistics import SAME_RULE
from barlow_core.wording import count, percent, percent_interval, points, points_interval

GROUPING_WORDS = {
    "label": "Label",
    "prediction": "Prediction",
    "union": "Label or prediction",
    "pair": "Confused pair",
    "all": "All images",
    "mask": "Choice",
}
BY_CLASS = ("label", "prediction")


class GroupWords(NamedTuple):
    """How a group is called on a page: a title, and what a failure in it is."""

    title: str
    failures: str


class HeldOutWords(NamedTuple):
    """What became of a failure mode on images that had no part in finding it, in words; see `statistics.held_out`."""

    error_rate: str
    increase: str
    error_coverage: str
    failures: str
    how: str


def held_out_words(run: Run, mode: pd.Series) -> HeldOutWords | None:
    """The held-out numbers of one row of `Run.failure_modes`; None where it was not measured on held-out images."""
    if pd.isna(mode["held_out_n_images"]):
        return None
    checks = ExplainRecord.of(run).checks
    n_images, n_failures = int(mode["held_out_n_images"]), int(mode["held_out_n_failures"])
    if checks.held_out == "split":
        how = f"Measured on the images whose Split is not {checks.search_split}; the rule was searched on the others."
    else:
        agreement = mode["held_out_agreement"]
        how = (
            f"Cross-fitted in {checks.folds} parts: for each part the search was repeated without it, and what it found was "
            f"measured on it. The rules found this way hold {percent(agreement)} of the same images as this one"
            + (", so these numbers are about other rules than this one." if agreement < SAME_RULE else ".")
        )
    how = " ".join([how, *filter(None, [together_words(checks, mode), seen_words(mode)])])
    if not n_images:
        return HeldOutWords("no image", "unknown", "unknown", "0 of 0", how)
    return HeldOutWords(
        error_rate=f"{percent(mode['held_out_error_rate'])} "
        f"({percent_interval(mode['held_out_error_rate_low'], mode['held_out_error_rate_high'])})",
        increase=f"{points(mode['held_out_increase'])} "
        f"({points_interval(mode['held_out_increase_low'], mode['held_out_increase_high'])})",
        error_coverage="unknown" if pd.isna(mode["held_out_error_coverage"]) else percent(mode["held_out_error_coverage"]),
        failures=f"{n_failures:,} of {n_images:,}",
        how=how,
    )


def same_images_words(mode: pd.Series) -> list[str]:
    """The other failure modes of a run for mostly the same images as one row of `Run.failure_modes`, the most alike first."""
    return [
        f"leaf {leaf} of the tree of depth {depth} of {group} (Jaccard index {overlap:.2f})"
        for group, depth, leaf, overlap in json.loads(mode["same_images"])
    ]


def belonging_words(keep_together: str) -> str:
    """Which images belong together by `Checks.keep_together`: those with one value in a column, or near-duplicates."""
    return "near-duplicates" if keep_together == DUPLICATES else f"images of one {keep_together}"


def together_words(checks: Checks, mode: pd.Series) -> str | None:
    """That images which belong together were kept together, and from how many blocks the held-out ones come; None where none were."""
    n_blocks = mode.get("held_out_n_blocks")
    if checks.keep_together is None or pd.isna(n_blocks):
        return None
    return f"With {belonging_words(checks.keep_together)} kept together, these are {count(int(n_blocks), 'block')}, and the intervals count them so."


def seen_words(mode: pd.Series) -> str | None:
    """How many held-out images have a near-duplicate among the searched ones; None where none has, or nobody looked."""
    seen = mode.get("held_out_n_seen")
    if pd.isna(seen) or not seen:
        return None
    return (
        f"{int(seen):,} of these {int(mode['held_out_n_images']):,} images have a near-duplicate among the images that were searched, "
        "so the held-out numbers may be too good (keep them together: --keep-together duplicates)."
    )


def duplicates_words(groups: pd.DataFrame, modes: pd.DataFrame) -> str | None:
    """What near-duplicates do to the held-out numbers of a run; None where there are none, or nobody looked.

    Args:
        groups, modes: rows of `Run.groups` and `Run.failure_modes`.
    """
    found = groups["n_duplicates"].fillna(0) if "n_duplicates" in groups else pd.Series(dtype=float)
    if not (found > 0).any():
        return None
    said = (
        f"Near-duplicates: {count(int(found.sum()), 'image')} in {count(int((found > 0).sum()), 'group')} look like another image of the "
        "same group."
    )
    seen = modes["held_out_n_seen"].fillna(0) > 0
    if seen.any():
        said += (
            f" {int(seen.sum()):,} of {count(len(modes), 'failure mode')} {'was' if seen.sum() == 1 else 'were'} measured on images with one "
            "among those searched, so their held-out numbers may be too good. Keep them together with --keep-together duplicates, "
            "or by a column of the metadata."
        )
    return said


def luck_words(mode: pd.Series) -> str | None:
    """What the permutation test says about a failure mode; None where there was no test."""
    if pd.isna(mode["p"]):
        return None
    return f"p {mode['p']:.2g}, q {mode['q']:.2g}"


def group_words(grouping: str, name: str) -> GroupWords:
    """Name a group for people; `name` is the class, the pair or the name of the mask."""
    if grouping == "label":
        return GroupWords(
            f"Images labelled {name}",
            f"What the classifier misses: images of {name} that it calls something else.",
        )
    if grouping == "prediction":
        return GroupWords(
            f"Images predicted {name}",
            f"What it wrongly takes for {name}: images that are labelled otherwise.",
        )
    if grouping == "union":
        return GroupWords(
            f"Images labelled or predicted {name}",
            f"Both kinds of errors with {name}: missed, or wrongly seen.",
        )
    if grouping == "pair":
        pair = " and ".join(name.split("+", 1))
        return GroupWords(f"Images of {pair}", f"{pair} mistaken for each other.")
    if grouping == "all":
        return GroupWords("All images", "All wrong predictions of the benchmark.")
    if grouping == "mask":
        return GroupWords(f"Images chosen as {name}", "All wrong predictions among them.")
    return _factor_words(parts(grouping, name))


def _factor_words(found: list[tuple[str, str]]) -> GroupWords:
    """A group by columns of the metadata, perhaps with a class."""
    of_class = [f"{'labelled' if what == 'label' else 'predicted'} {name}" for what, name in found if what in BY_CLASS]
    columns = [f"{what} = {name}" for what, name in found if what not in BY_CLASS]
    title = " and ".join(of_class) + (" with " if of_class and columns else "") + " and ".join(columns)
    return GroupWords(f"Images {title}" if of_class else f"Images with {title}", "All wrong predictions among them.")


def grouping_words(grouping: str) -> str:
    """Name a grouping for people: "Label", "camera", "Label and camera"."""
    return " and ".join(GROUPING_WORDS.get(part, unquote(part)) for part in grouping.split(PRODUCT))


def condition_words(conditions: Sequence[Condition | ColumnCondition]) -> dict[int, str]:
    """What a rule asks of each of its features, in words: {12: "weak (below 0.3412)", 7: "between 0.5000 and 1.2034"}."""
    words: dict[int, str] = {}
    own = [c for c in conditions if isinstance(c, Condition)]
    bounds = {(c.feature, c.operator): threshold_text(c.threshold) for c in own}
    for feature in dict.fromkeys(c.feature for c in own):
        low, high = bounds.get((feature, ">")), bounds.get((feature, "<"))
        if low is not None and high is not None:
            words[feature] = f"between {low} and {high}"
        else:
            words[feature] = f"weak (below {high})" if high is not None else f"strong (above {low})"
    return words


def column_words(conditions: Sequence[Condition | ColumnCondition]) -> dict[str, str]:
    """What a rule asks of each of its columns of the metadata, in words: {"camera": "phone", "hour": "below 7"}."""
    own = [c for c in conditions if isinstance(c, ColumnCondition)]
    said: dict[str, list[str]] = {}
    for c in own:
        if c.operator in ("=", "!="):
            words = f"{'' if c.operator == '=' else 'not '}{c.value_text or 'missing'}"
        else:
            words = (
                f"{'above' if c.operator == '>' else 'below'} {c.value_text}{' or missing' if c.operator == OR_MISSING else ''}"
            )
        said.setdefault(c.column, []).append(words)
    return {column: " and ".join(words) for column, words in said.items()}


def rule_words(conditions: Sequence[Condition | ColumnCondition]) -> str:
    """Say a rule in words: "feature 12 is weak (below 0.3412), feature 7 is strong (above 1.2034) and camera is phone"."""
    features = [f"feature {feature} is {said}" for feature, said in condition_words(conditions).items()]
    columns = [f"{column} is {said}" for column, said in column_words(conditions).items()]
    *first, last = [*features, *columns] or ["any image"]
    return f"{', '.join(first)} and {last}" if first else last


def no_failure_mode(analysis: FailureAnalysis) -> str | None:
    """Why a group has no failure mode; None where it has one."""
    if analysis.failure_modes:
        return None
    if analysis.reason is not None:
        return f"Nothing to explain: {analysis.reason}."
    delta, tau = analysis.settings.delta, analysis.settings.tau
    best = max(analysis.leaves, key=lambda leaf: (leaf.error_rate - analysis.ber, leaf.error_coverage))
    return (
        f"No leaf of this tree fails more than {delta * 100:g} points above the group's {percent(analysis.ber)} "
        f"and holds more than {percent(tau)} of its failures. The leaf with the highest error rate has "
        f"{percent(best.error_rate)}, with {percent(best.error_coverage)} of the failures."
    )
