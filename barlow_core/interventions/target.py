"""What is intervened on: a condition on a feature in the rule of a failure mode, and the images on both sides of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barlow_core.analyses import found_rule, load_analysis, searched_group
from barlow_core.analyses.metadata_features import condition_holds
from barlow_core.analyses.verdicts import ranked
from barlow_core.conditions import ColumnCondition
from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Condition, Node
from barlow_core.groups import parse
from barlow_core.interventions.kinds import LEAF, OUTSIDE
from barlow_core.run import Run


@dataclass(frozen=True)
class Target:
    """A failure mode and the condition of its rule that is put to the test.

    Attributes:
        group: key of the group.
        name: of the failure mode among those of its group: "depth 1, leaf 2", "search rule 0".
        rule: in words of the tree, such as "feature[12] < 0.1500".
        direction: the feature, or weighted sum of features, that is changed.
        above: whether images fail where it is above the threshold; False where they fail below.
        threshold: of the condition.
        inside: (n,) int64, positions in the benchmark of the images that follow the rule.
        outside: (m,) int64, those of the group for which the condition on this feature does not hold.
        elsewhere: (k,) int64, images that are not of the group, on the same side of the threshold as the leaf.
        conditions: of the rule; none of a rule of a search, which is that the direction lies above the threshold.
    """

    group: str
    name: str
    rule: str
    direction: Direction
    above: bool
    threshold: float
    inside: np.ndarray
    outside: np.ndarray
    elsewhere: np.ndarray
    conditions: tuple[Condition | ColumnCondition, ...] = ()

    @property
    def sides(self) -> tuple[str, ...]:
        """On which side of the condition predictions could follow the feature: in the leaf, outside of it, or both.

        In a group by prediction, only taking away can change a prediction: of images taken for horses, those with more of a horse stay
        horses. There, only images in which the feature is strong are changed.
        """
        if self.group.startswith("prediction:"):
            return (LEAF,) if self.above else (OUTSIDE,)
        return (LEAF, OUTSIDE)

    @property
    def options(self) -> list[str]:
        """What names it to a command, beside its group."""
        numbers = [word for word in self.name.replace(",", "").split() if word.isdecimal()]
        if self.name.startswith("search rule"):
            return ["--rule", *numbers]
        return ["--depth", numbers[0], "--leaf", numbers[1], "--feature", str(self.direction.features[0])]

    @property
    def slug(self) -> str:
        """A name for its files within those of the group."""
        return f"{self.name.replace(', ', '-').replace(' ', '_')}-feature_{self.direction.slug}"


def leaf_target(run: Run, group: str, *, depth: int | None = None, leaf: int | None = None, feature: int | None = None) -> Target:
    """A leaf of a group's tree.

    Args:
        depth: of the tree; None for that of the failure mode with the most evidence, or the deepest where `leaf` is given.
        leaf: number of a node; None for the failure mode with the most evidence.
        feature: of the rule; None for the one split nearest to the leaf.

    Raises:
        BarlowError: the group was not explained or has no failure mode; no such leaf; a feature that is not in its rule; a rule
            without features.
    """
    if leaf is None:
        modes = run.failure_modes()
        modes = ranked(modes[(modes["group"] == group) & (modes["depth"] == depth if depth is not None else True)])
        modes = modes[modes["feature"].notna()]
        if modes.empty:
            load_analysis(run, group, depth=depth)  # complains about a group that is not there
            raise BarlowError(
                f"{group} has no failure mode{'' if depth is None else f' of depth {depth}'} with a feature in its rule. Name another "
                f"group (barlow show {run.path} --all), or any leaf of its tree with --leaf."
            )
        depth, leaf = int(modes["depth"].iloc[0]), int(modes["leaf"].iloc[0])
    analysis = load_analysis(run, group, depth=depth)
    try:
        node = analysis.tree.node(leaf)
    except KeyError:
        known = ", ".join(str(one.number) for one in analysis.tree.leaves)
        raise BarlowError(
            f"The tree of depth {analysis.settings.depth} of {group} has no node {leaf}. Its leaves are {known}."
        ) from None
    return node_target(run, group, node, depth=analysis.settings.depth, feature=feature)


def node_target(run: Run, group: str, node: Node, *, depth: int, feature: int | None = None) -> Target:
    """A node of the tree of a group; see `leaf_target`."""
    if not node.features:
        raise BarlowError(f"The rule of leaf {node.number} of {group} is “{node.rule}”: it has no feature that could be changed.")
    chosen = node.features[0] if feature is None else feature
    if chosen not in node.features:
        raise BarlowError(
            f"Feature {chosen} is not in the rule “{node.rule}” of {group}. Expected one of: {', '.join(map(str, node.features))}."
        )
    condition = next(c for c in reversed(node.conditions) if isinstance(c, Condition) and c.feature == chosen)
    members = searched_group(run, group).indices
    stored = run.features()
    inside = np.ones(len(members), dtype=bool)
    for one in node.conditions:
        inside &= condition_holds(run.benchmark, stored, one, members)
    holds = condition_holds(run.benchmark, stored, condition, np.arange(len(run.benchmark)))
    return Target(
        group,
        f"depth {depth}, leaf {node.number}",
        node.rule,
        Direction.of(chosen),
        condition.operator == ">",
        condition.threshold,
        members[inside],
        members[~holds[members]],
        _elsewhere(run, group, holds),
        node.conditions,
    )


def rule_target(run: Run, group: str, number: int) -> Target:
    """A rule that `barlow search` found in a group.

    Raises:
        BarlowError: the run is not searched, or there is no such rule.
    """
    rule = found_rule(run, group, number)
    members = parse(run.benchmark, group).indices
    holds = rule.direction.values(run.features()) > rule.threshold
    return Target(
        group,
        f"search rule {number}",
        f"{rule.direction} > {rule.threshold:.4g}",
        rule.direction,
        True,
        rule.threshold,
        members[holds[members]],
        members[~holds[members]],
        _elsewhere(run, group, holds),
    )


def _elsewhere(run: Run, group: str, holds: np.ndarray) -> np.ndarray:
    others = np.ones(len(run.benchmark), dtype=bool)
    others[parse(run.benchmark, group).indices] = False
    return np.flatnonzero(others & holds)
