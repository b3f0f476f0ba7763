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
from barlow_core.intake.values import MISSING

ClassNames = Sequence[str] | str | Path
# Names in the order of their indices, and every spelling of a class -> its index.
Classes = tuple[list[str], dict[str, int]]

MOST_UNNAMED_CLASSES = 100_000
_CHUNK = 100_000
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
# The one way to write a whole number: 7, and neither 007 nor +7, which are names.
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_WHOLE_AS_FLOAT = re.compile(r"(?:0|-?[1-9][0-9]*)\.0")  # as pandas writes whole numbers once their column has had a gap
_LINE_NUMBER = re.compile(r"\+?\d+(\.0*)?")  # of a names file
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
        raise BarlowError(f"{where} holds no class names. Expected one name per class, in the order of the indices.")
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


def infer_class_names(columns: dict[str, pd.Series], missing: frozenset[str] = MISSING) -> Classes:
    """Name the classes after the values of the label and prediction columns.

    Values are indices where all of a column are written as whole numbers are (7, not 007 or +7; or all as 7.0), and names otherwise.

    Args:
        columns: "label" and perhaps "prediction" -> its values: text or integers.
        missing: texts that stand for no value.

    Returns:
        names: the different texts, sorted; or "0", "1", … up to the largest where all values are indices.
        lookup: name -> index; empty for indices, which `encode` then reads as numbers ("3.0" is 3).

    Raises:
        BarlowError: one column holds names and another one indices, or an index is 100,000 or larger.
    """
    values = {what: _present(column, missing) for what, column in columns.items()}
    values = {what: found for what, found in values.items() if found}
    of_indices = [what for what, found in values.items() if are_indices(found)]
    if of_indices and len(of_indices) < len(values):
        _refuse_mixed(values, of_indices)
    if not of_indices or len(of_indices) < len(values):
        names = sorted({value for found in values.values() for value in found})
        return names, {name: index for index, name in enumerate(names)}
    largest = max((_index(value) for found in values.values() for value in found), default=0)
    if largest >= MOST_UNNAMED_CLASSES:
        raise BarlowError(
            f"{largest} is used as the index of a class. Expected indices below {MOST_UNNAMED_CLASSES:,} where no "
            "class names are given. Check the column, or give a names file."
        )
    return [str(index) for index in range(max(largest, 0) + 1)], {}


def are_indices(values: Sequence[str]) -> bool:
    """Whether texts are whole numbers, all written in one way: 0, 7, 12, or all as 0.0, 7.0, 12.0."""
    return any(all(form.fullmatch(value) for value in values) for form in (_WHOLE, _WHOLE_AS_FLOAT))


def _refuse_mixed(values: dict[str, list[str]], of_indices: list[str]) -> None:
    """Refuse a column of indices beside one of names, unless the names are such as may be told from numbers by their writing alone."""
    numeric = of_indices[0]
    (text,) = (what for what in values if what not in of_indices)
    if set(values[numeric]) & set(values[text]) or all(_NUMBER.fullmatch(value) for value in values[text]):
        return
    word = next(value for value in values[text] if not _NUMBER.fullmatch(value))
    raise BarlowError(
        f"Each {numeric} is a number ({values[numeric][0]}), each {text} a name ({word!r}). "
        "Expected the same kind, or class names that say which number is which name. Give a names file."
    )


def encode(
    values: pd.Series, what: str, names: Sequence[str], lookup: dict[str, int], missing: frozenset[str] = MISSING
) -> tuple[np.ndarray, dict[int, str]]:
    """Turn labels or predictions into class indices.

    A column of text in which any value is the name of a class is a column of names, also where the names are digits;
    otherwise, if it holds numbers, it is one of indices (see `are_indices`). Integers and floats are always indices.

    Args:
        values: (N,) text, integers or floats; NA among text is -1 without a reason (somebody gave one already).
        what: "label" or "prediction", for the reasons.
        names, lookup: as from `read_class_names`.
        missing: texts that stand for no value, unless a class is called so.

    Returns:
        indices: (N,) int64, -1 where there is no such class.
        reasons: position -> why there is none.
    """
    distinct = pd.Index(values.unique())
    texts = [str(value) for value in distinct]
    is_text = not pd.api.types.is_numeric_dtype(values.dtype)
    by_name = is_text and (any(t in lookup for t in texts) or not any(_NUMBER.fullmatch(t) for t in texts))
    missing = missing if is_text else MISSING
    form = _index_form(texts, is_text=is_text)
    resolved = np.array([lookup.get(t, -1) if by_name else _valid_index(t, len(names), form) for t in texts], dtype=np.int64)
    reasons = {
        code: _no_class(text, what, names, lookup, missing, by_name=by_name)
        for code, text in enumerate(texts)
        if resolved[code] < 0 and not (is_text and pd.isna(distinct[code]))
    }
    indices = np.empty(len(values), dtype=np.int64)
    bad: dict[int, str] = {}
    for start in range(0, len(values), _CHUNK):
        codes = distinct.get_indexer(pd.Index(values.iloc[start : start + _CHUNK]))
        indices[start : start + _CHUNK] = resolved[codes]
        if reasons:
            bad |= {int(start + i): reasons[codes[i]] for i in np.flatnonzero(np.isin(codes, list(reasons)))}
    return indices, bad


def _no_class(
    text: str, what: str, names: Sequence[str], lookup: dict[str, int], missing: frozenset[str], *, by_name: bool
) -> str:
    if text in missing:
        return f"{what} is empty" if not text else f"{what} is {text!r}, a missing value"
    if not by_name:
        return f"{what} {text!r} has no name: expected an index from 0 to {len(names) - 1}"
    folded = {name.casefold(): name for name in lookup}
    close = get_close_matches(text.casefold(), folded, n=1)
    if close:
        return f"{what} {text!r} has no name in the class names; did you mean {folded[close[0]]!r}?"
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{what} {text!r} is none of the {len(names)} class names ({shown})"


def _present(column: pd.Series, missing: frozenset[str]) -> list[str]:
    return [text for text in map(str, pd.Series(column.unique()).dropna()) if text not in missing]


def _index(text: str) -> int:
    return int(text.partition(".")[0])


def _index_form(texts: Sequence[str], *, is_text: bool) -> re.Pattern[str]:
    """How the whole numbers of a column are written: as 7.0 where all its numbers are, else as 7; numbers themselves in either way."""
    if not is_text:
        return re.compile(rf"(?:{_WHOLE.pattern})(?:\.0)?")
    numbers = [text for text in texts if _NUMBER.fullmatch(text)]
    return _WHOLE_AS_FLOAT if numbers and all(map(_WHOLE_AS_FLOAT.fullmatch, numbers)) else _WHOLE


def _valid_index(text: str, n_classes: int, form: re.Pattern[str]) -> int:
    index = _index(text) if form.fullmatch(text) else -1
    return index if 0 <= index < n_classes else -1


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
    by_index = {_index(index): entry for index, entry in numbered if _LINE_NUMBER.fullmatch(index)}
    if sorted(by_index) != list(range(len(entries))):
        raise BarlowError(
            f"{path} does not number its {len(entries)} classes from 0 to {len(entries) - 1}, each once. "
            "Expected that. Correct the indices."
        )
    return [by_index[index] for index in range(len(entries))]
