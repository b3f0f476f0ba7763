"""Figures, tables and text of a study, ready for a paper: on pages, as files, as one document.

from study.report import SECTIONS, section, write_report

preferences = section(analysis, "preferences")
preferences.lead, preferences.figures[0].png()
write_report(analysis, "out/")
"""

from __future__ import annotations

from study.report.parts import Figure, Number, Section, Table
from study.report.results import SECTIONS, results, section

__all__ = ["SECTIONS", "Figure", "Number", "Section", "Table", "results", "section"]
