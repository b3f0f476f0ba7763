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
from barlow_core.wording import count

_LISTED = 5


def list_images(images_dir: Path) -> tuple[pd.DataFrame, list[str], Problems]:
    """List the images of a class-per-folder tree, in the order in which torchvision's ImageFolder numbers them.

    Files that are no images by their extension, and hidden ones, are left out without a word; folders that are hidden (.cache), or that
    only a Mac's archive has (__MACOSX), are left out wherever they lie, and noted with what they hold.

    Returns:
        table: columns path (relative POSIX path) and folder (the name of its class folder).
        folders: the class folders, sorted; one without images is a class all the same.
        problems: images that lie in no class folder; its notes have the folders left out and the classes without images.

    Raises:
        BarlowError: there is no class folder, or no image in any.
    """
    problems = Problems()
    hidden: list[str] = []
    folders = []
    for entry in sorted(os.scandir(images_dir), key=lambda entry: entry.name):
        if entry.is_dir():
            if _is_hidden(entry.name):
                hidden.append(entry.path)
            else:
                folders.append(entry.name)
    paths: list[str] = []
    of_path: list[str] = []
    for folder in folders:
        found = [name for root, names in _walk(images_dir / folder, hidden) for name in _images(root, names, images_dir)]
        paths += found
        of_path += [folder] * len(found)
    if not paths:
        raise BarlowError(
            f"{images_dir} has {len(folders)} folders and no image in any. Expected one folder per class, with images "
            f"({', '.join(sorted(EXTENSIONS))}). If the images are arranged differently, give a metadata CSV."
        )
    top = [entry.name for entry in os.scandir(images_dir) if entry.is_file()]
    for name in _images(str(images_dir), sorted(top), images_dir):
        problems.stray(name, None, "lies in no class folder, so it has no label")
    _note_left_out(images_dir, [os.path.relpath(folder, images_dir) for folder in hidden], problems)
    with_images = set(of_path)
    if empty := [folder for folder in folders if folder not in with_images]:
        shown = ", ".join(map(repr, empty[:_LISTED])) + (f" and {len(empty) - _LISTED:,} more" if len(empty) > _LISTED else "")
        problems.notes.append(f"{count(len(empty), 'class folder')} without an image: {shown}. A class all the same.")
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


def _is_hidden(name: str) -> bool:
    return name[0] == "." or name == "__MACOSX"


def _walk(folder: Path, hidden: list[str]) -> list[tuple[str, list[str]]]:
    """The folders below one and their files, sorted; hidden folders are added to `hidden` instead."""
    found = []
    for root, folders, names in os.walk(folder, followlinks=True):
        hidden += [os.path.join(root, name) for name in folders if _is_hidden(name)]  # noqa: PTH118
        folders[:] = [name for name in folders if not _is_hidden(name)]
        found.append((root, sorted(names)))
    return sorted(found)


def _note_left_out(images_dir: Path, hidden: list[str], problems: Problems) -> None:
    if not hidden:
        return
    n_images = sum(len(_images(root, names, images_dir)) for folder in hidden for root, _, names in os.walk(images_dir / folder))
    shown = ", ".join(hidden[:_LISTED]) + (f" and {len(hidden) - _LISTED:,} more" if len(hidden) > _LISTED else "")
    verb = "is" if len(hidden) == 1 else "are"
    problems.notes.append(f"{count(len(hidden), 'hidden folder')} with {count(n_images, 'image')} {verb} left out: {shown}.")


def _images(root: str, names: list[str], images_dir: Path) -> list[str]:
    prefix = Path(root).relative_to(images_dir).as_posix()
    prefix = "" if prefix == "." else f"{prefix}/"
    return [
        prefix + name
        for name in names
        if name[0] != "." and os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122
    ]
