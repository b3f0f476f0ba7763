"""Is there room for somebody new? Asked before consent, and a place is held from there on for a stated time.

A place is one answer that some item still wants. What stands in the file about whoever holds it is the study's signature of their id,
so that a visitor who has not agreed yet leaves nothing behind, and a reload finds the same place. It ends when they get their first
item, when they decline, or when its time is up.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from study.store.clock import Moment


@dataclass(frozen=True)
class Places:
    """Room in a study.

    Attributes:
        free: answers that are wanted and that nobody has, works on, or holds a place for.
        taken: answers that are wanted, but that somebody works on or holds a place for at the moment; they may become free.
    """

    free: int
    taken: int

    @property
    def state(self) -> str:
        """ "open", "reserved" (all are taken for the moment, and may come back) or "full"."""
        return "open" if self.free else "reserved" if self.taken else "full"


def places(tx: sqlite3.Connection, now: Moment, mine: str | None = None) -> Places:
    """Room for somebody who may hold the place `mine` already."""
    open_, reserved = tx.execute(
        "SELECT coalesce(sum(wanted - filled), 0), (SELECT count(*) FROM assignment JOIN item ON item.id = assignment.item "
        "WHERE assignment.state = 'reserved' AND item.kind = 'item' AND deadline > ?) FROM item WHERE kind = 'item' AND filled < wanted",
        (now.ticks,),
    ).fetchone()
    held = min(held_by_others(tx, now, mine), open_)
    return Places(open_ - held, reserved + held)


def hold(tx: sqlite3.Connection, token: str, now: Moment, seconds: float) -> Places:
    """Hold a place, or put its end off, where there is one; see `StudyStore.hold_place`."""
    tx.execute("DELETE FROM place WHERE deadline <= ?", (now.ticks,))
    found = places(tx, now, token)
    if found.free:
        tx.execute(
            "INSERT INTO place (token, deadline) VALUES (?, ?) ON CONFLICT (token) DO UPDATE SET deadline = excluded.deadline",
            (token, now.ticks + seconds),
        )
    return found


def put_off(tx: sqlite3.Connection, token: str, now: Moment, seconds: float) -> None:
    """Somebody who holds a place is still there."""
    tx.execute("UPDATE place SET deadline = ? WHERE token = ?", (now.ticks + seconds, token))


def let_go(tx: sqlite3.Connection, token: str) -> None:
    tx.execute("DELETE FROM place WHERE token = ?", (token,))


def held_by_others(tx: sqlite3.Connection, now: Moment, mine: str | None) -> int:
    """Places that are held by anybody but the holder of `mine`."""
    sql = "SELECT count(*) FROM place WHERE deadline > ? AND token IS NOT ?"
    n: int = tx.execute(sql, (now.ticks, mine)).fetchone()[0]
    return n


def has_more_than(tx: sqlite3.Connection, n: int) -> bool:
    """Whether more than `n` answers are open; looks at no more items than it must."""
    if n == 0:
        return tx.execute("SELECT 1 FROM item WHERE kind = 'item' AND filled < wanted LIMIT 1").fetchone() is not None
    sql = "SELECT count(*) FROM (SELECT 1 FROM item WHERE kind = 'item' AND filled < wanted LIMIT ?)"
    if tx.execute(sql, (n + 1,)).fetchone()[0] > n:
        return True
    return bool(
        tx.execute("SELECT total(wanted - filled) > ? FROM item WHERE kind = 'item' AND filled < wanted", (n,)).fetchone()[0]
    )
