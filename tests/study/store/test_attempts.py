"""How often somebody may try: guesses at invite codes, and reports of problems."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_clock import FakeClock

from barlow_core.errors import BarlowError
from study.store import StudyStore
from study.store.attempts import GUESS_SECONDS, GUESSES, REPORT_SECONDS, REPORTS

Make = Callable[..., StudyStore]


def test_many_wrong_codes_from_one_network_have_to_wait_in_every_process(make_store: Make) -> None:
    clock = FakeClock()
    store = make_store(clock=clock)
    for n in range(GUESSES - 1):
        store.note_guess("203.0.113.9", f"code-{n}")
    for _ in range(100):  # a broken link that is opened again and again
        store.note_guess("203.0.113.9", "code-0")
    assert store.seconds_to_wait("203.0.113.9") == 0
    clock.advance(60)
    store.note_guess("203.0.113.9", "one more")
    with StudyStore(store.path, clock=clock) as other:
        assert 0 < other.seconds_to_wait("203.0.113.9") <= GUESS_SECONDS - 60
        assert other.seconds_to_wait("203.0.113.10") == 0
    clock.advance(GUESS_SECONDS - 60)
    assert store.seconds_to_wait("203.0.113.9") == 0
    # Neither the address nor a code stands in the file, and what is over goes with the next one.
    store.note_guess("203.0.113.10", "secret-code")
    with store._file.reading() as db:
        rows = [tuple(row) for row in db.conn.execute("SELECT network, code FROM guess").fetchall()]
    assert len(rows) == 2, "of those after the pause"
    assert not any("203.0" in cell or "code" in cell for row in rows for cell in row)


def test_with_ipv6_a_whole_network_is_one_visitor(make_store: Make) -> None:
    store = make_store()
    for n in range(GUESSES):
        store.note_guess(f"2001:db8:1:2::{n:x}", f"code-{n}")
    assert store.seconds_to_wait("2001:db8:1:2:ffff::1") > 0
    assert store.seconds_to_wait("2001:db8:1:3::1") == 0
    assert store.seconds_to_wait("what a proxy says") == 0


def test_a_worker_reports_a_few_times_in_some_minutes(make_store: Make) -> None:
    clock = FakeClock()
    store = make_store(clock=clock)
    item = store.claim("w")
    assert item is not None
    for _ in range(20):
        store.report("w", item.id, "blurred")
    assert store.reports()["text"].tolist() == ["blurred"]
    for n in range(REPORTS - 1):
        store.report("w", item.id, f"also {n}")
    with StudyStore(store.path, clock=clock) as other, pytest.raises(BarlowError, match="5 reports within 10 minutes"):
        other.report("w", item.id, "one more")
    somebody = store.claim("v")
    assert somebody is not None
    store.report("v", somebody.id, "blurred")
    clock.advance(REPORT_SECONDS)
    store.report("w", item.id, "one more")
    assert len(store.reports()) == REPORTS + 2
