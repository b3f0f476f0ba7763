"""Workers in the study file: joining, being blocked and let in again, leaving with everything that they wrote."""

from __future__ import annotations

import json
import secrets
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from barlow_core.errors import BarlowError
from study.errors import RefusedError
from study.questionnaire import dumps, shown
from study.store import assignment, pay, rules
from study.store.clock import Moment
from study.store.items import check_id, storable_json
from study.store.settings import StudySettings

OUTCOMES = ("complete", "partial", "returned", "screened_out", "unqualified", "settled", "refused", "full")  # of a visit


@dataclass(frozen=True)
class Worker:
    """A worker as the study file knows them.

    Attributes:
        id: as the platform gave it; pseudonym: a random name that stands for it in exports.
        state: "active", "blocked" or "withdrawn".
        simulated: not a person.
        platform, details: where they came from, and what that place told about them.
    """

    id: str
    pseudonym: str
    state: str
    simulated: bool
    joined_at: str
    platform: str | None
    details: Mapping[str, Any]


def find(tx: sqlite3.Connection, worker: str) -> Worker | None:
    row = tx.execute("SELECT * FROM worker WHERE id = ?", (check_id(worker, "Worker"),)).fetchone()
    if row is None:
        return None
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118 (iterating a row gives its values)
    return Worker(**(values | {"simulated": bool(row["simulated"]), "details": json.loads(row["details"])}))


def join(
    tx: sqlite3.Connection,
    worker: str,
    now: Moment,
    *,
    simulated: bool | None = None,
    platform: str | None = None,
    details: Mapping[str, Any] | None = None,
    duplicates: str = "off",
) -> Worker:
    """The worker of that id, who joins now if they are new; see `StudyStore.register`.

    Args:
        duplicates: what to do about somebody who comes from the device of another worker, see `study.store.rules`.
    """
    known = find(tx, worker)
    if known is None:
        device = (details or {}).get("device")
        twice = duplicates != "off" and isinstance(device, str) and bool(rules.same_device(tx, worker, device))
        if twice and duplicates == "refuse":
            raise RefusedError(f"Worker {shown(worker)} comes from the device of somebody who takes part already.")
        tx.execute(
            "INSERT INTO worker (id, pseudonym, simulated, joined_at, platform, details) VALUES (?, ?, ?, ?, ?, ?)",
            (
                worker,
                f"w-{secrets.token_hex(6)}",
                int(bool(simulated)),
                now.utc,
                platform,
                storable_json(details or {}, "Worker"),
            ),
        )
        assignment.record(tx, "joined", now, worker=worker)
        if twice:
            assignment.record(tx, "flagged", now, worker=worker, data={"rules": ["duplicates"]})
    elif simulated is not None and simulated != known.simulated:
        raise RefusedError(
            f"Worker {shown(worker)} is in the study as {'a simulated' if known.simulated else 'a real'} participant and stays that. "
            "Use another id."
        )
    elif platform is not None or details is not None:
        tx.execute(
            "UPDATE worker SET platform = coalesce(?, platform), details = ? WHERE id = ?",
            (platform, storable_json({**known.details, **(details or {})}, "Worker"), worker),
        )
    found = find(tx, worker)
    assert found is not None
    return found


def require(tx: sqlite3.Connection, worker: str) -> Worker:
    """The worker of that id.

    Raises:
        RefusedError: nobody of that id has taken part.
    """
    known = find(tx, worker)
    if known is None:
        raise RefusedError(f"No worker {shown(worker)} has taken part in this study. Look at the ids: StudyStore.workers().")
    return known


def require_welcome(worker: Worker) -> None:
    """Raise a RefusedError unless the worker may go on."""
    if worker.state == "blocked":
        raise RefusedError(f"Worker {shown(worker.id)} is blocked and gets no more items. What was sent before is paid.")
    if worker.state == "withdrawn":
        raise RefusedError(f"Worker {shown(worker.id)} has withdrawn from the study; nothing more of theirs is kept.")


