import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Callable

import pandas as pd
import pytest
from fake_clock import FakeClock

from study.errors import RefusedError
from study.store import StudyStore

MINUTE = 60.0
Make = Callable[..., StudyStore]


def answer_all(store: StudyStore, worker: str, answers: dict) -> list[str]:
    """Let a worker answer until there is nothing left for them; the ids in order."""
    seen = []
    while (item := store.claim(worker)) is not None:
        store.submit(worker, item.id, answers, item.token)
        seen.append(item.id)
    return seen


def test_a_worker_sees_every_item_once_and_no_item_gets_more_than_wanted(store: StudyStore, answers: dict) -> None:
    for worker in ("w1", "w2", "w3"):
        seen = answer_all(store, worker, answers)
        assert len(seen) == len(set(seen)) == (3 if worker != "w3" else 0)
    assert Counter(store.answers()["item"]) == {"a": 2, "b": 2, "c": 2}
    assert store.progress().complete
    assert store.check() == []


def test_the_least_filled_items_come_first(make_store: Make, answers: dict) -> None:
    store = make_store(items=[f"i{n}" for n in range(20)], answers_per_item=5)
    for n in range(100):
        before = store.items().set_index("item")["filled"]
        item = store.claim(f"w{n}")
        assert item is not None
        assert before[item.id] == before.min()
        if n % 3:
            store.submit(f"w{n}", item.id, answers)
    assert set(store.items()["filled"]) == {5}
    assert store.claim("one more") is None


def test_ties_are_broken_at_random_with_a_seed(make_store: Make) -> None:
    def order(name: str, seed: int) -> list[str]:
        store = make_store(name, items=[f"i{n:02d}" for n in range(40)], answers_per_item=2, seed=seed)
        return [item.id for n in range(80) if (item := store.claim(f"w{n}"))]

    first = order("1.sqlite", 7)
    assert first == order("2.sqlite", 7)
    assert first != order("3.sqlite", 8)
    assert first[:40] != sorted(first[:40])
    # Each round has an order of its own: no item is always early and none always late.
    assert first[:40] != first[40:]
    assert sorted(first[:40]) == sorted(first[40:])


def test_the_first_item_is_drawn_evenly(make_store: Make) -> None:
    found = Counter()
    for seed in range(30):
        item = make_store(f"{seed}.sqlite", items=["a", "b", "c"], seed=seed).claim("w")
        assert item is not None
        found[item.id] += 1
    assert min(found.values()) >= 3  # 10 expected; fewer than 3 has a chance below 0.001


def test_a_worker_who_claims_again_gets_the_item_they_hold(store: StudyStore) -> None:
    first = store.claim("w")
    again = store.claim("w")
    assert first is not None
    assert again is not None
    assert (again.id, again.token, again.number) == (first.id, first.token, 1)
    assert (first.held, again.held) == (False, True)
    assert store.items()["filled"].sum() == 1


def test_an_abandoned_item_goes_to_others(make_store: Make, clock: FakeClock, answers: dict) -> None:
    store = make_store(items=["a"], answers_per_item=1, reservation_minutes=30)
    assert store.claim("slow") is not None
    assert store.claim("next") is None
    clock.advance(30 * MINUTE - 1)
    assert store.claim("next") is None
    clock.advance(1)
    item = store.claim("next")
    assert item is not None
    assert item.id == "a"
    assert list(store.events().query("kind == 'expired'")["worker"]) == ["slow"]


def test_expire_says_what_ran_out(store: StudyStore, clock: FakeClock) -> None:
    item = store.claim("w")
    assert item is not None
    assert store.expire() == []
    clock.advance(31 * MINUTE)
    assert store.expire() == [(item.id, "w")]
    assert store.expire() == []


def test_signs_of_life_put_the_end_of_a_reservation_off(make_store: Make, clock: FakeClock) -> None:
    store = make_store(items=["a"], answers_per_item=1)
    store.claim("w")
    for call in (lambda: store.active("w", "a"), lambda: store.save_draft("w", "a", {"short": "f"}), lambda: store.claim("w")):
        clock.advance(20 * MINUTE)
        call()
    clock.advance(29 * MINUTE)
    assert store.expire() == []
    clock.advance(MINUTE)
    assert store.expire() == [("a", "w")]


def test_who_comes_back_late_gets_the_same_item_with_the_draft_while_it_needs_answers(
    store: StudyStore, clock: FakeClock
) -> None:
    first = store.claim("w")
    assert first is not None
    store.save_draft("w", first.id, {"short": "fur"})
    clock.advance(3 * 60 * MINUTE)
    store.expire()
    again = store.claim("w")
    assert again is not None
    assert (again.id, again.draft, again.held) == (first.id, {"short": "fur"}, True)


def test_who_comes_back_late_to_a_full_item_gets_another_one(make_store: Make, clock: FakeClock, answers: dict) -> None:
    store = make_store(items=["a", "b"], answers_per_item=1)
    first = store.claim("w")
    assert first is not None
    clock.advance(31 * MINUTE)
    others = answer_all(store, "quick", answers)
    assert sorted(others) == ["a", "b"]
    assert store.claim("w") is None


