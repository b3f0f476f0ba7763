"""Near-duplicates among the images of a group, found from their features: frames of one video, photos of one crate.

Two images are near-duplicates when the cosine similarity of their standardized features is at least a threshold that the group
itself sets (`threshold_of`). Blocks are what such pairs connect.

Where near-duplicates stand on both sides of a fold, a held-out image was as good as searched: a rule that only recognizes one crate
is measured on other photos of that crate, and held-out rates come out too good. `held_out` counts such images for each rule, and
`blocks` keeps them together where that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtri

# Larger groups cost too much to be looked through unasked: 20,000 images of 2,048 features take 1.6e12 multiplications and additions.
MOST_IMAGES = 20_000
ROWS_AT_ONCE = 1024
# Similarities that a threshold is never below or above: less alike is not the same scene, and what is more alike always is.
LOWEST, HIGHEST = 0.8, 0.98
FEWEST_IMAGES = 10
