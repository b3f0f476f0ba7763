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
from barlow_core.failure_tree import Node
from barlow_core.views import SAME_RULE

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
    "overlap": "float64",
    "match_leaf": "Int64",
    "match_rule": "string",
    **dict.fromkeys(("match_error_rate", "match_error_coverage", "match_increase"), "float64"),
}


def modes_table(pair: Pair, delta: float, tau: float, confidence: float) -> pd.DataFrame:
    """One row a failure mode of either run; see `Comparison.failure_modes`."""
    rows: list[dict[str, Any]] = []
    for found_in, (finder, other) in enumerate((pair.sides, pair.sides[::-1])):
        for key, modes in finder.modes.items():
            if modes:
                rows += _mode_rows(pair, found_in, finder, other, key, modes)
    hidden = [f"{prefix}{cell}" for prefix in ("", "same_images_", "held_out_") for cell in CELLS]
    hidden += [f"{column}_{side}" for column in ("group_images", "group_failures", "held_out_n_failures") for side in SIDES]
    hidden += [f"same_images_{column}_{side}" for column in ("n_images", "n_failures") for side in SIDES]
    hidden += ["same_images_interval", "held_out_interval", "known_in_other"]
    table = _once(rows, pair).reindex(columns=[*MODE_COLUMNS, *hidden])

    table = with_rate(table, "error_rate", "n_failures", "n_images")
    table = with_rate(table, "ber", "group_failures", "group_images")
    table = with_rate(table, "error_coverage", "n_failures", "group_failures")
    table = with_rate(table, "same_images_error_rate", "same_images_n_failures", "same_images_n_images")
    for side in SIDES:
        rate, ber, coverage = (table[f"{column}_{side}"] for column in ("error_rate", "ber", "error_coverage"))
        # A group without failures has EC = 0 everywhere.
        coverage = coverage.mask(as_float(table[f"group_failures_{side}"]) == 0, 0.0)
        known = table[f"n_images_{side}"].notna()
        passes = ((rate > ber + delta) & (coverage > tau)).astype("boolean").where(known)
        table = table.assign(**{f"error_coverage_{side}": coverage, f"increase_{side}": rate - ber, f"passes_{side}": passes})
    for name, rate_name, counts in (
        ("difference", "error_rate", GROUP),
        ("same_images_difference", "same_images_error_rate", Counts("same_images_")),
        ("held_out_difference", "held_out_error_rate", Counts("held_out_")),
    ):
        table = with_difference(table, name, rate_name, counts, confidence)
    estimated = table["difference_low"].notna()
    certain = ((table["difference_low"] > 0) | (table["difference_high"] < 0)).astype("boolean").where(estimated)
    table = table.assign(certain=certain, verdict=_verdicts(table, pair.same_failures))
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
            "grouping": finder.results[key]["grouping"],
            "class_name": key.partition(":")[2],
            "depth": finder.depth,
            "leaf": mode.number,
            "rule": mode.rule,
            "conditions": json.dumps(mode.conditions),
            "known_in_other": others is not None,
            "interval": interval,
            **_counted(mine, finder, own, rule_images),
            f"held_out_n_images_{mine}": held_out.get("n_images"),
            f"held_out_error_rate_{mine}": held_out.get("error_rate"),
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
    """Both runs on the images of the same group that `finder` did not search; their own rules had no part in these failures."""
    assert finder.searched is not None
    groups = [side.all_images(key) for side in pair.sides]
    groups = [None if group is None else group[~finder.searched[group]] for group in groups]
    row: dict[str, Any] = {"held_out_interval": pair.interval(*groups)}
    for name, side, group in zip(SIDES, pair.sides, groups, strict=True):
        if group is not None:
            images = group[finder.inside([mode], group)[0]]
            failures = int(side.failure[images].sum())
            row |= {f"held_out_n_images_{name}": len(images), f"held_out_n_failures_{name}": failures}
            row[f"held_out_error_rate_{name}"] = failures / len(images) if len(images) else None
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


def _verdicts(table: pd.DataFrame, same_failures: bool) -> pd.Series:
    """See `Comparison.failure_modes`."""
    first, second = (table[f"passes_{side}"].fillna(False).astype(bool) for side in SIDES)
    measured = table[[f"n_images_{side}" for side in SIDES]].notna().all(axis=1)
    unknown = ~table["known_in_other"].astype(bool)
    found_first = table["found_in"] == "first"
    if same_failures:
        changes = {"matched": as_float(table["overlap"]) >= SAME_RULE, "gone": found_first, "new": ~found_first}
    else:
        changes = {
            "gone": first & ~second,
            "new": second & ~first,
            "worse": table["difference_low"] > 0,
            "better": table["difference_high"] < 0,
            # Both pass by themselves, or, rounding aside, neither.
            "unchanged": pd.Series(True, index=table.index),
        }
    verdict = pd.Series(pd.NA, index=table.index, dtype="string")
    for name, holds in reversed(changes.items()):
        verdict = verdict.mask(holds & measured, name)
    return verdict.mask(unknown, "only in " + table["found_in"].astype("string"))
