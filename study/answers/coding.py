"""Free texts of interviews on their way to a coder and back: a CSV with an empty column `codes`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from barlow_core.errors import BarlowError
from study.store import StudyStore
from study.store.export import write_table
from study.store.interviews.frames import InterviewTables
from study.store.interviews.people import number_of

COLUMNS = ["what", "participant", "grouping", "feature", "text", "choices", "codes"]
SEPARATOR = ";"


def texts_to_code(found: InterviewTables) -> pd.DataFrame:
    """What can be coded: `what` ("actions", "difficulties"), `participant`, `grouping`, `feature` (-1 for a grouping), `text`."""
    rows = [("actions", row["participant"], row["grouping"], -1, row["text"]) for row in found.actions.to_dict("records")]
    rows += [
        ("difficulties", row["participant"], row["grouping"], int(row["feature"]), row["difficulty"])
        for row in found.features.to_dict("records")
    ]
    kept = [row for row in rows if isinstance(row[4], str) and row[4].strip()]
    return pd.DataFrame(kept, columns=COLUMNS[:5])


def write_texts(store: StudyStore, path: Path) -> int:
    """Write the texts with the values that `codes` may have; how many there are.

    Raises:
        BarlowError: there are no interviews or no texts; the file exists or cannot be written.
    """
    found = store.interviews.require_tables()
    if path.exists():
        raise BarlowError(f"{path} exists already. Choose another name: somebody's codes may be in it.")
    table = texts_to_code(found)
    if table.empty:
        raise BarlowError("No participant has written a text that could be coded yet.")
    choices = {
        what: f"{SEPARATOR} ".join(value for value, _ in getattr(found.protocol, what)) for what in ("actions", "difficulties")
    }
    try:
        write_table(path, table.assign(choices=table["what"].map(choices), codes=""), "csv")
    except OSError as error:
        raise BarlowError(f"{path} cannot be written ({error.strerror or error}). Choose another place.") from error
    return len(table)


def read_codes(store: StudyStore, path: Path, coder: str) -> int:
    """Keep what a coder filled in, all of it or nothing; how many texts those are. Rows whose `codes` are empty are left out.

    Raises:
        BarlowError: the file cannot be read or lacks a column; a row names a text or a code that there is not.
    """
    found = store.interviews.require_tables()
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeError) as error:
        raise BarlowError(
            f"{path} cannot be read as a table of codes ({error}). Expected the CSV that --out wrote, filled in."
        ) from None
    if missing := [column for column in COLUMNS if column not in table and column not in ("text", "choices")]:
        raise BarlowError(
            f"{path} has no column {', '.join(missing)}. Expected the CSV that --out wrote, with the column codes filled in."
        )
    there = {tuple(row) for row in texts_to_code(found)[COLUMNS[:4]].itertuples(index=False)}
    rows = []
    for number, row in enumerate(table.to_dict("records"), 2):
        codes = [code.strip() for code in str(row["codes"]).split(SEPARATOR) if code.strip()]
        if not codes:
            continue
        place = f"{path}, line {number}"
        feature = int(row["feature"]) if str(row["feature"]).strip().lstrip("-").isdecimal() else -1
        # What a spreadsheet would take for a formula was written with an apostrophe in front.
        grouping = str(row["grouping"]).removeprefix("'")
        if (row["what"], row["participant"], grouping, feature) not in there:
            raise BarlowError(
                f"{place}: {row['participant']} wrote no text about {row['what']} of {grouping}. Leave these columns as --out wrote them."
            )
        possible = [value for value, _ in getattr(found.protocol, str(row["what"]))]
        if wrong := [code for code in codes if code not in possible]:
            raise BarlowError(f"{place}: {wrong[0]!r} is none of the codes {', '.join(possible)}.")
        rows.append((str(row["what"]), number_of(str(row["participant"])), grouping, feature, codes))
    if not rows:
        raise BarlowError(f"{path}: the column codes is empty in every row. Fill in values, separated by semicolons.")
    store.interviews.code_all(rows, coder=coder)
    return len(rows)
