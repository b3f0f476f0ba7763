"""Pictures made in the background while a page goes on: one at a time, with progress, and errors as text.

A thread does the work, so it outlives the rerun of a page and the visit of a person; what it makes appears in the run folder
whole or not at all, so ending the process harms nothing.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from barlow_core.directions import Direction
from barlow_core.engine import cores
from barlow_core.errors import BarlowError, BusyError
from barlow_core.run import Run, digest

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

log = logging.getLogger(__name__)

STATES = ("waiting", "running", "done", "failed", "cancelled")
SECONDS_FOR_LOCK = 600  # how long a job waits for another command that writes to the same run
SECONDS_TO_END = 5  # how long the end of the program waits for a step that is under way
KEPT = 200  # finished jobs that are remembered


class _CancelledError(Exception):
    """Raised inside of the work of a job that nobody wants any more."""


class Job:
    """A picture that is wanted; all attributes are safe to read at any time from any thread.

    Attributes:
        key: stands for what is wanted: the same wish, the same key.
        title: for people.
        state: one of `STATES`.
        progress: from 0 to 1.
        message: what is being done.
        error: why it failed, for people; None unless it did.
    """

    def __init__(self, key: str, title: str, work: Callable[[Job], object]):
        self.key, self.title = key, title
        self.state, self.progress, self.message = "waiting", 0.0, "waiting"
        self.error: str | None = None
        self._work, self._finished, self._unwanted = work, threading.Event(), threading.Event()
        self._started: float | None = None
        self._ended: float | None = None

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._finished.is_set()

    @property
    def seconds(self) -> float:
        """How long it has been worked on."""
        return 0.0 if self._started is None else (self._ended or time.monotonic()) - self._started

    def cancel(self) -> None:
        """Give it up: at once where it waits, after its current step where it runs."""
        self._unwanted.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; False after `timeout` seconds."""
        return self._finished.wait(timeout)

    def step(self, done: int, total: int) -> None:
        """Report progress; for the work itself. It ends the work of a job that is cancelled."""
        if self._unwanted.is_set():
            raise _CancelledError
        self.progress = done / max(total, 1)

    def _run(self) -> None:
        self._started = time.monotonic()
        self.state = "running"
        try:
            self.step(0, 1)
            self._work(self)
            self.progress, self.message, self.state = 1.0, "done", "done"
        except _CancelledError:
            self.message, self.state = "cancelled", "cancelled"
        except Exception as error:  # whatever it is, the thread must go on and the page must say it
            self.error, self.message, self.state = _words(error), "failed", "failed"
            if not isinstance(error, (BarlowError, OSError)):
                log.exception("%s failed", self.title)
        finally:
            self._ended = time.monotonic()
            self._finished.set()

    def __repr__(self) -> str:
        return f"Job({self.title}, {self.state} {self.progress:.0%})"