def test_a_late_answer_counts_while_there_is_need_and_is_paid_in_any_case(
    make_store: Make, clock: FakeClock, answers: dict
) -> None:
    store = make_store(items=["a"], answers_per_item=2, pay_per_item="0.50")
    for worker in ("w1", "w2"):
        assert store.claim(worker) is not None
    clock.advance(31 * MINUTE)
    store.expire()
    first = store.submit("w1", "a", answers)
    assert (first.state, first.late, first.payable) == ("accepted", True, True)
    assert store.claim("w3") is not None
    store.submit("w3", "a", answers)
    last = store.submit("w2", "a", answers)
    assert (last.state, last.late, last.payable) == ("surplus", True, True)
    assert list(store.answers()["worker"]) == ["w1", "w3"]
    assert dict(zip(store.payments()["worker"], map(str, store.payments()["amount"]), strict=True)) == {
        "w1": "0.50",
        "w2": "0.50",
        "w3": "0.50",
    }
    assert store.check() == []


def test_a_surplus_answer_takes_the_place_that_somebody_else_gives_up(make_store: Make, clock: FakeClock, answers: dict) -> None:
    store = make_store(items=["a"], answers_per_item=1)
    store.claim("w1")
    clock.advance(31 * MINUTE)
    assert store.claim("w2") is not None
    assert store.submit("w1", "a", answers).state == "surplus"
    clock.advance(31 * MINUTE)
    assert store.claim("w3") is None
    assert list(store.answers()["worker"]) == ["w1"]
    assert list(store.events().query("kind == 'accepted'")["worker"]) == ["w1"]
    assert store.submit("w2", "a", answers).state == "surplus"


