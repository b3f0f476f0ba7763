"""An answer on its way into the file: drafts, sending, sending again, changing it later."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from study.errors import RefusedError
from study.questionnaire import cannot_be_kept, dumps, shown
from study.store import assignment, rules
from study.store.clock import Moment
from study.store.settings import StudySettings

MAX_TOKEN = 200


@dataclass(frozen=True)
class StoredAnswer:
    """An answer as it stands in the file.

    Attributes:
        answers: by question, as typed.
        state: "accepted" (counts), "surplus" (came late, when nobody was needed any more; counts as soon as a place becomes free),
            or "discarded" (the worker was blocked for it, or it was rejected).
        late: sent after the reservation had run out.
        payable: it is paid, whatever its state; practice is not.
        passed: whether it agrees with the expected answers; None where none are expected.
        seconds: time on task; elapsed_seconds: from the first look to the sending, None after a restart of the computer in between.
        replayed: it was in the file already and this call changed nothing.
        as_sent: whether it says what this call said; False when a second tab sends something else for the same item.
    """

    item: str
    worker: str
    kind: str
    answers: Mapping[str, Any]
    state: str
    late: bool
    payable: bool
    passed: bool | None
    submitted_at: str
    edited_at: str | None
    seconds: float
    elapsed_seconds: float | None
    replayed: bool = False
    as_sent: bool = True


def stored(tx: sqlite3.Connection, worker: str, item: str, settings: StudySettings) -> StoredAnswer | None:
    """The answer of `worker` to `item`, or None."""
    row = tx.execute(
        "SELECT answer.*, assignment.state, assignment.payable, item.kind FROM answer "
        "JOIN assignment ON assignment.item = answer.item AND assignment.worker = answer.worker "
        "JOIN item ON item.id = answer.item WHERE answer.worker = ? AND answer.item = ?",
        (worker, item),
    ).fetchone()
    if row is None:
        return None
    return StoredAnswer(
        item=item,
        worker=worker,
        kind=row["kind"],
        answers={name: row[name] for name in settings.questionnaire.ids},
        state=row["state"],
        late=bool(row["late"]),
        payable=bool(row["payable"]),
        passed=None if row["passed"] is None else bool(row["passed"]),
        submitted_at=row["submitted_at"],
        edited_at=row["edited_at"],
        seconds=row["seconds"],
        elapsed_seconds=row["elapsed_seconds"],
    )


def history(tx: sqlite3.Connection, worker: str, visit: str | None, settings: StudySettings) -> list[StoredAnswer]:
    """The answers of `worker`, the last one first; with `visit`, those of that visit."""
    sent = tx.execute(
        "SELECT answer.item FROM answer JOIN assignment ON assignment.item = answer.item AND assignment.worker = answer.worker "
        "WHERE answer.worker = :worker AND (:visit IS NULL OR assignment.visit = :visit) ORDER BY answer.id DESC",
        {"worker": worker, "visit": visit},
    ).fetchall()
    found = [stored(tx, worker, row["item"], settings) for row in sent]
    return [one for one in found if one is not None]


def draft(tx: sqlite3.Connection, worker: str, item: str) -> dict[str, Any]:
    """What `worker` has typed for `item` and not sent yet."""
    row = tx.execute("SELECT draft FROM assignment WHERE worker = ? AND item = ?", (worker, item)).fetchone()
    found: dict[str, Any] = {} if row is None or row["draft"] is None else json.loads(row["draft"])
    return found


def submit(
    tx: sqlite3.Connection,
    worker: str,
    item: str,
    answers: dict[str, Any],
    token: str | None,
    now: Moment,
    settings: StudySettings,
    signs: Mapping[str, Any],
) -> StoredAnswer:
    """Keep validated answers; see `StudyStore.submit`."""
    given = _assignment(tx, worker, item)
    _check_token(tx, given, token)
    if (before := stored(tx, worker, item, settings)) is not None:
        return _again(tx, given, before, answers, token)
    _require_active(tx, worker)
    ticks = now.ticks
    late = given["state"] != "reserved" or given["deadline"] <= ticks
    elapsed = None if given["shown_ticks"] is None else max(0.0, ticks - given["shown_ticks"])
    about = tx.execute("SELECT id, kind, expected, wanted, filled FROM item WHERE id = ?", (item,)).fetchone()
    flags = rules.broken(tx, worker, about, answers, elapsed, signs, settings)
    assignment.touch(tx, worker, item, "submitted", now, settings, {"late": True} if late else None)
    if flags:
        assignment.record(tx, "flagged", now, worker=worker, item=item, data={"rules": flags})
    room = given["state"] == "reserved" or about["wanted"] is None or about["filled"] < about["wanted"]
    tx.execute(
        "UPDATE assignment SET state = ?, deadline = NULL, draft = NULL, payable = ? WHERE id = ?",
        ("accepted" if room else "surplus", int(about["kind"] != "practice"), given["id"]),
    )
    row = {
        "item": item,
        "worker": worker,
        **answers,
        "submitted_at": now.utc,
        "late": int(late),
        "passed": _passed(about["expected"], answers, settings),
        "seconds": tx.execute("SELECT active_seconds FROM assignment WHERE id = ?", (given["id"],)).fetchone()[0],
        "elapsed_seconds": elapsed,
        "token": token,
    }
    columns = ", ".join(f'"{name}"' for name in row)
    tx.execute(f"INSERT INTO answer ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))
    made = stored(tx, worker, item, settings)
    assert made is not None
    return made


def _again(
    tx: sqlite3.Connection, given: sqlite3.Row, before: StoredAnswer, answers: Mapping[str, Any], token: str | None
) -> StoredAnswer:
    """A submit for an item that has been answered: the same one once more is fine, another one does not overwrite the first."""
    kept = tx.execute("SELECT token FROM answer WHERE item = ? AND worker = ?", (given["item"], given["worker"])).fetchone()[
        "token"
    ]
    as_sent = dict(before.answers) == dict(answers)
    if as_sent or (token is not None and token == kept):
        return replace(before, replayed=True, as_sent=as_sent)
    raise RefusedError(
        f"Item {shown(given['item'])} has been answered already, and the first answer stands. To change it, go back to it and edit it."
    )


def edit(
    tx: sqlite3.Connection,
    worker: str,
    item: str,
    answers: dict[str, Any],
    token: str | None,
    now: Moment,
    settings: StudySettings,
) -> StoredAnswer:
    """Replace an answer; see `StudyStore.edit`."""
    given = _assignment(tx, worker, item)
    _check_token(tx, given, token)
    before = stored(tx, worker, item, settings)
    if before is None:
        raise RefusedError(f"Item {shown(item)} has no answer yet that could be changed. Send one first.")
    _require_active(tx, worker)
    if before.kind != "item":
        raise RefusedError(f"Item {shown(item)} is {before.kind}: the first answer to it counts, and is not changed.")
    if given["rejected"]:
        raise RefusedError(f"The answer to item {shown(item)} was rejected, and is not changed any more.")
    changed = {name: before.answers[name] for name, value in answers.items() if before.answers[name] != value}
    if not changed:
        return replace(before, replayed=True)
    expected = tx.execute("SELECT expected FROM item WHERE id = ?", (item,)).fetchone()["expected"]
    columns = ", ".join(f'"{name}" = ?' for name in answers)
    tx.execute(
        f"UPDATE answer SET {columns}, edited_at = ?, passed = ? WHERE item = ? AND worker = ?",
        (*answers.values(), now.utc, _passed(expected, answers, settings), item, worker),
    )
    tx.execute("UPDATE assignment SET draft = NULL WHERE id = ?", (given["id"],))
    assignment.touch(tx, worker, item, "edited", now, settings, {"before": changed})
    made = stored(tx, worker, item, settings)
    assert made is not None
    return made


def save_draft(
    tx: sqlite3.Connection, worker: str, item: str, draft: dict[str, Any], now: Moment, settings: StudySettings
) -> bool:
    """Keep what has been typed so far; see `StudyStore.save_draft`."""
    given = _assignment(tx, worker, item)
    _require_active(tx, worker)
    if given["state"] not in ("reserved", "expired"):
        return False
    begun = "SELECT 1 FROM event WHERE worker = ? AND item = ? AND kind = 'started'"
    if tx.execute(begun, (worker, item)).fetchone() is None:
        assignment.touch(tx, worker, item, "started", now, settings)
    tx.execute("UPDATE assignment SET draft = ? WHERE id = ?", (dumps(draft), given["id"]))
    assignment.touch(tx, worker, item, "draft", now, settings)
    return True


def sign_of_life(
    tx: sqlite3.Connection,
    worker: str,
    item: str,
    kind: str,
    now: Moment,
    settings: StudySettings,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write down that the worker does something at an item that they were given."""
    _assignment(tx, worker, item)
    _require_active(tx, worker)
    assignment.touch(tx, worker, item, kind, now, settings, data)


