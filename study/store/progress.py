"""How far a study is, what it costs, and who earned what."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from study.store import assignment
from study.store.clock import Moment, seconds_of, timestamp
from study.store.settings import StudySettings

if TYPE_CHECKING:
    import pandas as pd

RATE_WINDOW_SECONDS = 3600.0
MONEY = ("earned", "bonus", "amount", "base", "due")
FORESEEABLE_SECONDS = 10 * 366 * 86_400.0


@dataclass(frozen=True)
class Progress:
    """Where a study stands. Items and answers are those of kind "item": no practice, no checks.

    Attributes:
        items, items_complete: how many there are, and how many have all the answers that they want.
        answers_wanted, answers: how many are wanted in all, and how many have been accepted.
        answers_surplus: came late when nobody was needed any more; answers_simulated: of the accepted ones.
        reserved: items that workers hold now.
        workers, workers_blocked, workers_withdrawn: who ever took part, and how many of them are out.
        per_hour: accepted answers in the last hour, or since the first one where that is less than an hour ago, as a rate.
        expected_end: UTC, if that rate goes on; None when there is no rate, or nothing left to do.
        cost, cost_expected: pay so far for everything that is payable to people, bonuses included, and for the whole study, in
            `currency`; without the fees of a platform.
        hourly_pay: what an hour on task has earned people so far, median over them; None before anybody has answered.
    """

    items: int
    items_complete: int
    answers_wanted: int
    answers: int
    answers_surplus: int
    answers_simulated: int
    reserved: int
    workers: int
    workers_blocked: int
    workers_withdrawn: int
    per_hour: float
    expected_end: str | None
    cost: Decimal
    cost_expected: Decimal
    currency: str
    hourly_pay: Decimal | None

    @property
    def complete(self) -> bool:
        return self.items_complete == self.items


def progress(db: Database, now: Moment, settings: StudySettings) -> Progress:
    """Count; see `Progress`."""
    items = _one(
        db,
        "SELECT count(*) AS items, sum(wanted) AS wanted, coalesce(sum(n), 0) AS answers, coalesce(sum(n >= wanted), 0) AS complete "
        "FROM (SELECT item.id, item.wanted, count(assignment.id) AS n FROM item LEFT JOIN assignment ON assignment.item = item.id "
        "AND assignment.state = 'accepted' WHERE item.kind = 'item' GROUP BY item.id)",
    )
    states = _one(
        db,
        "SELECT coalesce(sum(assignment.state = 'surplus'), 0) AS surplus, coalesce(sum(assignment.state = 'reserved'), 0) AS reserved, "
        "coalesce(sum(assignment.state = 'accepted' AND item.kind = 'item' AND worker.simulated), 0) AS simulated, "
        "coalesce(sum(assignment.payable AND NOT worker.simulated), 0) AS payable "
        "FROM assignment JOIN item ON item.id = assignment.item JOIN worker ON worker.id = assignment.worker",
    )
    workers = _one(
        db,
        "SELECT count(*) AS n, coalesce(sum(state = 'blocked'), 0) AS blocked, coalesce(sum(state = 'withdrawn'), 0) AS withdrawn "
        "FROM worker",
    )
    per_hour = _rate(db, now)
    left = items["wanted"] - items["answers"]
    hours = left / per_hour if per_hour and left else None
    foreseeable = hours is not None and hours * 3600 < FORESEEABLE_SECONDS
    table = payments(db, settings)
    cost = sum(table["amount"], Decimal(0)) if states["payable"] else settings.pay * 0
    with_checks = 1 + Decimal(1) / settings.checks_every if _has_checks(db) else Decimal(1)
    return Progress(
        items=items["items"],
        items_complete=items["complete"],
        answers_wanted=items["wanted"],
        answers=items["answers"],
        answers_surplus=states["surplus"],
        answers_simulated=states["simulated"],
        reserved=states["reserved"],
        workers=workers["n"],
        workers_blocked=workers["blocked"],
        workers_withdrawn=workers["withdrawn"],
        per_hour=per_hour,
        expected_end=timestamp(seconds_of(now.utc) + hours * 3600) if foreseeable and hours is not None else None,
        cost=cost,
        cost_expected=(cost + settings.pay * left * with_checks).quantize(Decimal("0.01")),
        currency=settings.currency,
        hourly_pay=_hourly(table),
    )


def _rate(db: Database, now: Moment) -> float:
    """Accepted answers an hour over the last hour; the clock on the wall may have been set, so only its differences count."""
    since = timestamp(seconds_of(now.utc) - RATE_WINDOW_SECONDS)
    sql = (
        "SELECT count(*) AS n, coalesce(sum(recent), 0) AS n_recent, min(iif(recent, submitted_at, NULL)) AS first FROM ("
        "SELECT answer.submitted_at, answer.submitted_at BETWEEN ? AND ? AS recent FROM answer "
        "JOIN assignment ON assignment.item = answer.item AND assignment.worker = answer.worker "
        "JOIN item ON item.id = answer.item WHERE assignment.state = 'accepted' AND item.kind = 'item')"
    )
    found = next(iter(db.query(sql, (since, now.utc))))
    if not found["n_recent"]:
        return 0.0
    all_recent = found["n"] == found["n_recent"]
    window = seconds_of(now.utc) - seconds_of(found["first"]) if all_recent else RATE_WINDOW_SECONDS
    return found["n_recent"] * 3600.0 / window if window > 0 else 0.0


def payments(db: Database, settings: StudySettings) -> pd.DataFrame:
    """One row a person who took part; see `StudyStore.payments`."""
    import pandas as pd

    rows = list(
        db.query(
            "SELECT worker.id AS worker, worker.pseudonym, worker.platform, worker.state, "
            "(SELECT coalesce(sum(payable), 0) FROM assignment WHERE assignment.worker = worker.id) AS items, "
            "(SELECT count(*) FROM answer WHERE answer.worker = worker.id AND passed = 0 AND item IN "
            " (SELECT id FROM item WHERE kind IN ('gold', 'attention'))) AS failed, "
            "(SELECT coalesce(sum(seconds), 0) FROM answer JOIN item ON item.id = answer.item "
            " WHERE answer.worker = worker.id AND item.kind <> 'practice') AS seconds, "
            "(SELECT count(DISTINCT coalesce(json_extract(data, '$.visit'), '')) FROM event WHERE event.worker = worker.id AND kind = 'finished' "
            " AND (json_extract(data, '$.outcome') IN ('complete', 'stopped') OR (platform = 'mturk' AND json_extract(data, '$.outcome') = 'screened_out'))) "
            " AS visits, "
            "(SELECT json_extract(data, '$.visit') FROM event WHERE event.worker = worker.id AND kind = 'finished' "
            " AND json_extract(data, '$.visit') IS NOT NULL ORDER BY event.id DESC LIMIT 1) AS last_visit "
            "FROM worker WHERE NOT simulated ORDER BY joined_at, id"
        )
    )
    columns = ["worker", "pseudonym", "platform", "state", "items", "seconds", *MONEY, "currency", "visits", "last_visit"]
    made = [row | _money(row, settings) for row in rows]
    return pd.DataFrame(made, columns=columns).astype({"items": "int64", "seconds": "float64"} | dict.fromkeys(MONEY, object))


def _money(row: dict[str, Any], settings: StudySettings) -> dict[str, Any]:
    earned = settings.pay * row["items"]
    deserved = row["state"] == "active" and not row["failed"] and row["items"] >= settings.bonus_after
    bonus = Decimal(settings.bonus) if deserved else Decimal(0)
    by_platform = row["platform"] in ("prolific", "mturk")
    base = Decimal(settings.base_pay) * row["visits"] if by_platform else Decimal(0)
    due = max(earned + bonus - base, Decimal(0))
    return {"earned": earned, "bonus": bonus, "amount": earned + bonus, "base": base, "due": due, "currency": settings.currency}


def _hourly(payments: pd.DataFrame) -> Decimal | None:
    worked = payments[payments["seconds"] > 0]
    if worked.empty:
        return None
    rates = sorted(amount * 3600 / Decimal(seconds) for amount, seconds in zip(worked["amount"], worked["seconds"], strict=True))
    middle = len(rates) // 2
    median = rates[middle] if len(rates) % 2 else (rates[middle - 1] + rates[middle]) / 2
    return median.quantize(Decimal("0.01"))


def _has_checks(db: Database) -> bool:
    return bool(_one(db, "SELECT count(*) AS n FROM item WHERE kind IN ('gold', 'attention')")["n"])


@dataclass(frozen=True)
class Standing:
    """Where a worker stands.

    Attributes:
        answered: items they have answered, checks counted, practice not; in_visit: those of this visit.
        payable: how many of their answers are paid; amount: how much they have earned, `bonus` of it for passing all checks.
        practice_done, practice_total: practice items.
        limit: how many items they can answer at most, as far as the settings say; None: as many as there are.
        outcome: None while a claim can find something for them, else what `study.participants.platforms.completion` is told: "complete",
            "screened_out", "refused" or "full".
    """

    answered: int
    in_visit: int
    payable: int
    amount: Decimal
    bonus: Decimal
    currency: str
    practice_done: int
    practice_total: int
    limit: int | None
    outcome: str | None


def standing(db: Database, worker: str, visit: str | None, settings: StudySettings) -> Standing:
    """See `StudyStore.standing`."""
    tx = db.conn
    counts = tx.execute(
        "SELECT coalesce(sum(assignment.payable), 0) AS payable, "
        "coalesce(sum(item.kind = 'practice' AND assignment.state = 'accepted'), 0) AS practice, "
        "(SELECT count(*) FROM item WHERE kind = 'practice') AS practice_total, "
        "(SELECT count(*) FROM answer JOIN item AS asked ON asked.id = answer.item WHERE answer.worker = :worker AND answer.passed = 0 "
        " AND asked.kind IN ('gold', 'attention')) AS failed "
        "FROM assignment JOIN item ON item.id = assignment.item WHERE assignment.worker = :worker",
        {"worker": worker},
    ).fetchone()
    row = tx.execute("SELECT state FROM worker WHERE id = ?", (worker,)).fetchone()
    state = "active" if row is None else row["state"]
    answered = assignment.answered(tx, worker)
    money = _money(
        {"items": counts["payable"], "state": state, "failed": counts["failed"], "platform": None, "visits": 0}, settings
    )
    limits = [n for n in (settings.items_per_worker, settings.items_per_visit if visit is not None else None) if n is not None]
    return Standing(
        answered=answered,
        in_visit=answered if visit is None else assignment.answered(tx, worker, visit),
        payable=counts["payable"],
        amount=money["amount"],
        bonus=money["bonus"],
        currency=settings.currency,
        practice_done=counts["practice"],
        practice_total=counts["practice_total"],
        limit=min(limits, default=None),
        outcome=_outcome(tx, worker, state, answered, visit, settings),
    )


def _outcome(
    tx: sqlite3.Connection, worker: str, state: str, answered: int, visit: str | None, settings: StudySettings
) -> str | None:
    if state != "active":
        return "refused"
    if ended := assignment.at_the_end(tx, worker, settings, visit):
        return ended
    if assignment.is_there_more(tx, worker, settings):
        return None
    return "complete" if answered else "full"


def _one(db: Database, sql: str) -> dict[str, int]:
    return next(iter(db.query(sql)))
