"""What participants of an interview look at, kept beside the study: for every grouping its tree of depth 2, images of its nodes, and panels.

A grouping is a folder among the panels of the study (`study.setup.frozen_panels`), sealed in the same way: grouping.json, and the images
that it names. The panels of the features in its tree are folders of their own. `study.setup.freezing_groupings` makes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.panels.files import Panel
from study.setup.frozen_panels import load_item_panel, panels_folder, require_sound


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
        further, lowest: feature -> the panel of the images that follow in the order of activation, and of those with the lowest; not of
            features that were frozen without.
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
    further: Mapping[int, Panel]
    lowest: Mapping[int, Panel]

    def split_of(self, node: int) -> int | None:
        """The feature of the condition that leads to a node; of the root, the one that splits it. None where that is metadata."""
        (parent,) = self.nodes.loc[self.nodes["node"] == node, "parent"]
        return self.splits.get(node if parent is pd.NA else int(parent))


def load_grouping(store_path: str | Path, data: Mapping[str, Any]) -> FrozenGrouping:
    """A grouping exactly as it was frozen.

    Args:
        data: what the study keeps of it, see `study.setup.freezing_groupings.freeze_grouping`.

    Raises:
        BarlowError: its files are missing or not the ones that were frozen.
    """
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
        **{
            end: {int(feature): load_item_panel(store_path, one) for feature, one in data.get(end, {}).items()}
            for end in ("further", "lowest")
        },
    )


def sealed_folders(groupings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """All folders of some groupings, as `study.setup.frozen_panels.problems` takes them.

    Args:
        groupings: data by id.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, data in groupings.items():
        found[f"{key} (interview)"] = {"panel": data["folder"], "sha256": data["sha256"]}
        for end, words in (("panels", ""), ("further", ", further images"), ("lowest", ", lowest activations")):
            for feature, one in data.get(end, {}).items():
                found[f"{key}, feature {feature}{words} (interview)"] = dict(one)
    return found
