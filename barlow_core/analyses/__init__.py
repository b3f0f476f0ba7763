"""The failure analyses of all groups of a run: made on all cores, checked, remembered, and laid out as tables."""

from barlow_core.analyses.explore import explore
from barlow_core.analyses.of_run import explain_run, load_analysis, load_result, searched_group
from barlow_core.checks import Checks

__all__ = ["Checks", "explain_run", "explore", "load_analysis", "load_result", "searched_group"]
