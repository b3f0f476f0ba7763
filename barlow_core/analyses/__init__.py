"""The failure analyses of all groups of a run: made on all cores, checked, remembered, and laid out as tables."""

from barlow_core.analyses.checks import Checks
from barlow_core.analyses.every_group import explain_run
from barlow_core.analyses.exploration import explore
from barlow_core.analyses.information_cache import group_information
from barlow_core.analyses.one_group import explain_group
from barlow_core.analyses.record import ExplainRecord, GroupResult, load_analysis, load_result, load_results, searched_group
from barlow_core.analyses.searches import (
    FoundRule,
    SearchRecord,
    found_rule,
    found_rules,
    rule_images,
    search_run,
    searched_groups,
    strongest_images,
)

__all__ = [
    "Checks",
    "ExplainRecord",
    "FoundRule",
    "GroupResult",
    "SearchRecord",
    "explain_group",
    "explain_run",
    "explore",
    "found_rule",
    "found_rules",
    "group_information",
    "load_analysis",
    "load_result",
    "load_results",
    "rule_images",
    "search_run",
    "searched_group",
    "searched_groups",
    "strongest_images",
]
