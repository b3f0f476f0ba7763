from __future__ import annotations

from pathlib import Path

import pytest
from analysis_study import make_study

from barlow_core.errors import BarlowError
from study.answers.opening import answers_state, is_table, open_study


def test_a_study_or_a_csv_by_content(tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("item,worker,ease\na,w,4\n", encoding="utf-8")
    assert open_study(path).name == "batch.csv"
    first = answers_state(path)
    path.write_text("item,worker,ease\na,w,4\nb,w,3\n", encoding="utf-8")
    assert answers_state(path) != first
    for missing in (tmp_path / "none.csv", tmp_path):
        for function in (open_study, answers_state, is_table):
            with pytest.raises(BarlowError, match="There is no study"):
                function(missing)
    study = make_study(tmp_path / "study.sqlite", n_answers=1)
    assert (is_table(path), is_table(study), is_table(tmp_path)) == (True, False, False)
    assert open_study(tmp_path).digest == open_study(study).digest
    with pytest.raises(BarlowError, match=r"is a study file.* Leave the columns"):
        open_study(study, {"ease": "q3"})
