"""The top of every page: which run, what it is, where else to go, and what it still needs."""

from __future__ import annotations

from html import escape

import streamlit as st
from shared.html import TERMS, plain
from streamlit.delta_generator import DeltaGenerator

from barlow_core import views
from barlow_core.analyses import ExplainRecord
from barlow_core.errors import BarlowError
from barlow_core.run import OPTIONAL, Run
from barlow_core.wording import percent
from browsing.data import of_run
from browsing.run_place import PAGES, Place, bound, go, here, put
from browsing.started import Started

USUAL_DEPTH = 1  # One condition a rule: what a person reads first.
DEEPEST = 6
TITLES = {
    "benchmark": "Benchmark",
    "group": "Group",
    "search": "Search",
    "compare": "Compare",
    "notes": "Notes",
    "export": "Export",
}


def show_header(first: DeltaGenerator, started: Started, name: str, run: Run) -> bool:
    """The run and the way to the pages. False where the run has nothing to show yet: then it says which commands are missing.

    Args:
        first: where the title goes.
    """
    summary = of_run(run, views.summary)
    facts = [f"{summary.n_images:,} images", f"{summary.n_classes:,} classes"]
    if summary.n_failures is not None and summary.error_rate is not None:
        facts.append(f"{summary.n_failures:,} wrong predictions ({percent(summary.error_rate)})")
    if summary.extractor:
        facts.append(f"features of {summary.extractor}")
    if started.read_only:
        facts.append("read-only")
    title = f'<header class="bw-title"><h1>{escape(summary.name)}</h1><p>{escape(" · ".join(facts))}</p></header>'
    with first.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="top"):
        st.html(title, width="content")
        if len(started.paths) > 1:
            _choose_run(started, name)
    pending = _pending(run)
    if pending is not None:
        state, commands = pending
        if state == "stale":
            st.warning("This run is out of date: its data or an earlier step has changed. Update it, then reload:")
        else:
            st.info("This run has no failure modes yet. Run this, then reload:")
        st.code("\n".join(commands), language="bash")
        return False
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="ways"):
        _choose_page()
        show_help(run)
    return True


def _choose_run(started: Started, name: str) -> None:
    st.selectbox(
        "Run",
        list(started.paths),
        label_visibility="collapsed",
        width=260,
        **bound("run", name),
        help="The runs with which this app was started.",
    )


def _pending(run: Run) -> tuple[str, list[str]] | None:
    status = run.status()
    pending = status[(status["state"] != "done") & ~status["stage"].isin(OPTIONAL)]
    if pending.empty:
        return None
    return "stale" if (pending["state"] == "stale").any() else "missing", list(pending["command"])


def _choose_page() -> None:
    place = here()
    kept = f" ({len(place.kept)})" if place.kept else ""
    pages = [page for page in PAGES if page != "group" or place.name is not None]
    titles = TITLES | {"export": f"{TITLES['export']}{kept}", "group": f"Group: {plain(str(place.name))}"}
    st.segmented_control(
        "Page",
        pages,
        wrap=True,
        format_func=lambda page: titles[page],
        label_visibility="collapsed",
        **bound("page", place.page, change=lambda page: {"page": page or here().page}),
    )


def show_help(run: Run) -> None:
    """What every number means and was measured on."""
    settings = ExplainRecord.of(run).settings
    with st.popover("What do the numbers mean?", type="tertiary"):
        st.markdown("\n".join(f"- **{name}**: {text}" for name, text in TERMS.items()))
        st.markdown(
            f"A **failure mode** is a leaf of the group's tree with ER > BER + {settings.delta:g} and EC > {settings.tau:g}, "
            "unless you choose others on the page of a group. "
            "Its rule speaks of features of the extractor, which the pictures A, B and C explain.\n\n"
            "Numbers are measured **on the same images in which the rules were searched** (in-sample), which flatters them, above "
            "all for rules with several conditions and few images. Those called **held out** are measured on images that had no "
            "part in finding the rule: they tell what to expect of new images."
        )


def groupings(run: Run) -> list[str]:
    """The groupings that were explained.

    Raises:
        BarlowError: none was.
    """
    found = of_run(run, views.groupings)
    if not found:
        raise BarlowError(f"No group of images was explained in {run.path}. Run: barlow explain {run.path} --grouping label")
    return found


def settle(started: Started, run_name: str, run: Run) -> Place:
    """Give the place what it leaves open, and take back what this run does not have.

    Returns:
        The place as it is by default in this run.
    """
    place, known = here(), groupings(run)
    if place.grouping not in known:
        if place.grouping is not None:
            st.warning(plain(f"Nothing is grouped by {place.grouping} in this run."))
        put(grouping=known[0])
    if place.depth is not None and not 1 <= place.depth <= DEEPEST:
        put(depth=None)
    table = of_run(run, views.group_table, depth=depth_of(run))
    if place.name is not None and not (table["group"] == here().key).any():
        st.warning(plain(f"No group here is called {place.name}. Choose one of the others."))
        go(name=None, page="benchmark" if place.page == "group" else place.page)
    elif place.name is None and place.page == "group":
        put(page="benchmark")
    return Place(run=next(iter(started.paths)), grouping=known[0])


def depth_of(run: Run) -> int:
    """The depth of the trees that are shown where whole runs are: the one that was chosen, as far as trees were made."""
    return min(here().depth or USUAL_DEPTH, of_run(run, views.depths)[-1])
