"""Which features people marked as core or spurious: in judgements of researchers, and in a file of marks.

The file feature_marks.csv in the run folder, or one that is named, has a row a feature: group (a key; empty for everywhere), feature,
mark (core or spurious). A study of people (`barlow study analyze STUDY --marks-to RUN`) also writes how many of them said so.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.storage.files import atomic_write
from barlow_core.views.judgements import Judgements

FILE = "feature_marks.csv"
COLUMNS = ("group", "feature", "mark")
# What a study adds: who said so in the first round, who confirmed it in the second (empty before), and whether nobody did but a simulation.
OF_STUDY = ("support", "n", "confirmed_by", "asked_again", "simulated")
OF_VERDICT = {"necessary": "core", "spurious": "spurious"}  # "unsure" marks nothing
Marks = dict[tuple[str | None, int], str]


class FeatureMark(NamedTuple):
    """What people in a study said of a feature.

    Attributes:
        mark: "core" or "spurious".
        support: of `n` people.
        confirmed_by: of the `asked_again` people who saw the feature on further images; None before they did.
        simulated: nobody said it: it comes from simulated answers.
    """

    mark: str
    support: int
    n: int
    confirmed_by: int | None = None
    asked_again: int | None = None
    simulated: bool = False

    @property
    def words(self) -> str:
        """ "core (4 of 5 workers, confirmed by 5 of 5)" """
        again = "" if self.confirmed_by is None else f", confirmed by {self.confirmed_by:,} of {self.asked_again:,}"
        return f"{self.mark} ({self.support:,} of {self.n:,} {'simulated workers' if self.simulated else 'workers'}{again})"


def write_marks(run: str | Path, marks: pd.DataFrame) -> Path:
    """Put the marks of a study into a run folder, in place of those of a study that it has.

    Args:
        marks: a table of `COLUMNS` and `OF_STUDY`.

    Raises:
        BarlowError: the folder is no run; it has marks that no study wrote.
    """
    folder = Path(run)
    path = folder / FILE
    if not (folder / "run.json").is_file():
        raise BarlowError(f"{folder} is not a run folder (it has no run.json). Name the run that the study's items come from.")
    if path.is_file() and not set(OF_STUDY) <= set(_table(path)):
        raise BarlowError(
            f"{path} was not written by a study, and would be lost. Move it away; barlow rely takes it with --marks."
        )
    with atomic_write(path) as temporary:
        marks[[*COLUMNS, *OF_STUDY]].to_csv(temporary, index=False, lineterminator="\n")
    return path


def study_marks(run: str | Path) -> dict[tuple[str, int], FeatureMark]:
    """What a study marked in a run folder, by (key of the group, feature); nothing where no study did.

    Raises:
        BarlowError: the file cannot be read, or has values that a study does not write.
    """
    path = Path(run) / FILE
    if not path.is_file() or not set(OF_STUDY) <= set(_table(path)):
        return {}
    marks, found = _read(path), {}
    for number, row in enumerate(_table(path).to_dict("records"), 2):
        counts = [str(row[name]).strip() for name in OF_STUDY[:4]]
        simulated = str(row["simulated"]).strip().lower()
        if not all(one.isdigit() for one in counts[:2]) or not all(one.isdigit() or not one for one in counts[2:]):
            raise BarlowError(f"{path}, line {number}: found {', '.join(counts)}. Expected how many people said so, of how many.")
        if simulated not in ("true", "false"):
            raise BarlowError(f"{path}, line {number}: simulated is {simulated!r}. Expected True or False.")
        place = str(row["group"]).strip(), int(row["feature"])
        confirmed, asked = (int(one) if one else None for one in counts[2:])
        found[place] = FeatureMark(marks[place], int(counts[0]), int(counts[1]), confirmed, asked, simulated == "true")
    return found


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


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"group": "string"}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise BarlowError(f"{path} cannot be read ({error}). Expected a CSV with the columns {', '.join(COLUMNS)}.") from error


def _read(path: Path) -> Marks:
    table = _table(path)
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
