"""Where work runs: this process, the cores of this machine, or a Ray cluster, all through joblib.

Work comes as shards that do not depend on each other, so who runs them, and how many at once, changes nothing in the results.
"""

from __future__ import annotations

import importlib
import os
import socket
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import joblib
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from barlow_core.errors import BarlowError
from barlow_core.progress import progress_bar

ENGINES = ("local", "ray")
SECONDS_TO_ANSWER = 5
# Ray's backend returns results only when a whole call is through. Work goes to it in slices of this many shards a worker:
# few enough that finished results are soon safe, enough that workers seldom wait for the last one of a slice.
SHARDS_A_SLICE = 8


def cores() -> int:
    """How many cores this process may use; containers and job schedulers often allow fewer than the machine has."""
    return int(joblib.cpu_count())


def run_shards(
    function: Callable[..., Any],
    shards: Sequence[tuple[Any, ...]],
    *,
    engine: str = "local",
    workers: int | None = None,
    gpus: bool = False,
    description: str = "",
    unit: str = "shard",
    progress: bool = False,
) -> Iterator[Any]:
    """Call `function(*shard)` for every shard and yield the results as they come, in any order.

    However it ends (exhausted, closed, an error, Ctrl-C, a kill), no worker goes on computing.

    Args:
        function: of a module that the workers can import, or one that cloudpickle can send.
        engine: "local" runs processes on this machine; together their threads use every core once. "ray" runs on the Ray
            cluster that this process has initialised, that RAY_ADDRESS (HOST:PORT) names, or else that runs on this
            machine; every node needs Barlow, and sees the run folder under the same path.
        workers: processes; None for one a core (of the cluster), 1 for none but this one.
        gpus: on a Ray cluster with GPUs, one worker per GPU instead of one per core; it sees no other GPU, and has its share of the cores.
        progress: show a bar with rate and time left.

    Raises:
        BarlowError: an unknown engine; a worker that was killed, most often for memory; no Ray, or no cluster that
            answers. What a shard raises comes through as it is, and the rest of the work is given up.
    """
    if engine not in ENGINES:
        raise BarlowError(f"Unknown engine {engine!r}. Expected one of: {', '.join(ENGINES)}.")
    if workers is not None and workers < 1:
        raise BarlowError(f"workers is {workers}. Expected at least 1 process, or none given for one per core.")
    run = {"local": _run_local, "ray": _run_ray}[engine]
    return _with_bar(run(function, shards, workers, gpus), len(shards), description, unit, progress)


def _with_bar(
    results: Generator[Any, None, None], total: int, description: str, unit: str, progress: bool
) -> Generator[Any, None, None]:
    with closing(results), progress_bar(total=total, desc=description, unit=unit, shown=progress) as bar:
        for result in results:
            bar.update()
            yield result


