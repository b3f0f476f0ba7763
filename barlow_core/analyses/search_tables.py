"""What a search found in all groups as two tables, search_groups.parquet and search_rules.parquet, with verdicts.

Columns that groups.parquet and failure_modes.parquet have as well are called as there (`parquet`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from barlow_core.analyses.parquet import HELD_OUT_LEAF, held_out_columns
from barlow_core.analyses.record import LeafMeasures
from barlow_core.analyses.verdicts import CONFIRMED, NOT_CONFIRMED, TOO_FEW, ranked
from barlow_core.search import SearchSettings, holm
from barlow_core.statistics.evidence import lowest_held_out_p
from barlow_core.wording import count, points

GROUP_COLUMNS = {
    "group": "string",
    "grouping": "string",
    "class_name": "string",
    "n_images": "int64",
    "n_failures": "int64",
    "n_searched": "int64",
    "held_out_n_images": "int64",
    "held_out_n_failures": "int64",
    "n_duplicates": "float64",
    "rules": "int64",
    "confirmed": "int64",
    "reason": "string",
}
RULE_COLUMNS = {
    "group": "string",
    "grouping": "string",
    "class_name": "string",
    "number": "int64",
    "rule": "string",
    "features": "object",
    "weights": "object",
    "threshold": "float64",
    "n_images": "int64",
    "n_failures": "int64",
    "ber": "float64",
    "error_rate": "float64",
    "error_coverage": "float64",
    "importance_value": "float64",
    **dict.fromkeys(HELD_OUT_LEAF, "float64"),
    "held_out_ber": "float64",
    "stability": "float64",
    "short_rule": "string",
    "short_features": "object",
    "short_weights": "object",
    "short_threshold": "float64",
    "short_agreement": "float64",
    "short_held_out_n_images": "Int64",
    "short_held_out_n_failures": "Int64",
    "held_out_q": "float64",
    "evidence": "float64",
    "verdict": "string",
    "verdict_reason": "string",
}


def groups_table(results: Sequence[Mapping[str, Any]], rules: pd.DataFrame) -> pd.DataFrame:
    """One row a group, `GROUP_COLUMNS`."""
    confirmed = rules.loc[rules["verdict"] == CONFIRMED, "group"].value_counts()
    rows = [{**result, "rules": len(result["rules"]), "confirmed": int(confirmed.get(result["group"], 0))} for result in results]
    return pd.DataFrame(rows, columns=list(GROUP_COLUMNS)).astype(GROUP_COLUMNS)


def rules_table(results: Sequence[Mapping[str, Any]], settings: SearchSettings) -> pd.DataFrame:
    """One row a rule, `RULE_COLUMNS`, the confirmed ones first.

    A rule is confirmed when held_out_q, Holm's over all rules of all groups, is at most alpha and held-out ER - BER is above delta.
    There are too few images to tell where no outcome could have been: had all held-out images of the rule failed, q would still
    be above alpha.
    """
    rows, lowest = [], []
    for result in results:
        all_images, all_failures = result["held_out_n_images"], result["held_out_n_failures"]
        for number, rule in enumerate(result["rules"]):
            held_out = LeafMeasures.from_dict(rule["held_out"])
            # Images that belong together tell no more than one of them where all fail.
            worth = held_out.n_images if held_out.n_blocks is None else held_out.n_blocks
            lowest.append(min(float(lowest_held_out_p(worth, all_images, all_failures)), rule["p"]))
            rows.append(
                {"group": result["group"], "grouping": result["grouping"], "class_name": result["class_name"], "number": number}
                | {name: value for name, value in rule.items() if name in RULE_COLUMNS}
                | {
                    "ber": result["n_failures"] / result["n_images"],
                    "importance_value": rule["error_rate"] * rule["error_coverage"],
                    **held_out_columns(held_out, HELD_OUT_LEAF),
                    "held_out_ber": all_failures / all_images if all_images else None,
                }
            )
    table = pd.DataFrame(rows, columns=list(RULE_COLUMNS)).astype(dict.fromkeys(HELD_OUT_LEAF, "float64"))
    p = table["held_out_p"].to_numpy()
    table["held_out_q"] = holm(p)
    table["evidence"] = table["held_out_increase_low"] * table["held_out_error_coverage"].fillna(0.0)
    said = [
        _verdict(row, min(low * (len(p) - int((p < low).sum())), 1.0), settings)
        for row, low in zip(table.to_dict("records"), lowest, strict=True)
    ]
    table["verdict"], table["verdict_reason"] = [verdict for verdict, _ in said], [reason for _, reason in said]
    return ranked(table.astype(RULE_COLUMNS))


def _verdict(row: Mapping[Any, Any], lowest_q: float, settings: SearchSettings) -> tuple[str, str]:
    """The verdict on one rule, and why. `lowest_q` is what q would be had all its held-out images failed."""
    if lowest_q > settings.alpha:
        n = count(int(row["held_out_n_images"]), "held-out image")
        return TOO_FEW, f"{n}: had all of them failed, it could still be luck (q {lowest_q:.2g} at best)"
    increase, low, q = row["held_out_increase"], row["held_out_increase_low"], row["held_out_q"]
    held_out = f"held out {points(increase)}"
    if q > settings.alpha:
        return NOT_CONFIRMED, f"{held_out}, which among so many rules may be luck (q {q:.2g})"
    if increase <= settings.delta:
        return NOT_CONFIRMED, f"{held_out}, not above the {points(settings.delta)} that are asked for"
    return CONFIRMED, f"{held_out}, at least {points(low)}; q {q:.2g}"
