"""What `explain_run` leaves in a run, read back: how the search was made, and what was found in each group.

Every page, table and command reads trees.json through here, so that its keys stand in this file alone.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from barlow_core.analyses.checks import Checks
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis, Settings
from barlow_core.failure_tree import FailureTree, Node
from barlow_core.groups import Group, parse
from barlow_core.run import Run
from barlow_core.statistics import (
    Duplicates,
    FeatureStability,
    HeldOut,
    LeafStability,
    PermutationTest,
    Stability,
    TreeStability,
)


@dataclass(frozen=True)
class ExplainRecord:
    """How the failures of a run were explained, as run.json says.

    Attributes:
        key: stands for the data, the settings and the groups; another search has another one.
        settings: of the search; the deepest trees have `settings.depth` levels.
        checks: resolved, see `Checks.resolved`.
        groupings, keys: which groups were asked for, see `explain_run`.
        metadata_features: columns of the metadata among the candidates of a rule.
    """

    key: str
    settings: Settings
    checks: Checks
    groupings: tuple[str, ...]
    keys: tuple[str, ...]
    metadata_features: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> ExplainRecord:
        """The record of a run that is explained.

        Raises:
            BarlowError: it is not, or no longer: something above it changed since.
        """
        record = run.require("explain")
        plain = record["settings"]
        return cls(
            key=record["key"],
            settings=Settings(**_fields_of(Settings, plain)),
            checks=Checks(**_fields_of(Checks, plain["checks"])),
            groupings=tuple(plain["groupings"]),
            keys=tuple(plain["keys"]),
            metadata_features=tuple(plain.get("metadata_features", ())),
        )

    def to_dict(self) -> dict[str, Any]:
        """All but the key, as plain values: what run.json holds as the settings of the stage."""
        return asdict(self.settings) | {
            "groupings": list(self.groupings),
            "keys": list(self.keys),
            "metadata_features": list(self.metadata_features),
            "checks": asdict(self.checks),
        }


@dataclass(frozen=True)
class LeafMeasures:
    """A leaf measured on held-out images; see `statistics.HeldOutLeaf`, whose counts these are, with their intervals.

    Attributes:
        leaf: its number in the tree.
        n_images, n_failures: held-out images that count for it, and how many fail.
        error_rate, error_coverage, increase: ER, EC and ER - BER with the ends of their intervals; None where nothing was there
            to measure.
        agreement: how well cross-fitting found the rule again, from 0 to 1; None for a split.
        stand_ins: the rules that were measured in its place by cross-fitting.
        n_blocks: from how many blocks of images that belong together the n_images come; None where none were kept together.
        n_seen: how many of them have a near-duplicate among the images that were searched; None where it was not looked for.
        p: of the test that the leaf fails no more often than the rest of its group (`statistics.held_out_p`).
    """

    leaf: int
    n_images: int
    n_failures: int
    error_rate: float | None
    error_rate_low: float
    error_rate_high: float
    error_coverage: float | None
    error_coverage_low: float
    error_coverage_high: float
    increase: float | None
    increase_low: float
    increase_high: float
    agreement: float | None
    stand_ins: tuple[str, ...]
    n_blocks: int | None = None
    n_seen: int | None = None
    p: float | None = None

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> LeafMeasures:
        """From `statistics.HeldOutLeaf.to_dict`."""
        return cls(**{**plain, "stand_ins": tuple(plain["stand_ins"])})


@dataclass(frozen=True)
class TreeMeasures:
    """A tree measured on held-out images; see `statistics.HeldOutTree`.

    Attributes:
        depth: of the tree.
        n_images, n_failures: all held-out images of the group.
        ber, aler, aler_increase: None where nothing is held out.
        aler_increase_low, aler_increase_high: the ends of its interval.
        leaves: in the order of `FailureTree.leaves`.
    """

    depth: int
    n_images: int
    n_failures: int
    ber: float | None
    aler: float | None
    aler_increase: float | None
    aler_increase_low: float | None
    aler_increase_high: float | None
    leaves: tuple[LeafMeasures, ...]

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> TreeMeasures:
        """From `statistics.HeldOutTree.to_dict`."""
        return cls(**{**plain, "leaves": tuple(LeafMeasures.from_dict(leaf) for leaf in plain["leaves"])})

    def leaf(self, number: int) -> LeafMeasures | None:
        """The measures of the leaf of that number; None where there are none."""
        return next((leaf for leaf in self.leaves if leaf.leaf == number), None)


@dataclass(frozen=True)
class HeldOutMeasures:
    """A group measured on held-out images; see `statistics.HeldOut`, with the same `method`, `folds` and `reason`."""

    method: str
    folds: int
    reason: str | None
    trees: tuple[TreeMeasures, ...]

    @classmethod
    def of(cls, held_out: HeldOut, confidence: float, *, seed: int) -> HeldOutMeasures:
        """The counts with intervals at `confidence`; `seed` is that of their bootstrap."""
        return cls.from_dict(held_out.to_dict(confidence, seed=seed))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> HeldOutMeasures:
        """From `statistics.HeldOut.to_dict`."""
        return cls(**{**plain, "trees": tuple(TreeMeasures.from_dict(tree) for tree in plain["trees"])})


@dataclass(frozen=True)
class DuplicateCounts:
    """The near-duplicates of a group, see `statistics.Duplicates`: `n_images` of it in `n_blocks` blocks, from similarity `threshold` on."""

    threshold: float
    n_images: int
    n_blocks: int

    @classmethod
    def of(cls, found: Duplicates) -> DuplicateCounts:
        return cls(found.threshold, found.n_images, found.n_blocks)


@dataclass(frozen=True)
class GroupResult:
    """What `explain_run` found in one group: an entry of trees.json.

    Attributes:
        group: its key, such as "label:truck"; grouping, class_name: the parts of the key.
        reason: why there is nothing to explain; else None.
        features: (feature, mutual information with failure in nats) of the selected features, most informative first.
        columns: (column, category or None for a column of numbers, information) of the selected columns of the metadata, likewise.
        trees: depth -> tree.
        held_out: None where nothing was to be measured.
        permutation_tests: one a depth; None where there was no test.
        stability: None where it was not measured.
        duplicates: None where near-duplicates were not looked for.
        leaves: depth -> `packed` numbers of the leaves that the searched images fall into; see `leaf_numbers`.
    """

    group: str
    grouping: str
    class_name: str
    reason: str | None
    features: tuple[tuple[int, float], ...]
    trees: Mapping[int, FailureTree] = field(repr=False)
    held_out: HeldOutMeasures | None = None
    permutation_tests: tuple[PermutationTest, ...] | None = None
    stability: Stability | None = None
    duplicates: DuplicateCounts | None = None
    columns: tuple[tuple[str, str | None, float], ...] = ()
    leaves: Mapping[int, str] = field(default_factory=dict, repr=False)

    @property
    def n_images(self) -> int:
        """Images that were searched."""
        return self._any_tree.root.n_images

    @property
    def n_failures(self) -> int:
        """How many of them fail."""
        return self._any_tree.root.n_failures

    @property
    def ber(self) -> float:
        """Base error rate of the images that were searched (Definition 3)."""
        return self._any_tree.ber

    @property
    def _any_tree(self) -> FailureTree:
        return next(iter(self.trees.values()))

    def analysis(self, settings: Settings) -> FailureAnalysis:
        """The tree of depth `settings.depth` with what `settings` choose of it; a group with nothing to explain has its root.

        Raises:
            KeyError: no tree of that depth was made.
        """
        return FailureAnalysis(
            tree=self._any_tree if self.reason is not None else self.trees[settings.depth],
            features=np.array([feature for feature, _ in self.features], dtype=np.int64),
            information=np.array([information for _, information in self.features]),
            settings=settings,
            reason=self.reason,
        )

    def held_out_tree(self, depth: int) -> TreeMeasures | None:
        """The tree of that depth on held-out images; None where it was not measured."""
        trees = () if self.held_out is None else self.held_out.trees
        return next((tree for tree in trees if tree.depth == depth), None)

    def permutation_test(self, depth: int) -> PermutationTest | None:
        """The test of the tree of that depth; None where there was none."""
        return next((test for test in self.permutation_tests or () if test.depth == depth), None)

    def leaf_stability(self, depth: int) -> dict[int, LeafStability]:
        """Number of the leaf -> how stable it is, for the tree of that depth; empty where it was not measured."""
        trees = () if self.stability is None else self.stability.trees
        return {leaf.number: leaf for tree in trees if tree.depth == depth for leaf in tree.leaves}

    def leaf_numbers(self, depth: int) -> np.ndarray:
        """(n,) the number of the leaf that each searched image of the group falls into, in the tree of that depth."""
        return unpacked(self.leaves[depth])

    def to_dict(self) -> dict[str, Any]:
        """As plain values: an entry of trees.json."""
        return {
            "group": self.group,
            "grouping": self.grouping,
            "class_name": self.class_name,
            "reason": self.reason,
            "features": [list(selected) for selected in self.features],
            "trees": {str(depth): tree.root.to_dict() for depth, tree in self.trees.items()},
            "held_out": _plain(self.held_out),
            "permutation_test": _plain(self.permutation_tests),
            "stability": _plain(self.stability),
            "duplicates": _plain(self.duplicates),
            "columns": [list(selected) for selected in self.columns],
            "leaves": {str(depth): text for depth, text in self.leaves.items()},
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> GroupResult:
        """The inverse of `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        held_out, tests, stable = plain["held_out"], plain["permutation_test"], plain["stability"]
        return cls(
            group=plain["group"],
            grouping=plain["grouping"],
            class_name=plain["class_name"],
            reason=plain["reason"],
            features=tuple((feature, information) for feature, information in plain["features"]),
            trees={int(depth): FailureTree(Node.from_dict(root)) for depth, root in plain["trees"].items()},
            held_out=None if held_out is None else HeldOutMeasures.from_dict(held_out),
            permutation_tests=None if tests is None else tuple(PermutationTest(**test) for test in tests),
            stability=None if stable is None else _stability(stable),
            columns=tuple((column, category, information) for column, category, information in plain.get("columns", ())),
            duplicates=DuplicateCounts(**plain["duplicates"]) if plain.get("duplicates") else None,
            leaves={int(depth): text for depth, text in plain["leaves"].items()},
        )


def packed(numbers: np.ndarray) -> str:
    """Small whole numbers, fewer than 65,536, as text: about half a byte each where there are few different ones."""
    return base64.b85encode(zlib.compress(np.asarray(numbers, dtype="<u2").tobytes())).decode("ascii")


def unpacked(text: str) -> np.ndarray:
    """The inverse of `packed`."""
    return np.frombuffer(zlib.decompress(base64.b85decode(text)), dtype="<u2")


def _plain(value: Any) -> Any:
    """Dataclasses as dictionaries and tuples as lists, all the way down: what JSON gives back."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _stability(plain: Mapping[str, Any]) -> Stability:
    trees = tuple(
        TreeStability(tree["depth"], tuple(LeafStability(**leaf) for leaf in tree["leaves"])) for tree in plain["trees"]
    )
    return Stability(**{**plain, "trees": trees, "features": tuple(FeatureStability(**one) for one in plain["features"])})


def _fields_of(kind: type, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of `plain` that are fields of a dataclass."""
    return {one.name: plain[one.name] for one in fields(kind) if one.name in plain}


# --- from a run


def load_results(run: Run) -> dict[str, GroupResult]:
    """What was found in every group of an explained run, by the group's key, in the order of the run.

    Raises:
        BarlowError: the run is not explained, or trees.json is missing or damaged.

    Cost: about 1 ms for each group.
    """
    try:
        return {key: GroupResult.from_dict(plain) for key, plain in run.trees().items()}
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(run, error) from error


def load_result(run: Run, key: str) -> GroupResult:
    """What was found in one group, without reading the others.

    Raises:
        BarlowError: the group was not explained in this run, or trees.json is missing or damaged.
    """
    run.require("explain")
    lead = json.dumps(key, ensure_ascii=False).encode() + b": "
    try:
        with (run.path / "trees.json").open("rb") as file:
            for line in file:
                if line.startswith(lead):
                    return GroupResult.from_dict(json.loads(line[len(lead) :].rstrip().rstrip(b",")))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(run, error) from error
    raise BarlowError(
        f"{key} is not among the {len(run.groups())} groups explained in {run.path}. See them with: barlow show {run.path} groups"
    )


def load_analysis(run: Run, key: str, *, depth: int | None = None) -> FailureAnalysis:
    """The analysis of one group that `explain_run` found before.

    Args:
        key: of the group, such as "label:truck".
        depth: of the tree; None for the deepest there is.

    Raises:
        BarlowError: the group or the depth was not explained in this run.
    """
    result = load_result(run, key)
    chosen = max(result.trees) if depth is None else depth
    if chosen not in result.trees:
        known = ", ".join(map(str, result.trees))
        raise BarlowError(f"{key} has no tree of depth {depth} in {run.path}, only of depth {known}.")
    return result.analysis(replace(ExplainRecord.of(run).settings, depth=chosen))


def searched_group(run: Run, key: str) -> Group:
    """The images of a group that were searched: all of them, or those of the split that `Checks` names."""
    group = parse(run.benchmark, key)
    searched = ExplainRecord.of(run).checks.searched(run.benchmark)
    return group if searched is None else Group(group.grouping, group.name, group.indices[searched[group.indices]])


def _damaged(run: Run, error: Exception) -> BarlowError:
    said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else error
    return BarlowError(f"{run.path / 'trees.json'} is missing or damaged ({said}). Run again: barlow explain {run.path}")
