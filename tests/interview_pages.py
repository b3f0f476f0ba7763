"""Interviews with made-up pictures, for tests of their pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from analysis_study import draw_panel
from PIL import Image

from study.protocol import Protocol
from study.setup.frozen_panels import freeze, panels_folder, seal
from study.store import StudyStore
from study.store.admin_secret import hashed

SECRET = "correct horse battery"
IMAGES = 40


def make_interviews(path: Path, *, n: int = 3, easy: int = 1, **protocol: Any) -> StudyStore:
    """A study at `path` with interviews about `n` groupings; their pictures are noise, their trees have two features."""
    rng = np.random.default_rng(0)
    store = StudyStore.create(path, items=["a"], admin_hash=hashed(SECRET))
    groupings = [_grouping(path, f"class {i}", [10 * i + 1, 10 * i + 2], rng) | {"easy": i < easy} for i in range(n)]
    store.interviews.create(Protocol(**protocol), groupings)
    return store


def _grouping(path: Path, name: str, features: list[int], rng: np.random.Generator) -> dict[str, Any]:
    root, folder = panels_folder(path), f"interview-{name.replace(' ', '-')}"
    nodes = [_node(0, None, 0, "", 40, 16, False), _node(1, 0, 1, f"feature[{features[0]}] < 0.5", 24, 14, False)]
    nodes += [
        _node(2, 1, 2, f"feature[{features[1]}] < 0.25", 12, 11, True),
        _node(3, 1, 2, f"feature[{features[1]}] > 0.25", 12, 3, True),
    ]
    nodes += [_node(4, 0, 1, f"feature[{features[0]}] > 0.5", 16, 2, True)]
    nodes[2] |= {"rank": 1, "verdict": "confirmed"}
    inside = {0: range(40), 1: range(24), 2: range(12), 3: range(12, 24), 4: range(24, 40)}
    about = {
        "id": f"label:{name}",
        "title": f"Images labelled {name}",
        "failures": f"What the classifier misses: images of {name} that it calls something else.",
        "nodes": nodes,
        "features": features,
        "splits": [[0, features[0]], [1, features[1]]],
        "of_node": [[node, list(positions)] for node, positions in inside.items()],
        "extremes": [[feature, list(range(20)), list(range(39, 19, -1))] for feature in features],
    }

    def fill(target: Path) -> None:
        images = []
        for position in range(IMAGES):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(target / f"i_{position}.png")
            images.append(
                {
                    **{"position": position, "name": f"{position:03d}.png", "label": name, "prediction": "cat"},
                    **{"failure": position % 3 == 0, "confidence": None, "file": f"i_{position}.png"},
                    "values": {str(feature): 1 - position / IMAGES for feature in features},
                }
            )
        (target / "grouping.json").write_text(json.dumps(about | {"images": images}))

    panels: dict[str, dict[str, Any]] = {"panels": {}, "further": {}, "lowest": {}}
    for end, more in (("panels", {}), ("further", {"skip": 3}), ("lowest", {"end": "lowest"})):
        for feature in features:
            item = {"class_name": name, "group": f"label:{name}", "feature": feature, "rank": 1}
            drawn = draw_panel(path.parent / f"{path.name}.drawn-{feature}-{end}", item, rng, **more)
            frozen = freeze(drawn, root, f"{folder}-{feature}-{end}")
            panels[end][str(feature)] = {"panel": frozen["panel"], "sha256": frozen["sha256"]}
    return {
        **{"id": f"label:{name}", "by": "label", "class_name": name, "ber": 0.4, "n_images": 40, "n_failures": 16},
        **{"features": features, "folder": folder, "sha256": seal(root, folder, fill), **panels},
    }


def _node(number: int, parent: int | None, level: int, split: str, n_images: int, n_failures: int, leaf: bool) -> dict[str, Any]:
    return {
        **{
            "node": number,
            "parent": parent,
            "level": level,
            "side": "",
            "split": split,
            "rule": split or "all images of the group",
        },
        **{"is_leaf": leaf, "n_images": n_images, "n_failures": n_failures, "error_rate": n_failures / n_images},
        **{"error_coverage": n_failures / 16, "rank": None, "verdict": None, "held_out_n_images": None},
        **{"held_out_n_failures": None, "held_out_error_rate": None, "held_out_error_coverage": None},
    }
