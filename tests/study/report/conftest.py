"""A study file with answers, made once, and tables of answers that tests write by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from analysis_study import make_study

from study.analysis import Analysis, AnalysisOptions, StudyData, load_study


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 items, 24 simulated workers, two of them sloppy, attention checks; item 0 has pictures. Only to be read."""
    return make_study(tmp_path_factory.mktemp("study") / "study.sqlite", pictures=(0,))


@pytest.fixture(scope="session")
def data(study_file: Path) -> StudyData:
    return load_study(study_file)


@pytest.fixture(scope="session")
def analysis(data: StudyData) -> Analysis:
    return Analysis(data, options=AnalysisOptions(replicates=200))