def block(tx: sqlite3.Connection, worker: str, reason: str, discard: bool, now: Moment) -> None:
    """Stop a worker; see `StudyStore.block`."""
    if require(tx, worker).state == "withdrawn":
        raise RefusedError(f"Worker {shown(worker)} has withdrawn already and gets no more items.")
    tx.execute("UPDATE worker SET state = 'blocked' WHERE id = ?", (worker,))
    assignment.record(tx, "blocked", now, worker=worker, data={"reason": reason, "discard": discard})
    held = tx.execute("SELECT item FROM assignment WHERE worker = ? AND state = 'reserved'", (worker,)).fetchone()
    if held is not None:
        assignment.let_go(tx, worker, held["item"], "expired", now)
    if discard:
        for item in _items_in(tx, worker, "accepted", "surplus"):
            tx.execute("UPDATE assignment SET state = 'discarded' WHERE worker = ? AND item = ?", (worker, item))
            assignment.record(tx, "discarded", now, worker=worker, item=item)
            assignment.fill(tx, item, now)


def reject(tx: sqlite3.Connection, worker: str, item: str, reason: str, now: Moment) -> None:
    """Let one answer count no more; see `StudyStore.reject`."""
    require(tx, worker)
    given = _given(tx, worker, item)
    if given is None or given["state"] not in ("accepted", "surplus", "discarded"):
        raise RefusedError(f"There is no answer of worker {shown(worker)} to item {shown(item)} that could be rejected.")
    if given["rejected"]:
        return
    tx.execute("UPDATE assignment SET state = 'discarded', rejected = 1 WHERE id = ?", (given["id"],))
    assignment.record(tx, "rejected", now, worker=worker, item=item, data={"reason": reason})
    assignment.fill(tx, item, now)


def reopen_item(tx: sqlite3.Connection, worker: str, item: str, now: Moment) -> None:
    """Take a rejection back, or offer a worker once more what they skipped; see `StudyStore.reopen`."""
    if require(tx, worker).state == "withdrawn":
        raise RefusedError(f"Worker {shown(worker)} has withdrawn; nothing of theirs is kept that could be reopened.")
    given = _given(tx, worker, item)
    if given is None:
        raise RefusedError(f"Item {shown(item)} was never given to worker {shown(worker)}, so there is nothing to reopen.")
    if given["rejected"]:
        tx.execute("UPDATE assignment SET state = 'surplus', rejected = 0 WHERE id = ?", (given["id"],))
        assignment.record(tx, "reopened", now, worker=worker, item=item)
        assignment.fill(tx, item, now)
    elif given["state"] == "returned":
        tx.execute("UPDATE assignment SET state = 'expired' WHERE id = ?", (given["id"],))
        assignment.record(tx, "reopened", now, worker=worker, item=item)
    elif given["state"] not in ("reserved", "expired"):
        raise RefusedError(f"The answer of worker {shown(worker)} to item {shown(item)} counts; there is nothing to reopen.")


