"""Is the study whole? What SQLite can say about that, and the rules that only a study knows."""

from __future__ import annotations

import json

from sqlite_utils import Database

from study.errors import InvalidAnswersError
from study.store.assignment import ANSWERED
from study.store.high_water import HighWater
from study.store.schema import TAKES_A_PLACE, quoted
from study.store.settings import StudySettings

_RULES = {
    "Item {id} counts {filled} places taken, but {n} assignments take one": (
        "SELECT item.id, item.filled, count(assignment.id) AS n FROM item LEFT JOIN assignment "
        f"ON assignment.item = item.id AND assignment.state IN ({quoted(TAKES_A_PLACE)}) GROUP BY item.id HAVING n <> item.filled"
    ),
    "Item {id} has {n} accepted answers, {wanted} were wanted": (
        "SELECT item.id, item.wanted, count(*) AS n FROM item JOIN assignment ON assignment.item = item.id "
        "WHERE assignment.state = 'accepted' GROUP BY item.id HAVING n > item.wanted"
    ),
    "Worker {worker} has item {item} {n} times": (
        "SELECT item, worker, count(*) AS n FROM assignment GROUP BY item, worker HAVING n > 1"
    ),
    "Worker {worker} holds {n} items at a time": (
        "SELECT worker, count(*) AS n FROM assignment WHERE state = 'reserved' GROUP BY worker HAVING n > 1"
    ),
    "The answer of worker {worker} to item {item} has no assignment that was answered": (
        "SELECT answer.item, answer.worker FROM answer LEFT JOIN assignment ON assignment.item = answer.item "
        f"AND assignment.worker = answer.worker AND assignment.state IN ({quoted(ANSWERED)}) WHERE assignment.id IS NULL"
    ),
    "The assignment of item {item} to worker {worker} is {state}, but there is no answer": (
        "SELECT assignment.item, assignment.worker, assignment.state FROM assignment LEFT JOIN answer "
        "ON answer.item = assignment.item AND answer.worker = assignment.worker "
        f"WHERE assignment.state IN ({quoted(ANSWERED)}) AND answer.id IS NULL"
    ),
    "Worker {worker} is {state} and still holds item {item}": (
        "SELECT assignment.worker, assignment.item, worker.state FROM assignment JOIN worker ON worker.id = assignment.worker "
        "WHERE assignment.state = 'reserved' AND worker.state <> 'active'"
    ),
    "Worker {worker} has withdrawn, but item {item} still has a draft or an open assignment of theirs": (
        "SELECT assignment.worker, assignment.item FROM assignment JOIN worker ON worker.id = assignment.worker "
        "WHERE worker.state = 'withdrawn' AND (assignment.state <> 'withdrawn' OR assignment.draft IS NOT NULL)"
    ),
    "The answer of worker {worker} to item {item} has no line in the audit trail": (
        "SELECT answer.item, answer.worker FROM answer WHERE NOT EXISTS (SELECT 1 FROM event "
        "WHERE event.worker = answer.worker AND event.item = answer.item AND event.kind = 'submitted')"
    ),
    "The answer of worker {worker} to item {item} is {seconds} seconds of work, the audit trail says {trail}": (
        "SELECT answer.item, answer.worker, answer.seconds, total(event.seconds) AS trail FROM answer "
        "LEFT JOIN event ON event.worker = answer.worker AND event.item = answer.item AND event.seconds <= :idle_seconds "
        "AND event.kind IN ('shown', 'started', 'active', 'draft', 'reported', 'submitted') AND event.id <= (SELECT min(id) FROM event "
        "AS sent WHERE sent.worker = answer.worker AND sent.item = answer.item AND sent.kind = 'submitted') "
        "GROUP BY answer.id HAVING abs(trail - answer.seconds) > 0.001"
    ),
}
_RULES |= {
    "The answer of P{participant} about feature {feature} of {grouping} is about a feature that its tree does not have": (
        "SELECT participant, interview_feature_answer.grouping, feature FROM interview_feature_answer JOIN interview_grouping "
        "ON interview_grouping.id = interview_feature_answer.grouping "
        "WHERE feature NOT IN (SELECT value FROM json_each(interview_grouping.data, '$.features'))"
    ),
    "P{id} takes part and was given {n} groupings instead of two": (
        "SELECT interview_participant.id, count(interview_assignment.place) AS n FROM interview_participant "
        "LEFT JOIN interview_assignment ON interview_assignment.participant = interview_participant.id "
        "WHERE state IN ('registered', 'running', 'finished') GROUP BY interview_participant.id HAVING n <> 2"
    ),
    "P{id} is {state}, but something of theirs is still kept": (
        "SELECT id, state FROM interview_participant WHERE state IN ('invited', 'screened_out', 'withdrawn') AND ("
        "consented_at IS NOT NULL OR role IS NOT NULL OR id IN (SELECT participant FROM interview_assignment) "
        "OR id IN (SELECT participant FROM interview_quote) OR id IN (SELECT participant FROM interview_coding))"
    ),
    "An interview has an answer of P{participant} that the audit trail does not know": (
        "SELECT DISTINCT participant FROM (SELECT participant FROM interview_feature_answer UNION SELECT participant "
        "FROM interview_action_answer) WHERE NOT EXISTS (SELECT 1 FROM event WHERE kind = 'interview' "
        "AND json_extract(data, '$.did') = 'answered' AND json_extract(data, '$.participant') = 'P' || participant)"
    ),
    "{sent} closing surveys are kept, but {surveyed} participants have sent one": (
        "SELECT (SELECT count(*) FROM interview_opinion WHERE sent) AS sent, "
        "(SELECT count(*) FROM interview_participant WHERE surveyed) AS surveyed WHERE sent <> surveyed"
    ),
}
SHOWN = 20


