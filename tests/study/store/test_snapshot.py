"""Everything of one moment, as analyses take it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd

from study.store import StudyStore

QUESTIONS = ("short", "long", "ease", "confidence", "useful")


def answer(store: StudyStore, worker: str, answers: dict[str, Any]) -> str:
    item = store.claim(worker)
    assert item is not None
    store.submit(worker, item.id, answers)
    return item.id


def test_a_snapshot_has_what_the_tables_have(make_store: Callable[..., StudyStore], answers: dict[str, Any]) -> None:
    items = ["a", {"id": "b", "tier": "top"}, {"id": "gold", "kind": "gold", "expected": {"useful": "none"}}]
    store = make_store(items=items, answers_per_item=2, checks_every=1, pay_per_item="0.50")
    store.register("robot", simulated=True)
    for worker in ("ann", "robot", "ann"):
        answer(store, worker, answers)
    found = store.snapshot(QUESTIONS)
    whole = store.answers(pseudonymous=True)
    columns = ["item", "worker", *QUESTIONS, "simulated", "platform", "seconds", "submitted_at"]
    assert found.answers.columns.tolist() == columns
    pd.testing.assert_frame_equal(found.answers, whole[columns], check_dtype=False)
    assert found.items.index.tolist() == ["a", "b"], "checks are no items"
    assert found.items.loc["b", "tier"] == "top"
    known = store.workers(pseudonymous=True).set_index("worker")
    pd.testing.assert_frame_equal(found.workers, known[["platform", "state", "simulated"]])
    assert found.checks[["item", "kind", "passed"]].to_numpy().tolist() == [["gold", "gold", False]]
    assert found.states["n"].sum() == 3
    assert found.paid == store.payments()["amount"].sum() == Decimal("1.00"), "two answers of a person"
    assert found.settings == store.settings


def test_questions_that_were_not_asked_are_left_out(store: StudyStore, answers: dict[str, Any]) -> None:
    answer(store, "ann", answers)
    found = store.snapshot(["ease", "height"]).answers
    assert found.columns.tolist() == ["item", "worker", "ease", "simulated", "platform", "seconds", "submitted_at"]
    assert store.snapshot([]).answers["worker"].tolist() == store.workers()["pseudonym"].tolist()


def test_a_study_without_answers(store: StudyStore) -> None:
    found = store.snapshot(QUESTIONS)
    assert found.answers.empty
    assert (len(found.items), len(found.checks), len(found.states), found.paid) == (3, 0, 0, Decimal(0))


def test_a_fingerprint_is_another_one_after_everything_that_counts(store: StudyStore, answers: dict[str, Any]) -> None:
    seen = [store.fingerprint()]

    def happened() -> bool:
        seen.append(store.fingerprint())
        return seen[-1] not in seen[:-1]

    item = answer(store, "ann", answers)
    assert happened()
    assert store.fingerprint() == seen[-1], "nothing happened"
    store.edit("ann", item, {**answers, "ease": 1})
    assert happened()
    store.block("ann", discard=True)
    assert happened()
    store.configure(title="Another title")
    assert happened()
