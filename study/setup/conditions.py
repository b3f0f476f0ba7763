"""Items of several runs as conditions of one study: the same groups, and in each as many features, described by different networks.

Networks have different features, so none of them is the same in two runs. What is paired is the place: the feature with the highest mutual
information with failure of a group in one run, and the one with the highest in the other, and so on down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.wording import count
from study.setup.selection import Selection, ranking, with_checks
from study.store.conditions import BETWEEN


def require_same_images(runs: Mapping[str, Run]) -> None:
    """Raise a BarlowError unless all runs are explained, and about the same images, labels and predictions."""
    first, *others = runs.items()
    for _, run in runs.items():
        run.require("explain")
    for name, run in others:
        if run.info["data"] != first[1].info["data"]:
            raise BarlowError(
                f"{run.path} (condition {name}) is not about the same images, labels and predictions as {first[1].path} (condition {first[0]}), "
                "so its groups are others. Import the same images and table into both, and extract with different networks."
            )


def in_conditions(runs: Mapping[str, Run], chosen: Selection) -> Selection:
    """The items of a selection once for every condition, with `condition` and `pair`.

    Args:
        runs: by name of the condition; the first is the one of the selection.
        chosen: items of the first run.

    Returns:
        For each item of the selection that has a counterpart everywhere, one item a condition: the feature of the same rank in the same
        group. Others are left out, and the notes say how many.

    Raises:
        BarlowError: the runs are not about the same images; an item has no rank; nothing is left.
    """
    require_same_images(runs)
    (first, _), *others = runs.items()
    wanted: dict[str, int] = {}
    for item in chosen.items:
        if item.get("rank") is None:
            raise BarlowError(
                f"Item {item['id']} has no rank in its group, so there is nothing to pair it with in another run. List features that have one."
            )
        wanted[item["group"]] = max(wanted.get(item["group"], 0), int(item["rank"]))
    ranked = {}
    for name, run in others:
        there = run.groups()
        explained = set(there.loc[there["reason"].isna(), "group"])
        ranked[name] = {group: ranking(run, group, n) if group in explained else [] for group, n in wanted.items()}
    items: list[dict[str, Any]] = []
    left_out = 0
    for item in chosen.items:
        rank = int(item["rank"])
        found = {name: of_group[item["group"]] for name, of_group in ranked.items()}
        if any(len(features) < rank for features in found.values()):
            left_out += 1
            continue
        pair = {"pair": f"{item['group']} #{rank}"}
        items.append({**item, **pair, "id": f"{first}:{item['id']}", "condition": first})
        for name, features in found.items():
            feature, information = features[rank - 1]
            other = {"condition": name, "feature": feature, "mutual_information": information}
            items.append({**item, **pair, **other, "id": f"{name}:{item['group']}:{feature}"})
    if not items:
        raise BarlowError(
            "No group is explained in all runs, so there is nothing to compare. Explain the same groups in each: barlow explain RUN"
        )
    notes = list(chosen.notes)
    if left_out:
        notes.append(f"{count(left_out, 'item')} left out that have no counterpart in another run.")
    return Selection(tuple(items), tuple(notes))


def with_checks_of_all(
    runs: Mapping[str, Run], chosen: Selection, *, design: str, practice: int = 2, attention: int = 3, **texts: Any
) -> Selection:
    """Add practice and attention checks, each of a condition.

    Args:
        runs: by name of the condition.
        chosen: what `in_conditions` made.
        design: "between": `practice` and `attention` of every condition, as a worker sees one only; "within": so many in all, of one
            condition after the other.
        texts: see `study.setup.selection.with_checks`.
    """
    checks: list[Sequence[Mapping[str, Any]]] = []
    notes = dict.fromkeys(chosen.notes)
    for name, run in runs.items():
        own = Selection(tuple(item for item in chosen.items if item["condition"] == name))
        made = with_checks(run, own, practice=practice, attention=attention, **texts)
        checks.append([{**item, "condition": name} for item in made.items[len(own) :]])
        notes |= dict.fromkeys(made.notes)
    found: list[Mapping[str, Any]] = []
    for number, together in enumerate(zip(*checks, strict=False)):  # a run may have fewer features left than another
        if design == BETWEEN:
            found += [{**item, "id": f"{item['id']}:{item['condition']}"} for item in together]
        else:
            found.append(together[number % len(together)])
    return Selection((*chosen.items, *found), tuple(notes))
