"""Groups of a run searched for several blindspots at once by `barlow_core.search`, and what was found, read back.

search_groups.parquet has a row a group, search_rules.parquet a row a rule (`search_tables`), search_images.parquet the images to show
of each, so that nobody has to read all features to look at them; run.json says how they were made.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.analyses.checks import Checks
from barlow_core.analyses.rows import Rows, gathered
from barlow_core.analyses.search_tables import groups_table, rules_table
from barlow_core.analyses.together import Parts
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.benchmark.columns import column_digest
from barlow_core.directions import Direction
from barlow_core.engine import run_shards
from barlow_core.errors import BarlowError
from barlow_core.groups import Group, all_groups, columns_of, parse
from barlow_core.run import Run, digest
from barlow_core.search import SearchSettings, search
from barlow_core.storage.files import write_json, write_parquet

VERSION = 4  # how rules are found; another number has those of a run searched again
GROUPS, RULES, IMAGES = "search_groups.parquet", "search_rules.parquet", "search_images.parquet"
RULES_AT_ONCE = 16  # that are read for one
FEATURES, OF_FEATURE = 5, 3  # of a rule whose strongest images are kept, and how many


@dataclass(frozen=True)
class SearchRecord:
    """How the groups of a run were searched, as run.json says.

    Attributes:
        key: stands for the data, the settings and the groups.
        settings: of the search; alpha holds for all groups together.
        checks: resolved; of these a search heeds search_split, keep_together, duplicates, confidence and resamples.
        groupings, keys: which groups were asked for.
    """

    key: str
    settings: SearchSettings
    checks: Checks
    groupings: tuple[str, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, run: Run) -> SearchRecord:
        """The record of a run that is searched.

        Raises:
            BarlowError: it is not, or no longer: something above it changed since.
        """
        record = run.require("search")
        plain = record["settings"]
        own = {name: plain[name] for name in asdict(SearchSettings())}
        return cls(
            record["key"], SearchSettings(**own), Checks(**plain["checks"]), tuple(plain["groupings"]), tuple(plain["keys"])
        )

    def to_dict(self) -> dict[str, Any]:
        """All but the key, as plain values."""
        return asdict(self.settings) | {
            "groupings": list(self.groupings),
            "keys": list(self.keys),
            "checks": asdict(self.checks),
        }


@dataclass(frozen=True)
class FoundRule:
    """A rule that a search found: a row of search_rules.parquet.

    Attributes:
        row: every column of the table, with counts, held-out measures and the verdict.
    """

    row: Mapping[Hashable, Any]

    @property
    def group(self) -> str:
        """Its key, such as "label:truck"."""
        return str(self.row["group"])

    @property
    def number(self) -> int:
        """Of the rule in its group, the most important one 0."""
        return int(self.row["number"])

    @property
    def confirmed(self) -> bool:
        return bool(self.row["verdict"] == CONFIRMED)

    @property
    def stability(self) -> float | None:
        """`barlow_core.search.Rule.stability`; None also where an earlier version searched."""
        share = self.row.get("stability")
        return None if pd.isna(share) else float(share)

    @property
    def threshold(self) -> float:
        """An image follows the rule when its value along `direction` lies above this."""
        return float(self.row["threshold"])

    @cached_property
    def direction(self) -> Direction:
        """The weighted sum of features that the rule is about."""
        return self._direction("")

    @cached_property
    def short(self) -> Direction:
        """That of the rule said with few features (`barlow_core.search.ShortRule`); the same where no few tell anything of it."""
        return self.direction if self.row["short_features"] is None else self._direction("short_")

    def _direction(self, form: str) -> Direction:
        features, weights = self.row[f"{form}features"], self.row[f"{form}weights"]
        return Direction(tuple(map(int, features)), tuple(map(float, weights)))


def search_run(
    run: Run,
    *,
    groupings: Sequence[str] = ("label",),
    keys: Sequence[str] = (),
    checks: Checks | None = None,
    engine: str = "local",
    workers: int | None = None,
    progress: bool = False,
    **settings: Any,
) -> pd.DataFrame:
    """Search every group, correct for all of them, and write search_groups.parquet, search_rules.parquet and search_images.parquet.

    A group that an interrupted call finished is not searched again. What an earlier call found with other settings gives way.

    Args:
        groupings, keys: which groups, as for `explain_run`; with keys and no groupings, these groups alone.
        checks: what is kept together, whether near-duplicates are looked for, which split is searched, and on how many halves the
            search is repeated (resamples), see `Checks`; of a benchmark without such a split, each group has a random share
            (`SearchSettings.share`) searched.
        engine, workers: as for `explain_run`.
        settings: of `barlow_core.search`; alpha holds for all groups together.

    Returns:
        A row a rule, `search_tables.RULE_COLUMNS`, as `ranked`: the confirmed ones first. held_out_q is Holm's over all rules of all groups.

    Raises:
        BarlowError: features are missing or stale, an unknown group, or settings out of range.

    Cost: of a group of n images about n * D * min(n, D) multiplications and additions, and half a second. Memory: its features
    in float64, twice.
    """
    benchmark = run.benchmark
    groups = all_groups(benchmark, groupings) if groupings else []
    groups += [parse(benchmark, key) for key in dict.fromkeys(keys) if key not in {group.key for group in groups}]
    if not groups:
        raise BarlowError("No group to search. Expected a grouping such as label, or the key of a group such as label:truck.")
    chosen = SearchSettings(**settings)
    checks = (checks or Checks()).resolved(benchmark)
    run.features()
    made_from = [run.require("extract")["key"], benchmark.outcome_digest, asdict(checks)]
    kept = [column_digest(benchmark, column) for column in checks.columns]
    work_key = digest(VERSION, *made_from, kept, asdict(chosen))
    key = digest(work_key, [group.stored_name for group in groups])
    if run.is_current("search") and run.require("search")["key"] == key and _complete(run):
        return found_rules(run)

    with run.lock():
        started = time.monotonic()
        work = run.path / "search" / work_key
        work.mkdir(parents=True, exist_ok=True)
        _search_groups(run, groups, work, chosen, checks, engine=engine, workers=workers, progress=progress)
        results = [_result(work / f"{group.stored_name}.json") for group in groups]
        run.forget("search")  # What follows replaces what it stands for.
        rules = rules_table(results, chosen)
        write_parquet(run.path / RULES, rules, rows_at_once=RULES_AT_ONCE)
        write_parquet(run.path / GROUPS, groups_table(results, rules))
        _write_images(run.path / IMAGES, results)
        by = dict.fromkeys(group.grouping for group in groups)
        run.record(
            "search",
            key=key,
            settings=SearchRecord(key, chosen, checks, tuple(groupings), tuple(keys)).to_dict(),
            seconds=time.monotonic() - started,
            columns=sorted({*checks.columns, *(column for grouping in by for column in columns_of(benchmark, grouping))}),
            masks=[group.name for group in groups if group.grouping == "mask"],
        )
        shutil.rmtree(run.path / "search")
    return found_rules(run)


def found_rules(run: Run) -> pd.DataFrame:
    """search_rules.parquet of a run that is searched, the confirmed rules first.

    Raises:
        BarlowError: it is not searched, or no longer.
    """
    return _table(run, RULES)


def searched_groups(run: Run) -> pd.DataFrame:
    """search_groups.parquet of a run that is searched: how much there was to search in each group, and what came of it.

    Raises:
        BarlowError: it is not searched, or no longer.
    """
    return _table(run, GROUPS)


def found_rule(run: Run, group: str, number: int) -> FoundRule:
    """One rule of a group.

    Raises:
        BarlowError: there is no such rule, or the run is not searched.
    """
    for row in _table(run, RULES, group=group, number=number).to_dict("records"):
        return FoundRule(row)
    raise BarlowError(
        f"The search of {run.path} found no rule {number} in {group}. See what it found with: barlow show {run.path} search"
    )


def rule_images(run: Run, rule: FoundRule) -> np.ndarray:
    """(n,) int64, the positions in the benchmark of the images of the group that follow a rule, the clearest first.

    As the search left them; where an earlier version searched, or the file is gone, from the features of the group.
    """
    stored = _stored(run, rule)
    if stored is not None:
        return np.asarray(stored["images"], dtype=np.int64)
    indices = parse(run.benchmark, rule.group).indices
    return indices[_following(rule.direction, rule.threshold, run.features(), indices)]


def strongest_images(run: Run, rule: FoundRule) -> dict[int, np.ndarray]:
    """For the first features of a rule in short the (n,) int64 images of the group where each is strongest, the strongest first.

    From where `rule_images` has them.
    """
    stored, features = _stored(run, rule), rule.short.features[:FEATURES]
    if stored is not None:
        return {
            feature: np.asarray(images, dtype=np.int64) for feature, images in zip(features, stored["strongest"], strict=True)
        }
    indices = parse(run.benchmark, rule.group).indices
    return {feature: indices[_strongest(run.features()[indices, feature])] for feature in features}


def _stored(run: Run, rule: FoundRule) -> pd.Series | None:
    """The row of a rule in search_images.parquet; None where there is none."""
    try:
        found = _table(run, IMAGES, group=rule.group, number=rule.number)
    except BarlowError:
        return None
    return found.iloc[0] if len(found) else None


def _strongest(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values, kind="stable")[:OF_FEATURE]


def _following(direction: Direction, threshold: float, features: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Which of the rows lie above the threshold, the highest first."""
    values = direction.values(features, rows)
    order = np.argsort(-values, kind="stable")
    return order[values[order] > threshold]


