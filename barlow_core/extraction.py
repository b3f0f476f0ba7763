"""Benchmark x extractor -> features.npy, resumable (paper, section 4: the features of a robust network for every image)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.batches import load_batches, spans
from barlow_core.errors import BarlowError
from barlow_core.extractors import Classifier, Extractor
from barlow_core.progress import progress_bar
from barlow_core.run import Run, digest
from barlow_core.storage.shards import ShardedArray

_OUT_OF_MEMORY = re.compile("out of memory|allocate memory")  # as Apple's GPUs and CPUs say it; CUDA has an exception for it


def extract(
    run: Run,
    extractor: Extractor,
    *,
    batch_size: int = 64,
    shard_size: int = 512,
    dtype: str = "float32",
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> np.ndarray:
    """Compute the features of every image of a run; what is finished is not computed again.

    Killed at any moment and called again, it leaves the same bytes as an uninterrupted call.

    Args:
        batch_size: images at a time in the network.
        shard_size: images after which progress is kept.
        dtype: "float32" or "float16", of the stored features.
        workers: threads that decode images; one a core up to 8 when None.
        overwrite: replace features that were made from other images, another network or another dtype.

    Returns:
        (N, D) features, memory-mapped read-only; row i belongs to image i of the benchmark.

    Raises:
        BarlowError: the run holds other features; a feature that is not finite; too little memory on the device.
        ImageError: an image that can no longer be read.
    """
    if dtype not in ("float32", "float16"):
        raise BarlowError(f"dtype is {dtype!r}. Expected float32 or float16.")
    benchmark = run.benchmark
    key = digest(benchmark.images_digest, extractor.fingerprint, dtype)
    with run.lock():
        record = run.recorded("extract")
        # What was made from images that the run no longer has is of no use to anybody: it gives way without being asked.
        stale = record is not None and not run.is_current("extract")
        if record is not None and (stale or (overwrite and record["key"] != key)):
            run.forget("extract")
        shape = (len(benchmark), extractor.n_features)
        started = time.monotonic()
        with ShardedArray(
            run.features_path, key=key, shape=shape, dtype=dtype, shard_size=shard_size, overwrite=overwrite or stale
        ) as array:
            if array.finished and run.recorded("extract") is not None:
                return run.features()
            fill(
                array,
                benchmark,
                extractor,
                lambda images, paths: _finite_features(extractor, images, paths, dtype),
                batch_size=batch_size,
                workers=workers,
                description="features",
                progress=progress,
            )
            settings = {"dtype": dtype, "batch_size": batch_size, "shard_size": array.shard_size}
        run.record("extract", key=key, settings=settings, seconds=time.monotonic() - started, extractor=describe(extractor))
        return run.features()


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
    return described | ({"n_features": network.n_features} if isinstance(network, Extractor) else {})


def fill(
    array: ShardedArray,
    benchmark: Benchmark,
    network: Classifier,
    compute: Callable[[Tensor, list[Path]], np.ndarray],
    *,
    batch_size: int,
    workers: int | None,
    description: str,
    progress: bool,
) -> None:
    """Compute the rows of every pending shard of `array` from the images, in batches of fixed composition.

    Raises:
        ImageError: a file that cannot be read, or has changed since the import: the run would say that its rows are of the old one.
    """
    paths = benchmark.paths
    batches = spans(array.pending(), batch_size)
    rows: list[np.ndarray] = []
    bar = progress_bar(total=len(paths), initial=array.n_done, desc=description, unit="image", shown=progress)
    with bar, _enough_memory(network, batch_size):
        for (start, stop), images in load_batches(paths, batches, network.preprocess, digests=benchmark.digests, workers=workers):
            rows.append(compute(images, paths[start:stop]))
            bar.update(stop - start)
            if stop % array.shard_size == 0 or stop == len(paths):
                shard = np.concatenate(rows)
                array.write(stop - len(shard), shard)
                rows = []


def _finite_features(extractor: Extractor, images: Tensor, paths: list[Path], dtype: str) -> np.ndarray:
    with torch.inference_mode():
        features = extractor.features(images).cpu().numpy()
    with np.errstate(over="ignore"):
        stored: np.ndarray = features.astype(dtype)
    bad = np.flatnonzero(~np.isfinite(stored).all(axis=1))
    if len(bad):
        overflow = np.isfinite(features[bad[0]]).all()
        advice = "Use float32." if overflow else "Check the weights and the normalisation of the network."
        what = "too large for float16" if overflow else "not finite (NaN or infinity)"
        raise BarlowError(f"A feature of {paths[bad[0]]} by {extractor.name} is {what}. {advice}")
    return stored


@contextmanager
def _enough_memory(network: Classifier, batch_size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        raise BarlowError(
            f"{network.device} has too little memory for {batch_size} images of {network.image_size} pixels at a time. "
            f"Use a smaller batch, for example --batch-size {max(1, batch_size // 4)}; finished shards are kept."
        ) from error
