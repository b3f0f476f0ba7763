"""Making panels: most activating images, heatmaps, feature attacks, written so that an interruption loses nothing whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from barlow_core.benchmark.images import open_image
from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.groups import Group
from barlow_core.panels import pictures
from barlow_core.panels.attack import feature_attack
from barlow_core.panels.files import Panel, PanelImage
from barlow_core.panels.pictures import heatmaps, overlay, weighted_maps
from barlow_core.panels.plan import feature_requests, find_group, is_made, panel_folder, plan_panel
from barlow_core.panels.settings import attack_settings, default_steps
from barlow_core.progress import progress_bar
from barlow_core.run import Run, digest
from barlow_core.storage.files import write_json

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor


def make_panel(run: Run, extractor: Extractor, group: Group | str, feature: int | Direction, **settings: Any) -> Panel:
    """Make one panel, or open it where it is there already; see `make_panels` for the settings."""
    return make_panels(run, extractor, [(group, feature)], **settings)[0]


def make_panels(
    run: Run,
    extractor: Extractor,
    requests: Iterable[tuple[Group | str, int | Direction]],
    *,
    k: int = 6,
    steps: int | None = None,
    step_size: float | None = None,
    epsilon: float | None = None,
    source: str = "group",
    overwrite: bool = False,
    progress: bool = False,
    on_step: Callable[[int, int], None] | None = None,
) -> list[Panel]:
    """Make the panels of (group, feature or direction) pairs; those that are there already, made from the same, are kept.

    Args:
        extractor: the one that made the features of the run.
        requests: groups as `Group` or by key, and indices of features or directions.
        k: images a panel.
        steps: of the attack; None for 500 at 224 pixels, fewer for smaller images (`default_steps`).
        step_size, epsilon: of the attack; None scales the paper's (`attack_settings`).
        source: "group" searches the most activating images in the group, "benchmark" in all images.
        overwrite: make them again all the same.
        on_step: called after every step of an attack, see `feature_attack`.

    Raises:
        BarlowError: another extractor, a feature or source that does not exist, an empty group, an image that
        is gone.

    Cost: 2 * steps passes of k images through the network for each panel.
    """
    check_extractor(run, extractor)
    side = extractor.image_size
    steps = default_steps(side) if steps is None else steps
    attack = attack_settings(side, side, steps=steps, step_size=step_size, epsilon=epsilon)
    groups = [
        (find_group(run, group), feature if isinstance(feature, Direction) else int(feature)) for group, feature in requests
    ]
    plans = [plan_panel(run, group, feature, k=k, source=source, attack=attack, image_size=side) for group, feature in groups]
    folders = [panel_folder(run, group, feature) for group, feature in groups]
    todo = {
        folder: (feature, plan)
        for folder, (_, feature), plan in zip(folders, groups, plans, strict=True)
        if overwrite or not is_made(folder, plan)
    }
    if todo:
        with run.lock():
            _sweep(run)
            for folder, (feature, plan) in progress_bar(todo.items(), desc="visualize", unit="panel", shown=progress):
                _make(run, extractor, folder, feature, plan, progress=progress, on_step=on_step)
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


def check_extractor(run: Run, extractor: Extractor) -> None:
    """Raise BarlowError where `extractor` is not the one that made the features of `run`."""
    made_by = run.require("extract")["extractor"]
    if made_by["fingerprint"] != extractor.fingerprint:
        raise BarlowError(
            f"The features of {run.path} were made by {made_by['name']}, not by {extractor!r}. "
            "Use the same extractor for panels, or extract again with the other one."
        )


def _sweep(run: Run) -> None:
    """Remove what a killed process left half-made; only the holder of the run's lock may."""
    for leftover in run.panels_path.glob(".*"):
        shutil.rmtree(leftover)


def _make(
    run: Run,
    extractor: Extractor,
    folder: Path,
    feature: int | Direction,
    plan: dict[str, Any],
    *,
    progress: bool,
    on_step: Callable[[int, int], None] | None,
) -> None:
    """Make a panel beside its place and move it there when it is complete."""
    unfinished = run.panels_path / f".{folder.parent.name}-{folder.name}"
    unfinished.mkdir(parents=True)
    try:
        _write(run, extractor, unfinished, feature, plan, progress=progress, on_step=on_step)
        folder.parent.mkdir(exist_ok=True)
        # A folder cannot replace another in one step; in between there is no panel, which the next call would
        # make.
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(
    run: Run,
    extractor: Extractor,
    folder: Path,
    feature: int | Direction,
    plan: dict[str, Any],
    *,
    progress: bool,
    on_step: Callable[[int, int], None] | None,
) -> None:
    columns, side = plan["images"], plan["display"]["size"]
    paths = [run.benchmark.paths[column["index"]] for column in columns]
    images = torch.stack([extractor.preprocess(open_image(path)) for path in paths])
    attacked, activations = feature_attack(extractor, images, feature, **plan["attack"], progress=progress, on_step=on_step)

    shown = pictures.enlarge(pictures.to_pixels(images), side)
    rows = {
        "image": shown,
        "attack": pictures.enlarge(pictures.to_pixels(attacked), side),
    }
    if extractor.without_maps is None:
        with torch.no_grad():
            heat = heatmaps(weighted_maps(extractor.feature_maps(images), Direction.of(feature)), side)
        rows |= {"heatmap": np.rint(heat * 255).astype(np.uint8), "overlay": overlay(shown, heat)}
    for kind, row in rows.items():
        for column, pixels in zip(columns, row, strict=True):
            pictures.write_picture(folder / column[kind], pixels)
    finished = [column | {"attacked": float(value)} for column, value in zip(columns, activations, strict=True)]
    write_json(folder / "panel.json", plan | {"images": [asdict(PanelImage(**column)) for column in finished]})
