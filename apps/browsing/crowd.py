"""Names that crowd workers gave to features, out of the study file of a run, where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import streamlit as st

from barlow_core.errors import BarlowError
from barlow_core.run import Run

STUDY = "study.sqlite"


class CrowdName(NamedTuple):
    """What people called a feature in a group: `support` of `n` descriptions share a word with the name."""

    name: str
    support: int
    n: int
    simulated: bool


class Crowd(NamedTuple):
    """The names by (group, feature), and why there are none where a study file cannot be read."""

    names: dict[tuple[str, int], CrowdName]
    problem: str | None = None


def study_stamp(run: Run) -> int:
    """A number that changes when an answer comes in; 0 without a study file. SQLite writes to the log beside the file first."""
    times = []
    for name in (STUDY, f"{STUDY}-wal"):
        try:
            times.append((run.path / name).stat().st_mtime_ns)
        except OSError:
            continue
    return max(times, default=0)


def crowd(run: Run) -> Crowd:
    """The names that the study file of the run holds."""
    stamp = study_stamp(run)
    return _crowd(str(run.path / STUDY), stamp) if stamp else Crowd({})


@st.cache_resource(max_entries=4, show_spinner="Reading what people called the features …")
def _crowd(path: str, stamp: int) -> Crowd:
    try:
        return Crowd(_names(Path(path)))
    except BarlowError as error:
        return Crowd({}, str(error))


def _names(path: Path) -> dict[tuple[str, int], CrowdName]:
    # Word vectors take seconds and memory that a run without a study does not need.
    from study.agreement import load_vectors, words_needed
    from study.names import FOR_NAMES, feature_names
    from study.store import StudyStore

    with StudyStore(path) as store:
        answers = store.answers()
    if answers.empty or not {"feature", "group"} <= set(answers.columns):
        return {}
    answers = answers[answers["feature"].notna() & answers["group"].notna()]
    names = feature_names(answers, load_vectors(words=words_needed(answers, wording=FOR_NAMES)))
    items = answers.groupby("item", sort=False).agg(
        group=("group", "first"), feature=("feature", "first"), simulated=("simulated", "any")
    )
    table = names.join(items)
    table = table[table["name"].notna()]
    columns = (table[column] for column in ("group", "feature", "name", "support", "n", "simulated"))
    return {
        (str(group), int(feature)): CrowdName(str(name), int(support), int(n), bool(simulated))
        for group, feature, name, support, n, simulated in zip(*columns, strict=True)
    }
