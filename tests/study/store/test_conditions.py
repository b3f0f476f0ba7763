"""Who is shown which condition: between and within workers, balanced and at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from barlow_core.errors import BarlowError
from study.store import StudyStore

Make = Callable[..., StudyStore]
NAMES = ("robust", "standard")
ANSWERS = {"short": "striped fur", "long": "black stripes on orange fur", "ease": 4, "confidence": 5, "useful": "B"}


def items(n: int, *, checks: bool = True) -> list[dict[str, Any]]:
    """`n` pairs of items, and practice and an attention check for each condition."""
    found = [{"id": f"{name}:{i}", "condition": name, "pair": str(i)} for i in range(n) for name in NAMES]
    for name in NAMES if checks else ():
        found.append({"id": f"practice:{name}", "kind": "practice", "condition": name, "feedback": "Well."})
        found.append({"id": f"attention:{name}", "kind": "attention", "condition": name, "expected": {"useful": "B"}})
    return found


def answer(store: StudyStore, worker: str, most: int = 100) -> list[str]:
    """The worker answers what they are given; the conditions of it, practice and checks included."""
    conditions = []
    while len(conditions) < most and (item := store.claim(worker)) is not None:
        store.submit(worker, item.id, ANSWERS, item.token)
        conditions.append(str(item.data["condition"]))
    return conditions


def test_between_workers_everybody_sees_one_condition_and_both_get_as_many(make_store: Make) -> None:
    store = make_store(items=items(6), condition_design="between", answers_per_item=4, items_per_worker=3, checks_every=2)
    assert store.settings.conditions == NAMES
    seen = {f"w{i}": answer(store, f"w{i}") for i in range(16)}
    assert all(len(set(found)) == 1 for found in seen.values())
    assert [one[:3] for one in store.conditions()] == [(name, 16, 8) for name in NAMES]
    assert {one.wanted for one in store.conditions()} == {24}
    assert all(len(found) == 4 for found in seen.values()), "practice, and three that count"
    first = [found[0] for found in seen.values()]
    for n in range(2, 17, 2):
        assert Counter(first[:n]) == dict.fromkeys(NAMES, n // 2)
    assert first[::2] != [first[0]] * 8, "who comes first in a pair is drawn"


def test_a_condition_without_an_open_item_is_given_to_nobody_new(make_store: Make) -> None:
    wanted = [item | {"answers_per_item": 1} for item in items(2, checks=False) if item["condition"] == "robust"]
    wanted += [item for item in items(2, checks=False) if item["condition"] == "standard"]
    store = make_store(items=wanted, condition_design="between", answers_per_item=3)
    seen = Counter(tuple(answer(store, f"w{i}")) for i in range(4))
    assert seen == {("robust", "robust"): 1, ("standard", "standard"): 3}
    assert answer(store, "late") == []
    assert store.progress().answers == store.progress().answers_wanted == 8


def test_at_random_between_workers_is_a_coin_with_the_seed_of_the_study(make_store: Make) -> None:
    drawn = []
    for seed in (0, 0, 1):
        store = make_store(
            f"{len(drawn)}.sqlite",
            items=items(1, checks=False),
            condition_design="between",
            condition_order="random",
            answers_per_item=40,
            seed=seed,
        )
        drawn.append([answer(store, f"w{i}")[0] for i in range(40)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert 10 < drawn[0].count("robust") < 30


def test_within_workers_everybody_sees_as_much_of_each_condition(make_store: Make) -> None:
    store = make_store(items=items(8, checks=False), answers_per_item=6, items_per_worker=6)
    seen = [answer(store, f"w{i}") for i in range(16)]
    for found in seen:
        for n in range(2, 7, 2):
            assert Counter(found[:n]) == dict.fromkeys(NAMES, n // 2)
    assert len({found[0] for found in seen}) == 2
    assert store.progress().answers == 96


def test_within_workers_at_random_takes_what_has_the_fewest_answers(make_store: Make) -> None:
    """As in a study without conditions: the same items in the same order."""
    settings = {"answers_per_item": 2, "seed": 5}
    plain = [{"id": item["id"], "condition of": item["condition"]} for item in items(6, checks=False)]
    store, other = (
        make_store(items=items(6, checks=False), condition_order="random", **settings),
        make_store("other.sqlite", items=plain, **settings),
    )
    assert other.settings.conditions == ()
    for worker in ("v", "w"):
        for _ in range(6):
            one, same = store.claim(worker), other.claim(worker)
            assert one is not None
            assert same is not None
            assert one.id == same.id
            for each, item in ((store, one), (other, same)):
                each.submit(worker, item.id, ANSWERS, item.token)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([{"id": "a", "condition": "robust"}, {"id": "b"}], "Item 'b' names no condition, but others do"),
        ([{"id": "a", "condition": "robust"}, "b"], "Item 'b' names no condition"),
        ([{"id": "a", "condition": "robust"}, {"id": "b", "condition": "robust"}], "All items are of the condition 'robust'"),
        ([{"id": "a", "condition": 3}, {"id": "b", "condition": "x"}], "Item 'a' names the condition 3"),
    ],
)
def test_items_that_name_conditions_wrongly_are_refused(make_store: Make, wrong: list[Any], message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        make_store(items=wrong)


def test_a_design_that_does_not_exist_is_refused_and_none_can_change(make_store: Make) -> None:
    with pytest.raises(BarlowError, match="condition_design is one of between, within"):
        make_store(items=items(1), condition_design="crossed")
    store = make_store(items=items(1))
    with pytest.raises(BarlowError, match="condition_design cannot change once the study is made"):
        store.configure(condition_design="between")
