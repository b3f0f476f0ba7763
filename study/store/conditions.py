"""Conditions: items that are shown in two or more ways, and which of them a worker is given.

An item names its condition in its data (`condition`), and what it is compared with (`pair`): items of the same pair differ in nothing
but their condition. Practice and checks may name one as well. By the settings `condition_design` and `condition_order` a worker is given

* "between": items of one condition only, with its practice and checks, and those of no condition. "balanced": the one that the fewest
  workers were given so far; "random": any of them, each with the same chance. One without an open item is given to nobody new.
* "within": items of all conditions. "balanced": next one of the condition that they have had the fewest of; "random": whichever item
  has the fewest answers.

What is drawn depends on the seed of the study and on the worker. A worker's condition is that of their first assignment, so that nothing
else has to be kept of it.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from barlow_core.errors import BarlowError
from study.questionnaire import shown
from study.store.schema import quoted

BETWEEN, WITHIN = "between", "within"
DESIGNS = (BETWEEN, WITHIN)
BALANCED, RANDOM = "balanced", "random"
ORDERS = (BALANCED, RANDOM)
MAX_NAME = 60
_OF = "json_extract(item.data, '$.condition')"


class ConditionCount(NamedTuple):
    """Answers about items of a condition that count, the workers whose they are, and how many answers are wanted."""

    name: str
    answers: int
    workers: int
    wanted: int


class Design(Protocol):
    """What the settings of a study say of conditions."""

    @property
    def conditions(self) -> tuple[str, ...]: ...

    @property
    def condition_design(self) -> str: ...

    @property
    def condition_order(self) -> str: ...

    @property
    def seed(self) -> int: ...


def conditions_of(items: Iterable[str | Mapping[str, Any]]) -> tuple[str, ...]:
    """The conditions that items name, in the order of the first of each; none where no item names one.

    Raises:
        BarlowError: some items name one and others do not, all name the same, or what they name is no name.
    """
    found: dict[str, None] = {}
    without = ""
    for item in items:
        about = item if isinstance(item, Mapping) else {"id": item}
        name = about.get("condition")
        if name is not None and (not isinstance(name, str) or not 0 < len(name.strip()) <= MAX_NAME):
            raise BarlowError(
                f"Item {shown(about.get('id'))} names the condition {shown(name)}. Expected a text of 1 to {MAX_NAME} characters."
            )
        if about.get("kind", "item") == "item":
            if name is None:
                without = without or str(about.get("id"))
            else:
                found.setdefault(name)
    if found and without:
        raise BarlowError(
            f"Item {without!r} names no condition, but others do ({', '.join(found)}). Name one for every item that is neither practice nor a check."
        )
    if len(found) == 1:
        raise BarlowError(f"All items are of the condition {next(iter(found))!r}. Name two at least, or none at all.")
    return tuple(found)


def only(conditions: Iterable[str] | None) -> str:
    """SQL that keeps items of these conditions, and those of none; nothing for None."""
    return "" if conditions is None else f" AND coalesce({_OF}, '') IN ({quoted(('', *conditions))})"


def given(tx: sqlite3.Connection, worker: str, settings: Design) -> tuple[str, ...] | None:
    """The conditions that a worker is shown: theirs, or the one that they would be given now; None where they are shown all.

    Returns:
        () for somebody new where no condition has an open item.
    """
    if not settings.conditions or settings.condition_design != BETWEEN:
        return None
    theirs = tx.execute(
        f"SELECT {_OF} FROM assignment JOIN item ON item.id = assignment.item WHERE worker = ? AND {_OF} IS NOT NULL "
        "ORDER BY assignment.id LIMIT 1",
        (worker,),
    ).fetchone()
    if theirs is not None:
        return (str(theirs[0]),)
    open_ = tx.execute(f"SELECT DISTINCT {_OF} FROM item WHERE kind = 'item' AND filled < wanted").fetchall()
    possible = [name for name in settings.conditions if name in {row[0] for row in open_}]
    if settings.condition_order == BALANCED and possible:
        workers = dict.fromkeys(possible, 0)
        sql = f"SELECT {_OF}, count(DISTINCT worker) FROM assignment JOIN item ON item.id = assignment.item GROUP BY 1"
        workers |= {name: n for name, n in tx.execute(sql).fetchall() if name in workers}
        possible = [name for name in possible if workers[name] == min(workers.values())]
    return (random.Random(f"{settings.seed} {worker}").choice(possible),) if possible else ()


def in_turn(tx: sqlite3.Connection, worker: str, settings: Design) -> list[tuple[str, ...] | None]:
    """Conditions in the order in which a worker is to be given an item of them, equal ones together; None stands for any."""
    theirs = given(tx, worker, settings)
    if theirs is not None or not settings.conditions or settings.condition_order == RANDOM:
        return [theirs]
    had = dict.fromkeys(settings.conditions, 0)
    sql = (
        f"SELECT {_OF}, count(*) FROM assignment JOIN item ON item.id = assignment.item "
        "WHERE worker = ? AND item.kind = 'item' GROUP BY 1"
    )
    had |= {name: n for name, n in tx.execute(sql, (worker,)).fetchall() if name in had}
    return [tuple(name for name, n in had.items() if n == times) for times in sorted(set(had.values()))]


def counts(tx: sqlite3.Connection, settings: Design) -> list[ConditionCount]:
    """How far each condition is, in the order of the study."""
    wanted = dict(
        tx.execute(f"SELECT {_OF}, sum(wanted) FROM item WHERE kind = 'item' AND {_OF} IS NOT NULL GROUP BY 1").fetchall()
    )
    sql = (
        f"SELECT {_OF} AS name, count(*) AS answers, count(DISTINCT worker) AS workers FROM assignment "
        "JOIN item ON item.id = assignment.item WHERE item.kind = 'item' AND state = 'accepted' GROUP BY 1"
    )
    found = {row["name"]: (row["answers"], row["workers"]) for row in tx.execute(sql).fetchall()}
    rows = {name: found.get(name, (0, 0)) for name in settings.conditions}
    return [ConditionCount(name, answers, workers, wanted[name]) for name, (answers, workers) in rows.items()]


def check(settings: Design) -> None:
    """Raise a BarlowError unless the settings about conditions can be."""
    for name, possible in (("condition_design", DESIGNS), ("condition_order", ORDERS)):
        if getattr(settings, name) not in possible:
            raise BarlowError(f"{name} is one of {', '.join(possible)}, not {shown(getattr(settings, name))}.")
    if not all(isinstance(name, str) for name in settings.conditions):
        raise BarlowError(f"conditions are the names that the items have, not {shown(settings.conditions)}.")
