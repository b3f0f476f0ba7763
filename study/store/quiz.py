"""Questions about the instructions, before the first item: a few tries, then whoever still gets them wrong is screened out."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.store import assignment
from study.store.clock import Moment
from study.store.settings import StudySettings


@dataclass(frozen=True)
class QuizState:
    """Where a worker stands with the quiz.

    Attributes:
        state: "passed" (also where there is no quiz), "open" or "failed".
        tries_left: wrong tries until they are screened out.
    """

    state: str
    tries_left: int


def state(tx: sqlite3.Connection, worker: str, settings: StudySettings) -> QuizState:
    """What the worker has made of the quiz so far."""
    if not settings.quiz:
        return QuizState("passed", settings.quiz_tries)
    passed, failed = tx.execute(
        "SELECT coalesce(sum(json_extract(data, '$.passed')), 0), coalesce(sum(NOT json_extract(data, '$.passed')), 0) FROM event "
        "WHERE worker = ? AND kind = 'quizzed'",
        (worker,),
    ).fetchone()
    left = max(0, settings.quiz_tries - failed)
    return QuizState("passed" if passed else "open" if left else "failed", left)


def take(tx: sqlite3.Connection, worker: str, chosen: Sequence[int | None], now: Moment, settings: StudySettings) -> QuizState:
    """Write down a try; see `StudyStore.take_quiz`."""
    before = state(tx, worker, settings)
    if before.state != "open":
        return before
    if len(chosen) != len(settings.quiz):
        raise BarlowError(f"The quiz has {count(len(settings.quiz), 'question')}; found {count(len(chosen), 'answer')}.")
    passed = all(place == question["answer"] for place, question in zip(chosen, settings.quiz, strict=True))
    assignment.record(tx, "quizzed", now, worker=worker, data={"passed": passed, "chosen": list(chosen)})
    return state(tx, worker, settings)
