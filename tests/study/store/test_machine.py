"""Whatever people do, in whatever order: the store agrees with a model that a page of Python can hold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from fake_clock import FakeClock
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from study.errors import RefusedError
from study.store import StudyStore

WANTED = {"a": 1, "b": 1, "c": 2}
TIMEOUT = 1800.0
PEOPLE = ("ann", "bob", "cy")
ANSWERED = ("accepted", "surplus", "discarded")

workers = st.sampled_from(PEOPLE)
items = st.sampled_from([*WANTED, "none such"])
texts = st.sampled_from(["fur", "<b>two words</b>"])
picks = st.integers(0, 11)


def answer(text: str) -> dict[str, Any]:
    return {"short": text, "long": text, "ease": 3, "confidence": 3, "useful": "B"}


class Crowd(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "study.sqlite"
        self.clock = FakeClock()
        listed = [{"id": item, "answers_per_item": wanted} for item, wanted in WANTED.items()]
        self.store = StudyStore.create(self.path, items=listed, clock=self.clock)
        self.people: dict[str, str] = {}
        # (worker, item), in the order in which they were given: state, deadline, wall clock of the last sign of life
        self.given: dict[tuple[str, str], dict[str, Any]] = {}
        self.answers: dict[tuple[str, str], str] = {}  # in the order of arrival
        self.drafts: dict[tuple[str, str], str] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    # --- the model

    def filled(self, item: str) -> int:
        return sum(one["state"] in ("reserved", "accepted") for (_, name), one in self.given.items() if name == item)

    def has_room(self, item: str) -> bool:
        return self.filled(item) < WANTED[item]

    def fill(self, item: str) -> None:
        for worker, name in self.answers:
            waits = name == item and self.given[worker, name]["state"] == "surplus" and self.people[worker] == "active"
            if waits and self.has_room(item):
                self.given[worker, name]["state"] = "accepted"

    def let_go(self, key: tuple[str, str], state: str) -> None:
        self.given[key] |= {"state": state, "deadline": None}
        self.fill(key[1])

    def expire(self) -> list[tuple[str, str]]:
        open_ones = [(one["deadline"], n, key) for n, (key, one) in enumerate(self.given.items()) if one["state"] == "reserved"]
        gone = [key for deadline, _, key in sorted(open_ones) if deadline <= self.clock.ticks]
        for key in gone:
            self.let_go(key, "expired")
        return [(item, worker) for worker, item in gone]

    def touch(self, key: tuple[str, str]) -> None:
        self.given[key]["active"] = self.clock.wall
        if self.given[key]["state"] == "reserved":
            self.given[key]["deadline"] = self.clock.ticks + TIMEOUT

    def held(self, worker: str) -> str | None:
        return next((item for (name, item), one in self.given.items() if name == worker and one["state"] == "reserved"), None)

    def refused(self, call: Callable[[], object]) -> None:
        with pytest.raises(RefusedError):
            call()

    # --- what people do

    @rule(worker=workers)
    def claim(self, worker: str) -> None:
        self.do_claim(worker)

    def do_claim(self, worker: str) -> None:
        if self.people.get(worker, "active") != "active":
            self.refused(lambda: self.store.claim(worker))
            return
        self.people.setdefault(worker, "active")
        found = self.store.claim(worker)
        held = self.held(worker)
        if held is not None:
            assert found is not None
            assert (found.id, found.held) == (held, True)
            self.touch((worker, held))
        else:
            self.expire()
            again = [
                item
                for (name, item), one in self.given.items()
                if name == worker and one["state"] == "expired" and self.has_room(item)
            ]
            fresh = [item for item in WANTED if (worker, item) not in self.given and self.has_room(item)]
            if again:
                assert found is not None
                assert found.id == again[-1]
                self.given[worker, found.id]["state"] = "reserved"
                self.touch((worker, found.id))
            elif fresh:
                assert found is not None
                assert found.id in fresh
                assert self.filled(found.id) == min(map(self.filled, fresh))
                self.given[worker, found.id] = {"state": "reserved"}
                self.touch((worker, found.id))
            else:
                assert found is None
        if found is not None:
            assert found.draft == ({"short": self.drafts[worker, found.id]} if (worker, found.id) in self.drafts else {})

    @rule(worker=workers, item=items, text=texts)
    def submit(self, worker: str, item: str, text: str) -> None:
        self.do_submit(worker, item, text)

    def do_submit(self, worker: str, item: str, text: str) -> None:
        key = (worker, item)

        def call() -> Any:
            return self.store.submit(worker, item, answer(text))

        if key not in self.given or self.given[key]["state"] == "withdrawn":
            self.refused(call)
        elif key in self.answers:
            if self.answers[key] == text:
                assert call().replayed
            else:
                self.refused(call)
        elif self.people[worker] != "active":
            self.refused(call)
        else:
            one = self.given[key]
            late = one["state"] != "reserved" or one["deadline"] <= self.clock.ticks
            room = one["state"] == "reserved" or self.has_room(item)
            kept = call()
            assert (kept.late, kept.state, kept.payable) == (late, "accepted" if room else "surplus", True)
            one |= {"state": kept.state, "deadline": None}
            self.answers[key] = text
            self.drafts.pop(key, None)

    @precondition(lambda self: self.given)
    @rule(pick=picks, text=texts)
    def submit_what_was_given(self, pick: int, text: str) -> None:
        """Late, after giving it back, once more: more often than by chance."""
        self.do_submit(*list(self.given)[pick % len(self.given)], text)

    @precondition(lambda self: self.given)
    @rule(pick=picks)
    def give_back_what_was_given(self, pick: int) -> None:
        self.do_give_back(*list(self.given)[pick % len(self.given)])

    @rule()
    def everybody_claims_and_falls_asleep(self) -> None:
        for worker in PEOPLE:
            self.do_claim(worker)
        self.clock.advance(TIMEOUT)

    @rule(worker=workers, item=items, text=texts)
    def edit(self, worker: str, item: str, text: str) -> None:
        key = (worker, item)
        if key not in self.answers or self.people[worker] != "active":
            self.refused(lambda: self.store.edit(worker, item, answer(text)))
            return
        assert self.store.edit(worker, item, answer(text)).replayed == (self.answers[key] == text)
        self.answers[key] = text

    @rule(worker=workers, item=items, text=texts)
    def draft(self, worker: str, item: str, text: str) -> None:
        key = (worker, item)
        if key not in self.given or self.given[key]["state"] == "withdrawn" or self.people[worker] != "active":
            self.refused(lambda: self.store.save_draft(worker, item, {"short": text}))
            return
        kept = self.store.save_draft(worker, item, {"short": text})
        assert kept == (self.given[key]["state"] in ("reserved", "expired"))
        if kept:
            self.drafts[key] = text
            self.touch(key)

    @rule(worker=workers, item=items)
    def give_back(self, worker: str, item: str) -> None:
        self.do_give_back(worker, item)

    def do_give_back(self, worker: str, item: str) -> None:
        state = self.given.get((worker, item), {"state": "never"})["state"]
        if state in ("never", "withdrawn", *ANSWERED):
            self.refused(lambda: self.store.give_back(worker, item))
            return
        self.store.give_back(worker, item)
        self.let_go((worker, item), "returned")

    @rule(worker=workers, outcome=st.sampled_from(["partial", "complete"]))
    def finish(self, worker: str, outcome: str) -> None:
        if worker not in self.people:
            self.refused(lambda: self.store.finish(worker, outcome))
            return
        self.store.finish(worker, outcome)
        held = self.held(worker)
        if held is not None:
            self.let_go((worker, held), "expired")

    # --- what the researcher does

    @rule(worker=workers, discard=st.booleans())
    def block(self, worker: str, discard: bool) -> None:
        if self.people.get(worker, "withdrawn") == "withdrawn":
            self.refused(lambda: self.store.block(worker, discard=discard))
            return
        self.store.block(worker, discard=discard)
        self.people[worker] = "blocked"
        held = self.held(worker)
        if held is not None:
            self.let_go((worker, held), "expired")
        if discard:
            for (name, item), one in self.given.items():
                if name == worker and one["state"] in ("accepted", "surplus"):
                    one["state"] = "discarded"
                    self.fill(item)

    @rule(worker=workers)
    def reopen(self, worker: str) -> None:
        state = self.people.get(worker, "withdrawn")
        if state == "withdrawn":
            self.refused(lambda: self.store.reopen(worker))
            return
        self.store.reopen(worker)
        self.people[worker] = "active"
        if state == "blocked":
            for (name, item), one in self.given.items():
                if name == worker and one["state"] in ("discarded", "surplus"):
                    one["state"] = "surplus"
                    self.fill(item)

    @precondition(lambda self: sum(state == "withdrawn" for state in self.people.values()) < 2)
    @rule(worker=workers)
    def withdraw(self, worker: str) -> None:
        if worker not in self.people:
            self.refused(lambda: self.store.withdraw(worker))
            return
        mine = [key for key in self.answers if key[0] == worker]
        assert self.store.withdraw(worker).answers == len(mine)
        self.people[worker] = "withdrawn"
        freed = [key[1] for key, one in self.given.items() if key[0] == worker and one["state"] in ("reserved", "accepted")]
        for key in mine:
            del self.answers[key]
        for key, one in self.given.items():
            if key[0] == worker:
                one |= {"state": "withdrawn", "deadline": None}
                self.drafts.pop(key, None)
        for item in freed:
            self.fill(item)

    @rule()
    def sweep(self) -> None:
        assert self.store.expire() == self.expire()

    # --- what happens to computers

    @rule(seconds=st.sampled_from([1.0, 600.0, 1799.0, 1800.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-86_400.0, 86_400.0]))
    def set_the_clock(self, seconds: float) -> None:
        self.clock.set_wall(seconds)

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = StudyStore(self.path, clock=self.clock)

    @rule(off=st.sampled_from([60.0, 900.0, 5000.0]))
    def restart_the_computer(self, off: float) -> None:
        self.store.close()
        self.clock.reboot(off)
        for one in self.given.values():
            if one["state"] == "reserved":
                age = min(max(0.0, self.clock.wall - one["active"]), TIMEOUT)
                one["deadline"] = self.clock.ticks + TIMEOUT - age
        self.store = StudyStore(self.path, clock=self.clock)
        self.store.configure(title="again")  # the first to write moves the deadlines

    # --- what must hold

    @invariant()
    def the_file_says_what_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store._file.reading() as db:
            rows = [tuple(row) for row in db.conn.execute("SELECT worker, item, state, deadline FROM assignment ORDER BY id")]
            kept = [tuple(row) for row in db.conn.execute("SELECT worker, item, short FROM answer ORDER BY id")]
            people = dict(tuple(row) for row in db.conn.execute("SELECT id, state FROM worker"))
        assert rows == [(*key, one["state"], one["deadline"]) for key, one in self.given.items()]
        assert kept == [(*key, text) for key, text in self.answers.items()]
        assert people == self.people
        assert self.store.check() == []
        assert all(self.filled(item) <= wanted for item, wanted in WANTED.items())


Crowd.TestCase.settings = settings(
    max_examples=30, stateful_step_count=45, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
TestCrowd = Crowd.TestCase
