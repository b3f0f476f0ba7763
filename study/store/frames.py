"""The study as tables: answers, items, workers, the audit trail; and the codebook that explains their columns."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from barlow_core.errors import BarlowError
from study.store.assignment import ANSWERED
from study.store.schema import ITEM_KINDS
from study.store.settings import StudySettings

if TYPE_CHECKING:
    import pandas as pd

TIMES = ("submitted_at", "edited_at", "at", "joined_at", "shown_at")
_BEFORE = ("item", "worker", "kind")
_AFTER = (
    "state",
    "late",
    "passed",
    "payable",
    "simulated",
    "platform",
    "seconds",
    "elapsed_seconds",
    "submitted_at",
    "edited_at",
)


def answers(
    db: Database,
    settings: StudySettings,
    *,
    kinds: Collection[str],
    states: Collection[str],
    pseudonymous: bool,
) -> pd.DataFrame:
    """One row an answer; see `StudyStore.answers`."""
    _check(kinds, ITEM_KINDS, "kinds of items")
    _check(states, ANSWERED, "states of answers")
    questions = ", ".join(f'answer."{name}"' for name in settings.questionnaire.ids)
    rows = db.query(
        f"SELECT answer.item, worker.{'pseudonym' if pseudonymous else 'id'} AS worker, item.kind, {questions}, assignment.state, "
        "answer.late, answer.passed, assignment.payable, worker.simulated, worker.platform, answer.seconds, answer.elapsed_seconds, "
        "answer.submitted_at, answer.edited_at, item.data FROM answer "
        "JOIN assignment ON assignment.item = answer.item AND assignment.worker = answer.worker "
        "JOIN item ON item.id = answer.item JOIN worker ON worker.id = answer.worker "
        f"WHERE item.kind IN ({_marks(kinds)}) AND assignment.state IN ({_marks(states)}) ORDER BY answer.id",
        [*kinds, *states],
    )
    columns = [*_BEFORE, *settings.questionnaire.ids, *_AFTER]
    data = _ItemData()
    found = []
    for row in rows:
        data.add(row["data"])
        found.append([row[column] for column in columns])
    return _frame(found, columns, settings, data)


def items(db: Database, settings: StudySettings) -> pd.DataFrame:
    """One row an item, in the order of the list: `item`, `kind`, `wanted`, `filled`, `answers`, and its data."""
    rows = db.query(
        "SELECT item.id AS item, item.kind, item.wanted, item.filled, item.data, "
        "(SELECT count(*) FROM assignment WHERE assignment.item = item.id AND assignment.state = 'accepted') AS answers "
        "FROM item ORDER BY item.position"
    )
    columns = ["item", "kind", "wanted", "filled", "answers"]
    data = _ItemData()
    found = []
    for row in rows:
        data.add(row["data"])
        found.append([row[column] for column in columns])
    return _frame(found, columns, settings, data)


def item_list(db: Database) -> list[dict[str, Any]]:
    """The items as `StudyStore.create` takes them."""
    found = []
    for row in db.query("SELECT id, kind, data, expected, wanted FROM item ORDER BY position"):
        about = {"id": row["id"], "kind": row["kind"], **json.loads(row["data"])}
        if row["expected"] is not None:
            about["expected"] = json.loads(row["expected"])
        if row["wanted"] is not None:
            about["answers_per_item"] = row["wanted"]
        found.append(about)
    return found


def workers(db: Database, settings: StudySettings, *, pseudonymous: bool) -> pd.DataFrame:
    """One row a worker, in the order of joining; see `StudyStore.workers`."""
    identity = "pseudonym AS worker" if pseudonymous else "id AS worker, pseudonym"
    rows = list(
        db.query(
            f"SELECT {identity}, state, simulated, platform, joined_at, "
            "(SELECT count(*) FROM answer JOIN assignment ON assignment.item = answer.item AND assignment.worker = answer.worker "
            " JOIN item ON item.id = answer.item WHERE answer.worker = worker.id AND assignment.state = 'accepted' "
            " AND item.kind <> 'practice') AS answers, "
            "(SELECT count(*) FROM answer WHERE answer.worker = worker.id AND passed IS NOT NULL) AS checks, "
            "(SELECT count(*) FROM answer WHERE answer.worker = worker.id AND passed = 1) AS checks_passed, "
            "(SELECT count(*) FROM event WHERE event.worker = worker.id AND event.kind = 'flagged') AS flagged "
            "FROM worker ORDER BY joined_at, id"
        )
    )
    columns = ["worker", *([] if pseudonymous else ["pseudonym"]), "state", "simulated", "platform", "joined_at"]
    columns += ["answers", "checks", "checks_passed", "flagged"]
    return _frame([[row[column] for column in columns] for row in rows], columns, settings, None)


def events(db: Database, settings: StudySettings, *, pseudonymous: bool) -> pd.DataFrame:
    """The audit trail: `at`, `kind`, `worker`, `item`, `seconds` (since the last sign of life at this item), `data` (JSON)."""
    worker = "pseudonym" if pseudonymous else "id"
    rows = list(
        db.query(
            f"SELECT event.at, event.kind, worker.{worker} AS worker, event.item, event.seconds, event.data "
            "FROM event LEFT JOIN worker ON worker.id = event.worker ORDER BY event.id"
        )
    )
    columns = ["at", "kind", "worker", "item", "seconds", "data"]
    return _frame([[row[column] for column in columns] for row in rows], columns, settings, None)


def reports(db: Database, settings: StudySettings) -> pd.DataFrame:
    """What workers said is wrong; see `StudyStore.reports`."""
    sql = (
        "SELECT id AS number, item, worker, at, json_extract(data, '$.text') AS text, json_extract(data, '$.done') IS NOT NULL AS done "
        "FROM event WHERE kind = 'reported' ORDER BY id DESC"
    )
    columns = ["number", "item", "worker", "at", "text", "done"]
    return _frame([[row[column] for column in columns] for row in db.query(sql)], columns, settings, None)


def flags(db: Database, settings: StudySettings) -> pd.DataFrame:
    """Answers that broke a rule; see `StudyStore.flags`."""
    columns = ["at", "worker", "item", "rules"]
    rows = db.query(
        "SELECT at, worker, item, json_extract(data, '$.rules') AS rules FROM event WHERE kind = 'flagged' ORDER BY id DESC"
    )
    found = [[row["at"], row["worker"], row["item"], ", ".join(json.loads(row["rules"]))] for row in rows]
    return _frame(found, columns, settings, None)


def duplicates(db: Database) -> list[list[str]]:
    """Workers of the same device; see `StudyStore.duplicates`."""
    rows = db.query(
        "SELECT json_extract(details, '$.device') AS device, id FROM worker WHERE state <> 'withdrawn' "
        "AND json_extract(details, '$.device') IS NOT NULL ORDER BY joined_at, id"
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["device"], []).append(row["id"])
    return [ids for ids in found.values() if len(ids) > 1]


def codebook(table: pd.DataFrame, settings: StudySettings) -> pd.DataFrame:
    """What the columns of a table of answers mean: `column`, `meaning`, `values`."""
    meanings = {
        "item": ("id of what was shown", "text"),
        "worker": ("who answered: a random pseudonym, the same in all exports of this study, or the id of the platform", "text"),
        "kind": ("what the item was for", "item, practice, gold (known answer), attention (shows whether somebody reads)"),
        "state": (
            "whether the answer counts",
            "accepted; surplus: late, when all wanted answers were there; discarded: of a blocked worker, or rejected",
        ),
        "late": ("sent after the reservation of the item had run out", "true, false"),
        "passed": ("agrees with the expected answers", "true, false; empty where none are expected"),
        "payable": ("paid, whatever its state", "true, false"),
        "simulated": ("not answered by a person, but by a simulation", "true, false"),
        "platform": ("where the worker came from", "text"),
        "seconds": (f"time on task, without gaps longer than {settings.idle_seconds:g} seconds", "seconds"),
        "elapsed_seconds": ("from the first look to the sending; empty where the computer was restarted in between", "seconds"),
        "submitted_at": ("when it was sent", "UTC, ISO 8601"),
        "edited_at": ("when it was last changed; empty: never", "UTC, ISO 8601"),
    }
    for question in settings.questionnaire.questions:
        if question.kind == "text":
            limit = "" if question.max_words is None else f"at most {question.max_words} words, "
            values = f"text as typed, {limit}at most {question.max_length} characters"
        elif question.kind == "scale":
            values = f"{question.low} ({question.low_label or 'lowest'}) to {question.high} ({question.high_label or 'highest'})"
        else:
            values = "; ".join(f"{value}: {label}" for value, label in question.options)
        meanings[question.id] = (question.text, values)
    import pandas as pd

    rows = [(str(column), *meanings.get(str(column), ("data of the item, as the study was given it", ""))) for column in table]
    return pd.DataFrame(rows, columns=["column", "meaning", "values"])


class _ItemData:
    """The data of items, by column: dicts of 120,000 items would take hundreds of megabytes."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {}
        self.n = 0

    def add(self, text: str) -> None:
        """The next item's, as JSON."""
        for key, value in json.loads(text).items():
            column = self.columns.setdefault(key, [])
            column.extend([None] * (self.n - len(column)))
            column.append(value)
        self.n += 1

    def values(self, key: str) -> list[Any]:
        """What each item has there; None where it has nothing."""
        column = self.columns[key]
        return column + [None] * (self.n - len(column))


