"""What the app was started with: the runs, and whether visitors may only read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import streamlit as st
from shared import runs
from shared.arguments import BROWSE, READ_ONLY, arguments

from barlow_core.run import Run


class Started(NamedTuple):
    """The runs by name, in the order in which they were given; `read_only` forbids judgements and making pictures."""

    paths: dict[str, Path]
    read_only: bool


def started() -> Started:
    """The arguments of `streamlit run apps/browse.py -- RUN [RUN...] [--read-only]`.

    Raises:
        BarlowError: there is no run among them.
    """
    given = arguments(BROWSE)
    paths: dict[str, Path] = {}
    for path in given.paths:
        name = path.resolve().name
        # Two folders of one name in different places are told apart by their places.
        paths[name if name not in paths else str(path)] = path
    return Started(paths, READ_ONLY in given.switches)


def open_chosen(started: Started, name: str | None) -> tuple[str, Run]:
    """The run of that name, or the first where none has it, with its name.

    Raises:
        BarlowError: it is not a run folder.
    """
    chosen = name if name in started.paths else next(iter(started.paths))
    if name is not None and name != chosen:
        st.toast(f"No run here is called {name}.")
    return chosen, runs.open_run(started.paths[chosen])
