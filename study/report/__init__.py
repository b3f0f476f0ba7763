"""Figures, tables and text of a study, ready for a paper: on pages, as files, as one document.

from study.report import SECTIONS, section, write_report

preferences = section(analysis, "preferences")
preferences.lead, preferences.figures[0].png()
write_report(analysis, "out/")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from barlow_core.lazy import attach
from study.report.elements import Figure, Number, Section, Table
from study.report.sections import INTERVIEW_SECTIONS, SECTIONS, all_sections, section, sections_of

if TYPE_CHECKING:
    from study.report.html import report_html
    from study.report.pdf import report_pdf
    from study.report.writing import archive, items_csv, report_files, write_report

__all__ = [
    "INTERVIEW_SECTIONS",
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
    "sections_of",
    "write_report",
]

# A page that shows a section does without what lays out documents.
__getattr__ = attach(
    __name__,
    {
        "html": ["report_html"],
        "pdf": ["report_pdf"],
        "writing": ["archive", "items_csv", "report_files", "write_report"],
    },
)
