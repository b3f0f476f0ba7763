"""The images of a node: which they are, and tables of them that can be filtered, sorted and paged."""

from __future__ import annotations

import numpy as np
import pandas as pd

from barlow_core.analyses import searched_group
from barlow_core.failure_tree import Node
from barlow_core.run import Run


def node_images(run: Run, key: str, node: Node) -> np.ndarray:
    """The images of the group `key` that fall into `node` of its tree: (n,) int64 positions in the benchmark, increasing.

    Only the features of the rule are read from the disk, and only for the images of the group.
    """
    indices = searched_group(run, key).indices
    features = run.features()
    inside = np.ones(len(indices), dtype=bool)
    for condition in node.conditions:
        column = features[indices, condition.feature]
        inside &= condition._replace(feature=0).holds(column[:, None])
    return indices[inside]


def node_failures(run: Run, key: str, node: Node, *, n: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Failures among the images of a node, in an order drawn at random: a larger `n` only adds to a smaller one.

    Args:
        n: how many rows at most; None for all.
        seed: of the order.

    Returns:
        Columns position (in the benchmark), path (of the file), name, label, prediction, confidence (NaN where not known),
        and the activation of every feature of the rule as "feature[12]".
    """
    benchmark = run.benchmark
    members = node_images(run, key, node)
    failures = np.random.default_rng(seed).permutation(members[benchmark.failure[members]])[:n]
    names = np.array(benchmark.class_names, dtype=object)
    predictions = benchmark.predictions if benchmark.predictions is not None else benchmark.labels
    confidence = benchmark.confidence[failures] if benchmark.confidence is not None else np.full(len(failures), np.nan)
    features = run.features()
    table = pd.DataFrame(
        {
            "position": failures,
            "path": [benchmark.images_dir / benchmark.names[i] for i in failures],
            "name": benchmark.names[failures],
            "label": names[benchmark.labels[failures]],
            "prediction": names[predictions[failures]],
            "confidence": confidence,
        }
    )
    return table.assign(**{f"feature[{f}]": np.asarray(features[failures, f], dtype=np.float64) for f in node.features})
