"""A new study file."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlite_utils import Database

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write
from study.questionnaire import dumps
from study.store import signing
from study.store.backup import PRIVATE
from study.store.clock import Moment
from study.store.connections import connect, lock_path, not_saved
from study.store.items import item_rows
from study.store.migrations import newest
from study.store.schema import APPLICATION_ID, tables
from study.store.settings import StudySettings
from study.store.statements import statements


def create(
    path: Path, items: Iterable[str | Mapping[str, Any]], settings: StudySettings, now: Moment, *, patience: float
) -> None:
    """Write a study at `path`, whole or not at all.

    Raises:
        BarlowError: the file exists or cannot be written; an item is wrong.
    """
    rows = item_rows(items, answers_per_item=settings.answers_per_item, questionnaire=settings.questionnaire, seed=settings.seed)
    schema = tables(settings.questionnaire)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock_path(path), timeout=patience):
            if path.exists():
                raise BarlowError(
                    f"{path} exists already. Open it with StudyStore(path), or choose another path for a new study."
                )
            with atomic_write(path) as temporary:
                _fill(temporary, schema, settings, rows, now)
            path.chmod(PRIVATE)
    except (sqlite3.DatabaseError, OSError, Timeout) as error:
        raise not_saved(error, path, patience) from error


def _fill(path: Path, schema: str, settings: StudySettings, rows: list[dict[str, Any]], now: Moment) -> None:
    about = {
        "study_id": uuid.uuid4().hex,
        "created_at": now.utc,
        "created_by": f"barlow {_barlow_version()}",
        "revision": uuid.uuid4().hex,
        "boot": now.boot,
        signing.KEY: signing.new_key(),
        "backups": [],
        "unfinished_withdrawals": [],
    }
    values = {key: dumps(value) for key, value in about.items()} | settings.rows()
    with closing(connect(path, "rw", timeout=0.0)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements(schema):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {newest()}")
        db = Database(connection, recursive_triggers=False, execute_plugins=False)
        db.table("study").insert_all({"key": key, "value": value} for key, value in values.items())
        db.table("item").insert_all(rows)
        connection.execute("COMMIT")


def _barlow_version() -> str:
    try:
        return version("barlow")
    except PackageNotFoundError:
        return "unknown"
