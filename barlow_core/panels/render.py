"""Making panels: most activating images, heatmaps, feature attacks, written so that an interruption loses nothing whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from barlow_core.benchmark.images import open_image
from barlow_core.directions import Direction
from barlow_core.engine import cores
from barlow_core.errors import BarlowError
from barlow_core.groups import Group
from barlow_core.panels import pictures
from barlow_core.panels.attack import attack_networks, attack_together
from barlow_core.panels.attack_steps import batch_size
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
    early_stop: float | None = None,
    source: str = "group",
    end: str = "highest",
    skip: int = 0,
    exact: bool = False,
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
        early_stop: see `feature_attack`.
        source: "group" searches the most activating images in the group, "benchmark" in all images.
        end, skip: the images from the `skip`-th on in the order of activation, the highest or the lowest first. Panels that do not
            begin with the most activating image lie beside the one that does.
        exact: see `feature_attack`. Panels that are there already count, whichever way they were made.
        overwrite: make them again all the same.
        on_step: called after every step of an attack, see `feature_attack`.

    Raises:
        BarlowError: another extractor, a feature or source that does not exist, an empty group, an image that
        is gone.

    Cost: 2 * steps passes of k images through the network for each panel. Several panels are attacked at once where that keeps all
    cores, or a GPU, at work.
    """
    check_extractor(run, extractor)
    side = extractor.image_size
    steps = default_steps(side) if steps is None else steps
    attack = attack_settings(side, side, steps=steps, step_size=step_size, epsilon=epsilon, early_stop=early_stop)
    groups = [
        (find_group(run, group), feature if isinstance(feature, Direction) else int(feature)) for group, feature in requests
    ]
    which: dict[str, Any] = {"end": end, "skip": skip}
    plans = [
        plan_panel(run, group, feature, k=k, source=source, attack=attack, image_size=side, **which) for group, feature in groups
    ]
    folders = [panel_folder(run, group, feature, **which) for group, feature in groups]
    todo = {
        folder: (feature, plan)
        for folder, (_, feature), plan in zip(folders, groups, plans, strict=True)
        if overwrite or not is_made(folder, plan)
    }
    if todo:
        with run.lock():
            _sweep(run)
            together = _panels_at_once(extractor, k)
            waiting = [_Unmade(folder, feature, plan) for folder, (feature, plan) in todo.items()]
            how: dict[str, Any] = {"exact": exact, "progress": progress, "on_step": on_step}
            with progress_bar(total=len(waiting), desc="visualize", unit="panel", shown=progress) as bar:
                for start in range(0, len(waiting), together):
                    _make(run, extractor, waiting[start : start + together], bar.update, **how)
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
    early_stop: float | None = None,
    source: str = "group",
    exact: bool = False,
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
        early_stop=early_stop,
        source=source,
        exact=exact,
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
                precision=sorted({panel.precision for panel in panels}),
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


class _Unmade(NamedTuple):
    """A panel that is to be made: where, of what, and all that decides how it looks."""

    folder: Path
    feature: int | Direction
    plan: dict[str, Any]


def _panels_at_once(extractor: Extractor, k: int) -> int:
    """How many panels of `k` images to attack at a time: enough for all cores, or for one batch of a GPU."""
    images = batch_size(extractor.device, extractor.image_size, extractor.image_size)
    return max(1, images * (cores() if extractor.device.type == "cpu" else 1) // k)


def _make(
    run: Run,
    extractor: Extractor,
    panels: Sequence[_Unmade],
    made: Callable[[], object],
    *,
    exact: bool,
    progress: bool,
    on_step: Callable[[int, int], None] | None,
) -> None:
    """Make panels beside their places and move them there when they are complete."""
    unfinished = [run.panels_path / f".{panel.folder.parent.name}-{panel.folder.name}" for panel in panels]
    try:
        for place in unfinished:
            place.mkdir(parents=True)
        images = [_images(run, extractor, panel.plan) for panel in panels]
        requests = [(shown, panel.feature) for shown, panel in zip(images, panels, strict=True)]
        attack = panels[0].plan["attack"]
        attacked = attack_together(extractor, requests, **attack, exact=exact, progress=progress, on_step=on_step)
        precision = attack_networks(extractor, exact=exact)[0].execution.precision
        for place, panel, shown, result in zip(unfinished, panels, images, attacked, strict=True):
            _write(extractor, place, panel, shown, *result, precision)
            panel.folder.parent.mkdir(exist_ok=True)
            # A folder cannot replace another in one step; in between there is no panel, which the next call would
            # make.
            if panel.folder.exists():
                shutil.rmtree(panel.folder)
            place.rename(panel.folder)
            made()
    finally:
        for place in unfinished:
            shutil.rmtree(place, ignore_errors=True)


def _images(run: Run, extractor: Extractor, plan: dict[str, Any]) -> torch.Tensor:
    paths = [run.benchmark.paths[column["index"]] for column in plan["images"]]
    return torch.stack([extractor.preprocess(open_image(path)) for path in paths])


def _write(
    extractor: Extractor,
    folder: Path,
    panel: _Unmade,
    images: torch.Tensor,
    attacked: torch.Tensor,
    activations: torch.Tensor,
    precision: str,
) -> None:
    plan = panel.plan
    columns, side = plan["images"], plan["display"]["size"]
    shown = pictures.enlarge(pictures.to_pixels(images), side)
    rows = {
        "image": shown,
        "attack": pictures.enlarge(pictures.to_pixels(attacked), side),
    }
    if extractor.without_maps is None:
        with torch.no_grad():
            heat = heatmaps(weighted_maps(extractor.feature_maps(images), Direction.of(panel.feature)), side)
        rows |= {"heatmap": np.rint(heat * 255).astype(np.uint8), "overlay": overlay(shown, heat)}
    for kind, row in rows.items():
        for column, pixels in zip(columns, row, strict=True):
            pictures.write_picture(folder / column[kind], pixels)
    finished = [column | {"attacked": float(value)} for column, value in zip(columns, activations, strict=True)]
    found = {"precision": precision, "images": [asdict(PanelImage(**column)) for column in finished]}
    write_json(folder / "panel.json", plan | found)
