"""Which panels there are to make, what decides how each one looks, and which of them are made already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.analyses import FoundRule, found_rules, searched_groups
from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.groups import Group, parse
from barlow_core.panels import pictures
from barlow_core.panels.files import FORMAT, OF_MAPS, Panel, picture_kinds
from barlow_core.panels.settings import AttackSettings
from barlow_core.run import Run, digest

SOURCES = ("group", "benchmark")
ENDS = ("highest", "lowest")


def most_activating(activations: np.ndarray, k: int = 6) -> np.ndarray:
    """Positions of the `k` highest of `activations` (n,), highest first, equal ones by position; int64."""
    if k < 1:
        raise BarlowError(f"k is {k}. Expected at least one image per panel.")
    return np.argsort(-np.asarray(activations), kind="stable")[:k].astype(np.int64)


def load_panel(run: Run, group: Group | str, feature: int | Direction, *, end: str = "highest", skip: int = 0) -> Panel | None:
    """The panel of a feature or direction in a group, or None where none fits today's features, labels and predictions.

    Args:
        end, skip: see `barlow_core.panels.render.make_panels`.
    """
    group = find_group(run, group)
    folder = panel_folder(run, group, feature, end=end, skip=skip)
    try:
        panel = Panel.load(folder)
    except BarlowError:
        return None
    plan = plan_panel(
        run,
        group,
        feature,
        k=panel.k,
        source=panel.source,
        end=end,
        skip=skip,
        attack=panel.attack,
        image_size=panel.image_size,
    )
    return panel if is_made(folder, plan) else None


def feature_requests(
    run: Run,
    *,
    keys: Sequence[str] = (),
    features: Sequence[int] = (),
    depth: int | None = None,
    top: int | None = None,
) -> list[tuple[str, int]]:
    """Which (group key, feature) pairs are worth a panel, the most important first.

    Within a group: the features that decide its failure modes, by importance value, then the other features
    of their rules.

    Args:
        keys: only these groups; all where empty.
        features: these features, in every group, instead of those of the failure modes.
        depth: only failure modes of trees of this depth; of all depths when None.
        top: at most so many features a group.
    """
    modes = run.failure_modes()
    known = list(run.groups()["group"])
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise BarlowError(
            f"{unknown[0]} is not among the {len(known)} groups explained in {run.path}. "
            f"See them with: barlow show {run.path} groups; "
            f"explain another one with: barlow explain {run.path} --group KEY"
        )
    wanted = list(keys) or known
    if features:
        ranked = {key: list(features) for key in wanted}
    else:
        modes = modes if depth is None else modes[modes["depth"] == depth]
        ranked = {key: _ranked_features(modes[modes["group"] == key]) for key in wanted}
    ranked = {key: [int(feature) for feature in found[:top]] for key, found in ranked.items()}
    longest = max(map(len, ranked.values()), default=0)
    return [(key, found[rank]) for rank in range(longest) for key, found in ranked.items() if rank < len(found)]


def rule_requests(run: Run, *, keys: Sequence[str] = (), everything: bool = False) -> list[tuple[str, Direction]]:
    """Which (group key, direction) pairs of a searched run are worth a panel: those of its rules, the confirmed ones first.

    Args:
        keys: only of these groups; all where empty.
        everything: also of rules that are not confirmed.

    Raises:
        BarlowError: the run is not searched, or a group was not.
    """
    known = list(searched_groups(run)["group"])
    if unknown := [key for key in keys if key not in known]:
        raise BarlowError(
            f"{unknown[0]} is not among the {len(known)} groups searched in {run.path}. "
            f"Search it with: barlow search {run.path} --group KEY"
        )
    rules = [FoundRule(row) for row in found_rules(run).to_dict("records")]
    return [(rule.group, rule.direction) for rule in rules if rule.group in (keys or known) and (everything or rule.confirmed)]


def _ranked_features(modes: pd.DataFrame) -> list[int]:
    modes = modes.sort_values("importance_value", ascending=False, kind="stable")
    others = (feature for features in modes["features"] for feature in features)
    return list(dict.fromkeys([*modes["feature"].dropna(), *others]))


# --- one panel


def find_group(run: Run, group: Group | str) -> Group:
    return parse(run.benchmark, group) if isinstance(group, str) else group


def panel_folder(run: Run, group: Group, feature: int | Direction, *, end: str = "highest", skip: int = 0) -> Path:
    other = "" if (end, skip) == ("highest", 0) else f".{end}-from-{skip + 1}"
    return run.panels_path / group.slug / f"{Direction.of(feature).slug}{other}"


def plan_panel(
    run: Run,
    group: Group,
    feature: int | Direction,
    *,
    k: int,
    source: str,
    end: str = "highest",
    skip: int = 0,
    attack: AttackSettings,
    image_size: int,
) -> dict[str, Any]:
    """All that decides what a panel will be, with the key that stands for it."""
    features = run.features()
    if source not in SOURCES:
        raise BarlowError(f"Unknown source {source!r}. Expected one of: {', '.join(SOURCES)}.")
    if end not in ENDS:
        raise BarlowError(f"Unknown end {end!r}. Expected one of: {', '.join(ENDS)}.")
    for one in feature.features if isinstance(feature, Direction) else (feature,):
        if not 0 <= one < features.shape[1]:
            raise BarlowError(f"Feature {one} does not exist. Expected an index from 0 to {features.shape[1] - 1}.")
    if not len(group):
        raise BarlowError(f"{group.key} has no images, so there is nothing to show. Choose another group.")
    indices = group.indices if source == "group" else np.arange(len(features))
    activations = Direction.of(feature).values(features, indices)
    if not 0 <= skip < len(indices):
        raise BarlowError(f"skip is {skip}, but there are {len(indices)} images. Expected a number from 0 to {len(indices) - 1}.")
    places = most_activating(activations if end == "highest" else -activations, k + skip)[skip:]
    side = pictures.looking_size(image_size)
    # Runs of earlier versions say nothing of it: their networks all had maps.
    without_maps = run.require("extract")["extractor"].get("without_maps")
    plan = {
        "group": group.key,
        "feature": asdict(feature) if isinstance(feature, Direction) else feature,
        "k": k,
        "source": source,
        # Not in the keys of panels that begin with the most activating image, which earlier versions made.
        **({} if (end, skip) == ("highest", 0) else {"end": end, "skip": skip}),
        "range": [float(activations.min()), float(activations.max())],
        "attack": attack,
        "image_size": image_size,
        "display": {
            "size": side,
            "resampling": "bicubic" if side != image_size else None,
            "colormap": pictures.COLORMAP,
            "heat": pictures.HEAT,
        }
        | ({"without_maps": without_maps} if without_maps else {}),
        "images": [
            _column(run, int(indices[place]), float(activations[place]), column, pictures.suffix(image_size))
            | (dict.fromkeys(OF_MAPS, "") if without_maps else {})
            for column, place in enumerate(places)
        ],
    }
    return {"format": FORMAT, "key": digest(FORMAT, run.require("extract")["key"], plan), **plan}


def _column(run: Run, index: int, activation: float, column: int, suffix: str) -> dict[str, Any]:
    benchmark = run.benchmark
    predictions = benchmark.predictions
    return {
        "index": index,
        "name": str(benchmark.names[index]),
        "label": benchmark.class_names[benchmark.labels[index]],
        "prediction": None if predictions is None else benchmark.class_names[predictions[index]],
        "activation": activation,
        "image": f"a_{column}{suffix}",
        "heatmap": f"h_{column}.png",
        "overlay": f"b_{column}{suffix}",
        "attack": f"c_{column}{suffix}",
    }


def is_made(folder: Path, plan: dict[str, Any]) -> bool:
    """Whether `folder` holds the whole panel of `plan`; a file that someone deleted is missed."""
    try:
        key = json.loads((folder / "panel.json").read_text(encoding="utf-8")).get("key")
    except (OSError, ValueError):
        return False
    files = (image[kind] for image in plan["images"] for kind in picture_kinds(plan["display"]))
    return key == plan["key"] and all((folder / file).is_file() for file in files)
