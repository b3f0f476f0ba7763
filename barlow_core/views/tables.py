"""A run as tables: the benchmark at a glance, its groups, its failure modes."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from barlow_core.run import Run


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
