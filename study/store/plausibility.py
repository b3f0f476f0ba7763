"""Times and rates that cannot be right: a pay of thousands by the hour says that somebody does not read, or that a clock is wrong."""

from __future__ import annotations

from decimal import Decimal

from sqlite_utils import Database

from barlow_core.wording import count
from study.store.settings import StudySettings

FASTER = 10  # times as fast as the study says that an item takes: nobody reads and writes at that pace
SHARE = Decimal("0.1")  # of the answers may be that fast before it is worth a sentence


def problems(db: Database, hourly: Decimal | None, settings: StudySettings) -> list[str]:
    """What cannot be right about the times of a study and the pay that follows from them, one sentence each.

    Args:
        hourly: median pay by the hour on task.
    """
    found = []
    planned = settings.hourly_pay
    if hourly is not None and planned and hourly > FASTER * planned:
        found.append(
            f"the median pay of {hourly:,.2f} {settings.currency} an hour on task is {hourly / planned:,.0f} times what the study plans "
            f"({planned:,.2f}, at {settings.minutes_per_item:g} minutes an item): answers came too fast to be read, or minutes_per_item is wrong"
        )
    if hourly is not None and planned and hourly * 3 < planned:
        found.append(
            f"the median pay of {hourly:,.2f} {settings.currency} an hour on task is less than a third of what people were told "
            f"({planned:,.2f}): an item takes longer than minutes_per_item = {settings.minutes_per_item:g}"
        )
    least = 60 * settings.minutes_per_item / FASTER
    row = db.conn.execute(
        "SELECT count(*), coalesce(sum(answer.seconds < ?), 0) FROM answer JOIN item ON item.id = answer.item "
        "JOIN worker ON worker.id = answer.worker WHERE item.kind = 'item' AND NOT worker.simulated",
        (least,),
    ).fetchone()
    n, fast = row
    if n and fast > SHARE * n:
        found.append(f"{fast:,} of {count(n, 'answer')} took less than {least:g} seconds each")
    return found
