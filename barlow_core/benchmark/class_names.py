"""What classes are called: names files, ImageNet's names, and labels written as names or as indices."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError

ClassNames = Sequence[str] | str | Path
# Names in the order of their indices, and every spelling of a class -> its index.
Classes = tuple[list[str], dict[str, int]]

# How spreadsheets and programs write that there is no value. A declared class of such a name is a class all the same.
MISSING = frozenset(["", "nan", "NaN", "NAN", "NA", "N/A", "<NA>", "null", "NULL", "None"])
MOST_UNNAMED_CLASSES = 100_000
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
_INDEX = re.compile(r"\+?\d+(\.0*)?")  # pandas writes whole numbers as 3.0 once a column has had a gap
_INDEX_HEADERS = ("index", "id", "class_id", "class_index", "label")
_NAME_HEADERS = ("name", "class_name", "class", "label_name", "class_names", "names")


def imagenet_classes() -> pd.DataFrame:
    """The 1,000 classes of ImageNet (ILSVRC 2012), in the order of their indices: columns index, wnid, name."""
    return pd.read_csv(Path(__file__).with_name("imagenet_classes.csv"), dtype={"wnid": str, "name": str})


def read_class_names(source: ClassNames) -> Classes:
    """Read class names from wherever they are.

    Args:
        source: a list of names in the order of their indices; "imagenet"; or the path of a names file:
            text with a name a line, a JSON list, a JSON object {"0": name} or {"0": [WordNet id, name]} (the
            imagenet_class_index.json that circulates), or a CSV with a column `name` and optionally `index` and
            `wnid` (without such a header: a name a line).

    Returns:
        names: (K,) in the order of the indices.
        lookup: every spelling of a class (its name, its WordNet id where known) -> its index.

    Raises:
        BarlowError: the file is missing or unreadable, holds no names, a name is empty or there twice, or indices
            do not run from 0 to K - 1.
    """
    if isinstance(source, str) and source == "imagenet":
        table = imagenet_classes()
        names, wnids, where = table["name"].to_list(), table["wnid"].to_list(), "imagenet"
    elif isinstance(source, str | Path):
        names, wnids = _read_names_file(Path(source))
        where = str(source)
    else:
        names, wnids, where = [str(name).strip() for name in source], [], "class_names"
    if not names:
        raise BarlowError(f"{where} holds no class names. Expected one name a class, in the order of the indices.")
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if not name:
            raise BarlowError(f"{where}: class {index} has an empty name. Expected a name for each class.")
        if name in seen:
            raise BarlowError(
                f"{where}: {name!r} is the name of class {seen[name]} and of class {index}. "
                "Expected different names. Tell the two apart."
            )
        seen[name] = index
    return names, {wnid: index for index, wnid in enumerate(wnids)} | seen


def infer_class_names(columns: dict[str, pd.Series]) -> Classes:
    """Name the classes after the values of the label and prediction columns.

    Args:
        columns: "label" and perhaps "prediction" -> its values: text ("" and the like are missing) or integers.

    Returns:
        names: the different texts, sorted; or "0", "1", … up to the largest where all values are indices.
        lookup: name -> index; empty for indices, which `encode` then reads as numbers ("3.0" is 3).

    Raises:
        BarlowError: one column holds names and another one indices, or an index is 100,000 or larger.
    """
    values = {what: _present(column) for what, column in columns.items()}
    values = {what: found for what, found in values.items() if found}
    numeric = [what for what, found in values.items() if all(_NUMBER.fullmatch(value) for value in found)]
    if numeric and len(numeric) < len(values):
        (text,) = (what for what in values if what not in numeric)
        raise BarlowError(
            f"Each {numeric[0]} is a number ({values[numeric[0]][0]}), each {text} a name ({values[text][0]!r}). "
            "Expected the same kind, or class names that say which number is which name. Give a names file."
        )
    if not numeric:
        names = sorted({value for found in values.values() for value in found})
        return names, {name: index for index, name in enumerate(names)}
    indices = [_index(value) for found in values.values() for value in found if _INDEX.fullmatch(value)]
    largest = max(indices, default=0)
    if largest >= MOST_UNNAMED_CLASSES:
        raise BarlowError(
            f"{largest} is used as the index of a class. Expected indices below {MOST_UNNAMED_CLASSES:,} where no "
            "class names are given. Check the column, or give a names file."
        )
    return [str(index) for index in range(largest + 1)], {}


def encode(values: pd.Series, what: str, names: Sequence[str], lookup: dict[str, int]) -> tuple[np.ndarray, dict[int, str]]:
    """Turn labels or predictions into class indices.

    A column of text in which any value is the name of a class is a column of names, also where the names are digits;
    otherwise, if it holds numbers, it is one of indices. Integers and floats are always indices.

    Args:
        values: (N,) text, integers or floats; NA among text is -1 without a reason (somebody gave one already).
        what: "label" or "prediction", for the reasons.
        names, lookup: as from `read_class_names`.

    Returns:
        indices: (N,) int64, -1 where there is no such class.
        reasons: position -> why there is none.
    """
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    texts = [str(value) for value in distinct]
    is_text = not pd.api.types.is_numeric_dtype(values.dtype)
    by_name = is_text and (any(t in lookup for t in texts) or not any(_NUMBER.fullmatch(t) for t in texts))
    resolved = [lookup.get(text, -1) if by_name else _valid_index(text, len(names)) for text in texts]
    indices = np.array([*resolved, -1], dtype=np.int64)[codes]
    reasons = {
        code: _no_class(text, what, names, lookup, by_name=by_name)
        for code, text in enumerate(texts)
        if resolved[code] < 0 and not (is_text and pd.isna(distinct[code]))
    }
    bad = np.flatnonzero(np.isin(codes, list(reasons)))
    return indices, {int(position): reasons[codes[position]] for position in bad}


def _no_class(text: str, what: str, names: Sequence[str], lookup: dict[str, int], *, by_name: bool) -> str:
    if text in MISSING:
        return f"{what} is empty" if not text else f"{what} is {text!r}, a missing value"
    if not by_name:
        return f"{what} {text!r} has no name: expected an index from 0 to {len(names) - 1}"
    folded = {name.casefold(): name for name in lookup}
    close = get_close_matches(text.casefold(), folded, n=1)
    if close:
        return f"{what} {text!r} has no name in the class names; did you mean {folded[close[0]]!r}?"
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{what} {text!r} is none of the {len(names)} class names ({shown})"


def _present(column: pd.Series) -> list[str]:
    return [text for text in map(str, column.dropna().unique()) if text not in MISSING]


def _index(text: str) -> int:
    return int(text.partition(".")[0])


def _valid_index(text: str, n_classes: int) -> int:
    index = _index(text) if _INDEX.fullmatch(text) else -1
    return index if index < n_classes else -1


def _read_names_file(path: Path) -> tuple[list[str], list[str]]:
    """Return the names and, where the file has them, the WordNet ids."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BarlowError(f'{path}: no such names file. Expected the path of a text, CSV or JSON file, or "imagenet".') from None
    except (OSError, UnicodeDecodeError) as error:
        raise BarlowError(f"{path} cannot be read as a names file ({error}). Expected UTF-8 text.") from None
    if path.suffix.lower() == ".json":
        return _names_from_json(path, text)
    if path.suffix.lower() == ".csv":
        return _names_from_csv(path, text)
    return [line.strip() for line in text.rstrip().splitlines()], []


