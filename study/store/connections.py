"""The connections to a study file: one that writes, some that read, and what their errors mean.

All writing of all processes goes through one lock beside the file (`study.sqlite.lock`), and all of one process through one
connection. SQLite would sort out several writers by itself, but versions before 3.51.3 can damage a file in WAL mode when one
connection writes while another one copies the log back into the file (sqlite.org/wal.html#walresetbug). Behind the lock that
cannot happen. Readers have connections that cannot write and see the last committed state without waiting for anybody.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlite_utils import Database

from barlow_core.errors import BarlowError
from study.errors import NotSavedError

OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
SAFE_SQLITE = (3, 51, 3)  # several writing connections
POLL_SECONDS = 0.002
CLOSING_MILLISECONDS = 1000
RECOVERING_MILLISECONDS = 200
IDLE_READERS = 4
_OUT_OF_SPACE = ("SQLITE_FULL",)
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_READ_ONLY = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def library_advice(version: str = sqlite3.sqlite_version) -> str | None:
    """What to know about a version of the SQLite library (default: the one that Python runs with); None when all is well.

    Raises:
        BarlowError: it is too old to open a study at all.
    """
    found = tuple(int(part) for part in version.split(".")[:3])
    if found < OLDEST_SQLITE:
        raise BarlowError(
            f"Python runs with SQLite {version}; a study needs {_dotted(OLDEST_SQLITE)} or newer. Use a newer Python "
            "(python.org and conda bring their own SQLite), or update the sqlite3 library of the system."
        )
    if found >= SAFE_SQLITE:
        return None
    return (
        f"Python runs with SQLite {version}. Versions before {_dotted(SAFE_SQLITE)} can damage a file, very rarely, when two programs "
        "write to it at the same moment. Barlow writes through a lock and is not concerned. Do not write to the file of a running "
        "study with another program (reading is fine), or run Python with a newer SQLite."
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def not_saved(error: Exception, path: Path, patience: float) -> NotSavedError:
    """An error of SQLite or of the file system, in the words of the person who has just typed something."""
    name = getattr(error, "sqlite_errorname", None) or ""
    kept = "Nothing was written, and what you entered is still with you"
    if isinstance(error, Timeout) or name.startswith(_BUSY):
        return NotSavedError(
            f"Not saved: another program holds {path} and did not let go within {patience:g} seconds. {kept}: send it again in a "
            "moment. If that goes on, close the program that holds the file (a database browser, a script, a copy in progress).",
            reason="busy",
        )
    if name in _OUT_OF_SPACE or getattr(error, "errno", None) in (28, 122):  # ENOSPC, EDQUOT
        return NotSavedError(
            f"Not saved: the disk that holds {path} is full. {kept}: free some space, then send it again.", reason="full"
        )
    if name.startswith(_READ_ONLY) or isinstance(error, PermissionError) or getattr(error, "errno", None) == 30:  # EROFS
        return NotSavedError(
            f"Not saved: {path} cannot be written to. {kept}: allow writing to the file and to its folder, then send it again.",
            reason="read_only",
        )
    if name.startswith(_DAMAGED):
        return NotSavedError(
            f"Not saved: {path} is damaged ({error}). {kept}. See what is wrong: barlow study check. "
            "Go back to the last backup: barlow study restore.",
            reason="damaged",
        )
    return NotSavedError(f"Not saved: {path} could not be written ({error}). {kept}: look at the disk, then send it again.")


def lock_path(path: Path) -> Path:
    """The empty file whose lock stands for the right to write to the study at `path`."""
    return path.with_name(f"{path.name}.lock")


def log_path(path: Path) -> Path:
    """The log of SQLite, which holds what was written last until it is copied back into the study at `path`."""
    return path.with_name(f"{path.name}-wal")


def lost_words(lost: Path) -> str:
    """What to do about a study, or its log, that is not the one that a process has open."""
    return (
        f"{lost} was deleted or replaced while the study was in use, so nothing more is confirmed. Stop all processes that have "
        "the study open, the admin page too, but do not kill them: a clean stop saves what they still hold. Then: barlow study check, and start again."
    )


def require_log(path: Path) -> None:
    """Raise a BarlowError where another process has the study at `path` open, whose log was deleted: it needs nobody in its way.

    SQLite keeps an index of the log beside it (-shm), and a lock on that for as long as a process has both open. Where the system
    does not say who holds locks (/proc/locks of Linux), nothing is known.
    """
    index = path.with_name(f"{path.name}-shm")
    if log_path(path).exists() or not index.exists():
        return
    with suppress(OSError):
        ends = f":{index.stat().st_ino}"
        locks = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
        if any(word.endswith(ends) for words in locks for word in words):
            raise BarlowError(lost_words(log_path(path)))


def uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def connect(path: Path, mode: str, *, timeout: float) -> sqlite3.Connection:
    """A connection without transactions of its own; `mode` is "ro", "rw" or "rwc" (create)."""
    connection = sqlite3.connect(uri(path, mode), uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    # What is deleted is overwritten with zeros: a worker's answers do not stay behind in free space.
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path; None where none does."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class _Turn:
    """A lock that is given out in the order in which it was asked for: under a crowd nobody waits much longer than the others."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def acquire(self, timeout: float | None = None) -> bool:
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        if ticket.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            return True
        with self._mutex:
            try:
                self._waiting.remove(ticket)
            except ValueError:
                return True  # it was our turn just as we gave up
        return False

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()  # goes from hand to hand, so nobody slips in between
            else:
                self._held = False


