"""From any earlier schema to this one, step by step.

`PRAGMA user_version` says which schema a file has. Each step is a function over a connection inside one transaction that all of
them share: a file is brought up to date whole or left as it was. A new schema adds a step here, and its fixture beside those in
tests/study/schemas; steps and fixtures of the past are never changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from barlow_core.errors import BarlowError
from study.store.interviews.schema import TABLES_3
from study.store.schema import APPLICATION_ID, TABLES
from study.store.statements import statements


def _to_2(connection: sqlite3.Connection) -> None:
    """A ledger of payments, places held before consent, rejected answers, the events that belong to them, and how visits ended."""
    for statement in _LEDGER:
        connection.execute(statement)
    for statement in _OUTCOMES:
        connection.execute(statement)
    connection.execute("ALTER TABLE assignment ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0 CHECK (rejected IN (0, 1))")


def _to_3(connection: sqlite3.Connection) -> None:
    """The interviews of practitioners, and the events that belong to them."""
    for statement in (*_INTERVIEW_EVENTS, *statements(TABLES_3)):
        connection.execute(statement)


# Nothing refers to a row of `event`, so the table can be made anew with more kinds of events.
_LEDGER = (
    """CREATE TABLE event_2 (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  kind TEXT NOT NULL CHECK (kind IN ('joined', 'shown', 'started', 'active', 'draft', 'submitted', 'edited', 'reported', 'expired', 'returned', 'finished', 'accepted', 'discarded', 'blocked', 'reopened', 'withdrawn', 'configured', 'backup', 'restored', 'payment', 'rejected', 'flagged', 'quizzed')),
  worker TEXT REFERENCES worker (id) ON UPDATE CASCADE,
  item TEXT REFERENCES item (id),
  seconds REAL CHECK (seconds >= 0),
  data TEXT CHECK (data IS NULL OR json_valid(data))
) STRICT""",
    "INSERT INTO event_2 (id, at, kind, worker, item, seconds, data) SELECT id, at, kind, worker, item, seconds, data FROM event",
    "DROP TABLE event",
    "ALTER TABLE event_2 RENAME TO event",
    "CREATE INDEX event_worker ON event (worker, item)",
    """CREATE TABLE payment_file (
  id INTEGER PRIMARY KEY,
  made_at TEXT NOT NULL CHECK (made_at GLOB '????-??-??T??:??:??.???Z'),
  platform TEXT NOT NULL,
  currency TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'made' CHECK (state IN ('made', 'paid', 'void')),
  settled_at TEXT CHECK (settled_at GLOB '????-??-??T??:??:??.???Z'),
  CHECK ((state = 'made') = (settled_at IS NULL))
) STRICT""",
    """CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  file INTEGER NOT NULL REFERENCES payment_file (id),
  worker TEXT NOT NULL REFERENCES worker (id) ON UPDATE CASCADE,
  cents INTEGER NOT NULL CHECK (cents > 0),
  bonus INTEGER NOT NULL CHECK (bonus >= 0),
  items TEXT NOT NULL CHECK (json_valid(items)),
  visit TEXT,
  token TEXT NOT NULL UNIQUE,
  UNIQUE (file, worker)
) STRICT""",
    "CREATE INDEX payment_worker ON payment (worker)",
    "CREATE TABLE place (token TEXT NOT NULL PRIMARY KEY, deadline REAL NOT NULL) STRICT",
)

# Until now whoever stopped was given the completion code like whoever had done everything: `exit` says that the platform pays for it.
_FINISHED = "UPDATE event SET data = json_set(data, {}) WHERE kind = 'finished' AND "
_OF_PROLIFIC = " AND worker IN (SELECT id FROM worker WHERE platform = 'prolific')"
_OUTCOMES = (
    _FINISHED.format("'$.exit', 'complete'") + "json_extract(data, '$.outcome') IN ('complete', 'stopped')" + _OF_PROLIFIC,
    _FINISHED.format("'$.exit', 'screened_out'") + "json_extract(data, '$.outcome') = 'screened_out'" + _OF_PROLIFIC,
    _FINISHED.format("'$.exit', 'complete', '$.reward', json_extract(data, '$.visit')")
    + "json_extract(data, '$.outcome') IN ('complete', 'stopped', 'screened_out') "
    "AND worker IN (SELECT id FROM worker WHERE platform = 'mturk')",
    _FINISHED.format("'$.outcome', 'partial'") + "json_extract(data, '$.outcome') = 'stopped'",
    _FINISHED.format("'$.outcome', 'returned'") + "json_extract(data, '$.outcome') = 'left'",
)

_INTERVIEW_EVENTS = (
    """CREATE TABLE event_3 (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL CHECK (at GLOB '????-??-??T??:??:??.???Z'),
  kind TEXT NOT NULL CHECK (kind IN ('joined', 'shown', 'started', 'active', 'draft', 'submitted', 'edited', 'reported', 'expired', 'returned', 'finished', 'accepted', 'discarded', 'blocked', 'reopened', 'withdrawn', 'configured', 'backup', 'restored', 'payment', 'rejected', 'flagged', 'quizzed', 'interview')),
  worker TEXT REFERENCES worker (id) ON UPDATE CASCADE,
  item TEXT REFERENCES item (id),
  seconds REAL CHECK (seconds >= 0),
  data TEXT CHECK (data IS NULL OR json_valid(data))
) STRICT""",
    "INSERT INTO event_3 (id, at, kind, worker, item, seconds, data) SELECT id, at, kind, worker, item, seconds, data FROM event",
    "DROP TABLE event",
    "ALTER TABLE event_3 RENAME TO event",
    "CREATE INDEX event_worker ON event (worker, item)",
)


def _to_4(connection: sqlite3.Connection) -> None:
    """Wrong invite codes of the last minutes."""
    connection.execute(
        "CREATE TABLE guess (network TEXT NOT NULL, code TEXT NOT NULL, deadline REAL NOT NULL, PRIMARY KEY (network, code)) "
        "STRICT, WITHOUT ROWID"
    )


# Step i brings a file from schema version i + 1 to i + 2. Version 1 is where the story begins.
STEPS: list[Callable[[sqlite3.Connection], None]] = [_to_2, _to_3, _to_4]


def newest() -> int:
    return 1 + len(STEPS)


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The schema version of a study file.

    Raises:
        BarlowError: it is no study, or one of a later barlow.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if application != APPLICATION_ID or not tables >= set(TABLES):
        raise BarlowError(
            f"{path} is an SQLite file, but not a study of barlow. Give the file that barlow study create made, usually study.sqlite."
        )
    if version > newest():
        raise BarlowError(
            f"{path} has schema version {version}; this barlow knows versions 1 to {newest()}. Open it with the barlow that made it, "
            "or install a newer one: pip install --upgrade barlow"
        )
    return version


def migrate(connection: sqlite3.Connection, path: Path) -> bool:
    """Bring the file up to date, within the transaction that is open; whether there was anything to do.

    Raises:
        BarlowError: a step left the file inconsistent; the caller rolls back.
    """
    version = version_of(connection, path)
    if version == newest():
        return False
    for step in STEPS[version - 1 :]:
        step(connection)
    if broken := connection.execute("PRAGMA foreign_key_check").fetchall():
        raise BarlowError(f"{path} could not be brought to schema version {newest()}: {len(broken)} rows lost their counterpart.")
    connection.execute(f"PRAGMA user_version = {newest()}")
    return True
