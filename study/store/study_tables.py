"""A study on disk as tables: everything that reads it as a whole and writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.store import export, frames, high_water, integrity, ledger, pay, progress, workers
from study.store.ledger import PaymentFile
from study.store.progress import Progress
from study.store.settings import StudySettings
from study.store.snapshot import Snapshot, fingerprint
from study.store.study_file import StudyFile
from study.store.workers import Worker

if TYPE_CHECKING:
    import pandas as pd


class StudyTables:
    """The half of `StudyStore` that reads a study: for the researcher, for exports and for analyses.

    Every call sees the study at one moment, whoever writes meanwhile.
    """

    _file: StudyFile

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def study_id(self) -> str:
        """What tells this study from every other one, copies of it aside."""
        return self._file.study_id

    @property
    def settings(self) -> StudySettings:
        return self._file.settings

    @property
    def read_only(self) -> bool:
        return self._file.read_only

    def __repr__(self) -> str:
        done = self.progress()
        return f"{type(self).__name__}({str(self.path)!r}): {done.answers:,} of {done.answers_wanted:,} answers to {done.items:,} items"

    def worker(self, worker_id: str) -> Worker | None:
        """What is known about a worker; None for an id that never took part."""
        with self._file.reading() as db:
            return workers.find(db.conn, worker_id)

    def answers(
        self, *, kinds: Collection[str] = ("item",), states: Collection[str] = ("accepted",), pseudonymous: bool = False
    ) -> pd.DataFrame:
        """The accepted answers, one row each, in the order in which they came.

        Columns: `item`, `worker`, `kind`; the questions (`short`, `long`, `ease`, `confidence`, `useful`); `state`, `late`,
        `passed`, `payable`, `simulated` (bool), `platform`, `seconds` (time on task), `elapsed_seconds`, `submitted_at`, `edited_at`
        (UTC); then the data of the item (`item_` before a name that is taken).

        Args:
            kinds: of items: "item", "practice", "gold", "attention".
            states: of answers: "accepted", "surplus", "discarded".
            pseudonymous: `worker` is a random name instead of the id of the platform.
        """
        with self._file.reading() as db:
            return frames.answers(db, self.settings, kinds=kinds, states=states, pseudonymous=pseudonymous)

    def items(self) -> pd.DataFrame:
        """The items, one row each: `item`, `kind`, `wanted`, `filled` (answers and reservations), `answers`, and their data."""
        with self._file.reading() as db:
            return frames.items(db, self.settings)

    def item_ids(self) -> list[str]:
        """The ids of all items, in the order of the study."""
        with self._file.reading() as db:
            return [row[0] for row in db.conn.execute("SELECT id FROM item ORDER BY position")]

    def item_list(self) -> list[dict[str, Any]]:
        """The items in the form that `create` takes: `id`, `kind`, `expected`, `answers_per_item`, and their data."""
        with self._file.reading() as db:
            return frames.item_list(db)

    def workers(self, *, pseudonymous: bool = False) -> pd.DataFrame:
        """The workers, one row each: ids, state, how many accepted answers (no practice), how many checks they passed, how many answers are flagged."""
        with self._file.reading() as db:
            return frames.workers(db, self.settings, pseudonymous=pseudonymous)

    def events(self, *, pseudonymous: bool = False) -> pd.DataFrame:
        """The audit trail, one row an event, in the order in which they happened."""
        with self._file.reading() as db:
            return frames.events(db, self.settings, pseudonymous=pseudonymous)

    def flags(self) -> pd.DataFrame:
        """Answers that broke a rule of `study.store.rules`, the last one first: `at`, `worker`, `item`, `rules` (names, with commas)."""
        with self._file.reading() as db:
            return frames.flags(db, self.settings)

    def duplicates(self) -> list[list[str]]:
        """Workers who came from the same device by an open link: the ids of each device's, in the order of joining."""
        with self._file.reading() as db:
            return frames.duplicates(db)

    def reports(self) -> pd.DataFrame:
        """What workers said is wrong, the last one first: `number`, `item`, `worker`, `at`, `text`, `done` (see `settle_report`)."""
        with self._file.reading() as db:
            return frames.reports(db, self.settings)

    def progress(self) -> Progress:
        """How far the study is, how fast it goes, when it will be done, what it costs."""
        with self._file.reading() as db:
            return progress.progress(db, self._file.clock.now(), self.settings)

    def payments(self) -> pd.DataFrame:
        """Who earned what, and what became of it: one row a person, simulated ones left out.

        Columns: `worker`, `pseudonym`, `platform`, `state`, `items` (paid ones), `seconds` (on task, of these), and as Decimal in
        `currency`, to the cent: `earned` (for items), `bonus`, `amount` (both together), `base` (what the platform pays by itself
        for visits that ended with a code it pays for), `filed` and `paid` (in payment files that are made, and that were paid), `due` (the rest: to be
        paid as a bonus there, or by hand), `over` (what was paid beyond `amount`); `visits` (those that the platform pays),
        `last_visit`, `working` (holds an item now). Late, discarded and rejected answers are paid, withdrawn ones too; practice is not.
        """
        with self._file.reading() as db:
            return pay.payments(db, self.settings)

    def ledger(self) -> pd.DataFrame:
        """What was put into payment files, one row a payment: `file`, `state`, `made_at`, `settled_at` (UTC), `platform`, `worker`,
        `pseudonym`, `amount` (Decimal), `currency`, `items` (how many answers it is the first one to pay), `token`."""
        with self._file.reading() as db:
            return ledger.table(db)

    def payment_files(self) -> list[PaymentFile]:
        """The payment files of the ledger, in the order of making."""
        with self._file.reading() as db:
            return ledger.files(db)

    def trouble(self) -> str | None:
        """What keeps the study, as it is open here, from being saved: its file or its log was deleted or replaced; None: nothing."""
        return self._file.trouble()

    def check(self) -> list[str]:
        """Everything that is wrong with the file, one sentence each; an empty list when all is well."""
        with self._file.reading() as db:
            return integrity.problems(db, self.settings, high_water.read(self.path))

    def export(
        self,
        path: str | Path,
        format: str | None = None,
        *,
        pseudonymous: bool = True,
        kinds: Collection[str] = ("item",),
        states: Collection[str] = ("accepted",),
    ) -> list[Path]:
        """Write the answers and, beside them, a codebook; the files that were written.

        Args:
            path: of the answers; the codebook is `<name>_codebook.csv`.
            format: "csv", "jsonl" or "parquet"; by default what the name ends in. In CSV, texts that a spreadsheet would take for
                a formula begin with an apostrophe; JSON lines and Parquet hold them as typed.
            pseudonymous: workers appear under random names, the same in every export of this study; without, only the owner
                of the file can read it.

        Raises:
            BarlowError: an unknown format, or the file cannot be written.
        """
        path = Path(path)
        kind = export.format_of(path, format)
        table = self.answers(kinds=kinds, states=states, pseudonymous=pseudonymous)
        return export.write_answers(path, kind, table, frames.codebook(table, self.settings), private=not pseudonymous)

    def snapshot(self, questions: Collection[str]) -> Snapshot:
        """Everything that analyses need, of one moment; see `study.store.snapshot.Snapshot`.

        Args:
            questions: whose answers are wanted; those that the study did not ask are left out.
        """
        with self._file.reading() as db:
            return Snapshot.of(db, self.settings, questions, self._file.clock.now())

    def fingerprint(self) -> str:
        """A short text that is another one as soon as an answer came in, was changed, or stopped counting, or a setting was changed, or
        something happened in an interview."""
        with self._file.reading() as db:
            return fingerprint(db, self._file.revision)
