"""What crowd workers said of features: their names, out of the study file of a run and those that `barlow study analyze --names-to` put there;
and which are core or spurious (`--marks-to`)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.views import feature_names, marks
from barlow_core.views.feature_names import FeatureName
from barlow_core.views.marks import FeatureMark

STUDY = "study.sqlite"


class Crowd(NamedTuple):
    """Names and marks by (group, feature), and why there are none where a file cannot be read."""

    names: dict[tuple[str, int], FeatureName]
    marks: dict[tuple[str, int], FeatureMark]
    problem: str | None = None


def study_stamp(run: Run) -> int:
    """A number that changes when an answer or a table of names or marks comes in; 0 without any. SQLite writes to the log beside the file first."""
    times = []
    for name in (STUDY, f"{STUDY}-wal", feature_names.FILE, marks.FILE):
        try:
            times.append((run.path / name).stat().st_mtime_ns)
        except OSError:
            continue
    return sum(times)


def crowd(run: Run) -> Crowd:
    """The names and marks that the run holds."""
    stamp = study_stamp(run)
    return _crowd(str(run.path), stamp) if stamp else Crowd({}, {})


@st.cache_resource(max_entries=4, show_spinner="Reading what people called the features …")
def _crowd(path: str, stamp: int) -> Crowd:
    names: dict[tuple[str, int], FeatureName] = {}
    problems = []
    # The study of the run itself comes last: where both name a feature, it is the newer one.
    for read in (feature_names.read_names, _names_of_study):
        try:
            names |= read(path)
        except BarlowError as error:
            problems.append(str(error))
    try:
        marked = marks.study_marks(path)
    except BarlowError as error:
        marked = {}
        problems.append(str(error))
    return Crowd(names, marked, " ".join(problems) or None)


def _names_of_study(run: str) -> dict[tuple[str, int], FeatureName]:
    file = Path(run) / STUDY
    if not file.is_file():
        return {}
    # What analyses a study takes seconds to load, and memory that a run without a study does not need.
    from study.analysis import Analysis, load_study

    return feature_names.names_from(Analysis(load_study(file)).names_for_run)