def give_back(tx: sqlite3.Connection, worker: str, item: str, now: Moment) -> None:
    """End a reservation on the wish of the worker; see `StudyStore.give_back`."""
    given = _assignment(tx, worker, item)
    if given["state"] in assignment.ANSWERED:
        raise RefusedError(f"Item {shown(item)} has been answered already; it cannot be given back.")
    kind = tx.execute("SELECT kind FROM item WHERE id = ?", (item,)).fetchone()["kind"]
    if kind != "item":
        raise RefusedError(f"Item {shown(item)} is {kind}, which everybody answers; it cannot be given back.")
    if given["state"] != "returned":
        assignment.let_go(tx, worker, item, "returned", now)


def _assignment(tx: sqlite3.Connection, worker: str, item: str) -> sqlite3.Row:
    """The assignment of `item` to `worker`, or a refusal that says what is missing."""
    row: sqlite3.Row | None = None
    if all(isinstance(name, str) and not cannot_be_kept(name) for name in (worker, item)):
        row = tx.execute("SELECT * FROM assignment WHERE item = ? AND worker = ?", (item, worker)).fetchone()
    if row is None:
        raise RefusedError(
            f"Item {shown(item)} was not given to worker {shown(worker)}, so no answer to it is expected from them. "
            "Claim an item first and answer that one."
        )
    if row["state"] == "withdrawn":
        raise RefusedError(f"Worker {shown(worker)} has withdrawn from the study; nothing more of theirs is kept.")
    return row


