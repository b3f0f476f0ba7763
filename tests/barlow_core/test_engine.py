from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import threadpoolctl

from barlow_core import engine
from barlow_core.analyses import explain_run
from barlow_core.engine import cores, run_shards
from barlow_core.errors import BarlowError, ImageError
from barlow_core.examples import synthetic


def numbers(shard: int) -> tuple[int, bytes]:
    """Work whose bytes would change with the order of a sum, the seed or the precision."""
    values = np.random.default_rng(shard).lognormal(size=10_000)
    return shard, np.cumsum(np.sqrt(values)).tobytes()


def native_threads() -> list[int]:
    import sklearn.tree  # noqa: F401 (brings the libraries whose threads are counted)

    return [library["num_threads"] for library in threadpoolctl.threadpool_info()]


def stop(error: BaseException | None) -> str:
    if error is not None:
        raise error
    return "done"


def end(name: str, with_signal: bool) -> str:
    if with_signal:
        os.kill(os.getpid(), signal.SIGKILL)
    return name


def shards(n: int) -> list[tuple[int]]:
    return [(i,) for i in range(n)]


@pytest.mark.parametrize("workers", [1, 2, None])
def test_every_shard_comes_back_once_with_the_same_bytes(workers: int | None) -> None:
    assert sorted(run_shards(numbers, shards(9), workers=workers)) == [numbers(i) for i in range(9)]


