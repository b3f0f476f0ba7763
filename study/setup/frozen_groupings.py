"""What participants of an interview look at, kept beside the study: for every grouping its tree of depth 2, images of its nodes, and panels.

A grouping is a folder among the panels of the study (`study.setup.frozen_panels`), sealed in the same way: grouping.json, and the images
that it names, as they are but no larger than can be looked at. The panels of the features in its tree are folders of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from barlow_core import views
from barlow_core.benchmark.images import open_image
from barlow_core.conditions import ColumnCondition
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import FailureTree
from barlow_core.groups import parse
from barlow_core.panels import Panel
from barlow_core.run import Run
from barlow_core.storage.files import write_json
from study.setup.frozen_panels import freeze, load_item_panel, panels_folder, require_sound, seal

if TYPE_CHECKING:
    import pandas as pd

DEPTH = 2
SIDE = 224  # pixels; longest side of an image of a node
_NODE = ("node", "parent", "level", "side", "split", "rule", "is_leaf", "n_images", "n_failures", "error_rate", "error_coverage")
_MARKS = ("rank", "verdict", "held_out_n_images", "held_out_n_failures", "held_out_error_rate", "held_out_error_coverage")


@dataclass(frozen=True, eq=False)
class FrozenGrouping:
    """A grouping as participants see it.

    Attributes:
        id: key of the group; title, failures: of it, in words.
        nodes: as `barlow_core.views.node_rates` gives them, a row each.
        features: of the tree, that of the first split first.
        splits: number of a node -> the feature that splits it; nodes that split by metadata, and leaves, are not there.
        images: by position in the benchmark: `name`, `label`, `prediction`, `failure`, `confidence`, `values` (activation by feature)
            and `path`.
        of_node: number of a node -> positions of the images that are shown of it, drawn at random.
        extremes: feature -> positions with its highest, and with its lowest activations in the group, the most extreme first.
        panels: feature -> its panel.
    """

    id: str
    title: str
    failures: str
    nodes: pd.DataFrame
    features: tuple[int, ...]
    splits: Mapping[int, int]
    images: Mapping[int, Mapping[str, Any]]
    of_node: Mapping[int, tuple[int, ...]]
    extremes: Mapping[int, tuple[tuple[int, ...], tuple[int, ...]]]
    panels: Mapping[int, Panel]

    def split_of(self, node: int) -> int | None:
        """The feature responsible for the split that belongs to a node: its own, or for a leaf that of its parent."""
        if node in self.splits:
            return self.splits[node]
        parent = self.nodes.set_index("node")["parent"].get(node)
        return None if parent is None or parent != parent else self.splits.get(int(parent))


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
    run: Run, key: str, panels: Mapping[int, Panel], store_path: Path, *, per_node: int, extremes: int, seed: int
) -> dict[str, Any]:
    """Freeze a group of a run with its tree beside the study at `store_path`.

    Args:
        panels: by feature, of all features of the tree.
        per_node: images of a node, at most; extremes: images with the highest and with the lowest activation of each feature.

    Returns:
        What the study keeps of it: `by` (label, prediction, ...), `class_name`, `ber`, `n_images`, `n_failures`, `features`, `folder`, `sha256`, `panels`.
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
        order = everything[np.argsort(-np.asarray(stored[everything, feature], dtype=np.float64), kind="stable")]
        ends[feature] = [[int(p) for p in order[:extremes]], [int(p) for p in order[::-1][:extremes]]]
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
        "panels": {str(feature): _pictures(freeze(panels[feature], root, f"{name}-{feature}")) for feature in features},
    }


def _pictures(frozen: Mapping[str, Any]) -> dict[str, Any]:
    return {"panel": frozen["panel"], "sha256": frozen["sha256"]}


def load_grouping(store_path: str | Path, data: Mapping[str, Any]) -> FrozenGrouping:
    """A grouping exactly as it was frozen.

    Args:
        data: what the study keeps of it, see `freeze_grouping`.

    Raises:
        BarlowError: its files are missing or not the ones that were frozen.
    """
    import pandas as pd

    folder = panels_folder(store_path) / str(data["folder"])
    if folder.parent != panels_folder(store_path):
        raise BarlowError(f"A grouping names the folder {data['folder']!r}, which is not one of {folder.parent}.")
    require_sound(folder, data["sha256"])
    stored = json.loads((folder / "grouping.json").read_text(encoding="utf-8"))
    images = {
        image["position"]: {**image, "path": folder / image["file"], "values": {int(f): v for f, v in image["values"].items()}}
        for image in stored["images"]
    }
    return FrozenGrouping(
        id=stored["id"],
        title=stored["title"],
        failures=stored["failures"],
        nodes=pd.DataFrame(stored["nodes"]).astype({"parent": "Int64", "rank": "Int64", "verdict": "string"}),
        features=tuple(stored["features"]),
        splits=dict(stored["splits"]),
        images=images,
        of_node={node: tuple(positions) for node, positions in stored["of_node"]},
        extremes={feature: (tuple(highest), tuple(lowest)) for feature, highest, lowest in stored["extremes"]},
        panels={int(feature): load_item_panel(store_path, one) for feature, one in data["panels"].items()},
    )


def sealed_folders(groupings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """All folders of some groupings, as `study.setup.frozen_panels.problems` takes them.

    Args:
        groupings: data by id.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, data in groupings.items():
        found[f"{key} (interview)"] = {"panel": data["folder"], "sha256": data["sha256"]}
        for feature, one in data["panels"].items():
            found[f"{key}, feature {feature} (interview)"] = dict(one)
    return found