def _run_local(
    function: Callable[..., Any], shards: Sequence[tuple[Any, ...]], workers: int | None, gpus: bool
) -> Generator[Any, None, None]:
    workers = min(workers or cores(), max(1, len(shards)))
    with _explained(workers):
        if workers == 1:
            for shard in shards:
                yield function(*shard)
            return
        # Leaving the block here matters: the configuration is global, and this generator is suspended for long.
        with parallel_config(backend="loky", inner_max_num_threads=max(1, cores() // workers)):
            pool = Parallel(n_jobs=workers, return_as="generator_unordered")
        results = pool(delayed(_in_worker)(os.getpid(), function, shard) for shard in shards)
        try:
            for result in results:  # noqa: UP028 (`yield from` would close `results` outside of the block below)
                yield result
        finally:
            # Closed half-way it kills its workers at once; joblib warns of the work that is lost, which is what was asked for.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                results.close()


def _run_ray(
    function: Callable[..., Any], shards: Sequence[tuple[Any, ...]], workers: int | None, gpus: bool
) -> Generator[Any, None, None]:
    if not shards:
        return
    with _cluster() as ray:
        booked, available = _booked(ray.cluster_resources(), gpus)
        if available < (workers or 1):
            kind = "GPUs" if "num_gpus" in booked else "CPUs"
            raise BarlowError(
                f"The Ray cluster has {available} {kind}. Expected at least {workers or 1}, one per worker. "
                "Ask for fewer workers, or add nodes with: ray start --address=HOST:PORT"
            )
        workers = min(workers or available, len(shards))
        size = workers * SHARDS_A_SLICE
        with _explained(workers, ray), Parallel(workers, backend="ray", batch_size=1, ray_remote_args=booked) as pool:
            try:
                for start in range(0, len(shards), size):
                    yield from pool(delayed(function)(*shard) for shard in shards[start : start + size])
            except ray.exceptions.RaySystemError as error:
                raise BarlowError(
                    f"A node of the Ray cluster could not load the work: {_last_line(error)}. Expected the same version of "
                    "Barlow on every node. Install it there with: pip install 'barlow[ray]'"
                ) from error


def _booked(resources: Mapping[str, float], gpus: bool) -> tuple[dict[str, int], int]:
    """What a worker books of a cluster, and how many workers have room.

    A whole CPU: Ray then places no more workers on a node than it has cores, with one thread each. Or a whole GPU with its share of the CPUs.
    """
    cpus, devices = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    if gpus and devices:
        return {"num_cpus": max(1, cpus // devices), "num_gpus": 1}, devices
    return {"num_cpus": 1}, cpus


def _in_worker(parent: int, function: Callable[..., Any], shard: tuple[Any, ...]) -> Any:
    """Run one shard in a process that ends itself when `parent` is killed: nobody would collect what it goes on computing."""
    watch = "watch parent"
    if all(thread.name != watch for thread in threading.enumerate()):
        threading.Thread(target=_end_without, args=(parent,), name=watch, daemon=True).start()
    return function(*shard)


def _end_without(parent: int) -> None:
    # Windows goes on naming a parent that has ended, so there a worker ends with its shard.
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@contextmanager
def _explained(workers: int, ray: Any = None) -> Iterator[None]:
    """Say what to do when a worker dies instead of showing how joblib noticed."""
    lost: tuple[type[BaseException], ...] = (TerminatedWorkerError,)
    if ray is not None:
        lost += (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError, ray.exceptions.WorkerCrashedError)
    advice = (
        f"Use fewer workers than {workers} at a time, for example workers={workers // 2} (--workers {workers // 2})"
        if workers > 1
        else "Use a machine with more memory"
    )
    try:
        yield
    except MemoryError as error:
        raise BarlowError(f"Out of memory with {workers} worker(s) ({_last_line(error)}). {advice}.") from error
    except lost as error:
        raise BarlowError(
            f"A worker process was killed, most often because memory ran out. {advice}, or close other programs. "
            f"(Details: {' '.join(str(error).split())[:300]})"
        ) from error


def _last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__


@contextmanager
def _cluster() -> Iterator[Any]:
    """Connect to a Ray cluster that runs already, and let go of it at the end where this function connected."""
    try:
        ray: Any = importlib.import_module("ray")
        importlib.import_module("ray.util.joblib").register_ray()
    except ImportError as error:
        raise BarlowError("Engine 'ray' needs Ray, which is not installed. Run: pip install 'barlow[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS") or "auto"
    _check_answers(address)
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise BarlowError(
            f"No Ray cluster can be reached (RAY_ADDRESS={address}: {error}). Start one with `ray start --head`, or set "
            "RAY_ADDRESS to HOST:PORT of one that runs the same versions of Python and Ray."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Knock at HOST:PORT first: Ray itself would wait for minutes for a cluster that is not there, and then end the process."""
    host, _, port = address.rpartition(":")
    if address.startswith("ray://"):
        raise BarlowError(
            f"RAY_ADDRESS is {address}, an address of Ray Client, through which joblib cannot run. Expected HOST:PORT of the "
            "head node (6379 by default), from a machine of the cluster."
        )
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise BarlowError(
            f"No Ray cluster answers at RAY_ADDRESS={address} ({error}). Start one with `ray start --head`, or correct RAY_ADDRESS."
        ) from error
