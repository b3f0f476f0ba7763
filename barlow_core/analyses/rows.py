"""The rows of each group from a features file that may be far larger than memory.

The images of a class lie together in most benchmarks, so a label group is read as a few slices. The images that are *predicted*
as a class lie anywhere. While the system can hold the whole file in memory this costs nothing; beyond that every row would be a
read of its own from the disk. `gathered` then passes over the file once, from its first byte to its last, and writes the rows of
each such group side by side into a temporary file, from which a group is one read.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from barlow_core.errors import BarlowError
from barlow_core.groups import Group
from barlow_core.progress import progress_bar
from barlow_core.storage.files import write_json

# What going elsewhere in a file costs, in bytes that could be read meanwhile: about 10 ms at 100 MB/s (a hard disk) or
# 0.5 ms at 2 GB/s (a network disk).
SEEK = 1 << 20
MOST_BUFFERED = 256 << 20
UNKNOWN_MEMORY = 4 << 30


@dataclass(frozen=True)
class Rows:
    """Where the rows of one group lie. A few numbers, so it travels cheaply to the process that reads them.

    Attributes:
        path: of the file.
        offset: of its first row, in bytes.
        dtype, n_features: of a row.
        runs: (R, 2) int64, first and last row (exclusive) of each stretch of consecutive rows, in the order of the group.
    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    n_features: int
    runs: np.ndarray

    def __len__(self) -> int:
        return int((self.runs[:, 1] - self.runs[:, 0]).sum())

    def read(self) -> np.ndarray:
        """The rows, (n, D) of `dtype`: in memory, and nothing else of the file with them.

        Raises:
            BarlowError: the file is gone, or shorter than it was.
        """
        rows = np.empty((len(self), self.n_features), dtype=self.dtype)
        row_bytes = self.n_features * self.dtype.itemsize
        with _opened(self.path) as file:
            done = 0
            for first, last in self.runs.tolist():
                file.seek(self.offset + first * row_bytes)
                _fill(file, rows[done : done + last - first], self.path)
                done += last - first
        return rows


@dataclass(frozen=True)
class RowSource:
    """The rows of the groups that `gathered` was asked for.

    Attributes:
        temporary_bytes: what the temporary file takes on the disk; 0 where none is needed.
    """

    temporary_bytes: int
    _found: dict[str, Rows]

    def find(self, group: Group) -> Rows:
        """Where the rows of `group` lie; hand this, not the source, to another process."""
        rows = self._found.get(_digest(group.indices))
        if rows is None:
            raise BarlowError(f"{group!r} is not among the {len(self._found)} groups that were gathered. Gather it with them.")
        return rows

    def rows(self, group: Group) -> np.ndarray:
        """(n, D), the same as `np.load(features_path, mmap_mode="r")[group.indices]`."""
        return self.find(group).read()


