"""Predictions that come by themselves: a CSV, an .npy file or an array, brought into the order of the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.benchmark.metadata import duplicates, read_metadata
from barlow_core.benchmark.problems import Problems
from barlow_core.errors import BarlowError

Predictions = str | Path | np.ndarray | Sequence[int] | Sequence[str]

_CHUNK = 8192
_SUM_TOLERANCE = 0.01  # float16 softmax over 1,000 classes sums to 1 no better than this


def is_csv(predictions: Predictions) -> bool:
    """Whether `predictions` is the path of a CSV (any path that does not end in .npy)."""
    return isinstance(predictions, str | Path) and Path(predictions).suffix.lower() != ".npy"


def load_array(predictions: Predictions) -> np.ndarray:
    """Return predictions given as an .npy path (memory-mapped) or as anything numpy takes, (N,) or (N, K).

    Raises:
        BarlowError: the file is missing or not a plain .npy array, or the array has another number of axes.
    """
    if isinstance(predictions, str | Path):
        try:
            array = np.load(predictions, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise BarlowError(f"{predictions}: no such file. Expected predictions as .npy or CSV.") from None
        except (OSError, ValueError, EOFError):  # what numpy says of these is advice to load pickled code
            raise BarlowError(
                f"{predictions} is not a plain .npy array, or it is damaged. Expected class indices (N,) or scores (N, K) as "
                "numbers or text, saved with numpy.save."
            ) from None
    else:
        array = np.asarray(predictions)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or array.dtype.kind not in "iufUOT":
        raise BarlowError(
            f"Predictions are an array of {array.dtype} with shape {array.shape}. Expected class indices or names (N,), "
            "or scores (N, K)."
        )
    return array


def from_array(array: np.ndarray, n_images: int, n_classes: int) -> tuple[pd.Series, np.ndarray | None]:
    """Read one prediction an image out of an array in the order of the images.

    Args:
        array: (N,) class indices or names, or (N, K) scores, of which the largest counts (the first of equals).

    Returns:
        predictions: (N,) indices (float64 with NaN where a score is NaN) or names.
        confidence: (N,) the largest score where all rows are probabilities (not negative, sum 1), else None.

    Raises:
        BarlowError: another number of rows than images, or of columns than classes.
    """
    if len(array) != n_images:
        raise BarlowError(
            f"There are {len(array):,} predictions for {n_images:,} images. Expected one an image, in the order of "
            "the images. Check that both are from the same data."
        )
    if array.ndim == 1:
        kind = array.dtype.kind
        return pd.Series(np.array(array), dtype="str" if kind in "UOT" else "float64" if kind == "f" else "int64"), None
    if array.shape[1] != n_classes:
        raise BarlowError(
            f"Predictions have {array.shape[1]:,} scores an image and there are {n_classes:,} classes. Expected as "
            "many. Give the class names that the scores belong to."
        )
    best = np.empty(n_images)
    confidence = np.empty(n_images)
    are_probabilities = True
    for start in range(0, n_images, _CHUNK):  # scores of ImageNet are 5 GB
        scores = np.asarray(array[start : start + _CHUNK], dtype=np.float64)
        unknown = np.isnan(scores).any(axis=1)
        stop = start + len(scores)
        best[start:stop] = np.where(unknown, np.nan, scores.argmax(axis=1))
        confidence[start:stop] = scores.max(axis=1)
        known = scores[~unknown]
        are_probabilities &= bool((known >= 0).all() and np.allclose(known.sum(axis=1), 1, atol=_SUM_TOLERANCE, rtol=0))
    return pd.Series(best), confidence.clip(0, 1) if are_probabilities else None


def match_csv(path: str | Path, images: pd.Series, problems: Problems) -> pd.DataFrame:
    """Read predictions from a CSV and bring them into the order of the images.

    A filename in the CSV is an image's relative path, or its bare name where no other image has it.

    Args:
        images: (N,) relative POSIX paths, all different.
        problems: gets images without a prediction, and rows of the CSV that are no image's.

    Returns:
        The columns of the CSV but row and path, N rows in the order of `images`; label and prediction are NA where an
        image has no row.

    Raises:
        BarlowError: see `metadata.read_metadata`.
    """
    table, of_csv = read_metadata(path, required=("path", "prediction"))
    of_csv.add(duplicates(table["path"], table["row"].to_numpy()))
    image_of_row = _find(table["path"], images)
    twice = pd.Series(image_of_row).duplicated().to_numpy() & (image_of_row >= 0)
    of_csv.add_where(twice & ~of_csv.bad(len(table)), "names an image that has a prediction already")
    of_csv.add_where((image_of_row < 0) & ~of_csv.bad(len(table)), "names no image, or more than one: write its path")

    unusable = of_csv.bad(len(table))
    row_of_image = np.full(len(images), -1)
    row_of_image[image_of_row[~unusable]] = np.flatnonzero(~unusable)
    without = row_of_image < 0
    explained = without.copy()
    for position in sorted(of_csv.of_row):
        line, reason = int(table["row"][position]), "; ".join(of_csv.of_row[position])
        image = image_of_row[position]
        if image >= 0 and without[image]:
            problems.add({int(image): f"{Path(path).name}, line {line}: {reason}"})
            explained[image] = False
        else:
            problems.stray(table["path"][position], line, reason)
    problems.add_where(without & explained, f"has no prediction in {Path(path).name}")
    # Images without a prediction will be left out; until then any row may stand in for theirs.
    aligned = table.drop(columns=["row", "path"]).iloc[np.where(without, 0, row_of_image)].reset_index(drop=True)
    aligned.loc[without, aligned.columns.intersection(["label", "prediction"])] = pd.NA
    return aligned


def _find(wanted: pd.Series, images: pd.Series) -> np.ndarray:
    """(M,) int64: the position among `images` of each of `wanted`, by path or else by bare name; -1 where not one."""
    positions = _positions(wanted, images, ~images.duplicated())
    bare = images.str.rpartition("/")[2]
    by_name = _positions(wanted, bare, ~bare.duplicated(keep=False))
    return np.where(positions < 0, by_name, positions)


def _positions(wanted: pd.Series, known: pd.Series, usable: pd.Series) -> np.ndarray:
    where = np.flatnonzero(usable)
    return np.append(where, -1)[pd.Index(known.iloc[where]).get_indexer(pd.Index(wanted))]
