"""Algorithm 1 of the paper: select features by mutual information, fit a tree, report the leaves where errors concentrate.

`explain` does it for one group in memory. `explain_run` does it for all groups of a run folder, on all cores, resumably.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core import failure_tree
from barlow_core.engine import run_shards
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import FailureTree, Node
from barlow_core.files import write_json, write_parquet
from barlow_core.groups import Group, all_groups, parse
from barlow_core.information import ESTIMATORS, check_inputs, mutual_information
from barlow_core.run import Run, digest


@dataclass(frozen=True)
class Settings:
    """What decides which failure modes are found; the defaults are the paper's.

    Attributes:
        k: how many features to select by mutual information with failure.
        depth: most splits from the root of the tree to a leaf.
        delta: a failure mode has ER > BER + delta.
        tau: a failure mode has EC > tau.
        estimator, n_neighbors: of the mutual information.
        weighted: weigh failures by n_success / n_failure in the tree.
        min_leaf: fewest images in a leaf.
        seed: of the estimator's noise and of the tree's choice between equal splits.
    """

    k: int = 20
    depth: int = 3
    delta: float = 0.1
    tau: float = 0.2
    estimator: str = "knn"
    n_neighbors: int = 3
    weighted: bool = True
    min_leaf: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("k", 1), ("depth", 1), ("n_neighbors", 1), ("min_leaf", 1), ("seed", 0)):
            if getattr(self, name) < low:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a whole number of at least {low}.")
        for name in ("delta", "tau"):
            if not 0 <= getattr(self, name) <= 1:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a share between 0 and 1.")
        if self.estimator not in ESTIMATORS:
            raise BarlowError(f"Unknown estimator {self.estimator!r}. Expected one of: {', '.join(ESTIMATORS)}.")


@dataclass(frozen=True)
class FailureAnalysis:
    """What explains the failures of one group.

    Attributes:
        tree: over the selected features.
        features: (k,) int64, the selected features, most informative first.
        information: (k,) float64, their mutual information with failure, in nats.
        settings: how it was found.
        reason: why there is nothing to find, for a group that cannot be explained; else None.
    """

    tree: FailureTree
    features: np.ndarray
    information: np.ndarray
    settings: Settings
    reason: str | None = None

    @property
    def n_images(self) -> int:
        return self.tree.root.n_images

    @property
    def n_failures(self) -> int:
        return self.tree.root.n_failures

    @property
    def ber(self) -> float:
        """Base error rate of the group (Definition 3)."""
        return self.tree.ber

    @property
    def aler(self) -> float:
        """Average leaf error rate of the tree (Definition 4)."""
        return self.tree.aler

    @property
    def leaves(self) -> list[Node]:
        """All leaves, highest importance value first."""
        return self.tree.leaves

    @cached_property
    def failure_modes(self) -> list[Node]:
        """The leaves with ER > BER + delta and EC > tau (Algorithm 1), highest importance value first."""
        return failure_modes(self.tree, delta=self.settings.delta, tau=self.settings.tau)

    def __repr__(self) -> str:
        head = f"{self.n_failures:,} failures in {self.n_images:,} images, BER {self.ber:.4f}, ALER {self.aler:.4f}"
        if self.reason:
            return f"FailureAnalysis: {head}; nothing to explain: {self.reason}"
        modes = [f"  {mode} ({mode.error_rate - self.ber:+.4f} over BER)" for mode in self.failure_modes]
        return "\n".join([f"FailureAnalysis: {head}, {len(modes)} failure modes", *modes])


def failure_modes(tree: FailureTree, *, delta: float = 0.1, tau: float = 0.2) -> list[Node]:
    """The leaves of `tree` with ER > BER + delta and EC > tau, highest importance value first (Algorithm 1)."""
    return [leaf for leaf in tree.leaves if leaf.error_rate > tree.ber + delta and leaf.error_coverage > tau]


def select_features(information: np.ndarray, k: int) -> np.ndarray:
    """The k features with the most information, (k,) int64, best first; equal ones by their index."""
    return np.argsort(-information, kind="stable")[:k].astype(np.int64)


def explain(
    features: np.ndarray,
    failure: np.ndarray,
    *,
    k: int = 20,
    depth: int = 3,
    delta: float = 0.1,
    tau: float = 0.2,
    estimator: str = "knn",
    n_neighbors: int = 3,
    weighted: bool = True,
    min_leaf: int = 1,
    seed: int = 0,
) -> FailureAnalysis:
    """Find the failure modes of one group of images (Algorithm 1).

    Args:
        features: (n, D) features of the group's images.
        failure: (n,) bool, True where the classifier under inspection is wrong.
        (others): see `Settings`.

    Raises:
        BarlowError: shapes that do not fit, values that are not finite, settings out of range.

    A group with nothing to explain (no image, no failure, only failures, no feature that varies) gives a tree that is its root,
    no failure mode, and the reason.
    """
    settings = Settings(k, depth, delta, tau, estimator, n_neighbors, weighted, min_leaf, seed)
    return explain_depths(features, failure, settings, [depth])[0]


def explain_depths(features: np.ndarray, failure: np.ndarray, settings: Settings, depths: Sequence[int]) -> list[FailureAnalysis]:
    """`explain` for several depths at the cost of one: the selection, almost all of the work, is shared."""
    features, failure = check_inputs(features, failure)
    reason = _nothing_to_explain(features, failure)
    if reason is None:
        information = mutual_information(
            features, failure, estimator=settings.estimator, n_neighbors=settings.n_neighbors, seed=settings.seed
        )
        selected = select_features(information, settings.k)
    else:
        information, selected = np.zeros(features.shape[1]), np.empty(0, dtype=np.int64)
    return [
        FailureAnalysis(
            tree=failure_tree.fit(
                features[:, selected],
                failure,
                selected,
                depth=depth,
                weighted=settings.weighted,
                min_leaf=settings.min_leaf,
                seed=settings.seed,
            ),
            features=selected,
            information=information[selected],
            settings=Settings(**asdict(settings) | {"depth": depth}),
            reason=reason,
        )
        for depth in depths
    ]


def _nothing_to_explain(features: np.ndarray, failure: np.ndarray) -> str | None:
    if len(failure) == 0:
        return "the group has no images"
    if not failure.any():
        return "the classifier never fails here"
    if failure.all():
        return "the classifier always fails here, so no feature can tell failures from successes"
    if (features == features[0]).all():
        return "no feature varies among these images"
    return None


# --- all groups of a run folder


def explain_run(
    run: Run,
    *,
    groupings: Sequence[str] = ("label", "prediction"),
    keys: Sequence[str] = (),
    workers: int | None = None,
    progress: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """Explain every group of `run` and write groups.parquet, failure_modes.parquet and trees.json.

    Every group gets a tree of each depth from 1 to `depth`. A group that an interrupted call finished is not done again;
    where everything is up to date, nothing is.

    Args:
        groupings: of `all_groups`.
        keys: further groups by name, such as "pair:cat+dog".
        workers: processes; None for one a core.
        settings: see `Settings`.

    Returns:
        The failure modes, as `Run.failure_modes`.

    Cost: about (number of images) * D * log(group size) for each grouping; memory: one group's features a worker.
    """
    chosen = Settings(**settings)
    benchmark = run.benchmark
    features_key = run.require("extract")["key"]
    groups = all_groups(benchmark, groupings)
    groups += [parse(benchmark, key) for key in keys if key not in {group.key for group in groups}]
    key = digest(features_key, benchmark.outcome_digest, asdict(chosen), [group.key for group in groups])
    if run.is_current("explain") and run.require("explain")["key"] == key:
        return run.failure_modes()

    with run.lock():
        started = time.monotonic()
        work = run.path / "explain" / key
        work.mkdir(parents=True, exist_ok=True)
        missing = [group for group in groups if not (work / f"{group.slug}.json").exists()]
        failure = benchmark.failure
        shards = [(run.features_path, group, failure[group.indices], chosen) for group in missing]
        for slug, result in run_shards(
            _explain_group, shards, workers=workers, description="explain", unit="group", progress=progress
        ):
            write_json(work / f"{slug}.json", result)
        results = [json.loads((work / f"{group.slug}.json").read_text(encoding="utf-8")) for group in groups]
        write_json(run.path / "trees.json", {"settings": asdict(chosen), "groups": {r["group"]: r for r in results}})
        write_parquet(run.path / "groups.parquet", _groups_table(results))
        write_parquet(run.path / "failure_modes.parquet", _failure_modes_table(results, chosen))
        run.record(
            "explain",
            key=key,
            settings=asdict(chosen) | {"groupings": list(groupings), "keys": list(keys)},
            seconds=time.monotonic() - started,
        )
        shutil.rmtree(run.path / "explain")
    return run.failure_modes()


def _explain_group(features_path: Path, group: Group, failure: np.ndarray, settings: Settings) -> tuple[str, dict[str, Any]]:
    """One shard of `explain_run`: the analyses of one group as plain values, under the group's slug."""
    features = np.load(features_path, mmap_mode="r")[group.indices]
    analyses = explain_depths(features, failure, settings, range(1, settings.depth + 1))
    first = analyses[0]
    return group.slug, {
        "group": group.key,
        "grouping": group.grouping,
        "class_name": group.name,
        "reason": first.reason,
        "features": [[int(f), float(i)] for f, i in zip(first.features, first.information, strict=True)],
        "trees": {str(analysis.settings.depth): analysis.tree.root.to_dict() for analysis in analyses},
    }


