"""Which features people marked as core or spurious: in judgements of researchers, and in a file of marks.

The file feature_marks.csv in the run folder, or one that is named, has a row a feature: group (a key; empty for everywhere), feature,
mark (core or spurious).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.views.judgements import Judgements

FILE = "feature_marks.csv"
COLUMNS = ("group", "feature", "mark")
OF_VERDICT = {"necessary": "core", "spurious": "spurious"}  # "unsure" marks nothing
Marks = dict[tuple[str | None, int], str]


def read_marks(run: Run, file: Path | None = None) -> Marks:
    """(key of a group, or None for everywhere, feature) -> "core" or "spurious".

    Judgements count one vote an author, about the features that the run has now; a tie marks nothing. Where a file says something about
    the same feature in the same group, it has the last word.

    Args:
        file: instead of the run's own.

    Raises:
        BarlowError: the file is missing or has other columns or values.
    """
    votes: dict[tuple[str | None, int], Counter[str]] = {}
    for row in Judgements(run).table().to_dict("records"):
        if row["current"] and row["verdict"] in OF_VERDICT:
            votes.setdefault((row["group"], int(row["feature"])), Counter())[OF_VERDICT[row["verdict"]]] += 1
    marks: Marks = {}
    for place, counted in votes.items():
        (mark, most), *others = counted.most_common()
        if not others or others[0][1] < most:
            marks[place] = mark
    path = file or run.path / FILE
    return marks | _read(path) if file is not None or path.is_file() else marks


def _read(path: Path) -> Marks:
    try:
        table = pd.read_csv(path, dtype={"group": "string"}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise BarlowError(f"{path} cannot be read ({error}). Expected a CSV with the columns {', '.join(COLUMNS)}.") from error
    if missing := set(COLUMNS) - set(table):
        raise BarlowError(f"{path} has no column {', '.join(sorted(missing))}. Expected the columns {', '.join(COLUMNS)}.")
    marks: Marks = {}
    for number, row in enumerate(table.to_dict("records"), 2):
        text = str(row["feature"]).strip()
        if not text.isdigit() or row["mark"] not in OF_VERDICT.values():
            raise BarlowError(
                f"{path}, line {number}: feature {text!r} is marked {row['mark']!r}. Expected the index of a feature, and core or spurious."
            )
        marks[str(row["group"]).strip() or None, int(text)] = str(row["mark"])
    return marks
