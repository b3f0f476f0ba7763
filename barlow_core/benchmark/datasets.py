"""Any torch Dataset of images and labels as image files that people can look at."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from barlow_core.benchmark.class_names import imagenet_classes, read_class_names
from barlow_core.benchmark.images import open_image, to_rgb
from barlow_core.benchmark.problems import Problems
from barlow_core.errors import BarlowError
from barlow_core.progress import progress_bar


def files_in_place(dataset: Any, images_dir: str | Path) -> tuple[Path, pd.DataFrame] | None:
    """Use the files of a dataset like torchvision's ImageFolder (`samples`: path and label) where they are.

    Returns:
        The folder that all files lie in (`images_dir`, or else the dataset's own root), and the columns path and label;
        None where the dataset has no such files.
    """
    samples = getattr(dataset, "samples", None)
    if not isinstance(samples, Sequence) or not samples or not isinstance(samples[0], Sequence):
        return None
    if not isinstance(samples[0][0], str | os.PathLike):
        return None
    # abspath, not resolve: a link inside the tree may lead out of it
    files = [os.path.abspath(sample[0]) for sample in samples]  # noqa: PTH100
    candidates = [
        images_dir,
        getattr(dataset, "root", images_dir),
        os.path.commonpath(map(os.path.dirname, files)),
    ]
    root = next(
        folder
        for folder in (os.path.join(os.path.abspath(candidate), "") for candidate in candidates)  # noqa: PTH100, PTH118
        if all(file.startswith(folder) for file in files)
    )
    names = [file[len(root) :].replace(os.sep, "/") for file in files]
    labels = _labels([sample[1] for sample in samples])
    return Path(root), pd.DataFrame({"path": pd.Series(names, dtype="str"), "label": labels})


def class_names(dataset: Any) -> list[str] | None:
    """The names of a dataset's classes in the order of its labels, where it has `classes`; ImageNet's for WordNet ids."""
    classes = getattr(dataset, "wnids", None) or getattr(dataset, "classes", None)
    if classes is None:
        return None
    _, lookup = read_class_names("imagenet")
    names = imagenet_classes()["name"]
    if all(isinstance(name, str) and name in lookup and name[1:].isdecimal() for name in classes):
        return [names[lookup[name]] for name in classes]
    return [str(name) for name in classes]


def write_images(dataset: Any, images_dir: str | Path, *, progress: bool = False) -> tuple[pd.DataFrame, Problems]:
    """Write the images of a dataset as 00000.png, 00001.png, … once; an interrupted export goes on where it stopped.

    An image that is already there is compared with the dataset's, pixel by pixel, so that two datasets never mix.

    Args:
        dataset: has len(), and dataset[i] is (image, label, …). An image is a PIL image, or a C x H x W tensor or array
            with C = 1, 3 or 4, of floats in [0, 1] or of uint8. A label is an int or a name.

    Returns:
        table: columns path and label, in the order of the dataset.
        problems: the items that could not be read; their label is a stand-in.

    Raises:
        BarlowError: the dataset has no length, or the folder holds another image under a name that is needed.
    """
    try:
        n_images = len(dataset)
    except TypeError:
        raise BarlowError(
            f"{type(dataset).__name__} has no length. Expected a dataset with len() and dataset[i], not an iterable one."
        ) from None
    images_dir = Path(images_dir)
    images_dir.mkdir(parents=True, exist_ok=True)
    digits = max(5, len(str(n_images - 1)))
    problems = Problems()
    names: list[str] = []
    labels: list[Any] = []
    for index in progress_bar(range(n_images), desc="write images", unit="image", shown=progress):
        name = f"{index:0{digits}d}.png"
        try:
            image, label, *_ = dataset[index]
            pixels = _pixels(image)
        except Exception as error:  # Whatever a dataset raises about one item is about that item.
            problems.add({index: f"dataset[{index}]: {type(error).__name__}: {error}"})
            problems.without_file.add(index)
            label = None
        else:
            _write_once(images_dir / name, pixels, index)
        names.append(name)
        labels.append(label)
    return pd.DataFrame({"path": pd.Series(names, dtype="str"), "label": _labels(labels)}), problems


def _pixels(image: Any) -> Image.Image:
    if isinstance(image, Image.Image):
        return to_rgb(image)
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[0] not in (1, 3, 4):
        raise BarlowError(f"the image has shape {array.shape}; expected C x H x W with C = 1, 3 or 4, or a PIL image")
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        if array.dtype.kind != "f" or not (low >= 0 and high <= 1):
            raise BarlowError(
                f"the image is {array.dtype} from {low:g} to {high:g}; expected floats in [0, 1] or uint8. "
                "Leave normalisation out of the dataset's transform"
            )
        array = np.rint(array.astype(np.float64) * 255).astype(np.uint8)
    return to_rgb(Image.fromarray(array[0] if len(array) == 1 else np.ascontiguousarray(array.transpose(1, 2, 0))))


def _write_once(path: Path, image: Image.Image, index: int) -> None:
    if path.exists():
        if np.array_equal(np.asarray(open_image(path)), np.asarray(image)):
            return
        raise BarlowError(
            f"{path} is there already and is not the image of dataset[{index}]. Expected an empty folder or an earlier "
            "export of the same dataset. Choose another folder; if the dataset transforms at random, turn that off."
        )
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(buffer.getvalue())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _labels(labels: list[Any]) -> pd.Series:
    """Integers stay integers (also as tensors of one element), anything else is a name; None is a stand-in."""
    plain = [label.item() if hasattr(label, "item") else label for label in labels]
    if all(label is None or (isinstance(label, int) and not isinstance(label, bool)) for label in plain):
        return pd.Series([label or 0 for label in plain], dtype="int64")
    return pd.Series([None if label is None else str(label) for label in plain], dtype="str")
