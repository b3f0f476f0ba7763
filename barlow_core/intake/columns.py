"""Which column of a table stands for what: told by its name where one column alone has a usual one, or said by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from barlow_core.errors import BarlowError


def plain(name: str) -> str:
    """A name as it counts: without regard to case and punctuation, "File_Name" as "filename"."""
    return re.sub(r"[\W_]", "", name.casefold())


def parse_columns(text: str | Path | Mapping[str, str], example: str) -> dict[str, str]:
    """What a person says of columns, "item=HITId,worker=WorkerId", as JSON, or in a JSON file.

    Args:
        text: "tier=", without a column, says that no column stands for the tier. A name that holds a comma or = needs JSON.
        example: of such a text, for messages.

    Raises:
        BarlowError: it says nothing, or two things of one column.
    """
    if isinstance(text, Mapping):
        return _checked(text)
    typed = str(text).strip()
    if typed.startswith("{") or typed.endswith(".json"):
        try:
            return _checked(json.loads(typed if typed.startswith("{") else Path(text).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            shown = json.dumps(dict(pair.split("=", 1) for pair in example.split(",")[:2]))
            raise BarlowError(f"{typed!r} cannot be read as a mapping ({error}). Expected JSON such as {shown}.") from error
    pairs = [part.partition("=") for part in typed.split(",") if part.strip()]
    if wrong := [what for what, sign, _ in pairs if not sign]:
        raise BarlowError(f"{wrong[0]!r} is not a mapping. Expected something like: {example}")
    names = [what.strip() for what, _, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise BarlowError(f"Two columns are given for {twice[0]!r}; one is expected.")
    return {what.strip(): column.strip() for what, _, column in pairs}


def columns_text(mapping: Mapping[str, str]) -> str:
    """What `parse_columns` reads as `mapping`."""
    text = ",".join(f"{what}={column}" for what, column in mapping.items())
    if text.endswith(".json") or any("," in column for column in mapping.values()):
        return json.dumps(dict(mapping), ensure_ascii=False, separators=(",", ":"))
    return text


def candidates(header: Sequence[str], names: Iterable[str]) -> list[str]:
    """The columns of a header that have one of some names, as `plain` has them, in the order of the header."""
    known = {plain(name) for name in names}
    return [column for column in header if column and plain(column) in known]


def position(header: Sequence[str], column: str, source: str) -> int:
    """Where a column is, by its name as it is written, or else without regard to case and punctuation.

    Raises:
        BarlowError: there is no such column, or more than one.
    """
    places = [i for i, name in enumerate(header) if name == column]
    places = places or [i for i, name in enumerate(header) if plain(name) == plain(column)]
    if len(places) == 1:
        return places[0]
    shown = ", ".join(map(repr, header[:30]))
    if not places:
        raise BarlowError(f"{source} has no column {column!r}; its columns are {shown}.")
    raise BarlowError(f"{source} has {len(places)} columns called {column!r}. Expected one. Give each a name of its own.")


def _checked(mapping: object) -> dict[str, str]:
    if not isinstance(mapping, Mapping) or not all(isinstance(one, str) for pair in mapping.items() for one in pair):
        raise BarlowError('A mapping says which column is what: {"item": "HITId", "worker": "WorkerId"}.')
    return dict(mapping)
