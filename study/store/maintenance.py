"""Taking answers back for good, and going back to a backup."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write
from study.errors import DamagedError
from study.questionnaire import dumps
from study.store import assignment, backup, high_water, signing, workers
from study.store.clock import Clock, Moment
from study.store.connections import connect, lock_path, not_saved
from study.store.interviews import people
from study.store.study_file import StudyFile


@dataclass(frozen=True)
class Withdrawal:
    """What a withdrawal did.

    Attributes:
        pseudonym: of the worker, as exports know them; of a participant of an interview the P-number.
        answers: how many answers (and quotes) were deleted from the study.
        cleaned: the backups that were written anew without them.
        out_of_reach: backups that are listed but could not be cleaned (moved, unreadable), with the reason. They still hold the
            answers; delete them wherever they are.
    """

    pseudonym: str
    answers: int
    cleaned: tuple[Path, ...]
    out_of_reach: Mapping[Path, str]


def withdraw(file: StudyFile, worker: str, *, forget: bool) -> Withdrawal:
    """Delete everything that a worker wrote, everywhere; see `StudyStore.withdraw`."""
    with file.reading() as db:
        pseudonym = workers.require(db.conn, worker).pseudonym
    return erase_everywhere(file, pseudonym, lambda tx, now: workers.erase(tx, pseudonym, forget, now))


def erase_everywhere(file: StudyFile, name: str, erase: Callable[[sqlite3.Connection, Moment], int]) -> Withdrawal:
    """Delete somebody from the file, its log and its backups.

    Args:
        name: that stands for them; erase: deletes them from one file, and says how many answers those were.
    """
    with file.maintained():
        with file.writing() as (tx, now):
            n_answers = erase(tx, now)
            _set_unfinished(tx, name, True)
            copies = backup.known_backups(tx, file.path)
        file.scrub()
        cleaned: list[Path] = []
        out_of_reach: dict[Path, str] = {}
        for copy in copies:
            backup.remove_leftovers(copy)
            try:
                backup.rewrite(copy, lambda memory: erase(memory, now))
                cleaned.append(copy)
            except BarlowError as error:
                out_of_reach[copy] = str(error)
        with file.writing() as (tx, _):
            _set_unfinished(tx, name, False)
    return Withdrawal(name, n_answers, tuple(cleaned), out_of_reach)


def _set_unfinished(tx: sqlite3.Connection, pseudonym: str, unfinished: bool) -> None:
    """Remember that copies remain to be cleaned, for the case that this is interrupted; `checks` reports it."""
    row = tx.execute("SELECT value FROM study WHERE key = 'unfinished_withdrawals'").fetchone()
    names = [name for name in json.loads(row["value"]) if name != pseudonym]
    value = dumps([*names, pseudonym] if unfinished else names)
    tx.execute("UPDATE study SET value = ? WHERE key = 'unfinished_withdrawals'", (value,))


@dataclass(frozen=True)
class Loss:
    """What a study has and a backup of it has not.

    Attributes:
        answers: confirmed ones that would be gone; workers: of how many people; paid: how many of them stand in payment files.
        made_at: of the backup's last event, UTC; None where it has none.
        interviewed: in so many interviews something was said or done since.
    """

    answers: int
    workers: int
    paid: int
    made_at: str | None
    interviewed: int = 0


def loss(file: StudyFile, source: Path) -> Loss:
    """What going back to `source` would lose; see `StudyStore.would_lose`."""
    with closing(backup.load(source)) as memory, file.reading() as db:
        kept = {(row[0], row[1]) for row in memory.execute("SELECT worker, item FROM answer")}
        made_at = memory.execute("SELECT max(at) FROM event").fetchone()[0]
        gone = [key for key in map(tuple, db.conn.execute("SELECT worker, item FROM answer").fetchall()) if key not in kept]
        paid = {
            (row["worker"], item)
            for row in db.conn.execute(
                "SELECT worker, items FROM payment JOIN payment_file ON payment_file.id = file WHERE state <> 'void'"
            )
            for item in json.loads(row["items"])
        }
        trail = "SELECT id, json_extract(data, '$.participant') FROM event WHERE kind = 'interview'"
        before = {tuple(row) for row in memory.execute(trail)}
        interviewed = {row[1] for row in db.conn.execute(trail).fetchall() if tuple(row) not in before and row[1] is not None}
    return Loss(len(gone), len({worker for worker, _ in gone}), sum(key in paid for key in gone), made_at, len(interviewed))


def _keep_money(connection: sqlite3.Connection, memory: sqlite3.Connection) -> None:
    """Bring what was paid, and who was paid it, over to the content that a backup has: money does not come back with it."""
    paid_for = "SELECT worker FROM payment UNION SELECT worker FROM event WHERE kind = 'finished' AND json_extract(data, '$.exit') IS NOT NULL"
    known = {row[0] for row in memory.execute("SELECT id FROM worker")}
    for row in connection.execute(f"SELECT * FROM worker WHERE id IN ({paid_for})").fetchall():
        if row["id"] not in known:
            _insert(memory, "worker", dict(row))
    memory.execute("DELETE FROM payment")
    memory.execute("DELETE FROM payment_file")
    for table in ("payment_file", "payment"):
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall():
            _insert(memory, table, dict(row))
    ended = "FROM event WHERE kind = 'finished' AND json_extract(data, '$.exit') IS NOT NULL"
    memory.execute(f"DELETE {ended}")
    for row in connection.execute(f"SELECT at, kind, worker, item, seconds, data {ended} ORDER BY id").fetchall():
        _insert(memory, "event", dict(row))


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    columns = ", ".join(row)
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def restore(source: Path, path: Path, *, patience: float, clock: Clock) -> None:
    """Bring the study at `path` to the state of the backup `source`; see `StudyStore.restore`."""
    if path.exists() and source.exists() and path.samefile(source):
        raise BarlowError(f"{source} is the study itself. Give the path of a backup.")
    with closing(backup.load(source)) as memory:
        try:
            file = StudyFile(path, patience=patience, clock=clock) if path.exists() else None
        except DamagedError:
            file = None
        try:
            if file is not None and _is_sound(file):
                _take_over(file, memory, source)
                return
        finally:
            if file is not None:
                file.close()
        _put_in_place(memory, path, patience, clock)
    file = StudyFile(path, patience=patience, clock=clock)
    with closing(file), file.writing() as (tx, now):
        backup.remember(tx, [*backup.known_backups(tx, path), source.absolute()])
        assignment.record(tx, "restored", now, data={"from": str(source.absolute())})


def _is_sound(file: StudyFile) -> bool:
    try:
        with file.reading() as db:
            return [row[0] for row in db.conn.execute("PRAGMA integrity_check(1)")] == ["ok"]
    except BarlowError:
        return False


def _take_over(file: StudyFile, memory: sqlite3.Connection, source: Path) -> None:
    """Replace the content of an open study by that of a backup, in one step; whoever has it open goes on with the new content."""
    with file.maintained():
        with file.writer.alone() as connection:
            ours, theirs = (
                one.execute("SELECT value FROM study WHERE key = 'study_id'").fetchone()[0] for one in (connection, memory)
            )
            if ours != theirs:
                raise BarlowError(f"{source} is a backup of another study than {file.path}. Restore it to a path of its own.")
            now = file.clock.now()
            # Nobody can write between this copy and the new content.
            backup.copy_to(file.path, backup.default_target(file.path, now.utc, "-before-restore").absolute())
            gone = connection.execute(
                "SELECT pseudonym, id = pseudonym AS forgotten FROM worker WHERE state = 'withdrawn'"
            ).fetchall()
            left = people.withdrawn(connection)
            copies = backup.known_backups(connection, file.path)
            memory.execute("BEGIN")
            for row in gone:
                workers.erase(memory, row["pseudonym"], bool(row["forgotten"]), now)
            for number in left:
                people.erase(memory, number, now)
            _keep_money(connection, memory)
            backup.remember(memory, [*copies, source.absolute()])
            memory.execute(  # links that were given out stay good
                "INSERT INTO study (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (signing.KEY, dumps(file.signing_key)),
            )
            memory.execute("UPDATE study SET value = ? WHERE key = 'revision'", (dumps(uuid.uuid4().hex),))
            assignment.record(memory, "restored", now, data={"from": str(source.absolute())})
            memory.execute("COMMIT")
            connection.execute("PRAGMA synchronous = FULL")
            memory.backup(connection, pages=-1)
            event = connection.execute("SELECT max(id) FROM event").fetchone()[0]
            high_water.write(file.path, file.study_id, event, now)
        file.scrub()


def _put_in_place(memory: sqlite3.Connection, path: Path, patience: float, clock: Clock) -> None:
    """Write a backup to a path where there is no study, or a damaged one that is moved to the backups as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock_path(path), timeout=patience):
            if path.exists():
                backup.set_aside(path, clock.now().utc)
            with atomic_write(path) as temporary, closing(connect(temporary, "rw", timeout=patience)) as write:
                memory.backup(write, pages=-1)
            path.chmod(backup.PRIVATE)
    except (sqlite3.DatabaseError, OSError, Timeout) as error:
        raise not_saved(error, path, patience) from error
