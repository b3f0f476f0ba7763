"""From a group of a run to what participants of an interview look at; see `study.setup.frozen_groupings`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from barlow_core import views
from barlow_core.benchmark.images import open_image
from barlow_core.conditions import ColumnCondition
from barlow_core.failure_tree import FailureTree
from barlow_core.groups import parse
from barlow_core.panels import Panel, most_activating
from barlow_core.run import Run
from barlow_core.storage.files import write_json
from study.setup.frozen_panels import freeze, panels_folder, seal

DEPTH = 2
SIDE = 224  # pixels; longest side of an image of a node
_NODE = ("node", "parent", "level", "side", "split", "rule", "is_leaf", "n_images", "n_failures", "error_rate", "error_coverage")
_MARKS = ("rank", "verdict", "held_out_n_images", "held_out_n_failures", "held_out_error_rate", "held_out_error_coverage")


@dataclass(frozen=True)
class Pictures:
    """Panels of the features of a group, by feature: the images with the highest activations, those that follow, and those with the lowest."""

    panels: dict[int, Panel] = field(default_factory=dict)
    further: dict[int, Panel] = field(default_factory=dict)
    lowest: dict[int, Panel] = field(default_factory=dict)


def tree_of(run: Run, key: str) -> FailureTree:
    """The tree of depth 2 of a group."""
    return views.re_evaluate(run, key, depth=DEPTH).analysis.tree


def splits_of(tree: FailureTree) -> dict[int, int]:
    """Number of a node -> the feature that splits it, in the order of levels."""
    level = [tree.root]
    found: dict[int, int] = {}
    while level:
        for node in level:
            if node.split is not None and not isinstance(node.split, ColumnCondition):
                found[node.number] = int(node.split.feature)
        level = [child for node in level for child in (node.below, node.above) if child is not None]
    return found


def freeze_grouping(
    run: Run, key: str, pictures: Pictures, store_path: Path, *, per_node: int, extremes: int, seed: int
) -> dict[str, Any]:
    """Freeze a group of a run with its tree beside the study at `store_path`.

    Args:
        pictures: of all features of the tree.
        per_node: images of a node, at most; extremes: images with the highest and with the lowest activation of each feature.

    Returns:
        What the study keeps of it: `by` (label, prediction, ...), `class_name`, `ber`, `n_images`, `n_failures`, `features`, `folder`, `sha256`, `panels`,
        `further`, `lowest`.
    """
    group, evaluation = parse(run.benchmark, key), views.re_evaluate(run, key, depth=DEPTH)
    tree = evaluation.analysis.tree
    features = list(dict.fromkeys(splits_of(tree).values()))
    rng = np.random.default_rng([seed, *key.encode()])
    of_node = {}
    for node in tree.root:
        inside = views.node_images(run, key, node)
        of_node[node.number] = [int(position) for position in rng.permutation(inside)[:per_node]]
    ends = {}
    everything = views.node_images(run, key, tree.root)
    stored = run.features()
    for feature in features:
        values = np.asarray(stored[everything, feature])
        ends[feature] = (
            [[int(p) for p in everything[most_activating(side, extremes)]] for side in (values, -values)]
            if extremes
            else [[], []]
        )
    shown = sorted(
        {position for found in [*of_node.values(), *(part for both in ends.values() for part in both)] for position in found}
    )
    words = views.group_words(group.grouping, group.name)
    table = run.groups().set_index("group").to_dict("index")[key]
    about = {
        "id": key,
        "title": words.title,
        "failures": words.failures,
        "nodes": json.loads(views.node_rates(run, key, evaluation)[[*_NODE, *_MARKS]].to_json(orient="records")),
        "features": features,
        "splits": [[node, feature] for node, feature in splits_of(tree).items()],
        "of_node": [[node, positions] for node, positions in of_node.items()],
        "extremes": [[feature, *both] for feature, both in ends.items()],
    }

    def fill(folder: Path) -> None:
        images = []
        frame = views.with_paths(run, views.images_at(run, shown, features=features))
        for row in frame.to_dict("records"):
            picture = open_image(row["path"], least_side=2 * SIDE)
            picture.thumbnail((SIDE, SIDE))
            file = f"i_{row['position']}.{'png' if max(picture.size) <= 64 else 'jpg'}"
            picture.save(folder / file, quality=90)
            images.append(
                {
                    **{name: row[name] for name in ("position", "name", "label", "prediction", "failure")},
                    "confidence": None if row["confidence"] != row["confidence"] else row["confidence"],
                    "values": {str(feature): row[f"feature[{feature}]"] for feature in features},
                    "file": file,
                }
            )
        write_json(folder / "grouping.json", about | {"images": images})

    root = panels_folder(store_path)
    name = f"interview-{group.slug}"
    return {
        "by": group.grouping,
        "class_name": group.name,
        "ber": float(table["ber"]),
        "n_images": int(table["n_images"]),
        "n_failures": int(table["n_failures"]),
        "features": features,
        "folder": name,
        "sha256": seal(root, name, fill),
        "panels": _frozen(pictures.panels, root, name, ""),
        "further": _frozen(pictures.further, root, name, "-further"),
        "lowest": _frozen(pictures.lowest, root, name, "-lowest"),
    }


def _frozen(panels: Mapping[int, Panel], root: Path, name: str, end: str) -> dict[str, dict[str, Any]]:
    made = {str(feature): freeze(panel, root, f"{name}-{feature}{end}") for feature, panel in panels.items()}
    return {feature: {"panel": frozen["panel"], "sha256": frozen["sha256"]} for feature, frozen in made.items()}
