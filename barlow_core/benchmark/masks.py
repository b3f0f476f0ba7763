"""Masks, images that somebody chose: read from a file that names them, or that says true or false of each."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.wording import count

EXPECTED = (
    "Expected one filename a line; a CSV with a column Filenames and one column of true and false; or an .npy array of one True or "
    "False an image, in the order of the import"
)
HEADERS = ("filename", "filenames")
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
_SHOWN = 3


def read_mask(path: str | Path, names: Sequence[str] | np.ndarray) -> np.ndarray:
    """Read which images are chosen.

    Args:
        path: text in UTF-8 with one filename a line (a first line "Filenames" may stand above them); or a CSV with the header
            Filenames and one more column, of true and false (yes and no, 1 and 0, in any case), where images that are not listed
            are not chosen; or an .npy array, (N,) bool. A filename is a relative path, or a bare name that one image alone has.
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
            f"{path} holds {mask.dtype} of shape {mask.shape}. Expected bool of shape ({n_images},): one True or False an image, in the "
            "order of the import."
        )
    return np.asarray(mask)


def _read_text(path: Path, names: Sequence[str] | np.ndarray) -> np.ndarray:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if "".join(cells).strip()]
    except OSError as error:
        raise BarlowError(f"{path} cannot be read ({error.strerror or error}). {EXPECTED}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BarlowError(f"{path} is no UTF-8 text of that kind ({error}). {EXPECTED}.") from error
    if not rows:
        raise BarlowError(f"{path} is empty. {EXPECTED}.")
    header = [cell.casefold() for cell in rows[0][1]]
    named = next((header.index(one) for one in HEADERS if one in header), None)
    width = len(header)
    if width > 2 or (width == 2 and named is None):
        raise BarlowError(f"{path} begins with the columns {', '.join(map(repr, rows[0][1]))}. {EXPECTED}.")
    body = rows if named is None else rows[1:]
    return _chosen(path, body, named or 0, width, names)


def _chosen(
    path: Path, rows: list[tuple[int, list[str]]], named: int, width: int, names: Sequence[str] | np.ndarray
) -> np.ndarray:
    """The mask that rows of `width` cells say, the filename in cell `named`."""
    place = _places(names)
    said = np.full(len(names), -1)
    problems = []
    for line, cells in rows:
        image = place.get(cells[named].replace("\\", "/").removeprefix("./"), -1) if len(cells) == width else -1
        value = cells[1 - named].casefold() if len(cells) == width == 2 else "true"
        if len(cells) != width:
            problems.append(f"line {line} has {count(len(cells), 'value')} instead of {width}")
        elif image < 0:
            problems.append(f"line {line}: {cells[named]!r} names no image, or more than one")
        elif said[image] >= 0:
            problems.append(f"line {line}: {cells[named]!r} was named before")
        elif value not in (*TRUE, *FALSE):
            problems.append(f"line {line}: {cells[1 - named]!r} is neither true nor false")
        else:
            said[image] = value in TRUE
    if problems:
        more = f"; and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
        raise BarlowError(f"{path}: {'; '.join(problems[:_SHOWN])}{more}. {EXPECTED}.")
    return said == 1


def _places(names: Sequence[str] | np.ndarray) -> dict[str, int]:
    """Position of every image by its bare name, where one image alone has it, and by its path."""
    bare: dict[str, int] = {}
    for i, name in enumerate(names):
        last = PurePosixPath(name).name
        bare[last] = -1 if last in bare else i
    return bare | {str(name): i for i, name in enumerate(names)}
