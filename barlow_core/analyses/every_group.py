"""All groups of a run: searched on all cores or a cluster, resumable by group, and nothing done twice.

What is remembered, and what makes it be done again:

    information/<data>/<estimator>/   mutual information       features, labels, predictions, split; estimator, seed, folds
    trees.json                        trees and their checks   the same, and k, depth, leaf size, weights; checks
    groups.parquet,                   tables                   the same, and delta, tau, and which groups
    failure_modes.parquet
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from barlow_core.analyses import parquet
from barlow_core.analyses.checks import Checks, affordable_permutations
from barlow_core.analyses.information_cache import information_folder
from barlow_core.analyses.metadata_features import encoded
from barlow_core.analyses.one_group import analyse_group
from barlow_core.analyses.record import ExplainRecord, GroupResult
from barlow_core.analyses.rows import gathered
from barlow_core.analyses.verdicts import LEVEL
from barlow_core.benchmark.columns import column_digest
from barlow_core.engine import run_shards
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import Settings
from barlow_core.groups import Group, all_groups, columns_of, parse
from barlow_core.run import Run, digest
from barlow_core.storage.files import atomic_write, write_json, write_parquet

TREES = 3  # how trees are made; another number has those of a run made again
TABLES = 2  # how verdicts and tables are made of trees; likewise
FILTERS = ("delta", "tau")  # settings that only choose among the leaves of finished trees


def explain_run(
    run: Run,
    *,
    groupings: Sequence[str] = ("label", "prediction"),
    keys: Sequence[str] = (),
    checks: Checks | None = None,
    metadata_features: Sequence[str] = (),
    engine: str = "local",
    workers: int | None = None,
    progress: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """Search every group of `run` for failure modes, and write groups.parquet, failure_modes.parquet and trees.json.

    Every group gets a tree of each depth from 1 to `depth`. A group that an interrupted call finished is not done again, and
    nothing is done again that the changed settings do not change.

    Args:
        groupings: of `all_groups`: "label", "prediction", "union", "pair", "all", columns of the metadata and products of such.
        keys: further groups by name, such as "pair:cat+dog", or "mask:night" (see `Run.add_mask`).
        checks: how what is found is checked; see `Checks` for what None does.
        metadata_features: columns of the metadata that rules may use beside the features (`metadata_features.encoded`).
        engine: "local" or "ray", see `engine.run_shards`.
        workers: processes; None for one a core.
        settings: see `Settings`.

    Returns:
        The failure modes, as `Run.failure_modes`.

    Cost: about (number of images) * D * log(group size) for each grouping, times 1 + folds with cross-fitting. Memory: one
    group's features for each worker, twice while near-duplicates are looked for; with the grouping "all", for one worker those
    of all images. Disk: for groupings whose images lie apart, see `rows.gathered`.
    """
    chosen = Settings(**settings)
    benchmark = run.benchmark
    checks = (checks or Checks()).resolved(benchmark)
    groups = all_groups(benchmark, groupings)
    groups += [parse(benchmark, key) for key in dict.fromkeys(keys) if key not in {group.key for group in groups}]
    if checks.permutations is None:
        n_values = sum(len(group) for group in groups) * run.features().shape[1]
        checks = replace(checks, permutations=affordable_permutations(n_values))
    memory = information_folder(run, chosen, checks)
    metadata = encoded(benchmark, metadata_features)
    metadata_features = tuple(dict.fromkeys(candidate.column for candidate in metadata.candidates))
    kept = [(column, column_digest(benchmark, column)) for column in (*checks.columns, *metadata_features)]
    trees_key = digest(TREES, memory.parent.name, memory.name, _without_filters(chosen), asdict(checks), kept, metadata_features)
    key = digest(
        trees_key, TABLES, LEVEL, asdict(chosen), [group.key for group in groups], [group.stored_name for group in groups]
    )
    if run.is_current("explain") and run.require("explain")["key"] == key and _complete(run):
        return run.failure_modes()

    with run.lock():
        started = time.monotonic()
        work = run.path / "explain" / trees_key
        for folder in (work, memory):
            folder.mkdir(parents=True, exist_ok=True)
        known = _finished_before(run, trees_key, groups)
        todo = [group for group in groups if group.key not in known and not (work / f"{group.stored_name}.json").exists()]
        failure, searched, blocks = benchmark.failure, checks.searched(benchmark), checks.blocks(benchmark)
        with gathered(run.features_path, todo, run.path / "explain", progress=progress) as source:
            shards = [
                (
                    source.find(group),
                    group,
                    failure[group.indices],
                    None if searched is None else searched[group.indices],
                    None if blocks is None else blocks[group.indices],
                    metadata.of(group.indices),
                    chosen,
                    checks,
                    memory / f"{group.stored_name}.npz",
                )
                for group in todo
            ]
            for name, result in run_shards(
                analyse_group, shards, engine=engine, workers=workers, description="explain", unit="group", progress=progress
            ):
                write_json(work / f"{name}.json", result.to_dict())
        results = [GroupResult.from_dict(known.get(group.key) or _read(work / f"{group.stored_name}.json")) for group in groups]
        images = {one.key: one.indices if searched is None else one.indices[searched[one.indices]] for one in groups}
        run.forget("explain")  # What follows replaces what it stands for.
        _write_trees(run, _head(trees_key, chosen, checks, groups), results)
        write_parquet(run.path / "groups.parquet", parquet.groups_table(results, checks))
        write_parquet(run.path / "failure_modes.parquet", parquet.failure_modes_table(results, chosen, checks, images))
        record = ExplainRecord(key, chosen, checks, tuple(groupings), tuple(keys), metadata_features)
        by = dict.fromkeys(group.grouping for group in groups)
        run.record(
            "explain",
            key=key,
            settings=record.to_dict(),
            seconds=time.monotonic() - started,
            columns=sorted(
                {*checks.columns, *metadata_features, *(column for grouping in by for column in columns_of(benchmark, grouping))}
            ),
            masks=[group.name for group in groups if group.grouping == "mask"],
        )
        shutil.rmtree(run.path / "explain")
        for other in memory.parent.parent.iterdir():
            if other != memory.parent:  # of features, labels or predictions that are no longer there
                shutil.rmtree(other)
    return run.failure_modes()


def _complete(run: Run) -> bool:
    """Whether all that stands for a finished search is there; what somebody deleted or damaged is made again."""
    try:
        run.groups()
        run.failure_modes()
    except BarlowError:
        return False
    return (run.path / "trees.json").is_file()


def _without_filters(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in asdict(settings).items() if name not in FILTERS}


def _read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _head(trees_key: str, settings: Settings, checks: Checks, groups: Sequence[Group]) -> dict[str, Any]:
    """What trees.json says before its groups; `names` tells apart groups of one key whose images changed with the metadata."""
    names = {group.key: group.stored_name for group in groups if group.stored_name != group.slug}
    return {"key": trees_key, "settings": asdict(settings), "checks": asdict(checks), "names": names}


def _finished_before(run: Run, trees_key: str, groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    """Those of `groups` that trees.json has, made from the same images and by the same settings."""
    try:
        stored = _read(run.path / "trees.json")
    except (OSError, ValueError):
        return {}
    if stored.get("key") != trees_key:
        return {}
    found: dict[str, dict[str, Any]] = stored["groups"]
    names = stored.get("names", {})
    return {
        group.key: found[group.key]
        for group in groups
        if group.key in found and names.get(group.key, group.slug) == group.stored_name
    }


def _write_trees(run: Run, head: dict[str, Any], results: Sequence[GroupResult]) -> None:
    """Write trees.json with each group on a line of its own: JSON to everybody, and one group is found without the others."""

    def lines() -> Iterator[str]:
        yield "{"
        yield from (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}," for name, value in head.items())
        yield '"groups": {'
        for i, result in enumerate(results, 1):
            comma = "," if i < len(results) else ""
            yield f"{json.dumps(result.group, ensure_ascii=False)}: {json.dumps(result.to_dict(), ensure_ascii=False)}{comma}"
        yield "}}"

    with atomic_write(run.path / "trees.json") as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines())
