"""Any study to analyse, by where it is: a study file, the run folder that holds one, or a CSV of answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from barlow_core.errors import BarlowError
from study.answers.data import StudyData
from study.answers.importing import import_answers
from study.answers.loading import load_study, study_state


def open_study(path: str | Path, mapping: Mapping[str, str] | None = None) -> StudyData:
    """A study file, or a CSV of answers, told by its content; a run folder stands for its study.sqlite.

    Args:
        mapping: for a CSV, see `study.answers.importing.import_answers`.

    Raises:
        BarlowError: it is neither; a mapping for a study file, whose columns are known.
    """
    file = _file(path)
    if not _is_sqlite(file):
        return import_answers(file, mapping)
    if mapping:
        raise BarlowError(f"{file} is a study file, so it is known what its columns are. Leave the columns (--columns) out.")
    return load_study(file)


def is_table(path: str | Path) -> bool:
    """Whether this is a CSV of answers, and no study file.

    Raises:
        BarlowError: there is no such file.
    """
    return not _is_sqlite(_file(path))


def answers_state(path: str | Path) -> str:
    """A short text that is another one when the answers of a study file or a CSV may have changed.

    Raises:
        BarlowError: there is no such file.
    """
    file = _file(path)
    if _is_sqlite(file):
        return study_state(file)
    status = file.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def _file(path: str | Path) -> Path:
    file = Path(path)
    file = file / "study.sqlite" if file.is_dir() else file
    if not file.is_file():
        raise BarlowError(
            f"There is no study {str(file)!r}. Give a study file, a run folder that holds study.sqlite, or a CSV of answers."
        )
    return file


def _is_sqlite(file: Path) -> bool:
    with open(file, "rb") as stream:
        return stream.read(16).startswith(b"SQLite format 3") or file.suffix.lower() in (".sqlite", ".db")
