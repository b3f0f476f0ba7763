"""What the pages read of a run, kept for all visitors, so that no page works out what another has.

Everything is kept under the run's path and its stamp, which changes when a command changes the run. What is kept may be changed by
nobody: tables are filtered into new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st
from shared.runs import stamp

from barlow_core.compare import Comparison, compare
from barlow_core.failure_tree import Node
from barlow_core.run import Run

T = TypeVar("T")
TABLES, GROUPS, COMPARISONS = 64, 256, 4  # how many results of a kind are kept


@st.cache_resource(max_entries=TABLES, show_spinner=False)
def _table(path: str, stamp: int, what: str, arguments: tuple[Any, ...], _make: Callable[[], Any]) -> Any:
    return _make()


@st.cache_resource(max_entries=GROUPS, show_spinner=False)
def _of_group(path: str, stamp: int, what: str, arguments: tuple[Any, ...], _make: Callable[[], Any]) -> Any:
    return _make()


@st.cache_resource(max_entries=COMPARISONS, show_spinner="Comparing the runs …")
def _compared(paths: tuple[str, str], stamps: tuple[int, int], depth: int | None, _runs: tuple[Run, Run]) -> Comparison:
    return compare(*_runs, depth=depth, names=None)


def of_run(run: Run, what: Callable[..., T], **arguments: Any) -> T:
    """`what(run, **arguments)` of the whole run."""

    def make() -> T:
        return what(run, **arguments)

    found: T = _table(str(run.path), stamp(run.path), what.__name__, tuple(arguments.items()), make)
    return found


def of_group(run: Run, what: Callable[..., T], key: str, *positional: Any, **arguments: Any) -> T:
    """`what(run, key, *positional, **arguments)` of one group."""

    def make() -> T:
        return what(run, key, *positional, **arguments)

    place = (key, *positional, *arguments.items())
    found: T = _of_group(str(run.path), stamp(run.path), what.__name__, place, make)
    return found


def of_node(run: Run, what: str, key: str, node: Node, arguments: tuple[Any, ...], make: Callable[[], T]) -> T:
    """What `make` returns about a node of a group's tree, which its rule stands for, also in another tree."""
    found: T = _of_group(str(run.path), stamp(run.path), what, (key, node.conditions, arguments), make)
    return found


def comparison(first: Run, second: Run, depth: int | None) -> Comparison:
    """The two runs side by side."""
    paths = (str(first.path), str(second.path))
    return _compared(paths, (stamp(first.path), stamp(second.path)), depth, (first, second))
