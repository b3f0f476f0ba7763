"""Whatever people and researchers do, in whatever order: all payments to a person add up to what they earned, to the cent.

The platforms are modelled here, from the outside: they pay a reward when somebody enters the completion code or sends a HIT in, once
for each submission, and they pay what stands in the files that the researcher uploads. `BARLOW_HISTORIES=1000` runs as many histories.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from fake_clock import FakeClock
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from study.participants.paying import payment_text
from study.participants.platforms import Identity, completion, identify
from study.store import StudyStore

PAY, BONUS, BONUS_AFTER = Decimal("0.37"), Decimal("0.55"), 3
HISTORIES = int(os.environ.get("BARLOW_HISTORIES", "12"))
STUDY = "60b1c2d3e4f5061728394a5b"
CODE = "C0DE"
# What the reward of each platform is for: four items of a submission, one item of a HIT, nothing by a plain link.
PLATFORMS: dict[str, dict[str, Any]] = {
    "prolific": {"items_per_worker": 4, "base_pay": "1.48", "completion_code": CODE},
    "mturk": {"items_per_visit": 1, "base_pay": "0.37"},
    "link": {},
}
QUIZ = {"question": "What do you describe?", "options": ["What the pictures share", "The weather"], "answer": 0}
ANSWER = {"short": "fur", "long": "striped fur", "ease": 3, "confidence": 3, "useful": "B"}
people = st.integers(0, 2)
picks = st.integers(0, 7)


class Books(RuleBasedStateMachine):
    @initialize(platform=st.sampled_from(list(PLATFORMS)))
    def start(self, platform: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.platform = platform
        checks = [{"id": f"check{n}", "kind": "attention", "expected": {"useful": "B"}} for n in range(4)]
        self.store = StudyStore.create(
            Path(self.folder.name) / "study.sqlite",
            items=[*(f"i{n}" for n in range(8)), *checks, {"id": "practice", "kind": "practice"}],
            answers_per_item=2,
            checks_every=2,
            max_failed_checks=2,
            quiz=[QUIZ],
            quiz_tries=1,
            pay_per_item=str(PAY),
            bonus=str(BONUS),
            bonus_after=BONUS_AFTER,
            platforms=[platform],
            identical="off",
            clock=self.clock,
            **PLATFORMS[platform],
        )
        self.names = [f"{n}" * 24 for n in (1, 2, 3)] if platform == "prolific" else [f"A{n}WORKER" for n in (1, 2, 3)]
        self.sessions = [0, 0, 0]
        self.bank = dict.fromkeys(self.names, Decimal(0))  # what has arrived
        self.submissions: set[tuple[str, str]] = set()  # that the platform has paid for
        self.answers = dict.fromkeys(self.names, 0)  # that are paid
        self.checks: dict[str, dict[str, bool | None]] = {name: {} for name in self.names}  # None: given, not answered
        self.states = dict.fromkeys(self.names, "active")
        self.files: dict[int, tuple[str, set[str]]] = {}  # what stands in each, and who had earned the bonus by then
        self.tokens: set[str] = set()

    def teardown(self) -> None:
        if not hasattr(self, "store"):
            return
        try:
            self.close_the_books()
        finally:
            self.store.close()
            self.folder.cleanup()

    # --- the model

    def visitor(self, n: int) -> Identity:
        name, session = self.names[n], f"{self.sessions[n]}" * 24
        query = {
            "prolific": {"PROLIFIC_PID": name, "STUDY_ID": STUDY, "SESSION_ID": session},
            "mturk": {"workerId": name, "assignmentId": session, "hitId": "3HIT00", "turkSubmitTo": "https://www.mturk.com"},
        }.get(self.platform)
        return Identity("link", name) if query is None else identify(query, self.store.settings)

    def deserves_bonus(self, name: str) -> bool:
        given = self.checks[name].values()
        active = self.states[name] == "active"
        return active and self.answers[name] >= BONUS_AFTER and bool(given) and all(given)

    def earned(self, name: str) -> Decimal:
        kept = any(name in bonuses and self.file_state(number) != "void" for number, (_, bonuses) in self.files.items())
        return PAY * self.answers[name] + (BONUS if kept or self.deserves_bonus(name) else 0)

    def file_state(self, number: int) -> str:
        return self.store.payment_files()[number - 1].state

    def in_made_files(self, name: str) -> Decimal:
        made = [text for number, (text, _) in self.files.items() if self.file_state(number) == "made"]
        return sum((amount for text in made for worker, amount, _ in rows(text, self.platform) if worker == name), Decimal(0))

    # --- what people do

    def is_welcome(self, n: int) -> bool:
        return self.states[self.names[n]] == "active"

    @rule(n=people, useful=st.sampled_from(["B", "B", "B", "C"]), times=st.integers(1, 4), option=st.sampled_from([0, 0, 0, 1]))
    def work(self, n: int, useful: str, times: int, option: int) -> None:
        if not self.is_welcome(n):
            return
        who = self.visitor(n)
        self.store.register(who.worker_id, platform=who.platform)
        if self.store.quiz(who.worker_id).state == "open":
            self.store.take_quiz(who.worker_id, [option])
        for _ in range(times):
            item = self.store.claim(who.worker_id, visit=who.visit)
            if item is None:
                self.leave(who, self.store.standing(who.worker_id, visit=who.visit).outcome or "complete")
                return
            if item.kind == "attention":
                self.checks[who.worker_id].setdefault(item.id, None)
            self.clock.advance(30)
            self.store.submit(who.worker_id, item.id, ANSWER | {"useful": useful}, item.token)
            if item.kind == "attention":
                self.checks[who.worker_id][item.id] = useful == "B"
            self.answers[who.worker_id] += item.kind != "practice"

    @rule(n=people)
    def look_at_the_next_item(self, n: int) -> None:
        if self.is_welcome(n):
            who = self.visitor(n)
            self.store.register(who.worker_id, platform=who.platform)
            item = self.store.claim(who.worker_id, visit=who.visit)
            if item is not None and item.kind == "attention":
                self.checks[who.worker_id].setdefault(item.id, None)

    @rule(n=people)
    def stop(self, n: int) -> None:
        if self.store.worker(self.names[n]) is not None and self.is_welcome(n):
            who = self.visitor(n)
            self.leave(who, self.store.standing(who.worker_id, visit=who.visit).if_stopped)

    def leave(self, who: Identity, outcome: str) -> None:
        """The last page, and what the worker does there."""
        told = self.store.finish(who.worker_id, outcome, visit=who.visit, reward=who.reward)
        way_out = completion(who, self.store.settings, told)
        submission = (who.worker_id, who.reward or "")
        takes = way_out.code == CODE if self.platform == "prolific" else way_out.action is not None
        if takes and submission not in self.submissions:
            self.submissions.add(submission)
            self.bank[who.worker_id] += self.store.settings.pays_for("complete")

    @rule(n=people)
    def come_by_another_session(self, n: int) -> None:
        self.sessions[n] = (self.sessions[n] + 1) % 10

    @rule(hours=st.sampled_from([0.1, 2.0]))
    def wait(self, hours: float) -> None:
        self.clock.advance(3600 * hours)
        self.store.expire()

    # --- what the researcher does

    @rule()
    def make_payments(self) -> None:
        deserving = {name for name in self.names if self.deserves_bonus(name)}
        made = self.store.make_payments(self.platform)
        if made is not None:
            text = payment_text(made)
            paid = {worker for worker, _, _ in rows(text, self.platform)}
            kept = {name for _, bonuses in self.live_files() for name in bonuses}
            self.files[made.number] = (text, paid & (deserving | kept))

    def live_files(self) -> list[tuple[str, set[str]]]:
        return [file for number, file in self.files.items() if self.file_state(number) != "void"]

    @precondition(lambda self: self.files)
    @rule(pick=picks, state=st.sampled_from(["paid", "paid", "void"]))
    def settle(self, pick: int, state: str) -> None:
        number = list(self.files)[pick % len(self.files)]
        if self.file_state(number) != "made":
            return
        if state == "paid":
            self.upload(self.files[number][0])
        self.store.settle_payments(number, state)

    def upload(self, text: str) -> None:
        """What the platform does with a file of bonuses: it pays each line, but no token twice."""
        for worker, amount, token in rows(text, self.platform):
            if not token or token not in self.tokens:
                self.bank[worker] += amount
            self.tokens.add(token)

    @rule(n=people, discard=st.booleans())
    def block(self, n: int, discard: bool) -> None:
        if self.store.worker(self.names[n]) is not None and self.states[self.names[n]] != "withdrawn":
            self.store.block(self.names[n], discard=discard)
            self.states[self.names[n]] = "blocked"

    @rule(n=people)
    def let_in_again(self, n: int) -> None:
        if self.states[self.names[n]] == "blocked":
            self.store.reopen(self.names[n])
            self.states[self.names[n]] = "active"

    @rule(n=people, pick=picks)
    def reject_an_answer(self, n: int, pick: int) -> None:
        sent = self.store.history(self.names[n])
        if sent:
            self.store.reject(self.names[n], sent[pick % len(sent)].item, "another picture")

    @rule(n=people, pick=picks)
    def reopen_an_answer(self, n: int, pick: int) -> None:
        sent = [one.item for one in self.store.history(self.names[n]) if one.state == "discarded"]
        if sent and self.states[self.names[n]] == "active":
            self.store.reopen(self.names[n], sent[pick % len(sent)])

    @rule(n=people)
    def withdraw(self, n: int) -> None:
        if self.store.worker(self.names[n]) is not None and list(self.states.values()).count("withdrawn") < 2:
            self.store.withdraw(self.names[n])
            self.states[self.names[n]] = "withdrawn"

    # --- what must hold

    @invariant()
    def nobody_is_paid_more_or_less_than_they_earned(self) -> None:
        if not hasattr(self, "store"):
            return
        table = self.store.payments().set_index("worker")
        for name in self.names:
            due = table.loc[name, "due"] if name in table.index else Decimal(0)
            assert self.bank[name] + self.in_made_files(name) + due == self.earned(name), name
        money = self.store.progress().money
        assert money.over == 0
        assert money.earned == money.base + money.filed + money.paid + money.due
        assert money.base + money.paid == sum(self.bank.values())

    def close_the_books(self) -> None:
        """Everybody has left, and the researcher pays what is due."""
        self.clock.advance(7200)
        self.store.expire()
        self.make_payments()
        for number in self.files:
            if self.file_state(number) == "made":
                self.upload(self.files[number][0])
                self.store.settle_payments(number, "paid")
        assert self.store.make_payments(self.platform) is None
        assert self.bank == {name: self.earned(name) for name in self.names}
        assert self.store.check() == []


def rows(text: str, platform: str) -> list[tuple[str, Decimal, str]]:
    """Worker, amount and token of each line of a payment file."""
    found = list(csv.reader(io.StringIO(text)))
    if platform == "prolific":
        return [(worker, Decimal(amount), "") for worker, amount in found]
    if platform == "mturk":
        return [(worker, Decimal(amount), token) for worker, _, amount, _, token in found[1:]]
    return [(worker, Decimal(amount), token) for worker, amount, _, token in found[1:]]


Books.TestCase.settings = settings(
    max_examples=HISTORIES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    print_blob=True,
)
TestBooks = Books.TestCase
