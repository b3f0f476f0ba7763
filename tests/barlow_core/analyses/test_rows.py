from __future__ import annotations

import io
import os
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barlow_core.analyses import rows
from barlow_core.analyses.rows import available_memory, gathered
from barlow_core.errors import BarlowError
from barlow_core.groups import Group

N_IMAGES, N_FEATURES = 500, 7


def group(name: str, indices: Any) -> Group:
    return Group("mask", name, np.array(indices, dtype=np.int64))


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("features") / "features.npy"
    np.save(path, np.random.default_rng(0).exponential(size=(N_IMAGES, N_FEATURES)).astype(np.float32))
    return path


@pytest.fixture
def groups() -> list[Group]:
    """Labels in a row, predictions anywhere, their unions, and a few odd ones."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(5), 100)
    predictions = np.where(rng.random(N_IMAGES) < 0.6, labels, rng.integers(0, 5, N_IMAGES))
    found = [group(f"label{c}", np.flatnonzero(labels == c)) for c in range(5)]
    found += [group(f"prediction{c}", np.flatnonzero(predictions == c)) for c in range(5)]
    found += [group(f"union{c}", np.flatnonzero((predictions == c) | (labels == c))) for c in range(5)]
    return [*found, group("none", []), group("one", [499]), group("all", range(N_IMAGES)), group("two", [0, 499])]


def assert_same(source: rows.RowSource, path: Path, groups: list[Group]) -> None:
    plain = np.load(path, mmap_mode="r")
    for each in groups:
        found, expected = source.rows(each), plain[each.indices]
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected), each


# One row at a time, a few, more than there are (with seeks that cost nothing, everything would be read in place).
MEMORY = [1, 60, 3 * 28 * 2, 4000, N_IMAGES * N_FEATURES * 4 - 1]


@pytest.mark.parametrize("memory", MEMORY)
def test_same_rows_as_plain_indexing(features: Path, groups: list[Group], tmp_path: Path, memory: int) -> None:
    with gathered(features, groups, tmp_path, memory=memory) as source:
        assert source.temporary_bytes == (tmp_path / "rows.bin").stat().st_size > N_IMAGES * N_FEATURES * 4
        assert_same(source, features, groups)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_memory_holds_is_read_in_place(features: Path, groups: list[Group], tmp_path: Path) -> None:
    with gathered(features, groups, tmp_path / "never made", memory=features.stat().st_size) as source:
        assert source.temporary_bytes == 0
        assert_same(source, features, groups)
    assert not (tmp_path / "never made").exists()


def test_contiguous_groups_need_no_copy(features: Path, groups: list[Group], tmp_path: Path) -> None:
    labels = groups[:5]
    with gathered(features, labels, tmp_path, memory=1) as source:
        assert source.temporary_bytes == 0
        assert_same(source, features, labels)


def test_a_few_rows_are_not_worth_a_pass_over_everything(tmp_path: Path) -> None:
    """4 seeks count as 4 MiB, a pass over 8 MiB as more."""
    np.save(tmp_path / "features.npy", np.zeros((2048, 1024), dtype=np.float32))
    some, many = group("some", [1, 5, 9, 12]), group("many", range(0, 2048, 2))
    with gathered(tmp_path / "features.npy", [some], tmp_path, memory=1) as source:
        assert source.temporary_bytes == 0
    with gathered(tmp_path / "features.npy", [some, many], tmp_path, memory=1 << 20) as source:
        assert source.temporary_bytes == (len(some) + len(many)) * 4096


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.lists(st.lists(st.integers(0, 39), max_size=60), max_size=6),
    dtype=st.sampled_from(["float16", "float32", "float64", ">f4", "uint8"]),
    n_features=st.integers(1, 3),
    memory=st.integers(0, 900),
)
def test_any_groups_in_any_order(members: list[list[int]], dtype: str, n_features: int, memory: int, tmp_path: Path) -> None:
    """Also with images that come twice or backwards, though no group of Barlow has them."""
    path = tmp_path / "features.npy"
    np.save(path, np.random.default_rng(0).integers(0, 99, (40, n_features)).astype(dtype))
    groups = [group(str(i), indices) for i, indices in enumerate(members)]
    with gathered(path, groups, tmp_path / "work", memory=memory) as source:
        assert_same(source, path, groups)


class Recorder(io.FileIO):
    """Every read from the features file: where and how much."""

    reads: list[tuple[int, int]]

    def readinto(self, buffer: Any) -> int | None:
        start = self.tell()
        n_read = super().readinto(buffer)
        self.reads.append((start, n_read or 0))
        return n_read


@pytest.fixture
def record_reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[tuple[int, int]]]:
    def start(path: Path) -> list[tuple[int, int]]:
        reads: list[tuple[int, int]] = []

        def opened(asked: Path) -> io.FileIO:
            file = Recorder(asked, "r") if asked == path else io.FileIO(asked, "r")
            if isinstance(file, Recorder):
                file.reads = reads
            return file

        monkeypatch.setattr(rows, "_opened", opened)
        return reads

    return start


def test_the_file_is_read_once_from_front_to_back(
    features: Path, groups: list[Group], tmp_path: Path, record_reads: Callable[[Path], list[tuple[int, int]]]
) -> None:
    reads = record_reads(features)
    memory = 40 * N_FEATURES * 4  # half of it is the block that is read: 20 rows
    with gathered(features, groups[5:10], tmp_path, memory=memory) as source:
        header = features.stat().st_size - N_IMAGES * N_FEATURES * 4
        assert [start for start, _ in reads] == [header + i * memory // 2 for i in range(N_IMAGES // 20)]
        assert {n for _, n in reads} == {memory // 2}
        reads.clear()
        assert_same(source, features, groups[5:10])
        assert reads == [], "the groups come from the temporary file"


def test_each_gathered_group_is_one_read(
    features: Path, groups: list[Group], tmp_path: Path, record_reads: Callable[[Path], list[tuple[int, int]]]
) -> None:
    reads = record_reads(tmp_path / "rows.bin")
    with gathered(features, groups[5:10], tmp_path, memory=100) as source:
        for each in groups[5:10]:
            source.rows(each)
    assert [n for _, n in reads] == [len(each) * N_FEATURES * 4 for each in groups[5:10]]


def test_a_handle_is_small_and_works_in_another_process(features: Path, groups: list[Group], tmp_path: Path) -> None:
    with gathered(features, groups, tmp_path, memory=100) as source:
        handle = pickle.dumps(source.find(groups[6]))
        assert len(handle) < 1000
        program = "import pickle, sys; sys.stdout.buffer.write(pickle.load(sys.stdin.buffer).read().tobytes())"
        found = subprocess.run([sys.executable, "-c", program], input=handle, capture_output=True, check=True).stdout
    assert found == np.load(features)[groups[6].indices].tobytes()


# --- interrupted


def interrupted(features: Path, groups: list[Group], folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), gathered(features, groups, folder, memory=100):
        raise KeyboardInterrupt


def test_an_interrupted_call_leaves_its_work_to_the_next(
    features: Path, groups: list[Group], tmp_path: Path, record_reads: Callable[[Path], list[tuple[int, int]]]
) -> None:
    interrupted(features, groups, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"rows.bin", "rows.json"}
    reads = record_reads(features)
    with gathered(features, groups[6:9], tmp_path, memory=100) as source:  # the groups that are still to do
        assert_same(source, features, groups[6:9])
    assert reads == []
    assert list(tmp_path.iterdir()) == []


def test_the_work_for_other_groups_or_features_is_not_trusted(features: Path, groups: list[Group], tmp_path: Path) -> None:
    interrupted(features, groups[5:7], tmp_path / "work")
    with gathered(features, groups[5:9], tmp_path / "work", memory=100) as source:
        assert_same(source, features, groups[5:9])
    copy = tmp_path / "features.npy"
    shutil.copy(features, copy)
    interrupted(copy, groups, tmp_path / "work")
    np.save(copy, np.ones((N_IMAGES, N_FEATURES), dtype=np.float32))
    with gathered(copy, groups, tmp_path / "work", memory=100) as source:
        assert (source.rows(groups[5]) == 1).all()


@pytest.mark.parametrize("marker", ["", "[]", "{}", '{"features": 1}', None])
def test_damaged_work_means_starting_anew(features: Path, groups: list[Group], tmp_path: Path, marker: str | None) -> None:
    interrupted(features, groups, tmp_path)
    if marker is not None:
        (tmp_path / "rows.json").write_text(marker, encoding="utf-8")
    (tmp_path / "rows.bin").write_bytes(b"rubbish")
    with gathered(features, groups, tmp_path, memory=100) as source:
        assert_same(source, features, groups)


def test_killed_while_it_writes_it_starts_anew(features: Path, groups: list[Group], tmp_path: Path) -> None:
    program = f"""
