"""One study on disk: everything that happens to it goes through `StudyStore`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from study.store import (
    answering,
    assignment,
    attempts,
    conditions,
    creation,
    maintenance,
    places,
    progress,
    quiz,
    rules,
    signing,
    workers,
)
from study.store.answering import StoredAnswer
from study.store.assignment import ClaimedItem
from study.store.clock import Clock
from study.store.conditions import ConditionCount
from study.store.connections import library_advice
from study.store.interviews.door import Interviews
from study.store.items import check_id, check_note
from study.store.places import Places
from study.store.progress import Standing
from study.store.quiz import QuizState
from study.store.settings import StudySettings
from study.store.study_file import StudyFile
from study.store.study_management import StudyManagement
from study.store.workers import Worker

PATIENCE = 10.0


class StudyStore(StudyManagement):
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
        self._items_by_code: dict[str, str] | None = None

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
        items = list(items) if not isinstance(items, (str, Mapping)) else items
        found = {"conditions": conditions.conditions_of(items)} if isinstance(items, list) else {}
        chosen = StudySettings.make(settings | found | {"answers_per_item": answers_per_item})
        creation.create(Path(path), items, chosen, clock.now(), patience=patience)
        return cls(path, patience=patience, clock=clock)

    def __enter__(self) -> StudyStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The file is complete without this; the log is copied back into it by the last to close."""
        self._file.close()

    @property
    def interviews(self) -> Interviews:
        """The interviews of practitioners that belong to this study."""
        return Interviews(self._file)

    # --- for a visitor who has not agreed yet

    def hold_place(self, worker_id: str) -> Places:
        """Hold a place for somebody new, if there is one, for `hold_minutes`; they are not written down.

        Their first item ends it, and so does `let_place_go`. Doing it again puts the end off.

        Returns:
            How much room there was; nothing is held unless its `state` is "open".
        """
        token = self.sign(check_id(worker_id, "Worker"))
        with self._file.writing(durable=False) as (tx, now):
            return places.hold(tx, token, now, self.settings.hold_seconds)

    def let_place_go(self, worker_id: str) -> None:
        """End a place that was held for somebody, as they do not take part."""
        with self._file.writing(durable=False) as (tx, _):
            places.let_go(tx, self.sign(check_id(worker_id, "Worker")))

    def places(self) -> Places:
        """How much room there is for somebody new."""
        with self._file.reading() as db:
            return places.places(db.conn, self._file.clock.now())

    def conditions(self) -> list[ConditionCount]:
        """How far each condition is; none where the items name no conditions."""
        with self._file.reading() as db:
            return conditions.counts(db.conn, self.settings)

    def note_guess(self, address: str, code: str) -> None:
        """Remember that somebody came from this network address with an invite code that is none."""
        with self._file.writing(durable=False) as (tx, now):
            attempts.note_guess(tx, attempts.network(self._file.signing_key, address), code, now)

    def seconds_to_wait(self, address: str) -> float:
        """Until an invite code from this address is looked at, after many wrong ones; 0: now (`study.store.attempts`)."""
        with self._file.reading() as db:
            network = attempts.network(self._file.signing_key, address)
            return attempts.seconds_to_wait(db.conn, network, self._file.clock.now())

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
            details: what that place says about them; added to what is known. "device" is compared with that of others
                (`study.store.rules`).

        Raises:
            RefusedError: they come from the device of another worker, and the study refuses that.
            BarlowError: the id cannot be one; a worker would change from real to simulated or back.
        """
        check_id(worker_id, "Worker")
        if platform is not None:
            check_id(platform, "Platform")
        with self._file.writing() as (tx, now):
            return workers.join(
                tx,
                worker_id,
                now,
                simulated=simulated,
                platform=platform,
                details=details,
                duplicates=self.settings.duplicates,
            )

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
            found = assignment.choose(tx, worker_id, now, self.settings, visit, self.sign(worker_id))
            return None if found is None else assignment.claimed(tx, worker_id, *found, now)

    def submit(
        self,
        worker_id: str,
        item_id: str,
        answers: Mapping[str, Any],
        token: str | None = None,
        *,
        signs: Mapping[str, Any] | None = None,
    ) -> StoredAnswer:
        """Keep an answer. When this returns, it is on the disk.

        Sending the same once more (a double click, a second tab, a page that tries again after a lost connection) changes nothing
        and returns the answer that is there. An answer after the reservation has run out counts if the item still needs one, and
        is kept and paid in any case.

        Args:
            answers: by question, for the paper's {"short", "long", "ease", "confidence", "useful"}.
            token: the `token` of the claimed item, or a text of the caller's own that stands for this one sending. With it, also
                a repetition with other content returns the first answer (`as_sent` is False then); without it, that is refused.
            signs: what the page says of how it was filled in, see `study.store.rules`.

        Raises:
            InvalidAnswersError: the questionnaire does not take the answers; `problems` says what to do, by question. Or a rule
                that the study refuses to have broken (`study.store.rules`).
            RefusedError: the item was not given to this worker, was answered differently before, the token belongs to somebody
                else, or the worker is blocked or has withdrawn.
            NotSavedError: the file could not be written; nothing was.
        """
        checked = self.settings.questionnaire.validate(answers)
        with self._file.writing() as (tx, now):
            return answering.submit(tx, worker_id, item_id, checked, token, now, self.settings, signs or {})

    def edit(self, worker_id: str, item_id: str, answers: Mapping[str, Any], token: str | None = None) -> StoredAnswer:
        """Replace an answer of this worker; what it said before stays in the audit trail.

        Raises:
            As `submit`; RefusedError also where there is no answer yet, and for checks and practice, whose first answer counts.
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
        """Keep what a worker says is wrong with an item; it is in the audit trail (`events`). The same words twice are kept once.

        Raises:
            BarlowError: no text, or one that cannot be kept; or many reports of late (`study.store.attempts`).
            RefusedError: the item was not given to this worker; they are blocked or have withdrawn.
        """
        check_note(text, "The report")
        with self._file.writing() as (tx, now):
            if attempts.may_report(tx, worker_id, item_id, text, now):
                answering.sign_of_life(tx, worker_id, item_id, "reported", now, self.settings, {"text": text})

    def give_back(self, worker_id: str, item_id: str) -> None:
        """End the reservation of an item that the worker does not want to answer; they do not get it again.

        Raises:
            RefusedError: the item was not given to this worker, or has been answered; it is a check or practice, which nobody skips.
        """
        with self._file.writing() as (tx, now):
            answering.give_back(tx, worker_id, item_id, now)

    def history(self, worker_id: str, *, visit: str | None = None) -> list[StoredAnswer]:
        """The answers of a worker, the last one first; with `visit`, only those of that visit."""
        with self._file.reading() as db:
            return answering.history(db.conn, check_id(worker_id, "Worker"), visit, self.settings)

    def quiz(self, worker_id: str) -> QuizState:
        """Where a worker stands with the quiz about the instructions; "passed" where the study has none."""
        with self._file.reading() as db:
            return quiz.state(db.conn, check_id(worker_id, "Worker"), self.settings)

    def take_quiz(self, worker_id: str, chosen: Sequence[int | None]) -> QuizState:
        """A try at the quiz; once it is passed or failed, nothing changes any more.

        Args:
            chosen: the place of the chosen option of each question, from 0; None for one left open.

        Raises:
            RefusedError: nobody of that id takes part; they are blocked or have withdrawn.
            BarlowError: not one answer a question.
        """
        with self._file.writing() as (tx, now):
            workers.require_welcome(workers.require(tx, worker_id))
            return quiz.take(tx, worker_id, chosen, now, self.settings)

    # --- who is who, without saying it

    def sign(self, text: str) -> str:
        """What only this study can have said about `text`; 24 letters and digits."""
        return signing.sign(self._file.signing_key, text)

    def is_signed(self, text: str, signature: object) -> bool:
        """Whether `signature` is what `sign` says about `text`."""
        return signing.is_signed(self._file.signing_key, text, signature)

    def device(self, address: str, browser: str) -> str:
        """A name for a visitor's device that gives neither their network address nor their browser away."""
        return rules.device(self._file.signing_key, address, browser)

    def item_code(self, item_id: str) -> str:
        """A name for an item that says nothing about it: ids may name classes, or give a check away."""
        return signing.item_code(self._file.signing_key, item_id)

    def item_of(self, code: object) -> str | None:
        """The item of that code; None for everything else."""
        if self._items_by_code is None:
            self._items_by_code = {self.item_code(str(item)): str(item) for item in self.item_ids()}
        return self._items_by_code.get(code) if isinstance(code, str) else None

    def standing(self, worker_id: str, *, visit: str | None = None) -> Standing:
        """How much a worker has answered and earned, and whether there is more for them; for somebody unknown, as for a new one."""
        check_id(worker_id, "Worker")
        with self._file.reading() as db:
            held = places.held_by_others(db.conn, self._file.clock.now(), self.sign(worker_id))
            return progress.standing(db, worker_id, visit, self.settings, held)

    def finish(self, worker_id: str, outcome: str, *, visit: str | None = None, reward: str | None = None) -> str:
        """Write down that a worker is at the end (of a visit) and how; an item that they still hold goes to others.

        They may come back all the same; doing it twice does no harm.

        Args:
            outcome: "complete", "partial", "returned" (nothing sent that is paid), "screened_out", "refused" or "full".
            reward: what the platform pays for once, by its name there: the study on Prolific, the assignment on MTurk.

        Returns:
            The outcome that the worker is told: this one; the earlier one for which the platform was told to pay this reward;
            "settled", where payment files hold so much of it that the reward would be paid on top; or "unqualified", where somebody
            was screened out by the quiz, before they sent anything.

        Raises:
            RefusedError: nobody of that id takes part.
            BarlowError: there is no such outcome.
        """
        for name, what in ((visit, "Visit"), (reward, "Reward")):
            if name is not None:
                check_id(name, what)
        with self._file.writing() as (tx, now):
            return workers.finish(tx, worker_id, outcome, visit, reward, now, self.settings)

    # --- going back

    @classmethod
    def restore(
        cls, backup_path: str | Path, path: str | Path, *, patience: float = PATIENCE, clock: Clock | None = None
    ) -> StudyStore:
        """Bring a study back to the state of a backup, and open it. Others may have it open meanwhile.

        The state before goes into a backup of its own first (a damaged file is moved there as it is). Workers who have withdrawn
        since the backup stay withdrawn, and what was paid stays in the ledger; everything else, also who was blocked, is as it was then.

        Raises:
            BarlowError: the backup cannot be used, or belongs to another study.
        """
        clock = clock or Clock()
        maintenance.restore(Path(backup_path), Path(path), patience=patience, clock=clock)
        return cls(path, patience=patience, clock=clock)
