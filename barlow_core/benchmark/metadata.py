"""The metadata that people bring: which of its columns are what, whatever they are called, and its rows, with their line numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.benchmark.filenames import normalise
from barlow_core.benchmark.problems import Problems
from barlow_core.errors import BarlowError
from barlow_core.intake import Table, read_table
from barlow_core.intake.columns import candidates, parse_columns, position
from barlow_core.intake.typed import from_frame
from barlow_core.intake.values import MISSING, NOTHING, has_decimal_commas, numbers

Source = str | Path | pd.DataFrame
# Which column is what, as a person says it: "filenames=image,labels=y_true", a mapping, or a JSON file.
Columns = str | Path | Mapping[str, str]

COLUMNS = {
    "path": "Filenames",
    "label": "Labels",
    "prediction": "Predictions",
    "confidence": "Confidence",
    "split": "Split",
}
# The columns of Benchmark.table; an attribute of such a name is kept as attribute_<name>.
RESERVED = frozenset([*COLUMNS, "label_name", "prediction_name", "digest", "row"])
# Said of columns, beside COLUMNS: a pattern of the columns that hold a score of one class each.
SCORES = "scores"
# What other tools call these columns; punctuation and case count for nothing. Taken where one column alone has such a name.
_USUAL = {
    "path": "image images img path paths file files filepath filepaths file_name file_names image_path image_file image_name img_path",
    "label": "y_true target targets truth ground_truth gt true_label true_class class classes class_name category",
    "prediction": "y_pred pred preds predicted predicted_label predicted_class pred_label pred_class y_hat",
    "confidence": "conf score scores prob probability",
}
_CHUNK = 100_000
_EXAMPLE = "filenames=image,labels=y_true"
EXPECTED = "the columns Filenames, Labels and, once there are any, Predictions"


def _singular(name: str) -> str:
    return name.casefold().removesuffix("s")


_SINGULAR = {_singular(name): column for column, name in COLUMNS.items()}


def read_metadata(
    source: Source,
    *,
    required: tuple[str, ...] = ("path", "label"),
    columns: Columns | None = None,
    missing: frozenset[str] | None = None,
    images_dir: Path | None = None,
) -> tuple[pd.DataFrame, Problems]:
    """Read metadata as its columns and rows are; what the values mean is for later.

    Args:
        source: see `barlow_core.intake.read_table`; or a pandas data frame. Filenames, Labels, Predictions, Confidence, Split are known
            in any case and in the singular, and by usual names of other tools where that is unambiguous; further columns are attributes.
        required: which of "path", "label", "prediction" must be there.
        columns: which column is what, where names do not tell; "" for one that the table does not have.
        missing: texts that stand for no value; None for the usual ones (`MISSING`), of a typed source only the empty text.
        images_dir: the folder of images, where absolute paths below it, paths relative to the file and other Unicode forms count.

    Returns:
        table: columns row (line number in the file, int64), then of the known ones those that are there: path (str,
            normalised relative POSIX path), label, prediction, split (str), confidence (float64, NaN where empty); then the
            attributes (numbers where all values are numbers, else str; of a typed source as they are).
        problems: rows of another length than the header, and bad paths and confidences, by position in `table`; its notes say what was
            read in another way than usual.

    Raises:
        BarlowError: the file is missing, no text, no table, empty, or lacks a column, or a column may be either of two.
    """
    read = (
        from_frame(source)
        if isinstance(source, pd.DataFrame)
        else read_table(source, expected=f"a CSV (or Parquet, or JSON lines) with {EXPECTED}")
    )
    if read.broken is not None:
        read.refuse_misfits()
    missing = missing_of(read, missing)
    problems = Problems(unit=read.unit)
    problems.missing = missing
    problems.notes += read.notes
    found = _choose(read, required, parse_columns(columns, _EXAMPLE) if columns else {}, missing, problems.notes)
    if len(read.cells) == 0:
        raise BarlowError(f"{read.source} has a header and no rows. Expected one row per image.")
    problems.add_where(read.misfits, f"has {{}} values, the header has {len(read.header)}", read.n_values)
    parts: dict[str, pd.Series] = {"row": pd.Series(read.lines, copy=False)}
    for name in COLUMNS:
        if name in found:
            parts[name] = read.text(found[name])
    beside = None if isinstance(source, pd.DataFrame) else Path(source).absolute().parent
    parts["path"] = normalise(parts["path"], problems, images_dir, beside)
    if "confidence" in parts:
        parts["confidence"] = _confidence(parts["confidence"], missing, problems)
    attributes = [position for position in range(len(read.header)) if position not in found.values()]
    for at in attributes:
        values = read.cells[at] if read.typed else read.text(at)
        _add_attribute(parts, read.header[at], at, values, read.typed, missing)
    return pd.DataFrame(parts, copy=False), problems


def missing_of(read: Table, missing: frozenset[str] | None) -> frozenset[str]:
    """What stands for no value in a table: what a person says, or else what is usual for its source."""
    if missing is not None:
        return missing | NOTHING
    return NOTHING if read.typed else MISSING


def score_pattern(columns: Columns | None) -> str | None:
    """What a person says of the columns that hold scores, such as "prob_*"."""
    said = {_singular(what): column for what, column in (parse_columns(columns, _EXAMPLE) if columns else {}).items()}
    return said.get(_singular(SCORES)) or None


def duplicates(paths: pd.Series, rows: np.ndarray | None, unit: str = "line") -> dict[int, str]:
    """Position of every later occurrence of a path -> a reason, with the line of the first where there are lines."""
    later = np.flatnonzero(paths.duplicated() & (paths != ""))
    if len(later) == 0 or rows is None:
        return {int(i): "duplicate filename" for i in later}
    first = pd.Series(rows, index=paths.to_numpy())[~paths.duplicated().to_numpy()]
    lines = first.loc[paths.to_numpy()[later]].to_numpy()
    return {int(i): f"duplicate filename, already on {unit} {line}" for i, line in zip(later, lines, strict=True)}


def typed(text: pd.Series, missing: frozenset[str] = MISSING) -> pd.Series:
    """Turn text into numbers where every value that is there is one; "007" is not (it would lose its zeros)."""
    empty = text.isin(missing)
    present = text[~empty] if empty.any() else text
    if present.empty or present.str.match(r"[+-]?0\d").any():
        return text.mask(empty)
    pieces = []
    for start in range(0, len(present), _CHUNK):  # pandas makes a Python object of each value on the way
        try:
            pieces.append(pd.to_numeric(present.iloc[start : start + _CHUNK].astype(object)))
        except (ValueError, TypeError):
            return text.mask(empty)
        if pieces[-1].dtype.kind not in "iuf":
            return text.mask(empty)
    values = pd.concat(pieces)
    return values if not empty.any() else values.astype("float64").reindex(text.index)


# --- which column is what


def _choose(
    read: Table, required: Sequence[str], said: Mapping[str, str], missing: frozenset[str], notes: list[str]
) -> dict[str, int]:
    """Ours -> position of its column; what was found by another name than ours is noted."""
    known = {_singular(name): column for name, column in [*((name, what) for what, name in COLUMNS.items()), (SCORES, SCORES)]}
    if unknown := [what for what in said if _singular(what) not in known]:
        listed = ", ".join(name.lower() for name in [*COLUMNS.values(), SCORES])
        raise BarlowError(
            f"{unknown[0]!r} is not something that a column can hold. Expected some of {listed}, such as: {_EXAMPLE}"
        )
    named = {known[_singular(what)]: column for what, column in said.items() if known[_singular(what)] != SCORES}
    found = {what: position(read.header, column, read.source) for what, column in named.items() if column}
    if len(set(found.values())) < len(found):
        raise BarlowError(f"{read.source}: one column is said to be two things ({said}). Expected one each.")
    for what in COLUMNS:
        if what not in named:
            places = [
                i for i, name in enumerate(read.header) if _SINGULAR.get(_singular(name)) == what and i not in found.values()
            ]
            if len(places) > 1:
                shown = ", ".join(repr(read.header[i]) for i in places)
                raise BarlowError(
                    f"{read.source} has more than one column for {COLUMNS[what]} ({shown}). Expected one. Rename the other, or say which: "
                    f"--columns {COLUMNS[what].lower()}=COLUMN"
                )
            found |= dict.fromkeys([what] if places else [], places[0] if places else 0)
    _choose_usual(read, found, named, missing, notes)
    if lacking := [what for what in required if what not in found]:
        raise BarlowError(
            f"{read.source} has no column {' and no column '.join(COLUMNS[what] for what in lacking)}; found "
            f"{', '.join(map(repr, read.header[:30]))}. Expected {EXPECTED}. Rename them, or say which they are: --columns "
            + ",".join(f"{COLUMNS[what].lower()}=COLUMN" for what in lacking)
        )
    return found


def _choose_usual(
    read: Table, found: dict[str, int], named: Mapping[str, str], missing: frozenset[str], notes: list[str]
) -> None:
    """Add what other tools call our columns, where one column alone may be meant."""
    taken = []
    for what, usual in _USUAL.items():
        if what in found or what in named:
            continue
        free = ["" if i in found.values() else name for i, name in enumerate(read.header)]
        columns = candidates(free, usual.split())
        if what == "confidence":  # "score" is a word for many things
            columns = [name for name in columns if "prediction" in found and _are_confidences(read, free.index(name), missing)]
        if len(columns) > 1:
            shown = " or ".join(map(repr, columns))
            how = f"--columns {COLUMNS[what].lower()}={columns[0]}"
            if what == "confidence":
                notes.append(f"Confidence may be {shown}, so neither is taken. Say which: {how}")
                continue
            raise BarlowError(
                f"{read.source} has no column {COLUMNS[what]}, and it may be {shown}. Expected one of them. Say which: {how}"
                + (f" (or {COLUMNS[what].lower()}= for none)" if what == "prediction" else "")
            )
        if columns:
            found[what] = free.index(columns[0])
            taken.append(f"{COLUMNS[what]} from {columns[0]!r}")
    if taken:
        notes.append(f"Columns: {', '.join(taken)}.")


def _are_confidences(read: Table, at: int, missing: frozenset[str]) -> bool:
    text = read.text(at)
    return bool(numbers(text[~text.isin(missing)]).between(0, 1).all())


# --- values


def _confidence(text: pd.Series, missing: frozenset[str], problems: Problems) -> pd.Series:
    empty = text.isin(missing)
    present = text.where(~empty) if empty.any() else text
    values = numbers(present)
    if has_decimal_commas(present):
        problems.notes.append("Confidence is written with decimal commas, and read so.")
    bad = ~empty & ~values.between(0, 1)
    problems.add_where(bad.to_numpy(), "confidence {} is not a number in [0, 1]", text)
    return values


def _add_attribute(
    parts: dict[str, pd.Series], name: str, at: int, values: pd.Series, is_typed: bool, missing: frozenset[str]
) -> None:
    """Add an attribute under a name that no other column has, also where case does not count."""
    if not name and not is_typed and (values == "").all():
        return  # a separator at the end of every line
    name = name or f"column_{at + 1}"
    if name.casefold() in RESERVED:
        name = f"attribute_{name}"
    taken = {column.casefold() for column in parts}
    choices = itertools.chain([name], (f"{name}_{i}" for i in itertools.count(2)))
    unique = next(choice for choice in choices if choice.casefold() not in taken)
    parts[unique] = values if is_typed else typed(values, missing)