def _names_from_json(path: Path, text: str) -> tuple[list[str], list[str]]:
    expected = 'Expected a list of names, {"0": name, …} or {"0": [WordNet id, name], …}.'
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise BarlowError(f"{path} is not JSON ({error}). {expected}") from None
    if isinstance(content, dict):
        content = _in_order(path, list(content), list(content.values()))
    if isinstance(content, list) and all(isinstance(entry, str) for entry in content):
        return [name.strip() for name in content], []
    pairs = isinstance(content, list) and all(isinstance(e, list) and len(e) == 2 for e in content)
    if not pairs:
        raise BarlowError(f"{path} holds no class names. {expected}")
    return [str(name).strip() for _, name in content], [str(wnid).strip() for wnid, _ in content]


def _names_from_csv(path: Path, text: str) -> tuple[list[str], list[str]]:
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    name_columns = [header.index(name) for name in _NAME_HEADERS if name in header]
    if not name_columns:
        if len(header) != 1:
            raise BarlowError(f"{path} has the columns {header}. Expected `name`, optionally `index` and `wnid`.")
        return [row[0].strip() for row in rows], []
    body = [[cell.strip() for cell in row] + [""] * (len(header) - len(row)) for row in rows[1:]]
    index_columns = [header.index(name) for name in _INDEX_HEADERS if name in header]
    if index_columns:
        body = _in_order(path, [row[index_columns[0]] for row in body], body)
    wnids = [row[header.index("wnid")] for row in body] if "wnid" in header else []
    return [row[name_columns[0]] for row in body], wnids


def _in_order(path: Path, indices: list[str], entries: list[Any]) -> list[Any]:
    numbered = zip(indices, entries, strict=True)
    by_index = {_index(index): entry for index, entry in numbered if _INDEX.fullmatch(index)}
    if sorted(by_index) != list(range(len(entries))):
        raise BarlowError(
            f"{path} does not number its {len(entries)} classes from 0 to {len(entries) - 1}, each once. "
            "Expected that. Correct the indices."
        )
    return [by_index[index] for index in range(len(entries))]
