"""Seeds of the planted study in processes of their own (which find functions in this module, not in `__main__`)."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from barlow_core.extractors import Extractor
from barlow_core.interventions import InterventionSettings
from benchmarks.planted_shortcuts.describing import described_by
from benchmarks.planted_shortcuts.pipeline import one_seed
from benchmarks.shared_rows import Rows

_known: Extractor


def begin(extractor: str | None) -> None:
    """Load what describes the pictures: see `described_by`."""
    global _known
    _known = described_by(extractor)


def rows_of(seed: int) -> Rows:
    """What was found in a seed, and the seconds of the processor that it took."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        found = one_seed(seed, Path(folder), _known, InterventionSettings(images=30, doses=2, seed=seed))
    seconds = round(time.process_time() - started, 1)
    return [row | {"seconds": seconds} for row in found] or [{"seed": seed, "tells": "nothing found", "seconds": seconds}]
