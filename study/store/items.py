"""Items as a person lists them, brought into the form in which the study file keeps them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from barlow_core.errors import BarlowError
from study.questionnaire import MAX_LENGTH, Questionnaire, cannot_be_kept, dumps, shown
from study.store.schema import ITEM_KINDS

MAX_ID = 200
LEHMER = 2**31 - 1


def item_rows(
    items: Iterable[str | Mapping[str, Any]], *, answers_per_item: int, questionnaire: Questionnaire, seed: int
) -> list[dict[str, Any]]:
    """One row of the table `item` for each of `items`.

    Args:
        items: ids, or mappings with "id"; "kind" ("item", "practice", "gold", "attention"), "expected" (good answers by question)
            and "answers_per_item" have a meaning, every other key is kept as data of the item. Practice, gold and attention items
            are for every worker: they have no wanted number of answers unless they bring one.
        seed: of the first order among items that are equally filled.

    Raises:
        BarlowError: no items, an id that is missing, not a text or there twice, a kind that does not exist, expected answers
            that the questionnaire does not take, data that JSON cannot hold.
    """
    if isinstance(items, (str, Mapping)):
        raise BarlowError(f"items is a list of ids or of mappings with an id, not {shown(items)}.")
    rng = random.Random(seed)
    rows: dict[str, dict[str, Any]] = {}
    for position, item in enumerate(items):
        row = _row(item, position, answers_per_item, questionnaire)
        if row["id"] in rows:
            raise BarlowError(f"Item {row['id']!r} is listed twice. Every item needs an id of its own.")
        rows[row["id"]] = row | {"filled": 0, "tie": rng.randrange(1, LEHMER)}
    if not any(row["kind"] == "item" for row in rows.values()):
        raise BarlowError("A study needs at least one item that is not for practice or a check.")
    return list(rows.values())


def _row(item: str | Mapping[str, Any], position: int, answers_per_item: int, questionnaire: Questionnaire) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        item = {"id": item}
    data = {str(key): value for key, value in item.items() if key not in ("id", "kind", "expected", "answers_per_item")}
    name = check_id(item.get("id"), f"Item {position}")
    kind = item.get("kind", "item")
    if kind not in ITEM_KINDS:
        raise BarlowError(f"Item {name!r} is of kind {shown(kind)}. Expected one of: {', '.join(ITEM_KINDS)}.")
    expected = item.get("expected")
    if expected is None and kind in ("gold", "attention"):
        raise BarlowError(f'Item {name!r} is a check ({kind}) and needs expected answers, such as {{"useful": "B"}}.')
    wanted = item.get("answers_per_item", answers_per_item if kind == "item" else None)
    if not (wanted is None and kind != "item") and (type(wanted) is not int or wanted < 1):
        raise BarlowError(f"Item {name!r} wants {shown(wanted)} answers. Expected a whole number of at least 1.")
    return {
        "id": name,
        "position": position,
        "kind": kind,
        "data": storable_json(data, f"Item {name!r}"),
        "expected": None if expected is None else storable_json(questionnaire.check_expected(expected), f"Item {name!r}"),
        "wanted": wanted,
    }


def check_id(name: object, what: str) -> str:
    """`name`, if it can be the id of an item or a worker: a text of 1 to 200 printable characters.

    Raises:
        BarlowError: it cannot; `what` begins the message.
    """
    if not isinstance(name, str) or not name.strip():
        raise BarlowError(f"{what}: the id must be a text that is not empty, not {shown(name)}.")
    if len(name) > MAX_ID:
        raise BarlowError(f"{what}: the id has {len(name):,} characters; at most {MAX_ID} are possible.")
    if cannot_be_kept(name) or any(ord(character) < 32 or ord(character) == 127 for character in name):
        raise BarlowError(f"{what}: the id {shown(name)} contains a character that cannot be printed.")
    return str(name)


def check_note(text: object, what: str) -> None:
    """Raise a BarlowError unless `text` is something that a person wrote and the file can hold; `what` begins the message."""
    if not isinstance(text, str) or not text.strip():
        raise BarlowError(f"{what} must be a text that is not empty, not {shown(text)}.")
    if len(text) > MAX_LENGTH:
        raise BarlowError(f"{what} has {len(text):,} characters; please shorten it to {MAX_LENGTH:,}.")
    if reason := cannot_be_kept(text):
        raise BarlowError(f"{what} contains {reason}.")


def storable_json(value: object, what: str) -> str:
    """`value` as JSON text; numpy's numbers count as numbers.

    Raises:
        BarlowError: JSON or a file of UTF-8 text cannot hold it; `what` begins the message.
    """
    try:
        text = dumps(_native(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise BarlowError(f"{what}: its data cannot be kept as JSON ({error}).") from None
    if reason := cannot_be_kept(text):
        raise BarlowError(f"{what}: its data contains {reason}.")
    return text


def _native(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _native(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_native(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value
