"""The images of a node for other tools: a folder of copies or links, a list of paths, a zip file."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.storage.files import atomic_write
from barlow_core.views.images import images_at

WAYS = ("copy", "link", "list", "zip")


class ImagesOut(NamedTuple):
    """What came of taking images away.

    Attributes:
        path: the folder or the file.
        n_images: that are there now.
        missing: names of images whose files are gone.
    """

    path: Path
    n_images: int
    missing: list[str]


def export_images(run: Run, positions: np.ndarray | Sequence[int], target: str | Path, *, how: str = "copy") -> ImagesOut:
    """Take images away, under the names that they have in the benchmark.

    Args:
        positions: of the images in the benchmark.
        target: a folder that is new or empty for "copy" and "link"; else a file.
        how: "copy" copies the files, "link" makes symbolic links, "list" writes their absolute paths, one per line, "zip" packs them.
            Beside copies, links and in the zip file lies images.csv with labels and predictions.

    Raises:
        BarlowError: an unknown way, a position that does not exist, a folder that holds something, a target that cannot be written,
            or a system without symbolic links.
    """
    if how not in WAYS:
        raise BarlowError(f"Unknown way {how!r} to export images. Expected one of: {', '.join(WAYS)}.")
    table = images_at(run, positions)
    target, folder = Path(target), run.benchmark.images_dir.absolute()
    files = {name: folder / name for name in table["name"]}
    missing = [name for name, path in files.items() if not path.is_file()]
    there = {name: path for name, path in files.items() if name not in set(missing)}
    about = table[~table["name"].isin(missing)].to_csv(index=False, lineterminator="\n")
    try:
        if how == "list":
            with atomic_write(target) as temporary:
                temporary.write_text("".join(f"{path}\n" for path in there.values()), encoding="utf-8")
        elif how == "zip":
            with atomic_write(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for name, path in there.items():
                    archive.write(path, name)
                archive.writestr("images.csv", about)
        else:
            _fill(target, there, about, link=how == "link")
    except OSError as error:
        raise BarlowError(f"{target} cannot be written ({error.strerror or error}). Choose another place.") from error
    return ImagesOut(target, len(there), missing)


def _fill(folder: Path, files: dict[str, Path], about: str, *, link: bool) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BarlowError(f"{folder} exists and is not an empty folder. Choose a new one.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if link:
            place.symlink_to(path)
        else:
            shutil.copy2(path, place)
    # Last, so that a folder with this file is complete.
    with atomic_write(folder / "images.csv") as temporary:
        temporary.write_text(about, encoding="utf-8")
