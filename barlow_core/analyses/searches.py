"""Groups of a run searched for several blindspots at once, by `barlow_core.search`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.groups import all_groups, parse
from barlow_core.run import Run
from barlow_core.search import Settings, holm, search


def search_run(run: Run, *, groupings: Sequence[str] = ("label",), keys: Sequence[str] = (), **settings: float) -> pd.DataFrame:
    """Search every group, and correct for all of them: `q` by Holm over every rule of every group.

    Args:
        groupings, keys: which groups, as for `explain_run`; with keys and no groupings, these groups alone.
        settings: of `barlow_core.search`; alpha holds for all groups together.

    Returns:
        A row a rule: group, the columns of `Rule.to_dict`, and q and confirmed for the whole run; the confirmed ones first, by q.

    Raises:
        BarlowError: features are missing or stale, an unknown group, or settings out of range.
    """
    benchmark = run.benchmark
    groups = all_groups(benchmark, groupings) if groupings else []
    groups += [parse(benchmark, key) for key in dict.fromkeys(keys) if key not in {group.key for group in groups}]
    if not groups:
        raise BarlowError("No group to search. Expected a grouping such as label, or the key of a group such as label:truck.")
    chosen = Settings(**settings)  # type: ignore[arg-type]
    features = run.features()
    rows = []
    for group in groups:
        found = search(features[group.indices], benchmark.failure[group.indices], **asdict(chosen))
        rows += [{"group": group.key} | rule.to_dict() for rule in found.rules]
    table = pd.DataFrame(rows, columns=None if rows else ["group", "rule", "q", "confirmed"])
    table["q"] = holm(table["p"].to_numpy()) if rows else []
    increase = table["held_out_increase"].fillna(-1) if rows else table["q"]
    table["confirmed"] = (table["q"] <= chosen.alpha) & (increase > chosen.delta)
    return table.sort_values(["confirmed", "q"], ascending=[False, True], kind="stable", ignore_index=True)
