"""The sections of a study's results, a module each, in the order of pages and documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from barlow_core.errors import BarlowError
from study.analysis import Analysis, StudyData
from study.report.elements import Section
from study.report.sections import (
    agreement,
    conditions,
    core_or_spurious,
    differences,
    likert,
    mitigation,
    names,
    overview,
    practitioners,
    preferences,
    quality,
    reliability,
    understanding,
)
from study.report.wording import few_clusters
from study.statistics.condition_effects import conditions_of

_MODULES = {
    "overview": overview,
    "likert": likert,
    "preferences": preferences,
    "agreement": agreement,
    "reliability": reliability,
    "quality": quality,
    "differences": differences,
    "names": names,
    "understanding": understanding,
}
# Those with intervals that resample items or workers.
_RESAMPLED = ("core_or_spurious", "likert", "preferences", "agreement", "reliability", "quality", "differences", "conditions")
SECTIONS = {name: module.TITLE for name, module in _MODULES.items()}
# Of studies with interviews only.
_OF_INTERVIEWS = {"practitioners": practitioners, "mitigation": mitigation}
INTERVIEW_SECTIONS = {name: module.TITLE for name, module in _OF_INTERVIEWS.items()}
# Of studies with conditions only.
_OF_CONDITIONS = {"conditions": conditions}
CONDITION_SECTIONS = {name: module.TITLE for name, module in _OF_CONDITIONS.items()}


def sections_of(study: StudyData) -> dict[str, str]:
    """The sections that a study has, by name with their titles, in order."""
    if study.asks is not None:
        return {"overview": overview.TITLE, "core_or_spurious": core_or_spurious.TITLES[study.asks], "quality": quality.TITLE}
    whole = study.whole or study
    compared = CONDITION_SECTIONS if len(conditions_of(whole.answers)) > 1 or whole.extractors else {}
    return SECTIONS | compared | ({} if study.interviews is None else INTERVIEW_SECTIONS)


def section(analysis: Analysis, name: str) -> Section:
    """One section: its text, numbers, figures and tables, as plain data.

    Raises:
        BarlowError: there is no such section.
    """
    there = sections_of(analysis.study)
    if name not in there:
        raise BarlowError(f"No section is called {name!r}. Expected one of: {', '.join(there)}.")
    made: Section = (_MODULES | _OF_CONDITIONS | _OF_INTERVIEWS | {"core_or_spurious": core_or_spurious})[name].make(analysis)
    limit = few_clusters(analysis) if name in _RESAMPLED else None
    return replace(made, notes=(*made.notes, limit)) if limit else made


def all_sections(analysis: Analysis) -> Iterator[Section]:
    """All sections in order, each made when it is asked for."""
    for name in sections_of(analysis.study):
        yield section(analysis, name)
