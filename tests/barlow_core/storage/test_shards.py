from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barlow_core.errors import BarlowError
from barlow_core.storage import shards
from barlow_core.storage.shards import ShardedArray

ROW = np.dtype([("prediction", "<i8"), ("confidence", "<f8")])


def opened(folder: Path, **changes: Any) -> ShardedArray:
    arguments = {"key": "a", "shape": (10, 3), "dtype": "float32", "shard_size": 4} | changes
    return ShardedArray(folder / "features.npy", **arguments)


def rows_of(start: int, stop: int) -> np.ndarray:
    return np.arange(start * 3, stop * 3, dtype=np.float32).reshape(-1, 3)


def test_shards_by_hand(tmp_path: Path) -> None:
    with opened(tmp_path) as array:
        assert array.pending() == [(0, 4), (4, 8), (8, 10)]
        array.write(8, rows_of(8, 10))
        array.write(0, rows_of(0, 4))
        assert array.pending() == [(4, 8)]
        assert (array.n_done, array.finished) == (6, False)
        assert "2 of 3 shards done" in repr(array)
        with pytest.raises(ValueError, match="no shard"):
            array.write(4, rows_of(4, 7))
    with opened(tmp_path, shard_size=5) as again:  # the shard size of the one who began
        assert again.pending() == [(4, 8)]
        again.write(4, rows_of(4, 8))
        assert again.finished
    assert np.array_equal(np.load(tmp_path / "features.npy"), rows_of(0, 10))
    assert np.load(tmp_path / "features.done.npy").tolist() == [1, 1, 1]


@pytest.mark.parametrize("change", [{"key": "b"}, {"shape": (9, 3)}, {"dtype": "float16"}, {"dtype": ROW, "shape": (10,)}])
def test_something_else_is_refused_and_untouched(tmp_path: Path, change: dict[str, Any]) -> None:
    with opened(tmp_path) as array:
        array.write(0, rows_of(0, 4))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BarlowError, match="made from other images, another network or other settings"):
        opened(tmp_path, **change)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with opened(tmp_path, **change, overwrite=True) as array:
        assert array.n_done == 0
        assert not array.data.view(np.uint8).any()


def test_overwrite_with_the_same_key_keeps_what_is_done(tmp_path: Path) -> None:
    with opened(tmp_path) as array:
        array.write(0, rows_of(0, 4))
    assert opened(tmp_path, overwrite=True).n_done == 4


@pytest.mark.parametrize("damage", ["features.npy", "features.done.npy", "features.key.json"])
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_half_made_files_are_made_again(tmp_path: Path, damage: str, how: str) -> None:
    with opened(tmp_path) as array:
        array.write(0, rows_of(0, 4))
    path = tmp_path / damage
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:20])
    assert opened(tmp_path).pending() == [(0, 4), (4, 8), (8, 10)]


@given(n_rows=st.integers(0, 50), shard_size=st.integers(1, 60), order=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25)
def test_shards_cover_every_row_once(
    tmp_path_factory: pytest.TempPathFactory, n_rows: int, shard_size: int, order: random.Random
) -> None:
    with opened(tmp_path_factory.mktemp("any"), shape=(n_rows, 3), shard_size=shard_size) as array:
        pending = array.pending()
        assert [row for start, stop in pending for row in range(start, stop)] == list(range(n_rows))
        order.shuffle(pending)
        for start, stop in pending:
            array.write(start, rows_of(start, stop))
        assert array.finished
        assert np.array_equal(array.data, rows_of(0, n_rows))


@pytest.mark.parametrize("step", ["data", "key", "flags"])
def test_stopped_while_replacing_another_array(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the making of an array stops, the rows of the old one are never taken for rows of the new one."""
    with opened(tmp_path, key="old") as array:
        for start, stop in array.pending():
            array.write(start, rows_of(start, stop) + 1)

    class Killed(BaseException):
        pass

    real, calls = os.replace, []

    def replace(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) > ["data", "key", "flags"].index(step):
            raise Killed
        real(*arguments)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(Killed):
        opened(tmp_path, overwrite=True)
    monkeypatch.undo()
    for key in ("a", "old"):
        assert opened(tmp_path, key=key, overwrite=True).n_done == 0


WRITER = """
import sys, numpy as np
from pathlib import Path
from barlow_core.storage.shards import ShardedArray
print("ready", flush=True)
with ShardedArray(Path(sys.argv[1]), key="k", shape=(4000, 64), dtype="float32", shard_size=10) as array:
    for start, stop in array.pending():
        array.write(start, np.full((stop - start, 64), start + 1, dtype=np.float32))
"""


def test_a_flag_that_is_set_means_rows_that_are_there(tmp_path: Path) -> None:
    """Kill the writer again and again, at any moment; at the end every row is right."""
    path, order = tmp_path / "features.npy", random.Random(0)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(order.uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if (tmp_path / "features.done.npy").exists():
            done, data = np.load(tmp_path / "features.done.npy"), np.load(path)
            expected = np.repeat(np.arange(0, 4000, 10) + 1, 10)
            assert np.array_equal(data[:, 0][np.repeat(done, 10) == 1], expected[np.repeat(done, 10) == 1])
    subprocess.run([sys.executable, "-c", WRITER, str(path)], check=True, stdout=subprocess.DEVNULL)
    assert np.array_equal(np.load(path), np.repeat(np.arange(0, 4000, 10) + 1, 10)[:, None] * np.ones(64))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system does not reserve space")
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards.os, "posix_fallocate", full)
    with pytest.raises(BarlowError, match="No space left on device.*Free some space"):
        opened(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_readable(tmp_path: Path) -> None:
    opened(tmp_path, dtype=ROW, shape=(10,))
    found = json.loads((tmp_path / "features.key.json").read_text())
    assert found == {"key": "a", "shape": [10], "dtype": [["prediction", "<i8"], ["confidence", "<f8"]], "shard_size": 4}
    assert opened(tmp_path, dtype=ROW, shape=(10,)).data.dtype == ROW
    with pytest.raises(BarlowError, match="shard_size is 0"):
        opened(tmp_path, shard_size=0)
