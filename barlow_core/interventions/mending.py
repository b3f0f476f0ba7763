"""Closing the circle: which images to collect for a failure mode, and which region of the training images to cover."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image, to_tensor

from barlow_core.benchmark.images import EXTENSIONS, open_image
from barlow_core.errors import BarlowError, ImageError
from barlow_core.extractors import Classifier, Extractor
from barlow_core.extractors.extractor import Preprocessing
from barlow_core.failure_tree import Condition
from barlow_core.interventions.kinds import DEPENDS
from barlow_core.interventions.record import interventions
from barlow_core.interventions.regions import feature_regions, filled, widened
from barlow_core.interventions.target import Target
from barlow_core.panels.pictures import weighted_maps
from barlow_core.panels.render import check_extractor
from barlow_core.prediction import match_classes
from barlow_core.progress import progress_bar
from barlow_core.run import Run
from barlow_core.storage.files import atomic_write

AT_ONCE = 64
COLLECT_COLUMNS = ("path", "prediction", "confidence", "value")
MASK_COLUMNS = ("path", "mask", "area", "value", "value_covered")
GROWING = (0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05)  # of the heatmap: where a mask begins, and how it grows


def check_confirmed(run: Run, target: Target) -> None:
    """Raise BarlowError where no intervention found that the model depends on the feature of a failure mode."""
    found = interventions(run, target.group)
    own = [one for one in found if (one.info["target"]["rule"], one.features) == (target.rule, list(target.direction.features))]
    if any(one.verdict == DEPENDS for one in own):
        return
    others = [one.info["target"]["name"] for one in found if one.verdict == DEPENDS]
    elsewhere = f" In this group it does for {'; '.join(others)}." if others else ""
    what = "the feature" if len(target.direction.features) == 1 else "the sum of features"
    start = f"It is not established that the model depends on {what} of {target.group}, {target.rule} ({target.name})."
    if own:
        raise BarlowError(f"{start} The verdict is “{own[0].verdict}”.{elsewhere} Go on all the same with --unconfirmed.")
    raise BarlowError(
        f"{start} It was not tested.{elsewhere} Go on all the same with --unconfirmed, or test it: "
        + shlex.join(["barlow", "intervene", str(run.path), target.group, *target.options])
    )


def images_to_collect(
    run: Run,
    model: Classifier,
    extractor: Extractor,
    target: Target,
    folder: Path,
    *,
    progress: bool = False,
    unreadable: list[Path] | None = None,
) -> pd.DataFrame:
    """Unlabelled images for which the rule says that the model would fail, the least sure first: worth labelling and training on.

    Args:
        folder: of images, at any depth; what cannot be opened is left out.
        unreadable: gets those.

    Returns:
        `COLLECT_COLUMNS`: path relative to `folder`, what the model predicts and how sure it is (the softmax among the classes of the
        run), and the value of the feature. Only images that may be of the group, as far as the model can say (`_may_be_of`). Conditions
        of the rule on metadata are not looked at.

    Raises:
        BarlowError: the folder is missing or holds no image; another extractor.
    """
    check_extractor(run, extractor)
    names = run.benchmark.class_names
    columns, _ = match_classes(model, names)
    conditions = [one for one in target.conditions if isinstance(one, Condition)]
    rows: list[dict[str, Any]] = []
    views = (extractor.preprocess, model.preprocess)
    for paths, (seen, asked) in _batches(images_in(folder), *views, progress=progress, what="images", unreadable=unreadable):
        with torch.inference_mode():
            features = extractor.features(seen).cpu().numpy()
            probabilities = model.logits(asked)[:, columns].double().softmax(dim=1).cpu().numpy()
        guesses = np.argsort(-probabilities, axis=1, kind="stable")
        values = target.direction.values(features)
        holds = (values > target.threshold) == target.above
        for condition in conditions:
            holds &= condition.holds(features)
        holds &= _may_be_of(target.group, names, guesses)
        for i in np.flatnonzero(holds):
            rows.append(
                {
                    "path": paths[i].relative_to(folder).as_posix(),
                    "prediction": names[guesses[i, 0]],
                    "confidence": float(probabilities[i].max()),
                    "value": float(values[i]),
                }
            )
    table = pd.DataFrame(rows, columns=list(COLLECT_COLUMNS))
    return table.sort_values(["confidence", "path"], kind="stable", ignore_index=True)


def _may_be_of(group: str, names: Sequence[str], guesses: np.ndarray) -> np.ndarray:
    """(n,) bool: images that may be of a group, by the classes (n, K) that the model guesses, its first guess first.

    Of a group by prediction, those that are predicted so; of a pair, those predicted as either. Of a group by label nobody knows them:
    where the class is the first or the second guess. A rule such as "the horse's back is weak" holds for most images of anything,
    and without this the list would be most of the folder.
    """
    grouping, _, name = group.partition(":")
    if grouping == "pair":
        pair = next((one, name[len(one) + 1 :]) for one in names if name.startswith(f"{one}+") and name[len(one) + 1 :] in names)
        return np.asarray(np.isin(guesses[:, 0], [names.index(one) for one in pair]))
    looked_at = {"prediction": 1, "label": 2, "union": 2}.get(grouping)
    if looked_at is None:  # of metadata or a list of images the model knows nothing
        return np.ones(len(guesses), dtype=bool)
    return np.asarray((guesses[:, :looked_at] == names.index(name)).any(axis=1))


def training_masks(
    extractor: Extractor,
    target: Target,
    folder: Path,
    out: Path,
    *,
    threshold: float | None = None,
    painted: Path | None = None,
    progress: bool = False,
    unreadable: list[Path] | None = None,
) -> pd.DataFrame:
    """Write a mask for every training image in which the feature is strong: white is what to cover, black what stays.

    The mask grows, image by image, until the feature is as weak without what lies under it as it typically is where it is weak
    (`weakening_regions`).

    Args:
        folder: of training images, at any depth; what cannot be opened is left out.
        out: gets the masks, as PNG of the size of the upright image, under its relative path (with its ending before ".png" where
            another image has the same name and another ending). It appears with all masks at once, and takes the place of an older one.
        threshold: of the heatmap, which is scaled to [0, 1]; the mask is then where it is at least this, and does not grow.
        painted: a folder for the images themselves, as PNG, with what lies under the mask painted over; likewise.
        unreadable: gets the images that cannot be opened.

    Returns:
        `MASK_COLUMNS`, a row a mask: path relative to `folder`, mask relative to `out`, the share of what the extractor sees that the mask covers, and the value
        of the feature before and after painting over what lies under it.

    Raises:
        BarlowError: the folder is missing or holds no image; an extractor without feature maps.
    """
    if extractor.without_maps is not None:
        raise BarlowError(f"A mask is where a feature looks, and {extractor.name} has no feature maps: {extractor.without_maps}.")
    found, values = images_in(folder), []
    names = _mask_names([path.relative_to(folder) for path in found])
    paths: list[Path] = []
    for some, (seen,) in _batches(found, extractor.preprocess, progress=progress, what="features", unreadable=unreadable):
        paths += some
        values.append(_values(extractor, target, seen))
    known = np.concatenate(values) if values else np.zeros(0)
    weak = typically_weak(target, known)
    strong = np.flatnonzero(known > target.threshold)
    rows: list[tuple[str, str, float, float, float]] = []
    with _replaced(out) as masks, _replaced(painted) as paintings:
        for some, (seen,) in _batches([paths[i] for i in strong], extractor.preprocess, progress=progress, what="masks"):
            if threshold is None:
                regions, after = weakening_regions(extractor, target, seen, weak)
            else:
                regions = feature_regions(_maps(extractor, target, seen), extractor.image_size, threshold)
                after = _values(extractor, target, painted_over(seen, regions))
            for path, region, before, now in zip(some, regions, _values(extractor, target, seen), after, strict=True):
                if region.any():
                    relative, picture = path.relative_to(folder), open_image(path)
                    name = names[relative]
                    mask = _at_size(region, extractor.preprocess, picture.size)
                    _write(mask, masks / name)
                    if painted is not None:
                        pixels = painted_over(to_tensor(picture)[None], np.asarray(mask)[None] > 0)
                        _write(to_pil_image(pixels[0]), paintings / name)
                    rows.append((relative.as_posix(), name.as_posix(), float(region.mean()), float(before), float(now)))
    return pd.DataFrame(rows, columns=list(MASK_COLUMNS))


def _mask_names(paths: Sequence[Path]) -> dict[Path, Path]:
    """The name of the mask of each image: with the ending .png, and its own before that where two would have the same."""
    stems = Counter(path.with_suffix("") for path in paths)
    return {
        path: path.with_suffix(".png") if stems[path.with_suffix("")] == 1 else path.with_name(f"{path.name}.png")
        for path in paths
    }


@contextmanager
def _replaced(folder: Path | None) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `folder` when all is well: what an interrupted call left is never taken for all."""
    if folder is None:
        yield Path()
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        filled = Path(temporary) / folder.name
        filled.mkdir()
        yield filled
        shutil.rmtree(folder, ignore_errors=True)
        filled.rename(folder)