def load_analysis(run: Run, key: str, *, depth: int | None = None) -> FailureAnalysis:
    """The analysis of one group that `explain_run` found before.

    Args:
        key: of the group, such as "label:truck".
        depth: of the tree; None for the deepest there is.

    Raises:
        BarlowError: the group or the depth was not explained in this run.
    """
    stored = run.trees()
    if key not in stored:
        raise BarlowError(
            f"{key} is not among the {len(stored)} groups explained in {run.path}. See them with: barlow show {run.path}"
        )
    trees = stored[key]["trees"]
    chosen = str(depth) if depth is not None else max(trees, key=int)
    if chosen not in trees:
        raise BarlowError(f"{key} has no tree of depth {depth} in {run.path}, only of depth {', '.join(trees)}.")
    settings = {name: run.require("explain")["settings"][name] for name in Settings.__dataclass_fields__}
    selected = stored[key]["features"]
    return FailureAnalysis(
        tree=FailureTree(Node.from_dict(trees[chosen])),
        features=np.array([feature for feature, _ in selected], dtype=np.int64),
        information=np.array([information for _, information in selected]),
        settings=Settings(**settings | {"depth": int(chosen)}),
        reason=stored[key]["reason"],
    )


def _groups_table(results: list[dict[str, Any]]) -> pd.DataFrame:
    rows = []
    for result in results:
        trees = {depth: FailureTree(Node.from_dict(tree)) for depth, tree in result["trees"].items()}
        root = next(iter(trees.values())).root
        rows.append(
            {
                "group": result["group"],
                "grouping": result["grouping"],
                "class_name": result["class_name"],
                "n_images": root.n_images,
                "n_failures": root.n_failures,
                "ber": root.error_rate,
                **{f"aler_depth_{depth}": tree.aler for depth, tree in trees.items()},
                "reason": result["reason"],
            }
        )
    return pd.DataFrame(rows).astype({"reason": "string"})