class PanelJobs:
    """A queue of pictures and the one thread that makes them.

    Args:
        load_extractor: gives the extractor of a run; None loads it on the fastest device, and keeps the last one.
    """

    def __init__(self, load_extractor: Callable[[Run], Extractor] | None = None):
        self._load = load_extractor or _Loaded()
        self._queue: deque[Job] = deque()
        self._jobs: dict[str, Job] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        # A thread that is inside of torch while the interpreter ends would abort the process.
        atexit.register(_close, weakref.ref(self))

    def panel(self, run: Run, group: str, feature: int | Direction, **settings: Any) -> Job:
        """Make the panel of a feature or direction in a group; see `panels.make_panels` for the settings."""

        def work(job: Job) -> None:
            from barlow_core.panels import make_panel

            extractor = self._extractor(run, job)
            job.message = "finding the most activating images, attacking the feature"
            _when_free(job, lambda: make_panel(run, extractor, group, feature, on_step=job.step, **settings))

        shown = Direction.of(feature)
        return self._wanted(("panel", run, group, shown.slug, settings), f"pictures of {shown.words} in {group}", work)

    def frames(self, run: Run, position: int, feature: int, *, frames: int = 5, steps: int | None = None) -> Job:
        """Attack a feature of one image frame by frame; see `attack_frames.make_frames`."""

        def work(job: Job) -> None:
            from barlow_core.panels.attack_frames import make_frames

            extractor = self._extractor(run, job)
            job.message = "attacking the feature"
            make_frames(run, extractor, position, feature, frames=frames, steps=steps, on_step=job.step)

        settings = {"frames": frames, "steps": steps}
        return self._wanted(
            ("frames", run, position, feature, settings), f"attack of feature {feature} on image {position}", work
        )

    def overlay(self, run: Run, position: int, feature: int) -> Job:
        """Lay the heatmap of a feature over one image; see `overlays.overlay`."""

        def work(job: Job) -> None:
            from barlow_core.panels.overlays import overlay

            extractor = self._extractor(run, job)
            job.message = "looking where the feature responds"
            overlay(run, extractor, position, feature)

        return self._wanted(("overlay", run, position, feature, {}), f"heatmap of feature {feature} on image {position}", work)

    def find(self, key: str) -> Job | None:
        """The job of that key, where it is remembered."""
        with self._change:
            return self._jobs.get(key)

    def all(self) -> list[Job]:
        """Every job that is remembered, in the order in which they were wanted."""
        with self._change:
            return list(self._jobs.values())

    def ahead(self, job: Job) -> int:
        """How many jobs come before it."""
        with self._change:
            running = sum(other.state == "running" for other in self._jobs.values())
            return running + self._queue.index(job) if job in self._queue else 0

    def forget(self, job: Job) -> None:
        """Cancel a job that has not ended, and remember it no longer."""
        job.cancel()
        with self._change:
            self._jobs.pop(job.key, None)

    def close(self, timeout: float | None = 10) -> None:
        """Cancel everything and wait for the thread to end."""
        with self._change:
            self._closed = True
            for job in self._jobs.values():
                job.cancel()
            self._change.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    # --- the thread

    def _wanted(self, what: tuple[str, Run, object, object, dict[str, Any]], title: str, work: Callable[[Job], object]) -> Job:
        """The job that waits or runs for this already, or a new one."""
        kind, run, place, feature, settings = what
        key = digest(kind, str(run.path.resolve()), place, feature, settings)
        with self._change:
            known = self._jobs.get(key)
            if known is not None and not known.done and not known._unwanted.is_set():
                return known
            if self._closed:
                raise BarlowError("This program is shutting down and makes no more pictures. Start it again.")
            job = Job(key, title, work)
            self._jobs.pop(key, None)
            self._jobs[key] = job
            self._queue.append(job)
            for old in [other for other in self._jobs.values() if other.done][:-KEPT]:
                del self._jobs[old.key]
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="barlow pictures", daemon=True)
                self._thread.start()
            self._change.notify_all()
        return job

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                job = self._queue.popleft()
            job._run()

    def _extractor(self, run: Run, job: Job) -> Extractor:
        job.message = "loading the extractor"
        extractor = self._load(run)
        _leave_a_core_to_the_pages()
        job.step(0, 1)
        return extractor


class _Loaded:
    """Loads the extractor of a run and keeps the last one, which most often is the next one, too."""

    def __init__(self) -> None:
        self._last: tuple[str, Extractor] | None = None

    def __call__(self, run: Run) -> Extractor:
        from barlow_core.extractors import default_device  # Networks cost seconds and memory that looking does not need.

        fingerprint = run.require("extract")["extractor"]["fingerprint"]
        if self._last is None or self._last[0] != fingerprint:
            self._last = (fingerprint, run.extractor(device=default_device()))
        return self._last[1]


def _leave_a_core_to_the_pages() -> None:
    """All cores but one for this thread. OpenMP's threads spin while they wait, and beside a busy page both would crawl."""
    import torch

    torch.set_num_threads(max(1, cores() - 1))


def _close(queue: weakref.ref[PanelJobs]) -> None:
    alive = queue()
    if alive is not None:
        alive.close(timeout=SECONDS_TO_END)


def _when_free(job: Job, make: Callable[[], object]) -> None:
    """Do what needs the run's lock as soon as no other command holds it."""
    deadline = time.monotonic() + SECONDS_FOR_LOCK
    while True:
        try:
            make()
            return
        except BusyError:
            if time.monotonic() > deadline:
                raise
            job.message = "waiting for another barlow command that writes to this run"
            job.step(0, 1)
            time.sleep(0.5)


def _words(error: Exception) -> str:
    if isinstance(error, BarlowError):
        return str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return f"Memory ran out ({str(error).splitlines()[0] if str(error) else 'MemoryError'}). Close other programs, or make fewer images per panel."
    if isinstance(error, OSError):
        return f"It could not be written ({error}). Expected a run folder that can be written, with space on its disk."
    return f"Something unexpected went wrong: {type(error).__name__}: {error}. The terminal of the app says where."
