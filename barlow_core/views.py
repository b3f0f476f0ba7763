"""What the pages show, worked out without a page: tables, sentences and samples out of a finished run.

Numbers are measured on the images that were searched for failure modes (in-sample), unless they are called held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from barlow_core.analyses import searched_group
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.failure_tree import Condition, Node, threshold_text
from barlow_core.run import Run
from barlow_core.wording import percent, percent_interval, points, points_interval

# Rules that share fewer of their images are not the same rule for a reader.
SAME_RULE = 0.5


class Summary(NamedTuple):
    """A run in numbers; `error_rate` is in [0, 1] and, as `n_failures`, None where there are no predictions."""

    name: str
    n_images: int
    n_classes: int
    n_failures: int | None
    error_rate: float | None
    extractor: str | None


class GroupWords(NamedTuple):
    """How a group is called on a page: a title, and what a failure in it is."""

    title: str
    failures: str


def summary(run: Run) -> Summary:
    """What stands at the top of a page about `run`, in whatever state it is."""
    benchmark = run.benchmark
    n_failures = None if benchmark.predictions is None else int(benchmark.failure.sum())
    record = run.recorded("extract")
    return Summary(
        name=run.path.resolve().name,
        n_images=len(benchmark),
        n_classes=len(benchmark.class_names),
        n_failures=n_failures,
        error_rate=None if n_failures is None or not len(benchmark) else n_failures / len(benchmark),
        extractor=record["extractor"]["name"] if record else None,
    )


def groupings(run: Run) -> list[str]:
    """The groupings that were explained, in the order in which they were asked for."""
    return list(dict.fromkeys(run.groups()["grouping"]))


def depths(run: Run) -> list[int]:
    """The depths of the trees of this run, increasing."""
    return list(range(1, run.require("explain")["settings"]["depth"] + 1))


def groups(run: Run, *, grouping: str, depth: int) -> pd.DataFrame:
    """The groups of one grouping, highest base error rate first.

    Returns:
        Columns group, class_name, n_images, n_failures, ber, aler (of the tree of that depth), reason (missing where the
        group could be explained), failure_modes (how many), and of the best of them increase and importance_value.
    """
    table, modes = run.groups(), failure_modes(run, grouping=grouping, depth=depth)
    table = table[table["grouping"] == grouping].rename(columns={f"aler_depth_{depth}": "aler"})
    found = modes.groupby("group").agg(
        failure_modes=("rule", "size"),
        increase=("increase", "max"),
        importance_value=("importance_value", "max"),
    )
    table = table.join(found, on="group")
    table["failure_modes"] = table["failure_modes"].fillna(0).astype("int64")
    columns = ["group", "class_name", "n_images", "n_failures", "ber", "aler", "reason", *found.columns]
    return table[columns].sort_values(["ber", "n_failures"], ascending=False, kind="stable", ignore_index=True)


def failure_modes(run: Run, *, grouping: str, depth: int) -> pd.DataFrame:
    """The rows of `Run.failure_modes` for one grouping and depth, highest importance value first."""
    modes = run.failure_modes()
    modes = modes[(modes["grouping"] == grouping) & (modes["depth"] == depth)]
    return modes.sort_values("importance_value", ascending=False, kind="stable", ignore_index=True)


class HeldOutWords(NamedTuple):
    """What became of a failure mode on images that had no part in finding it, in words; see `statistics.held_out`."""

    error_rate: str
    increase: str
    error_coverage: str
    failures: str
    how: str


def failure_mode(run: Run, key: str, *, depth: int, leaf: int) -> pd.Series:
    """The row of `Run.failure_modes` for one leaf of the tree of one group.

    Raises:
        KeyError: that leaf is no failure mode.
    """
    modes = run.failure_modes()
    found = modes[(modes["group"] == key) & (modes["depth"] == depth) & (modes["leaf"] == leaf)]
    if found.empty:
        raise KeyError(f"leaf {leaf} of the tree of depth {depth} of {key}")
    return found.iloc[0]


def held_out_words(run: Run, mode: pd.Series) -> HeldOutWords | None:
    """The held-out numbers of one row of `Run.failure_modes`; None where it was not measured on held-out images."""
    if pd.isna(mode["held_out_n_images"]):
        return None
    checks = run.require("explain")["settings"]["checks"]
    n_images, n_failures = int(mode["held_out_n_images"]), int(mode["held_out_n_failures"])
    if checks["held_out"] == "split":
        how = f"Measured on the images whose Split is not {checks['search_split']}; the rule was searched on the others."
    else:
        agreement = mode["held_out_agreement"]
        how = (
            f"Cross-fitted in {checks['folds']} parts: for each part the search was repeated without it, and what it found was "
            f"measured on it. The rules found so hold {percent(agreement)} of the same images as this one"
            + (", so these numbers speak of other rules than this." if agreement < SAME_RULE else ".")
        )
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
        return GroupWords(f"Images of {pair}", f"{pair} taken for each other.")
    return GroupWords(f"Images chosen as {name}", "All wrong predictions among them.")


def condition_words(conditions: Sequence[Condition]) -> dict[int, str]:
    """What a rule asks of each of its features, in words: {12: "weak (below 0.3412)", 7: "between 0.5000 and 1.2034"}."""
    words: dict[int, str] = {}
    bounds = {(c.feature, c.operator): threshold_text(c.threshold) for c in conditions}
    for feature in dict.fromkeys(c.feature for c in conditions):
        low, high = bounds.get((feature, ">")), bounds.get((feature, "<"))
        if low is not None and high is not None:
            words[feature] = f"between {low} and {high}"
        else:
            words[feature] = f"weak (below {high})" if high is not None else f"strong (above {low})"
    return words


def rule_words(conditions: Sequence[Condition]) -> str:
    """Say a rule in words: "feature 12 is weak (below 0.3412) and feature 7 is strong (above 1.2034)"."""
    words = condition_words(conditions)
    return " and ".join(f"feature {feature} is {said}" for feature, said in words.items()) or "any image"


def no_failure_mode(analysis: FailureAnalysis) -> str | None:
    """Why a group has no failure mode; None where it has one."""
    if analysis.failure_modes:
        return None
    if analysis.reason is not None:
        return f"There is nothing to explain: {analysis.reason}."
    delta, tau = analysis.settings.delta, analysis.settings.tau
    best = max(analysis.leaves, key=lambda leaf: (leaf.error_rate - analysis.ber, leaf.error_coverage))
    return (
        f"No leaf of this tree fails more than {delta * 100:g} points above the group's {percent(analysis.ber)} "
        f"and holds more than {percent(tau)} of its failures. The leaf with the highest error rate has "
        f"{percent(best.error_rate)}, with {percent(best.error_coverage)} of the failures."
    )


def node_images(run: Run, key: str, node: Node) -> np.ndarray:
    """The images of the group `key` that fall into `node` of its tree: (n,) int64 positions in the benchmark, increasing.

    Only the features of the rule are read from the disk, and only for the images of the group.
    """
    indices = searched_group(run, key).indices
    features = run.features()
    inside = np.ones(len(indices), dtype=bool)
    for condition in node.conditions:
        column = features[indices, condition.feature]
        inside &= condition._replace(feature=0).holds(column[:, None])
    return indices[inside]


def node_failures(run: Run, key: str, node: Node, *, n: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Failures among the images of a node, in an order drawn at random: a larger `n` only adds to a smaller one.

    Args:
        n: how many rows at most; None for all.
        seed: of the order.

    Returns:
        Columns position (in the benchmark), path (of the file), name, label, prediction, confidence (NaN where not known),
        and the activation of every feature of the rule as "feature[12]".
    """
    benchmark = run.benchmark
    members = node_images(run, key, node)
    failures = np.random.default_rng(seed).permutation(members[benchmark.failure[members]])[:n]
    names = np.array(benchmark.class_names, dtype=object)
    predictions = benchmark.predictions if benchmark.predictions is not None else benchmark.labels
    confidence = benchmark.confidence[failures] if benchmark.confidence is not None else np.full(len(failures), np.nan)
    features = run.features()
    table = pd.DataFrame(
        {
            "position": failures,
            "path": [benchmark.images_dir / benchmark.names[i] for i in failures],
            "name": benchmark.names[failures],
            "label": names[benchmark.labels[failures]],
            "prediction": names[predictions[failures]],
            "confidence": confidence,
        }
    )
    return table.assign(**{f"feature[{f}]": np.asarray(features[failures, f], dtype=np.float64) for f in node.features})
