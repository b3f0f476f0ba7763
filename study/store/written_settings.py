"""Settings as people type them, at the command line and on the admin page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from study.store.settings import SECRET, StudySettings

_TEXTS = ("title", "contact", "consent", "currency", *("base_pay", "partial_pay", "screened_out_pay", "bonus"))
_LISTS = ("platforms", "invite_codes", "allowed_workers")


def parse(name: str, text: str) -> Any:
    """The value that somebody typed for a setting: texts as they are, everything else as JSON, lists also with commas."""
    if name in _TEXTS or name.endswith(("_code", "_url")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return [part for part in text.split(",") if part] if name in _LISTS else text


def written(settings: StudySettings) -> Mapping[str, str]:
    """Every setting as `parse` takes it; of the secret ones only how many there are."""
    rows = settings.rows()
    return {
        name: f"({len(json.loads(row))})" if name in SECRET else json.loads(row) if parse(name, row) == row else row
        for name, row in rows.items()
    }
