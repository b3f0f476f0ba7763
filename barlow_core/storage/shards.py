"""An array on disk that is filled shard by shard, by a process that may be killed at any moment and started again.

Beside `features.npy` lie `features.done.npy`, one flag a shard, and `features.key.json`, what the array is made from. A flag is
set after the rows of its shard are on disk, so a shard that is marked as done is done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write, write_json


class ShardedArray:
    """A memory-mapped .npy file of N rows, in shards of `shard_size` consecutive rows.

    Opening the same file with the same key goes on where the last process stopped, with the shard size it had.

    Args:
        path: the .npy file.
        key: stands for everything that decides what is in it.
        shape: (N, ...) of the whole array.
        dtype: of the array.
        shard_size: rows a shard.
        overwrite: start anew where the file was made from something else.

    Attributes:
        data: the array, np.memmap.
        done: (number of shards,) uint8, 1 where a shard is finished.

    Raises:
        BarlowError: the file holds something of another key, shape or dtype; or the disk is full.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: str,
        shape: tuple[int, ...],
        dtype: DTypeLike,
        shard_size: int = 512,
        overwrite: bool = False,
    ):
        if shard_size < 1:
            raise BarlowError(f"shard_size is {shard_size}. Expected at least 1 row per shard.")
        self.path = path
        self._done_path, self._key_path = path.with_suffix(".done.npy"), path.with_suffix(".key.json")
        wanted = {"key": key, "shape": list(shape), "dtype": _described(np.dtype(dtype))}
        found = self._found()
        if found is not None and {name: found.get(name) for name in wanted} != wanted:
            if not overwrite:
                raise BarlowError(_conflict(path, found, wanted))
            found = None
        if found is None:
            self._create(wanted | {"shard_size": shard_size}, np.dtype(dtype))
            found = wanted | {"shard_size": shard_size}
        self.shard_size = int(found["shard_size"])
        self.data: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="r+")
        self.done: np.memmap[Any, Any] = np.lib.format.open_memmap(self._done_path, mode="r+")

    def __repr__(self) -> str:
        finished = f"{int(self.done.sum())} of {len(self.done)} shards done"
        return f"ShardedArray({str(self.path)!r}, {self.data.shape}, {self.data.dtype}, {finished})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files; Windows does not replace or delete a file that is mapped."""
        del self.data, self.done

    @property
    def finished(self) -> bool:
        """Whether every shard is done."""
        return bool(self.done.all())

    @property
    def n_done(self) -> int:
        """Number of rows in finished shards."""
        return sum(stop - start for i, (start, stop) in enumerate(self._bounds()) if self.done[i])

    def pending(self) -> list[tuple[int, int]]:
        """First and last row (exclusive) of every shard that is not done, in order."""
        return [bounds for i, bounds in enumerate(self._bounds()) if not self.done[i]]

    def write(self, start: int, rows: np.ndarray) -> None:
        """Store the `rows` of the shard that begins at row `start`, and mark it as done once they are on disk."""
        stop = min(start + self.shard_size, len(self.data))
        if start % self.shard_size or len(rows) != stop - start:
            raise ValueError(f"{len(rows)} rows at {start} are no shard of {self!r}")
        self.data[start:stop] = rows
        self.data.flush()
        self.done[start // self.shard_size] = 1
        self.done.flush()

    def _bounds(self) -> Iterator[tuple[int, int]]:
        n_rows = len(self.data)
        return ((start, min(start + self.shard_size, n_rows)) for start in range(0, n_rows, self.shard_size))

    def _found(self) -> dict[str, Any] | None:
        """What the files on disk were made from; None when there is nothing, or nothing whole."""
        if not (self.path.is_file() and self._done_path.is_file() and self._key_path.is_file()):
            return None
        try:
            found: dict[str, Any] = json.loads(self._key_path.read_text(encoding="utf-8"))
            data = np.load(self.path, mmap_mode="r")
            n_flags = len(np.load(self._done_path, mmap_mode="r"))
            whole = list(data.shape) == found["shape"] and _described(data.dtype) == found["dtype"]
            return found if whole and n_flags == _n_shards(len(data), int(found["shard_size"])) else None
        except (ValueError, KeyError, TypeError, OSError, EOFError):
            return None

    def _create(self, made_from: dict[str, Any], dtype: np.dtype[Any]) -> None:
        # Without flags nothing counts: they go first and come last, so that a kill in between leaves nothing half-valid.
        self._done_path.unlink(missing_ok=True)
        shape = tuple(made_from["shape"])
        n_shards = _n_shards(shape[0], made_from["shard_size"])
        with _full_disk(self.path):
            _new_array(self.path, shape, dtype)
            write_json(self._key_path, made_from)
            _new_array(self._done_path, (n_shards,), np.dtype(np.uint8))


def _described(dtype: np.dtype[Any]) -> Any:
    """A dtype as JSON holds it, with the fields of a structured one."""
    return json.loads(json.dumps(np.lib.format.dtype_to_descr(dtype)))


def _n_shards(n_rows: int, shard_size: int) -> int:
    return -(-n_rows // shard_size)


def _new_array(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Write an array of zeros, with room on the disk for all of it."""
    with atomic_write(path) as temporary:
        np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape).flush()
        if hasattr(os, "posix_fallocate"):
            # Writing into the hole of a sparse file on a full disk would end the process with SIGBUS, without a word.
            with temporary.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)


@contextmanager
def _full_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BarlowError(
            f"{path} cannot be made ({error.strerror or error}). Free some space, or use a run folder on another disk."
        ) from error


def _conflict(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> str:
    differences = [
        f"{name} {found.get(name)} instead of {wanted[name]}" for name in ("shape", "dtype") if found.get(name) != wanted[name]
    ]
    detail = f" ({', '.join(differences)})" if differences else ""
    return (
        f"{path} was made from other images, another network or other settings{detail}. "
        "Use another run folder, or replace it with overwrite=True (--overwrite)."
    )
