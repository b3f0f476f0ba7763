"""Who answers what next: least-filled items first, ties at random, never twice to a worker, never more than wanted.

The functions work inside a transaction on the study file that `study.store` has opened; nobody else writes meanwhile.

A worker has at most one item *reserved*. A reservation keeps a place on the item until it is answered, given back, or has been
without a sign of life (a draft, an activity, another claim) for the reservation timeout; then the item goes to others. Deadlines
are on the clock that counts from the start of the computer (`study.store.clock`): setting the clock changes none of them. After a restart
of the computer, `follow_clock` moves them over; a reservation then lives on for at most one more timeout.

The *time on task* is the sum of the gaps between signs of life, from the item being shown to its being sent; a gap longer than
`idle_seconds` does not count at all.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from study.questionnaire import dumps
from study.store import conditions, places
from study.store.clock import Moment, same_boot, seconds_of

if TYPE_CHECKING:
    from study.store.settings import StudySettings

TOKEN_PREFIX = "claim-"
ANSWERED = ("accepted", "surplus", "discarded")  # the states of an assignment that has an answer


@dataclass(frozen=True)
class ClaimedItem:
    """An item as it was given to a worker.

    Attributes:
        id, kind, data: of the item; `kind` is "item", "practice", "gold" or "attention", which a worker is not told.
        token: stands for this assignment in a page; nobody else knows it.
        number: how many items the worker has been given so far, this one included.
        draft: what the worker has typed already.
        shown_at: when it was first shown, UTC.
        expires_in: seconds without a sign of life until the item goes to others.
        held: the worker had it already.
    """

    id: str
    kind: str
    token: str
    number: int
    shown_at: str
    expires_in: float
    held: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    draft: Mapping[str, Any] = field(default_factory=dict)


def choose(
    tx: sqlite3.Connection, worker: str, now: Moment, settings: StudySettings, visit: str | None = None, place: str | None = None
) -> tuple[str, bool] | None:
    """Give `worker` an item: (its id, whether they had it already), or None when there is nothing for them.

    In this order: the item that they hold; one that ran out on them and still needs an answer; practice in the order of the list;
    a check (gold, attention) when one is due; an item, as long as that leaves one for each place that others hold. `visit` is the
    one in which they will answer it, `place` the one that they may hold themselves.
    """
    held = tx.execute("SELECT item FROM assignment WHERE worker = ? AND state = 'reserved'", (worker,)).fetchone()
    if held is not None:
        if visit is not None:
            tx.execute("UPDATE assignment SET visit = ? WHERE worker = ? AND item = ?", (visit, worker, held["item"]))
        touch(tx, worker, held["item"], "shown", now, settings)
        return held["item"], True
    expire(tx, now)
    if at_the_end(tx, worker, settings, visit):
        return None
    if renewed := _ran_out(tx, worker):
        tx.execute(
            "UPDATE assignment SET state = 'reserved', deadline = ?, visit = coalesce(?, visit) WHERE worker = ? AND item = ?",
            (now.ticks + settings.reservation_seconds, visit, worker, renewed),
        )
        touch(tx, worker, renewed, "shown", now, settings)
        return renewed, True
    item = _new(tx, worker, settings, places.held_by_others(tx, now, place))
    if item is None:
        return None
    if place is not None:
        is_item = tx.execute("SELECT kind = 'item' FROM item WHERE id = ?", (item,)).fetchone()[0]
        if is_item:
            places.let_go(tx, place)
        else:
            places.put_off(tx, place, now, settings.hold_seconds)
    deadline = now.ticks + settings.reservation_seconds
    tx.execute(
        "INSERT INTO assignment (item, worker, state, token, shown_at, active_at, deadline, shown_ticks, active_ticks, visit) "
        "VALUES (?, ?, 'reserved', ?, ?, ?, ?, ?, ?, ?)",
        (item, worker, TOKEN_PREFIX + secrets.token_hex(16), now.utc, now.utc, deadline, now.ticks, now.ticks, visit),
    )
    record(tx, "shown", now, worker=worker, item=item)
    return item, False


def claimed(tx: sqlite3.Connection, worker: str, item: str, held: bool, now: Moment) -> ClaimedItem:
    """What a worker is given with an item that is theirs; `held`: they had it already."""
    row = tx.execute(
        "SELECT item.kind, item.data, assignment.token, assignment.shown_at, assignment.deadline, assignment.draft, "
        "(SELECT count(*) FROM assignment AS other WHERE other.worker = assignment.worker AND other.id <= assignment.id) AS number "
        "FROM assignment JOIN item ON item.id = assignment.item WHERE assignment.worker = ? AND assignment.item = ?",
        (worker, item),
    ).fetchone()
    return ClaimedItem(
        id=item,
        kind=row["kind"],
        token=row["token"],
        number=row["number"],
        shown_at=row["shown_at"],
        expires_in=max(0.0, row["deadline"] - now.ticks),
        held=held,
        data=json.loads(row["data"]),
        draft=json.loads(row["draft"] or "{}"),
    )


def at_the_end(tx: sqlite3.Connection, worker: str, settings: StudySettings, visit: str | None = None) -> str | None:
    """Why the settings give this worker nothing more: "screened_out" (failed the quiz, or too many attention checks), "complete"
    (has answered as many items as a worker, or a visit, may), or None."""
    if settings.quiz:
        sql = "SELECT total(json_extract(data, '$.passed')), count(*) FROM event WHERE worker = ? AND kind = 'quizzed'"
        passed, tries = tx.execute(sql, (worker,)).fetchone()
        if not passed and tries >= settings.quiz_tries:
            return "screened_out"
    if settings.max_failed_checks is not None:
        sql = (
            "SELECT count(*) FROM answer JOIN item ON item.id = answer.item "
            "WHERE answer.worker = ? AND answer.passed = 0 AND item.kind = 'attention'"
        )
        if tx.execute(sql, (worker,)).fetchone()[0] >= settings.max_failed_checks:
            return "screened_out"
    if settings.items_per_worker is not None and answered(tx, worker) >= settings.items_per_worker:
        return "complete"
    if settings.items_per_visit is not None and visit is not None and answered(tx, worker, visit) >= settings.items_per_visit:
        return "complete"
    return None


def answered(tx: sqlite3.Connection, worker: str, visit: str | None = None) -> int:
    """How many items the worker has answered, practice not counted; with `visit`, in that visit."""
    n: int = tx.execute(
        f"SELECT count(*) FROM assignment JOIN item ON item.id = assignment.item WHERE assignment.worker = :worker "
        f"AND item.kind <> 'practice' AND assignment.state IN {ANSWERED} AND (:visit IS NULL OR assignment.visit = :visit)",
        {"worker": worker, "visit": visit},
    ).fetchone()[0]
    return n


def is_there_more(tx: sqlite3.Connection, worker: str, settings: StudySettings, held: int = 0) -> bool:
    """Whether a claim would find something for this worker, limits aside; `held`: places that others hold."""
    reserved = tx.execute("SELECT 1 FROM assignment WHERE worker = ? AND state = 'reserved'", (worker,)).fetchone()
    return reserved is not None or _ran_out(tx, worker) is not None or _new(tx, worker, settings, held) is not None


def _new(tx: sqlite3.Connection, worker: str, settings: StudySettings, held: int) -> str | None:
    theirs = conditions.only(conditions.given(tx, worker, settings))
    if practice := _practice(tx, worker, theirs):
        return practice
    if check := _check_due(tx, worker, _done(tx, worker), settings, theirs):
        return check
    if held and not places.has_more_than(tx, held):
        return None
    for wanted in conditions.in_turn(tx, worker, settings):
        if item := _least_filled(tx, worker, conditions.only(wanted)):
            return item
    return None


def _done(tx: sqlite3.Connection, worker: str) -> dict[tuple[str, str], int]:
    """How many assignments the worker has, by kind of item and state."""
    rows = tx.execute(
        "SELECT item.kind, assignment.state, count(*) FROM assignment JOIN item ON item.id = assignment.item "
        "WHERE assignment.worker = ? GROUP BY 1, 2",
        (worker,),
    )
    return {(kind, state): n for kind, state, n in rows}


def _ran_out(tx: sqlite3.Connection, worker: str) -> str | None:
    row = tx.execute(
        "SELECT item.id FROM assignment JOIN item ON item.id = assignment.item WHERE assignment.worker = ? AND assignment.state = "
        "'expired' AND (item.wanted IS NULL OR item.filled < item.wanted) ORDER BY assignment.id DESC LIMIT 1",
        (worker,),
    ).fetchone()
    return None if row is None else row["id"]


_NOT_YET = "NOT EXISTS (SELECT 1 FROM assignment WHERE assignment.item = item.id AND assignment.worker = ?)"


def _practice(tx: sqlite3.Connection, worker: str, theirs: str) -> str | None:
    row = tx.execute(
        f"SELECT id FROM item WHERE kind = 'practice' AND kind <> 'item' AND (wanted IS NULL OR filled < wanted) AND {_NOT_YET}{theirs} "
        "ORDER BY position LIMIT 1",
        (worker,),
    ).fetchone()
    return None if row is None else row["id"]


def _check_due(
    tx: sqlite3.Connection, worker: str, done: Mapping[tuple[str, str], int], settings: StudySettings, theirs: str
) -> str | None:
    """A check after every `checks_every` items; the first one earlier, at a place that depends on the worker and the seed."""
    items = sum(n for (kind, state), n in done.items() if kind == "item" and state in ANSWERED)
    checks = sum(n for (kind, _), n in done.items() if kind in ("gold", "attention"))
    offset = zlib.crc32(f"{settings.seed}:{worker}".encode()) % settings.checks_every
    if checks >= (items + offset) // settings.checks_every:
        return None
    row = tx.execute(
        "SELECT id FROM item WHERE kind IN ('gold', 'attention') AND kind <> 'item' AND (wanted IS NULL OR filled < wanted) "
        f"AND {_NOT_YET}{theirs} ORDER BY filled, tie LIMIT 1",
        (worker,),
    ).fetchone()
    return None if row is None else row["id"]


def _least_filled(tx: sqlite3.Connection, worker: str, wanted: str) -> str | None:
    # The index item_open holds exactly the items with room, in this order: the first one that the worker has not had is the one.
    row = tx.execute(
        f"SELECT id FROM item WHERE kind = 'item' AND filled < wanted AND {_NOT_YET}{wanted} ORDER BY filled, tie LIMIT 1",
        (worker,),
    ).fetchone()
    return None if row is None else row["id"]


def expire(tx: sqlite3.Connection, now: Moment) -> list[tuple[str, str]]:
    """Take back what ran out: (item, worker) of every reservation that did."""
    rows = tx.execute(
        "SELECT item, worker FROM assignment WHERE state = 'reserved' AND deadline <= ? ORDER BY deadline, id", (now.ticks,)
    ).fetchall()
    for row in rows:
        let_go(tx, row["worker"], row["item"], "expired", now)
    return [(row["item"], row["worker"]) for row in rows]


def let_go(tx: sqlite3.Connection, worker: str, item: str, state: str, now: Moment) -> None:
    """End a reservation without an answer (`state` "expired" or "returned"); a late answer that waits gets the place."""
    tx.execute("UPDATE assignment SET state = ?, deadline = NULL WHERE worker = ? AND item = ?", (state, worker, item))
    record(tx, state, now, worker=worker, item=item)
    fill(tx, item, now)


def fill(tx: sqlite3.Connection, item: str, now: Moment) -> None:
    """Give free places on `item` to answers that came late when nobody was needed any more, oldest first."""
    while True:
        row = tx.execute(
            "SELECT assignment.worker FROM assignment JOIN item ON item.id = assignment.item "
            "JOIN worker ON worker.id = assignment.worker "
            "JOIN answer ON answer.item = assignment.item AND answer.worker = assignment.worker "
            "WHERE assignment.item = ? AND assignment.state = 'surplus' AND worker.state = 'active' "
            "AND (item.wanted IS NULL OR item.filled < item.wanted) ORDER BY answer.id LIMIT 1",
            (item,),
        ).fetchone()
        if row is None:
            return
        tx.execute("UPDATE assignment SET state = 'accepted' WHERE item = ? AND worker = ?", (item, row["worker"]))
        record(tx, "accepted", now, worker=row["worker"], item=item)


def touch(
    tx: sqlite3.Connection,
    worker: str,
    item: str,
    kind: str,
    now: Moment,
    settings: StudySettings,
    data: Mapping[str, Any] | None = None,
) -> float | None:
    """Write down a sign of life of `worker` at `item`, count its time, and put the end of a reservation off.

    Returns:
        Seconds since the last sign of life there, or None where the computer was started again in between.
    """
    row = tx.execute("SELECT state, active_ticks FROM assignment WHERE worker = ? AND item = ?", (worker, item)).fetchone()
    gap = None if row["active_ticks"] is None else max(0.0, now.ticks - row["active_ticks"])
    on_task = gap if gap is not None and gap <= settings.idle_seconds and row["state"] not in ANSWERED else 0.0
    deadline = now.ticks + settings.reservation_seconds if row["state"] == "reserved" else None
    tx.execute(
        "UPDATE assignment SET active_at = ?, active_ticks = ?, active_seconds = active_seconds + ?, deadline = ? "
        "WHERE worker = ? AND item = ?",
        (now.utc, now.ticks, on_task, deadline, worker, item),
    )
    record(tx, kind, now, worker=worker, item=item, seconds=gap, data=data)
    return gap


def record(
    tx: sqlite3.Connection,
    kind: str,
    now: Moment,
    *,
    worker: str | None = None,
    item: str | None = None,
    seconds: float | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to the audit trail."""
    tx.execute(
        "INSERT INTO event (at, kind, worker, item, seconds, data) VALUES (?, ?, ?, ?, ?, ?)",
        (now.utc, kind, worker, item, seconds, None if data is None else dumps(data)),
    )


def follow_clock(tx: sqlite3.Connection, boot: str, now: Moment, settings: StudySettings) -> None:
    """After a restart of the computer: move the deadlines to its new count of seconds, and forget ticks that mean nothing now.

    How long the computer was off, only the clock on the wall can say. It is believed within reason: a reservation is never taken
    to be younger than fresh or older than run out, however that clock was set.

    Args:
        boot: the boot that the ticks in the file belong to.
    """
    if same_boot(boot, now.boot):
        return
    for row in tx.execute("SELECT id, active_at FROM assignment WHERE state = 'reserved'").fetchall():
        age = min(max(0.0, seconds_of(now.utc) - seconds_of(row["active_at"])), settings.reservation_seconds)
        tx.execute("UPDATE assignment SET deadline = ? WHERE id = ?", (now.ticks + settings.reservation_seconds - age, row["id"]))
    tx.execute("UPDATE assignment SET shown_ticks = NULL, active_ticks = NULL")
    for table in ("place", "guess"):  # minutes, which a restart takes anyway
        tx.execute(f"DELETE FROM {table}")
    tx.execute("UPDATE study SET value = ? WHERE key = 'boot'", (dumps(now.boot),))
