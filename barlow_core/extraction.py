"""Benchmark x extractor -> features.npy, resumable (paper, section 4: the features of a robust network for every image)."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.batches import Span, load_batches, spans
from barlow_core.benchmark.device_batches import device_batches, lost_processes_named
from barlow_core.engine import run_shards
from barlow_core.errors import BarlowError
from barlow_core.extractors import Classifier, Extractor, default_device, load
from barlow_core.extractors.acceleration import (
    PRECISIONS,
    SMALL_IMAGE,
    Execution,
    best_precision,
    is_out_of_memory,
    one_thread_each,
)
from barlow_core.progress import progress_bar
from barlow_core.run import Run, digest
from barlow_core.storage.shards import ShardedArray

log = logging.getLogger(__name__)

AS_IT_IS = "as it is"  # beside the precisions: the network and its images untouched
# JPEGs may be decoded at a fraction of their size that leaves this many times the pixels that the network sees on every side.
ROOM_FOR_SCALING = 2
# Images at a time: measured by benchmarks/bench_extract.py. On a CPU each core has a batch of its own, larger for small images.
BATCH_SIZES = {"cpu": 8, "mps": 64, "cuda": 256}
BATCH_OF_SMALL = 32

_C = TypeVar("_C", bound=Classifier)


def default_batch_size(network: Classifier, method: str) -> int:
    """Images at a time in `network`, run as `method` says."""
    if method != AS_IT_IS and network.device.type == "cpu" and network.image_size**2 <= SMALL_IMAGE:
        return BATCH_OF_SMALL
    return 64 if method == AS_IT_IS else BATCH_SIZES.get(network.device.type, 64)


def extract(
    run: Run,
    extractor: Extractor,
    *,
    batch_size: int | None = None,
    shard_size: int = 512,
    dtype: str = "float32",
    workers: int | None = None,
    exact: bool = False,
    precision: str | None = None,
    compiled: bool = False,
    engine: str = "local",
    overwrite: bool = False,
    progress: bool = False,
) -> np.ndarray:
    """Compute the features of every image of a run; what is finished is not computed again.

    Killed at any moment and called again, it leaves the same bytes as an uninterrupted call.

    Args:
        batch_size: images at a time in the network (in each thread, on a CPU); None takes what is fast on the device.
        shard_size: images after which progress is kept.
        dtype: "float32" or "float16", of the stored features.
        workers: threads that decode images (and on a CPU run the network on them), or processes that do it for a GPU; one a core when None.
        exact: run the network as it came, in float32 and with all pixels of every JPEG, instead of the faster ways of
            `Classifier.accelerated`. docs/speed.md measures what they change.
        precision: of the network, see `Classifier.accelerated`; None for the one that is fast on the device. Features that are
            there already count, whatever precision they have, unless it is named here.
        compiled: let torch.compile make kernels for the network; worth its minute or more for many images. Not with `exact`, nor on a cluster.
        engine: "local" for this process; "ray" for the Ray cluster of `engine.run_shards`, one GPU a task where it has any. Every node
            loads the extractor by its source, and sees the run folder and the images under the same paths. A shard that a lost worker
            was at is computed by the next call; what was finished is kept.
        overwrite: replace features that were made from other images, another network or another dtype.

    Returns:
        (N, D) features, memory-mapped read-only; row i belongs to image i of the benchmark.

    Raises:
        BarlowError: the run holds other features; a feature that is not finite; too little memory on the device.
        ImageError: an image that can no longer be read.
    """
    if dtype not in ("float32", "float16"):
        raise BarlowError(f"dtype is {dtype!r}. Expected float32 or float16.")
    if exact and precision not in (None, "float32"):
        raise BarlowError(f"exact features are float32, and precision is {precision!r}. Leave one of the two out.")
    if compiled and (exact or engine != "local"):
        raise BarlowError(
            "Features are compiled neither with exact (--exact) nor on a cluster (--engine ray). Leave one of the two out."
        )
    benchmark = run.benchmark
    made_from = (benchmark.images_digest, extractor.fingerprint, dtype)
    with run.lock():
        record = run.recorded("extract")
        # What was made from images that the run no longer has is of no use to anybody: it gives way without being asked.
        stale = record is not None and not run.is_current("extract")
        method = AS_IT_IS if exact else precision or _begun(run.features_path, made_from) or best_method(extractor)
        key = _key(made_from, method)
        if record is not None and (stale or (overwrite and record["key"] != key)):
            run.forget("extract")
        shape = (len(benchmark), extractor.n_features)
        started = time.monotonic()
        with ShardedArray(
            run.features_path, key=key, shape=shape, dtype=dtype, shard_size=shard_size, overwrite=overwrite or stale
        ) as array:
            if array.finished and run.recorded("extract") is not None:
                return run.features()
            if engine != "local":
                _fill_elsewhere(array, run, extractor, method, dtype, batch_size, engine=engine, progress=progress)
            # What is left of it, which is all of it where this process does the work.
            network = run_as(extractor, method, compiled=compiled)
            size = fill(
                array,
                benchmark,
                network,
                network.features,
                partial(_finite, name=extractor.name, dtype=dtype),
                batch_size=batch_size or default_batch_size(network, method),
                workers=workers,
                description="features",
                progress=progress and not array.finished,
            )
            settings = {"dtype": dtype, "batch_size": size, "shard_size": array.shard_size}
        seconds = time.monotonic() - started
        execution = described_execution(network)
        run.record("extract", key=key, settings=settings, seconds=seconds, extractor=describe(extractor), execution=execution)
        return run.features()


def _fill_elsewhere(
    array: ShardedArray,
    run: Run,
    extractor: Extractor,
    method: str,
    dtype: str,
    batch_size: int | None,
    *,
    engine: str,
    progress: bool,
) -> None:
    """Have the workers of an engine compute all pending shards."""
    if extractor.source is None:
        raise BarlowError(f"{extractor.name} was handed over in Python, and other processes cannot load it. Use engine='local'.")
    network = (extractor.source, extractor.options, extractor.fingerprint)
    shards = [(str(run.path.resolve()), network, method, dtype, batch_size, bounds) for bounds in array.pending()]
    for start, rows in run_shards(shard_features, shards, engine=engine, gpus=True, description="features", progress=progress):
        array.write(start, rows)


def shard_features(
    run_path: str, network: tuple[str, dict[str, Any], str], method: str, dtype: str, batch_size: int | None, bounds: Span
) -> tuple[int, np.ndarray]:
    """The features of the images from `bounds[0]` to before `bounds[1]`, computed by whatever process this is called in."""
    source, options, fingerprint = network
    running = _loaded(source, json.dumps(options), method)
    if running.fingerprint != fingerprint:
        raise BarlowError(f"{source} is another network on {socket.gethostname()}. Expected the same file on every node.")
    benchmark = Run(run_path).benchmark
    size = batch_size or default_batch_size(running, method)
    fitting = _Fitting(running, running.features, size)
    with closing(_results(benchmark, spans([bounds], size), running, fitting, None)) as found:
        rows = [
            _finite(features, benchmark.paths[start:stop], name=running.name, dtype=dtype) for (start, stop), features in found
        ]
    return bounds[0], np.concatenate(rows)


@lru_cache(maxsize=1)
def _loaded(source: str, options: str, method: str) -> Extractor:
    """The extractor of a worker, on the GPU that it sees; it serves all of the worker's shards."""
    return run_as(load(source, device=default_device(), **json.loads(options)), method)


