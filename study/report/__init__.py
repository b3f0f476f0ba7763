"""Figures, tables and text of a study, ready for a paper: on pages, as files, as one document.

from study.report import SECTIONS, section, write_report

preferences = section(analysis, "preferences")
preferences.lead, preferences.figures[0].png()
write_report(analysis, "out/")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from study.report.elements import Figure, Number, Section, Table
from study.report.sections import SECTIONS, all_sections, section

if TYPE_CHECKING:
    from study.report.html import report_html
    from study.report.pdf import report_pdf
    from study.report.writing import archive, items_csv, report_files, write_report

__all__ = [
    "SECTIONS",
    "Figure",
    "Number",
    "Section",
    "Table",
    "all_sections",
    "archive",
    "items_csv",
    "report_files",
    "report_html",
    "report_pdf",
    "section",
    "write_report",
]

# Looked up on first use: a page that shows a section does without what lays out documents.
_LATER = {
    "archive": "writing",
    "items_csv": "writing",
    "report_files": "writing",
    "report_html": "html",
    "report_pdf": "pdf",
    "write_report": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