FAILURE_MODE_COLUMNS = {
    "group": "string",
    "grouping": "string",
    "class_name": "string",
    "depth": "int64",
    "leaf": "int64",
    "rule": "string",
    "conditions": "string",
    "feature": "int64",
    "features": "object",
    "n_images": "int64",
    "n_failures": "int64",
    "error_rate": "float64",
    "error_coverage": "float64",
    "importance_value": "float64",
    "ber": "float64",
    "increase": "float64",
    "aler": "float64",
}


def _failure_modes_table(results: list[dict[str, Any]], settings: Settings) -> pd.DataFrame:
    rows = []
    for result in results:
        for depth, plain in result["trees"].items():
            tree = FailureTree(Node.from_dict(plain))
            for leaf in failure_modes(tree, delta=settings.delta, tau=settings.tau):
                rows.append(
                    {
                        "group": result["group"],
                        "grouping": result["grouping"],
                        "class_name": result["class_name"],
                        "depth": int(depth),
                        "leaf": leaf.number,
                        "rule": leaf.rule,
                        "conditions": json.dumps(leaf.conditions),
                        "feature": leaf.features[0],
                        "features": list(leaf.features),
                        "n_images": leaf.n_images,
                        "n_failures": leaf.n_failures,
                        "error_rate": leaf.error_rate,
                        "error_coverage": leaf.error_coverage,
                        "importance_value": leaf.importance_value,
                        "ber": tree.ber,
                        "increase": leaf.error_rate - tree.ber,
                        "aler": tree.aler,
                    }
                )
    return pd.DataFrame(rows, columns=list(FAILURE_MODE_COLUMNS)).astype(FAILURE_MODE_COLUMNS)
