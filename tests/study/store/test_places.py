"""Who gets a place on an item that becomes free, in cases that chance seldom makes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_clock import FakeClock

from study.store import StudyStore

Make = Callable[..., StudyStore]
TIMEOUT = 1800.0


@pytest.fixture
def surplus(make_store: Make, clock: FakeClock, answers: dict) -> StudyStore:
    """One item that wants one answer: the one of "late" came when "holder" had the place, who still has it."""
    store = make_store(items=["a"], answers_per_item=1)
    assert store.claim("late") is not None
    clock.advance(TIMEOUT)
    assert store.claim("holder") is not None
    assert store.submit("late", "a", answers).state == "surplus"
    return store


def test_the_late_answer_of_a_blocked_worker_gets_no_place_until_they_are_let_in_again(surplus: StudyStore) -> None:
    surplus.block("late")
    surplus.give_back("holder", "a")
    assert len(surplus.answers()) == 0
    assert surplus.items()["filled"].tolist() == [0]
    surplus.reopen("late")
    assert surplus.answers()["worker"].tolist() == ["late"]
    assert surplus.check() == []


def test_the_late_answer_of_a_worker_who_left_gets_no_place(surplus: StudyStore) -> None:
    surplus.withdraw("late")
    surplus.give_back("holder", "a")
    assert len(surplus.answers()) == 0
    assert surplus.claim("somebody else") is not None
    assert surplus.check() == []


@pytest.mark.parametrize("way", ["block", "withdraw", "finish", "expire"])
def test_a_late_answer_moves_up_however_the_place_becomes_free(surplus: StudyStore, clock: FakeClock, way: str) -> None:
    if way == "expire":
        clock.advance(TIMEOUT)
        surplus.expire()
    elif way == "finish":
        surplus.finish("holder", "returned")
    else:
        getattr(surplus, way)("holder")
    assert surplus.answers()["worker"].tolist() == ["late"]
    assert surplus.check() == []


def test_an_answer_that_is_discarded_makes_room_for_a_late_one(surplus: StudyStore, answers: dict) -> None:
    surplus.submit("holder", "a", answers)
    surplus.block("holder", discard=True)
    assert surplus.answers()["worker"].tolist() == ["late"]
    surplus.reopen("holder")
    assert surplus.answers(states=["surplus"])["worker"].tolist() == ["holder"]
    assert surplus.check() == []


def test_who_comes_back_gets_the_last_item_that_ran_out_first(make_store: Make, clock: FakeClock) -> None:
    store = make_store(items=["a", "b"], answers_per_item=5)
    first = store.claim("w")
    assert first is not None
    store.give_back("w", first.id)
    second = store.claim("w")
    assert second is not None
    clock.advance(TIMEOUT)
    store.expire()
    again = store.claim("w")
    assert again is not None
    assert again.id == second.id  # not the one that they did not want


def test_two_items_that_ran_out_come_back_the_last_one_first(make_store: Make, clock: FakeClock, answers: dict) -> None:
    store = make_store(items=["a", "b"], answers_per_item=1)
    first = store.claim("w")
    assert first is not None
    clock.advance(TIMEOUT)
    other = store.claim("other")  # the least filled, so it may be either
    assert other is not None
    if other.id != first.id:
        store.give_back("other", other.id)
        other = store.claim("other")
        assert other is not None
    second = store.claim("w")  # the first one has no room now
    assert second is not None
    assert second.id != first.id
    store.give_back("other", first.id)
    clock.advance(TIMEOUT)
    again = store.claim("w")
    assert again is not None
    assert again.id == second.id
