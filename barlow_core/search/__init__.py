"""Search for several blindspots at once, each of which may be a conjunction of many attributes.

The paper's tree splits by one feature at a time, greedily, and needs a leaf a conjunction. `search` fits all reasons to fail
together (`barlow_core.search.noisy_or`), gives a rule for each, a weighted sum of features above a threshold, and counts it on
images that were not searched. docs/blindspots.md measures both on blindspots that are known to be there.
"""

from barlow_core.search.rules import Rule
from barlow_core.search.searching import SearchResult, SearchSettings, holm, search
from barlow_core.search.short import ShortRule

__all__ = ["Rule", "SearchResult", "SearchSettings", "ShortRule", "holm", "search"]