def _write_images(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """A row a rule: group, number, images, strongest."""
    names = ("images", "strongest")
    rows = [
        (one["group"], number, *(rule[name] for name in names)) for one in results for number, rule in enumerate(one["rules"])
    ]
    table = pd.DataFrame(rows, columns=["group", "number", *names]).astype({"group": "string", "number": "int64"})
    write_parquet(path, table, rows_at_once=RULES_AT_ONCE)


def _table(run: Run, name: str, **only: Any) -> pd.DataFrame:
    run.require("search")
    try:
        return pd.read_parquet(run.path / name, filters=[(column, "==", value) for column, value in only.items()] or None)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise BarlowError(f"{run.path / name} is missing or damaged ({error}). Run again: barlow search {run.path}") from error


def _complete(run: Run) -> bool:
    try:
        found_rules(run)
        searched_groups(run)
    except BarlowError:
        return False
    return True


# --- one group


def _search_groups(
    run: Run,
    groups: Sequence[Group],
    work: Path,
    settings: SearchSettings,
    checks: Checks,
    *,
    engine: str,
    workers: int | None,
    progress: bool,
) -> None:
    """Search those of `groups` that have no file in `work` yet, and leave one for each."""
    benchmark = run.benchmark
    todo = [group for group in groups if not (work / f"{group.stored_name}.json").exists()]
    failure, searched, blocks = benchmark.failure, checks.searched(benchmark), checks.blocks(benchmark)
    with gathered(run.features_path, todo, work.parent, progress=progress) as source:
        shards = [
            (
                source.find(group),
                group,
                failure[group.indices],
                None if searched is None else searched[group.indices],
                None if blocks is None else blocks[group.indices],
                settings,
                checks,
            )
            for group in todo
        ]
        for name, result in run_shards(
            search_group, shards, engine=engine, workers=workers, description="search", unit="group", progress=progress
        ):
            write_json(work / f"{name}.json", result)


def _result(path: Path) -> dict[str, Any]:
    """What `search_group` found, with arrays for what is as long as there are features: a tenth of the memory of lists."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for rule in found["rules"]:
        rule |= {name: np.asarray(rule[name]) for name in ("features", "weights")}
        rule["images"] = np.asarray(rule["images"], dtype=np.int32)
    return found


def search_group(
    rows: Rows,
    group: Group,
    failure: np.ndarray,
    searched: np.ndarray | None,
    blocks: np.ndarray | None,
    settings: SearchSettings,
    checks: Checks,
) -> tuple[str, dict[str, Any]]:
    """Search one group; the unit of work that an engine runs.

    Args:
        rows: where the group's features lie.
        failure: (n,) bool; searched: (n,) bool, the images to search, None for a random share; blocks: (n,) int64, by a column.

    Returns:
        The group's stored name, and everything about it as plain values.
    """
    plain: dict[str, Any] = {"group": group.key, "grouping": group.grouping, "class_name": group.name}
    plain |= {"n_images": len(group), "n_failures": int(failure.sum()), "n_duplicates": None, "rules": []}
    plain |= {"n_searched": 0, "held_out_n_images": 0, "held_out_n_failures": 0}
    if searched is not None and (searched.all() or not searched.any()):
        side = "all of its images are" if len(group) and searched.all() else "none of its images is"
        return group.stored_name, plain | {"reason": f"{side} in the split {checks.search_split} that is searched"}
    features = rows.read()
    parts = Parts.of(features, searched, blocks, checks, seed=settings.seed)
    found = search(
        features,
        failure,
        searched=searched,
        blocks=parts.blocks,
        duplicates=None if parts.duplicates is None else parts.duplicates.blocks,
        resamples=checks.resamples,
        **asdict(settings),
    )
    return group.stored_name, plain | {
        "n_searched": int(found.searched.sum()),
        "held_out_n_images": int(found.confirming.sum()),
        "held_out_n_failures": int(failure[found.confirming].sum()),
        "n_duplicates": None if parts.duplicates is None else parts.duplicates.n_images,
        "rules": [
            rule.to_dict(checks.confidence)
            | {
                "images": group.indices[_following(rule.direction, rule.threshold, features)].tolist(),
                "strongest": [
                    group.indices[_strongest(features[:, feature])].tolist()
                    for feature in (rule.short or rule).direction.features[:FEATURES]
                ],
            }
            for rule in found.rules
        ],
        "reason": found.reason,
    }
