"""Marks of a study in a run: written, read back, and never over a file that somebody made."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from barlow_core.views.marks import COLUMNS, FILE, OF_STUDY, FeatureMark, study_marks, write_marks

TABLE = pd.DataFrame(
    [("label:cat", 3, "core", 4, 5, pd.NA, pd.NA, False), ("label:dog", 7, "spurious", 5, 5, 3, 5, True)],
    columns=[*COLUMNS, *OF_STUDY],
).astype({"confirmed_by": "Int64", "asked_again": "Int64"})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text("{}")
    return tmp_path


def test_what_is_written_is_read_back_and_replaced_by_the_next(run: Path) -> None:
    assert study_marks(run) == {}
    assert write_marks(run, TABLE) == run / FILE
    found = study_marks(run)
    assert found == {
        ("label:cat", 3): FeatureMark("core", 4, 5),
        ("label:dog", 7): FeatureMark("spurious", 5, 5, 3, 5, simulated=True),
    }
    assert [mark.words for mark in found.values()] == [
        "core (4 of 5 workers)",
        "spurious (5 of 5 simulated workers, confirmed by 3 of 5)",
    ]
    write_marks(run, TABLE.head(1))
    assert list(study_marks(run)) == [("label:cat", 3)]


def test_a_file_that_no_study_wrote_stays(run: Path) -> None:
    (run / FILE).write_text("group,feature,mark\nlabel:cat,3,core\n")
    assert study_marks(run) == {}
    with pytest.raises(BarlowError, match="was not written by a study"):
        write_marks(run, TABLE)
    with pytest.raises(BarlowError, match="is not a run folder"):
        write_marks(run / "elsewhere", TABLE)


@pytest.mark.parametrize(("change", "said"), [("4,5,,,False", "x,5,,,False"), ("4,5,,,False", "4,5,,,perhaps")])
def test_a_damaged_value_is_named_with_its_line(run: Path, change: str, said: str) -> None:
    write_marks(run, TABLE)
    (run / FILE).write_text((run / FILE).read_text().replace(change, said))
    with pytest.raises(BarlowError, match=rf"{FILE}, line 2: "):
        study_marks(run)