def _older_than(db: Database, reached: HighWater | None) -> list[str]:
    """Whether this is an earlier state of the study than the one that was written down outside the file."""
    study = json.loads(next(iter(db.query("SELECT value FROM study WHERE key = 'study_id'")))["value"])
    last = next(iter(db.query("SELECT max(id) AS event, max(at) AS at FROM event")))
    if reached is None or reached.study_id != study or (last["event"] or 0) >= reached.event:
        return []
    return [
        f"The file is older than the study was: its audit trail ends at event {last['event'] or 0} ({last['at'] or 'none'}), and had come to event "
        f"{reached.event} ({reached.at}). Answers that were confirmed in between are missing. Either it was copied without its log "
        "(the file that ends in -wal; stop the study before copying, or use barlow study backup), or an earlier copy was put in its place."
    ]


def problems(db: Database, settings: StudySettings, reached: HighWater | None = None) -> list[str]:
    """Everything that is wrong with a study, one sentence each; an empty list when it is whole.

    Args:
        reached: how far the study had come, as it is written down outside the file; None where that is not known.
    """
    found = [
        f"SQLite: {row['integrity_check']}" for row in db.query("PRAGMA integrity_check(20)") if row["integrity_check"] != "ok"
    ]
    for row in db.query("PRAGMA foreign_key_check"):
        found.append(f"Row {row['rowid']} of table {row['table']} refers to a row of table {row['parent']} that does not exist.")
    found += _older_than(db, reached)
    for sentence, sql in _RULES.items():
        parameters = {"idle_seconds": settings.idle_seconds} if ":idle_seconds" in sql else {}
        rows = list(db.query(sql, parameters))
        found += [sentence.format(**row) + "." for row in rows[:SHOWN]]
        if len(rows) > SHOWN:
            found.append(f"... and {len(rows) - SHOWN:,} more of this kind.")
    for row in db.query("SELECT * FROM answer"):
        try:
            settings.questionnaire.validate({name: row[name] for name in settings.questionnaire.ids})
        except InvalidAnswersError as error:
            found.append(f"The answer of worker {row['worker']} to item {row['item']} would not be taken today: {error}")
    for row in db.query("SELECT value FROM study WHERE key = 'unfinished_withdrawals'"):
        for pseudonym in json.loads(row["value"]):
            found.append(
                f"The withdrawal of {pseudonym} was interrupted before every copy was cleaned. Finish it: withdraw the worker again."
            )
    return found
