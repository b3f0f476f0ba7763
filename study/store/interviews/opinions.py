"""The closing survey, answered in private: kept so that nobody reads it by participant, and shown as sums over several people only.

An answer lies under a token that is made of the participant's number with the study's secret key, without a time. It counts in the
sums once it is released: together with at least `TOGETHER` others, so that the sums before and after do not give one person's
answers away; when nobody is left who could still answer, together with at least `LAST_TOGETHER`.

What is chosen and not sent yet comes back only to the browser that chose it, by a key that this browser alone has: whoever invites
people knows their links.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from barlow_core.errors import BarlowError
from study.protocol import LEVELS, Protocol
from study.questionnaire import dumps, shown
from study.store import signing

TOGETHER, LAST_TOGETHER = 5, 3


def token_of(tx: sqlite3.Connection, number: int) -> str:
    """Where the opinion of a participant lies."""
    row = tx.execute("SELECT value FROM study WHERE key = ?", (signing.KEY,)).fetchone()
    return signing.sign(json.loads(row[0]), f"opinion {number}")


def draft(tx: sqlite3.Connection, number: int, key: str) -> dict[str, int]:
    """What was chosen with this key and not sent yet; nothing once it is sent, or with another key."""
    row = tx.execute("SELECT answers FROM interview_opinion WHERE token = ? AND NOT sent", (token_of(tx, number),)).fetchone()
    kept: dict[str, Any] = {"key": "", "chosen": {}} if row is None else json.loads(row[0])
    return dict(kept["chosen"]) if hmac.compare_digest(kept["key"], _hashed(key)) else {}


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def save(tx: sqlite3.Connection, number: int, answers: Mapping[str, Any], protocol: Protocol, key: str) -> None:
    """Keep what is chosen so far, for whoever has the key.

    Raises:
        BarlowError: a statement that there is not, or a level outside 1 to 5.
    """
    for statement, level in answers.items():
        if statement not in protocol.choices("statements"):
            raise BarlowError(f"There is no statement {shown(statement)} in the closing survey.")
        if type(level) is not int or not 1 <= level <= len(LEVELS):
            raise BarlowError(f"The answer to a statement is a whole number from 1 to {len(LEVELS)}, not {shown(level)}.")
    tx.execute(
        "INSERT INTO interview_opinion (token, answers) VALUES (?, ?) "
        "ON CONFLICT (token) DO UPDATE SET answers = excluded.answers WHERE NOT sent",
        (token_of(tx, number), dumps({"key": _hashed(key), "chosen": dict(answers)})),
    )


def send(tx: sqlite3.Connection, number: int) -> None:
    """The opinion is final."""
    token = token_of(tx, number)
    kept = tx.execute("SELECT answers FROM interview_opinion WHERE token = ? AND NOT sent", (token,)).fetchone()
    chosen = {} if kept is None else json.loads(kept[0])["chosen"]
    tx.execute(
        "INSERT INTO interview_opinion (token, answers, sent) VALUES (?, ?, 1) "
        "ON CONFLICT (token) DO UPDATE SET answers = excluded.answers, sent = 1 WHERE NOT sent",
        (token, dumps(chosen)),
    )


def release(tx: sqlite3.Connection) -> None:
    """Let waiting opinions count where there are enough of them."""
    waiting = tx.execute("SELECT count(*) FROM interview_opinion WHERE sent AND NOT released").fetchone()[0]
    counted = tx.execute("SELECT count(*) FROM interview_opinion WHERE released").fetchone()[0]
    open_ones = tx.execute(
        "SELECT count(*) FROM interview_participant WHERE state IN ('invited', 'registered', 'running') AND NOT surveyed"
    ).fetchone()[0]
    last = not open_ones and waiting >= LAST_TOGETHER and waiting + counted >= TOGETHER
    if waiting >= TOGETHER or last:
        tx.execute("UPDATE interview_opinion SET released = 1 WHERE sent")


def erase(tx: sqlite3.Connection, number: int) -> int:
    """Delete the opinion of a participant; how many there were."""
    if tx.execute("SELECT 1 FROM study WHERE key = ?", (signing.KEY,)).fetchone() is None:
        return 0  # a backup of an earlier version: there was no key to make a token with, so there are no opinions
    return tx.execute("DELETE FROM interview_opinion WHERE token = ?", (token_of(tx, number),)).rowcount


def counts(tx: sqlite3.Connection, protocol: Protocol) -> tuple[list[tuple[str, int, int]], int, int]:
    """(statement, level, how many chose it), in order, and how many opinions are counted, and how many wait."""
    rows = tx.execute("SELECT answers FROM interview_opinion WHERE released").fetchall()
    found = [json.loads(row[0]) for row in rows]
    waiting = tx.execute("SELECT count(*) FROM interview_opinion WHERE sent AND NOT released").fetchone()[0]
    levels = range(1, len(LEVELS) + 1)
    table = [
        (statement, level, sum(answers.get(statement) == level for answers in found))
        for statement, _ in protocol.statements
        for level in levels
    ]
    return table, len(found), int(waiting)
