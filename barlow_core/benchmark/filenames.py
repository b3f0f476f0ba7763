"""Filenames of a table as paths below the folder of images, however they were written."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.benchmark.problems import Problems
from barlow_core.wording import count

# What a plain relative POSIX path never has: a backslash, an empty, "." or ".." part, a root or a drive.
_ODD_PATH = r"\\|//|(?:^|/)\.{1,2}(?:/|$)|^/|/$|^[A-Za-z]:[\\/]|^$"
_NOT_ASCII = r"[^\x00-\x7f]"


def normalise(paths: pd.Series, problems: Problems, images_dir: Path | None = None, beside: Path | None = None) -> pd.Series:
    """Turn filenames into relative POSIX paths below the folder of images.

    A path is relative to the folder of images. Where it is none of its files, an absolute path below it, a path relative to the table's
    own folder, and another Unicode form of a file's name count as well, each noted.

    Args:
        paths: (N,) text.
        problems: gets paths that lead elsewhere.
        images_dir: absolute; None takes paths as they are written.
        beside: the folder of the table, absolute; None where it is no file.
    """
    odd = np.flatnonzero(paths.str.contains(_ODD_PATH))
    if len(odd):
        paths = _tidy(paths, odd, problems, images_dir, beside)
    if images_dir is None:
        return paths
    if beside is not None and beside != images_dir:
        paths = _from_beside(paths, problems, images_dir, beside)
    return _as_on_disk(paths, problems, images_dir)


def unicode_key(path: str) -> str:
    """A path as it counts where two systems encode the same letters in other ways (é as one sign, or as e and an accent)."""
    return unicodedata.normalize("NFC", path)


def _tidy(paths: pd.Series, odd: np.ndarray, problems: Problems, images_dir: Path | None, beside: Path | None) -> pd.Series:
    values = paths.to_numpy(dtype=object, copy=True)
    roots = [] if images_dir is None else list(dict.fromkeys([images_dir.as_posix(), images_dir.resolve().as_posix()]))
    n_absolute = n_beside = 0
    for at in odd:
        path = values[at].replace("\\", "/")
        tidy = posixpath.normpath(path) if path else ""
        inside = _below(tidy, roots)
        if not path:
            reason = "filename is empty"
        elif inside is not None:
            values[at] = inside
            n_absolute += 1
            continue
        elif path.startswith("/") or re.match("[A-Za-z]:/", path):
            reason = "filename is absolute; write it relative to the folder of images"
        elif tidy.split("/")[0] in ("..", "."):
            inside = _below(posixpath.normpath(f"{beside.as_posix()}/{tidy}"), roots) if beside is not None else None
            if inside is not None:
                values[at] = inside
                n_beside += 1
                continue
            reason = "filename leads out of the folder of images"
        else:
            values[at] = tidy
            continue
        problems.add({int(at): reason})
        problems.without_file.add(int(at))
    if n_absolute:
        problems.notes.append(
            f"{count(n_absolute, 'filename')} written as absolute: below the folder of images, so taken as relative to it."
        )
    if n_beside:
        problems.notes.append(f"{count(n_beside, 'filename')} written relative to the table's own folder, and taken so.")
    return pd.Series(values, dtype="str")


def _below(path: str, roots: list[str]) -> str | None:
    """The part of an absolute path below one of `roots`; None where it lies elsewhere, or is a root itself."""
    return next((path[len(root.rstrip("/")) + 1 :] for root in roots if path.startswith(root.rstrip("/") + "/")), None)


def _from_beside(paths: pd.Series, problems: Problems, images_dir: Path, beside: Path) -> pd.Series:
    """Paths that no image has below `images_dir`, and an image has that is found from the folder of the table."""
    inner = os.path.relpath(images_dir, beside).replace(os.sep, "/")
    outer = os.path.relpath(beside, images_dir).replace(os.sep, "/")
    if not inner.startswith(".."):  # metadata.csv beside images/, with images/a.png in it
        at = np.flatnonzero(paths.str.startswith(f"{inner}/"))
        if len(at) == 0:
            return paths
        others = paths.iloc[at].str.slice(len(inner) + 1)
    elif not outer.startswith(".."):  # the table lies among the images
        at = np.flatnonzero(paths != "")
        others = f"{outer}/" + paths.iloc[at]
    else:
        return paths
    here, there = str(images_dir) + os.sep, others.to_numpy(dtype=object)
    moved = [
        i
        for i, (path, other) in enumerate(zip(paths.iloc[at], there, strict=True))
        if not os.path.lexists(here + path) and os.path.lexists(here + other)
    ]
    if not moved:
        return paths
    problems.notes.append(f"{count(len(moved), 'filename')} written relative to the table's own folder, and taken so.")
    values = paths.to_numpy(dtype=object, copy=True)
    values[at[moved]] = there[moved]
    return pd.Series(values, dtype="str")


def _as_on_disk(paths: pd.Series, problems: Problems, images_dir: Path) -> pd.Series:
    """Names with letters beyond ASCII as the disk has them, where only their Unicode form is another one."""
    at = np.flatnonzero(paths.str.contains(_NOT_ASCII))
    if len(at) == 0:
        return paths
    folders: dict[Path, dict[str, list[str]]] = {}
    found = {}
    for i, path in zip(at, paths.iloc[at], strict=True):
        if not os.path.lexists(images_dir / path) and (there := _by_unicode(images_dir, path, folders)) is not None:
            found[int(i)] = there
    if not found:
        return paths
    problems.notes.append(
        f"{count(len(found), 'filename')} written in another Unicode form than on the disk, and found by its letters."
    )
    values = paths.to_numpy(dtype=object, copy=True)
    values[list(found)] = list(found.values())
    return pd.Series(values, dtype="str")


def _by_unicode(images_dir: Path, path: str, folders: dict[Path, dict[str, list[str]]]) -> str | None:
    """The one file whose path is `path` but for the Unicode form; None where there is none, or more than one."""
    place = images_dir
    for part in path.split("/"):
        if place not in folders:
            known = folders.setdefault(place, {})
            for name in sorted(entry.name for entry in place.iterdir()) if place.is_dir() else []:
                known.setdefault(unicode_key(name), []).append(name)
        names = folders[place].get(unicode_key(part), [])
        if part not in names and len(names) != 1:
            return None
        place /= part if part in names else names[0]
    return place.relative_to(images_dir).as_posix()


def find_images(wanted: pd.Series, images: pd.Series) -> np.ndarray:
    """(M,) int64: the position among `images` of each of `wanted`, by path or else by bare name; -1 where not one."""
    positions = _positions(wanted, images, ~images.duplicated())
    bare = images.str.rpartition("/")[2]
    found = np.where(positions < 0, _positions(wanted, bare, ~bare.duplicated(keep=False)), positions)
    if (found >= 0).all() or "".join(images).isascii():
        return found
    by_letters = [names.map(unicode_key) for names in (wanted, images, bare)]
    for names in by_letters[1:]:
        found = np.where(found < 0, _positions(by_letters[0], names, ~names.duplicated(keep=False)), found)
    return found


def _positions(wanted: pd.Series, known: pd.Series, usable: pd.Series) -> np.ndarray:
    where = np.flatnonzero(usable)
    return np.append(where, -1)[pd.Index(known.iloc[where]).get_indexer(pd.Index(wanted))]
