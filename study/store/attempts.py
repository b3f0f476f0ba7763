"""How often somebody may try: guesses at invite codes from one network, and reports of one worker.

* Invite codes: after `GUESSES` different wrong ones from one network within `GUESS_SECONDS`, no code from there is looked at, right or wrong,
  until fewer of them are that recent. A link that is broken and opened again counts once.
* Reports of problems: at most `REPORTS` of a worker within `REPORT_SECONDS`; the same words about the same item are kept once.

Both stand in the study file, so that they hold over reloads and in all processes that serve the study. What stands there about a network is
a signature of its address, and goes when its time is up.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import sqlite3

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.store.clock import Moment, seconds_of, timestamp

GUESSES, GUESS_SECONDS = 20, 600.0
REPORTS, REPORT_SECONDS = 5, 600.0


def network(key: str, address: str) -> str:
    """A name for the network of an address, from which nobody without the key of the study reads the address.

    With IPv6 everybody has a whole network of addresses, so its first 64 bits count.
    """
    try:
        found = ipaddress.ip_address(address)
        if found.version == 6:
            address = str(ipaddress.ip_network((found, 64), strict=False))
    except ValueError:
        pass  # whatever a proxy calls its visitors
    return hmac.new(key.encode(), f"network|{address}".encode(), hashlib.sha256).hexdigest()[:24]


def note_guess(tx: sqlite3.Connection, network: str, code: str, now: Moment) -> None:
    """Remember a wrong code, by its hash: it may be the code of another study, or nearly one of this."""
    tx.execute("DELETE FROM guess WHERE deadline <= ?", (now.ticks,))
    tx.execute(
        "INSERT INTO guess (network, code, deadline) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET deadline = excluded.deadline",
        (network, hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()[:24], now.ticks + GUESS_SECONDS),
    )


def seconds_to_wait(tx: sqlite3.Connection, network: str, now: Moment) -> float:
    """Until a code from this network is looked at again; 0 where it is now."""
    row = tx.execute(
        "SELECT deadline FROM guess WHERE network = ? AND deadline > ? ORDER BY deadline DESC LIMIT 1 OFFSET ?",
        (network, now.ticks, GUESSES - 1),
    ).fetchone()
    return 0.0 if row is None else float(row["deadline"] - now.ticks)


def may_report(tx: sqlite3.Connection, worker: str, item: str, text: str, now: Moment) -> bool:
    """Whether a report is to be kept; False for one that is there already.

    Raises:
        BarlowError: the worker has sent many of late; the message is for them.
    """
    rows = tx.execute("SELECT at, item, data FROM event WHERE worker = ? AND kind = 'reported'", (worker,)).fetchall()
    if any(row["item"] == item and json.loads(row["data"])["text"] == text for row in rows):
        return False
    since = timestamp(seconds_of(now.utc) - REPORT_SECONDS)
    recent = sum(since < row["at"] <= now.utc for row in rows)
    if recent >= REPORTS:
        raise BarlowError(
            f"You have sent {count(recent, 'report')} within {REPORT_SECONDS / 60:.0f} minutes; the researchers have them. "
            "Please wait a few minutes before you send another one."
        )
    return True