import os, pickle, sys
from pathlib import Path
from barlow_core.analyses import rows
write, n = rows._write_runs, [0]
def killed(*arguments):
    n[0] += 1
    if n[0] == 20:
        os.kill(os.getpid(), 9)
    write(*arguments)
rows._write_runs = killed
with rows.gathered(Path({str(features)!r}), pickle.load(sys.stdin.buffer), Path({str(tmp_path)!r}), memory=100):
    pass
"""
    code = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(groups), check=False).returncode
    assert code == -9
    assert [path.name for path in tmp_path.iterdir()] == ["rows.part"]
    with gathered(features, groups, tmp_path, memory=100) as source:
        assert_same(source, features, groups)
    assert list(tmp_path.iterdir()) == []


# --- no room, and other mistakes


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """Let the kernel itself refuse to write more than this into a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("has_fallocate", [True, False])
def test_no_room_for_the_temporary_file(
    features: Path, groups: list[Group], tmp_path: Path, has_fallocate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_fallocate:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    message = r"no room to sort it by groups.*rows\.part would take [\d,]+ bytes \(File too large\).*Free some space"
    with largest_file(5000), pytest.raises(BarlowError, match=message), gathered(features, groups, tmp_path, memory=100):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(
    features: Path, groups: list[Group], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=5000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BarlowError, match=r"only 5,000 bytes are free"), gathered(features, groups, tmp_path, memory=100):
        pass


def test_a_disk_that_fills_up_meanwhile_is_explained(
    features: Path, groups: list[Group], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rows, "_write_runs", full)
    with pytest.raises(BarlowError, match=r"no room.*No space left"), gathered(features, groups, tmp_path, memory=100):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"no array", "cannot be read as an .npy file"),
        (np.zeros(5), r"float64 of shape \(5,\)"),
        (np.zeros((5, 3), order="F"), "Fortran order"),
        (np.full((5, 3), None), "object"),
    ],
)
def test_files_of_another_kind_are_refused(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "features.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(BarlowError, match=message), gathered(path, [group("a", [0])], tmp_path):
        pass


def test_a_file_that_is_cut_off_is_refused(features: Path, groups: list[Group], tmp_path: Path) -> None:
    path = tmp_path / "features.npy"
    path.write_bytes(features.read_bytes()[:-1])
    with pytest.raises(BarlowError, match="cut off"), gathered(path, groups, tmp_path):
        pass
    shutil.copy(features, path)
    with gathered(path, groups, tmp_path) as source:
        os.truncate(path, path.stat().st_size - 8)
        with pytest.raises(BarlowError, match="8 bytes too early"):
            source.rows(groups[4])
        path.unlink()
        with pytest.raises(BarlowError, match="No such file"):
            source.rows(groups[4])


def test_groups_of_other_images_are_refused(features: Path, groups: list[Group], tmp_path: Path) -> None:
    for outside in ([3, 500], [-1, 3]):
        with (
            pytest.raises(BarlowError, match=r"has image (500|-1), but .* has 500 rows"),
            gathered(features, [group("a", outside)], tmp_path),
        ):
            pass
    with gathered(features, groups[:3], tmp_path) as source, pytest.raises(BarlowError, match="not among the 3 groups"):
        source.rows(groups[3])


def test_no_images_and_no_features(tmp_path: Path) -> None:
    for shape in ((0, 4), (6, 0)):
        np.save(tmp_path / "features.npy", np.zeros(shape, dtype=np.float32))
        some = group("a", range(0, shape[0], 2))
        with gathered(tmp_path / "features.npy", [some], tmp_path, memory=0) as source:
            assert source.rows(some).shape == (len(some), shape[1])


# --- how much memory there is


def system(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 16000 kB\nMemAvailable:    8000 kB\n"}


def test_memory_is_what_the_system_has_to_spare(tmp_path: Path) -> None:
    assert available_memory(system(tmp_path, MEMINFO)) == 8000 * 1024
    assert 0 < available_memory() < 1 << 50


def test_memory_is_what_a_container_leaves(tmp_path: Path) -> None:
    v2 = {
        "proc/self/cgroup": "0::/jobs/mine\n",
        "sys/fs/cgroup/jobs/mine/memory.max": "max\n",
        "sys/fs/cgroup/jobs/mine/memory.current": "900\n",
        "sys/fs/cgroup/jobs/mine/memory.stat": "anon 600\ninactive_file 300\n",
        "sys/fs/cgroup/jobs/memory.max": "4000\n",
        "sys/fs/cgroup/jobs/memory.current": "1500\n",
        "sys/fs/cgroup/jobs/memory.stat": "inactive_file 500\n",
    }
    assert available_memory(system(tmp_path / "v2", MEMINFO | v2)) == 4000 - (1500 - 500)
    v1 = {
        "proc/self/cgroup": "4:memory:/docker/abc\n0::/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "5000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "7000\n",
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 2500\n",
    }
    assert available_memory(system(tmp_path / "v1", MEMINFO | v1)) == 500
