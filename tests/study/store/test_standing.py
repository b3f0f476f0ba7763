"""What a worker has earned and may still do, and what a researcher has to pay."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from fake_clock import FakeClock

from barlow_core.errors import BarlowError
from study.errors import RefusedError
from study.store import StudyStore

Make = Callable[..., StudyStore]
PID = "5f3c0a1b2c3d4e5f60718293"


def work(store: StudyStore, worker: str, answers: dict, n: int = 1000, visit: str | None = None) -> list[str]:
    """Answer up to `n` items; their ids."""
    done = []
    while len(done) < n and (item := store.claim(worker, visit=visit)) is not None:
        store.submit(worker, item.id, answers, item.token)
        done.append(item.id)
    return done


def test_a_standing_grows_with_every_answer(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a", "b", {"id": "p", "kind": "practice"}], pay_per_item="0.30", items_per_worker=2)
    fresh = store.standing("w")
    assert (fresh.answered, fresh.amount, fresh.practice_done, fresh.practice_total) == (0, 0, 0, 1)
    assert (fresh.limit, fresh.outcome, fresh.currency) == (2, None, "USD")
    assert work(store, "w", answers, 1) == ["p"]
    assert (store.standing("w").answered, store.standing("w").practice_done, store.standing("w").amount) == (0, 1, 0)
    work(store, "w", answers)
    done = store.standing("w")
    assert (done.answered, done.payable, done.amount, done.outcome) == (2, 2, Decimal("0.60"), "complete")


def test_how_it_ends_for_a_worker(make_store: Make, answers: dict) -> None:
    checks = [{"id": f"check{n}", "kind": "attention", "expected": {"useful": "C"}} for n in range(3)]
    store = make_store(items=[*(f"i{n}" for n in range(20)), *checks], answers_per_item=1, checks_every=1, max_failed_checks=2)
    work(store, "careless", answers)
    standing = store.standing("careless")
    assert standing.outcome == "screened_out"
    assert store.claim("careless") is None
    assert standing.payable == standing.answered > 2  # what was sent is paid, checks too
    assert len(store.answers(kinds=["attention"])) == 2
    work(store, "careful", answers | {"useful": "C"})
    assert store.standing("careful").outcome == "complete"
    assert store.standing("too late").outcome == "full" or store.claim("too late") is not None
    store.block("careful")
    assert store.standing("careful").outcome == "refused"


def test_nothing_left_for_somebody_new_is_full(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a"], answers_per_item=1)
    work(store, "w", answers)
    assert store.standing("new").outcome == "full"
    assert store.claim("new") is None


def test_checks_without_consequences(make_store: Make, answers: dict) -> None:
    checks = [{"id": f"check{n}", "kind": "attention", "expected": {"useful": "C"}} for n in range(3)]
    store = make_store(items=["a", "b", "c", "d", *checks], checks_every=1, max_failed_checks=None)
    assert len(work(store, "w", answers)) == 7


def test_gold_items_screen_nobody_out(make_store: Make, answers: dict) -> None:
    checks = [{"id": f"check{n}", "kind": "gold", "expected": {"useful": "C"}} for n in range(3)]
    store = make_store(items=["a", "b", "c", "d", *checks], checks_every=1)
    assert len(work(store, "w", answers)) == 7


def test_a_visit_ends_after_its_items_and_the_next_one_goes_on(make_store: Make, answers: dict) -> None:
    store = make_store(items=[f"i{n}" for n in range(5)], items_per_visit=2)
    assert len(work(store, "w", answers, visit="first")) == 2
    assert (store.standing("w", visit="first").in_visit, store.standing("w", visit="first").outcome) == (2, "complete")
    assert (store.standing("w", visit="second").in_visit, store.standing("w", visit="second").outcome) == (0, None)
    # An item that was begun in one visit and sent in another one belongs to the other one.
    item = store.claim("w", visit="second")
    assert item is not None
    assert store.claim("w", visit="third").id == item.id  # type: ignore[union-attr]
    store.submit("w", item.id, answers)
    assert [store.standing("w", visit=visit).in_visit for visit in ("first", "second", "third")] == [2, 0, 1]
    assert len(work(store, "w", answers)) == 2  # without a visit there is no such limit
    with pytest.raises(BarlowError, match="Visit"):
        store.claim("w", visit="x" * 300)


def test_to_finish_gives_the_item_to_others_and_the_worker_may_come_back(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a"], answers_per_item=1)
    item = store.claim("w")
    assert item is not None
    store.save_draft("w", "a", {"short": "fur"})
    store.finish("w", "returned", visit="v")
    store.finish("w", "returned", visit="v")
    assert len(store.events().query("kind == 'finished'")) == 1
    assert store.claim("w").draft == {"short": "fur"}  # type: ignore[union-attr]
    store.finish("w", "partial")
    assert store.claim("other") is not None
    assert store.claim("w") is None
    with pytest.raises(RefusedError, match="has taken part"):
        store.finish("stranger", "complete")
    with pytest.raises(BarlowError, match="outcome is one of"):
        store.finish("w", "tired")
    assert store.check() == []


def test_pay_is_items_and_bonus_less_what_the_platform_pays_by_itself(make_store: Make, answers: dict, clock: FakeClock) -> None:
    checks = [{"id": f"check{n}", "kind": "attention", "expected": {"useful": "B"}} for n in range(2)]
    store = make_store(
        items=[*(f"i{n}" for n in range(12)), *checks, {"id": "p", "kind": "practice"}],
        answers_per_item=9,
        checks_every=3,
        pay_per_item="0.50",
        base_pay="1.00",
        bonus="2.00",
        bonus_after=4,
    )
    store.register(PID, platform="prolific")
    for _ in range(5):
        store.claim(PID, visit="s1")
        clock.advance(60)
        work(store, PID, answers, 1, visit="s1")
    store.finish(PID, "complete", visit="s1")
    store.register("A1B2C3D4E5", platform="mturk")
    for visit in ("v1", "v2"):
        work(store, "A1B2C3D4E5", answers | {"useful": "none"}, 3, visit=visit)
        store.finish("A1B2C3D4E5", "partial", visit=visit, reward=visit)
    work(store, "anna-1234", answers, 2)
    store.register("robot", simulated=True)
    work(store, "robot", answers, 3)
    table = store.payments().set_index("worker")
    assert "robot" not in table.index
    rows = {
        name: [str(table.loc[name, column]) for column in ("items", "earned", "bonus", "amount", "base", "due")]
        for name in table.index
    }
    assert rows[PID] == ["4", "2.00", "2.00", "4.00", "1.00", "3.00"]
    assert rows["A1B2C3D4E5"] == ["5", "2.50", "0.00", "2.50", "2.00", "0.50"]  # failed a check: no bonus
    assert rows["anna-1234"] == ["1", "0.50", "0.00", "0.50", "0.00", "0.50"]
    assert table.loc["A1B2C3D4E5", "last_visit"] == "v2"
    done = store.progress()
    assert done.cost == Decimal("7.00")
    assert done.hourly_pay == Decimal("60.00")  # the one whose work took any time: 4.00 in four minutes


def test_progress_counts_and_foresees(make_store: Make, answers: dict, clock: FakeClock) -> None:
    store = make_store(items=[f"i{n}" for n in range(10)], answers_per_item=1, pay_per_item="0.50")
    assert store.progress().per_hour == 0.0
    assert store.progress().expected_end is None
    work(store, "w", answers, 1)
    for _ in range(4):
        clock.advance(360)
        work(store, "w", answers, 1)
    done = store.progress()
    assert (done.answers, done.answers_wanted, done.items_complete, done.complete) == (5, 10, 5, False)
    assert done.per_hour == pytest.approx(5 / 0.4)
    assert done.expected_end == "2025-03-01T12:48:00.000Z"
    assert (done.cost, done.cost_expected) == (Decimal("2.50"), Decimal("5.00"))
    clock.advance(7200)
    assert store.progress().per_hour == 0.0


def test_reports_come_last_first(make_store: Make, clock: FakeClock) -> None:
    store = make_store()
    item = store.claim("w")
    assert item is not None
    for text in ("first", "<b>second</b>"):
        clock.advance(1)
        store.report("w", item.id, text)
    assert store.reports()["text"].tolist() == ["<b>second</b>", "first"]
    assert list(store.reports().columns) == ["number", "item", "worker", "at", "text", "done"]
    store.settle_report(int(store.reports()["number"].iloc[0]))
    assert store.reports()["done"].tolist() == [True, False]
    with pytest.raises(BarlowError, match="no report 999"):
        store.settle_report(999)


def test_a_bonus_on_mturk_is_for_an_assignment_that_was_sent_in(make_store: Make, answers: dict) -> None:
    store = make_store(base_pay="0.50", items_per_visit=1, pay_per_item="0.75")
    store.register("A1WORKER", platform="mturk")
    item = store.claim("A1WORKER", visit="sent in")
    assert item is not None
    store.submit("A1WORKER", item.id, answers, item.token)
    assert store.finish("A1WORKER", "complete", visit="sent in", reward="sent in") == "complete"
    assert store.finish("A1WORKER", "returned", visit="given back", reward="given back") == "returned"
    made = store.make_payments("mturk")
    assert made is not None
    assert [(one.visit, str(one.amount)) for one in made.payments] == [("sent in", "0.25")]


def test_whoever_fails_the_quiz_has_sent_nothing_that_mturk_could_pay(make_store: Make, answers: dict) -> None:
    quiz = [{"question": "?", "options": ["yes", "no"], "answer": 0}]
    store = make_store(base_pay="0.50", quiz=quiz, quiz_tries=1)
    store.register("A1WORKER", platform="mturk")
    store.take_quiz("A1WORKER", [1])
    assert store.finish("A1WORKER", "screened_out", visit="hit", reward="hit") == "unqualified"
    row = store.payments().iloc[0]
    assert [str(row[name]) for name in ("amount", "base", "due", "over")] == ["0.00"] * 4


def test_who_withdraws_is_paid_what_was_earned_and_not_twice(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a", "b", "c"], base_pay="0.50")
    store.register(PID, platform="prolific")
    work(store, PID, answers, visit="s1")
    store.finish(PID, "complete", visit="s1")
    store.withdraw(PID)
    store.finish(PID, "refused", visit="s2")  # the page that was still open: nothing more is kept
    row = store.payments().iloc[0]
    assert [str(row[name]) for name in ("state", "items", "amount", "base", "due")] == ["withdrawn", "3", "1.50", "0.50", "1.00"]
    assert set(store.events()["kind"]) == {"finished", "withdrawn"}
    store.withdraw(PID, forget=True)
    # That the platform has paid stays written, or it would be due once more; by which names, it does not.
    assert set(store.events()["kind"]) == {"finished", "withdrawn"}
    assert not store.events()["data"].str.contains("s1").any()
    assert [str(store.payments().iloc[0][name]) for name in ("amount", "base", "due")] == ["1.50", "0.50", "1.00"]
    assert store.payments()["last_visit"].isna().all()
    assert store.check() == []
