"""One study on disk: everything that happens to it goes through `StudyStore`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from barlow_core.errors import BarlowError
from study.questionnaire import shown
from study.store import admin_secret, answering, assignment, creation, ledger, maintenance, progress, workers
from study.store.answering import StoredAnswer
from study.store.assignment import ClaimedItem
from study.store.clock import Clock
from study.store.connections import library_advice
from study.store.items import check_id, check_note
from study.store.ledger import PaymentFile
from study.store.maintenance import Withdrawal
from study.store.progress import Standing
from study.store.settings import PLATFORMS, StudySettings
from study.store.study_file import StudyFile
from study.store.study_tables import StudyTables
from study.store.workers import Worker

PATIENCE = 10.0


class StudyStore(StudyTables):
    """A study file, open; safe to use from many threads, and from several processes that each open it.

    What is written is on the disk before a call returns (claims and drafts may wait for the next answer; they survive the end of
    the process, not a power cut). A call either did all of it or nothing. A file that somebody else holds is waited for
    `patience` seconds; then the call raises `NotSavedError` and can be made again.

    Files: `study.sqlite` with its log (`-wal`, `-shm`) while it is open, two empty lock files, and `study.sqlite.backups/`. Other
    programs may read the file at any time; they should not write to it while it is in use (see `library_advice`). It must lie on a
    disk of this computer: the log of SQLite does not work over a network.

    Args:
        path: of the file that `create` made.
        patience: seconds to wait for a file that is locked.
        clock: what time it is; tests bring their own.

    Attributes:
        path, settings, read_only.

    Raises:
        BarlowError: there is no such file, it is no study, it is damaged, or of a later version.
    """

    def __init__(self, path: str | Path, *, patience: float = PATIENCE, clock: Clock | None = None):
        self._file = StudyFile(Path(path), patience=patience, clock=clock or Clock())

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        items: Iterable[str | Mapping[str, Any]],
        answers_per_item: int = 5,
        patience: float = PATIENCE,
        clock: Clock | None = None,
        **settings: Any,
    ) -> StudyStore:
        """Make a study and open it.

        Args:
            path: of the new file.
            items: ids (str), or mappings with "id" and anything else that JSON can hold; "kind" ("item", "practice", "gold",
                "attention"), "expected" (good answers by question) and "answers_per_item" have a meaning, see `study.store.items`.
            answers_per_item: how many workers answer each item.
            settings: see `StudySettings`.

        Raises:
            BarlowError: the file exists; an item or a setting is wrong.
        """
        library_advice()
        clock = clock or Clock()
        chosen = StudySettings.make(settings | {"answers_per_item": answers_per_item})
        creation.create(Path(path), items, chosen, clock.now(), patience=patience)
        return cls(path, patience=patience, clock=clock)

    def __enter__(self) -> StudyStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The file is complete without this; the log is copied back into it by the last to close."""
        self._file.close()

    # --- for a worker

    def register(
        self,
        worker_id: str,
        *,
        simulated: bool | None = None,
        platform: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Worker:
        """Let a worker in, or look up one who is in already; `claim` does this for plain ids by itself.

        Args:
            simulated: not a person; False for a new worker unless told, and never changed.
            platform: where they come from ("prolific", "mturk", ...).
            details: what that place says about them; added to what is known.

        Raises:
            BarlowError: the id cannot be one; a worker would change from real to simulated or back.
        """
        check_id(worker_id, "Worker")
        if platform is not None:
            check_id(platform, "Platform")
        with self._file.writing() as (tx, now):
            return workers.join(tx, worker_id, now, simulated=simulated, platform=platform, details=details)

    def claim(self, worker_id: str, *, visit: str | None = None) -> ClaimedItem | None:
        """The item that this worker answers next, reserved for them; None when there is nothing (more) for them.

        A worker who holds an item gets the same one again, with their draft. See `study.store.assignment` for the order.

        Args:
            visit: the arrival from a platform in which it will be answered, such as Prolific's session or MTurk's assignment.

        Raises:
            RefusedError: the worker is blocked or has withdrawn.
            BarlowError: the id cannot be one.
            NotSavedError: the file could not be written.
        """
        check_id(worker_id, "Worker")
        if visit is not None:
            check_id(visit, "Visit")
        with self._file.writing(durable=False) as (tx, now):
            workers.require_welcome(workers.join(tx, worker_id, now))
            found = assignment.choose(tx, worker_id, now, self.settings, visit)
            return None if found is None else assignment.claimed(tx, worker_id, *found, now)

    def submit(self, worker_id: str, item_id: str, answers: Mapping[str, Any], token: str | None = None) -> StoredAnswer:
        """Keep an answer. When this returns, it is on the disk.

        Sending the same once more (a double click, a second tab, a page that tries again after a lost connection) changes nothing
        and returns the answer that is there. An answer after the reservation has run out counts if the item still needs one, and
        is kept and paid in any case.

        Args:
            answers: by question, for the paper's {"short", "long", "ease", "confidence", "useful"}.
            token: the `token` of the claimed item, or a text of the caller's own that stands for this one sending. With it, also
                a repetition with other content returns the first answer (`as_sent` is False then); without it, that is refused.

        Raises:
            InvalidAnswersError: the questionnaire does not take the answers; `problems` says what to do, by question.
            RefusedError: the item was not given to this worker, was answered differently before, the token belongs to somebody
                else, or the worker is blocked or has withdrawn.
            NotSavedError: the file could not be written; nothing was.
        """
        checked = self.settings.questionnaire.validate(answers)
        with self._file.writing() as (tx, now):
            return answering.submit(tx, worker_id, item_id, checked, token, now, self.settings)

    def edit(self, worker_id: str, item_id: str, answers: Mapping[str, Any], token: str | None = None) -> StoredAnswer:
        """Replace an answer of this worker; what it said before stays in the audit trail.

        Raises:
            As `submit`; RefusedError also where there is no answer yet.
        """
        checked = self.settings.questionnaire.validate(answers)
        with self._file.writing() as (tx, now):
            return answering.edit(tx, worker_id, item_id, checked, token, now, self.settings)

    def save_draft(self, worker_id: str, item_id: str, draft: Mapping[str, Any]) -> bool:
        """Keep what a worker has typed so far, unfinished as it may be; it comes back with `claim` and `draft`.

        This is a sign of life: it puts the end of the reservation off. False, and nothing kept, when the item is not open any more.

        Raises:
            InvalidAnswersError, RefusedError, NotSavedError: as `submit`.
        """
        checked = self.settings.questionnaire.validate_draft(draft)
        with self._file.writing(durable=False) as (tx, now):
            return answering.save_draft(tx, worker_id, item_id, checked, now, self.settings)

    def draft(self, worker_id: str, item_id: str) -> dict[str, Any]:
        """What this worker has typed for this item and not sent yet."""
        with self._file.reading() as db:
            return answering.draft(db.conn, check_id(worker_id, "Worker"), check_id(item_id, "Item"))

    def active(self, worker_id: str, item_id: str) -> None:
        """A sign of life: the worker scrolls, zooms, types. It counts as time on task and puts the end of the reservation off.

        Raises:
            RefusedError: the item was not given to this worker; they are blocked or have withdrawn.
        """
        with self._file.writing(durable=False) as (tx, now):
            answering.sign_of_life(tx, worker_id, item_id, "active", now, self.settings)

    def report(self, worker_id: str, item_id: str, text: str) -> None:
        """Keep what a worker says is wrong with an item; it is in the audit trail (`events`).

        Raises:
            BarlowError: no text, or one that cannot be kept.
            RefusedError: the item was not given to this worker; they are blocked or have withdrawn.
        """
        check_note(text, "The report")
        with self._file.writing() as (tx, now):
            answering.sign_of_life(tx, worker_id, item_id, "reported", now, self.settings, {"text": text})

    def give_back(self, worker_id: str, item_id: str) -> None:
        """End the reservation of an item that the worker does not want to answer; they do not get it again.

        Raises:
            RefusedError: the item was not given to this worker, or has been answered.
        """
        with self._file.writing() as (tx, now):
            answering.give_back(tx, worker_id, item_id, now)

    def history(self, worker_id: str) -> list[StoredAnswer]:
        """The answers of a worker, the last one first: what "back to the previous one" goes through."""
        with self._file.reading() as db:
            return answering.history(db.conn, check_id(worker_id, "Worker"), self.settings)

    def standing(self, worker_id: str, *, visit: str | None = None) -> Standing:
        """How much a worker has answered and earned, and whether there is more for them; for somebody unknown, as for a new one."""
        check_id(worker_id, "Worker")
        with self._file.reading() as db:
            return progress.standing(db, worker_id, visit, self.settings)

    def finish(self, worker_id: str, outcome: str, *, visit: str | None = None, reward: str | None = None) -> str:
        """Write down that a worker is at the end (of a visit) and how; an item that they still hold goes to others.

        They may come back all the same; doing it twice does no harm.

        Args:
            outcome: "complete", "partial", "returned" (nothing sent that is paid), "screened_out", "refused" or "full".
            reward: what the platform pays for once, by its name there: the study on Prolific, the assignment on MTurk.

        Returns:
            The outcome that the worker is told: this one, or the earlier one for which the platform was told to pay this reward.

        Raises:
            RefusedError: nobody of that id takes part.
            BarlowError: there is no such outcome.
        """
        for name, what in ((visit, "Visit"), (reward, "Reward")):
            if name is not None:
                check_id(name, what)
        with self._file.writing() as (tx, now):
            return workers.finish(tx, worker_id, outcome, visit, reward, now, self.settings)

    # --- for the researcher

    def admin_allowed(self, secret: object) -> bool:
        """Whether this is the secret of the admin page; takes a while on purpose."""
        return admin_secret.matches(secret, self.settings.admin_hash)

    def block(self, worker_id: str, reason: str = "", *, discard: bool = False) -> None:
        """Give a worker no more items and take no more answers from them; what they hold goes to others.

        Args:
            reason: for the audit trail.
            discard: their answers do not count any more, and the items are asked again. They are paid all the same.

        Raises:
            RefusedError: nobody of that id takes part, or they have withdrawn.
        """
        if reason:
            check_note(reason, "The reason")
        with self._file.writing() as (tx, now):
            workers.block(tx, worker_id, reason, discard, now)

    def reopen(self, worker_id: str) -> None:
        """Let a blocked worker in again; discarded answers count again where the items still need them.

        Raises:
            RefusedError: nobody of that id takes part, or they have withdrawn.
        """
        with self._file.writing() as (tx, now):
            workers.reopen(tx, worker_id, now)

    def make_payments(self, platform: str) -> PaymentFile | None:
        """Put everything that is due on a platform into a new payment file of the ledger; None where nothing is due.

        What is in it is not due any more, so that no later file holds it again; `settle_payments` says what became of it.

        Args:
            platform: "prolific", "mturk" or "link".

        Raises:
            BarlowError: there is no such platform.
        """
        if platform not in PLATFORMS:
            raise BarlowError(f"Payment files are for one of {', '.join(PLATFORMS)}, not {shown(platform)}.")
        with self._file.writing() as (tx, now):
            return ledger.make(tx, platform, now, self.settings)

    def settle_payments(self, number: int, state: str) -> PaymentFile:
        """Write down that a payment file was paid ("paid"), or was not and never will be ("void"): then its sums are due again.

        Raises:
            BarlowError: there is no such file or state; the file is settled otherwise already.
        """
        if state not in ("paid", "void"):
            raise BarlowError(f'A payment file becomes "paid" or "void", not {shown(state)}.')
        with self._file.writing() as (tx, now):
            return ledger.settle(tx, number, state, now)

    def expire(self) -> list[tuple[str, str]]:
        """Take back reservations that ran out (each claim does so, too); (item, worker) of each."""
        with self._file.writing(durable=False) as (tx, now):
            return assignment.expire(tx, now)

    def configure(self, **settings: Any) -> None:
        """Change settings of a running study: texts and limits, those in `study.store.settings.CHANGEABLE`.

        Raises:
            BarlowError: there is no such setting, it cannot change any more, or it cannot have this value.
        """
        self._file.configure(settings)

    # --- copies, and taking everything back

    def backup(self, path: str | Path | None = None) -> Path:
        """Copy the study while people answer; where the copy is.

        Args:
            path: of the copy, which must not exist; by default a new name in `<study>.backups/`.

        Raises:
            BarlowError: the file exists or cannot be written.
        """
        return self._file.back_up(None if path is None else Path(path))

    def withdraw(self, worker_id: str, *, forget: bool = False) -> Withdrawal:
        """Delete everything that a worker wrote and did, from the file, its log and its backups.

        The places on the items become free again. What stays: that this id has withdrawn (it gets no more items), how many items
        they are paid for and which visits were sent in. Deleted text is overwritten, the file is rebuilt, the log is emptied and every known backup is written
        anew, so that none of these files holds the text any more. What the disk itself keeps of old blocks, and copies that
        nobody told the study about (exports among them), are out of reach. Doing it twice does no harm; do it again when it
        was interrupted.

        Args:
            worker_id: or the pseudonym, once they are forgotten.
            forget: replace the id by its pseudonym as well. Pay first: nobody can say any more who that was.

        Raises:
            RefusedError: nobody of that id takes part.
            NotSavedError: somebody else holds the file. What could be deleted is deleted; `check` says when something is left to do.
        """
        return maintenance.withdraw(self._file, worker_id, forget=forget)

    @classmethod
    def restore(
        cls, backup_path: str | Path, path: str | Path, *, patience: float = PATIENCE, clock: Clock | None = None
    ) -> StudyStore:
        """Bring a study back to the state of a backup, and open it. Others may have it open meanwhile.

        The state before goes into a backup of its own first (a damaged file is moved there as it is). Workers who have withdrawn
        since the backup stay withdrawn; everything else, also who was blocked, is as it was then.

        Raises:
            BarlowError: the backup cannot be used, or belongs to another study.
        """
        clock = clock or Clock()
        maintenance.restore(Path(backup_path), Path(path), patience=patience, clock=clock)
        return cls(path, patience=patience, clock=clock)
