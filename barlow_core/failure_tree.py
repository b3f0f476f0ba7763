"""The decision tree that describes where failures concentrate, and what is measured on it (paper, sections 3 and 5).

Definitions, for a node with n images and f failures in a group with N images and F failures:
    error rate        ER = f / n            (Definition 1)
    error coverage    EC = f / F            (Definition 2; the group is the benchmark that the tree explains)
    base error rate   BER = F / N           (Definition 3)
    ALER = sum of ER * EC over the leaves   (Definition 4)
    importance value  IV = ER * EC          (Definition 5)
A group without failures has EC = 0 everywhere and ALER = BER = 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from barlow_core.conditions import OR_MISSING, ColumnCondition


class Condition(NamedTuple):
    """`feature[i] < t` (which includes equality, as in scikit-learn's trees) or `feature[i] > t`."""

    feature: int
    operator: str
    threshold: float

    def holds(self, features: np.ndarray) -> np.ndarray:
        """(n,) bool for features (n, D)."""
        # Values are float32, as the tree saw them; the threshold between two of them may need float64, which NumPy would drop
        # for a plain Python number.
        values, threshold = np.asarray(features[:, self.feature], dtype=np.float32), np.float64(self.threshold)
        return values <= threshold if self.operator == "<" else values > threshold

    def __str__(self) -> str:
        return f"feature[{self.feature}] {self.operator} {threshold_text(self.threshold)}"

    def opposite(self) -> Condition:
        """The condition that holds where this one does not."""
        return self._replace(operator=">" if self.operator == "<" else "<")


def condition_from(plain: Sequence[Any]) -> Condition | ColumnCondition:
    """A condition out of JSON: [feature, operator, threshold], or [column, operator, value] where the first is text."""
    return ColumnCondition(*plain) if isinstance(plain[0], str) else Condition(*plain)


def threshold_text(threshold: float) -> str:
    """A threshold with all its digits, so that a rule as printed is the rule.

    Four decimals as in the paper's tables, and three significant digits below 0.01, where four decimals would blur it; more
    where the threshold has more. `fit` chooses thresholds that seldom have.
    """
    return next(text for text in _texts(threshold) if float(text) == threshold)


def short_threshold(low: float, high: float, middle: float) -> float:
    """The threshold of fewest digits that sends `low` and all below it to one side, and `high` and all above it to the other.

    Args:
        low, high: neighbouring values of a feature, low < high.
        middle: the threshold to round, low <= middle < high.
    """
    return next(value for text in _texts(middle) if low <= (value := float(text)) < high)


def _texts(number: float) -> Iterator[str]:
    """`number` in ever more digits; the last is exact."""
    small = 0 < abs(number) < 0.01
    yield from (f"{number:.{digits}{'g' if small else 'f'}}" for digits in range(3 if small else 4, 18))
    yield repr(float(number))


def fold(conditions: Sequence[Condition | ColumnCondition]) -> tuple[Condition | ColumnCondition, ...]:
    """Keep, for each feature or column and direction, only the tightest condition, in the order in which they first appear.

    Where a column has to be one category, that it is not others goes without saying.
    """
    tightest: dict[tuple[Any, ...], Condition | ColumnCondition] = {}
    for condition in conditions:
        what, operator, bound = condition
        if operator in ("=", "!="):
            tightest[what, operator, bound] = condition
            continue
        other = tightest.get((what, operator[0]))
        tighter = min if operator[0] == "<" else max
        tightest[what, operator[0]] = condition if other is None else tighter(other, condition, key=lambda c: c[2])
    one = {condition[0] for condition in tightest.values() if condition.operator == "="}
    above = {condition[0] for condition in tightest.values() if condition.operator == ">"}
    kept = [condition for condition in tightest.values() if condition.operator != "!=" or condition[0] not in one]
    # A number above something is there.
    return tuple(c._replace(operator="<") if c.operator == OR_MISSING and c[0] in above else c for c in kept)


def rule_text(conditions: Sequence[Condition | ColumnCondition]) -> str:
    """Write folded conditions as one rule; both bounds of a feature or number become one interval, no condition becomes "all images"."""
    parts: dict[Any, str] = {}
    lower = {c[0]: c for c in conditions if c.operator == ">"}
    upper = {c[0]: c for c in conditions if c.operator == "<"}
    for condition in conditions:
        what = condition[0]
        if condition.operator in ("=", "!="):
            parts[condition] = str(condition)
        elif what in lower and what in upper:
            low, high = (
                c.value_text if isinstance(c, ColumnCondition) else threshold_text(c.threshold)
                for c in (lower[what], upper[what])
            )
            parts[what] = f"{low} < {what if isinstance(what, str) else f'feature[{what}]'} < {high}"
        else:
            parts[what] = str(condition)
    return " and ".join(parts.values()) or "all images"


@dataclass(frozen=True)
class Node:
    """A node of a failure tree; a leaf when it has no `below` and `above`.

    Attributes:
        number: position in the tree, counted from the root (0) in depth-first order, `below` before `above`.
        conditions: the folded path from the root.
        n_images, n_failures: of the group's images that fall into the node.
        error_rate, error_coverage: ER and EC, in [0, 1].
        split: the condition that sends an image to `below`; None for a leaf.
    """

    number: int
    conditions: tuple[Condition | ColumnCondition, ...]
    n_images: int
    n_failures: int
    error_rate: float
    error_coverage: float
    split: Condition | ColumnCondition | None = None
    below: Node | None = None
    above: Node | None = None

    @property
    def importance_value(self) -> float:
        """IV = ER * EC (Definition 5)."""
        return self.error_rate * self.error_coverage

    @property
    def rule(self) -> str:
        return rule_text(self.conditions)

    @property
    def features(self) -> tuple[int, ...]:
        """The features of the rule, the one split nearest to the leaf first."""
        return tuple(dict.fromkeys(c.feature for c in reversed(self.conditions) if isinstance(c, Condition)))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the metadata in the rule, the one split nearest to the leaf first."""
        return tuple(dict.fromkeys(c.column for c in reversed(self.conditions) if isinstance(c, ColumnCondition)))

    def contains(self, features: np.ndarray) -> np.ndarray:
        """(n,) bool: which rows of features (n, D) fall into this node. Conditions on columns need the metadata as well:
        `analyses.metadata_features.condition_holds`."""
        inside = np.ones(len(features), dtype=bool)
        for condition in self.conditions:
            assert isinstance(condition, Condition), "a rule about metadata"
            inside &= condition.holds(features)
        return inside

    def __iter__(self) -> Iterator[Node]:
        """This node and all below it, in the order of their numbers."""
        yield self
        for child in (self.below, self.above):
            if child is not None:
                yield from child

    def __str__(self) -> str:
        return (
            f"{self.rule}: ER {self.error_rate:.4f}, EC {self.error_coverage:.4f}, IV {self.importance_value:.4f}, "
            f"{self.n_failures:,} failures in {self.n_images:,} images"
        )

    def to_dict(self) -> dict[str, Any]:
        """As nested plain values, for JSON."""
        plain = {
            "number": self.number,
            "rule": self.rule,
            "conditions": [list(condition) for condition in self.conditions],
            "n_images": self.n_images,
            "n_failures": self.n_failures,
            "error_rate": self.error_rate,
            "error_coverage": self.error_coverage,
        }
        if self.split is not None and self.below is not None and self.above is not None:
            plain |= {"split": list(self.split), "below": self.below.to_dict(), "above": self.above.to_dict()}
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Node:
        """The inverse of `to_dict`."""
        inner = "split" in plain
        return cls(
            number=plain["number"],
            conditions=tuple(map(condition_from, plain["conditions"])),
            n_images=plain["n_images"],
            n_failures=plain["n_failures"],
            error_rate=plain["error_rate"],
            error_coverage=plain["error_coverage"],
            split=condition_from(plain["split"]) if inner else None,
            below=cls.from_dict(plain["below"]) if inner else None,
            above=cls.from_dict(plain["above"]) if inner else None,
        )


@dataclass(frozen=True)
class FailureTree:
    """A tree over a group of images; see the module for its measures."""

    root: Node

    @property
    def ber(self) -> float:
        return self.root.error_rate

    @property
    def leaves(self) -> list[Node]:
        """All leaves, highest importance value first."""
        leaves = [node for node in self.root if node.split is None]
        return sorted(leaves, key=lambda leaf: (-leaf.importance_value, leaf.number))

    @property
    def aler(self) -> float:
        """Average leaf error rate (Definition 4). At least BER, and some leaf has an error rate of at least this (Proposition 1)."""
        return sum(leaf.importance_value for leaf in self.leaves)

    def node(self, number: int) -> Node:
        """The node of that number; KeyError when there is none."""
        for node in self.root:
            if node.number == number:
                return node
        raise KeyError(number)

    def __str__(self) -> str:
        lines: list[str] = []

        def write(node: Node, lead: str, label: str) -> None:
            lines.append(
                f"{lead}{label}  ER {node.error_rate:.4f}  EC {node.error_coverage:.4f}  ({node.n_failures:,}/{node.n_images:,})"
            )
            if node.split is not None and node.below is not None and node.above is not None:
                write(node.below, lead + "  ", str(node.split))
                write(node.above, lead + "  ", str(node.split.opposite()))

        write(self.root, "", "all images")
        return "\n".join(lines)


def smallest_leaf(n_images: int) -> int:
    """Fewest images in a leaf that a group of `n_images` should have: 5, or 2 % of its images where that is more.

    A rule of thumb: between 1 and 5 or 2 %, made-up runs show no difference in what is false, and an eighth less of what is worth confirming
    (docs/calibration.md). Five, because the held-out test of a leaf needs about as many: where a fifth of the images
    fail, four that all fail have p = 0.2^4 = 0.0016, which a correction for some thirty leaves uses up. 2 %, because where
    BER is 10 % or more, a smaller leaf cannot pass tau = 0.2 even if all of it fails.
    """
    return max(5, -(-n_images // 50))


def fit(
    features: np.ndarray,
    failure: np.ndarray,
    columns: Sequence[int] | np.ndarray,
    *,
    depth: int = 3,
    weighted: bool = True,
    min_leaf: int | None = 1,
    seed: int = 0,
) -> FailureTree:
    """Fit a tree of information gain (entropy) that separates failures from successes.

    Args:
        features: (n, len(columns)) values of the selected features.
        failure: (n,) bool.
        columns: for each column of `features`, the index of that feature in the extractor.
        depth: at most this many splits from the root to a leaf.
        weighted: weigh every failure by n_success / n_failure, as the method's authors do, so that both outcomes count alike.
        min_leaf: fewest images in a leaf; None for `smallest_leaf(n)`.
        seed: decides between features that split equally well.

    Thresholds are scikit-learn's, halfway between two values, rounded as far as no image of the node changes sides
    (`short_threshold`): a rule reads as it is.

    A group without variation in failure or features gives a tree that is its root alone.
    """
    n_failures = int(failure.sum())
    n_images = len(failure)
    if n_failures in (0, n_images) or features.shape[1] == 0:
        return FailureTree(_node(0, (), n_images, n_failures, n_failures))
    weight = (n_images - n_failures) / n_failures if weighted else 1.0
    model = DecisionTreeClassifier(
        criterion="entropy",
        max_depth=depth,
        min_samples_leaf=smallest_leaf(n_images) if min_leaf is None else min_leaf,
        class_weight={False: 1.0, True: weight},
        random_state=seed,
    )
    values = np.asarray(features, dtype=np.float32)
    model.fit(values, failure)
    # Counted from the images themselves: scikit-learn keeps weighted shares, from which counts would have to be rounded.
    paths = model.decision_path(values).tocsc()
    counts = np.asarray(paths.sum(axis=0)).ravel()
    failures = np.asarray(paths.T @ failure).ravel()
    grown = model.tree_

    def threshold(number: int) -> float:
        inside = paths.indices[paths.indptr[number] : paths.indptr[number + 1]]
        column, middle = values[inside, grown.feature[number]], np.float64(grown.threshold[number])
        is_below = column <= middle
        return short_threshold(float(column[is_below].max()), float(column[~is_below].min()), float(middle))

    def build(number: int, path: tuple[Condition, ...]) -> Node:
        n, f = int(counts[number]), int(failures[number])
        left, right = int(grown.children_left[number]), int(grown.children_right[number])
        if left == right:
            return _node(number, path, n, f, n_failures)
        split = Condition(int(columns[grown.feature[number]]), "<", threshold(number))
        return _node(
            number,
            path,
            n,
            f,
            n_failures,
            split=split,
            below=build(left, (*path, split)),
            above=build(right, (*path, split._replace(operator=">"))),
        )

    return FailureTree(build(0, ()))


def _node(
    number: int,
    path: tuple[Condition, ...],
    n_images: int,
    n_failures: int,
    all_failures: int,
    split: Condition | None = None,
    below: Node | None = None,
    above: Node | None = None,
) -> Node:
    return Node(
        number=number,
        conditions=fold(path),
        n_images=n_images,
        n_failures=n_failures,
        error_rate=n_failures / n_images if n_images else 0.0,
        error_coverage=n_failures / all_failures if all_failures else 0.0,
        split=split,
        below=below,
        above=above,
    )
