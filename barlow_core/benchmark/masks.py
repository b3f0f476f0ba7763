"""Masks, images that somebody chose: read from a file that names them, or that says true or false of each."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.benchmark.filenames import find_images
from barlow_core.errors import BarlowError
from barlow_core.intake import read_table
from barlow_core.intake.columns import candidates
from barlow_core.wording import count

EXPECTED = (
    "Expected one filename per line; a CSV with a column Filenames and one column of true and false; or an .npy array of one True or "
    "False per image, in the order of the import"
)
FILENAMES = ("filename", "filenames", "image", "path", "file")  # names of the column that names images
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_SHOWN = 3


def read_mask(path: str | Path, names: Sequence[str] | np.ndarray) -> np.ndarray:
    """Read which images are chosen.

    Args:
        path: a table (see `read_table`) of filenames alone, with or without a header; or with one more column, of true and false
            (yes and no, 1 and 0, in any case), where images that are not listed are not chosen; or an .npy array, (N,) bool.
            A filename is a relative path, or a bare name that one image alone has.
        names: (N,) relative POSIX paths of all images.

    Returns:
        (N,) bool.

    Raises:
        BarlowError: the file cannot be read, names something else or an image twice, or chooses none; with the line.
    """
    path = Path(path)
    mask = _read_array(path, len(names)) if path.suffix.lower() == ".npy" else _read_text(path, names)
    if not mask.any():
        raise BarlowError(
            f"{path} chooses none of {count(len(names), 'image')}. Expected at least one. Add some, or leave the mask out."
        )
    return mask


def mask_digest(mask: np.ndarray) -> str:
    """32 hex digits that stand for a mask, (N,) bool."""
    packed = np.packbits(np.asarray(mask, dtype=np.bool_))
    return hashlib.blake2b(f"{len(mask)}\0".encode() + packed.tobytes(), digest_size=16).hexdigest()


def check_masks(masks: Mapping[str, np.ndarray], n_images: int) -> None:
    """Raise BarlowError unless every mask has a name and is (n_images,) bool with some True."""
    for name, mask in masks.items():
        if not name.strip():
            raise BarlowError(f"A mask is called {name!r}. Expected a name, such as night.")
        if mask.shape != (n_images,) or mask.dtype != np.bool_ or not mask.any():
            raise BarlowError(
                f"The mask {name!r} is an array of {mask.dtype} with shape {mask.shape} and {int(np.count_nonzero(mask)):,} values that "
                f"are not 0. Expected one True or False for each of {count(n_images, 'image')}, and at least one True."
            )


def _read_array(path: Path, n_images: int) -> np.ndarray:
    try:
        mask = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BarlowError(f"{path} cannot be read as an .npy array ({error}). {EXPECTED}.") from error
    if mask.dtype != np.bool_ or mask.shape != (n_images,):
        raise BarlowError(
            f"{path} holds {mask.dtype} of shape {mask.shape}. Expected bool of shape ({n_images},): one True or False per image, in the "
            "order of the import."
        )
    return np.asarray(mask)


def _read_text(path: Path, names: Sequence[str] | np.ndarray) -> np.ndarray:
    table = read_table(path, expected="filenames, one per line, or a CSV of filenames and true or false", one_column=True)
    table.refuse_misfits()
    header, lines = table.header, table.lines.tolist()
    columns = [table.text(i).tolist() for i in range(len(header))]
    named = candidates(header, FILENAMES)
    if not named and len(header) == 1:  # no header: its place is taken by the first filename
        columns, lines = [[header[0], *columns[0]]], [1, *lines]
    elif len(named) != 1 or len(header) > 2:
        raise BarlowError(f"{path} has the columns {', '.join(map(repr, header))}. {EXPECTED}.")
    at = header.index(named[0]) if named else 0
    chosen = columns[1 - at] if len(columns) == 2 else ["true"] * len(lines)
    return _chosen(path, lines, columns[at], chosen, names)


def _chosen(
    path: Path, lines: Sequence[int], filenames: Sequence[str], chosen: Sequence[str], names: Sequence[str] | np.ndarray
) -> np.ndarray:
    """The mask where rows say of a filename whether it is chosen."""
    tidy = pd.Series([posixpath.normpath(name.replace("\\", "/")) for name in filenames], dtype="str")
    said = np.full(len(names), -1)
    problems = []
    for line, name, image, value in zip(lines, filenames, find_images(tidy, pd.Series(names, dtype="str")), chosen, strict=True):
        if image < 0:
            problems.append(f"line {line}: {name!r} names no image, or more than one")
        elif said[image] >= 0:
            problems.append(f"line {line}: {name!r} was named before")
        elif value.casefold() not in (*TRUE, *FALSE):
            problems.append(f"line {line}: {value!r} is neither true nor false")
        else:
            said[image] = value.casefold() in TRUE
    if problems:
        more = f"; and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
        raise BarlowError(f"{path}: {'; '.join(problems[:_SHOWN])}{more}. {EXPECTED}.")
    return said == 1
