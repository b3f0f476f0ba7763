"""A study in the hands of those who run it: who may go on, what is paid, what is set, copies, and taking everything back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from barlow_core.errors import BarlowError
from study.questionnaire import shown
from study.store import admin_secret, assignment, backup, ledger, maintenance, workers
from study.store.items import check_note
from study.store.ledger import PaymentFile
from study.store.maintenance import Loss, Withdrawal
from study.store.settings import PLATFORMS
from study.store.study_tables import StudyTables


class StudyManagement(StudyTables):
    """The part of `StudyStore` that changes a study for the researcher."""

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

    def reopen(self, worker_id: str, item_id: str | None = None) -> None:
        """Let a blocked worker in again; discarded answers count again where the items still need them, rejected ones do not.

        Args:
            item_id: instead, reopen one item: an answer that was rejected counts again, an item that was skipped is offered again, as
                far as it still needs answers.

        Raises:
            RefusedError: nobody of that id takes part, they have withdrawn, or there is nothing to reopen.
        """
        with self._file.writing() as (tx, now):
            if item_id is None:
                workers.reopen(tx, worker_id, now)
            else:
                workers.reopen_item(tx, worker_id, item_id, now)

    def reject(self, worker_id: str, item_id: str, reason: str) -> None:
        """Let one answer count no more: its item is asked again. It is paid all the same.

        Args:
            reason: for the audit trail.

        Raises:
            RefusedError: there is no such answer.
            BarlowError: no reason.
        """
        check_note(reason, "The reason")
        with self._file.writing() as (tx, now):
            workers.reject(tx, worker_id, item_id, reason, now)

    def settle_report(self, number: int) -> None:
        """Note that what a worker reported is dealt with.

        Args:
            number: of `reports`.

        Raises:
            BarlowError: there is no such report.
        """
        with self._file.writing() as (tx, now):
            sql = "UPDATE event SET data = json_set(data, '$.done', ?) WHERE id = ? AND kind = 'reported'"
            if not tx.execute(sql, (now.utc, number)).rowcount:
                raise BarlowError(f"There is no report {number}. See them: StudyStore.reports().")

    def invite(self, codes: Iterable[str]) -> None:
        """Let more people in by a plain link, one for each code; those that are there already stay."""
        with self._file.maintained():  # two who invite at a time must not lose each other's codes
            self._file.configure({"invite_codes": [*self._file.settings.invite_codes, *codes]})

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

    def would_lose(self, backup_path: str | Path) -> Loss:
        """What going back to a backup would lose.

        Raises:
            BarlowError: the backup cannot be used.
        """
        return maintenance.loss(self._file, Path(backup_path))

    def backups(self) -> list[Path]:
        """The backups that there are: those beside the study, and those that were made elsewhere and are still there."""
        with self._file.reading() as db:
            return [path for path in backup.known_backups(db.conn, self.path) if path.is_file()]

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
