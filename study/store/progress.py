"""How far a study is, what it costs, and who earned what."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlite_utils import Database

from study.clock import Moment, seconds_of, timestamp
from study.store.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

RATE_WINDOW_SECONDS = 3600.0
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
        cost, cost_expected: pay so far for everything that is payable to people, and for the whole study, in `currency`.
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

    @property
    def complete(self) -> bool:
        return self.items_complete == self.items


def progress(db: Database, now: Moment, settings: Settings) -> Progress:
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
    cost = settings.pay * states["payable"]
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
        cost_expected=cost + settings.pay * left,
        currency=settings.currency,
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


def payments(db: Database, settings: Settings) -> pd.DataFrame:
    """One row a person who took part: `worker`, `pseudonym`, `platform`, `state`, `items` (payable ones), `amount` (Decimal), `currency`.

    Late and discarded answers are paid, withdrawn ones too; practice is not, and simulated participants are left out.
    """
    import pandas as pd

    rows = list(
        db.query(
            "SELECT worker.id AS worker, worker.pseudonym, worker.platform, worker.state, coalesce(sum(assignment.payable), 0) AS items "
            "FROM worker LEFT JOIN assignment ON assignment.worker = worker.id WHERE NOT worker.simulated "
            "GROUP BY worker.id ORDER BY worker.joined_at, worker.id"
        )
    )
    columns = ["worker", "pseudonym", "platform", "state", "items", "amount", "currency"]
    made = [row | {"amount": settings.pay * row["items"], "currency": settings.currency} for row in rows]
    return pd.DataFrame(made, columns=columns).astype({"items": "int64", "amount": object})


def _one(db: Database, sql: str) -> dict[str, int]:
    return next(iter(db.query(sql)))
