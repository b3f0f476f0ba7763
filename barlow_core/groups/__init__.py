"""Clusters of images in which failures are explained (paper, sections 3 and 5, appendix D).

A group is named by its key: `label:truck` (all images labelled truck: false negatives), `prediction:truck` (all images
predicted as truck: false positives), `pair:cat+dog` (images of two classes that are taken for each other),
`union:cat` (labelled or predicted cat), `all:images` (the whole benchmark), `mask:NAME` (any images you choose, see
`Run.add_mask`).

A column of the metadata is a grouping as well: `camera:phone` are the images whose column camera says phone. A product
of label or prediction and columns is one too, and has a group for each combination that occurs: `label*camera:cat*phone`. In a
key, columns (`%`, `:` and `*` in them) and the parts of a product (`%` and `*`) are percent-encoded; so is the first letter
of a column that is called like another grouping: `%61ll:yes`. An image without a value in a column is in no group of it.
"""

from barlow_core.groups.factors import MOST_GROUPS, MOST_VALUES, PRODUCT, parts
from barlow_core.groups.group import (
    CLASS_GROUPINGS,
    GROUPINGS,
    Group,
    all_images,
    by_label,
    by_mask,
    by_prediction,
    confused_pair,
    confusions,
    union,
)
from barlow_core.groups.keys import all_groups, canonical, columns_of, n_without_value, parse

__all__ = [
    "CLASS_GROUPINGS",
    "GROUPINGS",
    "MOST_GROUPS",
    "MOST_VALUES",
    "PRODUCT",
    "Group",
    "all_groups",
    "all_images",
    "by_label",
    "by_mask",
    "by_prediction",
    "canonical",
    "columns_of",
    "confused_pair",
    "confusions",
    "n_without_value",
    "parse",
    "parts",
    "union",
]
