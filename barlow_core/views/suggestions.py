"""What the numbers of a failure mode suggest to look at or to collect: facts that are counted, never causes that are guessed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from barlow_core.analyses import ExplainRecord, load_result, searched_group
from barlow_core.analyses.metadata_features import condition_holds
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.conditions import ColumnCondition
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Condition, Node
from barlow_core.groups import parse
from barlow_core.run import Run
from barlow_core.statistics import SAME_RULE
from barlow_core.views.images import images_at, images_of, with_paths
from barlow_core.views.judgements import Judgements, judgement_words
from barlow_core.views.nodes import node_rates
from barlow_core.views.run_tables import failure_mode
from barlow_core.views.what_if import WhatIf
from barlow_core.wording import count, percent, percent_interval, points, points_interval

KINDS = ("verdict", "gain", "confusion", "confidence", "labels", "held-out", "luck", "gap", "judgement")
SURE = 0.95  # from this confidence on, a disagreement with the label is worth a look at the label
UNSURE = 0.5
TOP = 3  # classes that are named


class Suggestion(NamedTuple):
    """One fact about a failure mode, and where there are some, the images that it is about.

    Attributes:
        kind: one of `KINDS`.
        text: a sentence or two.
        measured_on: which images the numbers are about.
        images: as of `views.images_at`, with a column path; None where there are none to show.
    """

    kind: str
    text: str
    measured_on: str
    images: pd.DataFrame | None = None


class Gap(NamedTuple):
    """Images that were not searched and are closest to a rule.

    Attributes:
        images: as of `views.images_at`, with path, violation (by how far the image misses the rule, in standard deviations of the
            features, summed over the conditions; 0 where it holds) and distance (to the mean of the node's failures over the
            features of the rule and those selected for the group, in standard deviations); the closest first, by violation and
            then distance.
        source: "pool", "other splits" or "outside", see `gap_images`.
        n_candidates: among how many they were looked for.
        n_inside: for how many of these the rule holds.
        what: a sentence that says which these are.
    """

    images: pd.DataFrame
    source: str
    n_candidates: int
    n_inside: int
    what: str


def suggest(
    run: Run,
    key: str,
    evaluation: WhatIf,
    node: int,
    *,
    judgements: Judgements | None = None,
    gap: int = 40,
    pool: Run | None = None,
    unconfirmed: bool = False,
) -> list[Suggestion]:
    """What follows from the numbers of one node of a group's tree, where held-out images confirm them.

    Where they do not, nothing follows but that: the verdict, what was measured, and what people said. Of a node that has no
    verdict (of a tree that was fitted for other settings, or no failure mode of the run) the interval of its held-out ER - BER
    has to lie above 0.

    Args:
        key: of the group.
        evaluation: of that group, from `views.re_evaluate`.
        node: the number of the node.
        judgements: whose action items are repeated; None for none.
        gap: how many images to look for that would fill the gap; 0 for none.
        pool: where to look for them, see `gap_images`.
        unconfirmed: suggest all the same.

    Raises:
        BarlowError: there is no such node; or as `gap_images`.
    """
    rates = node_rates(run, key, evaluation)
    chosen = rates[rates["node"] == node]
    if chosen.empty:
        raise BarlowError(f"The tree of {key} has no node {node}. Expected one of: {', '.join(map(str, rates['node']))}.")
    row = chosen.iloc[0]
    doubt = None if unconfirmed else _doubt(run, key, evaluation, row)
    found_node = evaluation.analysis.tree.node(node)
    table = images_of(run, key, found_node)
    failures = table[table["failure"]]
    here = f"{count(len(failures), 'failure')} of the {count(len(table), 'searched image')} of this node"
    checked = [_held_out(run, row), _luck(run, key, evaluation)]
    if doubt is not None:
        judged = [] if judgements is None else _judged(judgements, key, found_node)
        return [suggestion for suggestion in (doubt, *checked, *judged) if suggestion is not None]
    found = [
        _gain(evaluation, row, key),
        _confusion(key, failures, here),
        _confidence(table, here),
        _labels(run, failures, here),
        *checked,
    ]
    if gap and found_node.conditions:
        filled = gap_images(run, key, found_node, n=gap, pool=pool)
        if len(filled.images):
            found.append(Suggestion("gap", _gap_words(filled), filled.what, filled.images))
    if judgements is not None:
        found += _judged(judgements, key, found_node)
    return [suggestion for suggestion in found if suggestion is not None]


def gap_images(
    run: Run, key: str, node: Node, *, n: int = 40, pool: Run | None = None, sample: int = 20_000, seed: int = 0
) -> Gap:
    """Images that were not searched and follow the rule of a node, or come closest to it.

    They are looked for in `pool`; or else among the images of the group in other splits than the searched one; or else, where
    there are none, among the images of the benchmark outside of the group.

    Args:
        n: how many at most.
        pool: another run whose features are of the same extractor, such as one of training or unlabelled images.
        sample: most images to look through; of more, as many are drawn at random.
        seed: of the draw.

    Raises:
        BarlowError: a rule without conditions; `pool` is of another extractor.
    """
    if not node.conditions:
        raise BarlowError("The root of a tree has no rule that an image could follow. Choose a node below it.")
    own = searched_group(run, key).indices
    place, candidates, source, what = _candidates(run, key, own, pool)
    whole = len(candidates)
    if whole > sample:
        candidates = np.sort(np.random.default_rng(seed).choice(candidates, sample, replace=False))
        what = f"{count(sample, 'image')}, drawn at random (seed {seed}) from the {whole:,} {what}"
    else:
        what = f"the {whole:,} {what}"
    failure = run.benchmark.failure[own]
    used = list(dict.fromkeys([*node.features, *(feature for feature, _ in load_result(run, key).features)]))
    within, values = (at.features()[rows[:, None], np.array(used)] for at, rows in ((run, own), (place, candidates)))
    inside, holds = np.ones(len(own), dtype=bool), np.ones(len(candidates), dtype=bool)
    for condition in node.conditions:
        inside &= condition_holds(run.benchmark, run.features(), condition, own)
        holds &= condition_holds(place.benchmark, place.features(), condition, candidates)
    centre = within[inside & failure if (inside & failure).any() else inside].mean(axis=0, dtype=np.float64)
    deviation = within.std(axis=0, dtype=np.float64)
    deviation[deviation == 0] = 1.0
    distance = np.sqrt((((values - centre) / deviation) ** 2).sum(axis=1))
    violation = np.zeros(len(candidates))
    for condition in node.conditions:
        if isinstance(condition, ColumnCondition):  # how far a category is missed has no measure: by one deviation
            violation += ~condition_holds(place.benchmark, place.features(), condition, candidates)
        else:
            at = used.index(condition.feature)
            violation += _missed(condition, values[:, at]) / deviation[at]
    # An image that misses by less than rounding can tell apart does not follow the rule all the same.
    violation[holds], violation[~holds] = 0.0, np.maximum(violation[~holds], np.finfo(np.float64).tiny)
    closest = np.lexsort((distance, violation))[:n]
    table = with_paths(place, images_at(place, candidates[closest], features=node.features))
    table = table.assign(violation=violation[closest], distance=distance[closest])
    return Gap(table, source, len(candidates), int(holds.sum()), f"Among {what}.")


def _gap_words(gap: Gap) -> str:
    n, inside = len(gap.images), int((gap.images["violation"] == 0).sum())
    holds = f"it holds for {'all' if inside == n else f'{inside:,}'} of them"
    if gap.source == "outside":
        return f"{count(n, 'image')} outside of the group {'comes' if n == 1 else 'come'} closest to this rule; {holds}. They are in other groups: compare."
    return f"{count(n, 'image')} that took no part in the search {'comes' if n == 1 else 'come'} closest to this rule; {holds}. Label, add or train on these to fill the gap."


def _candidates(run: Run, key: str, own: np.ndarray, pool: Run | None) -> tuple[Run, np.ndarray, str, str]:
    """Where to look: the run, positions in its benchmark, the source, and what they are."""
    if pool is not None:
        ours, theirs = (each.require("extract")["extractor"]["fingerprint"] for each in (run, pool))
        if ours != theirs:
            raise BarlowError(
                f"The features of {pool.path} are of another extractor than those of {run.path}, so no rule of one means anything "
                f"in the other. Extract them with the same one."
            )
        known = set(run.benchmark.digests[own])
        new = np.array([digest not in known for digest in pool.benchmark.digests], dtype=bool)
        return pool, np.flatnonzero(new), "pool", f"images of {pool.path.resolve().name} that were not searched"
    rest = np.setdiff1d(parse(run.benchmark, key).indices, own, assume_unique=True)
    if len(rest):
        return run, rest, "other splits", f"images of {key} in other splits"
    outside = np.ones(len(run.benchmark), dtype=bool)
    outside[own] = False
    return run, np.flatnonzero(outside), "outside", f"images of the benchmark outside of {key}"


def _missed(condition: Condition, values: np.ndarray) -> np.ndarray:
    """By how far each value is on the wrong side of a threshold, in its own unit."""
    over = values.astype(np.float64) - condition.threshold
    return np.maximum(over if condition.operator == "<" else -over, 0.0)


def _doubt(run: Run, key: str, evaluation: WhatIf, row: pd.Series) -> Suggestion | None:
    """Why nothing should follow from a node; None where something may. The root is no finding: what is said of it is counted."""
    if row["level"] == 0:
        return None
    try:
        if evaluation.refitted:
            raise KeyError(key)
        mode = failure_mode(run, key, depth=evaluation.analysis.settings.depth, leaf=int(row["node"]))
    except KeyError:
        low = row["held_out_increase_low"]
        if pd.notna(low) and low > 0:
            return None
        text = "Held-out images do not show that these images fail more often than the group, so nothing follows from it yet."
        return Suggestion("verdict", text, "the images that were held out, where there are any")
    if mode["verdict"] == CONFIRMED:
        return None
    text = f"{str(mode['verdict']).capitalize()}: {mode['verdict_reason']}. Nothing follows from it yet."
    return Suggestion("verdict", text, "the images that were held out, where there are any")


def _gain(evaluation: WhatIf, row: pd.Series, key: str) -> Suggestion | None:
    analysis = evaluation.analysis
    if not row["n_failures"] or row["level"] == 0:
        return None
    left = (analysis.n_failures - row["n_failures"]) / analysis.n_images
    text = (
        f"{percent(row['error_coverage'])} of the group's failures are here. If all of them were classified correctly, its error rate would be "
        f"{percent(left)} instead of {percent(analysis.ber)}."
    )
    return Suggestion("gain", text, f"{count(analysis.n_images, 'searched image')} of {key}")


def _confusion(key: str, failures: pd.DataFrame, here: str) -> Suggestion | None:
    """What the failures are taken for (in a group of a prediction: what they are)."""
    if failures.empty:
        return None
    of_prediction = key.startswith("prediction:")
    counts = failures["label" if of_prediction else "prediction"].value_counts(sort=False)
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    named = ", ".join(f"{name} ({n:,})" for name, n in counts.head(TOP).items())
    others = (
        f", {int(counts.iloc[TOP:].sum()):,} in {count(len(counts) - TOP, 'other class', 'other classes')}"
        if len(counts) > TOP
        else ""
    )
    lead = "These failures are labelled" if of_prediction else "These failures are predicted as"
    return Suggestion("confusion", f"{lead} {named}{others}.", here)


def _confidence(table: pd.DataFrame, here: str) -> Suggestion | None:
    known = table[table["confidence"].notna()]
    failures, successes = known[known["failure"]]["confidence"], known[~known["failure"]]["confidence"]
    if failures.empty:
        return None
    unsure = int((failures < UNSURE).sum())
    text = f"The median confidence of these failures is {failures.median():.2f}"
    if len(successes):
        text += f", of the successes beside them {successes.median():.2f}"
    text += f". {unsure:,} of {count(len(failures), 'failure')} have less than {UNSURE:g}."
    return Suggestion("confidence", text, here)


def _labels(run: Run, failures: pd.DataFrame, here: str) -> Suggestion | None:
    sure = failures[failures["confidence"] >= SURE].sort_values("confidence", ascending=False, kind="stable")
    if sure.empty:
        return None
    text = (
        f"In {count(len(sure), 'failure')} the classifier disagrees with the label with a confidence of {SURE:g} or more: look "
        "whether these labels are right."
    )
    return Suggestion("labels", text, here, with_paths(run, sure.reset_index(drop=True)))


def _held_out(run: Run, row: pd.Series) -> Suggestion | None:
    n = row["held_out_n_images"]
    if pd.isna(n) or row["level"] == 0:
        return None
    checks = ExplainRecord.of(run).checks
    if checks.held_out == "split":
        measured_on = f"{count(int(n), 'image')} of other splits than {checks.search_split}, that took no part in the search"
    else:
        measured_on = f"{count(int(n), 'image')}, each measured by a rule that was found without it ({checks.folds} folds)"
    if not n:
        return Suggestion("held-out", "No held-out image follows this rule, so it could not be checked.", measured_on)
    low, high = row["held_out_increase_low"], row["held_out_increase_high"]
    verdict = "It held" if low > 0 else "It did not hold" if high < 0 else "It is not certain that it holds"
    text = (
        f"{verdict} on held-out images: error rate {percent(row['held_out_error_rate'])} "
        f"({percent_interval(row['held_out_error_rate_low'], row['held_out_error_rate_high'])}), {points(row['held_out_increase'])} "
        f"({points_interval(low, high)}) over the group."
    )
    agreement = row["held_out_agreement"]
    if not pd.isna(agreement) and agreement < SAME_RULE:
        text += f" The rules measured share only {percent(agreement)} of their images with this one."
    return Suggestion("held-out", text, measured_on)


def _luck(run: Run, key: str, evaluation: WhatIf) -> Suggestion | None:
    if evaluation.refitted:
        return None
    groups = run.groups()
    row = groups[groups["group"] == key].iloc[0].to_dict()
    depth = evaluation.analysis.settings.depth
    p, q = row.get(f"p_depth_{depth}"), row.get(f"q_depth_{depth}")
    if p is None or pd.isna(p):
        return None
    permutations = ExplainRecord.of(run).checks.permutations
    text = f"A tree this good is found by luck with p {p:.2g}; q {q:.2g} after correction for {count(len(groups), 'group')}."
    return Suggestion("luck", text, f"at most {count(permutations or 0, 'shuffle')} of the failures of {key}")


def _judged(judgements: Judgements, key: str, node: Node) -> list[Suggestion]:
    found = []
    for feature in node.features:
        judgement = judgements.latest(feature, key, node.rule)
        if judgement is not None:
            where = f"said about {judgement.group}" if judgement.group else "said about the feature as such"
            found.append(Suggestion("judgement", f"Feature {feature}: {judgement_words(judgement)}", where))
    return found