@contextmanager
def gathered(
    features_path: Path, groups: Sequence[Group], work_folder: Path, *, memory: int | None = None, progress: bool = False
) -> Iterator[RowSource]:
    """Make the rows of every group readable without a read from the disk for every single row.

    A temporary file is written when `features_path` is larger than `memory` and reading the groups in place would cost more
    than a pass over it (a seek counts as reading 1 MiB, so a few small groups are read in place). It takes n * D * itemsize
    bytes for each group of n images that is not (nearly) contiguous: for prediction groups, as much as the features
    themselves. Leaving the block removes it; left by an exception, a finished one stays in `work_folder` and the next call
    for any of the same groups goes on with it. One that is not finished is made anew.

    Memory: while it is written, at most `memory` (and never more than 256 MiB) of rows, and 32 bytes for each image and group
    that it is in; afterwards one group's rows for each `rows`.

    Args:
        features_path: (N, D) .npy file in C order, of any dtype of fixed size.
        groups: may overlap, be empty, and be in any order.
        work_folder: for the temporary file; made when needed, and left in place. One call at a time.
        memory: bytes that the system can be trusted to keep of the file; None for a quarter of what is available to this
            process (see `available_memory`).
        progress: show a bar while the temporary file is written.

    Raises:
        BarlowError: no features file of that kind, a group of other images, or not enough space on the disk.
    """
    memory = available_memory() // 4 if memory is None else memory
    features = _open_features(features_path)
    wanted = {_digest(group.indices): np.asarray(group.indices, dtype=np.int64) for group in groups}
    for group in groups:
        _check(group, len(features), features_path)
    in_place = {name: _in_place(features, indices) for name, indices in wanted.items()}
    scattered = {name: wanted[name] for name in _scattered(features, in_place, memory)}
    if not scattered:
        yield RowSource(0, in_place)
        return

    data, marker = work_folder / "rows.bin", work_folder / "rows.json"
    made_from = _identity(features)
    offsets = _finished(data, marker, made_from)
    if offsets is None or not offsets.keys() >= scattered.keys():
        _remove(data, marker)
        offsets = _partition(features, scattered, data, memory, progress)
        write_json(marker, {"features": made_from, "bytes": data.stat().st_size, "groups": offsets})
    together = {
        name: Rows(data, 0, features.dtype, features.n_features, np.array([[offsets[name], offsets[name] + len(indices)]]))
        for name, indices in scattered.items()
    }
    yield RowSource(data.stat().st_size, in_place | together)
    _remove(data, marker)


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process can still use: what the system has to spare, or less where a container or a job has a limit.

    Args:
        root: where proc and sys/fs/cgroup are looked for.
    """
    known = [bytes_ for bytes_ in (_system_memory(root), *_cgroup_memory(root)) if bytes_ is not None]
    return max(0, min(known, default=UNKNOWN_MEMORY))


def _system_memory(root: Path) -> int | None:
    with contextlib.suppress(OSError, KeyError, ValueError):
        lines = (root / "proc/meminfo").read_text(encoding="utf-8").splitlines()
        return int(dict(line.split(":", 1) for line in lines)["MemAvailable"].split()[0]) * 1024
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _cgroup_memory(root: Path) -> Iterator[int]:
    """What is left under each limit of memory that Linux has set for this process, version 1 or 2 of control groups."""
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                base = root / "sys/fs/cgroup/memory"
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            else:
                continue
            # Inside a container the path can be that of the host, of which only the root is to be seen.
            folder = base / path.strip("/")
            for level in (folder, *folder.parents):
                if level.is_relative_to(base):
                    yield from _left(level, *names)


def _left(folder: Path, limit: str, usage: str, cached: str) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):  # "max" stands for no limit
        stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines())
        used = int((folder / usage).read_text(encoding="utf-8")) - int(stat.get(cached, 0))
        yield int((folder / limit).read_text(encoding="utf-8")) - used


# --- the features file


@dataclass(frozen=True)
class _Features:
    path: Path
    offset: int
    dtype: np.dtype[Any]
    n_images: int
    n_features: int

    def __len__(self) -> int:
        return self.n_images

    @property
    def row_bytes(self) -> int:
        return self.n_features * self.dtype.itemsize

    @property
    def n_bytes(self) -> int:
        return self.n_images * self.row_bytes


def _open_features(path: Path) -> _Features:
    """Read what the file says about itself, without mapping it: mapped pages would count as this process's memory."""
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        with path.open("rb") as file:
            shape, fortran_order, dtype = read_header[np.lib.format.read_magic(file)](file)
            offset = file.tell()
    except (OSError, ValueError, KeyError) as error:
        raise BarlowError(f"{path} cannot be read as an .npy file ({error}). Extract the features again.") from error
    if len(shape) != 2 or (fortran_order and min(shape) > 1) or dtype.hasobject:
        order = "Fortran" if fortran_order else "C"
        raise BarlowError(
            f"{path} holds {dtype} of shape {shape} in {order} order. Expected numbers of shape (N, D) in C order: "
            "one row per image. Extract the features again."
        )
    features = _Features(path, offset, dtype, *shape)
    if path.stat().st_size < offset + features.n_bytes:
        raise BarlowError(
            f"{path} is cut off: {path.stat().st_size:,} bytes, expected {offset + features.n_bytes:,}. Extract again."
        )
    return features


def _identity(features: _Features) -> dict[str, Any]:
    status = features.path.stat()
    shape = [features.n_images, features.n_features]
    return {"bytes": status.st_size, "changed": status.st_mtime_ns, "shape": shape, "dtype": features.dtype.str}


def _check(group: Group, n_images: int, path: Path) -> None:
    if len(group) and not (group.indices.min() >= 0 and group.indices.max() < n_images):
        bad = next(int(i) for i in group.indices if not 0 <= i < n_images)
        raise BarlowError(f"{group!r} has image {bad}, but {path} has {n_images:,} rows. Extract the features of this benchmark.")


def _digest(indices: np.ndarray) -> str:
    return hashlib.blake2b(np.asarray(indices, dtype="<i8").tobytes(), digest_size=16).hexdigest()


def _opened(path: Path) -> io.FileIO:
    try:
        return io.FileIO(path, "r")
    except OSError as error:
        raise BarlowError(f"{path} cannot be read ({error.strerror or error}). Extract the features again.") from error


def _fill(file: io.FileIO, rows: np.ndarray, path: Path) -> None:
    """Read exactly as many bytes as `rows`, contiguous, takes; one call reads at most 2 GiB on Linux."""
    rest = rows.reshape(-1).view(np.uint8).data
    while len(rest):
        try:
            n_read = file.readinto(rest)
        except OSError as error:
            raise BarlowError(f"{path} cannot be read ({error.strerror or error}). Check the disk.") from error
        if not n_read:
            raise BarlowError(
                f"{path} ends {len(rest):,} bytes too early. Was it changed in the meantime? Extract the features again."
            )
        rest = rest[n_read:]


