"""The clock of a session: seconds that ran, without breaks. Setting the computer's clock does not move it, a restart does not stop it."""

from __future__ import annotations

import sqlite3

from study.store.clock import Moment, same_boot, seconds_of


def seconds(row: sqlite3.Row, now: Moment) -> float:
    """What the clock of a row of `interview_participant` shows."""
    if row["running_at"] is None:
        return float(row["elapsed"])
    if same_boot(row["running_boot"], now.boot):
        since = now.ticks - row["running_ticks"]
    else:  # the computer was restarted: only the clock on the wall knows for how long
        since = seconds_of(now.utc) - seconds_of(row["running_at"])
    return float(row["elapsed"]) + max(0.0, since)


def run(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """Let it run on."""
    tx.execute(
        "UPDATE interview_participant SET running_at = ?, running_ticks = ?, running_boot = ? WHERE id = ? AND running_at IS NULL",
        (now.utc, now.ticks, now.boot, number),
    )


def stop(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """Let it stand."""
    row = tx.execute("SELECT * FROM interview_participant WHERE id = ?", (number,)).fetchone()
    tx.execute(
        "UPDATE interview_participant SET elapsed = ?, running_at = NULL, running_ticks = NULL, running_boot = NULL WHERE id = ?",
        (seconds(row, now), number),
    )