def _key(made_from: tuple[str, ...], method: str) -> str:
    """What stands for features; networks as they are had no name for it in earlier versions, whose features still count."""
    return digest(*made_from) if method == AS_IT_IS else digest(*made_from, method)


def _begun(path: Path, made_from: tuple[str, ...]) -> str | None:
    """How the features at `path` were made, as far as they are there: one array is not made in two ways."""
    try:
        key = json.loads(path.with_suffix(".key.json").read_text(encoding="utf-8"))["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return next((method for method in (AS_IT_IS, *PRECISIONS) if _key(made_from, method) == key), None)


def best_method(network: Classifier, precision: str | None = None) -> str:
    """The fastest way to run `network` that is possible with it, in the precision that is best for the device or in a given one."""
    for method in dict.fromkeys((precision or best_precision(network.device), "float32")):
        try:
            network.accelerated(method)
        except BarlowError as error:
            log.warning("%s", str(error).replace("Run it as it is: --exact (exact=True).", "Going on in a slower way."))
        else:
            return method
    return AS_IT_IS


def run_as(network: _C, method: str, *, compiled: bool = False) -> _C:
    """`network` as it is, or accelerated in the precision that `method` names."""
    return network if method == AS_IT_IS else network.accelerated(method, compiled=compiled)


def describe(network: Classifier) -> dict[str, Any]:
    """What run.json says about a network: enough to load it again and to notice when it is no longer the same."""
    described = {
        "name": network.name,
        "source": network.source,
        "options": network.options,
        "fingerprint": network.fingerprint,
        "image_size": network.image_size,
        "device": str(network.device),
    }
    if not isinstance(network, Extractor):
        return described
    return described | {"n_features": network.n_features, "layer": network.layer, "without_maps": network.without_maps}


def described_execution(network: Classifier) -> dict[str, Any]:
    """What run.json says about how a network was run: all that may have changed a bit of the results."""
    return asdict(network.execution) | {"jpeg_at_reduced_size": network.execution != Execution(), "torch": torch.__version__}


def fill(
    array: ShardedArray,
    benchmark: Benchmark,
    network: Classifier,
    compute: Callable[[Tensor], Tensor],
    store: Callable[[np.ndarray, list[Path]], np.ndarray],
    *,
    batch_size: int,
    workers: int | None,
    description: str,
    progress: bool,
) -> int:
    """Compute the rows of every pending shard of `array` from the images, in batches of fixed composition; return how many images were in one.

    Args:
        compute: images (n, 3, H, W) in [0, 1] -> results (n, ...), on the device of the network.
        store: results and the paths of their images -> rows of the array.

    Raises:
        ImageError: a file that cannot be read, or has changed since the import: the run would say that its rows are of the old one.
        BarlowError: too little memory for one image.
    """
    paths = benchmark.paths
    fitting = _Fitting(network, compute, batch_size)
    rows: list[np.ndarray] = []
    with (
        progress_bar(total=len(paths), initial=array.n_done, desc=description, unit="image", shown=progress) as bar,
        closing(_results(benchmark, spans(array.pending(), batch_size), network, fitting, workers)) as found,
    ):
        for (start, stop), results in found:
            rows.append(store(results, paths[start:stop]))
            bar.update(stop - start)
            if stop % array.shard_size == 0 or stop == len(paths):
                shard = np.concatenate(rows)
                array.write(stop - len(shard), shard)
                rows = []
    return fitting.most


def _results(
    benchmark: Benchmark, batches: Sequence[Span], network: Classifier, compute: _Fitting, workers: int | None
) -> Generator[tuple[Span, np.ndarray], None, None]:
    """The results of every batch, in order. To be closed: an error may be kept for long, and with it what decodes the images."""
    paths, preprocess, digests = benchmark.paths, network.preprocess, benchmark.digests
    if network.execution == Execution():
        for span, images in load_batches(paths, batches, preprocess, digests=digests, workers=workers):
            yield span, compute(images).cpu().numpy()
        return
    least_side = ROOM_FOR_SCALING * preprocess.resize
    given: dict[str, Any] = {"digests": digests, "workers": workers, "least_side": least_side}
    if network.device.type == "cpu":
        # A thread decodes its images and runs the network on them, so that there is one for every core and none has to wait.
        with one_thread_each():
            yield from load_batches(
                paths, batches, preprocess.pixels, **given, then=lambda span, images: compute(_scaled(images)).numpy()
            )
        return
    with lost_processes_named(), closing(device_batches(paths, batches, preprocess.pixels, network.device, **given)) as arriving:
        yield from _one_behind((span, compute(_scaled(images))) for span, images in arriving)


def _scaled(images: Tensor) -> Tensor:
    return images.float().div_(255)


def _one_behind(results: Iterator[tuple[Span, Tensor]]) -> Iterator[tuple[Span, np.ndarray]]:
    """Bring results to the CPU while the device is at the next batch already."""
    before: tuple[Span, Tensor, Any] | None = None
    for span, result in results:
        arriving = result.to("cpu", non_blocking=result.is_cuda)
        arrived = torch.cuda.Event() if result.is_cuda else None
        if arrived is not None:
            arrived.record()
        if before is not None:
            yield _arrived(*before)
        before = span, arriving, arrived
    if before is not None:
        yield _arrived(*before)


def _arrived(span: Span, result: Tensor, arrived: Any) -> tuple[Span, np.ndarray]:
    if arrived is not None:
        arrived.synchronize()
    return span, result.numpy()


class _Fitting:
    """Runs a network on batches, in halves once memory does not suffice for more.

    Attributes:
        most: images at a time.
    """

    def __init__(self, network: Classifier, compute: Callable[[Tensor], Tensor], most: int):
        self.most = most
        self._network, self._compute = network, compute

    def __call__(self, images: Tensor) -> Tensor:
        while True:
            most = self.most
            try:
                with torch.inference_mode():
                    return torch.cat([self._compute(part) for part in images.split(most)])
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if most == 1:
                    raise BarlowError(
                        f"{self._network.device} has too little memory for {self._network.name} with a single image of "
                        f"{self._network.image_size} pixels. Close other programs that use it, or use --device cpu; finished shards are kept."
                    ) from error
            # Outside of the handler, the error and with it what the failed attempt holds in memory are gone.
            if self._network.device.type == "cuda":
                torch.cuda.empty_cache()
            self.most = min(self.most, -(-min(most, len(images)) // 2))
            log.warning("%s: too little memory for %d images at a time; going on with %d.", self._network.device, most, self.most)


def _finite(features: np.ndarray, paths: list[Path], *, name: str, dtype: str) -> np.ndarray:
    """`features` as they are stored; BarlowError where one of them cannot be."""
    with np.errstate(over="ignore"):
        stored: np.ndarray = features.astype(dtype)
    bad = np.flatnonzero(~np.isfinite(stored).all(axis=1))
    if len(bad):
        overflow = np.isfinite(features[bad[0]]).all()
        advice = "Use float32." if overflow else "Check the weights and the normalisation of the network."
        what = "too large for float16" if overflow else "not finite (NaN or infinity)"
        raise BarlowError(f"A feature of {paths[bad[0]]} by {name} is {what}. {advice}")
    return stored
