"""What the pages show, worked out without a page: tables, sentences and samples out of a finished run.

Numbers are measured on the images that were searched for failure modes (in-sample), unless they are called held out. Nothing
here keeps what it read: a page caches by the run and the time of its run.json. Of the features, which may be far larger than
memory, only the rows and columns that a question needs are read.
"""

from barlow_core.views.images import node_failures, node_images
from barlow_core.views.tables import Summary, depths, failure_mode, failure_modes, groupings, groups, summary
from barlow_core.views.words import (
    SAME_RULE,
    GroupWords,
    HeldOutWords,
    condition_words,
    group_words,
    held_out_words,
    luck_words,
    no_failure_mode,
    rule_words,
)

__all__ = [
    "SAME_RULE",
    "GroupWords",
    "HeldOutWords",
    "Summary",
    "condition_words",
    "depths",
    "failure_mode",
    "failure_modes",
    "group_words",
    "groupings",
    "groups",
    "held_out_words",
    "luck_words",
    "no_failure_mode",
    "node_failures",
    "node_images",
    "rule_words",
    "summary",
]
