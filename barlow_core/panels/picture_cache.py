"""Pictures that are made while somebody looks: `cache/` in the run folder, which may be deleted at any time."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

from barlow_core.run import Run, digest

MOST_FILES = 6000  # in one folder of the cache; of 224 x 224 pixels each, about 150 MB


def cache_folder(run: Run) -> Path:
    """Where pictures of `run` are kept: `cache/` in the run folder, or where that cannot be written a folder of this process.

    The latter is deleted when the process ends.
    """
    folder = run.path / "cache"
    try:
        folder.mkdir(exist_ok=True)
        if os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            return folder
    except OSError:
        pass
    return _own_folder(digest(str(run.path.resolve())))


@lru_cache
def _own_folder(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"barlow-{name[:8]}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def trim(folder: Path, *, most: int = MOST_FILES) -> None:
    """Delete the oldest files of a folder of the cache until half of `most` are left, once there are more than that."""
    with os.scandir(folder) as entries:
        files = [Path(entry.path) for entry in entries if entry.is_file()]
    if len(files) <= most:
        return
    ages = sorted((_changed(path), path) for path in files)
    for _, path in ages[: len(ages) - most // 2]:
        path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process deleted it
        return 0.0
