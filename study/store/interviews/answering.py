"""What participants answer about a grouping and its features, what was heard and noted, and how coders read it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from barlow_core.errors import BarlowError
from study.errors import RefusedError
from study.protocol import DESCRIBES, NECESSITY, Protocol
from study.questionnaire import MAX_LENGTH, cannot_be_kept, dumps, shown
from study.store.clock import Moment
from study.store.interviews.people import record, require_protocol, require_taking_part
from study.store.items import check_id, check_note

FEATURE_FIELDS = ("describes", "description", "difficulties", "difficulty", "necessity", "reason")
ACTION_FIELDS = ("actions", "text")
AUTHORS = ("interviewer", "participant")
CODED = ("actions", "difficulties")


def answer_feature(
    tx: sqlite3.Connection, number: int, grouping: str, feature: int, given: Mapping[str, Any], now: Moment
) -> None:
    """Keep answers to questions 1 and 2 about a feature; what is not given stays as it was."""
    protocol = require_protocol(tx)
    for name, value in given.items():
        if name not in FEATURE_FIELDS:
            raise BarlowError(f"There is no question {shown(name)} about a feature. Expected: {', '.join(FEATURE_FIELDS)}.")
        _check(name, value, protocol)
    if feature not in features_of(tx, grouping):
        raise RefusedError(f"The tree of {grouping} has no feature {feature}, so no answer about it is expected.")
    keys = {"participant": number, "grouping": grouping, "feature": feature}
    _keep(tx, "interview_feature_answer", keys, given, now)


def answer_actions(tx: sqlite3.Connection, number: int, grouping: str, given: Mapping[str, Any], now: Moment) -> None:
    """Keep answers to question 3 about a grouping; what is not given stays as it was."""
    protocol = require_protocol(tx)
    for name, value in given.items():
        if name not in ACTION_FIELDS:
            raise BarlowError(f"There is no question {shown(name)} about a grouping. Expected: {', '.join(ACTION_FIELDS)}.")
        _check(name, value, protocol)
    _keep(tx, "interview_action_answer", {"participant": number, "grouping": grouping}, given, now)


def _keep(tx: sqlite3.Connection, table: str, keys: Mapping[str, Any], given: Mapping[str, Any], now: Moment) -> None:
    """Insert or update one row; what changed goes into the audit trail with what stood there before."""
    participant = require_taking_part(tx, keys["participant"], now)
    if keys["grouping"] not in participant.groupings:
        raise RefusedError(
            f"{participant.name} was not given the grouping {shown(keys['grouping'])}, so no answer about it is expected."
        )
    stored = {name: dumps(list(value)) if name in ("difficulties", "actions") else value for name, value in given.items()}
    where = " AND ".join(f"{name} = :{name}" for name in keys)
    before = tx.execute(f"SELECT * FROM {table} WHERE {where}", keys).fetchone()
    if before is None:  # an empty field that was left empty is no answer
        changed = {name: value for name, value in stored.items() if value not in (None, "", "[]")}
    else:
        changed = {name: value for name, value in stored.items() if before[name] != value}
    if not changed:
        return
    if before is None:
        row = {**keys, **stored, "answered_at": now.utc}
        tx.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", row)
    else:
        pairs = ", ".join(f"{name} = :{name}" for name in changed)
        tx.execute(f"UPDATE {table} SET {pairs}, edited_at = :now WHERE {where}", {**keys, **changed, "now": now.utc})
    about = {name: value for name, value in keys.items() if name != "participant"}
    was = {} if before is None else {"before": {name: before[name] for name in changed}}
    record(tx, participant.number, "answered", now, {**about, "questions": list(changed), **was}, participant.seconds)


def features_of(tx: sqlite3.Connection, grouping: str) -> list[int]:
    """The features of a grouping's tree, the one of the first split first."""
    row = tx.execute("SELECT data FROM interview_grouping WHERE id = ?", (grouping,)).fetchone()
    return [] if row is None else [int(feature) for feature in json.loads(row["data"]).get("features", ())]


def _check(name: str, value: Any, protocol: Protocol) -> None:
    choices = {"describes": DESCRIBES, "necessity": NECESSITY, "difficulties": protocol.difficulties, "actions": protocol.actions}
    if name not in choices:
        _check_text(value, name)
        return
    possible = [one for one, _ in choices[name]]
    chosen = value if name in ("difficulties", "actions") else [value] if value is not None else []
    _check_codes(chosen, possible, name)


