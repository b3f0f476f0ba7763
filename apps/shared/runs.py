"""Open what a page was started with, once for all of its visitors."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from barlow_core.analyses import load_analysis
from barlow_core.failure_modes import FailureAnalysis
from barlow_core.run import Run


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
