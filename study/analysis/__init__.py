"""Everything that a study says, from its file to text, figures and tables.

from study.analysis import Filters, load_study

data = load_study("runs/mine/study.sqlite")
part = data.filtered(Filters(groupings=("label",), checks="passed"))
"""

from __future__ import annotations

from study.analysis.data import ATTRIBUTES, TIERS, StudyData
from study.analysis.filters import Filters
from study.analysis.loading import load_study, study_state

__all__ = ["ATTRIBUTES", "TIERS", "Filters", "StudyData", "load_study", "study_state"]
