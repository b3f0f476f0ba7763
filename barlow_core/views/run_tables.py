"""A run as tables: what stands at the top of a page, the groups, the failure modes, and where they concentrate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from barlow_core.analyses import ExplainRecord
from barlow_core.analyses.same_images import shown_once
from barlow_core.analyses.verdicts import CONFIRMED, ranked, verdict_counts
from barlow_core.errors import BarlowError
from barlow_core.run import Run

SEARCHED = ("class_name", "group", "rule")  # the columns that a search for words looks at
_OF_DEPTH = (
    "aler",
    "held_out_aler_increase",
    "held_out_aler_increase_low",
    "held_out_aler_increase_high",
    "p",
    "q",
)


class Summary(NamedTuple):
    """A run in numbers; `error_rate` is in [0, 1] and, as `n_failures`, None where there are no predictions."""

    name: str
    n_images: int
    n_classes: int
    n_failures: int | None
    error_rate: float | None
    extractor: str | None


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
    return list(range(1, ExplainRecord.of(run).settings.depth + 1))


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


def mode_table(run: Run, *, depth: int, grouping: str | None = None, by: str = "evidence") -> pd.DataFrame:
    """The failure modes of all groups, or of one grouping, in an order of `verdicts.ranked`: confirmed ones first.

    Returns:
        The columns of `Run.failure_modes`, and rank: 1 for the first failure mode of its tree. same_as is that of
        `same_images.shown_once` among these.

    Raises:
        BarlowError: as `ranked`.
    """
    modes = run.failure_modes()
    modes = ranked(modes[(modes["depth"] == depth) & (grouping is None or modes["grouping"] == grouping)], by)
    return shown_once(modes.assign(rank=modes.groupby("group").cumcount() + 1))


def group_table(run: Run, *, depth: int) -> pd.DataFrame:
    """The groups of all groupings, in the order of the run; `find_groups` searches and sorts it.

    Returns:
        group, grouping, class_name, n_images, n_failures, ber, aler (of the tree of that depth), aler_increase (ALER - BER),
        held_out_aler_increase with _low and _high, p, q (NaN where not measured); failure_modes (how many), confirmed (how many of
        them), covered (the share of the group's failures that they hold together), and of the first of them in the order of
        `mode_table` rule, increase, held_out_increase and importance_value; reason (missing where the group could be explained).

    Raises:
        BarlowError: the run is not explained, or has no trees of that depth.
    """
    table = run.groups()
    if f"aler_depth_{depth}" not in table:
        raise BarlowError(f"{run.path} has no trees of depth {depth}. Expected one of: {', '.join(map(str, depths(run)))}.")
    table = table.rename(columns={f"{name}_depth_{depth}": name for name in _OF_DEPTH})
    modes = mode_table(run, depth=depth)
    best = modes[modes["rank"] == 1].set_index("group")[["rule", "increase", "held_out_increase", "importance_value"]]
    modes = modes.assign(is_confirmed=modes["verdict"] == CONFIRMED)
    counts = modes.groupby("group").agg(
        failure_modes=("rule", "size"), confirmed=("is_confirmed", "sum"), covered=("error_coverage", "sum")
    )
    table = table.join(counts, on="group").join(best, on="group")
    for name in ("failure_modes", "confirmed"):
        table[name] = table[name].fillna(0).astype("int64")
    table["covered"] = table["covered"].fillna(0.0)
    table["aler_increase"] = table["aler"] - table["ber"]
    return table[
        [
            "group",
            "grouping",
            "class_name",
            "n_images",
            "n_failures",
            "ber",
            "aler",
            "aler_increase",
            *_OF_DEPTH[1:],
            "failure_modes",
            "confirmed",
            "covered",
            *best.columns,
            "reason",
        ]
    ]


def find_groups(
    table: pd.DataFrame,
    text: str = "",
    *,
    grouping: str | None = None,
    with_modes: bool = False,
    sort: str = "ber",
    descending: bool = True,
) -> pd.DataFrame:
    """Search and sort a table of `group_table` or `mode_table`.

    Args:
        text: words that all occur in the class name, the key or the rule, in any order and case.
        grouping: only these groups.
        with_modes: only groups with a failure mode.
        sort: a column; missing values come last either way, equal ones stay in the order of the table.

    Raises:
        BarlowError: `sort` names no column.
    """
    if sort not in table:
        raise BarlowError(f"No column is called {sort!r}. Expected one of: {', '.join(table.columns)}.")
    keep = np.ones(len(table), dtype=bool)
    if grouping is not None:
        keep &= (table["grouping"] == grouping).to_numpy(dtype=bool)
    if with_modes and "failure_modes" in table:
        keep &= (table["failure_modes"] > 0).to_numpy(dtype=bool)
    words = text.lower().split()
    if words:
        searched = table["class_name"].str.lower()
        for column in SEARCHED[1:]:
            searched = searched + " " + table[column].fillna("").str.lower()
        for word in words:
            keep &= searched.str.contains(word, regex=False).to_numpy(dtype=bool)
    return table[keep].sort_values(sort, ascending=not descending, kind="stable", na_position="last", ignore_index=True)


def concentration(run: Run, *, depth: int) -> pd.DataFrame:
    """How much of what goes wrong the failure modes hold, one row a grouping.

    Returns:
        grouping, n_groups, n_explained (groups that could be), groups_with_modes, failure_modes, how many of these are confirmed,
        not_confirmed, too_few (`verdicts.VERDICTS`), and how many hold mostly the same images as another one of the grouping,
        same_images; n_failures (of all its groups), n_inside (of these, inside a failure mode),
        share_inside; increase and held_out_increase, the medians over the failure modes, and confirmed_increase, the median held out
        over the confirmed ones (NaN where there is none, or none was measured on held-out images).
    """
    table = group_table(run, depth=depth)
    rows = []
    for grouping, part in table.groupby("grouping", sort=False):
        own = mode_table(run, depth=depth, grouping=str(grouping))
        n_failures, n_inside = int(part["n_failures"].sum()), int(own["n_failures"].sum())
        rows.append(
            {
                "grouping": grouping,
                "n_groups": len(part),
                "n_explained": int(part["reason"].isna().sum()),
                "groups_with_modes": int((part["failure_modes"] > 0).sum()),
                "failure_modes": len(own),
                **dict(zip(("confirmed", "not_confirmed", "too_few"), verdict_counts(own).values(), strict=True)),
                "same_images": int(own["same_as"].notna().sum()),
                "n_failures": n_failures,
                "n_inside": n_inside,
                "share_inside": n_inside / n_failures if n_failures else np.nan,
                "increase": own["increase"].median(),
                "held_out_increase": own["held_out_increase"].median(),
                "confirmed_increase": own.loc[own["verdict"] == CONFIRMED, "held_out_increase"].median(),
            }
        )
    return pd.DataFrame(rows)
