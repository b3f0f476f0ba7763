"""A feature attack on one image, frame by frame as files: how the picture changes while the feature rises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.panels import pictures
from barlow_core.panels.overlays import check_place, seen
from barlow_core.panels.picture_cache import cache_folder, trim
from barlow_core.panels.settings import AttackSettings, attack_settings, default_steps
from barlow_core.run import Run, digest
from barlow_core.storage.files import atomic_write, write_json

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

FORMAT = 1


class Frames(NamedTuple):
    """The attack of a feature on one image.

    Attributes:
        table: step, distance (l2 from the original, for pixels in [0, 1]), activation, path (of the picture); step 0 first.
        attack: how far it was to go.
    """

    table: pd.DataFrame
    attack: AttackSettings


def make_frames(
    run: Run,
    extractor: Extractor,
    position: int,
    feature: int,
    *,
    frames: int = 5,
    steps: int | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Frames:
    """Attack a feature of one image and keep the picture at `frames` steps that lie evenly, the first and the last included.

    Args:
        extractor: the one that made the features of the run.
        steps: of the attack; None for those of the panels (`default_steps`).
        on_step: called after every step, see `panels.feature_attack`.

    Raises:
        BarlowError: another extractor, an image or feature that does not exist, fewer than 2 frames.
        ImageError: the file of the image is missing or damaged.
    """
    from barlow_core.panels.attack import feature_attack_frames
    from barlow_core.panels.render import check_extractor

    check_extractor(run, extractor)
    check_place(run, position, feature)
    found = found_frames(run, position, feature, frames=frames, steps=steps)
    if found is not None:
        return found
    record = _record(run, position, feature, frames, steps)
    size = extractor.image_size
    steps_to_take = default_steps(size) if steps is None else steps
    image = seen(run, extractor, position)[None]
    side = pictures.looking_size(size)
    rows = []
    for frame in feature_attack_frames(extractor, image, feature, frames=frames, steps=steps_to_take, on_step=on_step):
        file = f"{record.stem}-{frame.step}{pictures.suffix(size)}"
        with atomic_write(record.with_name(file)) as temporary:
            pictures.write_picture(temporary, pictures.enlarge(pictures.to_pixels(frame.images), side)[0])
        rows.append(
            {"step": frame.step, "distance": float(frame.distances[0]), "activation": float(frame.activations[0]), "file": file}
        )
    write_json(record, {"attack": attack_settings(size, size, steps=steps_to_take), "frames": rows})
    trim(record.parent)
    made = found_frames(run, position, feature, frames=frames, steps=steps)
    if made is None:
        raise BarlowError(f"The frames of feature {feature} were deleted while they were made. Make them again.")
    return made


def found_frames(run: Run, position: int, feature: int, *, frames: int = 5, steps: int | None = None) -> Frames | None:
    """The frames that were made before, for the same `frames` and `steps`; no network is needed."""
    record = _record(run, position, feature, frames, steps)
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
        table = pd.DataFrame(stored["frames"])
        table["path"] = pd.Series([record.with_name(file) for file in table.pop("file")], dtype=object)
        attack: AttackSettings = stored["attack"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Frames(table, attack) if all(path.is_file() for path in table["path"]) else None


def _record(run: Run, position: int, feature: int, frames: int, steps: int | None) -> Path:
    key = digest(FORMAT, run.require("extract")["key"])
    return cache_folder(run) / "frames" / f"{key[:12]}-{position}-{feature}-{frames}-{'default' if steps is None else steps}.json"
