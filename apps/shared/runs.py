"""Open what a page was started with, once for all of its visitors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from barlow_core.analyses import load_analysis
from barlow_core.errors import BarlowError
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.run import Run

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor


def run_argument(script: str) -> Path:
    """The run folder that the page was started with.

    Raises:
        BarlowError: there is none.
    """
    if len(sys.argv) < 2:
        raise BarlowError(
            "This page was started without a run folder. "
            f"Start it with: barlow browse RUN, or: streamlit run apps/{script} -- RUN"
        )
    return Path(sys.argv[1])


def open_run(path: Path) -> Run:
    """The run, read again only when a command has changed it.

    Raises:
        BarlowError: `path` is not a run folder.
    """
    return _open_run(str(path), stamp(path))


def stamp(path: Path) -> int:
    """A number that changes whenever a stage of the run is finished: every stage ends by writing run.json."""
    try:
        return (path / "run.json").stat().st_mtime_ns
    except OSError:
        return 0


@st.cache_resource(max_entries=4, show_spinner=False)
def _open_run(path: str, stamp: int) -> Run:
    return Run(path)


def analysis(run: Run, key: str, depth: int) -> FailureAnalysis:
    """The stored analysis of a group; trees.json of a large run is long, so what was read of it is kept."""
    return _analysis(str(run.path), stamp(run.path), key, depth, run)


@st.cache_resource(max_entries=256, show_spinner=False)
def _analysis(path: str, stamp: int, key: str, depth: int, _run: Run) -> FailureAnalysis:
    return load_analysis(_run, key, depth=depth)


def extractor(run: Run) -> Extractor:
    """The extractor of the run, loaded once.

    Raises:
        BarlowError: it cannot be loaded again.
    """
    return _extractor(run.require("extract")["extractor"]["fingerprint"], run)


@st.cache_resource(max_entries=1, show_spinner=False)
def _extractor(fingerprint: str, _run: Run) -> Extractor:
    from barlow_core.extractors import default_device  # Networks cost seconds and memory that looking does not need.

    return _run.extractor(device=default_device())
