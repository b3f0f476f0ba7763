"""What a report says about the search of a run: the rules that held out, with pictures; all others counted and folded."""

from __future__ import annotations

from typing import Any

import pandas as pd

from barlow_core.analyses import FoundRule, found_rules, rule_images, searched_groups
from barlow_core.analyses.verdicts import CONFIRMED, verdict_counts
from barlow_core.export.pictures import Embedder, failure_pictures, panel_rows
from barlow_core.panels import load_panel
from barlow_core.run import Run
from barlow_core.views.feature_names import Names, name_of
from barlow_core.views.images import filter_images, images_at, with_paths
from barlow_core.views.judgements import Judgements
from barlow_core.views.search import (
    NO_RULE,
    NONE_CONFIRMED,
    certain_words,
    direction_words,
    found_rule_words,
    not_searched_words,
)
from barlow_core.wording import percent, percent_interval, points, points_interval

SHOWN = 20  # confirmed rules with pictures
LISTED = 200  # other rules in the folded table


def has_rules(run: Run) -> bool:
    """Whether a search found anything in a run."""
    return run.is_current("search") and len(found_rules(run)) > 0


def search_section(run: Run, judgements: Judgements | None, names: Names | None, embed: Embedder, images: int) -> dict[str, Any]:
    """All that the template says about the search, as plain values; only why there is none, where there is none.

    Args:
        images: failures of each rule that are shown.
    """
    missing = not_searched_words(run)
    if missing is not None:
        return {"missing": missing}
    groups, table = searched_groups(run), found_rules(run)
    rules = [FoundRule(row) for row in table.to_dict("records")]
    confirmed = [rule for rule in rules if rule.confirmed]
    others = confirmed[SHOWN:] + [rule for rule in rules if not rule.confirmed]
    counts = verdict_counts(table)
    nothing = NO_RULE if not rules else NONE_CONFIRMED if not confirmed else None
    return {
        "missing": None,
        "said": certain_words(run, groups, table),
        "counts": [(verdict.capitalize(), f"{n:,}") for verdict, n in counts.items()],
        "nothing": nothing,
        "n_confirmed": counts[CONFIRMED],
        "rules": [_rule(run, f"rule-{i}", rule, judgements, names, embed, images) for i, rule in enumerate(confirmed[:SHOWN], 1)],
        "others": [_line(rule, judgements, names) for rule in others[:LISTED]],
        "n_others": len(others),
    }


def _names(rule: FoundRule, judgements: Judgements | None, names: Names | None) -> dict[int, str]:
    """What people call the features of a rule in short: a researcher's word first, else the workers'."""
    found = {}
    for feature in rule.short.features:
        said = None if judgements is None else judgements.latest(feature, rule.group)
        name = name_of(names, rule.group, feature)
        called = said.name if said is not None and said.name else None if name is None else name.name
        if called:
            found[feature] = called
    return found


def _rule(
    run: Run,
    anchor: str,
    rule: FoundRule,
    judgements: Judgements | None,
    names: Names | None,
    embed: Embedder,
    images: int,
) -> dict[str, Any]:
    """All about one rule."""
    row, followers = rule.row, images_at(run, rule_images(run, rule))
    failures = filter_images(followers, outcome="failures")
    return {
        "anchor": anchor,
        "number": rule.number + 1,
        "words": found_rule_words(rule, _names(rule, judgements, names)),
        "verdict": f"{row['verdict']}: {row['verdict_reason']}",
        "increase": points(row["held_out_increase"]),
        "formal": f"{rule.group}: {row['rule']}",
        "held_out": _held_out(rule),
        "in_all": [
            ("Images", f"{row['n_images']:,}"),
            ("Failures", f"{row['n_failures']:,}"),
            ("Error rate (ER)", percent(row["error_rate"])),
            ("Base error rate of the group (BER)", percent(row["ber"])),
            ("Error coverage (EC)", percent(row["error_coverage"])),
        ],
        "rows": panel_rows(load_panel(run, rule.group, rule.direction), embed),
        "failures": failure_pictures(with_paths(run, failures.head(images)), embed),
        "n_failures": len(failures),
    }


def _held_out(rule: FoundRule) -> list[tuple[str, str]]:
    """The counts of a confirmed rule, which has held-out images."""
    row = rule.row
    found = [
        ("Images", f"{int(row['held_out_n_images']):,}"),
        ("Failures", f"{int(row['held_out_n_failures']):,}"),
        (
            "Error rate (ER)",
            f"{percent(row['held_out_error_rate'])} "
            f"({percent_interval(row['held_out_error_rate_low'], row['held_out_error_rate_high'])})",
        ),
        (
            "ER \N{MINUS SIGN} BER",
            f"{points(row['held_out_increase'])} ({points_interval(row['held_out_increase_low'], row['held_out_increase_high'])})",
        ),
        ("Error coverage (EC)", percent(row["held_out_error_coverage"])),
        ("q, of the whole search", f"{row['held_out_q']:.2g}"),
    ]
    if not pd.isna(row["held_out_n_blocks"]):
        found.append(("Blocks of images kept together", f"{int(row['held_out_n_blocks']):,}"))
    return found


def _line(rule: FoundRule, judgements: Judgements | None, names: Names | None) -> dict[str, str]:
    row = rule.row
    n = int(row["held_out_n_images"])
    return {
        "group": rule.group,
        "what": direction_words(rule, _names(rule, judgements, names)),
        "counted": f"{int(row['held_out_n_failures']):,} of {n:,}",
        "increase": points(row["held_out_increase"]) if n else "",
        "verdict": f"{row['verdict']}: {row['verdict_reason']}",
    }
