"""A small study on disk, with clocks that the test sets; and a study with answers, made once, to analyse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from analysis_study import make_study
from fake_clock import FakeClock

from study.analysis import Analysis, AnalysisOptions, StudyData, load_study
from study.store import StudyStore

ANSWERS = {"short": "striped fur", "long": "black stripes on orange fur", "ease": 4, "confidence": 5, "useful": "B"}


@pytest.fixture
def answers() -> dict[str, Any]:
    return dict(ANSWERS)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_store(tmp_path: Path, clock: FakeClock) -> Iterator[Callable[..., StudyStore]]:
    """Make a study, by default of three items that want two answers each."""
    made: list[StudyStore] = []

    def make(name: str = "study.sqlite", **given: Any) -> StudyStore:
        settings: dict[str, Any] = {"items": ["a", "b", "c"], "answers_per_item": 2, "clock": clock, **given}
        made.append(StudyStore.create(tmp_path / name, **settings))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: Callable[..., StudyStore]) -> StudyStore:
    return make_store()


@pytest.fixture
def open_again(clock: FakeClock) -> Iterator[Callable[..., StudyStore]]:
    """Open the file of a store a second time."""
    opened: list[StudyStore] = []

    def again(store: StudyStore, **given: Any) -> StudyStore:
        opened.append(StudyStore(store.path, clock=clock, **given))
        return opened[-1]

    yield again
    for one in opened:
        one.close()


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
