"""Who earned what, what the platform pays of it by itself, and what is still to be paid.

All sums are Decimal, rounded to the cent once, where a person's total is made: what goes into payment files is the difference of such
totals, so that the payments to a person add up to what they earned, to the cent.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from study.store.settings import StudySettings

if TYPE_CHECKING:
    import pandas as pd

MONEY = ("earned", "bonus", "amount", "base", "filed", "paid", "due", "over")
CENT = Decimal("0.01")
PAYING = ("prolific", "mturk")  # platforms that pay for a visit by themselves


@dataclass(frozen=True)
class Account:
    """What one person earned and was paid, in the currency of the study.

    Attributes:
        items: answers that are paid.
        earned: for these; bonus: for having passed all checks; amount: both together.
        base: what the platform pays by itself, for visits that ended with a code (or a HIT) that it pays for.
        filed, paid: what stands in payment files that are made, and in those that the platform has paid; void ones do not count.
        kept: how much of `bonus` stands in payment files already, and stays whatever happens.
        due: what is left to be paid; over: what was paid beyond `amount`.
    """

    items: int
    earned: Decimal
    bonus: Decimal
    base: Decimal
    filed: Decimal
    paid: Decimal
    kept: Decimal

    def can_be_paid(self, reward: Decimal) -> bool:
        """Whether the platform can pay `reward` by itself without paying twice.

        It cannot where payment files hold so much that the reward would come on top, nor where it has paid rewards already and
        nothing was earned since (a second HIT that is opened and sent in empty).
        """
        in_files = self.filed + self.paid
        left = self.earned + self.kept - self.base - in_files
        return left >= reward if in_files else left > 0 or not self.base

    @property
    def amount(self) -> Decimal:
        return self.earned + self.bonus

    @property
    def due(self) -> Decimal:
        return max(self.amount - self.base - self.filed - self.paid, Decimal("0.00"))

    @property
    def over(self) -> Decimal:
        return max(self.base + self.filed + self.paid - self.amount, Decimal("0.00"))

    def columns(self) -> dict[str, Decimal]:
        return {name: getattr(self, name) for name in MONEY}


_ACCOUNTS = """
SELECT worker.id AS worker, worker.pseudonym, worker.platform, worker.state,
  (SELECT coalesce(sum(payable), 0) FROM assignment WHERE assignment.worker = worker.id) AS items,
  (SELECT count(*) FROM answer JOIN item ON item.id = answer.item WHERE answer.worker = worker.id AND item.kind IN ('gold', 'attention')
    AND answer.passed) AS passed,
  (SELECT count(*) FROM assignment JOIN item ON item.id = assignment.item WHERE assignment.worker = worker.id
    AND item.kind IN ('gold', 'attention')) AS given,
  (SELECT coalesce(sum(seconds), 0) FROM answer JOIN item ON item.id = answer.item
    WHERE answer.worker = worker.id AND item.kind <> 'practice') AS seconds,
  EXISTS (SELECT 1 FROM assignment WHERE assignment.worker = worker.id AND state = 'reserved') AS working,
  (SELECT count(DISTINCT coalesce(json_extract(data, '$.visit'), '')) FROM event
    WHERE event.worker = worker.id AND kind = 'finished' AND json_extract(data, '$.exit') IS NOT NULL) AS visits,
  (SELECT json_extract(data, '$.visit') FROM event WHERE event.worker = worker.id AND kind = 'finished'
    AND json_extract(data, '$.visit') IS NOT NULL ORDER BY json_extract(data, '$.exit') IS NULL, event.id DESC LIMIT 1) AS last_visit,
  (SELECT coalesce(sum(cents), 0) FROM payment JOIN payment_file ON payment_file.id = payment.file
    WHERE payment.worker = worker.id AND payment_file.state = 'made') AS filed,
  (SELECT coalesce(sum(cents), 0) FROM payment JOIN payment_file ON payment_file.id = payment.file
    WHERE payment.worker = worker.id AND payment_file.state = 'paid') AS paid,
  (SELECT coalesce(max(payment.bonus), 0) FROM payment JOIN payment_file ON payment_file.id = payment.file
    WHERE payment.worker = worker.id AND payment_file.state <> 'void') AS kept_bonus
