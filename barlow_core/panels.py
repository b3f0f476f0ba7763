"""Panels: what a feature means, in pictures (paper, section 4, appendices B and C).

A panel belongs to a feature and a group. Section A shows the most activating images, B their heatmaps, C what
a feature attack makes of them. In a run folder it is `panels/<group>/<feature>/` with

    a_0.png, a_1.png, ...   the images as the extractor sees them, most activating first
    h_0.png, ...            their heatmaps in grey: black is 0, white is 1
    b_0.png, ...            the heatmaps laid over the images
    c_0.png, ...            the attacked images
    panel.json              what is in them (see `Panel`); images of 128 pixels and more are .jpg, except
    heatmaps

The pictures lie on each other pixel by pixel. Each panel is attacked as a batch of its own, so that its bytes
do not depend on which other panels are made with it, and its folder appears all at once, when it is complete.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from barlow_core import pictures
from barlow_core.attack import AttackSettings, attack_settings, default_steps, feature_attack
from barlow_core.errors import BarlowError
from barlow_core.files import write_json
from barlow_core.groups import Group, parse
from barlow_core.images import open_image
from barlow_core.panel_files import FORMAT, PICTURES, Panel, PanelImage
from barlow_core.pictures import heatmaps, overlay
from barlow_core.run import Run, digest

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

__all__ = [
    "Panel",
    "PanelImage",
    "feature_attack",
    "feature_requests",
    "heatmaps",
    "load_panel",
    "make_panel",
    "make_panels",
    "most_activating",
    "overlay",
    "visualize",
]

SOURCES = ("group", "benchmark")


def most_activating(activations: np.ndarray, k: int = 6) -> np.ndarray:
    """Positions of the `k` highest of `activations` (n,), highest first, equal ones by position; int64."""
    if k < 1:
        raise BarlowError(f"k is {k}. Expected at least one image a panel.")
    return np.argsort(-np.asarray(activations), kind="stable")[:k].astype(np.int64)


def load_panel(run: Run, group: Group | str, feature: int) -> Panel | None:
    """The panel of a feature in a group, or None where none fits today's features, labels and predictions."""
    group = _group(run, group)
    folder = _folder(run, group, feature)
    try:
        panel = Panel.load(folder)
    except BarlowError:
        return None
    plan = _plan(run, group, feature, k=panel.k, source=panel.source, attack=panel.attack, image_size=panel.image_size)
    return panel if _is_made(folder, plan) else None


def make_panel(run: Run, extractor: Extractor, group: Group | str, feature: int, **settings: Any) -> Panel:
    """Make one panel, or open it where it is there already; see `make_panels` for the settings."""
    return make_panels(run, extractor, [(group, feature)], **settings)[0]


def make_panels(
    run: Run,
    extractor: Extractor,
    requests: Iterable[tuple[Group | str, int]],
    *,
    k: int = 6,
    steps: int | None = None,
    step_size: float | None = None,
    epsilon: float | None = None,
    source: str = "group",
    overwrite: bool = False,
    progress: bool = False,
) -> list[Panel]:
    """Make the panels of (group, feature) pairs; those that are there already, made from the same, are kept.

    Args:
        extractor: the one that made the features of the run.
        requests: groups as `Group` or by key, and indices of features.
        k: images a panel.
        steps: of the attack; None for 500 at 224 pixels, fewer for smaller images (`default_steps`).
        step_size, epsilon: of the attack; None scales the paper's (`attack_settings`).
        source: "group" searches the most activating images in the group, "benchmark" in all images.
        overwrite: make them again all the same.

    Raises:
        BarlowError: another extractor, a feature or source that does not exist, an empty group, an image that
        is gone.

    Cost: 2 * steps passes of k images through the network for each panel.
    """
    _check_extractor(run, extractor)
    side = extractor.image_size
    steps = default_steps(side) if steps is None else steps
    attack = attack_settings(side, side, steps=steps, step_size=step_size, epsilon=epsilon)
    groups = [(_group(run, group), int(feature)) for group, feature in requests]
    plans = [_plan(run, group, feature, k=k, source=source, attack=attack, image_size=side) for group, feature in groups]
    folders = [_folder(run, group, feature) for group, feature in groups]
    todo = {folder: plan for folder, plan in zip(folders, plans, strict=True) if overwrite or not _is_made(folder, plan)}
    if todo:
        with run.lock():
            _sweep(run)
            for folder, plan in tqdm(todo.items(), desc="visualize", unit="panel", disable=not progress):
                _make(run, extractor, folder, plan, progress=progress)
    return [Panel.load(folder) for folder in folders]


def visualize(
    run: Run,
    extractor: Extractor | None = None,
    *,
    keys: Sequence[str] = (),
    features: Sequence[int] = (),
    depth: int | None = None,
    top: int | None = None,
    k: int = 6,
    steps: int | None = None,
    source: str = "group",
    overwrite: bool = False,
    progress: bool = False,
) -> list[Panel]:
    """Make the panels of the features that the failure modes of a run speak of; resumable at any moment.

    The most important feature of every group comes first, then every group's second, so that an early stop
    leaves something to look at everywhere.

    Args:
        extractor: the one that made the features; None loads it again.
        keys, features, depth, top: which panels, see `feature_requests`.
        (others): see `make_panels`.
    """
    started = time.monotonic()
    requests = feature_requests(run, keys=keys, features=features, depth=depth, top=top)
    panels = make_panels(
        run,
        extractor or run.extractor(),
        requests,
        k=k,
        steps=steps,
        source=source,
        overwrite=overwrite,
        progress=progress,
    )
    key = digest([panel.key for panel in panels])
    if not run.is_current("visualize") or run.require("visualize")["key"] != key:
        settings = {
            "keys": list(keys),
            "features": list(features),
            "depth": depth,
            "top": top,
            "k": k,
            "source": source,
        }
        attack = panels[0].attack if panels else None
        with run.lock():
            run.record(
                "visualize",
                key=key,
                settings=settings | {"attack": attack},
                seconds=time.monotonic() - started,
                panels=len(panels),
            )
    return panels


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


