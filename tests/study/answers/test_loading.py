from __future__ import annotations

from pathlib import Path

import pytest
from analysis_study import make_study

from barlow_core.errors import BarlowError
from study.answers.loading import is_table, load_study, study_state


def test_a_study_or_a_csv_by_content(tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("item,worker,ease\na,w,4\n", encoding="utf-8")
    assert load_study(path).name == "batch.csv"
    first = study_state(path)
    path.write_text("item,worker,ease\na,w,4\nb,w,3\n", encoding="utf-8")
    assert study_state(path) != first
    for missing in (tmp_path / "none.csv", tmp_path):
        for function in (load_study, study_state, is_table):
            with pytest.raises(BarlowError, match="No study found"):
                function(missing)
    study = make_study(tmp_path / "study.sqlite", n_answers=1)
    assert (is_table(path), is_table(study), is_table(tmp_path)) == (True, False, False)
    assert load_study(tmp_path).digest == load_study(study).digest
    with pytest.raises(BarlowError, match=r"is a study file.* Leave the columns"):
        load_study(study, {"ease": "q3"})
