"""How far a study is and what it costs; where a worker stands."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sqlite_utils import Database

from study.store import assignment, pay, plausibility
from study.store.clock import Moment, seconds_of, timestamp
from study.store.pay import Account, Totals
from study.store.settings import StudySettings

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
        cost, cost_expected: pay so far for everything that is payable to people, bonuses included, and for the whole study, in
            `currency`; without the fees of a platform.
        hourly_pay: what an hour on task has earned people so far, median over them; None before anybody has answered.
        implausible: what cannot be right about times and pay, one sentence each (see `study.store.plausibility`).
        money: what was earned and what becomes of it: paid by the platform, in payment files, due, paid beyond what was earned.
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
    implausible: tuple[str, ...]
    money: Totals

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
        "coalesce(sum(assignment.state = 'accepted' AND item.kind = 'item' AND worker.simulated), 0) AS simulated "
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
    accounts = pay.accounts(db.conn, settings)
    money = Totals.of(account for _, account in accounts)
    cost = money.earned
    hourly = _hourly((account.amount, row["seconds"]) for row, account in accounts)
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
        hourly_pay=hourly,
        implausible=tuple(plausibility.problems(db, hourly, settings)),
        money=money,
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


def _hourly(worked: Iterable[tuple[Decimal, float]]) -> Decimal | None:
    """Median pay by the hour over those who worked any time: (amount, seconds) of each."""
    rates = sorted(amount * 3600 / Decimal(seconds) for amount, seconds in worked if seconds > 0)
    if not rates:
        return None
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
        outcome: None while a claim can find something for them, else how it ends: "complete", "partial" (there is nothing more, and they
            did not do all that the platform's reward is for), "screened_out", "refused" or "full".
        if_stopped: how it ends if they stop now: "complete", "partial" or "returned" (nothing sent that is paid).
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
    if_stopped: str


def standing(db: Database, worker: str, visit: str | None, settings: StudySettings, held: int = 0) -> Standing:
    """See `StudyStore.standing`; `held`: places that others hold."""
    tx = db.conn
    practice, practice_total = tx.execute(
        "SELECT coalesce(sum(assignment.state = 'accepted'), 0), count(*) FROM item LEFT JOIN assignment "
        "ON assignment.item = item.id AND assignment.worker = ? WHERE item.kind = 'practice'",
        (worker,),
    ).fetchone()
    row = tx.execute("SELECT state, platform FROM worker WHERE id = ?", (worker,)).fetchone()
    state, platform = ("active", None) if row is None else (row["state"], row["platform"])
    answered = assignment.answered(tx, worker)
    in_visit = answered if visit is None else assignment.answered(tx, worker, visit)
    account = pay.account(tx, worker, settings)
    limits = [n for n in (settings.items_per_worker, settings.items_per_visit if visit is not None else None) if n is not None]
    more = (
        state == "active"
        and not assignment.at_the_end(tx, worker, settings, visit)
        and assignment.is_there_more(tx, worker, settings, held)
    )
    reached = answered >= (settings.items_per_worker or math.inf)
    reached |= visit is not None and in_visit >= (settings.items_per_visit or math.inf)
    ended = "complete" if _is_all_done(account, platform, settings, reached=reached, more=more) else "partial"
    return Standing(
        answered=answered,
        in_visit=in_visit,
        payable=account.items,
        amount=account.amount,
        bonus=account.bonus,
        currency=settings.currency,
        practice_done=practice,
        practice_total=practice_total,
        limit=min(limits, default=None),
        outcome=None if more else _outcome(tx, worker, state, answered, ended, visit, settings),
        if_stopped=ended if account.items else "returned",
    )


def _is_all_done(account: Account, platform: str | None, settings: StudySettings, *, reached: bool, more: bool) -> bool:
    """Whether a worker has done what the platform's reward, or the completion code, is for."""
    base = Decimal(settings.base_pay) if platform in pay.PAYING else Decimal(0)
    if reached:
        return True
    # A bonus does not count: it may still be lost by a check.
    return account.earned - account.base >= base if base else not more


def _outcome(
    tx: sqlite3.Connection,
    worker: str,
    state: str,
    answered: int,
    ended: str,
    visit: str | None,
    settings: StudySettings,
) -> str:
    """Why there is nothing more for a worker."""
    if state != "active":
        return "refused"
    if assignment.at_the_end(tx, worker, settings, visit) == "screened_out":
        return "screened_out"
    return ended if answered else "full"


def _one(db: Database, sql: str) -> dict[str, int]:
    return next(iter(db.query(sql)))
