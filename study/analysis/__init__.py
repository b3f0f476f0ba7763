"""Everything that a study says, from its file to text, figures and tables.

from study.analysis import Analysis, Filters, load_study

analysis = Analysis(load_study("runs/mine/study.sqlite"), filters=Filters(groupings=("label",), checks="passed"))
analysis.n_text, analysis.above["ease", "confidence"], analysis.preferences, analysis.names
"""

from __future__ import annotations

from study.analysis.analysis import Analysis
from study.analysis.item_view import ItemView, WorkerView, further_pictures, item_panel
from study.analysis.options import AnalysisOptions
from study.answers.filters import Filters
from study.answers.loading import load_study, study_state
from study.answers.study_data import StudyData
from study.answers.table import ATTRIBUTES
from study.tiers import TIERS

__all__ = [
    "ATTRIBUTES",
    "TIERS",
    "Analysis",
    "AnalysisOptions",
    "Filters",
    "ItemView",
    "StudyData",
    "WorkerView",
    "further_pictures",
    "item_panel",
    "load_study",
    "study_state",
]
