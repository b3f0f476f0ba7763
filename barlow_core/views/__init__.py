"""What the pages show, worked out without a page: tables, sentences and samples out of a finished run.

Numbers are measured on the images that were searched for failure modes (in-sample), unless they are called held out. Nothing
here keeps what it read: a page caches by the run and the time of its run.json. Of the features, which may be far larger than
memory, only the rows and columns that a question needs are read.
"""

from barlow_core.views.benchmark import classes, confusion_pairs
from barlow_core.views.columns import column_values
from barlow_core.views.features import (
    Distribution,
    Similar,
    correlations,
    distribution,
    extremes,
    similar_features,
    values_of_image,
)
from barlow_core.views.images import (
    OUTCOMES,
    ImagePage,
    activation,
    choices,
    filter_images,
    image_page,
    images_at,
    images_of,
    node_failures,
    node_images,
    sort_images,
    with_paths,
)
from barlow_core.views.nodes import node_rates
from barlow_core.views.run_tables import (
    Summary,
    concentration,
    depths,
    failure_mode,
    find_groups,
    group_table,
    groupings,
    mode_table,
    summary,
)
from barlow_core.views.search import direction_words, rule_positions, search_words, short_words, unsearched_words
from barlow_core.views.sentences import (
    GroupWords,
    HeldOutWords,
    column_words,
    condition_words,
    duplicates_words,
    group_words,
    grouping_words,
    held_out_words,
    luck_words,
    no_failure_mode,
    rule_words,
    same_images_words,
    seen_words,
    together_words,
)
from barlow_core.views.what_if import WhatIf, re_evaluate

__all__ = [
    "OUTCOMES",
    "Distribution",
    "GroupWords",
    "HeldOutWords",
    "ImagePage",
    "Similar",
    "Summary",
    "WhatIf",
    "activation",
    "choices",
    "classes",
    "column_values",
    "column_words",
    "concentration",
    "condition_words",
    "confusion_pairs",
    "correlations",
    "depths",
    "direction_words",
    "distribution",
    "duplicates_words",
    "extremes",
    "failure_mode",
    "filter_images",
    "find_groups",
    "group_table",
    "group_words",
    "grouping_words",
    "groupings",
    "held_out_words",
    "image_page",
    "images_at",
    "images_of",
    "luck_words",
    "mode_table",
    "no_failure_mode",
    "node_failures",
    "node_images",
    "node_rates",
    "re_evaluate",
    "rule_positions",
    "rule_words",
    "same_images_words",
    "search_words",
    "seen_words",
    "short_words",
    "similar_features",
    "sort_images",
    "summary",
    "together_words",
    "unsearched_words",
    "values_of_image",
    "with_paths",
]
