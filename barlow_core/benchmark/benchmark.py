"""A labelled set of images and what a classifier said about them: the thing whose failures are explained (section 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.benchmark import datasets, folders
from barlow_core.benchmark import predictions as predictions_
from barlow_core.benchmark.class_names import Classes, ClassNames, encode, infer_class_names, read_class_names
from barlow_core.benchmark.images import DIGEST_BYTES, CheckMode, check_images
from barlow_core.benchmark.metadata import RESERVED, duplicates, read_metadata
from barlow_core.benchmark.predictions import Predictions
from barlow_core.benchmark.problems import Problems, no_skipped
from barlow_core.errors import BarlowError
from barlow_core.wording import count, percent


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark:
    """Images, labels and, once there are any, predictions. Made by `from_csv`, `from_folder` or `from_dataset`.

    Attributes:
        images_dir: the folder of images, absolute.
        names: (N,) str, relative POSIX paths, all different.
        labels: (N,) int64, indices into `class_names`.
        class_names: (K,) names, all different.
        digests: (N,) str, hex digests of the image files' bytes.
        predictions: (N,) int64, indices into `class_names`; None before there are any.
        confidence: (N,) float64 in [0, 1], NaN where not known; or None.
        split: (N,) str; or None.
        attributes: N rows, the further columns of the metadata.
        skipped: file, row (line of the CSV, missing where there is none), reason; what skip_bad left out.
    """

    images_dir: Path
    names: np.ndarray
    labels: np.ndarray
    class_names: list[str]
    digests: np.ndarray
    predictions: np.ndarray | None = None
    confidence: np.ndarray | None = None
    split: np.ndarray | None = None
    attributes: pd.DataFrame = field(default_factory=pd.DataFrame)
    skipped: pd.DataFrame = field(default_factory=no_skipped)

    @classmethod
    def from_csv(
        cls,
        images_dir: str | Path,
        metadata_csv: str | Path,
        *,
        class_names: ClassNames | None = None,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read a folder of images with a metadata CSV.

        Args:
            images_dir: the folder that the filenames are relative to.
            metadata_csv: UTF-8 CSV with the columns Filenames, Labels and, once there are any, Predictions; any case,
                also in the singular. Split and Confidence are understood, further columns become attributes. Labels
                and predictions are names or indices.
            class_names: names in the order of the indices: a list, the path of a names file, or "imagenet". Without
                them, indices are called "0", "1", … and names are sorted.
            skip_bad: leave bad rows and images out (see `skipped`) instead of raising.
            check: "full" decodes every image, "header" is quick and misses truncated ones.

        Raises:
            BarlowError: the first ten problems with file, line and value, and how many there are in all.
        """
        images_dir = _folder(images_dir)
        table, problems = read_metadata(metadata_csv)
        if class_names is None:
            sound = table[~problems.bad(len(table))]
            sound = sound if len(sound) else table  # where no row is sound, a list of no names would only add to the complaints
            classes = infer_class_names({what: sound[what] for what in ("label", "prediction") if what in sound})
        else:
            classes = read_class_names(class_names)
        source = f"{metadata_csv}, images in {images_dir}"
        return _assemble(images_dir, table, classes, problems, source, skip_bad=skip_bad, check=check, progress=progress)

    @classmethod
    def from_folder(
        cls,
        images_dir: str | Path,
        *,
        predictions: Predictions | None = None,
        class_names: ClassNames | None = None,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read a class-per-folder tree (ImageNet's layout, torchvision's ImageFolder).

        Args:
            predictions: the path of a CSV (Filenames, Predictions, and any of the columns of `from_csv`; a filename is a
                relative path, or a bare name where only one image has it), or an .npy file or array in the order in
                which ImageFolder lists the images (by folder, then by path): class indices or names (N,), or scores
                (N, K), of which the largest counts and, where they are probabilities, is the confidence.
            class_names: as in `from_csv`; folders are names, WordNet ids or indices among them. Without them, WordNet
                ids of ImageNet get ImageNet's names and indices, other folders are the names.
            skip_bad, check: as in `from_csv`.

        Raises:
            BarlowError: the first ten problems, and how many there are in all; predictions of another length.
        """
        images_dir = _folder(images_dir)
        table, class_folders, problems = folders.list_images(images_dir)
        classes, of_folder = folders.name_folders(images_dir, class_folders, class_names)
        table["label"] = table.pop("folder").map(of_folder).astype("int64")
        if predictions is not None:
            if class_names is None and not predictions_.is_csv(predictions):
                folders.refuse_ambiguous(class_folders, classes[0], predictions_.load_array(predictions))
            table = _add_predictions(table, predictions, classes, problems)
        return _assemble(images_dir, table, classes, problems, str(images_dir), skip_bad=skip_bad, check=check, progress=progress)

    @classmethod
    def from_dataset(
        cls,
        dataset: Any,
        images_dir: str | Path,
        *,
        predictions: Predictions | None = None,
        class_names: ClassNames | None = None,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read any torch Dataset of (image, label).

        The files of a dataset like ImageFolder (`samples`) are used where they are, without its transform. Other
        datasets are written once as PNG files into `images_dir`; an interrupted export goes on where it stopped.

        Args:
            dataset: has len(), and dataset[i] is (image, label): a PIL image, or a C x H x W tensor of floats in [0, 1] or
                of uint8; a class index or name.
            images_dir: where to write the images.
            predictions: as in `from_folder`, in the order of the dataset.
            class_names: as in `from_csv`; by default `dataset.classes`, where it has them.
            skip_bad, check: as in `from_csv`.

        Raises:
            BarlowError: as in `from_folder`; or `images_dir` holds other images under the names that are needed.
        """
        in_place = datasets.files_in_place(dataset, images_dir)
        if in_place is not None:
            (images_dir, table), problems = in_place, Problems()
        else:
            table, problems = datasets.write_images(dataset, images_dir, progress=progress)
        if class_names is None:
            class_names = datasets.class_names(dataset)
        if class_names is None:
            classes = infer_class_names({"label": table["label"]})
        else:
            classes = read_class_names(class_names)
        if predictions is not None:
            table = _add_predictions(table, predictions, classes, problems)
        images_dir = Path(images_dir).absolute()
        return _assemble(images_dir, table, classes, problems, str(images_dir), skip_bad=skip_bad, check=check, progress=progress)

    @classmethod
    def from_table(cls, images_dir: str | Path, table: pd.DataFrame, class_names: Sequence[str]) -> Benchmark:
        """Open again what `table` stored; the image files are not looked at.

        Raises:
            BarlowError: a column is missing, or a label or prediction is no index into `class_names`.
        """
        missing = {"path", "label", "digest"} - set(table.columns)
        if missing:
            raise BarlowError(
                f"The stored table of images has no column {', '.join(sorted(missing))}. Expected one that "
                "Benchmark.table made. Import the benchmark again."
            )
        for what in ("label", "prediction"):
            if what in table and not table[what].between(0, len(class_names) - 1).all():
                raise BarlowError(
                    f"The stored table of images has a {what} outside 0 to {len(class_names) - 1}. Expected an index "
                    "into the class names. Import the benchmark again."
                )
        return _from_columns(Path(images_dir), table.reset_index(drop=True), list(class_names))

    def with_predictions(self, predictions: Predictions, confidence: np.ndarray | None = None) -> Benchmark:
        """The same images and labels with (other) predictions.

        Args:
            predictions: as in `from_folder`, an array in the order of `names`.
            confidence: (N,) in [0, 1]; None takes it from scores that are probabilities, or else leaves none.

        Raises:
            BarlowError: another length, or a prediction that is no class or a confidence outside [0, 1].
        """
        problems = Problems()
        table = pd.DataFrame({"path": pd.Series(self.names, dtype="str"), "label": self.labels})
        classes = (self.class_names, {name: index for index, name in enumerate(self.class_names)})
        table = _add_predictions(table, predictions, classes, problems)
        if confidence is not None:
            table["confidence"] = _checked_confidence(confidence, len(self), problems)
        indices, reasons = encode(table["prediction"], "prediction", *classes)
        problems.add(reasons)
        if problems.of_row or problems.strays:
            raise problems.report(problems.listed(self.names, None), "Predictions", len(self), can_skip=False)
        found = table["confidence"].to_numpy() if "confidence" in table else None
        return replace(self, predictions=indices, confidence=found)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        parts = [count(len(self), "image"), count(len(self.class_names), "class", "classes")]
        if self.predictions is None:
            parts.append("no predictions yet")
        else:
            n_failures = int(self.failure.sum())
            parts.append(f"{count(n_failures, 'failure')} ({percent(n_failures / len(self), space=' ')})")
        if len(self.skipped):
            parts.append(f"{len(self.skipped):,} skipped")
        return f"Benchmark: {', '.join(parts)}"

    @cached_property
    def failure(self) -> np.ndarray:
        """(N,) bool: where the prediction is not the label.

        Raises:
            BarlowError: there are no predictions yet.
        """
        if self.predictions is None:
            raise BarlowError(
                "These images have no predictions yet, so no failures either. Expected a column Predictions or "
                "predictions by a model. Make them: run barlow predict."
            )
        failure: np.ndarray = self.labels != self.predictions
        return failure

    @cached_property
    def paths(self) -> list[Path]:
        """(N,) absolute paths."""
        return [self.images_dir / name for name in self.names]

    @property
    def table(self) -> pd.DataFrame:
        """One row an image, as stored in images.parquet.

        Columns path, label, label_name[, prediction, prediction_name][, confidence][, split], digest, then attributes.
        """
        class_names = np.array(self.class_names, dtype=object)
        columns: dict[str, Any] = {"path": pd.Series(self.names, dtype="str"), "label": self.labels}
        columns["label_name"] = pd.Series(class_names[self.labels], dtype="str")
        if self.predictions is not None:
            columns["prediction"] = self.predictions
            columns["prediction_name"] = pd.Series(class_names[self.predictions], dtype="str")
        if self.confidence is not None:
            columns["confidence"] = self.confidence
        if self.split is not None:
            columns["split"] = pd.Series(self.split, dtype="str")
        columns["digest"] = pd.Series(self.digests, dtype="str")
        return pd.DataFrame(columns | {name: self.attributes[name] for name in self.attributes})

    @cached_property
    def images_digest(self) -> str:
        """32 hex digits that stand for the names and the bytes of all images, in their order; not for where they lie."""
        digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for name, file_digest in zip(self.names, self.digests, strict=True):
            digest.update(f"{name}\0{file_digest}\n".encode())
        return digest.hexdigest()

    @cached_property
    def outcome_digest(self) -> str:
        """32 hex digits that stand for labels, predictions and class names."""
        digest = hashlib.blake2b(json.dumps(self.class_names).encode(), digest_size=DIGEST_BYTES)
        digest.update(self.labels.astype("<i8").tobytes())
        digest.update(b"" if self.predictions is None else self.predictions.astype("<i8").tobytes())
        return digest.hexdigest()


def _folder(images_dir: str | Path) -> Path:
    path = Path(images_dir).absolute()
    if not path.is_dir():
        raise BarlowError(f"{path}: no such folder. Expected the folder of images. Check the path.")
    return path


def _add_predictions(table: pd.DataFrame, predictions: Predictions, classes: Classes, problems: Problems) -> pd.DataFrame:
    """Add the columns of predictions that came by themselves to those of the images."""
    if predictions_.is_csv(predictions):
        found = predictions_.match_csv(str(predictions), table["path"], problems)
        if "label" in found:
            stated = found.pop("label")
            indices, reasons = encode(stated, "label", *classes)
            problems.add(reasons)
            own, _ = encode(table["label"], "label", *classes)
            problems.add_where((indices >= 0) & (indices != own), "Labels says {}, the image's own label is another", stated)
        return pd.concat([table, found], axis=1)
    array = predictions_.load_array(predictions)
    column, confidence = predictions_.from_array(array, len(table), len(classes[0]))
    table = table.assign(prediction=column)
    return table if confidence is None else table.assign(confidence=confidence)


def _checked_confidence(confidence: np.ndarray, n_images: int, problems: Problems) -> np.ndarray:
    values = np.asarray(confidence, dtype=np.float64)
    if values.shape != (n_images,):
        raise BarlowError(f"Confidence has shape {values.shape} for {n_images:,} images. Expected one number an image.")
    problems.add_where((values < 0) | (values > 1), "confidence {} is outside [0, 1]", values)
    return values


def _assemble(
    images_dir: Path,
    table: pd.DataFrame,
    classes: Classes,
    problems: Problems,
    source: str,
    *,
    skip_bad: bool,
    check: CheckMode,
    progress: bool,
) -> Benchmark:
    """Encode labels and predictions, check the images, and raise or leave out what is bad.

    Args:
        table: columns path, label, and row, prediction, confidence, split and attributes where there are any.
        source: what a problem is a problem of.
    """
    if len(table) == 0:
        raise BarlowError(f"{source} holds no images. Expected at least one. Check what you handed over.")
    class_names, lookup = classes
    rows = table["row"].to_numpy() if "row" in table else None
    paths = table["path"].to_numpy(dtype=object)
    problems.add(duplicates(table["path"], rows))
    for what in ("label", "prediction"):
        if what in table:
            table[what], reasons = encode(table[what], what, class_names, lookup)
            problems.add(reasons)

    on_disk = np.flatnonzero(~(table["path"].duplicated() | table.index.isin(problems.without_file)))
    checked, reasons = check_images(images_dir, paths[on_disk], check, progress=progress)
    problems.add({int(on_disk[i]): reason for i, reason in reasons.items()})
    table["digest"] = pd.Series(checked, index=on_disk, dtype="str").reindex(table.index)

    skipped = problems.listed(paths, rows)
    sound = ~problems.bad(len(table))
    if len(skipped) and not (skip_bad and sound.any()):
        raise problems.report(skipped, source, len(table), can_skip=bool(sound.any()))
    return _from_columns(images_dir, table[sound].reset_index(drop=True), class_names, skipped)


def _from_columns(
    images_dir: Path, table: pd.DataFrame, class_names: list[str], skipped: pd.DataFrame | None = None
) -> Benchmark:
    def column(name: str, dtype: type) -> np.ndarray | None:
        return table[name].to_numpy(dtype=dtype) if name in table else None

    return Benchmark(
        images_dir=images_dir.absolute(),
        names=table["path"].to_numpy(dtype=object),
        labels=table["label"].to_numpy(dtype=np.int64),
        class_names=class_names,
        digests=table["digest"].to_numpy(dtype=object),
        predictions=column("prediction", np.int64),
        confidence=column("confidence", np.float64),
        split=column("split", object),
        attributes=table[[name for name in table if name not in RESERVED]],
        skipped=no_skipped() if skipped is None else skipped,
    )
