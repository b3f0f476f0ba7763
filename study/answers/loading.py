"""A study file as `StudyData`: one consistent moment of it, read without writing, also while people answer."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from sqlite_utils import Database

from study.answers.data import ANSWERS, StudyData, lean
from study.answers.table import ATTRIBUTES
from study.store import frames
from study.store.clock import Clock
from study.store.file import StudyFile
from study.store.progress import payments
from study.store.settings import Settings

PATIENCE = 10.0
# Answers that are Python objects at a time; 600,000 at once would take more than a gigabyte.
_CHUNK = 5_000
_JOINED = (
    "FROM answer JOIN assignment ON assignment.item = answer.item AND assignment.worker = answer.worker "
    "JOIN item ON item.id = answer.item JOIN worker ON worker.id = answer.worker "
)


def load_study(path: str | Path) -> StudyData:
    """A study as it is at this moment. Workers go by their pseudonyms.

    Args:
        path: of the study file.

    Raises:
        BarlowError: there is no study, or it cannot be read.
    """
    with _open(Path(path)) as file, file.reading() as db:
        settings = file.settings
        items = _items(db, settings)
        answers, notes = _answers(db, settings, items)
        workers = frames.workers(db, settings, pseudonymous=True).set_index("worker")[["platform", "state", "simulated"]]
        checks = pd.DataFrame(
            db.conn.execute(
                f"SELECT worker.pseudonym, answer.item, item.kind, answer.passed {_JOINED}"
                "WHERE item.kind IN ('gold', 'attention') AND answer.passed IS NOT NULL ORDER BY answer.id"
            ).fetchall(),
            columns=["worker", "item", "kind", "passed"],
        ).astype({"passed": bool})
        states = pd.DataFrame(
            db.conn.execute(
                "SELECT item.kind, assignment.state, worker.simulated, assignment.payable, count(*) FROM assignment "
                "JOIN item ON item.id = assignment.item JOIN worker ON worker.id = assignment.worker GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
            ).fetchall(),
            columns=["kind", "state", "simulated", "payable", "n"],
        ).astype({"simulated": bool, "payable": bool})
        paid = sum(payments(db, settings)["amount"], Decimal(0))
    return StudyData(
        name=Path(path).name,
        answers=answers,
        items=items,
        workers=workers,
        checks=checks,
        states=states,
        title=settings.title,
        source=f"Study file {Path(path).name}.",
        path=Path(path),
        pay_per_item=settings.pay,
        paid=paid,
        currency=settings.currency,
        answers_per_item=settings.answers_per_item,
        extractor=settings.provenance.get("extractor", {}).get("fingerprint"),
        notes=notes,
    )


def study_state(path: str | Path) -> str:
    """A short text that is another one as soon as an answer came in, was changed, or stopped counting.

    Raises:
        BarlowError: there is no study, or it cannot be read.
    """
    with _open(Path(path)) as file, file.reading() as db:
        rows = [
            *db.conn.execute("SELECT count(*), max(id), max(edited_at), total(seconds) FROM answer").fetchall(),
            *db.conn.execute("SELECT state, count(*) FROM assignment GROUP BY state ORDER BY state").fetchall(),
            *db.conn.execute("SELECT state, simulated, count(*) FROM worker GROUP BY 1, 2 ORDER BY 1, 2").fetchall(),
            (file.revision,),
        ]
    return hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()[:16]


@contextmanager
def _open(path: Path) -> Iterator[StudyFile]:
    file = StudyFile(path, patience=PATIENCE, clock=Clock())
    try:
        yield file
    finally:
        file.close()


def _items(db: Database, settings: Settings) -> pd.DataFrame:
    items = frames.items(db, settings)
    return items[items["kind"] == "item"].drop(columns="kind").set_index("item")


def _answers(db: Database, settings: Settings, items: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    asked = [question for question in ANSWERS if question in settings.questionnaire.ids]
    notes = tuple(
        f"The study did not ask for {question!r}; what needs it is left out." for question in ANSWERS if question not in asked
    )
    columns = ["item", "worker", *asked, "simulated", "platform", "seconds", "submitted_at"]
    questions = "".join(f'answer."{name}", ' for name in asked)
    # CROSS keeps the order of the tables (https://sqlite.org/optoverview.html): answers come as they were sent, and nothing is sorted in memory.
    cursor = db.conn.execute(
        f"SELECT answer.item, worker.pseudonym, {questions}worker.simulated, worker.platform, answer.seconds, answer.submitted_at "
        f"{_JOINED.replace('JOIN', 'CROSS JOIN')}WHERE item.kind = 'item' AND assignment.state = 'accepted' ORDER BY answer.id"
    )
    chunks = [_compact(pd.DataFrame(rows, columns=columns)) for rows in _fetched(cursor)]
    table = pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame(columns=columns)
    del chunks
    for question in ANSWERS:
        if question not in table:
            table[question] = pd.Series([None] * len(table), dtype="float64" if question in ("ease", "confidence") else object)
    positions = items.index.get_indexer(pd.Index(table["item"]))
    for name in ATTRIBUTES:
        if name in items:
            table[name] = _of_answers(items[name], positions)
    return lean(table), notes


def _of_answers(column: pd.Series, positions: np.ndarray) -> np.ndarray | pd.Categorical:
    """What is known of items, for each of their answers; texts as categories, so that none is held twice."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)[positions]
    codes, values = pd.factorize(column)
    return pd.Categorical.from_codes(codes[positions], categories=pd.Index(values).astype(str))


def _fetched(cursor: sqlite3.Cursor) -> Iterator[list[tuple[object, ...]]]:
    while rows := cursor.fetchmany(_CHUNK):
        yield [tuple(row) for row in rows]


def _compact(chunk: pd.DataFrame) -> pd.DataFrame:
    for column in ("ease", "confidence"):
        if column in chunk:
            chunk[column] = chunk[column].astype("float64")
    chunk["submitted_at"] = pd.to_datetime(chunk["submitted_at"], utc=True, format="ISO8601")
    return chunk
