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
from study.store.schema import APPLICATION_ID, TABLES

# Step i brings a file from schema version i + 1 to i + 2. Version 1 is where the story begins.
STEPS: list[Callable[[sqlite3.Connection], None]] = []


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
