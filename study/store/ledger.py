"""The ledger: what was put into which payment file, when, for whom and for which answers.

A payment file holds what is due at that moment and not in an earlier file; a file that is void counts as never made. Whatever happens
between writing a file and paying it, nobody is in two files for the same work.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlite_utils import Database

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.questionnaire import dumps
from study.store import assignment, pay
from study.store.clock import Moment
from study.store.settings import StudySettings

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Payment:
    """One line of a payment file.

    Attributes:
        worker, pseudonym: who is paid; visit: the last one of theirs that ended, of those that the platform pays for if there are any: MTurk
            sends a bonus for an assignment that was sent in, not for one that was returned.
        amount: above 0, in the currency of the file.
        items: the answers that this file is the first one to pay; none where only a bonus is paid.
        token: stands for this payment and no other one, whatever the amount.
    """

    worker: str
    pseudonym: str
    visit: str | None
    amount: Decimal
    items: tuple[str, ...]
    token: str


@dataclass(frozen=True)
class PaymentFile:
    """A file of payments.

    Attributes:
        number: 1, 2, ... in the order of making.
        platform: "prolific", "mturk" or "link"; currency: of all its amounts.
        state: "made", "paid" (by the platform) or "void" (never to be paid).
        made_at, settled_at: UTC; None while it is neither paid nor void.
        left_out: people to whom something is due, but who are at work at the moment; they are in a later file. Known only when it is made.
    """

    number: int
    platform: str
    currency: str
    state: str
    made_at: str
    settled_at: str | None
    payments: tuple[Payment, ...]
    left_out: int = 0

    @property
    def total(self) -> Decimal:
        return sum((one.amount for one in self.payments), Decimal("0.00"))


def make(tx: sqlite3.Connection, platform: str, now: Moment, settings: StudySettings) -> PaymentFile | None:
    """Put what is due on one platform into a new file; None, and no file, where nothing is."""
    due = [
        (row, account)
        for row, account in pay.accounts(tx, settings)
        if (row["platform"] or "link") == platform and account.due > 0
    ]
    # Somebody at work may be about to get a code for which the platform pays by itself.
    ready = [(row, account) for row, account in due if not row["working"]]
    if not ready:
        return None
    number = tx.execute(
        "INSERT INTO payment_file (made_at, platform, currency) VALUES (?, ?, ?)", (now.utc, platform, settings.currency)
    ).lastrowid
    assert number is not None
    study = json.loads(tx.execute("SELECT value FROM study WHERE key = 'study_id'").fetchone()[0])
    for row, account in ready:
        tx.execute(
            "INSERT INTO payment (file, worker, cents, bonus, items, visit, token) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                number,
                row["worker"],
                pay.in_cents(account.due),
                pay.in_cents(account.bonus),
                dumps(_unpaid_items(tx, row["worker"])),
                row["last_visit"],
                f"{study[:8]}-{number}-{row['pseudonym']}",
            ),
        )
    made = find(tx, number)
    _record(tx, made, now)
    return PaymentFile(**{**made.__dict__, "left_out": len(due) - len(ready)})


def _unpaid_items(tx: sqlite3.Connection, worker: str) -> list[str]:
    """The paid answers of a worker that no file of the ledger has named yet."""
    rows = tx.execute(
        "SELECT item FROM assignment WHERE worker = :worker AND payable AND item NOT IN (SELECT value FROM payment "
        "JOIN payment_file ON payment_file.id = payment.file, json_each(payment.items) "
        "WHERE payment.worker = :worker AND payment_file.state <> 'void') ORDER BY id",
        {"worker": worker},
    )
    return [row[0] for row in rows.fetchall()]


def settle(tx: sqlite3.Connection, number: int, state: str, now: Moment) -> PaymentFile:
    """Write down that a file was paid, or is void; see `StudyStore.settle_payments`."""
    found = find(tx, number)
    if found.state == state:
        return found
    if found.state != "made":
        raise BarlowError(
            f"Payment file {number} is {found.state} since {found.settled_at}; that does not change any more. "
            "If it was written down by mistake, settle the difference outside and note it."
        )
    tx.execute("UPDATE payment_file SET state = ?, settled_at = ? WHERE id = ?", (state, now.utc, number))
    settled = find(tx, number)
    _record(tx, settled, now)
    return settled


def find(tx: sqlite3.Connection, number: int) -> PaymentFile:
    """One file.

    Raises:
        BarlowError: there is none of that number.
    """
    row = tx.execute("SELECT * FROM payment_file WHERE id = ?", (number,)).fetchone()
    if row is None:
        n = tx.execute("SELECT count(*) FROM payment_file").fetchone()[0]
        raise BarlowError(
            f"There is no payment file {number}; the study has {count(n, 'payment file')}. See them: barlow study pay STUDY"
        )
    lines = tx.execute(
        "SELECT payment.*, worker.pseudonym FROM payment JOIN worker ON worker.id = payment.worker WHERE file = ? ORDER BY payment.id",
        (number,),
    ).fetchall()
    payments = tuple(
        Payment(
            worker=line["worker"],
            pseudonym=line["pseudonym"],
            visit=line["visit"],
            amount=pay.of_cents(line["cents"]),
            items=tuple(json.loads(line["items"])),
            token=line["token"],
        )
        for line in lines
    )
    return PaymentFile(row["id"], row["platform"], row["currency"], row["state"], row["made_at"], row["settled_at"], payments)


def files(db: Database) -> list[PaymentFile]:
    """All files, in the order of making."""
    return [find(db.conn, row[0]) for row in db.conn.execute("SELECT id FROM payment_file ORDER BY id").fetchall()]


def table(db: Database) -> pd.DataFrame:
    """The ledger, one row a payment; see `StudyStore.ledger`."""
    import pandas as pd

    columns = [
        "file",
        "state",
        "made_at",
        "settled_at",
        "platform",
        "worker",
        "pseudonym",
        "amount",
        "currency",
        "items",
        "token",
    ]
    rows = [
        [*_about(one), line.worker, line.pseudonym, line.amount, one.currency, len(line.items), line.token]
        for one in files(db)
        for line in one.payments
    ]
    made = pd.DataFrame(rows, columns=columns)
    for column in ("made_at", "settled_at"):
        made[column] = pd.to_datetime(made[column], utc=True, format="ISO8601")
    return made


def _about(file: PaymentFile) -> tuple[int, str, str, str | None, str]:
    return file.number, file.state, file.made_at, file.settled_at, file.platform


def _record(tx: sqlite3.Connection, file: PaymentFile, now: Moment) -> None:
    data = {"file": file.number, "state": file.state, "payments": len(file.payments), "total": f"{file.total:.2f}"}
    assignment.record(tx, "payment", now, data=data)
