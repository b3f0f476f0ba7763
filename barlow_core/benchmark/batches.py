"""Images from disk to batches, decoded ahead of the network by a few threads, or handed on by each thread itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from barlow_core.benchmark.images import open_image
from barlow_core.errors import BarlowError, ImageError

Span = tuple[int, int]


def default_workers() -> int:
    """Threads that decode: one for every core that this process may use; containers often allow fewer than the machine has."""
    return int(joblib.cpu_count())


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
    least_side: int | None = None,
    then: Callable[[Span, Tensor], Any] | None = None,
) -> Iterator[tuple[Span, Any]]:
    """Yield ((start, stop), images) for every span of `batches`, in their order, however many are decoded at a time.

    Threads, not processes: Pillow decodes and resizes outside of the interpreter's lock, and threads start alike on
    every system. At most `workers` + 1 batches are in memory. `device_batches` is for a network on a GPU, which wants more
    images than threads can decode.

    Args:
        preprocess: a picture -> a tensor; those of a batch are stacked.
        digests: one a path, from the import; None takes the files as they are.
        least_side: see `open_image`.
        then: called with every span and its images, in the thread that decoded them; what it returns takes the place of the images.
            So each thread may do all of the work on its batches, which then is done in parallel.

    Raises:
        ImageError: an image that cannot be read, or is not what it was; the message names it.
    """
    workers = workers or default_workers()

    def load(span: Span) -> Any:
        images = decoded(paths, span, preprocess, digests=digests, least_side=least_side)
        return images if then is None else then(span, images)

    # A new thread keeps to torch's number of threads only after it has asked for it once.
    with ThreadPoolExecutor(workers, thread_name_prefix="decode", initializer=torch.get_num_threads) as pool:
        ahead: deque[tuple[Span, Future[Any]]] = deque()
        try:
            for span in batches:
                ahead.append((span, pool.submit(load, span)))
                if len(ahead) > workers:
                    ready, result = ahead.popleft()
                    yield ready, result.result()
            while ahead:
                ready, result = ahead.popleft()
                yield ready, result.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def decoded(
    paths: Sequence[Path],
    span: Span,
    preprocess: Callable[[Image.Image], Tensor],
    *,
    digests: Sequence[str] | np.ndarray | None = None,
    least_side: int | None = None,
) -> Tensor:
    """The images of one span, stacked; arguments and errors are those of `load_batches`."""
    known = (None if digests is None else digests[i] for i in range(*span))
    pictures = (_open(paths[i], digest, least_side) for i, digest in zip(range(*span), known, strict=True))
    return torch.stack([preprocess(picture) for picture in pictures])


def _open(path: Path, digest: str | None, least_side: int | None) -> Image.Image:
    try:
        return open_image(path, digest=digest, least_side=least_side)
    except ImageError as error:
        raise ImageError(f"{error} To leave such images out, import again with --skip-bad.") from error
