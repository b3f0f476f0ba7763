"""Statistics of failure modes: intervals, held-out counts, a test against luck, stability."""

from barlow_core.statistics.duplicates import Duplicates, near_duplicates
from barlow_core.statistics.evidence import SAME_RULE, held_out_p, held_out_q
from barlow_core.statistics.held_out import by_split, cross_fit, measure
from barlow_core.statistics.held_out_counts import Counts, HeldOut, HeldOutLeaf, HeldOutTree
from barlow_core.statistics.intervals import (
    Interval,
    aler_increase,
    aler_increase_interval,
    difference_interval,
    increase_interval,
    paired_difference_interval,
    wilson_interval,
)
from barlow_core.statistics.permutation import PermutationTest, benjamini_hochberg, permutation_test
from barlow_core.statistics.stability import FeatureStability, LeafStability, Stability, TreeStability, stability

__all__ = [
    "SAME_RULE",
    "Counts",
    "Duplicates",
    "FeatureStability",
    "HeldOut",
    "HeldOutLeaf",
    "HeldOutTree",
    "Interval",
    "LeafStability",
    "PermutationTest",
    "Stability",
    "TreeStability",
    "aler_increase",
    "aler_increase_interval",
    "benjamini_hochberg",
    "by_split",
    "cross_fit",
    "difference_interval",
    "held_out_p",
    "held_out_q",
    "increase_interval",
    "measure",
    "near_duplicates",
    "paired_difference_interval",
    "permutation_test",
    "stability",
    "wilson_interval",
]
