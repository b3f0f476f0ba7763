"""What the app was started with: the runs, and whether visitors may only read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from shared import runs

from barlow_core.errors import BarlowError
from barlow_core.run import Run

READ_ONLY = "--read-only"


class Started(NamedTuple):
    """The runs by name, in the order in which they were given; `read_only` forbids judgements and making pictures."""

    paths: dict[str, Path]
    read_only: bool


def started() -> Started:
    """The arguments of `streamlit run apps/browse.py -- RUN [RUN...] [--read-only]`.

    Raises:
        BarlowError: there is no run among them.
    """
    given = [argument for argument in sys.argv[1:] if argument != READ_ONLY]
    if not given:
        raise BarlowError(
            "This page was started without a run folder. "
            "Start it with: barlow browse RUN, or: streamlit run apps/browse.py -- RUN"
        )
    paths: dict[str, Path] = {}
    for path in map(Path, dict.fromkeys(given)):
        name = path.resolve().name
        # Two folders of one name in different places are told apart by their places.
        paths[name if name not in paths else str(path)] = path
    return Started(paths, READ_ONLY in sys.argv[1:])


def open_chosen(started: Started, name: str | None) -> tuple[str, Run]:
    """The run of that name, or the first where none has it, with its name.

    Raises:
        BarlowError: it is not a run folder.
    """
    chosen = name if name in started.paths else next(iter(started.paths))
    if name is not None and name != chosen:
        st.toast(f"No run here is called {name}.")
    return chosen, runs.open_run(started.paths[chosen])
