"""Class-per-folder trees: ImageNet's layout and torchvision's ImageFolder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.benchmark.class_names import Classes, ClassNames, encode, imagenet_classes, read_class_names
from barlow_core.benchmark.images import EXTENSIONS
from barlow_core.benchmark.problems import Problems
from barlow_core.errors import BarlowError


def list_images(images_dir: Path) -> tuple[pd.DataFrame, list[str], Problems]:
    """List the images of a class-per-folder tree, in the order in which torchvision's ImageFolder numbers them.

    Files that are no images by their extension, and hidden ones, are left out without a word.

    Returns:
        table: columns path (relative POSIX path) and folder (the name of its class folder).
        folders: the class folders, sorted; one without images is a class all the same.
        problems: images that lie in no class folder.

    Raises:
        BarlowError: there is no class folder, or no image in any.
    """
    problems = Problems()
    folders = sorted(entry.name for entry in os.scandir(images_dir) if entry.is_dir() and entry.name[0] != ".")
    paths: list[str] = []
    of_path: list[str] = []
    for folder in folders:
        found = [name for root, names in _walk(images_dir / folder) for name in _images(root, names, images_dir)]
        paths += found
        of_path += [folder] * len(found)
    if not paths:
        raise BarlowError(
            f"{images_dir} has {len(folders)} folders and no image in any. Expected one folder a class, with images "
            f"({', '.join(sorted(EXTENSIONS))}). Give a metadata CSV where the images lie otherwise."
        )
    top = [entry.name for entry in os.scandir(images_dir) if entry.is_file()]
    for name in _images(str(images_dir), sorted(top), images_dir):
        problems.stray(name, None, "lies in no class folder, so it has no label")
    table = pd.DataFrame({"path": pd.Series(paths, dtype="str"), "folder": pd.Series(of_path, dtype="str")})
    return table, folders, problems


def name_folders(images_dir: Path, folders: list[str], class_names: ClassNames | None) -> tuple[Classes, dict[str, int]]:
    """Decide which class each folder is.

    Without class names, folders that are all WordNet ids of ImageNet have the 1,000 classes of ImageNet, any others
    their own names in sorted order. With class names, a folder is its name, its WordNet id or its index among them;
    where no folder is, and there are as many names as folders, they are names in the order of the sorted folders.

    Returns:
        classes: as from `class_names.read_class_names`.
        of_folder: folder -> class index.

    Raises:
        BarlowError: a folder is not among the classes.
    """
    if class_names is None:
        class_names = "imagenet" if set(folders) <= set(imagenet_classes()["wnid"]) else folders
    names, lookup = read_class_names(class_names)
    indices, reasons = encode(pd.Series(folders, dtype="str"), "folder", names, lookup)
    if len(reasons) == len(folders) == len(names):
        in_order = {folder: index for index, folder in enumerate(folders)}
        return (names, lookup | in_order), in_order
    if reasons:
        raise BarlowError(
            f"{images_dir}: {len(reasons)} of {len(folders)} class folders have no name; {next(iter(reasons.values()))}. "
            "Expected each folder to be a name, a WordNet id or an index among the class names. Correct the names."
        )
    return (names, lookup), dict(zip(folders, indices.tolist(), strict=True))


def refuse_ambiguous(folders: list[str], names: list[str], predictions: np.ndarray) -> None:
    """Refuse indices (N,) or scores (N, K) where the folders alone do not tell which index is which class.

    Raises:
        BarlowError: they may count the folders or ImageNet's classes; or the folders as texts or as numbers.
    """
    if predictions.dtype.kind in "UOT" or predictions.size == 0:
        return
    n_classes = predictions.shape[1] if predictions.ndim == 2 else 1 + np.nanmax(predictions, initial=0)
    if len(folders) < len(names) and n_classes <= len(folders):
        raise BarlowError(
            f"The predictions may be indices among the {len(folders)} folders or among ImageNet's {len(names):,} "
            'classes. Expected class names that say which. Pass "imagenet", or the names of the folders in order.'
        )
    if all(folder.isdecimal() for folder in folders) and sorted(folders, key=int) != folders:
        raise BarlowError(
            f"The predictions are indices, and the folders {', '.join(folders[:3])}, … are numbers whose order as text "
            "is another one. Expected class names that say which index is which folder. Pass them."
        )


def _walk(folder: Path) -> list[tuple[str, list[str]]]:
    return sorted((root, sorted(names)) for root, _, names in os.walk(folder, followlinks=True))


def _images(root: str, names: list[str], images_dir: Path) -> list[str]:
    prefix = Path(root).relative_to(images_dir).as_posix()
    prefix = "" if prefix == "." else f"{prefix}/"
    return [
        prefix + name
        for name in names
        if name[0] != "." and os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122
    ]
