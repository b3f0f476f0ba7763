"""How far a study's audit trail had come, written beside the file: whoever opens an older copy in its place can tell.

The file that ends in .mark holds the id of the last event and when it was written, as one line of JSON of fixed length. It follows every
commit that has to survive, while nobody else can write.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from study.store.clock import Moment

LENGTH = 200
PRIVATE = 0o600


@dataclass(frozen=True)
class HighWater:
    """The state that a study had reached.

    Attributes:
        study_id: of the study; event: the id of its last event; at: when that was written, UTC.
    """

    study_id: str
    event: int
    at: str


def mark_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.mark")


def write(path: Path, study_id: str, event: int, now: Moment) -> None:
    """Write down how far the study at `path` has come. A disk that does not take it is no reason to refuse an answer."""
    line = json.dumps({"study_id": study_id, "event": event, "at": now.utc}).ljust(LENGTH - 1) + "\n"
    try:
        file = os.open(mark_path(path), os.O_WRONLY | os.O_CREAT, PRIVATE)
        try:
            os.pwrite(file, line.encode("ascii"), 0)
        finally:
            os.close(file)
    except OSError:
        return


def read(path: Path) -> HighWater | None:
    """What stands beside the study at `path`; None where nothing does, or nothing that can be read."""
    try:
        return HighWater(**json.loads(mark_path(path).read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError):
        return None
