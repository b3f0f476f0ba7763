"""The session of a participant: parts that can be moved, a clock with breaks, and the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from barlow_core.errors import BarlowError
from study.errors import RefusedError
from study.protocol import PART_IDS, check_minutes
from study.questionnaire import dumps, shown
from study.store.clock import Moment
from study.store.interviews import clock, opinions
from study.store.interviews.people import Participant, record, require_taking_part


def start(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """Begin with the first part of the plan; whoever has begun goes on."""
    found = require_taking_part(tx, number, now)
    if found.state != "registered":
        return
    first = found.plan[0][0]
    tx.execute("UPDATE interview_participant SET state = 'running', part = ? WHERE id = ?", (first, number))
    clock.run(tx, number, now)
    record(tx, number, "started", now, {"part": first}, 0.0)


def move(tx: sqlite3.Connection, number: int, part: str, now: Moment) -> None:
    """Go to a part, forward or back."""
    found = _running(tx, number, now)
    if part not in PART_IDS:
        raise BarlowError(f"There is no part {shown(part)}. Expected one of: {', '.join(PART_IDS)}.")
    if part != found.part:
        tx.execute("UPDATE interview_participant SET part = ?, looks_at = NULL WHERE id = ?", (part, number))
        record(tx, number, "part", now, {"part": part, "from": found.part}, found.seconds)


def set_plan(tx: sqlite3.Connection, number: int, plan: Sequence[tuple[str, float]], now: Moment) -> None:
    """Give the parts another order or other lengths."""
    found = require_taking_part(tx, number, now)
    if sorted(part for part, _ in plan) != sorted(PART_IDS):
        raise BarlowError(f"A plan has every part once: {', '.join(PART_IDS)}. Found: {', '.join(part for part, _ in plan)}.")
    for part, minutes in plan:
        check_minutes(minutes, part)
    changed = tuple((part, float(minutes)) for part, minutes in plan)
    if changed != found.plan:
        tx.execute("UPDATE interview_participant SET plan = ? WHERE id = ?", (dumps(changed), number))
        record(tx, number, "planned", now, {"plan": changed, "before": found.plan}, found.seconds)


def take_break(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """Stop the clock until somebody goes on."""
    found = _running(tx, number, now)
    if not found.on_break:
        clock.stop(tx, number, now)
        record(tx, number, "break", now, None, found.seconds)


def go_on(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """Let the clock run again."""
    found = _running(tx, number, now)
    if found.on_break:
        clock.run(tx, number, now)
        record(tx, number, "resumed", now, None, found.seconds)


def look(tx: sqlite3.Connection, number: int, what: dict[str, Any], now: Moment) -> None:
    """Write down what is on the participant's screen, for the second one."""
    found = require_taking_part(tx, number, now)
    if dict(found.looks_at) != what:
        tx.execute("UPDATE interview_participant SET looks_at = ? WHERE id = ?", (dumps(what), number))


def send_survey(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """The closing survey is sent, and the session ends."""
    found = _running(tx, number, now)
    if not found.surveyed:
        opinions.send(tx, number)
        tx.execute("UPDATE interview_participant SET surveyed = 1 WHERE id = ?", (number,))
        record(tx, number, "surveyed", now, None, found.seconds)
        opinions.release(tx)


def finish(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """End the session, whatever is left open."""
    found = require_taking_part(tx, number, now)
    if found.state == "finished":
        return
    clock.stop(tx, number, now)
    tx.execute("UPDATE interview_participant SET state = 'finished', finished_at = ? WHERE id = ?", (now.utc, number))
    record(tx, number, "finished", now, None, found.seconds)
    opinions.release(tx)


def reopen(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """Go on with a session that was ended too early."""
    found = require_taking_part(tx, number, now)
    if found.state == "finished":
        tx.execute("UPDATE interview_participant SET state = 'running', finished_at = NULL WHERE id = ?", (number,))
        if found.part is None:
            tx.execute("UPDATE interview_participant SET part = ? WHERE id = ?", (found.plan[0][0], number))
        clock.run(tx, number, now)
        record(tx, number, "reopened", now, None, found.seconds)


def _running(tx: sqlite3.Connection, number: int, now: Moment) -> Participant:
    found = require_taking_part(tx, number, now)
    if found.state != "running":
        what = "has not begun" if found.state == "registered" else "is over"
        raise RefusedError(f"The session of {found.name} {what}.")
    return found
