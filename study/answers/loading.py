"""A study to analyse, by where it is: a study file, the run folder that holds one, or a CSV of answers.

A study file gives one consistent moment; it is read without writing, also while people answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from study.answers.importing import import_answers
from study.answers.study_data import StudyData, lean
from study.answers.table import ATTRIBUTES, QUESTIONS, RATINGS
from study.core_or_spurious import deciding
from study.store import StudyStore


def load_study(path: str | Path, mapping: Mapping[str, str] | None = None, missing: Collection[str] | None = None) -> StudyData:
    """A study file as it is at this moment, or a CSV of answers, told by its content. Workers of a study file go by their pseudonyms.

    Args:
        path: a file, or a run folder, which stands for its study.sqlite.
        mapping, missing: for a CSV, see `study.answers.importing.import_answers`.

    Raises:
        BarlowError: it is neither, or cannot be read; a mapping for a study file, whose columns are known.
    """
    file = _file(path)
    if not _is_sqlite(file):
        return import_answers(file, mapping, missing=missing)
    if mapping:
        raise BarlowError(f"{file} is a study file, so it is known what its columns are. Leave the columns (--columns) out.")
    if missing is not None:
        raise BarlowError(f"{file} is a study file, so it is known which values are missing. Leave --missing out.")
    return _from_store(file)


def study_state(path: str | Path) -> str:
    """A short text that is another one as soon as an answer came in, was changed, or stopped counting; of a CSV, when the file changed.

    Raises:
        BarlowError: there is no study, or it cannot be read.
    """
    file = _file(path)
    if _is_sqlite(file):
        with StudyStore(file) as store:
            return store.fingerprint()
    status = file.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def is_table(path: str | Path) -> bool:
    """Whether this is a CSV of answers, and no study file.

    Raises:
        BarlowError: there is no such file.
    """
    return not _is_sqlite(_file(path))


def _file(path: str | Path) -> Path:
    file = Path(path)
    file = file / "study.sqlite" if file.is_dir() else file
    if not file.is_file():
        raise BarlowError(
            f"No study found at {str(file)!r}. Give a study file, a run folder that holds study.sqlite, or a CSV of answers."
        )
    return file


def _is_sqlite(file: Path) -> bool:
    with open(file, "rb") as stream:
        return stream.read(16).startswith(b"SQLite format 3") or file.suffix.lower() in (".sqlite", ".db")


def _from_store(path: Path) -> StudyData:
    with StudyStore(path) as store:
        asks = deciding(store.settings.questionnaire)
        found = store.snapshot(QUESTIONS if asks is None else (*QUESTIONS, asks, "reason"))
    settings = found.settings
    answers = _with_all_questions(found.answers)
    places = found.items.index.get_indexer(pd.Index(answers["item"]))
    for name in ATTRIBUTES:
        if name in found.items:
            answers[name] = _of_answers(found.items[name], places)
    return StudyData(
        name=path.name,
        answers=lean(answers),
        items=found.items,
        workers=found.workers,
        checks=found.checks,
        states=found.states,
        title=settings.title,
        source=f"Study file {path.name}.",
        path=path,
        pay_per_item=settings.pay,
        paid=found.paid,
        currency=settings.currency,
        answers_per_item=settings.answers_per_item,
        extractor=settings.provenance.get("extractor", {}).get("fingerprint"),
        extractors={name: about["extractor"]["fingerprint"] for name, about in settings.provenance.get("conditions", {}).items()},
        interviews=found.interviews,
        asks=asks,
        notes=tuple(
            f"The study did not ask for {question!r}; what needs it is left out."
            for question in QUESTIONS
            if question not in settings.questionnaire.ids and asks is None
        ),
    )


def _with_all_questions(answers: pd.DataFrame) -> pd.DataFrame:
    for question in QUESTIONS:
        if question not in answers:
            answers[question] = pd.Series([None] * len(answers), dtype="float64" if question in RATINGS else object)
    return answers


def _of_answers(column: pd.Series, places: np.ndarray) -> np.ndarray | pd.Categorical:
    """What is known of items, for each of their answers; texts as categories, so that none is held twice."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)[places]
    codes, values = pd.factorize(column)
    return pd.Categorical.from_codes(codes[places], categories=pd.Index(values).astype(str))
