"""The failure modes of two runs, each measured in both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.compare.comparison import SIDES, VERDICTS
from barlow_core.compare.differences import CELLS, GROUP, Counts, as_float, with_difference, with_rate
from barlow_core.compare.sides import Pair, Side
from barlow_core.failure_modes import is_failure_mode
from barlow_core.failure_tree import Node
from barlow_core.statistics import SAME_RULE

MODE_COLUMNS = {
    "verdict": "string",
    "found_in": "string",
    "group": "string",
    "grouping": "string",
    "class_name": "string",
    "depth": "int64",
    "leaf": "int64",
    "rule": "string",
    "conditions": "string",
    **{f"{column}_{side}": "Int64" for column in ("n_images", "n_failures") for side in SIDES},
    **{f"{column}_{side}": "float64" for column in ("error_rate", "error_coverage", "ber", "increase") for side in SIDES},
    **{f"passes_{side}": "boolean" for side in SIDES},
    "difference": "float64",
    "difference_low": "float64",
    "difference_high": "float64",
    "interval": "string",
    "certain": "boolean",
    **{f"same_images_error_rate_{side}": "float64" for side in SIDES},
    **dict.fromkeys((f"same_images_difference{end}" for end in ("", "_low", "_high")), "float64"),
    **{f"held_out_n_images_{side}": "Int64" for side in SIDES},
    **{f"held_out_error_rate_{side}": "float64" for side in SIDES},
    **dict.fromkeys((f"held_out_difference{end}" for end in ("", "_low", "_high")), "float64"),
    "held_out_verdict": "string",
    "overlap": "float64",
    "match_leaf": "Int64",
    "match_rule": "string",
    **dict.fromkeys(("match_error_rate", "match_error_coverage", "match_increase"), "float64"),
}

# Counts that the columns above are made of.
HIDDEN_COLUMNS = (
    *(f"{prefix}{cell}" for prefix in ("", "same_images_", "held_out_") for cell in CELLS),
    *(f"{prefix}interval" for prefix in ("same_images_", "held_out_")),
    *(
        f"{prefix}n_{what}_{side}"
        for prefix in ("same_images_", "held_out_")
        for what in ("images", "failures")
        for side in SIDES
    ),
    *(f"{prefix}group_{what}_{side}" for prefix in ("", "held_out_") for what in ("images", "failures") for side in SIDES),
    "known_in_other",
)


def modes_table(pair: Pair, delta: float, tau: float, confidence: float) -> pd.DataFrame:
    """One row a failure mode of either run; see `Comparison.failure_modes`."""
    rows: list[dict[str, Any]] = []
    for found_in, (finder, other) in enumerate((pair.sides, pair.sides[::-1])):
        for key, modes in finder.modes.items():
            if modes:
                rows += _mode_rows(pair, found_in, finder, other, key, modes)
    table = _once(rows, pair)
    table = table.reindex(columns=list(dict.fromkeys([*MODE_COLUMNS, *HIDDEN_COLUMNS])))
    for prefix in ("", "same_images_"):
        table = with_rate(table, f"{prefix}error_rate", f"{prefix}n_failures", f"{prefix}n_images")
    for prefix in ("", "held_out_"):
        table = _with_passes(table, prefix, delta, tau)
    for name, rate_name, counts in (
        ("difference", "error_rate", GROUP),
        ("same_images_difference", "same_images_error_rate", Counts("same_images_")),
        ("held_out_difference", "held_out_error_rate", Counts("held_out_")),
    ):
        table = with_difference(table, name, rate_name, counts, confidence)
    estimated = table["difference_low"].notna()
    certain = ((table["difference_low"] > 0) | (table["difference_high"] < 0)).astype("boolean").where(estimated)
    verdict, held_out_verdict = _verdicts(table, ""), _verdicts(table, "held_out_")
    if pair.same_failures:
        verdict, held_out_verdict = _by_overlap(table), pd.Series(pd.NA, index=table.index, dtype="string")
    verdict = verdict.mask(~table["known_in_other"].astype(bool), "only in " + table["found_in"].astype("string"))
    table = table.assign(certain=certain, verdict=verdict, held_out_verdict=held_out_verdict)
    rank = table["verdict"].map({verdict: i for i, verdict in enumerate(VERDICTS)}).fillna(len(VERDICTS))
    order = np.lexsort([-table["difference"].abs().fillna(-1).to_numpy(), rank.to_numpy(dtype=np.float64)])
    return table[list(MODE_COLUMNS)].iloc[order].reset_index(drop=True).astype(MODE_COLUMNS)


def _mode_rows(pair: Pair, found_in: int, finder: Side, other: Side, key: str, modes: Sequence[Node]) -> list[dict[str, Any]]:
    """The rows of the failure modes of one group of one run, with counts; what follows from counts comes later."""
    mine, theirs = SIDES[found_in], SIDES[1 - found_in]
    own, others = finder.images(key), other.images(key)
    assert own is not None  # its own group
    held = finder.inside(modes, own)
    reader = finder if pair.same_images else other
    there = None if others is None or not pair.measurable() else reader.inside(modes, others)
    interval = pair.interval(own, others) if there is not None else None
    matches = _Matches(other, key, others) if pair.same_images and others is not None else None
    rows = []
    for i, mode in enumerate(modes):
        rule_images = own[held[i]]
        held_out = finder.held_out(key, mode.number)
        row: dict[str, Any] = {
            "found_in": mine,
            "group": key,
            "grouping": finder.results[key].grouping,
            "class_name": key.partition(":")[2],
            "depth": finder.depth,
            "leaf": mode.number,
            "rule": mode.rule,
            "conditions": json.dumps(mode.conditions),
            "known_in_other": others is not None,
            "interval": interval,
            **_counted(mine, finder, own, rule_images),
            f"held_out_n_images_{mine}": held_out and held_out.n_images,
            f"held_out_error_rate_{mine}": held_out and held_out.error_rate,
        }
        if there is not None and others is not None:
            row |= _counted(theirs, other, others, others[there[i]])
            if interval == "paired":
                row |= pair.cells(rule_images)
        if pair.same_images:
            row |= {f"same_images_{name}": n for name, n in pair.cells(rule_images).items()}
            row["same_images_interval"] = None if pair.same_failures else "paired"
            for name, side in zip(SIDES, pair.sides, strict=True):
                row[f"same_images_n_images_{name}"] = len(rule_images)
                row[f"same_images_n_failures_{name}"] = int(side.failure[rule_images].sum())
            if finder.searched is not None:
                row |= _held_out_counts(pair, finder, key, mode)
        if matches is not None:
            row |= matches.best(rule_images)
        rows.append(row)
    return rows


def _counted(name: str, side: Side, group: np.ndarray, rule_images: np.ndarray) -> dict[str, int]:
    return {
        f"n_images_{name}": len(rule_images),
        f"n_failures_{name}": int(side.failure[rule_images].sum()),
        f"group_images_{name}": len(group),
        f"group_failures_{name}": int(side.failure[group].sum()),
    }


def _held_out_counts(pair: Pair, finder: Side, key: str, mode: Node) -> dict[str, Any]:
    """Both runs on the images of the same group that `finder` did not search; their failures had no part in the rule."""
    assert finder.searched is not None
    groups = [side.all_images(key) for side in pair.sides]
    groups = [None if group is None else group[~finder.searched[group]] for group in groups]
    row: dict[str, Any] = {"held_out_interval": pair.interval(*groups)}
    for name, side, group in zip(SIDES, pair.sides, groups, strict=True):
        if group is not None:
            images = group[finder.inside([mode], group)[0]]
            counts = _counted(name, side, group, images)
            row |= {f"held_out_{column}": n for column, n in counts.items()}
            row[f"held_out_error_rate_{name}"] = counts[f"n_failures_{name}"] / len(images) if len(images) else None
            if row["held_out_interval"] == "paired":
                row |= {f"held_out_{cell}": n for cell, n in pair.cells(images).items()}
    return row


class _Matches:
    """The failure modes of a run in one group, to find the one that shares most images with a rule of another."""

    def __init__(self, side: Side, key: str, images: np.ndarray):
        self._modes = side.modes.get(key, [])
        self._ber = side.trees[key].ber if self._modes else np.nan
        self._images = [images[inside] for inside in side.inside(self._modes, images)] if self._modes else []

    def best(self, images: np.ndarray) -> dict[str, Any]:
        """The first in the order of the importance value among equals; nothing but overlap 0 where none shares an image."""
        shared = np.array([len(np.intersect1d(images, other, assume_unique=True)) for other in self._images], dtype=np.float64)
        either = np.array([len(images) + len(other) for other in self._images]) - shared
        if not shared.any():
            return {"overlap": 0.0}
        i = int(np.argmax(shared / np.maximum(either, 1)))
        mode = self._modes[i]
        return {
            "overlap": shared[i] / either[i],
            "match_leaf": mode.number,
            "match_rule": mode.rule,
            "match_error_rate": mode.error_rate,
            "match_error_coverage": mode.error_coverage,
            "match_increase": mode.error_rate - self._ber,
        }


def _once(rows: list[dict[str, Any]], pair: Pair) -> pd.DataFrame:
    """A rule that both runs found in the same images once, with the held-out numbers of both."""
    kept: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        place = (row["group"], row["conditions"])
        twin = kept.get(("first", *place))
        one_group = twin is not None and row["interval"] != "independent" and pair.same_images
        if row["found_in"] == "second" and one_group and pair.same_extractor:
            assert twin is not None
            known = {name: value for name, value in twin.items() if value is not None}
            kept["first", *place] = {**row, **known, "found_in": "both"}
        else:
            kept[row["found_in"], *place] = row
    return pd.DataFrame(list(kept.values()))


def _with_passes(table: pd.DataFrame, prefix: str, delta: float, tau: float) -> pd.DataFrame:
    """BER, EC, increase, and whether a rule passes delta and tau on both sides, from the counts of the rule and its group."""
    table = with_rate(table, f"{prefix}ber", f"{prefix}group_failures", f"{prefix}group_images")
    table = with_rate(table, f"{prefix}error_coverage", f"{prefix}n_failures", f"{prefix}group_failures")
    for side in SIDES:
        rate, ber, coverage = (table[f"{prefix}{column}_{side}"] for column in ("error_rate", "ber", "error_coverage"))
        # A group without failures has EC = 0 everywhere.
        coverage = coverage.mask(as_float(table[f"{prefix}group_failures_{side}"]) == 0, 0.0)
        known = table[f"{prefix}n_failures_{side}"].notna()
        names = ("n_images", "n_failures", "group_images", "group_failures")
        counts = table.loc[known, [f"{prefix}{name}_{side}" for name in names]].fillna(0).to_numpy(dtype=np.int64).tolist()
        passes = pd.Series(pd.NA, index=table.index, dtype="boolean")
        passes[known] = [is_failure_mode(*row, delta=delta, tau=tau) for row in counts]
        found = {"error_coverage": coverage, "increase": as_float(rate) - ber, "passes": passes}
        table = table.assign(**{f"{prefix}{column}_{side}": values for column, values in found.items()})
    return table


def _by_overlap(table: pd.DataFrame) -> pd.Series:
    """The verdicts where both runs explain the same failures; see `Comparison.failure_modes`."""
    verdict = pd.Series("new", index=table.index, dtype="string").mask(table["found_in"] == "first", "gone")
    return verdict.mask(as_float(table["overlap"]) >= SAME_RULE, "matched")


def _verdicts(table: pd.DataFrame, prefix: str) -> pd.Series:
    """The verdicts of two models; missing where a rule was not counted in both."""
    passes = [table[f"{prefix}passes_{side}"] for side in SIDES]
    counted = passes[0].notna() & passes[1].notna()
    first, second = (column.fillna(False).astype(bool) for column in passes)
    verdict = pd.Series("unchanged", index=table.index, dtype="string")
    verdict = verdict.mask(table[f"{prefix}difference_high"] < 0, "better").mask(table[f"{prefix}difference_low"] > 0, "worse")
    verdict = verdict.mask(first & ~second, "gone").mask(second & ~first, "new").mask(~first & ~second, "in neither")
    return verdict.where(counted)
