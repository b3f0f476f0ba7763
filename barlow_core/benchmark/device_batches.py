"""Images from disk to a GPU, which computes faster than the threads of one process decode.

Processes decode pieces of a batch, and the pieces are put together on the device: so the first batch is there as soon as all
processes together have decoded it, and no interpreter's lock stands between them. Which images are in a batch does not depend on it.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from barlow_core.benchmark.batches import Span, decoded, default_workers, load_batches
from barlow_core.errors import BarlowError, ImageError

log = logging.getLogger(__name__)

PIECE = 32  # images that one process decodes at a time, about a tenth of a second for photographs
AHEAD = 2  # pieces that every process may be ahead
# For fewer images, processes cost more time to start than they save.
FEWEST_FOR_PROCESSES = 1000
# Seconds for a piece. A copy of a process whose other threads were busy may wait for a lock that no thread of the copy holds; it is rare.
PATIENCE = 120
SHARED_MEMORY = Path("/dev/shm")  # where Linux keeps what processes share; containers often have 64 MB of it
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


def device_batches(
    paths: Sequence[Path],
    batches: Sequence[Span],
    preprocess: Callable[[Image.Image], Tensor],
    device: torch.device,
    *,
    digests: Sequence[str] | np.ndarray | None = None,
    workers: int | None = None,
    least_side: int | None = None,
) -> Generator[tuple[Span, Tensor], None, None]:
    """Yield ((start, stop), images on `device`) for every span of `batches`, in their order.

    They are decoded by processes on Linux, where many images are asked for and `workers` is not 1; otherwise by threads.
    Close it: processes end then, and otherwise when the last reference to it is gone.

    Args:
        preprocess: a picture -> (C, H, W), the same shape for all; with channels side by side in memory nothing is moved twice.
        digests, least_side: see `load_batches`.
        workers: processes, or threads; one a core when None.

    Raises:
        ImageError: see `load_batches`.
    """
    workers = workers or default_workers()

    def channels_last(picture: Image.Image) -> Tensor:
        return preprocess(picture).movedim(0, -1)

    dataset = _Pieces(paths, channels_last, digests, least_side)
    pieces = [(begin, min(begin + PIECE, stop)) for start, stop in batches for begin in range(start, stop, PIECE)]
    if _worth_processes(dataset, batches, workers):
        source = _by_processes(dataset, pieces, device, workers)
    else:
        source = _by_threads(dataset, pieces, device, workers)
    with closing(source):
        for start, stop in batches:
            parts = islice(source, -(-(stop - start) // PIECE))
            yield (start, stop), torch.cat([part.to(device, non_blocking=True) for part in parts]).movedim(-1, 1)


@contextmanager
def lost_processes_named() -> Iterator[None]:
    """Say what it means when the system ends a process that decodes; torch raises that wherever the main thread then is.

    Raises:
        BarlowError: in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise BarlowError(
            f"A process that decodes images was ended from outside, most often because memory ran out ({error}). "
            "Finished shards are kept. Run it again with fewer processes, or with threads: --workers 1 (workers=1)."
        ) from error


class _Pieces(Dataset[Any]):
    """span -> its images (n, H, W, C), or the error of one of them, which so arrives as it is."""

    def __init__(
        self,
        paths: Sequence[Path],
        channels_last: Callable[[Image.Image], Tensor],
        digests: Sequence[str] | np.ndarray | None,
        least_side: int | None,
    ):
        self.paths, self.channels_last, self.digests, self.least_side = paths, channels_last, digests, least_side

    def images(self, span: Span) -> Tensor:
        return decoded(self.paths, span, self.channels_last, digests=self.digests, least_side=self.least_side)

    def __getitem__(self, span: Span) -> Tensor | ImageError:
        try:
            return self.images(span)
        except ImageError as error:
            return error


