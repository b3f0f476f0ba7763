"""Predictions that come by themselves: a table, an .npy or .npz file or an array, brought into the order of the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from barlow_core.benchmark.class_names import Classes
from barlow_core.benchmark.filenames import find_images
from barlow_core.benchmark.metadata import Columns, duplicates, read_metadata, score_pattern
from barlow_core.benchmark.problems import Problems
from barlow_core.benchmark.scores import ScoreColumns, find_scores, from_columns, largest
from barlow_core.errors import BarlowError

Predictions = str | Path | pd.DataFrame | np.ndarray | Sequence[int] | Sequence[str]

_ARRAYS = (".npy", ".npz")
# What programs call the array of an .npz that holds predictions; the first that is there is taken.
_NAMES_IN_NPZ = ("predictions", "prediction", "preds", "pred", "y_pred", "probabilities", "probs", "logits", "scores", "arr_0")


def is_table(predictions: Predictions) -> bool:
    """Whether `predictions` is a table: a data frame, or a path that ends neither in .npy nor in .npz."""
    if isinstance(predictions, pd.DataFrame):
        return True
    return isinstance(predictions, str | Path) and Path(predictions).suffix.lower() not in _ARRAYS


def load_array(predictions: Predictions) -> np.ndarray:
    """Return predictions given as an .npy path (memory-mapped), an .npz path or as anything numpy takes, (N,) or (N, K).

    Raises:
        BarlowError: the file is missing or not a plain .npy array, or the array has another number of axes.
    """
    if isinstance(predictions, str | Path):
        try:
            loaded = np.load(predictions, mmap_mode="r", allow_pickle=False)
            array = _of_npz(predictions, loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
        except FileNotFoundError:
            raise BarlowError(
                f"{predictions}: no such file. Expected predictions as a table (CSV, Parquet, JSON lines), .npy or .npz."
            ) from None
        except (OSError, ValueError, EOFError, BadZipFile):  # what numpy says of these is advice to load pickled code
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


def from_array(array: np.ndarray, n_images: int, n_classes: int, problems: Problems) -> tuple[pd.Series, np.ndarray | None]:
    """Read one prediction an image out of an array in the order of the images.

    Args:
        array: (N,) class indices or names, or (N, K) scores, of which the largest counts (the first of equals).
        problems: gets a note of what the scores are.

    Returns:
        predictions: (N,) indices (float64 with NaN where a score is NaN) or names.
        confidence: (N,) see `scores.largest`; None without scores.

    Raises:
        BarlowError: another number of rows than images, or of columns than classes.
    """
    if len(array) != n_images:
        raise BarlowError(
            f"There are {len(array):,} predictions for {n_images:,} images. Expected one per image, in the order of "
            f"the images. Check that both are from the same data.{''.join(f' {note}' for note in problems.notes)}"
        )
    if array.ndim == 1:
        kind = array.dtype.kind
        return pd.Series(np.array(array), dtype="str" if kind in "UOT" else "float64" if kind == "f" else "int64"), None
    if array.shape[1] != n_classes:
        raise BarlowError(
            f"Predictions have {array.shape[1]:,} scores per image and there are {n_classes:,} classes. Expected as "
            "many. Give the class names that the scores belong to."
        )
    best, confidence, said = largest(lambda a, b: np.asarray(array[a:b], dtype=np.float64), n_images)
    problems.notes.append(f"Predictions are the largest of {n_classes:,} scores per image. {said}")
    return pd.Series(best), confidence


def match_table(
    source: str | Path | pd.DataFrame,
    images: pd.Series,
    images_dir: Path,
    classes: Classes,
    problems: Problems,
    *,
    columns: Columns | None = None,
    missing: frozenset[str] | None = None,
) -> pd.DataFrame:
    """Read predictions from a table and bring them into the order of the images.

    A filename in the table is an image's relative path, or its bare name where no other image has it; the Unicode form counts for
    nothing where the letters tell. Instead of predictions, the table may hold a score of every class.

    Args:
        source, columns, missing: see `metadata.read_metadata`.
        images: (N,) relative POSIX paths, all different.
        images_dir: that they are relative to.
        classes: of the scores.
        problems: gets images without a prediction, and rows of the table that are no image's.

    Returns:
        The columns of the table but row and path, N rows in the order of `images`; label and prediction are NA where an
        image has no row.

    Raises:
        BarlowError: see `metadata.read_metadata`.
    """
    table, of_csv = read_metadata(source, required=("path",), columns=columns, missing=missing, images_dir=images_dir)
    if "prediction" not in table:
        scores = find_scores(table, classes[0], score_pattern(columns))
        if scores is None:
            raise BarlowError(
                f"{'The data frame' if isinstance(source, pd.DataFrame) else source} has no column Predictions, and no column for each "
                f"of the {len(classes[0]):,} classes; its other columns are "
                f"{', '.join(map(repr, table.columns.drop(['row', 'path'])[:30])) or 'none'}. Expected one or the other. Say which: "
                "--columns predictions=COLUMN or --columns scores=prob_*"
            )
        table = from_scores(table, scores, classes, of_csv)
    name = "the data frame" if isinstance(source, pd.DataFrame) else Path(source).name
    problems.notes += of_csv.notes
    problems.missing = of_csv.missing
    of_csv.add(duplicates(table["path"], table["row"].to_numpy(), of_csv.unit))
    image_of_row = find_images(table["path"], images)
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
            problems.add({int(image): f"{name}, {of_csv.unit} {line}: {reason}"})
            explained[image] = False
        else:
            problems.stray(table["path"][position], line, reason)
    problems.add_where(without & explained, f"has no prediction in {name}")
    # Images without a prediction will be left out; until then any row may stand in for theirs.
    aligned = table.drop(columns=["row", "path"]).iloc[np.where(without, 0, row_of_image)].reset_index(drop=True)
    aligned.loc[without, aligned.columns.intersection(["label", "prediction"])] = pd.NA
    return aligned


def from_scores(table: pd.DataFrame, scores: ScoreColumns, classes: Classes, problems: Problems) -> pd.DataFrame:
    """With predictions and confidence out of columns of scores, in place of these.

    Raises:
        BarlowError: they are not those of the classes.
    """
    names, lookup = classes
    known = list(range(len(scores.columns))) if scores.by_index else [lookup.get(one, -1) for one in scores.classes]
    if sorted(known) != list(range(len(names))):
        raise BarlowError(
            f"There are {len(scores.columns):,} columns of scores, {scores.columns[0]!r} to {scores.columns[-1]!r}, and "
            f"{len(names):,} classes. Expected one per class. Give the class names that the scores belong to."
        )
    best, confidence, table = from_columns(table, scores, problems)
    of_column = np.array([*known, np.nan])
    return table.assign(prediction=of_column[np.where(np.isnan(best), -1, best).astype(np.int64)], confidence=confidence)


def _of_npz(path: str | Path, archive: np.lib.npyio.NpzFile) -> np.ndarray:
    """The one array of predictions or scores in an .npz.

    Raises:
        BarlowError: it has several, and none by a usual name.
    """
    names = archive.files
    name = next((one for one in _NAMES_IN_NPZ if one in names), names[0] if len(names) == 1 else None)
    if name is None:
        raise BarlowError(
            f"{path} holds the arrays {', '.join(map(repr, names)) or 'none'}. Expected one, or one called "
            f"{', '.join(_NAMES_IN_NPZ)}. Save it alone."
        )
    array: np.ndarray = archive[name]
    return array
