"""A labelled set of images and what a classifier said about them: the thing whose failures are explained (section 3)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.benchmark import datasets, fiftyone_fields, folders, hugging_face
from barlow_core.benchmark.assembling import Assembled, Wishes, add_predictions, assemble, name_classes
from barlow_core.benchmark.class_names import ClassNames, encode, infer_class_names, read_class_names
from barlow_core.benchmark.images import DIGEST_BYTES, CheckMode
from barlow_core.benchmark.metadata import RESERVED, Columns, Source, read_metadata
from barlow_core.benchmark.predictions import Predictions, is_table, load_array
from barlow_core.benchmark.problems import Problems, no_skipped
from barlow_core.errors import BarlowError
from barlow_core.intake.values import NOTHING
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
        notes: what an import read in another way than usual, inferred or left out, as sentences; a run keeps them in run.json.
        masks: name -> (N,) bool, images that somebody chose to explain as a group.
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
    notes: tuple[str, ...] = ()
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def from_csv(
        cls,
        images_dir: str | Path,
        metadata_csv: str | Path,
        *,
        class_names: ClassNames | None = None,
        columns: Columns | None = None,
        missing: Collection[str] | None = None,
        join_classes: bool = False,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read a folder of images with a metadata CSV, or another table (Parquet, JSON lines).

        Args:
            images_dir: the folder that the filenames are relative to. Absolute paths below it, and paths relative to the CSV, count too.
            metadata_csv: see `barlow_core.intake.read_table`; with the columns Filenames, Labels and, once there are any, Predictions;
                any case, also in the singular, or by another usual name where one column alone has such a name. Split and Confidence
                are understood, further columns become attributes. Labels and predictions are names or indices. Instead of predictions,
                one column a class may hold scores (prob_cat, prob_dog): see `scores.largest`.
            class_names: names in the order of the indices: a list, the path of a names file, or "imagenet". Without
                them, indices are called "0", "1", … and names are sorted.
            columns: which column is what, where their names do not tell: "filenames=image,labels=truth", or a mapping.
            missing: texts that stand for no value, beside the empty one; None for the usual ones (NA, nan, None, null, …).
            join_classes: take classes that differ only in how they are written ("Cat", "cat") for one.
            skip_bad: leave bad rows and images out (see `skipped`) instead of raising.
            check: "full" decodes every image, "header" is quick and misses pixels that are cut off or damaged.

        Raises:
            BarlowError: the first ten problems with file, line and value, and how many there are in all; or most images are wrong only
                because labels and predictions are written in different ways.
        """
        wishes = Wishes(columns, _texts(missing), join_classes, skip_bad, check, progress)
        return cls._from_metadata(images_dir, metadata_csv, str(metadata_csv), class_names, wishes)

    @classmethod
    def from_frame(
        cls,
        images_dir: str | Path,
        frame: pd.DataFrame,
        *,
        class_names: ClassNames | None = None,
        columns: Columns | None = None,
        missing: Collection[str] | None = None,
        join_classes: bool = False,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read a folder of images with a pandas data frame, such as one of predictions in a notebook.

        Args:
            frame: columns as in `from_csv`; its index counts for nothing. NaN and None are missing.
            missing: as in `from_csv`, but by default only the empty text, since a data frame can say itself what is missing.
            (others): as in `from_csv`.

        Raises:
            BarlowError: as in `from_csv`, with the number of the row, from 0.
        """
        wishes = Wishes(columns, _texts(missing), join_classes, skip_bad, check, progress)
        return cls._from_metadata(images_dir, frame, "the data frame", class_names, wishes)

    @classmethod
    def _from_metadata(
        cls, images_dir: str | Path, source: Source, called: str, class_names: ClassNames | None, wishes: Wishes
    ) -> Benchmark:
        folder = _folder(images_dir)
        table, problems = read_metadata(source, columns=wishes.columns, missing=wishes.missing, images_dir=folder)
        table, classes = name_classes(table, problems, class_names, wishes)
        declared = class_names is not None
        called = f"{called}, images in {folder}"
        return cls._of(folder, assemble(folder, table, classes, problems, called, wishes, declared=declared))

    @classmethod
    def _of(cls, images_dir: Path, made: Assembled) -> Benchmark:
        return _from_columns(images_dir, made.table, made.class_names, made.skipped, made.notes)

    @classmethod
    def from_folder(
        cls,
        images_dir: str | Path,
        *,
        predictions: Predictions | None = None,
        class_names: ClassNames | None = None,
        columns: Columns | None = None,
        missing: Collection[str] | None = None,
        join_classes: bool = False,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read a class-per-folder tree (ImageNet's layout, torchvision's ImageFolder); hidden folders in it are left out.

        Args:
            predictions: a table as in `from_csv` or `from_frame` (Filenames, and Predictions or scores; a filename is a
                relative path, or a bare name where only one image has it), or an .npy or .npz file or array in the order in
                which ImageFolder lists the images (by folder, then by path): class indices or names (N,), or scores
                (N, K), probabilities or logits, of which the largest counts (see `scores.largest`).
            class_names: as in `from_csv`; folders are names, WordNet ids or indices among them. Without them, WordNet
                ids of ImageNet get ImageNet's names and indices, other folders are the names.
            columns, missing, join_classes: as in `from_csv`, of the table of predictions.
            skip_bad, check: as in `from_csv`.

        Raises:
            BarlowError: the first ten problems, and how many there are in all; predictions of another length.
        """
        folder = _folder(images_dir)
        wishes = Wishes(columns, _texts(missing), join_classes, skip_bad, check, progress)
        table, class_folders, problems = folders.list_images(folder)
        classes, of_folder = folders.name_folders(folder, class_folders, class_names)
        table["label"] = table.pop("folder").map(of_folder).astype("int64")
        if predictions is not None:
            if class_names is None and not is_table(predictions):
                folders.refuse_ambiguous(class_folders, classes[0], load_array(predictions))
            table = add_predictions(table, predictions, folder, classes, problems, wishes)
        return cls._of(folder, assemble(folder, table, classes, problems, str(folder), wishes, declared=True))

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
        problems.missing = NOTHING
        if class_names is None:
            class_names = datasets.class_names(dataset)
        if class_names is None:
            classes = infer_class_names({"label": table["label"]}, NOTHING)
        else:
            classes = read_class_names(class_names)
        folder = Path(images_dir).absolute()
        wishes = Wishes(skip_bad=skip_bad, check=check, progress=progress)
        if predictions is not None:
            table = add_predictions(table, predictions, folder, classes, problems, wishes)
        declared = class_names is not None
        return cls._of(folder, assemble(folder, table, classes, problems, str(folder), wishes, declared=declared))

    @classmethod
    def from_hugging_face(
        cls,
        dataset: Any,
        images_dir: str | Path,
        *,
        predictions: Predictions | None = None,
        class_names: ClassNames | None = None,
        columns: Columns | None = None,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read one split of a Hugging Face dataset (`datasets.Dataset`) of images; they are written once as PNG files.

        Args:
            dataset: has a column of images; labels, and perhaps predictions, as names, indices or `ClassLabel`. Its other columns
                become attributes.
            images_dir: where to write the images.
            predictions: as in `from_folder`, in the order of the dataset; None takes them from the dataset, where it has any.
            class_names: as in `from_csv`; by default those of the `ClassLabel`, where labels are one.
            columns: as in `from_csv`; "filenames=photo" names the column of images.
            skip_bad, check: as in `from_csv`.

        Raises:
            BarlowError: as in `from_csv`; it is several splits or a stream, or has no column of images, or several.
        """
        frame, names, said = hugging_face.write_dataset(dataset, images_dir, columns, progress=progress)
        wishes = Wishes(columns=said, skip_bad=skip_bad, check=check, progress=progress)
        classes = names if class_names is None else class_names
        found = cls._from_metadata(images_dir, frame, "the dataset", classes, wishes)
        return found if predictions is None else found.with_predictions(predictions)

    @classmethod
    def from_fiftyone(
        cls,
        dataset: Any,
        images_dir: str | Path | None = None,
        *,
        label_field: str = "ground_truth",
        prediction_field: str | None = None,
        class_names: ClassNames | None = None,
        join_classes: bool = False,
        skip_bad: bool = False,
        check: CheckMode = "full",
        progress: bool = False,
    ) -> Benchmark:
        """Read a FiftyOne dataset or view of images with `Classification` labels, where its files are.

        Args:
            dataset: a `fiftyone.Dataset`, or a view of one.
            images_dir: that all files lie in; None for the deepest such folder.
            label_field: the field of the labels.
            prediction_field: the field of the predictions, with their confidence; None takes "predictions" or "prediction", where the
                dataset has one.
            (others): as in `from_csv`.

        Raises:
            BarlowError: as in `from_csv`; or there is no such field, or a file lies outside `images_dir`.
        """
        folder, frame = fiftyone_fields.read_dataset(dataset, images_dir, label_field, prediction_field)
        wishes = Wishes(join_classes=join_classes, skip_bad=skip_bad, check=check, progress=progress)
        return cls._from_metadata(folder, frame, "the dataset", class_names, wishes)

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
            confidence: (N,) in [0, 1]; None takes it from scores, where there are any.

        Raises:
            BarlowError: another length, or a prediction that is no class or a confidence outside [0, 1].
        """
        problems = Problems()
        table = pd.DataFrame({"path": pd.Series(self.names, dtype="str"), "label": self.labels})
        classes = (self.class_names, {name: index for index, name in enumerate(self.class_names)})
        table = add_predictions(table, predictions, self.images_dir, classes, problems, Wishes())
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


def _texts(missing: Collection[str] | None) -> frozenset[str] | None:
    return None if missing is None else frozenset([missing] if isinstance(missing, str) else missing) | NOTHING


def _checked_confidence(confidence: np.ndarray, n_images: int, problems: Problems) -> np.ndarray:
    values = np.asarray(confidence, dtype=np.float64)
    if values.shape != (n_images,):
        raise BarlowError(f"Confidence has shape {values.shape} for {n_images:,} images. Expected one number per image.")
    problems.add_where((values < 0) | (values > 1), "confidence {} is outside [0, 1]", values)
    return values


def _from_columns(
    images_dir: Path,
    table: pd.DataFrame,
    class_names: list[str],
    skipped: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
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
        notes=notes,
    )
