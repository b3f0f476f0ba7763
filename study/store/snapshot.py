"""A study at one moment, as analyses take it: answers, items, workers, checks and what was paid, in types that take little room."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlite_utils import Database

from study.store import frames
from study.store.clock import Moment
from study.store.interviews.frames import InterviewTables
from study.store.interviews.frames import tables as interview_tables
from study.store.pay import Totals, accounts
from study.store.settings import StudySettings

if TYPE_CHECKING:
    import pandas as pd

# Answers that are Python objects at a time; 600,000 at once would take more than a gigabyte.
_CHUNK = 5_000
_JOINED = (
    "FROM answer JOIN assignment ON assignment.item = answer.item AND assignment.worker = answer.worker "
    "JOIN item ON item.id = answer.item JOIN worker ON worker.id = answer.worker "
)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What belongs to one moment of a study. Workers go by their pseudonyms.

    Attributes:
        settings: of the study.
        answers: a row an accepted answer to an item (no practice, no checks), in the order of sending: `item`, `worker`, those questions that were
            wanted and asked, `simulated`, `platform`, `seconds`, `submitted_at` (UTC).
        items: those of kind "item" as index, answered or not, in the order of the study: `wanted`, `filled`, `answers`, and their data.
        workers: everybody who took part as index: `platform`, `state`, `simulated`.
        checks: a row a gold or attention check that was answered: `worker`, `item`, `kind`, `passed`.
        states: how many assignments there are: `kind`, `state`, `simulated`, `payable`, `n`.
        paid: what the study has cost so far, for people.
        interviews: of practitioners; None where the study has none.
    """

    settings: StudySettings
    answers: pd.DataFrame
    items: pd.DataFrame
    workers: pd.DataFrame
    checks: pd.DataFrame
    states: pd.DataFrame
    paid: Decimal
    interviews: InterviewTables | None = None

    @classmethod
    def of(cls, db: Database, settings: StudySettings, questions: Collection[str], now: Moment) -> Snapshot:
        """See `StudyStore.snapshot`."""
        items = frames.items(db, settings)
        workers = frames.workers(db, settings, pseudonymous=True).set_index("worker")
        return cls(
            settings=settings,
            answers=_answers(db, [question for question in questions if question in settings.questionnaire.ids]),
            items=items[items["kind"] == "item"].drop(columns="kind").set_index("item"),
            workers=workers[["platform", "state", "simulated"]],
            checks=_checks(db),
            states=_states(db),
            paid=Totals.of(account for _, account in accounts(db.conn, settings)).earned,
            interviews=interview_tables(db.conn, now),
        )


def fingerprint(db: Database, revision: str) -> str:
    """See `StudyStore.fingerprint`."""
    rows = [
        *db.conn.execute("SELECT count(*), max(id), max(edited_at), total(seconds) FROM answer").fetchall(),
        *db.conn.execute("SELECT state, count(*) FROM assignment GROUP BY state ORDER BY state").fetchall(),
        *db.conn.execute("SELECT state, simulated, count(*) FROM worker GROUP BY 1, 2 ORDER BY 1, 2").fetchall(),
        *db.conn.execute("SELECT count(*), max(id) FROM event WHERE kind = 'interview'").fetchall(),
        (revision,),
    ]
    return hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()[:16]


def _answers(db: Database, questions: list[str]) -> pd.DataFrame:
    import pandas as pd

    columns = ["item", "worker", *questions, "simulated", "platform", "seconds", "submitted_at"]
    asked = "".join(f'answer."{name}", ' for name in questions)
    # CROSS keeps the order of the tables (https://sqlite.org/optoverview.html): answers come as they were sent, and nothing is sorted in memory.
    cursor = db.conn.execute(
        f"SELECT answer.item, worker.pseudonym, {asked}worker.simulated, worker.platform, answer.seconds, answer.submitted_at "
        f"{_JOINED.replace('JOIN', 'CROSS JOIN')}WHERE item.kind = 'item' AND assignment.state = 'accepted' ORDER BY answer.id"
    )
    chunks = [_compact(pd.DataFrame(rows, columns=columns)) for rows in _fetched(cursor)]
    return pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame(columns=columns)


def _fetched(cursor: sqlite3.Cursor) -> Iterator[list[tuple[object, ...]]]:
    while rows := cursor.fetchmany(_CHUNK):
        yield [tuple(row) for row in rows]


def _compact(chunk: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    for column in ("ease", "confidence"):
        if column in chunk:
            chunk[column] = chunk[column].astype("float64")
    chunk["submitted_at"] = pd.to_datetime(chunk["submitted_at"], utc=True, format="ISO8601")
    return chunk


def _checks(db: Database) -> pd.DataFrame:
    import pandas as pd

    rows = db.conn.execute(
        f"SELECT worker.pseudonym, answer.item, item.kind, answer.passed {_JOINED}"
        "WHERE item.kind IN ('gold', 'attention') AND answer.passed IS NOT NULL ORDER BY answer.id"
    ).fetchall()
    return pd.DataFrame(rows, columns=["worker", "item", "kind", "passed"]).astype({"passed": bool})


def _states(db: Database) -> pd.DataFrame:
    import pandas as pd

    rows = db.conn.execute(
        "SELECT item.kind, assignment.state, worker.simulated, assignment.payable, count(*) FROM assignment "
        "JOIN item ON item.id = assignment.item JOIN worker ON worker.id = assignment.worker GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    ).fetchall()
    return pd.DataFrame(rows, columns=["kind", "state", "simulated", "payable", "n"]).astype({"simulated": bool, "payable": bool})
