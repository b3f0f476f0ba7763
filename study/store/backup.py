"""Copies of a study: made while people answer, put back while people answer, and cleaned when a worker withdraws.

A backup is one file in rollback-journal mode, complete in itself. Where backups lie is written down in the study, so that a
withdrawal finds them; copies that somebody made in another way are out of reach, and the documentation says so.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write
from study.questionnaire import dumps
from study.store.connections import connect, not_saved
from study.store.migrations import migrate, version_of

TIMEOUT = 10.0
PRIVATE = 0o600  # a study holds the ids of people


def backup_folder(path: Path) -> Path:
    """Where backups of a study go unless a place is given: `study.sqlite.backups/`."""
    return path.with_name(f"{path.name}.backups")


def default_target(path: Path, utc: str, what: str) -> Path:
    """A name that does not exist yet for a backup made at `utc`: `study-20250301T120000Z.sqlite`."""
    stamp = utc[:19].replace("-", "").replace(":", "") + "Z"
    folder = backup_folder(path)
    for number in range(1, 1000):
        target = folder / f"{path.stem}-{stamp}{what}{'' if number == 1 else f'-{number}'}{path.suffix or '.sqlite'}"
        if not target.exists():
            return target
    raise BarlowError(f"{folder} already holds a thousand backups from this second. Give a path of your own.")


def copy_to(source: Path, target: Path) -> None:
    """Copy a study that may be in use into one file at `target`, whole or not at all.

    Raises:
        BarlowError: `target` exists, or cannot be written.
    """
    if target.exists():
        raise BarlowError(f"{target} exists already. A backup never replaces a file: choose another path.")
    try:
        with (
            atomic_write(target) as temporary,
            closing(connect(source, "ro", timeout=TIMEOUT)) as read,
            closing(connect(temporary, "rw", timeout=TIMEOUT)) as write,
        ):
            # In one step: a consistent state, while others go on writing to their log.
            read.backup(write, pages=-1)
            write.execute("PRAGMA journal_mode = DELETE")
            _require_sound(write, target)
        target.chmod(PRIVATE)
    except (sqlite3.DatabaseError, OSError) as error:
        raise not_saved(error, target, TIMEOUT) from error


def rewrite(path: Path, change: Callable[[sqlite3.Connection], object]) -> None:
    """Apply `change` to a backup and write it anew: the new file holds no trace of what was deleted.

    The change happens in memory, so that no journal keeps what it removes; the new file takes the place of the old one at once.

    Raises:
        BarlowError: the backup cannot be read or written.
    """
    try:
        mode = path.stat().st_mode if path.exists() else PRIVATE
        with closing(load(path)) as memory:
            memory.execute("BEGIN")
            change(memory)
            memory.execute("COMMIT")
            memory.execute("VACUUM")
            with atomic_write(path) as temporary, closing(connect(temporary, "rw", timeout=TIMEOUT)) as write:
                memory.backup(write, pages=-1)
        path.chmod(mode)
    except (sqlite3.DatabaseError, OSError) as error:
        raise not_saved(error, path, TIMEOUT) from error


def load(path: Path) -> sqlite3.Connection:
    """A backup in memory, brought up to the schema of this barlow.

    Raises:
        BarlowError: there is none at `path`, it is no study, or it is damaged.
    """
    if not path.is_file():
        raise BarlowError(
            f"No backup found at {path}. Backups are usually kept beside the study, in a folder whose name ends in .backups."
        )
    memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        memory.row_factory = sqlite3.Row
        memory.execute("PRAGMA secure_delete = ON")
        try:
            with closing(connect(path, "ro", timeout=TIMEOUT)) as read:
                version_of(read, path)
                read.backup(memory, pages=-1)
        except sqlite3.DatabaseError as error:
            raise BarlowError(f"{path} is damaged and cannot be used ({error}). Take an earlier backup.") from error
        _require_sound(memory, path)
        memory.execute("PRAGMA foreign_keys = ON")
        memory.execute("BEGIN")
        migrate(memory, path)
        memory.execute("COMMIT")
    except BaseException:
        memory.close()
        raise
    return memory


def _require_sound(connection: sqlite3.Connection, path: Path) -> None:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    if found != ["ok"]:
        raise BarlowError(f"{path} is damaged: {'; '.join(map(str, found))}. Take an earlier backup.")


def known_backups(tx: sqlite3.Connection, path: Path) -> list[Path]:
    """Every backup that the study knows of or that lies in its folder, also those that are gone."""
    row = tx.execute("SELECT value FROM study WHERE key = 'backups'").fetchone()
    listed = [] if row is None else [Path(name) for name in json.loads(row["value"])]
    folder = backup_folder(path.absolute())
    found = sorted(one for one in folder.iterdir() if one.is_file() and not one.name.startswith(".")) if folder.is_dir() else []
    return list(dict.fromkeys([*listed, *found]))


def remember(tx: sqlite3.Connection, paths: list[Path]) -> None:
    """Write down where backups lie."""
    names = dumps([os.fspath(path) for path in dict.fromkeys(paths)])
    tx.execute(
        "INSERT INTO study (key, value) VALUES ('backups', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (names,)
    )


def remove_leftovers(path: Path) -> None:
    """Delete what a backup that was killed on its way to `path` left beside it."""
    if path.parent.is_dir():
        for leftover in path.parent.glob(f".{glob.escape(path.stem)}.*"):
            leftover.unlink(missing_ok=True)


def set_aside(path: Path, utc: str) -> Path:
    """Move a damaged study and its log out of the way, as they are."""
    target = default_target(path, utc, "-damaged")
    target.parent.mkdir(parents=True, exist_ok=True)
    for suffix in ("", "-wal", "-shm"):
        if (part := Path(f"{path}{suffix}")).exists():
            shutil.move(part, f"{target}{suffix}")
    return target
