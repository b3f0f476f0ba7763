"""The heatmap of any feature over any one image of a run, made when somebody asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from barlow_core.benchmark.images import open_image
from barlow_core.errors import BarlowError
from barlow_core.panels import pictures
from barlow_core.panels.picture_cache import cache_folder, trim
from barlow_core.run import Run, digest
from barlow_core.storage.files import atomic_write, write_json

if TYPE_CHECKING:
    import torch

    from barlow_core.extractors import Extractor

FORMAT = 1


class Overlay(NamedTuple):
    """A feature in one image, as files of the same size.

    Attributes:
        image: the image as the extractor sees it (cut to its square, enlarged where small).
        heatmap: where the feature responds, grey, white most; overlay: the same laid over the image.
        activation: of the feature in the image, as the extractor gives it now.
        side: of the pictures, in pixels.
    """

    image: Path
    heatmap: Path
    overlay: Path
    activation: float
    side: int


def overlay(run: Run, extractor: Extractor, position: int, feature: int) -> Overlay:
    """The heatmap of `feature` in the image at `position` of the benchmark; see `overlays`."""
    return overlays(run, extractor, position, [feature])[0]


def overlays(run: Run, extractor: Extractor, position: int, features: Iterable[int]) -> list[Overlay]:
    """The heatmaps of some features in one image, made where they are not there already.

    Args:
        extractor: the one that made the features of the run.

    Raises:
        BarlowError: another extractor, a position or feature that does not exist.
        ImageError: the file of the image is missing or damaged.

    Cost: one pass of one image through the network for all of them.
    """
    import torch

    from barlow_core.panels.render import check_extractor

    check_extractor(run, extractor)
    if extractor.without_maps is not None:
        raise BarlowError(
            f"{extractor.name} has no heatmaps: {extractor.without_maps}. Features of another layer may have some: barlow extract --layer."
        )
    wanted = list(features)
    for feature in wanted:
        check_place(run, position, feature)
    missing = [feature for feature in dict.fromkeys(wanted) if found_overlay(run, position, feature) is None]
    if missing:
        image = seen(run, extractor, position)
        side = pictures.looking_size(extractor.image_size)
        with torch.no_grad():
            heat = pictures.heatmaps(extractor.feature_maps(image[None])[0, missing], side)
        shown = pictures.enlarge(pictures.to_pixels(image[None]), side)
        laid_over = pictures.overlay(np.repeat(shown, len(missing), axis=0), heat)
        suffix = pictures.suffix(extractor.image_size)
        for i, feature in enumerate(missing):
            record = _record(run, position, feature)
            shades = np.rint(heat[i] * 255).astype(np.uint8)
            files = {}
            for kind, pixels in (("image", shown[0]), ("heatmap", shades), ("overlay", laid_over[i])):
                files[kind] = f"{record.stem}-{kind}{'.png' if kind == 'heatmap' else suffix}"
                with atomic_write(record.with_name(files[kind])) as temporary:
                    pictures.write_picture(temporary, pixels)
            write_json(record, files | {"activation": float(run.features()[position, feature]), "side": side})
        trim(record.parent)
    made = [found_overlay(run, position, feature) for feature in wanted]
    return [one for one in made if one is not None]


def found_overlay(run: Run, position: int, feature: int) -> Overlay | None:
    """The heatmap of `feature` in the image at `position`, where it was made before; no network is needed."""
    record = _record(run, position, feature)
    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
        files = {kind: record.with_name(stored[kind]) for kind in ("image", "heatmap", "overlay")}
        found = Overlay(**files, activation=float(stored["activation"]), side=int(stored["side"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if all(path.is_file() for path in files.values()) else None


def seen(run: Run, extractor: Extractor, position: int) -> torch.Tensor:
    """One image of the benchmark as the extractor sees it, (3, H, W) in [0, 1]."""
    return extractor.preprocess(open_image(run.benchmark.images_dir / run.benchmark.names[position]))


def check_place(run: Run, position: int, feature: int) -> None:
    """Raise BarlowError where there is no such image or feature."""
    n_images, n_features = run.features().shape
    for what, value, n in (("image", position, n_images), ("feature", feature, n_features)):
        if not 0 <= value < n:
            raise BarlowError(f"{what.capitalize()} {value} does not exist. Expected an index from 0 to {n - 1}.")


def _record(run: Run, position: int, feature: int) -> Path:
    key = digest(FORMAT, run.require("extract")["key"], pictures.COLORMAP, pictures.HEAT)
    return cache_folder(run) / "overlays" / f"{key[:12]}-{position}-{feature}.json"
