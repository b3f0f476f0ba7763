"""A study file, open: looked at before it is touched, brought up to date, with transactions, snapshots and copies."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlite_utils import Database

from barlow_core.errors import BarlowError
from study.errors import DamagedError, NotSavedError
from study.questionnaire import dumps
from study.store import assignment, backup, high_water, migrations, signing
from study.store.clock import Clock, Moment
from study.store.connections import Readers, Watch, Writer, connect, library_advice, lost_words, not_saved, require_log
from study.store.settings import SECRET, StudySettings

MAINTENANCE_PATIENCE = 60.0


class StudyFile:
    """What `StudyStore` works on.

    Attributes:
        path, clock, settings; read_only: the file or its folder cannot be written to.

    Raises:
        BarlowError: there is no such file, it is no study, it is damaged (`DamagedError`), or of a later version.
    """

    def __init__(self, path: Path, *, patience: float, clock: Clock):
        library_advice()
        if not path.is_file():
            raise BarlowError(f"No study found at {path}. Make one: barlow study create, or StudyStore.create(path, items=...).")
        self.path = path
        self.clock = clock
        require_log(path)
        self.writer = Writer(path, patience=patience, let_go=self._let_go)
        self._maintenance = FileLock(f"{path}.maintenance.lock", thread_local=False)
        self._maintaining = threading.Lock()
        self._refreshing = threading.Lock()
        try:
            self.read_only, immutable = self._look()
            self._readers = Readers(path, patience=patience, immutable=immutable)
            if not self.read_only:
                self._prepare()
            self._watch = Watch(path, patience=patience, immutable=immutable)
            with self.reading() as db:
                self.load(db.conn)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if hasattr(self, "_watch"):
            self._watch.close()
        if hasattr(self, "_readers"):
            self._readers.close()
        self.writer.close()

    def _let_go(self) -> None:
        """Close the connections that only read and are idle; they are opened again when they are needed."""
        self._watch.let_go()
        self._readers.close()

    def trouble(self) -> str | None:
        """What is wrong with the files as they lie there, for the researcher; see `StudyStore.trouble`."""
        lost = None if self.read_only else self.writer.lost_file()
        return None if lost is None else lost_words(lost)

    def _look(self) -> tuple[bool, bool]:
        """Whether the file can only be read, and whether only as something that nobody changes (its folder takes no log)."""
        try:
            with closing(connect(self.path, "ro", timeout=self.writer.patience)) as connection:
                migrations.version_of(connection, self.path)
        except sqlite3.DatabaseError as error:
            name = error.sqlite_errorname
            if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
                raise DamagedError(
                    f"{self.path} is not a study file, or it is damaged ({error}). Go back to a backup (barlow study restore), "
                    "or make a new study (barlow study create)."
                ) from error
            if not name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                raise BarlowError(f"{self.path} could not be opened ({error}). Is it a study, and may it be read?") from error
            # SQLite cannot make a log beside it: a read-only disk. What stands in the file itself can be read all the same.
            return True, True
        # Asked, not tried: closing the file would take away the locks that SQLite holds on it for other connections of this process.
        return not os.access(self.path, os.W_OK), False

    def _prepare(self) -> None:
        """Switch the log on and bring the schema up to date."""
        with self.writer.alone() as connection:
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise BarlowError(
                    f"{self.path} lies where SQLite cannot keep its log (a network drive?). Move it to a disk of this computer."
                )
            outdated = migrations.version_of(connection, self.path) < migrations.newest()
        if outdated:
            # Whatever a migration does, the file as it was stays among the backups.
            self.back_up(what="-before-migration")
            with self.writer.transaction() as tx:
                migrations.migrate(tx, self.path)
        with self.writer.alone() as connection:
            has_key = connection.execute("SELECT 1 FROM study WHERE key = ?", (signing.KEY,)).fetchone()
        if has_key is None:  # of an earlier version
            with self.writer.transaction() as tx:
                tx.execute("INSERT OR IGNORE INTO study (key, value) VALUES (?, ?)", (signing.KEY, dumps(signing.new_key())))

    def load(self, connection: sqlite3.Connection) -> None:
        """Read the settings from the file."""
        rows = {row["key"]: row["value"] for row in connection.execute("SELECT key, value FROM study").fetchall()}
        if missing := {"study_id", "revision", "boot"} - set(rows):
            raise DamagedError(
                f"{self.path} has lost its {', '.join(sorted(missing))}. Go back to a backup: barlow study restore."
            )
        self._settings, self.revision = StudySettings.from_rows(rows), rows["revision"]
        self.study_id: str = json.loads(rows["study_id"])
        # A file of an earlier version that can only be read has none, and nobody to recognise.
        self.signing_key: str = json.loads(rows[signing.KEY]) if signing.KEY in rows else signing.new_key()

    @property
    def settings(self) -> StudySettings:
        """The settings as they are now, whichever process changed them."""
        with self._refreshing:  # nobody goes on with the old ones while another thread reads the new ones
            if self._watch.has_changed():
                with self.reading() as db:
                    revision = db.conn.execute("SELECT value FROM study WHERE key = 'revision'").fetchone()
                    if revision is None or revision[0] != self.revision:
                        self.load(db.conn)
            return self._settings

    def configure(self, given: Mapping[str, Any]) -> None:
        """Change settings; see `StudyStore.configure`."""
        with self.writing() as (tx, now):
            changed = self._settings.changed(given)
            revision = dumps(uuid.uuid4().hex)
            rows = changed.rows()
            upsert = "INSERT INTO study (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            tx.executemany(upsert, [(name, rows[name]) for name in given] + [("revision", revision)])
            # Who was invited and what opens the admin page is not for the trail.
            kept = {name: "changed" if name in SECRET else json.loads(rows[name]) for name in given}
            assignment.record(tx, "configured", now, data=kept)
        self._settings, self.revision = changed, revision

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """The study as it is at this moment."""
        with self._readers.snapshot() as db:
            yield db

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[tuple[sqlite3.Connection, Moment]]:
        """A transaction, and what time it is in it."""
        self._require_writable()
        reached: list[tuple[int, Moment]] = []

        def note() -> None:
            for event, at in reached:
                high_water.write(self.path, self.study_id, event, at)

        with self.writer.transaction(durable=durable, committed=note if durable else None) as tx:
            state = dict(tx.execute("SELECT key, value FROM study WHERE key IN ('boot', 'revision')").fetchall())
            if state["revision"] != self.revision:
                self.load(tx)  # another process has changed the settings
            now = self.clock.now()
            assignment.follow_clock(tx, json.loads(state["boot"]), now, self._settings)
            yield tx, now
            reached.append((tx.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0], now))

    @contextmanager
    def maintained(self) -> Iterator[None]:
        """Backups, withdrawals and restores one at a time, in all processes: none may miss a copy that another one is making."""
        self._require_writable()
        try:
            with self._maintaining, self._maintenance.acquire(timeout=MAINTENANCE_PATIENCE, poll_interval=0.05):
                yield
        except Timeout:
            raise NotSavedError(
                f"Another backup, withdrawal or restore of {self.path} is running and takes more than {MAINTENANCE_PATIENCE:g} seconds. "
                "Wait until it ends, then try again.",
                reason="busy",
            ) from None

    def _require_writable(self) -> None:
        if self.read_only:
            raise not_saved(PermissionError(), self.path, self.writer.patience)

    def back_up(self, target: Path | None = None, *, what: str = "") -> Path:
        """Copy the study into one file, by default a new one in its folder of backups; see `StudyStore.backup`."""
        with self.maintained():
            now = self.clock.now()
            target = (target or backup.default_target(self.path, now.utc, what)).absolute()
            if target.exists():
                raise BarlowError(f"{target} exists already. A backup never replaces a file: choose another path.")
            # Written down first: a copy that a kill leaves behind must not escape a later withdrawal.
            with self.writer.transaction() as tx:
                backup.remember(tx, [*backup.known_backups(tx, self.path), target])
                assignment.record(tx, "backup", now, data={"path": str(target)})
            try:
                backup.copy_to(self.path, target)
            except BaseException:
                if not target.exists():
                    with suppress(BarlowError), self.writer.transaction() as tx:
                        backup.remember(tx, [one for one in backup.known_backups(tx, self.path) if one != target])
                raise
        return target

    def scrub(self) -> None:
        """Rebuild the file without what was deleted, and empty its log.

        Raises:
            NotSavedError: somebody goes on reading an old state and needs the log for it.
        """
        with self.writer.alone() as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("VACUUM")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise NotSavedError(
                f"Another program is reading {self.path} and keeps its log ({self.path.name}-wal) from being emptied. What was deleted "
                "is out of the file, but the log may still hold it. Close that program, then do this again.",
                reason="busy",
            )
