"""From columns as people bring them to a benchmark: classes named, labels and predictions encoded, images checked, bad rows told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.benchmark.class_names import Classes, ClassNames, encode, infer_class_names, read_class_names
from barlow_core.benchmark.images import CheckMode, check_images
from barlow_core.benchmark.metadata import Columns, duplicates, score_pattern
from barlow_core.benchmark.predictions import Predictions, from_array, from_scores, is_table, load_array, match_table
from barlow_core.benchmark.problems import Problems
from barlow_core.benchmark.scores import find_scores
from barlow_core.benchmark.spelling import check_spelling, find_alike, join_names
from barlow_core.errors import BarlowError
from barlow_core.intake.values import NOTHING
from barlow_core.wording import count


@dataclass(frozen=True)
class Wishes:
    """What a person says beside the data; see `Benchmark.from_csv`."""

    columns: Columns | None = None
    missing: frozenset[str] | None = None
    join_classes: bool = False
    skip_bad: bool = False
    check: CheckMode = "full"
    progress: bool = False


@dataclass(frozen=True)
class Assembled:
    """What a benchmark is made of: `table` has the columns of `Benchmark.table`, with indices for labels and predictions."""

    table: pd.DataFrame
    class_names: list[str]
    skipped: pd.DataFrame
    notes: tuple[str, ...]


def name_classes(
    table: pd.DataFrame, problems: Problems, class_names: ClassNames | None, wishes: Wishes
) -> tuple[pd.DataFrame, Classes]:
    """Read or infer the classes of a table with labels, and make predictions of its scores where it has no predictions.

    Args:
        table, problems: as from `metadata.read_metadata`.

    Raises:
        BarlowError: the class names cannot be read, labels and predictions are of different kinds, or scores are not of the classes.
    """
    sound = _sound(table, problems)
    sound = sound if len(sound) else table  # where no row is sound, a list of no names would only add to the complaints
    known = {what: sound[what] for what in ("label", "prediction") if what in sound}
    pattern = score_pattern(wishes.columns)
    classes = infer_class_names(known, problems.missing) if class_names is None else read_class_names(class_names)
    if "prediction" not in table or pattern is not None:
        scores = find_scores(table, classes[0], pattern)
        if scores is not None:
            if class_names is None:
                of_scores = pd.Series(scores.classes, dtype="str")
                classes = infer_class_names({"label": sound["label"], "prediction": of_scores}, problems.missing)
            return from_scores(table, scores, classes, problems), classes
    if class_names is None and wishes.join_classes and classes[1]:
        counts = {str(name): int(n) for name, n in sound["label"].value_counts().items()}
        classes, notes = join_names(classes[0], counts)
        problems.notes += notes
    return table, classes


def add_predictions(
    table: pd.DataFrame, predictions: Predictions, images_dir: Path, classes: Classes, problems: Problems, wishes: Wishes
) -> pd.DataFrame:
    """Add the columns of predictions that came by themselves to those of the images."""
    if is_table(predictions):
        assert isinstance(predictions, str | Path | pd.DataFrame)
        found = match_table(
            predictions, table["path"], images_dir, classes, problems, columns=wishes.columns, missing=wishes.missing
        )
        if "label" in found:
            stated = found.pop("label")
            indices, reasons = encode(stated, "label", *classes, problems.missing)
            problems.add(reasons)
            own, _ = encode(table["label"], "label", *classes)
            problems.add_where((indices >= 0) & (indices != own), "Labels says {}, the image's own label is another", stated)
        return pd.concat([table, found], axis=1)
    array = load_array(predictions)
    column, confidence = from_array(array, len(table), len(classes[0]), problems)
    table = table.assign(prediction=column)
    return table if confidence is None else table.assign(confidence=confidence)


def assemble(
    images_dir: Path, table: pd.DataFrame, classes: Classes, problems: Problems, source: str, wishes: Wishes, *, declared: bool
) -> Assembled:
    """Encode labels and predictions, check the images, and raise or leave out what is bad.

    Args:
        table: columns path, label, and row, prediction, confidence, split and attributes where there are any.
        source: what a problem is a problem of.
        declared: whether somebody gave the names of the classes.

    Raises:
        BarlowError: rows are bad; or most images are wrong only for how their classes are written.
    """
    if len(table) == 0:
        raise BarlowError(f"{source} holds no images. Expected at least one. Check what you passed in.")
    rows = table["row"].to_numpy() if "row" in table else None
    paths = table["path"].to_numpy(dtype=object)
    problems.add(duplicates(table["path"], rows, problems.unit))
    encode_classes(table, classes, problems, source, join=wishes.join_classes, declared=declared)

    on_disk = np.flatnonzero(~(table["path"].duplicated() | table.index.isin(problems.without_file)))
    checked, reasons = check_images(images_dir, paths[on_disk], wishes.check, progress=wishes.progress)
    problems.add({int(on_disk[i]): reason for i, reason in reasons.items()})
    table["digest"] = pd.Series(checked, index=on_disk, dtype="str").reindex(table.index)
    if wishes.check == "header":
        problems.notes.append(
            "Only the heads of the image files were looked at (check header): pixels that are cut off or damaged, and values without a "
            "known scale, are found by check full."
        )

    skipped = problems.listed(paths, rows)
    sound = _sound(table, problems)
    if len(skipped) and not (wishes.skip_bad and len(sound)):
        raise problems.report(skipped, source, len(table), can_skip=len(sound) > 0)
    return Assembled(sound.reset_index(drop=True), classes[0], skipped, tuple(problems.notes))


def encode_classes(
    table: pd.DataFrame, classes: Classes, problems: Problems, source: str, *, join: bool = False, declared: bool = False
) -> None:
    """Put indices in the place of labels and predictions, say which kind they were, and compare how they are written.

    Raises:
        BarlowError: most images are wrong only for how their classes are written.
    """
    names, lookup = classes
    missing = problems.missing
    columns = [what for what in ("label", "prediction") if what in table]
    values = {what: set(table[what].unique()) - {None, np.nan, pd.NA} for what in columns if _is_text(table[what])}
    texts = set().union(*values.values()) - missing
    is_new = {} if not lookup else find_alike(texts, classes)
    if is_new and join:
        lookup = lookup | is_new
        problems.notes.append(f"Joined: {_pairs(is_new, names)}.")
    elif is_new:
        problems.hints.append(
            f"Of these, some differ from a class only in how they are written: {_pairs(is_new, names)}. Join them with --join-classes "
            "(join_classes=True)."
        )
    refused: set[str] = set()
    kinds = [f"{what}s are {'names' if values.get(what, set()) & lookup.keys() else 'indices'}" for what in columns]
    for what in columns:
        if _is_text(table[what]):
            refused |= values[what] & (missing - NOTHING - lookup.keys())
        table[what], reasons = encode(table[what], what, names, lookup, missing)
        problems.add(reasons)
    if refused:
        problems.hints.append(
            f"Where {' or '.join(map(repr, sorted(refused)))} is the name of a class, say which texts stand for no value, such as none "
            'but the empty one: --missing "" (missing=()).'
        )
    if declared:
        problems.notes.append(f"{' and '.join(kinds).capitalize()}, of the {count(len(names), 'class', 'classes')} named.")
    elif lookup:
        problems.notes.append(f"Classes are {count(len(names), 'name')}.")
    else:
        problems.notes.append(f"Classes are indices 0 to {len(names) - 1}.")
    sound = _sound(table, problems)
    if len(sound):
        labels, *predictions = (sound[what].to_numpy(dtype=np.int64) for what in columns)
        problems.notes += check_spelling(labels, next(iter(predictions), None), names, declared=declared, source=source)


def _sound(table: pd.DataFrame, problems: Problems) -> pd.DataFrame:
    """The rows without a problem; the table itself, and no copy, where there is none."""
    return table[~problems.bad(len(table))] if problems.of_row else table


def _is_text(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column.dtype)


def _pairs(is_new: dict[str, int], names: list[str], most: int = 5) -> str:
    shown = [f"{value!r} with {names[index]!r}" for value, index in list(is_new.items())[:most]]
    return ", ".join(shown) + (f" and {len(is_new) - most:,} more" if len(is_new) > most else "")
