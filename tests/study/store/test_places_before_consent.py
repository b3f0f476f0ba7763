"""Whoever is asked for consent has a place; and nobody is let in whom there is nothing for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_clock import FakeClock

from study.store import StudyStore

Make = Callable[..., StudyStore]
PRACTICE = {"id": "practice", "kind": "practice"}


def test_a_place_is_held_from_before_consent_to_the_first_item(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a", PRACTICE], answers_per_item=1)
    assert store.hold_place("ann").state == "open"
    assert store.hold_place("ann").state == "open", "a reload finds the same place"
    assert store.hold_place("bob").state == "reserved"
    assert len(store.workers()) == len(store.events()) == 0, "nothing of a visitor is kept"
    # Also somebody who never asked for a place leaves the last one to ann.
    assert store.claim("bob").id == "practice"  # type: ignore[union-attr]
    store.submit("bob", "practice", answers)
    assert store.claim("bob") is None
    assert store.standing("bob").outcome == "full"
    assert (store.places().free, store.places().taken, store.places().state) == (0, 1, "reserved")
    store.submit("ann", store.claim("ann").id, answers)  # type: ignore[union-attr]
    assert store.claim("ann").id == "a"  # type: ignore[union-attr]
    store.submit("ann", "a", answers)
    assert store.hold_place("bob").state == "full"
    assert store.check() == []


def test_a_place_ends_when_its_time_is_up_or_somebody_declines(make_store: Make, clock: FakeClock) -> None:
    store = make_store(items=["a"], answers_per_item=1, hold_minutes=10)
    store.hold_place("ann")
    clock.advance(599)
    assert store.hold_place("bob").state == "reserved"
    clock.advance(2)
    assert store.hold_place("bob").state == "open"
    assert store.hold_place("ann").state == "reserved"
    store.let_place_go("bob")
    assert store.hold_place("ann").state == "open"
    clock.reboot(60)
    assert store.hold_place("bob").state == "open", "a place of minutes does not survive a restart"


def test_practice_puts_the_end_of_a_place_off(make_store: Make, answers: dict, clock: FakeClock) -> None:
    store = make_store(items=["a", PRACTICE, {"id": "second", "kind": "practice"}], answers_per_item=1, hold_minutes=10)
    store.hold_place("ann")
    for _ in range(2):
        clock.advance(400)
        store.submit("ann", store.claim("ann").id, answers)  # type: ignore[union-attr]
    assert store.hold_place("bob").state == "reserved"
    clock.advance(200)
    assert store.claim("ann").id == "a"  # type: ignore[union-attr]


def test_an_item_that_is_answered_now_may_come_back(make_store: Make, clock: FakeClock) -> None:
    store = make_store(items=["a"], answers_per_item=1)
    store.claim("ann")
    assert store.places().state == "reserved"
    clock.advance(1801)
    store.expire()
    assert store.places().state == "open"


@pytest.mark.parametrize("held", [0, 1, 3, 5])
def test_held_places_are_counted_against_answers_and_not_items(make_store: Make, held: int) -> None:
    """Two items with three places each: five held places leave one."""
    store = make_store(items=["a", "b"], answers_per_item=3)
    for n in range(held):
        assert store.hold_place(f"visitor {n}").state == "open"
    assert store.places().free == 6 - held
    found = [store.claim(f"worker {n}") for n in range(7)]
    assert sum(one is not None for one in found) == 6 - held
