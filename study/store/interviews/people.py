"""Practitioners who are interviewed: invited by a link, registered under a number, and taken out again with everything that they said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from barlow_core.errors import BarlowError
from study.errors import RefusedError
from study.protocol import Protocol
from study.questionnaire import dumps, shown
from study.store import assignment
from study.store.clock import Moment
from study.store.interviews import clock, drawing, opinions

PROTOCOL = "interview"  # in the table `study`
# Everything of a participant, children first.
_TABLES = (
    "interview_coding",
    "interview_quote",
    "interview_action_answer",
    "interview_feature_answer",
    "interview_assignment",
)


@dataclass(frozen=True)
class Participant:
    """A practitioner as the study file knows them.

    Attributes:
        number: of the P-number.
        state: "invited", "registered" (consented; the session has not begun), "running", "finished", "screened_out" (does not
            fulfil the requirement) or "withdrawn".
        guided: an interviewer is there; else the participant goes through it alone.
        simulated: not a person.
        role, experience: values of the protocol; None before registration.
        plan: (part, minutes) in order; part: the present one, None before the start.
        groupings: of the first and the second place; none before registration.
        looks_at: what is on the participant's screen: "node" and "feature".
        seconds: of the session so far, without breaks; on_break: the clock stands.
        surveyed: the closing survey was sent.
    """

    number: int
    state: str
    guided: bool
    simulated: bool
    role: str | None
    experience: str | None
    plan: tuple[tuple[str, float], ...]
    part: str | None
    groupings: tuple[str, ...]
    looks_at: Mapping[str, Any]
    seconds: float
    on_break: bool
    surveyed: bool

    @property
    def name(self) -> str:
        return name_of(self.number)


def name_of(number: int) -> str:
    """The P-number: "P7"."""
    return f"P{number}"


def number_of(name: str) -> int:
    """The number of "P7", "p7" or "7".

    Raises:
        BarlowError: it is none.
    """
    digits = name.strip().upper().removeprefix("P")
    if not digits.isdecimal():
        raise BarlowError(f"{shown(name)} is not the number of a participant. Expected something like P7.")
    return int(digits)


def protocol_of(tx: sqlite3.Connection) -> Protocol | None:
    """How this study interviews; None where it does not."""
    row = tx.execute("SELECT value FROM study WHERE key = ?", (PROTOCOL,)).fetchone()
    return None if row is None else Protocol.from_data(json.loads(row[0]))


def require_protocol(tx: sqlite3.Connection) -> Protocol:
    """How this study interviews.

    Raises:
        BarlowError: it has no interviews.
    """
    found = protocol_of(tx)
    if found is None:
        raise BarlowError("This study has no interviews yet. Prepare them: barlow study interview create RUN --study STUDY")
    return found


def create(tx: sqlite3.Connection, protocol: Protocol, groupings: list[Mapping[str, Any]], now: Moment) -> None:
    """Write down how the study interviews, and about which groupings; see `Interviews.create`."""
    if protocol_of(tx) is not None:
        raise BarlowError(
            "This study has interviews already; what participants see must not change. Make a study of its own for others."
        )
    easy = [one for one in groupings if one["easy"]]
    if not easy or len(groupings) < 2:
        raise BarlowError(
            f"Interviews need two groupings at least, one of them in the easy set; found {len(groupings)}, {len(easy)} of them easy."
        )
    for position, one in enumerate(groupings):
        data = {name: value for name, value in one.items() if name not in ("id", "easy")}
        tx.execute(
            "INSERT INTO interview_grouping (id, position, easy, data) VALUES (?, ?, ?, ?)",
            (one["id"], position, int(one["easy"]), dumps(data)),
        )
    tx.execute("INSERT INTO study (key, value) VALUES (?, ?)", (PROTOCOL, dumps(protocol.to_data())))
    record(
        tx, None, "created", now, {"groupings": len(groupings), "easy": [one["id"] for one in easy], "rule": protocol.easy_rule}
    )


def invite(tx: sqlite3.Connection, code: str, guided: bool, simulated: bool, now: Moment) -> int:
    """A new participant; their number."""
    require_protocol(tx)
    number = tx.execute(
        "INSERT INTO interview_participant (code, guided, simulated, invited_at) VALUES (?, ?, ?, ?)",
        (code, int(guided), int(simulated), now.utc),
    ).lastrowid
    assert number is not None
    record(tx, number, "invited", now, {"guided": guided})
    return number


def find(tx: sqlite3.Connection, number: int, now: Moment) -> Participant:
    """One participant.

    Raises:
        RefusedError: there is none of that number.
    """
    row = tx.execute("SELECT * FROM interview_participant WHERE id = ?", (number,)).fetchone()
    if row is None:
        n = tx.execute("SELECT count(*) FROM interview_participant").fetchone()[0]
        raise RefusedError(
            f"There is no participant {name_of(number)}; {n} were invited. See them: barlow study interview status STUDY"
        )
    groupings = tx.execute("SELECT grouping FROM interview_assignment WHERE participant = ? ORDER BY place", (number,)).fetchall()
    return Participant(
        number=number,
        state=row["state"],
        guided=bool(row["guided"]),
        simulated=bool(row["simulated"]),
        role=row["role"],
        experience=row["experience"],
        plan=tuple((part, float(minutes)) for part, minutes in json.loads(row["plan"] or "[]")),
        part=row["part"],
        groupings=tuple(one["grouping"] for one in groupings),
        looks_at=json.loads(row["looks_at"] or "{}"),
        seconds=clock.seconds(row, now),
        on_break=row["state"] == "running" and row["running_at"] is None,
        surveyed=bool(row["surveyed"]),
    )


def of_code(tx: sqlite3.Connection, code: object) -> int | None:
    """The number of whoever was invited by this code; None for everything else."""
    if not isinstance(code, str) or not code:
        return None
    row = tx.execute("SELECT id FROM interview_participant WHERE code = ?", (code,)).fetchone()
    return None if row is None else int(row["id"])


def register(tx: sqlite3.Connection, number: int, role: str, experience: str, now: Moment) -> None:
    """The participant consents and says who they are; their groupings are drawn. Doing it twice changes nothing."""
    protocol = require_protocol(tx)
    for value, name in ((role, "roles"), (experience, "experience")):
        if value not in protocol.choices(name):
            raise BarlowError(f"{shown(value)} is none of the {name} of this study: {', '.join(protocol.choices(name))}.")
    found = find(tx, number, now)
    require_open(found)
    if found.state != "invited":
        return
    tx.execute(
        "UPDATE interview_participant SET state = 'registered', consented_at = ?, role = ?, experience = ?, plan = ? WHERE id = ?",
        (now.utc, role, experience, dumps(protocol.plan), number),
    )
    record(tx, number, "registered", now, {"role": role, "experience": experience})
    drawn = drawing.draw(tx, number, protocol.seed)
    record(tx, number, "assigned", now, drawn)


def screen_out(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """The participant does not fulfil the requirement; nothing else of them is kept."""
    if find(tx, number, now).state == "invited":
        tx.execute("UPDATE interview_participant SET state = 'screened_out' WHERE id = ?", (number,))
        record(tx, number, "screened_out", now)


def require_open(participant: Participant) -> None:
    """Raise a RefusedError where somebody takes no part (any more)."""
    if participant.state == "withdrawn":
        raise RefusedError(f"{participant.name} has withdrawn from the study; nothing more of theirs is kept.")
    if participant.state == "screened_out":
        raise RefusedError(f"{participant.name} does not fulfil the requirement and takes no part.")


def require_taking_part(tx: sqlite3.Connection, number: int, now: Moment) -> Participant:
    """One participant who has registered.

    Raises:
        RefusedError: there is none, or they have not registered, or take no part any more.
    """
    found = find(tx, number, now)
    require_open(found)
    if found.state == "invited":
        raise RefusedError(f"{found.name} has not registered yet, so nothing of theirs can be kept.")
    return found


def withdrawn(tx: sqlite3.Connection) -> list[int]:
    """Numbers of those who have withdrawn."""
    return [row[0] for row in tx.execute("SELECT id FROM interview_participant WHERE state = 'withdrawn' ORDER BY id").fetchall()]


def erase(tx: sqlite3.Connection, number: int, now: Moment) -> int:
    """Delete everything that a participant said and did; how many answers and quotes those were. That somebody had this number stays.

    Args:
        tx: a study in which they may be unknown (a backup from before they were invited): the number is taken there, too.
    """
    row = tx.execute("SELECT state, invited_at FROM interview_participant WHERE id = ?", (number,)).fetchone()
    n = opinions.erase(tx, number)
    for table in _TABLES:
        gone = tx.execute(f"DELETE FROM {table} WHERE participant = ?", (number,)).rowcount
        n += gone if table in ("interview_quote", "interview_action_answer", "interview_feature_answer") else 0
    tx.execute(
        "DELETE FROM event WHERE kind = 'interview' AND json_extract(data, '$.participant') = ? "
        "AND json_extract(data, '$.did') <> 'withdrawn'",
        (name_of(number),),
    )
    tx.execute("DELETE FROM interview_participant WHERE id = ?", (number,))
    invited = now.utc if row is None else row["invited_at"]
    tx.execute(
        "INSERT INTO interview_participant (id, state, guided, invited_at) VALUES (?, 'withdrawn', 0, ?)", (number, invited)
    )
    if row is None or row["state"] != "withdrawn":
        record(tx, number, "withdrawn", now)
    opinions.release(tx)
    return n


def record(
    tx: sqlite3.Connection,
    number: int | None,
    did: str,
    now: Moment,
    data: Mapping[str, Any] | None = None,
    seconds: float | None = None,
) -> None:
    """A line in the audit trail; `seconds` on the clock of the session."""
    about = {"participant": None if number is None else name_of(number), "did": did, **(data or {})}
    assignment.record(tx, "interview", now, seconds=seconds, data=about)
