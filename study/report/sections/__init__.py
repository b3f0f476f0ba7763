"""The sections of a study's results, a module each, in the order of pages and documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from barlow_core.errors import BarlowError
from study.analysis import Analysis
from study.report.elements import Section
from study.report.sections import (
    agreement,
    differences,
    likert,
    names,
    overview,
    preferences,
    quality,
    reliability,
    understanding,
)
from study.report.wording import few_clusters

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
_RESAMPLED = ("likert", "preferences", "agreement", "reliability", "quality", "differences")
SECTIONS = {name: module.TITLE for name, module in _MODULES.items()}


def section(analysis: Analysis, name: str) -> Section:
    """One section: its text, numbers, figures and tables, as plain data.

    Raises:
        BarlowError: there is no such section.
    """
    if name not in _MODULES:
        raise BarlowError(f"No section is called {name!r}. Expected one of: {', '.join(_MODULES)}.")
    made: Section = _MODULES[name].make(analysis)
    limit = few_clusters(analysis) if name in _RESAMPLED else None
    return replace(made, notes=(*made.notes, limit)) if limit else made


def all_sections(analysis: Analysis) -> Iterator[Section]:
    """All sections in order, each made when it is asked for."""
    for name in _MODULES:
        yield section(analysis, name)
