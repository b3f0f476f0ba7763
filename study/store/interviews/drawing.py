"""Which two groupings a participant sees: the first one easy, the second one any other, both as evenly spread as can be.

Among the groupings that the fewest participants have at that place, one is drawn. The draw of a participant depends on the seed of the
protocol, on their number and on who came before, and is written into the audit trail with what it chose from.
"""

from __future__ import annotations

import random
import sqlite3
from typing import Any


def draw(tx: sqlite3.Connection, number: int, seed: int) -> dict[str, Any]:
    """Assign two groupings to a participant; what to write down of it."""
    rng = random.Random(f"{seed} {number}")
    rows = tx.execute("SELECT id, easy FROM interview_grouping ORDER BY position").fetchall()
    drawn: dict[str, Any] = {"seed": seed}
    taken: list[str] = []
    for place, name in ((1, "first"), (2, "second")):
        possible = [row["id"] for row in rows if row["id"] not in taken and (place == 2 or row["easy"])]
        counts = dict.fromkeys(possible, 0)
        for row in tx.execute(
            "SELECT grouping, count(*) AS n FROM interview_assignment WHERE place = ? GROUP BY grouping", (place,)
        ).fetchall():
            if row["grouping"] in counts:
                counts[row["grouping"]] = row["n"]
        fewest = [grouping for grouping in possible if counts[grouping] == min(counts.values())]
        chosen = rng.choice(fewest)
        tx.execute("INSERT INTO interview_assignment (participant, place, grouping) VALUES (?, ?, ?)", (number, place, chosen))
        taken.append(chosen)
        drawn |= {name: chosen, f"{name}_out_of": len(fewest)}
    return drawn
