"""Which column of a table of answers stands for what: guessed by its name (`guess_mapping`) or said (`parse_mapping`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from barlow_core import intake
from barlow_core.errors import BarlowError
from barlow_core.intake.columns import columns_text, parse_columns, plain
from barlow_core.intake.table import different_names

# What a column of the file can stand for.
MAPPABLE = {
    "item": "id of the visualization; needed",
    "worker": "id of the worker; needed",
    "short": "short description (question 1)",
    "long": "long description (question 2)",
    "ease": "ease of understanding, 1 to 5 (question 3)",
    "confidence": "confidence, 1 to 5 (question 4)",
    "useful": "most useful section: B, C, both or none (question 5)",
    "condition": "in which way the item was shown, where that is compared",
    "pair": "what items of different conditions have in common",
    "grouping": "label or prediction",
    "class_name": "class of the group",
    "group": "grouping and class as one, such as label:tiger",
    "tier": "error tier of the class: top, middle or bottom",
    "feature": "index of the feature, a whole number from 0",
    "rank": "rank of the feature in its group, a whole number from 0",
    "mutual_information": "of the feature with failure, nats, not negative",
    "ber": "error rate of the class, 0 to 1",
    "activation": "mean activation of the images shown",
    "salience": "salience of the heatmaps",
    "platform": "where the worker came from",
    "seconds": "time on task, not negative",
    "submitted_at": "when it was sent, in UTC where it names no zone",
    "simulated": "whether the answer is not a person's: true or false",
    "state": "whether the platform's answer counts; rejected ones are left out and counted",
}
NEEDED = ("item", "worker")
# Names of columns, without punctuation and in lower case, by what they stand for; the first that the file has is taken.
_KNOWN = {
    "item": (
        "item",
        "itemid",
        "hitid",
        "inputitem",
        "inputid",
        "visualization",
        "inputvisualization",
        "inputimage",
        "inputimageurl",
    ),
    "worker": ("worker", "workerid", "participantid", "prolificpid", "participant"),
    "short": ("short", "shortdescription", "description", "q1", "question1"),
    "long": ("long", "longdescription", "q2", "question2"),
    "ease": ("ease", "easeofunderstanding", "q3", "question3"),
    "confidence": ("confidence", "q4", "question4"),
    "useful": ("useful", "mostuseful", "preference", "preferred", "q5", "question5"),
    "condition": ("condition",),
    "pair": ("pair",),
    "grouping": ("grouping",),
    "class_name": ("classname", "class"),
    "group": ("group",),
    "tier": ("tier", "errortier"),
    "feature": ("feature", "featureindex", "featureid"),
    "rank": ("rank",),
    "mutual_information": ("mutualinformation",),
    "ber": ("ber", "baseerrorrate", "errorrate"),
    "activation": ("activation",),
    "salience": ("salience",),
    "platform": ("platform",),
    "seconds": ("seconds", "worktimeinseconds", "timetaken", "duration"),
    "submitted_at": ("submittedat", "submittime", "submissiontime", "completedat"),
    "simulated": ("simulated",),
    "state": ("state", "assignmentstatus", "status"),
}
EXPECTED = "a CSV of answers (or Parquet, or JSON lines), one per row"
_PREFIXES = ("answer", "input")


@dataclass(frozen=True)
class Header:
    """The columns of a CSV, and a few rows to recognise them by.

    Attributes:
        columns: names in order.
        rows: the first rows, as text by column.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]


def read_header(path: str | Path, *, n_rows: int = 5) -> Header:
    """The columns of a CSV and its first rows.

    Raises:
        BarlowError: there is no such file, or it is no table.
    """
    header, rows = intake.read_header(path, n_rows=n_rows, expected=EXPECTED)
    columns = different_names(header, str(path))
    return Header(columns, tuple(dict(zip(columns, row, strict=True)) for row in rows))


def guess_mapping(path: str | Path) -> dict[str, str]:
    """Which columns of a CSV stand for what, by their names: {"item": "HITId", "worker": "WorkerId", "short": "Answer.short"}.

    Names count without regard to case and punctuation; "Answer." and "Input." may stand before them, as Mechanical Turk puts them.

    Raises:
        BarlowError: there is no such file, or it is no table.
    """
    columns = read_header(path, n_rows=1).columns
    by_form: dict[str, str] = {}
    for column in columns:
        name = plain(column)
        for form in (name, *(name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix))):
            by_form.setdefault(form, column)
    found: dict[str, str] = {}
    for what, names in _KNOWN.items():
        known = next((by_form[name] for name in names if name in by_form), None)
        if known is not None and known not in found.values():
            found[what] = known
    return found


def complete_mapping(path: str | Path, named: Mapping[str, str]) -> dict[str, str]:
    """What a person said of the columns of a CSV, and for the rest what their names say.

    Args:
        named: see `parse_mapping`; "" for a column: nothing of the file stands for that.

    Raises:
        BarlowError: there is no such file, or it is no table.
    """
    guessed = {what: column for what, column in guess_mapping(path).items() if column not in named.values()}
    found = guessed | dict(named)
    return {what: found[what] for what in MAPPABLE if found.get(what)}


def parse_mapping(text: str | Path) -> dict[str, str]:
    """A mapping that a person typed, "item=HITId,worker=WorkerId,ease=Answer.q3", or JSON, or the JSON file that holds it.

    "tier=", without a column, says that no column stands for the tier, whatever its name.

    Raises:
        BarlowError: it is no mapping, or maps to something that an answer does not have.
    """
    mapping = parse_columns(text, "item=HITId,worker=WorkerId,ease=Answer.q3")
    check_names(mapping)
    if needed := [what for what in NEEDED if mapping.get(what) == ""]:
        raise BarlowError(
            f"{needed[0] + '='!r} is not a mapping, and an answer needs its {needed[0]}. Say which: {needed[0]}=COLUMN"
        )
    return mapping


def mapping_text(mapping: Mapping[str, str], usual: Mapping[str, str]) -> str:
    """What `parse_mapping` makes `mapping` of where `usual` is the mapping without it; "" where the two are the same."""
    if dict(mapping) == dict(usual):
        return ""
    said = {what: mapping.get(what, "") for what in MAPPABLE if what in mapping or what in usual}
    return columns_text(said)


def check_names(mapping: Mapping[str, str]) -> None:
    """Raise BarlowError for a name that is none of `MAPPABLE`."""
    if unknown := [what for what in mapping if what not in MAPPABLE]:
        raise BarlowError(f"An answer has no {unknown[0]!r}. A column can stand for: {', '.join(MAPPABLE)}.")