def typically_weak(target: Target, values: np.ndarray) -> float:
    """The median of the feature over those of the images, with `values` (n,), in which it is weak; the threshold where it is so in none."""
    weak = values[values <= target.threshold]
    return float(np.median(weak)) if len(weak) else target.threshold


def weakening_regions(extractor: Extractor, target: Target, seen: Tensor, weak: float) -> tuple[np.ndarray, np.ndarray]:
    """Without which region of each image is its feature weak? The smallest of a row of ever larger ones.

    The row: where the heatmap is at least 0.5, 0.35, ... (`GROWING`), and half a cell of the feature map around that, since a cell
    says something of all pixels that it was made from. Each is painted over from its surroundings, and the extractor asked again,
    until the feature is at most `weak`; where that is never so, it is the largest.

    Args:
        seen: (n, 3, S, S) in [0, 1].

    Returns:
        (n, S, S) bool, and the values (n,) of the feature in the images that are painted over.
    """
    maps = _maps(extractor, target, seen)
    margin = round(extractor.image_size / maps.shape[-1] / 2)
    regions = np.zeros((len(seen), extractor.image_size, extractor.image_size), dtype=bool)
    after = np.full(len(seen), np.inf)
    for threshold in GROWING:
        left = np.flatnonzero(after > weak)
        if not len(left):
            break
        regions[left] = widened(feature_regions(maps[left], extractor.image_size, threshold), margin)
        after[left] = _values(extractor, target, painted_over(seen[left], regions[left]))
    return regions, after