def _worth_processes(dataset: _Pieces, batches: Sequence[Span], workers: int) -> bool:
    """Whether images are decoded by processes: where it pays, and where they can be had and can hand over what they decode."""
    if workers == 1 or sum(stop - start for start, stop in batches) < FEWEST_FOR_PROCESSES:
        return False
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return False
    # The pieces that are ahead, one more in each process, and those of the batch that is being put together.
    n_pieces = (AHEAD + 1) * workers + -(-max(stop - start for start, stop in batches) // PIECE)
    first = batches[0][0]
    needed = n_pieces * PIECE * dataset.images((first, first + 1)).nbytes
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.exists() else 0
    if free < needed:
        log.warning(
            "Processes that decode images for the GPU share memory in %s, where %d MB are free and they need %d. Threads decode them "
            "instead, which is slower. In a container, give it more (docker run --shm-size 2g), or use fewer processes (--workers).",
            SHARED_MEMORY,
            free / 1e6,
            needed / 1e6,
        )
    return free >= needed


def _by_threads(dataset: _Pieces, pieces: list[Span], device: torch.device, workers: int) -> Generator[Tensor, None, None]:
    def pinned(_: Span, images: Tensor) -> Tensor:
        return images.pin_memory() if device.type == "cuda" else images

    known: dict[str, Any] = {"digests": dataset.digests, "least_side": dataset.least_side}
    for _, images in load_batches(dataset.paths, pieces, dataset.channels_last, **known, workers=workers, then=pinned):
        yield images


def _by_processes(dataset: _Pieces, pieces: list[Span], device: torch.device, workers: int) -> Generator[Tensor, None, None]:
    """Copies of this process decode; they have no part in what this one does on the device.

    Copies (fork) start within milliseconds and, unlike processes that are started anew, need nothing of the script that calls this.
    """
    pin = device.type == "cuda"
    threads = torch.get_num_threads()
    with warnings.catch_warnings():
        # More processes than cores are somebody's wish (slow disks). Python warns of copies while there are threads: see PATIENCE.
        warnings.filterwarnings("ignore", message="This DataLoader will create|.*use of fork", category=Warning)
        loader: DataLoader[Any] = DataLoader(
            dataset,
            batch_size=None,
            sampler=pieces,
            num_workers=min(workers, len(pieces)),
            collate_fn=_as_it_is,
            pin_memory=pin,
            prefetch_factor=AHEAD,
            timeout=PATIENCE,
            multiprocessing_context="fork",
            worker_init_fn=_end_with_this_process,
            # Its own, or the one that everybody shares would be moved on.
            generator=torch.Generator(),
        )
        with _no_interruption_inherited():
            arriving: Any = iter(loader)
    left = len(pieces)
    try:
        for piece in arriving:
            if isinstance(piece, ImageError):
                raise piece
            left -= 1
            yield piece
    except (ConnectionError, EOFError) as error:
        # What a process had sent is fetched from it, which may be too late; `lost_processes_named` knows torch's words for that.
        raise RuntimeError(f"DataLoader worker is gone: {error}") from error
    except RuntimeError as error:
        if "DataLoader timed out" not in str(error):
            raise
        log.warning("A process that decodes images gave none for %d seconds. Threads go on instead, which is slower.", PATIENCE)
    finally:
        # Leaving it to the last reference would leave the processes there as long as somebody keeps an error.
        arriving._shutdown_workers()
        if pin:
            # The thread that pins memory sets this to 1 for all that start later.
            torch.set_num_threads(threads)
    yield from _by_threads(dataset, pieces[len(pieces) - left :], device, workers)


def _as_it_is(piece: Any) -> Any:
    return piece


@contextmanager
def _no_interruption_inherited() -> Iterator[None]:
    """Processes that start meanwhile never see Ctrl-C, which a terminal sends to all; this one ends them when it has seen it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_this_process(_: int) -> None:
    """Killed, this process takes its copies with it at once, and what it had locked is free."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