def _check_codes(chosen: Any, possible: Sequence[str], what: str) -> None:
    if isinstance(chosen, str) or not isinstance(chosen, Collection):
        raise BarlowError(f"{what} is a list out of {', '.join(possible)}, not {shown(chosen)}.")
    for one in chosen:
        if one not in possible:
            raise BarlowError(f"{shown(one)} is none of the possible {what}: {', '.join(possible)}.")


def _check_text(value: Any, what: str) -> None:
    if value is None:
        return
    if not isinstance(value, str) or len(value) > MAX_LENGTH:
        raise BarlowError(f"{what} is a text of at most {MAX_LENGTH:,} characters, not {shown(value)}.")
    if reason := cannot_be_kept(value):
        raise BarlowError(f"{what} contains {reason}.")


def quote(
    tx: sqlite3.Connection, number: int, text: str, author: str, theme: str | None, grouping: str | None, now: Moment
) -> int:
    """Note what a participant said, with the time on the session's clock; its number."""
    check_note(text, "A quote")
    if author not in AUTHORS:
        raise BarlowError(f"A quote is noted by one of {', '.join(AUTHORS)}, not {shown(author)}.")
    _check_theme(tx, theme)
    participant = require_taking_part(tx, number, now)
    if grouping is not None and grouping not in participant.groupings:
        raise RefusedError(f"{participant.name} was not given the grouping {shown(grouping)}.")
    made = tx.execute(
        "INSERT INTO interview_quote (participant, at, seconds, author, part, grouping, theme, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, now.utc, participant.seconds, author, participant.part, grouping, theme, text),
    ).lastrowid
    assert made is not None
    record(tx, number, "quoted", now, {"quote": made, "author": author}, participant.seconds)
    return made


def set_theme(tx: sqlite3.Connection, number: int, theme: str | None, now: Moment) -> None:
    """Put a quote under a theme."""
    _check_theme(tx, theme)
    row = _quote(tx, number)
    if row["theme"] != theme:
        tx.execute("UPDATE interview_quote SET theme = ? WHERE id = ?", (theme, number))
        record(tx, row["participant"], "themed", now, {"quote": number, "before": row["theme"]})


def remove_quote(tx: sqlite3.Connection, number: int, now: Moment) -> None:
    """Take a quote out; the trail keeps what it said."""
    row = _quote(tx, number)
    tx.execute("DELETE FROM interview_quote WHERE id = ?", (number,))
    record(tx, row["participant"], "unquoted", now, {"quote": number, "before": row["text"]})


def _quote(tx: sqlite3.Connection, number: int) -> sqlite3.Row:
    row: sqlite3.Row | None = tx.execute("SELECT * FROM interview_quote WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise RefusedError(f"There is no quote {number}. It may have been removed on another screen.")
    return row


def _check_theme(tx: sqlite3.Connection, theme: str | None) -> None:
    if theme is not None:
        _check_codes([theme], list(require_protocol(tx).choices("themes")), "theme")


def code(
    tx: sqlite3.Connection,
    what: str,
    number: int,
    grouping: str,
    feature: int | None,
    coder: str,
    codes: Sequence[str],
    now: Moment,
) -> None:
    """Keep how a coder reads a free text: about actions (of a grouping) or difficulties (of a feature)."""
    if what not in CODED:
        raise BarlowError(f"What is coded is one of {', '.join(CODED)}, not {shown(what)}.")
    check_id(coder, "Coder")
    _check_codes(codes, list(require_protocol(tx).choices(what)), what)
    participant = require_taking_part(tx, number, now)
    column, table = ("text", "interview_action_answer") if what == "actions" else ("difficulty", "interview_feature_answer")
    sql = f"SELECT {column} FROM {table} WHERE participant = ? AND grouping = ?" + (
        " AND feature = ?" if what == "difficulties" else ""
    )
    keys = (number, grouping) + ((feature,) if what == "difficulties" else ())
    row = tx.execute(sql, keys).fetchone()
    if row is None or not (row[0] or "").strip():
        raise RefusedError(f"{participant.name} wrote no text about {what} of {grouping} that could be coded.")
    tx.execute(
        "INSERT INTO interview_coding (what, participant, grouping, feature, coder, codes, at) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (what, participant, grouping, feature, coder) DO UPDATE SET codes = excluded.codes, at = excluded.at",
        (what, number, grouping, -1 if feature is None or what == "actions" else feature, coder, dumps(list(codes)), now.utc),
    )
    record(tx, number, "coded", now, {"what": what, "grouping": grouping, "coder": coder})
