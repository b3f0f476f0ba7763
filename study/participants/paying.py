"""Files that the platforms take to pay people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write
from study.store.export import safe
from study.store.ledger import Payment, PaymentFile

if TYPE_CHECKING:
    import pandas as pd

    from study.store import StudyStore

PRIVATE = 0o600  # the files hold the ids of people
REASON = "Thank you for the tasks that you did in our study."


def write_payments(path: Path, payments: pd.DataFrame) -> None:
    """All of `StudyStore.payments` as CSV, safe for spreadsheets; only the owner can read it."""
    try:
        with atomic_write(path) as temporary:
            safe(payments).to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n")
        path.chmod(PRIVATE)
    except OSError as error:
        raise _not_written(path, error) from error


def make_payment_file(store: StudyStore, path: Path, platform: str) -> PaymentFile | None:
    """Put everything that is due on a platform into the ledger, and write it in the form that the platform takes.

    The ledger comes first: whatever happens to the file, nobody can be put into two. Where it cannot be written, what the ledger says
    is made void.

    Returns:
        What was written; None, and no file, where nothing is due.

    Raises:
        BarlowError: `path` exists, which may be a file that is not paid yet; or it cannot be written.
    """
    if path.exists():
        raise BarlowError(f"{path} exists already, perhaps with payments that are not made yet. Choose another name.")
    made = store.make_payments(platform)
    if made is None:
        return None
    try:
        write_payment_file(path, made)
    except BaseException:
        store.settle_payments(made.number, "void")
        raise
    return made


def write_payment_file(path: Path, file: PaymentFile) -> None:
    """A payment file of the ledger in the form that its platform takes; once more, if the first one was lost.

    Prolific: lines `participant id,amount` without a heading, to be pasted or uploaded under "Bulk bonus payments". Mechanical
    Turk: CSV with the arguments of its SendBonus, one row a worker, for their last assignment; the token keeps Amazon from paying twice what is
    sent twice. Plain link: `worker,amount,currency,token`.

    Raises:
        BarlowError: the file is void or paid already; it cannot be written.
    """
    text = payment_text(file)
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
        path.chmod(PRIVATE)
    except OSError as error:
        raise _not_written(path, error) from error


def payment_text(file: PaymentFile) -> str:
    """What `write_payment_file` writes.

    Raises:
        BarlowError: the file is void or paid already.
    """
    if file.state != "made":
        raise BarlowError(f"Payment file {file.number} is {file.state} since {file.settled_at}: nobody should pay it now.")
    made = io.StringIO(newline="")
    csv.writer(made, lineterminator="\n").writerows(_rows(file))
    return made.getvalue()


def _rows(file: PaymentFile) -> Iterable[Sequence[str | None]]:
    def amount(one: Payment) -> str:
        return f"{one.amount:.2f}"

    if file.platform == "prolific":
        return [[one.worker, amount(one)] for one in file.payments]
    if file.platform == "mturk":
        heading = ["WorkerId", "AssignmentId", "BonusAmount", "Reason", "UniqueRequestToken"]
        return [heading, *([one.worker, one.visit, amount(one), REASON, one.token] for one in file.payments)]
    heading = ["worker", "amount", "currency", "token"]
    return [heading, *([one.worker, amount(one), file.currency, one.token] for one in file.payments)]


def _not_written(path: Path, error: OSError) -> BarlowError:
    return BarlowError(f"{path} could not be written ({error}). Choose another place, or make room.")