# --- where groups are read


def _in_place(features: _Features, indices: np.ndarray) -> Rows:
    """Read `indices` from the features file itself."""
    cuts = np.flatnonzero(np.diff(indices) != 1) + 1
    first = indices[np.concatenate([[0], cuts])] if len(indices) else indices
    last = indices[np.concatenate([cuts - 1, [len(indices) - 1]])] + 1 if len(indices) else indices
    return Rows(features.path, features.offset, features.dtype, features.n_features, np.stack([first, last], axis=1))


def _scattered(features: _Features, in_place: dict[str, Rows], memory: int) -> list[str]:
    """The groups that are better copied together first."""
    if features.n_bytes <= memory:
        return []
    found = [name for name, rows in in_place.items() if len(rows.runs) > 1 + len(rows) * features.row_bytes // SEEK]
    n_bytes = sum(len(in_place[name]) for name in found) * features.row_bytes
    seeking = sum(len(in_place[name].runs) for name in found) * SEEK
    copying = features.n_bytes + 2 * n_bytes
    return found if seeking > copying else []


# --- the pass over the file


def _partition(features: _Features, groups: dict[str, np.ndarray], target: Path, memory: int, progress: bool) -> dict[str, int]:
    """Copy the rows of each of `groups` next to each other into `target`; return the row at which each group begins.

    Where every row goes is known before the first is read. So a block of the features is read, and what belongs to one group
    is written in one piece to its place.
    """
    starts = np.concatenate([[0], np.cumsum([len(indices) for indices in groups.values()])])
    rows = np.concatenate(list(groups.values()))
    places = np.argsort(rows, kind="stable")
    rows = rows[places]
    block_rows = max(1, min(memory, MOST_BUFFERED) // 2 // max(1, features.row_bytes))
    block = np.empty((min(block_rows, len(features)), features.n_features), dtype=features.dtype)
    part = target.with_suffix(".part")
    with _room_for(part, int(starts[-1]) * features.row_bytes, features) as output, _opened(features.path) as file:
        for start in progress_bar(range(0, len(features), block_rows), desc="gather", unit="block", shown=progress):
            stop = min(start + block_rows, len(features))
            low, high = np.searchsorted(rows, [start, stop])
            if low == high:
                continue
            file.seek(features.offset + start * features.row_bytes)
            _fill(file, block[: stop - start], features.path)
            order = np.argsort(places[low:high])
            _write_runs(output, block, rows[low:high][order] - start, places[low:high][order], features.row_bytes)
    os.replace(part, target)
    return {name: int(start) for name, start in zip(groups, starts[:-1], strict=True)}


def _write_runs(output: io.BufferedRandom, block: np.ndarray, rows: np.ndarray, places: np.ndarray, row_bytes: int) -> None:
    """Write `rows` of the block to `places`, increasing, one write for each stretch of consecutive places."""
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(places) != 1) + 1, [len(places)]]).tolist()
    for begin, end in itertools.pairwise(bounds):
        output.seek(int(places[begin]) * row_bytes)
        output.write(block[rows[begin:end]].reshape(-1).view(np.uint8).data)


@contextmanager
def _room_for(part: Path, n_bytes: int, features: _Features) -> Iterator[io.BufferedRandom]:
    """Open a new file of `n_bytes` that is on the disk as a whole when the block ends well, and gone when it does not."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(part.parent).free
        if free < n_bytes:
            raise OSError(errno.ENOSPC, f"only {free:,} bytes are free")
        with part.open("w+b") as output:
            if hasattr(os, "posix_fallocate") and n_bytes:
                os.posix_fallocate(output.fileno(), 0, n_bytes)  # A full disk shows now, not after half an hour.
            else:
                output.truncate(n_bytes)
            yield output
            output.flush()
            os.fsync(output.fileno())
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BarlowError(
            f"{features.path} ({features.n_bytes:,} bytes) does not fit into memory, and there is no room to sort it by groups: "
            f"{part} would take {n_bytes:,} bytes ({error.strerror or error}). Free some space, or explain one grouping at a "
            "time; label groups of a benchmark in the order of its classes need none."
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _finished(data: Path, marker: Path, made_from: dict[str, Any]) -> dict[str, int] | None:
    """Where the groups begin in a temporary file that an interrupted call has finished; None when there is none of these features."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(marker.read_text(encoding="utf-8"))
        if found["features"] == made_from and found["bytes"] == data.stat().st_size:
            offsets: dict[str, int] = found["groups"]
            return offsets
    return None


def _remove(data: Path, marker: Path) -> None:
    # The marker goes first: without it nobody trusts the data.
    marker.unlink(missing_ok=True)
    data.unlink(missing_ok=True)
    data.with_suffix(".part").unlink(missing_ok=True)
