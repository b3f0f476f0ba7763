"""The closing survey, answered in private: kept so that nobody reads it by participant, and shown as sums over several people only.

An answer lies under a token that is made of the participant's number with the study's secret key, without a time. It counts in the
sums once it is released: together with at least `TOGETHER` others, so that the sums before and after do not give one person's
answers away; when nobody is left who could still answer, together with at least `LAST_TOGETHER`.
"""

from __future__ import annotations

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


def draft(tx: sqlite3.Connection, number: int) -> dict[str, int]:
    """What the participant has chosen and not sent yet, for their own page; nothing once it is sent."""
    row = tx.execute("SELECT answers FROM interview_opinion WHERE token = ? AND NOT sent", (token_of(tx, number),)).fetchone()
    return {} if row is None else dict(json.loads(row[0]))


def save(tx: sqlite3.Connection, number: int, answers: Mapping[str, Any], protocol: Protocol) -> None:
    """Keep what is chosen so far.

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
        (token_of(tx, number), dumps(dict(answers))),
    )


def send(tx: sqlite3.Connection, number: int) -> None:
    """The opinion is final."""
    token = token_of(tx, number)
    tx.execute("INSERT INTO interview_opinion (token, answers) VALUES (?, '{}') ON CONFLICT (token) DO NOTHING", (token,))
    tx.execute("UPDATE interview_opinion SET sent = 1 WHERE token = ?", (token,))


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
