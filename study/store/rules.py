"""Answers and workers that need a second look, as stated rules; what becomes of them is a setting: "off", "flag" or "refuse".

* speed: the answer came less than `min_seconds` after its item was shown.
* identical: all its texts together are those of two earlier answers of the same worker, or, with five words or more, those that
  another worker gave to the same item; upper and lower case, spaces and punctuation do not count.
* automation: the browser says that a program drives it, or nobody touched keyboard, mouse or screen before sending.
* duplicates: somebody came by an open link from the same network address with the same browser as another worker before.

Checks and practice are exempt from "identical": they ask for anything.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Mapping
from typing import Any

from study.errors import InvalidAnswersError
from study.questionnaire import words
from study.store.settings import StudySettings
from study.texts import ENGLISH

REPEATED = 2  # earlier answers of the same worker with the same words: one may be two items that do show the same
COPIED_WORDS = 5  # fewer words are the same by chance


def broken(
    tx: sqlite3.Connection,
    worker: str,
    item: sqlite3.Row,
    answers: Mapping[str, Any],
    elapsed: float | None,
    signs: Mapping[str, Any],
    settings: StudySettings,
) -> list[str]:
    """The rules that an answer breaks and that are not off.

    Args:
        item: its row, with `id` and `kind`.
        elapsed: seconds since the item was shown; None where nobody knows.
        signs: what the page says about itself: "webdriver" and "untouched", true or false.

    Raises:
        InvalidAnswersError: one of them is refused.
    """
    found = []
    if elapsed is not None and elapsed < settings.min_seconds:
        found.append("speed")
    if item["kind"] == "item" and settings.identical != "off" and _is_repeated(tx, worker, item["id"], answers, settings):
        found.append("identical")
    if signs.get("webdriver") is True or signs.get("untouched") is True:
        found.append("automation")
    found = [rule for rule in found if getattr(settings, rule) != "off"]
    for rule in found:
        if getattr(settings, rule) == "refuse":
            raise InvalidAnswersError({"": ENGLISH(f"rule.{rule}")}, rule=rule)
    return found


def _is_repeated(tx: sqlite3.Connection, worker: str, item: str, answers: Mapping[str, Any], settings: StudySettings) -> bool:
    texts = [question.id for question in settings.questionnaire.questions if question.kind == "text"]
    mine = _words_of(answers, texts)
    if not mine:
        return False
    columns = ", ".join(f'answer."{name}"' for name in texts)
    # Only the item's own answers and the worker's own: both are few.
    rows = tx.execute(
        f"SELECT answer.worker, {columns} FROM answer JOIN item ON item.id = answer.item "
        "WHERE item.kind = 'item' AND (answer.worker = ? OR answer.item = ?)",
        (worker, item),
    ).fetchall()
    same = [row["worker"] for row in rows if _words_of(row, texts) == mine]
    others = [one for one in same if one != worker]
    return len(same) - len(others) >= REPEATED or (bool(others) and len(mine) >= COPIED_WORDS)


def _words_of(answers: Mapping[str, Any] | sqlite3.Row, texts: list[str]) -> list[str]:
    return [word.casefold().strip(".,;:!?\"'()") for name in texts for word in words(answers[name] or "")]


def device(key: str, address: str, browser: str) -> str:
    """A name for the device of a visitor, from which nobody without the key of the study reads the address or the browser.

    Args:
        key: of the study, see `StudyStore.sign`.
    """
    return hmac.new(key.encode(), f"device|{address}|{browser}".encode(), hashlib.sha256).hexdigest()[:24]


def same_device(tx: sqlite3.Connection, worker: str, device: str) -> list[str]:
    """Other workers, who have not withdrawn, that came from this device."""
    sql = "SELECT id FROM worker WHERE id <> ? AND state <> 'withdrawn' AND json_extract(details, '$.device') = ? ORDER BY joined_at, id"
    return [row["id"] for row in tx.execute(sql, (worker, device)).fetchall()]