def test_an_answer_in_time_is_not_late_even_when_the_sweep_is(store: StudyStore, clock: FakeClock, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    clock.advance(29 * MINUTE)
    assert not store.submit("w", item.id, answers).late


def test_an_item_that_is_given_back_is_not_offered_to_the_same_worker_again(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    store.give_back("w", item.id)
    store.give_back("w", item.id)
    assert item.id not in answer_all(store, "w", answers)
    assert answer_all(store, "other", answers).count(item.id) == 1
    with pytest.raises(RefusedError, match="answered already"):
        store.give_back("other", item.id)


def test_a_limit_of_items_per_worker_holds(make_store: Make, answers: dict) -> None:
    store = make_store(items=[f"i{n}" for n in range(10)], items_per_worker=4)
    assert len(answer_all(store, "w", answers)) == 4
    store.configure(items_per_worker=6)
    assert len(answer_all(store, "w", answers)) == 2


def test_practice_comes_first_in_order_for_everybody_and_is_neither_paid_nor_counted(make_store: Make, answers: dict) -> None:
    store = make_store(
        items=["a", {"id": "p2", "kind": "practice", "expected": {"useful": "C"}}, {"id": "p1", "kind": "practice"}, "b"],
        answers_per_item=3,
    )
    for worker in ("w1", "w2", "w3", "w4"):
        assert answer_all(store, worker, answers)[:2] == ["p2", "p1"]
    practice = store.answers(kinds=["practice"])
    assert len(practice) == 8
    assert not practice["payable"].any()
    mine = practice[practice["worker"] == "w1"]["passed"]
    assert [None if value is pd.NA else value for value in mine] == [False, None]
    assert set(store.answers()["kind"]) == {"item"}
    assert store.progress().answers_wanted == 6
    assert store.payments().set_index("worker")["items"].to_dict() == {"w1": 2, "w2": 2, "w3": 2, "w4": 0}


def test_checks_are_spread_over_the_items_of_every_worker(make_store: Make, answers: dict) -> None:
    checks = [{"id": f"check{n}", "kind": ("gold", "attention")[n % 2], "expected": {"useful": "B"}} for n in range(6)]
    store = make_store(items=[*(f"i{n}" for n in range(40)), *checks], answers_per_item=50, checks_every=8)
    places = set()
    for worker in range(6):
        seen = answer_all(store, f"w{worker}", answers)
        at = [place for place, item in enumerate(seen) if item.startswith("check")]
        assert len(at) == 5
        assert {second - first for first, second in itertools.pairwise(at)} == {9}  # after every 8 items
        assert 1 <= at[0] <= 8
        places.add(at[0])
    assert len(places) > 2  # not at the same place for everybody
    assert store.answers(kinds=["gold", "attention"])["passed"].all()
    assert set(store.workers()["checks_passed"]) == {5}


def test_setting_the_clock_changes_no_reservation(store: StudyStore, clock: FakeClock) -> None:
    store.claim("w")
    for shift in (-86_400.0, 10 * 86_400.0, -3e8):
        clock.set_wall(shift)
        assert store.expire() == []
    clock.advance(29 * MINUTE)
    assert store.expire() == []
    clock.advance(MINUTE)
    assert len(store.expire()) == 1


def test_setting_the_clock_back_leaves_durations_as_they_are(store: StudyStore, clock: FakeClock, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    clock.advance(40)
    store.active("w", item.id)
    clock.set_wall(-7200)
    clock.advance(50)
    kept = store.submit("w", item.id, answers)
    assert (kept.seconds, kept.elapsed_seconds) == (90.0, 90.0)


@pytest.mark.parametrize(
    ("off", "wall", "left"),
    [(600.0, 600.0, 1200.0), (60.0, -86_400.0, 1800.0), (600.0, 86_400.0, 0.0)],
    ids=["honest clock", "clock set back", "clock set far ahead"],
)
def test_after_a_restart_of_the_computer_a_reservation_has_at_most_one_more_timeout(
    store: StudyStore, clock: FakeClock, off: float, wall: float, left: float
) -> None:
    store.claim("w")
    clock.reboot(off, wall=wall)
    assert bool(store.expire()) == (left == 0)
    if left:
        clock.advance(left - 1)
        assert store.expire() == []
        clock.advance(1)
        assert len(store.expire()) == 1


def test_durations_across_a_restart_count_what_is_known(store: StudyStore, clock: FakeClock, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    clock.advance(30)
    store.active("w", item.id)
    clock.reboot(60)
    store.active("w", item.id)
    clock.advance(20)
    kept = store.submit("w", item.id, answers)
    assert kept.seconds == 50.0
    assert kept.elapsed_seconds is None
    assert store.check() == []


def test_time_on_task_leaves_out_long_gaps(make_store: Make, clock: FakeClock, answers: dict) -> None:
    store = make_store(idle_seconds=60)
    item = store.claim("w")
    assert item is not None
    for pause in (10, 60, 61, 600, 5):
        clock.advance(pause)
        store.active("w", item.id)
    clock.advance(20)
    kept = store.submit("w", item.id, answers)
    assert kept.seconds == 10 + 60 + 5 + 20
    assert kept.elapsed_seconds == 10 + 60 + 61 + 600 + 5 + 20
    assert store.check() == []


def test_the_file_itself_refuses_what_must_not_be(store: StudyStore, answers: dict) -> None:
    """Whoever writes to the file past the store is held by the same rules."""
    for worker in ("w1", "w2"):
        store.register(worker)
        while (item := store.claim(worker)) is not None:
            store.submit(worker, item.id, answers)
    store.register("w3")
    row = "INSERT INTO assignment (item, worker, state, token, shown_at, active_at, deadline) VALUES (?, ?, ?, ?, ?, ?, 1.0)"
    at = "2025-03-01T12:00:00.000Z"
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for values, message in [
            (("a", "w3", "reserved", "t1", at, at), "CHECK constraint failed"),  # item a is full
            (("a", "w1", "reserved", "t2", at, at), "UNIQUE|CHECK"),
            (("a", "nobody", "reserved", "t3", at, at), "CHECK|FOREIGN KEY"),
            (("a", "w3", "busy", "t4", at, at), "CHECK"),
            (("a", "w3", "reserved", "t5", "yesterday", at), "CHECK"),
        ]:
            with pytest.raises(sqlite3.IntegrityError, match=message):
                connection.execute(row, values)
        for change in ("ease = 6", "ease = 'x'", "useful = 'D'", "worker = 'w3'"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(f"UPDATE answer SET {change} WHERE item = 'a' AND worker = 'w1'")
    connection.close()
    assert store.check() == []


def test_what_is_given_out_is_found_through_indices(store: StudyStore) -> None:
    """The hot questions of a claim never read a whole table."""
    store.claim("w")
    with store._file.reading() as db:
        for sql in (
            "SELECT id FROM item WHERE kind = 'item' AND filled < wanted AND NOT EXISTS (SELECT 1 FROM assignment "
            "WHERE assignment.item = item.id AND assignment.worker = 'w') ORDER BY filled, tie LIMIT 1",
            "SELECT item, worker FROM assignment WHERE state = 'reserved' AND deadline <= 1.0 ORDER BY deadline, id",
            "SELECT item FROM assignment WHERE worker = 'w' AND state = 'reserved'",
        ):
            plan = " ".join(row["detail"] for row in db.query(f"EXPLAIN QUERY PLAN {sql}"))
            assert "USING" in plan
            assert "TEMP B-TREE" not in plan
            assert "SCAN" not in plan.replace("SCAN item USING INDEX item_open", "")


def test_the_data_of_an_item_comes_with_it(make_store: Make) -> None:
    store = make_store(items=[{"id": "x", "feature": 17, "group": ["label", "tiger"]}])
    item = store.claim("w")
    assert item is not None
    assert json.loads(json.dumps(item.data)) == {"feature": 17, "group": ["label", "tiger"]}
    assert item.kind == "item"
    assert item.expires_in == 1800.0
