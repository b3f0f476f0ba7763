"""The failure analyses of all groups of a run: made on all cores, checked, remembered, and laid out as tables."""

from barlow_core.analyses.checks import Checks
from barlow_core.analyses.every_group import explain_run, load_analysis, load_result, searched_group
from barlow_core.analyses.exploration import explore

__all__ = ["Checks", "explain_run", "explore", "load_analysis", "load_result", "searched_group"]
