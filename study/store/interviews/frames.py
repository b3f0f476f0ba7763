"""The interviews of a study as tables, of one moment. The closing survey appears as counts only."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.protocol import Protocol
from study.store.clock import Moment
from study.store.interviews import clock, opinions
from study.store.interviews.people import name_of, protocol_of

if TYPE_CHECKING:
    import pandas as pd

_PARTICIPANT = ["participant", "state", "guided", "simulated", "role", "experience", "invited_at", "consented_at", "finished_at"]


@dataclass(frozen=True, eq=False)
class InterviewTables:
    """Everything about interviews that analyses and exports take.

    Attributes:
        protocol: how the study interviews.
        participants: a row each, invited or not begun among them: `participant` ("P7"), `state`, `guided`, `simulated`, `role`,
            `experience` (values of the protocol), `invited_at`, `consented_at`, `finished_at` (UTC), `minutes` (of the session, without
            breaks), `surveyed`.
        groupings: `grouping` (its id), `easy`, and their data: `by` (label, prediction, ...), `class_name`, `ber`, `n_images`, `n_failures`, `features` (list), ...
        assignments: `participant`, `place` (1 or 2), `grouping`.
        features: answers to questions 1 and 2: `participant`, `grouping`, `feature`, `describes`, `description`, `difficulties`
            (list), `difficulty` (text), `necessity`, `reason`, `answered_at`, `edited_at`.
        actions: answers to question 3: `participant`, `grouping`, `actions` (list), `text`, `answered_at`, `edited_at`.
        quotes: `quote`, `participant`, `at`, `seconds` (on the session's clock), `author`, `part`, `grouping`, `theme`, `text`.
        codings: `what`, `participant`, `grouping`, `feature` (-1 for a grouping), `coder`, `codes` (list), `at`.
        statements: of the closing survey: `statement`, `level` (1 to 5), `n`; over the `n_opinions` that are counted.
        n_waiting: opinions that are not counted yet, so that nobody's own can be told (`study.store.interviews.opinions`).
    """

    protocol: Protocol
    participants: pd.DataFrame
    groupings: pd.DataFrame
    assignments: pd.DataFrame
    features: pd.DataFrame
    actions: pd.DataFrame
    quotes: pd.DataFrame
    codings: pd.DataFrame
    statements: pd.DataFrame
    n_opinions: int
    n_waiting: int


def tables(connection: sqlite3.Connection, now: Moment, *, survey: bool = True) -> InterviewTables | None:
    """The interviews of a study; None where it has none.

    Args:
        survey: whether the counts of the closing survey are wanted; without, its table is not even looked at.
    """
    import pandas as pd

    protocol = protocol_of(connection)
    if protocol is None:
        return None
    rows = connection.execute("SELECT * FROM interview_participant ORDER BY id").fetchall()
    people = [
        {
            **{name: row[name] for name in _PARTICIPANT[1:]},
            "participant": name_of(row["id"]),
            "guided": bool(row["guided"]),
            "simulated": bool(row["simulated"]),
            "minutes": clock.seconds(row, now) / 60,
            "surveyed": bool(row["surveyed"]),
        }
        for row in rows
    ]
    participants = pd.DataFrame(people, columns=[*_PARTICIPANT, "minutes", "surveyed"])
    for column in ("invited_at", "consented_at", "finished_at"):
        participants[column] = pd.to_datetime(participants[column], utc=True, format="ISO8601")
    listed = [
        {**json.loads(row["data"]), "grouping": row["id"], "easy": bool(row["easy"])}
        for row in connection.execute("SELECT id, easy, data FROM interview_grouping ORDER BY position").fetchall()
    ]
    counts, n_opinions, n_waiting = opinions.counts(connection, protocol) if survey else ([], 0, 0)
    return InterviewTables(
        protocol,
        participants,
        pd.DataFrame(listed),
        _frame(connection, "interview_assignment", ["participant", "place", "grouping"]),
        _frame(
            connection,
            "interview_feature_answer",
            [
                *("participant", "grouping", "feature", "describes", "description", "difficulties", "difficulty", "necessity"),
                *("reason", "answered_at", "edited_at"),
            ],
        ),
        _frame(connection, "interview_action_answer", ["participant", "grouping", "actions", "text", "answered_at", "edited_at"]),
        _frame(
            connection,
            "interview_quote",
            ["id", "participant", "at", "seconds", "author", "part", "grouping", "theme", "text"],
        ).rename(columns={"id": "quote"}),
        _frame(connection, "interview_coding", ["what", "participant", "grouping", "feature", "coder", "codes", "at"]),
        pd.DataFrame(counts, columns=["statement", "level", "n"]),
        n_opinions,
        n_waiting,
    )


def _frame(connection: sqlite3.Connection, table: str, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    found = connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid").fetchall()
    rows = [[_cell(name, row[name]) for name in columns] for row in found]
    made = pd.DataFrame(rows, columns=columns)
    for column in ("at", "answered_at", "edited_at"):
        if column in made:
            made[column] = pd.to_datetime(made[column], utc=True, format="ISO8601")
    return made


def _cell(name: str, value: Any) -> Any:
    if name == "participant":
        return name_of(value)
    return json.loads(value) if name in ("difficulties", "actions", "codes") else value
