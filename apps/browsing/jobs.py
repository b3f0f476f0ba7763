"""Pictures that are made in the background while the page goes on answering."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from shared.address import stay
from shared.html import plain

from barlow_core.panels.jobs import Job, PanelJobs
from barlow_core.run import Run

OFTEN = 2.0  # seconds between two looks at a job; more often would slow down the job itself


@st.cache_resource(show_spinner=False)
def jobs() -> PanelJobs:
    """The one thread that makes pictures, for all visitors."""
    return PanelJobs()


@st.cache_resource(show_spinner=False)
def _keys() -> dict[tuple[str, str], str]:
    return {}


def start(run: Run, what: str, begin: Callable[[], Job]) -> Job:
    """Start a job and remember it as `what` of the run, also for other visitors and after a reload."""
    job = begin()
    _keys()[str(run.path), what] = job.key
    return job


def find(run: Run, what: str) -> Job | None:
    """The job that was started as `what`."""
    key = _keys().get((str(run.path), what))
    return None if key is None else jobs().find(key)


def like_visualize(run: Run) -> dict[str, object]:
    """Settings for a panel like those that `barlow visualize` made, if it did."""
    settings = (run.recorded("visualize") or {}).get("settings", {})
    like = {name: settings[name] for name in ("k", "source") if name in settings}
    return like | (settings.get("attack") or {})


def follow(job: Job, *, key: str) -> None:
    """Show how far a job is until it has ended; then the whole page is drawn again."""

    @st.fragment(run_every=OFTEN)
    def look() -> None:
        now = jobs().find(job.key)
        if now is None or now.done:
            st.rerun()
        ahead = jobs().ahead(now)
        waiting = f" · {ahead} before it" if ahead else ""
        st.progress(now.progress, text=plain(f"{now.title}: {now.message or now.state}{waiting}"))
        st.button("Stop", key=f"stop {key}", on_click=now.cancel, type="tertiary")

    look()


def show_job(job: Job | None, begin: Callable[[], Job], *, label: str, hint: str, key: str, read_only: bool) -> None:
    """A button that starts a job, its progress, or why it failed.

    Args:
        job: the one that was started before; None where there is none.
        label: of the button; hint: above it.
        key: distinguishes several on one page.
    """
    if job is not None and job.state == "failed":
        st.error(plain(job.error or "The pictures could not be made."))
    if job is not None and not job.done:
        follow(job, key=key)
        return
    st.caption(hint)
    if read_only:
        st.caption("Pictures are not made in read-only mode. Make them with: barlow visualize")
        return

    def pressed() -> None:
        stay()
        begin()

    st.button(label if job is None or job.state != "failed" else "Try again", key=f"start {key}", on_click=pressed)
