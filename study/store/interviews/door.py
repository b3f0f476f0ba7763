"""The interviews of one study: everything that happens to them goes through `Interviews`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from barlow_core.errors import BarlowError
from study.protocol import Protocol
from study.store import maintenance
from study.store.export import write_table
from study.store.interviews import answering, frames, opinions, people, sessions
from study.store.interviews.frames import InterviewTables
from study.store.interviews.people import Participant
from study.store.maintenance import Withdrawal
from study.store.study_file import StudyFile


class Interviews:
    """The interviews of a study that is open; see `StudyStore.interviews`.

    As with the crowd study, what is written is on the disk before a call returns, and a call did all of it or nothing; only what is on
    a screen (`look`) and drafts of the closing survey may be lost to a power cut. Participants go by their number.

    Every writing call raises NotSavedError where the file cannot take it, and RefusedError for somebody who is not there, has not
    registered, or has withdrawn.
    """

    def __init__(self, file: StudyFile):
        self._file = file

    # --- preparing

    def create(self, protocol: Protocol, groupings: Iterable[Mapping[str, Any]]) -> None:
        """Prepare the interviews; the protocol and the groupings do not change afterwards.

        Args:
            groupings: mappings with "id" (key of the group), "easy" (bool), "features" (those of the tree, the first split's
                first), and anything else that JSON can hold.

        Raises:
            BarlowError: there are interviews already; fewer than two groupings; none is easy.
        """
        with self._file.writing() as (tx, now):
            people.create(tx, protocol, list(groupings), now)

    @property
    def protocol(self) -> Protocol | None:
        """How this study interviews; None where it does not."""
        with self._file.reading() as db:
            return people.protocol_of(db.conn)

    def grouping(self, name: str) -> dict[str, Any]:
        """What is known of a grouping: "id", "easy", and its data.

        Raises:
            BarlowError: there is none of that name.
        """
        with self._file.reading() as db:
            row = db.conn.execute("SELECT * FROM interview_grouping WHERE id = ?", (name,)).fetchone()
        if row is None:
            raise BarlowError(f"The interviews know no grouping {name!r}.")
        return {**json.loads(row["data"]), "id": row["id"], "easy": bool(row["easy"])}

    # --- people

    def invite(self, code: str, *, guided: bool = True, simulated: bool = False) -> int:
        """Invite somebody by a link that ends in `code`; their number."""
        with self._file.writing() as (tx, now):
            return people.invite(tx, code, guided, simulated, now)

    def of_code(self, code: object) -> int | None:
        """Who was invited by this code; None for everything else."""
        with self._file.reading() as db:
            return people.of_code(db.conn, code)

    def codes(self) -> dict[int, str]:
        """The codes of the links, by number; none of those who have withdrawn."""
        with self._file.reading() as db:
            rows = db.conn.execute("SELECT id, code FROM interview_participant WHERE code IS NOT NULL ORDER BY id").fetchall()
        return {row["id"]: row["code"] for row in rows}

    def participant(self, number: int) -> Participant:
        """Where somebody stands.

        Raises:
            RefusedError: there is nobody of that number.
        """
        with self._file.reading() as db:
            return people.find(db.conn, number, self._file.clock.now())

    def register(self, number: int, role: str, experience: str) -> None:
        """The participant consents, and says who they are; two groupings are drawn for them."""
        with self._file.writing() as (tx, now):
            people.register(tx, number, role, experience, now)

    def screen_out(self, number: int) -> None:
        """The participant does not fulfil the requirement."""
        with self._file.writing() as (tx, now):
            people.screen_out(tx, number, now)

    def withdraw(self, number: int) -> Withdrawal:
        """Delete everything that a participant said, from the file, its log and its backups; see `StudyStore.withdraw`."""
        with self._file.reading() as db:
            found = people.find(db.conn, number, self._file.clock.now())
        return maintenance.erase_everywhere(self._file, found.name, lambda tx, now: people.erase(tx, number, now))

    # --- the session

    def start(self, number: int) -> None:
        """Begin the session."""
        with self._file.writing() as (tx, now):
            sessions.start(tx, number, now)

    def move(self, number: int, part: str) -> None:
        """Go to a part, on both screens."""
        with self._file.writing() as (tx, now):
            sessions.move(tx, number, part, now)

    def set_plan(self, number: int, plan: Sequence[tuple[str, float]]) -> None:
        """Change order and minutes of the parts: (part, minutes), every part once."""
        with self._file.writing() as (tx, now):
            sessions.set_plan(tx, number, plan, now)

    def take_break(self, number: int) -> None:
        """Stop the clock."""
        with self._file.writing() as (tx, now):
            sessions.take_break(tx, number, now)

    def go_on(self, number: int) -> None:
        """End a break."""
        with self._file.writing() as (tx, now):
            sessions.go_on(tx, number, now)

    def look(self, number: int, **what: Any) -> None:
        """What is on the participant's screen."""
        with self._file.writing(durable=False) as (tx, now):
            sessions.look(tx, number, what, now)

    def finish(self, number: int) -> None:
        """End the session."""
        with self._file.writing() as (tx, now):
            sessions.finish(tx, number, now)

    def reopen(self, number: int) -> None:
        """Go on with a session that was ended."""
        with self._file.writing() as (tx, now):
            sessions.reopen(tx, number, now)

    # --- answers

    def answer_feature(self, number: int, grouping: str, feature: int, **given: Any) -> None:
        """Keep answers to questions 1 and 2: `answering.FEATURE_FIELDS`; what is not given stays.

        Raises:
            BarlowError: an answer that is none. RefusedError: the participant does not look at this grouping, or its tree has no such feature.
        """
        with self._file.writing() as (tx, now):
            answering.answer_feature(tx, number, grouping, feature, given, now)

    def answer_actions(self, number: int, grouping: str, **given: Any) -> None:
        """Keep answers to question 3: `answering.ACTION_FIELDS`; what is not given stays."""
        with self._file.writing() as (tx, now):
            answering.answer_actions(tx, number, grouping, given, now)

    def quote(
        self, number: int, text: str, *, author: str = "interviewer", theme: str | None = None, grouping: str | None = None
    ) -> int:
        """Note what a participant said, with the time on the clock; the number of the quote."""
        with self._file.writing() as (tx, now):
            return answering.quote(tx, number, text, author, theme, grouping, now)

    def set_theme(self, quote: int, theme: str | None) -> None:
        """Put a quote under a theme."""
        with self._file.writing() as (tx, now):
            answering.set_theme(tx, quote, theme, now)

    def remove_quote(self, quote: int) -> None:
        """Take a quote out."""
        with self._file.writing() as (tx, now):
            answering.remove_quote(tx, quote, now)

    def code(self, what: str, number: int, grouping: str, feature: int | None, *, coder: str, codes: Sequence[str]) -> None:
        """Keep how a coder reads a free text about "actions" (feature None) or "difficulties"."""
        with self._file.writing() as (tx, now):
            answering.code(tx, what, number, grouping, feature, coder, codes, now)

    def code_all(self, rows: Iterable[tuple[str, int, str, int | None, Sequence[str]]], *, coder: str) -> None:
        """Keep many codings of one coder, all or none: (what, participant, grouping, feature, codes) each."""
        with self._file.writing() as (tx, now):
            for what, number, grouping, feature, codes in rows:
                answering.code(tx, what, number, grouping, feature, coder, codes, now)

    # --- the closing survey, on the participant's own page only

    def opinion_draft(self, number: int, key: str) -> dict[str, int]:
        """What was chosen in the browser that has this key, and not sent yet; nothing once it is sent."""
        with self._file.reading() as db:
            return opinions.draft(db.conn, number, key)

    def save_opinion(self, number: int, answers: Mapping[str, Any], key: str) -> None:
        """Keep what is chosen so far, for the browser that has this key."""
        with self._file.writing(durable=False) as (tx, now):
            people.require_taking_part(tx, number, now)
            opinions.save(tx, number, answers, people.require_protocol(tx), key)

    def send_opinion(self, number: int) -> None:
        """The closing survey is final, and the answers are out of everybody's sight but for the sums."""
        with self._file.writing() as (tx, now):
            sessions.send_survey(tx, number, now)

    # --- tables

    def tables(self, *, survey: bool = False) -> InterviewTables | None:
        """Everything as tables; None where the study has no interviews.

        Args:
            survey: with the counts of the closing survey; without, its table is not even looked at.
        """
        with self._file.reading() as db:
            return frames.tables(db.conn, self._file.clock.now(), survey=survey)

    def require_tables(self, *, survey: bool = False) -> InterviewTables:
        """As `tables`.

        Raises:
            BarlowError: the study has no interviews.
        """
        with self._file.reading() as db:
            people.require_protocol(db.conn)
            found = frames.tables(db.conn, self._file.clock.now(), survey=survey)
        assert found is not None
        return found

    def export(self, folder: str | Path) -> list[Path]:
        """Write every table as CSV into a folder; the files. Of the closing survey there are counts.

        Raises:
            BarlowError: there are no interviews; the folder cannot be written.
        """
        found = self.require_tables(survey=True)
        made = []
        root = Path(folder)
        try:
            root.mkdir(parents=True, exist_ok=True)
            for name in ("participants", "groupings", "assignments", "features", "actions", "quotes", "codings", "statements"):
                table = getattr(found, name)
                for column in table:
                    if table[column].map(type).eq(list).any():
                        table = table.assign(**{column: table[column].map(lambda cell: "; ".join(map(str, cell)))})
                write_table(root / f"{name}.csv", table, "csv")
                made.append(root / f"{name}.csv")
        except OSError as error:
            raise BarlowError(
                f"{root} cannot be written ({error.strerror or error}). Name a folder that you may write to."
            ) from error
        return made