def _ranked_features(modes: pd.DataFrame) -> list[int]:
    modes = modes.sort_values("importance_value", ascending=False, kind="stable")
    others = (feature for features in modes["features"] for feature in features)
    return list(dict.fromkeys([*modes["feature"], *others]))


# --- one panel


def _group(run: Run, group: Group | str) -> Group:
    return parse(run.benchmark, group) if isinstance(group, str) else group


def _folder(run: Run, group: Group, feature: int) -> Path:
    return run.panels_path / group.slug / str(feature)


def _check_extractor(run: Run, extractor: Extractor) -> None:
    made_by = run.require("extract")["extractor"]
    if made_by["fingerprint"] != extractor.fingerprint:
        raise BarlowError(
            f"The features of {run.path} were made by {made_by['name']}, not by {extractor!r}. "
            "Use the same extractor for panels, or extract again with the other one."
        )


def _plan(
    run: Run, group: Group, feature: int, *, k: int, source: str, attack: AttackSettings, image_size: int
) -> dict[str, Any]:
    """All that decides what a panel will be, with the key that stands for it."""
    features = run.features()
    if source not in SOURCES:
        raise BarlowError(f"Unknown source {source!r}. Expected one of: {', '.join(SOURCES)}.")
    if not 0 <= feature < features.shape[1]:
        raise BarlowError(f"There is no feature {feature}. Expected an index from 0 to {features.shape[1] - 1}.")
    if not len(group):
        raise BarlowError(f"{group.key} has no images, so there is nothing to show. Choose another group.")
    indices = group.indices if source == "group" else np.arange(len(features))
    activations = np.asarray(features[indices, feature], dtype=np.float64)
    side = pictures.looking_size(image_size)
    plan = {
        "group": group.key,
        "feature": feature,
        "k": k,
        "source": source,
        "range": [float(activations.min()), float(activations.max())],
        "attack": attack,
        "image_size": image_size,
        "display": {
            "size": side,
            "resampling": "bicubic" if side != image_size else None,
            "colormap": pictures.COLORMAP,
            "heat": pictures.HEAT,
        },
        "images": [
            _column(run, int(indices[place]), float(activations[place]), column, pictures.suffix(image_size))
            for column, place in enumerate(most_activating(activations, k))
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


def _is_made(folder: Path, plan: dict[str, Any]) -> bool:
    """Whether `folder` holds the whole panel of `plan`; a file that someone deleted is missed."""
    try:
        key = json.loads((folder / "panel.json").read_text(encoding="utf-8")).get("key")
    except (OSError, ValueError):
        return False
    files = (image[kind] for image in plan["images"] for kind in PICTURES)
    return key == plan["key"] and all((folder / file).is_file() for file in files)


def _sweep(run: Run) -> None:
    """Remove what a killed process left half-made; only the holder of the run's lock may."""
    for leftover in run.panels_path.glob(".*"):
        shutil.rmtree(leftover)


def _make(run: Run, extractor: Extractor, folder: Path, plan: dict[str, Any], *, progress: bool) -> None:
    """Make a panel beside its place and move it there when it is complete."""
    unfinished = run.panels_path / f".{folder.parent.name}-{folder.name}"
    unfinished.mkdir(parents=True)
    try:
        _write(run, extractor, unfinished, plan, progress=progress)
        folder.parent.mkdir(exist_ok=True)
        # A folder cannot replace another in one step; in between there is no panel, which the next call would
        # make.
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(run: Run, extractor: Extractor, folder: Path, plan: dict[str, Any], *, progress: bool) -> None:
    columns, feature, side = plan["images"], plan["feature"], plan["display"]["size"]
    paths = [run.benchmark.paths[column["index"]] for column in columns]
    images = torch.stack([extractor.preprocess(open_image(path)) for path in paths])
    with torch.no_grad():
        heat = heatmaps(extractor.feature_maps(images)[:, feature], side)
    attacked, activations = feature_attack(extractor, images, feature, **plan["attack"], progress=progress)

    shown = pictures.enlarge(pictures.to_pixels(images), side)
    rows = {
        "image": shown,
        "heatmap": np.rint(heat * 255).astype(np.uint8),
        "overlay": overlay(shown, heat),
        "attack": pictures.enlarge(pictures.to_pixels(attacked), side),
    }
    for kind, row in rows.items():
        for column, pixels in zip(columns, row, strict=True):
            pictures.write_picture(folder / column[kind], pixels)
    finished = [column | {"attacked": float(value)} for column, value in zip(columns, activations, strict=True)]
    write_json(folder / "panel.json", plan | {"images": [asdict(PanelImage(**column)) for column in finished]})
