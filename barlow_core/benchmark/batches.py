"""Images from disk to batches, decoded ahead of the network by a few threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from barlow_core.benchmark.images import open_image
from barlow_core.errors import BarlowError, ImageError

Span = tuple[int, int]


def default_workers() -> int:
    """Threads that decode: one a core, up to 8."""
    return min(8, os.cpu_count() or 1)


def spans(pending: Iterable[Span], batch_size: int) -> list[Span]:
    """Cut shards into batches of at most `batch_size` images; none crosses the border of a shard.

    So the batches of a shard are the same whichever shards were done before, and with them every bit of the result.
    """
    if batch_size < 1:
        raise BarlowError(f"batch_size is {batch_size}. Expected at least 1.")
    return [(begin, min(begin + batch_size, stop)) for start, stop in pending for begin in range(start, stop, batch_size)]


def load_batches(
    paths: Sequence[Path],
    batches: Sequence[Span],
    preprocess: Callable[[Image.Image], Tensor],
    *,
    digests: Sequence[str] | np.ndarray | None = None,
    workers: int | None = None,
) -> Iterator[tuple[Span, Tensor]]:
    """Yield ((start, stop), (n, 3, H, W) float32 images in [0, 1]) for every span of `batches`, in their order.

    Threads, not processes: Pillow decodes and resizes outside of the interpreter's lock, and threads start alike on
    every system.

    Args:
        digests: one a path, from the import; None takes the files as they are.

    Raises:
        ImageError: an image that cannot be read, or is not what it was; the message names it.
    """
    workers = workers or default_workers()

    def load(span: Span) -> Tensor:
        return torch.stack([preprocess(_open(paths[i], digests[i] if digests is not None else None)) for i in range(*span)])

    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        ahead: deque[tuple[Span, Future[Tensor]]] = deque()
        coming = iter(batches)
        try:
            for span in coming:
                ahead.append((span, pool.submit(load, span)))
                if len(ahead) > workers:
                    ready, images = ahead.popleft()
                    yield ready, images.result()
            while ahead:
                ready, images = ahead.popleft()
                yield ready, images.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _open(path: Path, digest: str | None) -> Image.Image:
    try:
        return open_image(path, digest=digest)
    except ImageError as error:
        raise ImageError(f"{error} To leave such images out, import again with --skip-bad.") from error