def painted_over(images: Tensor, regions: np.ndarray) -> Tensor:
    """Images (n, 3, H, W) in [0, 1] with regions (n, H, W) bool painted over from their surroundings."""
    return filled(images, regions, "inpaint", [1.0], np.random.default_rng(0))[0]


def _values(extractor: Extractor, target: Target, seen: Tensor) -> np.ndarray:
    with torch.inference_mode():
        return target.direction.values(extractor.features(seen).cpu().numpy())


def _maps(extractor: Extractor, target: Target, seen: Tensor) -> Tensor:
    with torch.inference_mode():
        return weighted_maps(extractor.feature_maps(seen).cpu(), target.direction)


def _write(picture: Image.Image, path: Path) -> None:
    with atomic_write(path) as temporary:
        picture.save(temporary, format="PNG")


def _at_size(region: np.ndarray, seen: Preprocessing, size: tuple[int, int]) -> Image.Image:
    """A region of what an extractor sees, in the picture of `size` (width, height) that it comes from."""
    side = round(seen.image_size * min(size) / seen.resize)
    scaled = Image.fromarray(region.astype(np.uint8) * 255).resize((side, side), Image.Resampling.NEAREST)
    mask = Image.new("L", size)
    mask.paste(scaled, ((size[0] - side) // 2, (size[1] - side) // 2))
    return mask


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, at any depth, in order.

    Raises:
        BarlowError: it is missing, or holds none.
    """
    if not folder.is_dir():
        raise BarlowError(f"{folder} is not a folder. Expected one with images.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())
    if not paths:
        raise BarlowError(f"{folder} holds no image ({', '.join(sorted(EXTENSIONS))}).")
    return paths


def _batches(
    paths: Sequence[Path], *views: Preprocessing, progress: bool, what: str, unreadable: list[Path] | None = None
) -> Iterator[tuple[list[Path], list[Tensor]]]:
    """Images that can be opened, some at a time: their paths, and for each of `views` (n, 3, S, S); `unreadable` gets the others."""
    with progress_bar(total=len(paths), desc=what, unit="image", shown=progress) as bar:
        for start in range(0, len(paths), AT_ONCE):
            part = paths[start : start + AT_ONCE]
            opened = {path: _opened(path) for path in part}
            fine = {path: picture for path, picture in opened.items() if picture is not None}
            if unreadable is not None:
                unreadable += [path for path in part if path not in fine]
            if fine:
                yield list(fine), [torch.stack([view(one) for one in fine.values()]) for view in views]
            bar.update(len(part))


def _opened(path: Path) -> Image.Image | None:
    try:
        return open_image(path)
    except ImageError:
        return None