def _require_active(tx: sqlite3.Connection, worker: str) -> None:
    state = tx.execute("SELECT state FROM worker WHERE id = ?", (worker,)).fetchone()["state"]
    if state == "blocked":
        raise RefusedError(f"Worker {shown(worker)} is blocked and cannot answer any more. What was sent before is paid.")
    if state == "withdrawn":
        raise RefusedError(f"Worker {shown(worker)} has withdrawn from the study; nothing more of theirs is kept.")


def _check_token(tx: sqlite3.Connection, given: sqlite3.Row, token: str | None) -> None:
    """A token of this store must be the one of this assignment; any other text is the caller's own, and is used for one answer only."""
    if token is None or token == given["token"]:
        return
    if not isinstance(token, str) or not token or len(token) > MAX_TOKEN or cannot_be_kept(token):
        raise RefusedError(f"The token {shown(token)} is none: expected a text of 1 to {MAX_TOKEN} characters.")
    row = tx.execute("SELECT item, worker FROM answer WHERE token = ?", (token,)).fetchone()
    foreign = row is not None and (row["item"], row["worker"]) != (given["item"], given["worker"])
    if token.startswith(assignment.TOKEN_PREFIX) or foreign:
        raise RefusedError(
            f"The token {shown(token)} does not belong to item {shown(given['item'])} and worker {shown(given['worker'])}. "
            "Load the page again and send the answer from there."
        )


def _passed(expected: str | None, answers: Mapping[str, Any], settings: StudySettings) -> int | None:
    return None if expected is None else int(settings.questionnaire.agrees(json.loads(expected), answers))
