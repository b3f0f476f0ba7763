"""Closing the circle: which images to collect for a failure mode, and which region of the training images to cover."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from barlow_core.benchmark.images import EXTENSIONS, open_image
from barlow_core.errors import BarlowError, ImageError
from barlow_core.extractors import Classifier, Extractor
from barlow_core.extractors.extractor import Preprocessing
from barlow_core.failure_tree import Condition
from barlow_core.interventions.kinds import DEPENDS
from barlow_core.interventions.record import interventions
from barlow_core.interventions.regions import feature_regions
from barlow_core.interventions.target import Target
from barlow_core.panels.pictures import weighted_maps
from barlow_core.panels.render import check_extractor
from barlow_core.prediction import match_classes
from barlow_core.progress import progress_bar
from barlow_core.run import Run
from barlow_core.storage.files import atomic_write

AT_ONCE = 64
COLLECT_COLUMNS = ("path", "prediction", "confidence", "value")


def check_confirmed(run: Run, target: Target) -> None:
    """Raise BarlowError where no intervention found that the model depends on the feature of a failure mode."""
    found = interventions(run, target.group, target.rule)
    own = [one for one in found if one.features == list(target.direction.features)]
    if not any(one.verdict == DEPENDS for one in own):
        said = f"The verdict is “{own[0].verdict}”" if own else "It was not tested"
        raise BarlowError(
            f"It is not established that the model depends on the feature of {target.group}, {target.rule}. {said}. Test it with `barlow "
            "intervene`, or go on all the same with --unconfirmed."
        )


def images_to_collect(
    run: Run, model: Classifier, extractor: Extractor, target: Target, folder: Path, *, progress: bool = False
) -> pd.DataFrame:
    """Unlabelled images for which the rule says that the model would fail, the least sure first: worth labelling and training on.

    Args:
        folder: of images, at any depth; what cannot be opened is left out.

    Returns:
        `COLLECT_COLUMNS`: path relative to `folder`, what the model predicts and how sure it is (the softmax among the classes of the
        run), and the value of the feature. Of a group by prediction, only images that are predicted so. Conditions of the rule on
        metadata are not looked at.

    Raises:
        BarlowError: the folder is missing or holds no image; another extractor.
    """
    check_extractor(run, extractor)
    names = run.benchmark.class_names
    columns, _ = match_classes(model, names)
    grouping, _, class_name = target.group.partition(":")
    conditions = [one for one in target.conditions if isinstance(one, Condition)]
    rows: list[dict[str, Any]] = []
    for paths, (seen, asked) in _batches(folder, extractor.preprocess, model.preprocess, progress=progress, what="images"):
        with torch.inference_mode():
            features = extractor.features(seen).cpu().numpy()
            confidence, predicted = model.logits(asked)[:, columns].double().softmax(dim=1).max(dim=1)
        values = target.direction.values(features)
        holds = (values > target.threshold) == target.above
        for condition in conditions:
            holds &= condition.holds(features)
        for i in np.flatnonzero(holds):
            prediction = names[int(predicted[i])]
            if grouping != "prediction" or prediction == class_name:
                rows.append(
                    {
                        "path": paths[i].relative_to(folder).as_posix(),
                        "prediction": prediction,
                        "confidence": float(confidence[i]),
                        "value": float(values[i]),
                    }
                )
    table = pd.DataFrame(rows, columns=list(COLLECT_COLUMNS))
    return table.sort_values(["confidence", "path"], kind="stable", ignore_index=True)


def training_masks(
    extractor: Extractor, target: Target, folder: Path, out: Path, *, threshold: float = 0.5, progress: bool = False
) -> list[str]:
    """Write a mask for every training image in which the feature is strong: white where it looks, black elsewhere.

    Args:
        folder: of training images, at any depth.
        out: gets the masks, as PNG of the size of the image, under its relative path.
        threshold: of the heatmap, which is scaled to [0, 1].

    Returns:
        The relative paths of the images that have one.

    Raises:
        BarlowError: the folder is missing or holds no image; an extractor without feature maps.
    """
    if extractor.without_maps is not None:
        raise BarlowError(f"A mask is where a feature looks, and {extractor.name} has no feature maps: {extractor.without_maps}.")
    written = []
    for paths, (seen,) in _batches(folder, extractor.preprocess, progress=progress, what="masks"):
        for path, region in zip(paths, masks_of(extractor, target, seen, threshold=threshold), strict=True):
            if not region.any():
                continue
            name = path.relative_to(folder)
            with Image.open(path) as picture:
                mask = _at_size(region, extractor.preprocess, picture.size)
            with atomic_write(out / name.with_suffix(".png")) as temporary:
                mask.save(temporary, format="PNG")
            written.append(name.as_posix())
    return written


def masks_of(extractor: Extractor, target: Target, seen: Tensor, *, threshold: float = 0.5) -> np.ndarray:
    """(n, S, S) bool: where the feature of a target looks in images (n, 3, S, S) in [0, 1]; nothing where it is weak."""
    with torch.inference_mode():
        strong = target.direction.values(extractor.features(seen).cpu().numpy()) > target.threshold
        maps = weighted_maps(extractor.feature_maps(seen).cpu(), target.direction)
    return feature_regions(maps, extractor.image_size, threshold) & strong[:, None, None]


def _at_size(region: np.ndarray, seen: Preprocessing, size: tuple[int, int]) -> Image.Image:
    """A region of what an extractor sees, in the picture of `size` (width, height) that it comes from."""
    side = round(seen.image_size * min(size) / seen.resize)
    scaled = Image.fromarray(region.astype(np.uint8) * 255).resize((side, side), Image.Resampling.NEAREST)
    mask = Image.new("L", size)
    mask.paste(scaled, ((size[0] - side) // 2, (size[1] - side) // 2))
    return mask


def _batches(folder: Path, *views: Preprocessing, progress: bool, what: str) -> Iterator[tuple[list[Path], list[Tensor]]]:
    """Images of a folder, some at a time: their paths, and for each of `views` (n, 3, S, S)."""
    if not folder.is_dir():
        raise BarlowError(f"{folder} is not a folder. Expected one with images.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    if not paths:
        raise BarlowError(f"{folder} holds no image ({', '.join(sorted(EXTENSIONS))}).")
    with progress_bar(total=len(paths), desc=what, unit="image", shown=progress) as bar:
        for start in range(0, len(paths), AT_ONCE):
            part = paths[start : start + AT_ONCE]
            opened = [(path, picture) for path in part if (picture := _opened(path)) is not None]
            if opened:
                yield [path for path, _ in opened], [torch.stack([view(one) for _, one in opened]) for view in views]
            bar.update(len(part))


def _opened(path: Path) -> Image.Image | None:
    try:
        return open_image(path)
    except ImageError:
        return None


def covered(pixels: np.ndarray, regions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Training images with regions covered by noise in the colours of the rest of each image, so that nothing can be learnt from them.

    Args:
        pixels: (n, H, W, 3) uint8; regions: (n, H, W) bool.

    Returns:
        (n, H, W, 3) uint8; the other pixels as they were.
    """
    changed = pixels.copy()
    for one, region in zip(changed, regions, strict=True):
        rest = one[~region]
        if region.any() and len(rest):
            one[region] = rest[rng.integers(0, len(rest), int(region.sum()))]
    return changed