def _given(tx: sqlite3.Connection, worker: str, item: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = tx.execute("SELECT * FROM assignment WHERE worker = ? AND item = ?", (worker, item)).fetchone()
    return row


def reopen(tx: sqlite3.Connection, worker: str, now: Moment) -> None:
    """Let a blocked worker in again; see `StudyStore.reopen`."""
    known = require(tx, worker)
    if known.state == "withdrawn":
        raise RefusedError(f"Worker {shown(worker)} has withdrawn; only they could decide otherwise, under a new id.")
    if known.state == "active":
        return
    tx.execute("UPDATE worker SET state = 'active' WHERE id = ?", (worker,))
    assignment.record(tx, "reopened", now, worker=worker)
    for item in _items_in(tx, worker, "discarded", "surplus"):
        tx.execute("UPDATE assignment SET state = 'surplus' WHERE worker = ? AND item = ?", (worker, item))
        assignment.fill(tx, item, now)


def erase(tx: sqlite3.Connection, pseudonym: str, forget: bool, now: Moment) -> int:
    """Delete everything that a worker wrote and did; how many answers those were.

    What stays: that this worker took part and has withdrawn, and for how many items they are paid; with `forget`, not even their id.
    """
    row = tx.execute("SELECT id, state FROM worker WHERE pseudonym = ?", (pseudonym,)).fetchone()
    if row is None:
        return 0
    worker = row["id"]
    items = _items_in(tx, worker, "reserved", "accepted")
    n_answers = tx.execute("DELETE FROM answer WHERE worker = ?", (worker,)).rowcount
    # That a visit was sent in stays, as it says what the platform has paid already; of whoever is forgotten, without its names.
    tx.execute("DELETE FROM event WHERE worker = ? AND kind NOT IN ('withdrawn', 'finished')", (worker,))
    if forget:
        _forget_visits(tx, worker)
    tx.execute(
        "UPDATE assignment SET state = 'withdrawn', draft = NULL, deadline = NULL, shown_ticks = NULL, active_ticks = NULL, "
        "active_seconds = 0, active_at = shown_at, visit = iif(?, NULL, visit) WHERE worker = ?",
        (forget, worker),
    )
    tx.execute("UPDATE worker SET state = 'withdrawn', details = '{}' WHERE id = ?", (worker,))
    if forget and worker != pseudonym:
        _forget_invite(tx, worker)
        tx.execute("UPDATE payment SET visit = NULL WHERE worker = ?", (worker,))
        tx.execute("UPDATE worker SET id = pseudonym, platform = NULL WHERE id = ?", (worker,))
        worker = pseudonym
    if row["state"] != "withdrawn":
        assignment.record(tx, "withdrawn", now, worker=worker)
    for item in items:
        assignment.fill(tx, item, now)
    return n_answers


def _forget_visits(tx: sqlite3.Connection, worker: str) -> None:
    """Number what the platform called a worker's submissions, which stays enough to know which of them it paid for."""
    rows = tx.execute("SELECT id, data FROM event WHERE worker = ? AND kind = 'finished' ORDER BY id", (worker,)).fetchall()
    numbers: dict[object, str] = {None: ""}
    for row in rows:
        about = json.loads(row["data"])
        reward = numbers.setdefault(about.get("reward"), f"submission {len(numbers)}")
        tx.execute(
            "UPDATE event SET data = ? WHERE id = ?", (dumps(about | {"visit": None, "reward": reward or None}), row["id"])
        )


def _forget_invite(tx: sqlite3.Connection, worker: str) -> None:
    """Take the id off the list of invite codes, where it is one: whoever is forgotten is on no list."""
    row = tx.execute("SELECT value FROM study WHERE key = 'invite_codes'").fetchone()
    codes = [] if row is None else json.loads(row["value"])
    if worker in codes:
        left = dumps([code for code in codes if code != worker])
        tx.execute("UPDATE study SET value = ? WHERE key = 'invite_codes'", (left,))
        tx.execute("UPDATE study SET value = ? WHERE key = 'revision'", (dumps(uuid.uuid4().hex),))


def finish(
    tx: sqlite3.Connection, worker: str, outcome: str, visit: str | None, reward: str | None, now: Moment, settings: StudySettings
) -> str:
    """Write down how a visit ended; see `StudyStore.finish`."""
    if outcome not in OUTCOMES:
        raise BarlowError(f"The outcome is one of {', '.join(OUTCOMES)}, not {shown(outcome)}.")
    known = require(tx, worker)
    if known.state == "withdrawn":
        return "refused"
    held = tx.execute("SELECT item FROM assignment WHERE worker = ? AND state = 'reserved'", (worker,)).fetchone()
    if held is not None:
        assignment.let_go(tx, worker, held["item"], "expired", now)
    if outcome == "screened_out" and not assignment.answered(tx, worker):
        outcome = "unqualified"  # by the quiz: nothing was sent that could be paid
    # A platform hears of one way out for each submission; whoever comes back afterwards is shown the same one again.
    sql = (
        "SELECT data FROM event WHERE worker = ? AND kind = 'finished' AND json_extract(data, '$.exit') IS NOT NULL "
        "AND coalesce(json_extract(data, '$.reward'), '') = ? ORDER BY id LIMIT 1"
    )
    first = tx.execute(sql, (worker, reward or "")).fetchone()
    if first is not None:
        return str(json.loads(first["data"])["outcome"])
    way_out = pay.way_out(outcome, known.platform, settings)
    if way_out is not None and not pay.account(tx, worker, settings).can_be_paid(settings.pays_for(way_out)):
        # Somebody was paid for what they had sent, and came back: the reward would pay it once more.
        outcome, way_out = "settled", None
    data = {"outcome": outcome, "visit": visit, "reward": reward, "exit": way_out}
    sql = "SELECT data FROM event WHERE worker = ? AND kind = 'finished' AND json_extract(data, '$.visit') IS ? ORDER BY id DESC LIMIT 1"
    last = tx.execute(sql, (worker, visit)).fetchone()
    if last is None or json.loads(last["data"]) != data:
        assignment.record(tx, "finished", now, worker=worker, data=data)
    return outcome


def _items_in(tx: sqlite3.Connection, worker: str, *states: str) -> list[str]:
    marks = ", ".join("?" * len(states))
    sql = f"SELECT item FROM assignment WHERE worker = ? AND state IN ({marks}) AND NOT rejected ORDER BY id"
    rows = tx.execute(sql, (worker, *states))
    return [row["item"] for row in rows.fetchall()]
