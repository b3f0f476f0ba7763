"""What the admin page shows: progress, workers, reports, copies. Whatever people wrote stays plain text."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import pandas as pd
import streamlit as st
from shared.html import plain, stats
from shared.money import amount

from administering.acting import SAID, act
from administering.tables import moment_column
from barlow_core.wording import count
from study.store import StudyStore
from study.store.progress import Progress

FORMATS = {"CSV": "csv", "JSON lines": "jsonl", "Parquet": "parquet"}
KINDS = {"Tasks": ("item",), "Tasks, checks and practice": ("item", "gold", "attention", "practice")}
TEXT = st.column_config.TextColumn


def show_progress(done: Progress) -> None:
    """How far the study is, how fast it goes, what it costs."""
    st.progress(done.answers / max(done.answers_wanted, 1), text=f"{done.answers:,} of {done.answers_wanted:,} answers")
    end = "—" if done.expected_end is None else f"{done.expected_end[:16].replace('T', ' ')} UTC"
    hourly = "—" if done.hourly_pay is None else amount(done.hourly_pay, done.currency)
    facts = [
        ("Tasks complete", f"{done.items_complete:,} of {done.items:,}"),
        ("Answers per hour", f"{done.per_hour:,.0f}"),
        ("Done, at this rate", "done" if done.complete else end),
        ("Being answered now", f"{done.reserved:,}"),
        ("Cost so far", amount(done.cost, done.currency)),
        ("Expected cost, without fees", amount(done.cost_expected, done.currency)),
        ("Pay per hour on task (median)", hourly),
        ("Workers", _workers(done)),
    ]
    st.html(stats(facts))
    for sentence in done.implausible:
        st.warning(plain(f"Not plausible: {sentence}"))
    if done.answers_surplus:
        st.caption(
            f"{count(done.answers_surplus, 'answer')} came when no more were needed; they are paid, and are kept in case a place becomes free."
        )


def _workers(done: Progress) -> str:
    out = [f"{n:,} {what}" for n, what in ((done.workers_blocked, "blocked"), (done.workers_withdrawn, "withdrawn")) if n]
    return f"{done.workers:,}" + (f" ({', '.join(out)})" if out else "")


def show_workers(store: StudyStore) -> None:
    """Everybody who took part; what one of them wrote, with the ways to stop them or to let them in again."""
    table = store.workers()
    if table.empty:
        st.info("Nobody has taken part yet.")
        return
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "worker": TEXT("Worker", pinned=True),
            "pseudonym": TEXT("In exports"),
            "joined_at": moment_column("Since (UTC)"),
            "checks": "Checks",
            "checks_passed": "Passed",
            "flagged": "Flagged",
            "answers": "Answers",
            "state": "State",
            "platform": "From",
            "simulated": "Simulated",
        },
    )
    states = dict(zip(table["worker"], table["state"], strict=True))
    worker = st.selectbox(
        "See what someone wrote, block them, or let them back in",
        list(states),
        index=None,
        placeholder="Choose a worker (type to search)",
        key="worker",
    )
    if worker is not None:
        _show_worker(store, worker, states[worker])


def _show_worker(store: StudyStore, worker: str, state: str) -> None:
    sent = pd.DataFrame(
        [
            {
                "item": one.item,
                **one.answers,
                "state": one.state,
                "passed": one.passed,
                "seconds": round(one.seconds),
                "sent (UTC)": one.submitted_at[:16].replace("T", " "),
            }
            for one in store.history(worker)
        ]
    )
    if sent.empty:
        st.caption("No answers yet.")
    else:
        st.dataframe(sent, hide_index=True)
        if state != "withdrawn":
            _show_answer_actions(store, worker)
    if state == "withdrawn":
        st.caption("This worker has withdrawn; what they wrote is deleted.")
        return
    if state == "blocked":
        st.button("Let back in", key="reopen", on_click=act, args=(lambda: store.reopen(worker), f"{worker} may answer again."))
        return
    field = f"reason {worker}"
    st.text_input("Reason for blocking (for the record)", key=field, max_chars=500)

    def block(discard: bool) -> None:
        store.block(worker, st.session_state[field].strip(), discard=discard)

    with st.container(horizontal=True):
        st.button(
            "Block",
            key="block",
            on_click=act,
            args=(lambda: block(False), f"{worker} is blocked. Their answers count."),
        )
        st.button(
            "Block and discard",
            key="discard",
            help="Their answers no longer count, and the tasks go to others. They are paid all the same.",
            on_click=act,
            args=(lambda: block(True), f"{worker} is blocked. Their tasks go to others."),
        )
    _show_withdrawal(store, worker)


def _show_answer_actions(store: StudyStore, worker: str) -> None:
    """Reject one answer, or take that back."""
    items = [one.item for one in store.history(worker)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        item = st.selectbox("One answer", items, index=None, placeholder="Choose an answer", key=f"one of {worker}")
        st.text_input("Reason for rejecting it", key=f"why {worker}", max_chars=500)
        if item is not None:
            st.button(
                "Reject this answer",
                key="reject",
                help="It no longer counts, and its task goes to others. It is paid all the same.",
                on_click=act,
                args=(
                    lambda: store.reject(worker, item, st.session_state[f"why {worker}"].strip()),
                    f"The answer to {item} is rejected.",
                ),
            )
            st.button(
                "Count it again",
                key="unreject",
                on_click=act,
                args=(lambda: store.reopen(worker, item), f"{item} is open again for {worker}."),
            )


def _show_withdrawal(store: StudyStore, worker: str) -> None:
    """Delete everything that somebody wrote, once their id was typed."""
    with st.expander("Withdraw: delete everything that this worker wrote"):
        st.caption(
            "From the study, its log and all backups that it knows of, for good. What they earned stays due. Delete earlier exports yourself."
        )
        typed = st.text_input("Type the worker's ID to confirm", key=f"withdraw {worker}")
        st.button(
            "Delete for good",
            key="withdraw",
            disabled=typed != worker,
            on_click=act,
            args=(lambda: store.withdraw(worker), f"Everything that {worker} wrote is deleted."),
        )


def show_copies(store: StudyStore) -> None:
    """Take the answers with you, copy the study, look whether all is well."""
    st.html('<h2 class="bw-h3">Download the answers</h2>')
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.selectbox("As", list(FORMATS), key="format", width=160)
        kinds = st.selectbox("What", list(KINDS), key="kinds", width=280)
        names = st.checkbox(
            "With the platform's ids of the workers",
            key="ids",
            help="Without, workers have random names, the same in every export.",
        )
    st.download_button(
        "Download",
        data=lambda: export_zip(store, FORMATS[form], kinds=KINDS[kinds], pseudonymous=not names),
        file_name=f"{store.path.stem}-answers.zip",
        mime="application/zip",
        on_click="ignore",
        key="download",
    )
    st.html('<h2 class="bw-h3">Backup and check</h2>')
    with st.container(horizontal=True):
        st.button("Back up now", key="backup", on_click=_back_up, args=(store,))
        st.button("Check the file", key="check", on_click=_check, args=(store,))


def export_zip(store: StudyStore, format: str, *, kinds: tuple[str, ...], pseudonymous: bool) -> bytes:
    """The answers and their codebook as one file."""
    with tempfile.TemporaryDirectory() as folder:
        files = store.export(Path(folder) / f"answers.{format}", format, kinds=kinds, pseudonymous=pseudonymous)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
        return packed.getvalue()


def _back_up(store: StudyStore) -> None:
    places: list[Path] = []
    act(lambda: places.append(store.backup()), "")
    if places:
        st.session_state[SAID] = ("success", f"The study is copied to {places[0]}")


def _check(store: StudyStore) -> None:
    problems = store.check()
    st.session_state[SAID] = ("error", " ".join(problems)) if problems else ("success", "The file is fine.")