def _frame(rows: list[list[Any]], columns: list[str], settings: StudySettings, data: _ItemData | None) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(rows, columns=columns)
    kinds: dict[str, str] = dict.fromkeys(("late", "payable", "simulated", "done"), "bool") | {"passed": "boolean"}
    kinds |= dict.fromkeys(("filled", "answers", "checks", "checks_passed", "flagged"), "int64") | {"wanted": "Int64"}
    kinds |= dict.fromkeys(("seconds", "elapsed_seconds"), "float64")
    for question in settings.questionnaire.questions:
        # Whole numbers stay whole numbers; where a question may stay open, one that did is <NA>.
        if question.kind == "scale":
            kinds[question.id] = "int64" if question.required else "Int64"
    table = table.astype({column: kinds[column] for column in columns if column in kinds})
    for column in TIMES:
        if column in columns:
            table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601")
    if data is not None:
        for key in data.columns:
            table[key if key not in columns else f"item_{key}"] = _column(data.values(key), table.index)
    return table


def _column(values: list[Any], index: pd.Index) -> pd.Series:
    """A column of item data; what is no plain number or text, or mixes them, is kept as JSON text."""
    import pandas as pd

    kinds = {type(value) for value in values if value is not None}
    if not (kinds <= {int, float} or kinds in ({str}, {bool})):
        values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    whole = kinds == {int} and None in values
    return pd.Series(values, index=index, dtype="Int64" if whole else None)


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def _check(found: Collection[str], possible: Collection[str], what: str) -> None:
    if isinstance(found, str) or not found or not set(found) <= set(possible):
        raise BarlowError(f"The {what} are a list out of {', '.join(possible)}; found {found!r}.")
