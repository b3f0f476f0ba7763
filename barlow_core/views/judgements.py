"""What a researcher thinks of a feature: a name, whether the class needs it, and what to do; kept with author and time.

The file `judgements.jsonl` in the run folder only ever grows: one line of JSON a judgement, and one for every time that somebody
takes one back (undo) or brings it back (redo). What stands is worked out by reading it from the start.

Lines are written under a lock, whole, and pushed to the disk. A process that is killed while it writes leaves a line without an
end: readers pass over it, and the next writer cuts it off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
from filelock import FileLock, Timeout

from barlow_core.errors import BarlowError
from barlow_core.run import Run

FILE = "judgements.jsonl"
VERDICTS = ("necessary", "spurious", "unsure")
ACTIONS = ("data collection", "augmentation or masking", "architecture", "labels wrong", "other")
SECONDS_TO_WAIT = 10  # for another writer; a line takes milliseconds
EVENTS = ("judge", "undo", "redo")


class Judgement(NamedTuple):
    """What somebody said about a feature.

    Attributes:
        number: of the line that says it, counted from 1.
        at: when, UTC, ISO 8601.
        author: who.
        feature: index into the features of the extractor.
        group: key of the group that it was said in; None for everywhere.
        rule: the rule of the failure mode that it was said about; None for the feature as such.
        name, comment: free text, "" where there is none.
        verdict: one of `VERDICTS`, or None.
        action: one of `ACTIONS`, or None.
        current: whether it is about the features that the run has now; after another extraction, features have other meanings.
    """

    number: int
    at: str
    author: str
    feature: int
    group: str | None
    rule: str | None
    name: str
    verdict: str | None
    comment: str
    action: str | None
    current: bool


class Judgements:
    """The judgements of a run; safe for several threads, processes and pages at a time.

    Raises (every method):
        BarlowError: a line of the file is damaged.
    """

    def __init__(self, run: Run):
        self._run = run
        self.path = run.path / FILE
        self._read: tuple[tuple[int, int] | None, list[dict[str, Any]]] = (None, [])

    @property
    def writable(self) -> bool:
        """Whether this process may write into the run folder."""
        real = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
        places = [self.path.parent, *([self.path] if self.path.exists() else [])]
        return all(os.access(place, os.W_OK, **real) for place in places)

    def record(
        self,
        feature: int,
        *,
        author: str,
        group: str | None = None,
        rule: str | None = None,
        name: str = "",
        verdict: str | None = None,
        comment: str = "",
        action: str | None = None,
    ) -> Judgement:
        """Keep what `author` thinks of a feature; it takes the place of what they said about the same subject before.

        Args:
            group, rule: what it is about, see `Judgement`. A rule needs its group.

        Raises:
            BarlowError: nothing is said, nobody says it, an unknown verdict, action or feature, a rule without its group; or the
                run folder cannot be written.
        """
        said = {"name": name.strip(), "verdict": verdict, "comment": comment.strip(), "action": action}
        if not author.strip():
            raise BarlowError("A judgement needs an author. Enter your name.")
        if not any(said.values()):
            raise BarlowError("This judgement says nothing. Give a name, a verdict, a comment or an action.")
        for what, value, known in (("verdict", verdict, VERDICTS), ("action", action, ACTIONS)):
            if value is not None and value not in known:
                raise BarlowError(f"Unknown {what} {value!r}. Expected one of: {', '.join(known)}.")
        if rule is not None and group is None:
            raise BarlowError(f"The rule {rule!r} was given without its group. Expected the key of the group, too.")
        n_features = self._run.features().shape[1]
        if not 0 <= feature < n_features:
            raise BarlowError(f"Feature {feature} does not exist. Expected an index from 0 to {n_features - 1}.")
        with self._writing() as lines:
            self._append(
                lines, "judge", author, feature=int(feature), group=group, rule=rule, **said, features=self._features_key
            )
        return self._judgement(self._lines()[len(lines)])

    def undo(self, *, author: str, number: int | None = None) -> Judgement | None:
        """Take back what `author` said last, or one judgement of theirs; None where there is nothing to take back.

        Raises:
            BarlowError: that number is no judgement of theirs that stands; or the run folder cannot be written.
        """
        return self._step("undo", author, number)

    def redo(self, *, author: str) -> Judgement | None:
        """Bring back what `author` took back last, unless they said something since; None where there is nothing."""
        return self._step("redo", author, None)

    def can_undo(self, author: str) -> bool:
        return bool(_stacks(self._lines(), author)[0])

    def can_redo(self, author: str) -> bool:
        return bool(_stacks(self._lines(), author)[1])

    def of_feature(self, feature: int) -> list[Judgement]:
        """What stands about a feature, the newest first: of every author the last word on each subject."""
        return [judgement for judgement in self._standing() if judgement.feature == feature]

    def latest(self, feature: int, group: str | None = None, rule: str | None = None) -> Judgement | None:
        """What to show where a feature appears, or None: the newest of what is said closest to it.

        Closest is the same rule in the same group, then the group, then the feature as such, then the feature elsewhere.
        """
        found = self.of_feature(feature)
        for subject in ((group, rule), (group, None), (None, None)):
            for judgement in found:
                if (judgement.group, judgement.rule) == subject:
                    return judgement
        return found[0] if found else None

    def table(self) -> pd.DataFrame:
        """What stands, the newest first; the columns are the attributes of `Judgement`."""
        return pd.DataFrame(self._standing(), columns=list(Judgement._fields))

    def history(self, feature: int | None = None) -> pd.DataFrame:
        """Everything that was ever said, the oldest first.

        Returns:
            The attributes of `Judgement`, undone (taken back and not brought back), and replaced (by a later word of the same
            author on the same subject).
        """
        lines = self._lines()
        undone = _undone(lines)
        standing = {judgement.number for judgement in self._standing()}
        rows = [
            (*judgement, judgement.number in undone, judgement.number not in undone | standing)
            for judgement in map(self._judgement, filter(_judges, lines))
            if feature is None or judgement.feature == feature
        ]
        return pd.DataFrame(rows, columns=[*Judgement._fields, "undone", "replaced"])

    # --- reading

    @property
    def _features_key(self) -> str:
        return str(self._run.require("extract")["key"])

    def _standing(self) -> list[Judgement]:
        lines = self._lines()
        undone = _undone(lines)
        last: dict[tuple[Any, ...], Judgement] = {}
        for judgement in map(self._judgement, filter(_judges, lines)):
            if judgement.number not in undone:
                subject = (judgement.feature, judgement.group, judgement.rule, judgement.author)
                last.pop(subject, None)
                last[subject] = judgement
        return list(last.values())[::-1]

    def _judgement(self, line: dict[str, Any]) -> Judgement:
        record = self._run.recorded("extract")
        current = record is not None and line["features"] == record["key"]
        return Judgement(**{name: line[name] for name in Judgement._fields if name != "current"}, current=current)

    def _lines(self) -> list[dict[str, Any]]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return []
        stamp = (status.st_mtime_ns, status.st_size)
        if self._read[0] != stamp:
            self._read = (stamp, self._parsed(self.path.read_bytes()))
        return self._read[1]

    def _parsed(self, content: bytes) -> list[dict[str, Any]]:
        whole = content[: content.rfind(b"\n") + 1]  # without a line that is not finished
        found = []
        for number, line in enumerate(whole.split(b"\n")[:-1], 1):
            if not line.strip():
                found.append({"event": "nothing", "author": "", "number": number})
                continue
            try:
                entry = json.loads(line)
                needed = {"at", "author", *(Judgement._fields[3:-1] if entry["event"] == "judge" else ("of",))}
                if entry["event"] not in EVENTS or not needed <= set(entry):
                    raise ValueError("not an entry that barlow writes")
            except (ValueError, KeyError, TypeError) as error:
                raise BarlowError(
                    f"{self.path}, line {number} is damaged ({error}). Mend it, or leave an empty line in its place: lines refer to "
                    "each other by their number."
                ) from error
            found.append(entry | {"number": number})
        return found

    # --- writing

    def _step(self, event: str, author: str, number: int | None) -> Judgement | None:
        with self._writing() as lines:
            done, undone = _stacks(lines, author)
            stack = done if event == "undo" else undone
            if number is not None and number not in stack:
                raise BarlowError(f"Judgement {number} is not one of {author}'s current ones. You can only undo your own.")
            if not stack:
                return None
            chosen = stack[-1] if number is None else number
            self._append(lines, event, author, of=chosen)
        return self._judgement(self._lines()[chosen - 1])

    def _append(self, lines: list[dict[str, Any]], event: str, author: str, **more: Any) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"event": event, "at": at, "author": author.strip(), **more}, ensure_ascii=False) + "\n"
        with self.path.open("ab") as file:
            file.truncate(self._whole_bytes())
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def _whole_bytes(self) -> int:
        return self.path.read_bytes().rfind(b"\n") + 1

    @contextmanager
    def _writing(self) -> Iterator[list[dict[str, Any]]]:
        """Hold the lock of the file; yields its lines."""
        try:
            with FileLock(self.path.with_name(f".{FILE}.lock"), timeout=SECONDS_TO_WAIT):
                yield self._lines()
        except Timeout:
            raise BarlowError(
                f"{self.path} has been locked by another program for {SECONDS_TO_WAIT} seconds. Try again."
            ) from None
        except OSError as error:
            raise BarlowError(
                f"{self.path} cannot be written ({error.strerror or error}), so this judgement is not kept. Expected a run folder "
                "that you may write to, with space on its disk."
            ) from error


def judgement_words(judgement: Judgement) -> str:
    """A judgement in one line: "“orange fur”: spurious; augmentation or masking. Mask the background. (Ada, 2026-11-24)"."""
    parts = [f"\N{LEFT DOUBLE QUOTATION MARK}{judgement.name}\N{RIGHT DOUBLE QUOTATION MARK}"] if judgement.name else []
    said = "; ".join(filter(None, [judgement.verdict, judgement.action]))
    text = ": ".join(filter(None, [*parts, said]))
    text = f"{text}. {judgement.comment}" if text and judgement.comment else text or judgement.comment
    about = "" if judgement.current else "; about earlier features"
    return f"{text} ({judgement.author}, {judgement.at[:10]}{about})"


def _judges(line: dict[str, Any]) -> bool:
    return bool(line["event"] == "judge")


def _undone(lines: list[dict[str, Any]]) -> set[int]:
    """Numbers of the judgements that are taken back."""
    undone: set[int] = set()
    for line in lines:
        if line["event"] == "undo":
            undone.add(line["of"])
        elif line["event"] == "redo":
            undone.discard(line["of"])
    return undone


def _stacks(lines: list[dict[str, Any]], author: str) -> tuple[list[int], list[int]]:
    """Numbers of the judgements of an author that could be taken back, and brought back; the next one last."""
    done: list[int] = []
    undone: list[int] = []
    for line in lines:
        if line["author"] != author.strip():
            continue
        if line["event"] == "judge":
            done.append(line["number"])
            undone.clear()
        else:
            here, there = (done, undone) if line["event"] == "undo" else (undone, done)
            if line["of"] in here:
                here.remove(line["of"])
                there.append(line["of"])
    return done, undone