class Writer:
    """The connection that writes, behind a lock that holds across threads and processes.

    Args:
        patience: seconds until a call gives up on a file that somebody else holds.
        let_go: closes the other connections of this process, as far as nobody uses them at the moment.
    """

    def __init__(self, path: Path, *, patience: float, let_go: Callable[[], None] = lambda: None):
        self.path = path
        self.patience = patience
        self._let_go = let_go
        self._process = os.getpid()
        self._threads = _Turn()
        self._processes = FileLock(lock_path(path), thread_local=False)
        self._connection: sqlite3.Connection | None = None
        self._files: tuple[tuple[int, int] | None, ...] | None = None  # which files the connection has open: study, log

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """The connection, outside any transaction, with nobody else writing.

        Raises:
            NotSavedError: for whatever the file or the disk has against it.
        """
        if os.getpid() != self._process:
            raise BarlowError(
                f"{self.path} was opened before this process was forked. Open it again in each process: StudyStore(path)."
            )
        deadline = time.monotonic() + self.patience
        if not self._threads.acquire(self.patience):
            raise not_saved(Timeout(str(self.path)), self.path, self.patience)
        try:
            with self._processes.acquire(timeout=max(0.0, deadline - time.monotonic()), poll_interval=POLL_SECONDS):
                if self._connection is None:
                    self._connection = connect(self.path, "rw", timeout=self.patience)
                left = max(0.0, deadline - time.monotonic())
                self._connection.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
                self.require_files()
                yield self._connection
        except (sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
                raise  # a mistake of ours, not of the disk
            raise not_saved(error, self.path, self.patience) from error
        finally:
            self._threads.release()

    def require_files(self) -> None:
        """Raise a NotSavedError when the study or its log is no longer the file that the connection writes to, and nothing can be done.

        Whatever is written to a file that somebody has deleted or replaced is gone with this process, and SQLite does not notice.
        """
        lost = self.lost_file()
        if lost is not None and not self._recover(lost):
            raise NotSavedError(f"Not saved: {lost_words(lost)}", reason="damaged")

    def lost_file(self) -> Path | None:
        """The study or its log, if it was deleted or replaced since the connection was opened."""
        found = tuple(_identity(one) for one in (self.path, log_path(self.path)))
        if self._files is None or self._files[1] is None:
            self._files = found  # the log appears with the first transaction
        if found == self._files:
            return None
        return self.path if found[0] != self._files[0] else log_path(self.path)

    def _recover(self, lost: Path) -> bool:
        """Put all that a deleted log held into the study, and begin a new one; False, and nothing is changed, where that is not safe.

        It is where nothing lies in the place of the log but what a reader left there, without content, so that nobody has written to
        another one; and where SQLite gives this connection the file for itself, so that no other process goes on with the deleted log.
        """
        connection = self._connection
        if connection is None or lost == self.path or (lost.exists() and lost.stat().st_size):
            return False
        self._let_go()
        try:
            connection.execute(f"PRAGMA busy_timeout = {RECOVERING_MILLISECONDS}")
            connection.execute("PRAGMA synchronous = FULL")
            for mode in ("delete", "wal"):
                if connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0] != mode:
                    return False
        except sqlite3.OperationalError:
            return False
        self._files = None
        return self.lost_file() is None

    @contextmanager
    def transaction(self, *, durable: bool = True, committed: Callable[[], None] | None = None) -> Iterator[sqlite3.Connection]:
        """Write all of it or nothing.

        Args:
            committed: is called when it is written, before anybody else can write.
            durable: come back only when it is on the disk and would survive a power cut. Without, it survives the end of the
                process, however violent; a power cut may take the last moments.

        Raises:
            NotSavedError: nothing was written.
        """
        with self.alone() as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
                self.require_files()
                if committed is not None:
                    committed()
            except BaseException:
                self._undo(connection)
                raise

    def _undo(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            # A connection that cannot even go back is given up; the next call opens a new one.
            self._connection = None
            with suppress(sqlite3.Error):
                connection.close()

    def close(self) -> None:
        """Close the connection; copy the log back into the file before, where this connection wrote, as far as no other process needs it."""
        self._threads.acquire()
        try:
            connection, self._connection, self._files = self._connection, None, None
            if connection is None:
                return
            if not connection.total_changes:  # who only reads leaves the file as it is
                connection.close()
                return
            try:
                with self._processes.acquire(timeout=self.patience, poll_interval=POLL_SECONDS):
                    with suppress(sqlite3.Error):
                        connection.execute(f"PRAGMA busy_timeout = {CLOSING_MILLISECONDS}")
                        connection.execute("PRAGMA synchronous = FULL")
                        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    connection.close()
            except (Timeout, OSError):
                connection.close()
        finally:
            self._threads.release()


class Readers:
    """Connections that only read; each call borrows one, so that no two threads share one at a time."""

    def __init__(self, path: Path, *, patience: float, immutable: bool = False):
        self.path = path
        self._patience = patience
        self._immutable = immutable
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue(maxsize=IDLE_READERS)

    @contextmanager
    def snapshot(self) -> Iterator[Database]:
        """The study as it is at this moment; everything read within the block belongs together.

        Raises:
            BarlowError: the file cannot be read.
        """
        try:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._open()
            try:
                connection.execute("BEGIN")
                yield Database(connection, recursive_triggers=False, execute_plugins=False)
            finally:
                self._give_back(connection)
        except sqlite3.DatabaseError as error:
            raise BarlowError(f"{self.path} could not be read ({error}). See what is wrong: barlow study check.") from error

    def _open(self) -> sqlite3.Connection:
        if not self._immutable:
            connection = connect(self.path, "ro", timeout=self._patience)
            connection.execute("PRAGMA query_only = ON")
            return connection
        connection = sqlite3.connect(
            f"{uri(self.path, 'ro')}&immutable=1", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._idle.put_nowait(connection)
        except (queue.Full, sqlite3.Error):
            connection.close()

    def close(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


class Watch:
    """Tells whether anybody has written to the file since it was asked last; a few microseconds a time.

    SQLite counts, for each connection, what others have committed (`PRAGMA data_version`).
    """

    def __init__(self, path: Path, *, patience: float, immutable: bool = False):
        self._lock = threading.Lock()
        self._seen: int | None = None
        self._path, self._patience, self._closed = path, patience, immutable
        self._connection: sqlite3.Connection | None = None

    def has_changed(self) -> bool:
        """Whether the file is another one than at the last call; True also where that cannot be told, False for one that nobody can change."""
        with self._lock:
            if self._closed:
                return False
            try:
                if self._connection is None:
                    self._seen, self._connection = None, connect(self._path, "ro", timeout=self._patience)
                found = self._connection.execute("PRAGMA data_version").fetchall()[0][0]
            except sqlite3.Error:
                return True
            changed, self._seen = found != self._seen, found
            return changed

    def let_go(self) -> None:
        """Close the connection until it is needed again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def close(self) -> None:
        self._closed = True
        self.let_go()