def test_no_shards_no_results() -> None:
    assert list(run_shards(numbers, [], workers=2)) == []


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_together_have_no_more_threads_than_there_are_cores(workers: int) -> None:
    found = list(run_shards(native_threads, [()] * workers, workers=workers))
    assert all(len(threads) >= 2 for threads in found), "OpenMP and BLAS must be loaded for this to say anything"
    assert {n for threads in found for n in threads} == {max(1, cores() // workers)}


def test_leaves_no_configuration_behind_while_it_waits() -> None:
    from joblib import Parallel

    with_results = run_shards(numbers, shards(8), workers=2)
    next(with_results)
    assert Parallel()._backend.inner_max_num_threads is None
    with_results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_shard_comes_through_as_it_is(workers: int) -> None:
    with pytest.raises(ImageError, match=r"^cat\.png is truncated\.$"):
        list(run_shards(stop, [(None,), (ImageError("cat.png is truncated."),), (None,)], workers=workers))


def test_a_worker_killed_for_memory_is_explained() -> None:
    with pytest.raises(BarlowError, match=r"memory ran out.*workers=1 \(--workers 1\)"):
        list(run_shards(end, [("a", False), ("b", True), ("c", False), ("d", False)], workers=2))
    assert sorted(run_shards(end, [("a", False), ("b", False)], workers=2)) == ["a", "b"], "the next call has workers again"


@pytest.mark.parametrize("workers", [1, 2])
def test_too_little_memory_is_explained(workers: int) -> None:
    with pytest.raises(BarlowError, match=r"Out of memory .*Unable to allocate 9 GiB.*Use"):
        list(run_shards(stop, [(None,), (MemoryError("Unable to allocate 9 GiB"),)], workers=workers))


@pytest.mark.parametrize(("options", "message"), [({"engine": "spark"}, "local, ray"), ({"workers": 0}, "at least 1")])
def test_wrong_options_are_refused_at_once(options: dict[str, object], message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        run_shards(numbers, shards(2), **options)


def test_progress_shows_every_shard(capfd: pytest.CaptureFixture[str]) -> None:
    list(run_shards(numbers, shards(4), workers=1, description="explain", unit="group", progress=True))
    assert "explain: 4/4" in capfd.readouterr().err


# --- nothing is left running

SCRIPT = """
import os, time
from barlow_core.engine import run_shards
def work(first):
    print(os.getpid(), flush=True)
    time.sleep(0 if first else 100)
if __name__ == "__main__":
    for _ in run_shards(work, [(i == 0,) for i in range(6)], workers=2):
        {consumer}
"""


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "consumer"),
    [(signal.SIGINT, "pass"), (signal.SIGINT, "time.sleep(100)"), (signal.SIGTERM, "pass"), (signal.SIGKILL, "pass")],
)
def test_no_worker_survives(number: signal.Signals, consumer: str, tmp_path: Path) -> None:
    """Only the parent gets the signal, as from `kill`; Ctrl-C in a terminal reaches the workers as well."""
    script = tmp_path / "work.py"
    script.write_text(SCRIPT.format(consumer=consumer), encoding="utf-8")
    errors = tmp_path / "stderr.txt"
    with (
        errors.open("w") as stderr,
        subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=stderr, text=True) as parent,
    ):
        assert parent.stdout is not None
        workers: set[int] = set()
        while len(workers) < 2:
            workers.add(int(parent.stdout.readline()))
        time.sleep(0.2)
        assert {pid: running(pid) for pid in workers} == dict.fromkeys(workers, True), (parent.poll(), errors.read_text())
        parent.send_signal(number)
        parent.wait(20)
        assert parent.returncode != 0
        deadline = time.monotonic() + 10
        while any(running(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.1)
        survivors = [pid for pid in workers if running(pid)]
        for pid in survivors:
            os.kill(pid, signal.SIGKILL)
    assert survivors == []


def test_results_that_are_not_wanted_any_more_end_the_work() -> None:
    results = run_shards(time.sleep, [(0,), (0,), (100,), (100,)], workers=2)
    next(results)
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 10


# --- Ray


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[str]:
    """HOST:PORT of a cluster of two CPUs that another process runs."""
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"),
        *("--node-ip-address", "127.0.0.1", "--port", address.split(":")[1], "--num-cpus", "2", "--include-dashboard", "false"),
        *("--object-store-memory", str(80 << 20)),
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}  # the nodes must find the functions of this file
    # Sockets lie in the temporary folder, and the path of a socket must be short: pytest's own folders are too deep.
    with (
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
        subprocess.Popen(
            [*command, "--temp-dir", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as head,
    ):
        assert head.stdout is not None
        try:
            seen = []
            for line in head.stdout:
                seen.append(line)
                if "runtime started" in line:
                    break
            else:
                pytest.fail(f"Ray did not start: {''.join(seen)}")
            yield address
        finally:
            head.terminate()
            head.stdout.read()


def where_and_numbers(shard: int) -> tuple[int, list[int], tuple[int, bytes]]:
    return os.getpid(), native_threads(), numbers(shard)


def test_ray_gives_the_same_bytes_as_this_machine(ray_cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    n = 2 * engine.SHARDS_A_SLICE + 3  # two slices, the second one not full
    found = list(run_shards(where_and_numbers, shards(n), engine="ray"))
    assert not ray.is_initialized(), "the connection ends with the work"
    assert sorted(result for _, _, result in found) == sorted(run_shards(numbers, shards(n), workers=2))
    pids = {pid for pid, _, _ in found}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert {count for _, threads, _ in found for count in threads} == {1}, "a worker books one CPU and has one thread"


def test_explaining_on_ray_writes_the_same_files(ray_cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    written = []
    for where in ("local", "ray"):
        run, _ = synthetic.make(tmp_path / where, classes=4, images_per_class=60, n_features=16)
        explain_run(run, engine=where, workers=2, depth=2)
        written.append([(run.path / name).read_bytes() for name in ("trees.json", "groups.parquet", "failure_modes.parquet")])
    assert written[0] == written[1]


def function_of_a_module_that_nodes_lack(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], int]:
    module = ModuleType("only_here")
    exec("def function(shard):\n    return shard", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    function: Callable[[int], int] = module.__dict__["function"]
    return function


def test_errors_on_ray_say_what_to_do(ray_cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    with pytest.raises(ImageError, match=r"^cat\.png is truncated\.$"):
        list(run_shards(stop, [(None,), (ImageError("cat.png is truncated."),)], engine="ray"))
    with pytest.raises(BarlowError, match=r"memory ran out.*workers=1"):
        list(run_shards(end, [("a", False), ("b", True)], engine="ray"))
    with pytest.raises(BarlowError, match=r"(?s)No module named 'only_here'.*every node"):
        list(run_shards(function_of_a_module_that_nodes_lack(monkeypatch), shards(2), engine="ray"))
    with pytest.raises(BarlowError, match="has 2 CPUs. Expected at least 5"):
        list(run_shards(numbers, shards(9), engine="ray", workers=5))


def test_a_ray_cluster_that_is_initialised_already_is_used_and_left_alone(ray_cluster: str) -> None:
    import ray

    ray.init(address=ray_cluster, logging_level="ERROR", log_to_driver=False)
    try:
        assert sorted(run_shards(numbers, shards(3), engine="ray")) == [numbers(i) for i in range(3)]
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_without_ray_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BarlowError, match=r"pip install 'barlow\[ray\]'"):
        list(run_shards(numbers, shards(2), engine="ray"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:9", "No Ray cluster answers at RAY_ADDRESS=127.0.0.1:9"),
        ("127.0.0.1:99999", "No Ray cluster answers"),
        ("ray://head:10001", "Expected HOST:PORT"),
        ("nonsense", "No Ray cluster can be reached .*nonsense"),
    ],
)
def test_no_ray_cluster_is_said_within_seconds(address: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", address)
    started = time.monotonic()
    with pytest.raises(BarlowError, match=message):
        list(run_shards(numbers, shards(2), engine="ray"))
    assert time.monotonic() - started < 8


@pytest.mark.parametrize(
    ("resources", "gpus", "booked", "workers"),
    [
        ({"CPU": 16.0}, False, {"num_cpus": 1}, 16),
        ({"CPU": 16.0}, True, {"num_cpus": 1}, 16),
        ({"CPU": 64.0, "GPU": 8.0}, False, {"num_cpus": 1}, 64),
        ({"CPU": 64.0, "GPU": 8.0}, True, {"num_cpus": 8, "num_gpus": 1}, 8),
        ({"CPU": 1.0, "GPU": 2.0}, True, {"num_cpus": 1, "num_gpus": 1}, 2),
    ],
)
def test_a_task_books_one_gpu_where_there_are_any(
    resources: dict[str, float], gpus: bool, booked: dict[str, int], workers: int
) -> None:
    assert engine._booked(resources, gpus) == (booked, workers)
