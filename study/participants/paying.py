"""Files that the platforms take to pay people."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write
from study.store.export import safe

if TYPE_CHECKING:
    import pandas as pd

PRIVATE = 0o600  # the files hold the ids of people
REASON = "Thank you for the tasks that you did in our study."


def write_payments(path: Path, payments: pd.DataFrame) -> None:
    """All of `StudyStore.payments` as CSV, safe for spreadsheets; only the owner can read it."""
    try:
        with atomic_write(path) as temporary:
            safe(payments).to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n")
        path.chmod(PRIVATE)
    except OSError as error:
        raise BarlowError(f"{path} could not be written ({error}). Choose another place, or make room.") from error


def write_bonuses(path: Path, payments: pd.DataFrame, platform: str) -> int:
    """What a platform takes to pay bonuses, for everybody of it who is due something; how many those are.

    Prolific: lines `participant id,amount` without a heading, to be pasted or uploaded under "Bulk bonus payments". Mechanical
    Turk: CSV with the arguments of its SendBonus, one row a worker, for their last assignment. Plain link: `worker,amount,currency`.

    Raises:
        BarlowError: it cannot be written.
    """
    mine = payments[(payments["platform"].fillna("link") == platform) & (payments["due"] > 0)]
    if platform == "prolific":
        rows = [[row.worker, f"{row.due:.2f}"] for row in mine.itertuples()]
    elif platform == "mturk":
        # The token keeps Amazon from paying twice what is sent twice.
        rows = [["WorkerId", "AssignmentId", "BonusAmount", "Reason", "UniqueRequestToken"]]
        rows += [
            [row.worker, row.last_visit, f"{row.due:.2f}", REASON, f"{row.pseudonym}-{row.due:.2f}"] for row in mine.itertuples()
        ]
    else:
        rows = [["worker", "amount", "currency"], *([row.worker, f"{row.due:.2f}", row.currency] for row in mine.itertuples())]
    try:
        with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        path.chmod(PRIVATE)
    except OSError as error:
        raise BarlowError(f"{path} could not be written ({error}). Choose another place, or make room.") from error
    return len(mine)