FROM worker WHERE {which} ORDER BY joined_at, id
"""


def payments(db: Database, settings: StudySettings) -> pd.DataFrame:
    """One row a person who took part; see `StudyStore.payments`."""
    import pandas as pd

    rows = [
        {**row, **account.columns(), "currency": settings.currency, "working": bool(row["working"])}
        for row, account in accounts(db.conn, settings)
    ]
    columns = [
        "worker",
        "pseudonym",
        "platform",
        "state",
        "items",
        "seconds",
        *MONEY,
        "currency",
        "visits",
        "last_visit",
        "working",
    ]
    kinds = {"items": "int64", "seconds": "float64", "working": "bool"} | dict.fromkeys(MONEY, object)
    return pd.DataFrame(rows, columns=columns).astype(kinds)


def accounts(tx: sqlite3.Connection, settings: StudySettings) -> list[tuple[dict[str, Any], Account]]:
    """Everybody who is no simulation, in the order of joining: what is known about them, and their account."""
    return _accounts(tx, settings, "NOT worker.simulated", ())


def account(tx: sqlite3.Connection, worker: str, settings: StudySettings) -> Account:
    """The account of one worker, simulated or not; an empty one for somebody unknown."""
    found = _accounts(tx, settings, "worker.id = ?", (worker,))
    return found[0][1] if found else Account(0, *(Decimal("0.00"),) * 6)


def _accounts(
    tx: sqlite3.Connection, settings: StudySettings, which: str, values: tuple[str, ...]
) -> list[tuple[dict[str, Any], Account]]:
    has_checks = bool(tx.execute("SELECT count(*) FROM item WHERE kind IN ('gold', 'attention')").fetchone()[0])
    base = _base(tx, settings, values)
    rows = [dict(row) for row in tx.execute(_ACCOUNTS.format(which=which), values).fetchall()]
    return [(row, _account(row, base.get(row["worker"], Decimal(0)), settings, has_checks)) for row in rows]


def _account(row: Mapping[str, Any], base: Decimal, settings: StudySettings, has_checks: bool) -> Account:
    passed_all = row["passed"] == row["given"] and (row["given"] > 0 or not has_checks)
    deserved = row["state"] == "active" and passed_all and row["items"] >= settings.bonus_after
    return Account(
        items=row["items"],
        earned=to_the_cent(settings.pay * row["items"]),
        # A bonus that stands in a payment file is not taken back by a check that is failed later.
        bonus=max(to_the_cent(Decimal(settings.bonus)) if deserved else Decimal("0.00"), of_cents(row["kept_bonus"])),
        base=to_the_cent(base),
        filed=of_cents(row["filed"]),
        paid=of_cents(row["paid"]),
        kept=of_cents(row["kept_bonus"]),
    )


def _base(tx: sqlite3.Connection, settings: StudySettings, workers: tuple[str, ...]) -> dict[str, Decimal]:
    """What the platform pays each worker by itself.

    A platform pays once for what it calls a submission (`reward`: the study on Prolific, the assignment on MTurk), however often the
    person comes; the first way out that it pays for is the one that it heard of.
    """
    only = "AND worker = ?" if workers else ""
    rows = tx.execute(
        f"SELECT worker, data FROM event WHERE kind = 'finished' AND json_extract(data, '$.exit') IS NOT NULL {only} ORDER BY id",
        workers,
    )
    first: dict[tuple[str, str], str] = {}
    for worker, data in rows:
        about = json.loads(data)
        first.setdefault((worker, about.get("reward") or ""), about["exit"])
    found: dict[str, Decimal] = {}
    for (worker, _), way_out in first.items():
        found[worker] = found.get(worker, Decimal(0)) + settings.pays_for(way_out)
    return found


def way_out(outcome: str, platform: str | None, settings: StudySettings) -> str | None:
    """By which way out the platform pays by itself for a visit that ends so; None: it does not, and the worker is told to return it.

    MTurk has one way out: a HIT that is sent in is paid. Prolific has a code for each; a complete submission without a code is
    approved by hand. Whoever failed the quiz has sent nothing: of all platforms, only Prolific has a code, and a reward, for that.
    """
    if platform == "mturk":
        return "complete" if outcome in ("complete", "partial", "screened_out") else None
    if platform == "prolific":
        codes = {"complete": "by hand", "partial": settings.partial_code, "screened_out": settings.screened_out_code}
        outcome = "screened_out" if outcome == "unqualified" else outcome
        return outcome if codes.get(outcome) else None
    return None


def to_the_cent(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def in_cents(amount: Decimal) -> int:
    """An amount that `to_the_cent` made, as a whole number of cents."""
    return int(amount / CENT)


def of_cents(cents: int) -> Decimal:
    return cents * CENT


@dataclass(frozen=True)
class Totals:
    """The money of a whole study; the columns of `payments`, added up. `earned` includes bonuses.

    Always: `earned` + `over` = `base` + `filed` + `paid` + `due`.
    """

    earned: Decimal
    base: Decimal
    filed: Decimal
    paid: Decimal
    due: Decimal
    over: Decimal

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> Totals:
        found = list(accounts)

        def total(name: str) -> Decimal:
            return sum((getattr(one, name) for one in found), Decimal("0.00"))

        return cls(total("amount"), *(total(name) for name in ("base", "filed", "paid", "due", "over")))
