"""A study that cannot be gamed: checks that count once, answers that are too fast or copied, the quiz, single answers rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_clock import FakeClock

from barlow_core.errors import BarlowError
from study.errors import InvalidAnswersError, RefusedError
from study.store import StudyStore
from study.texts import ENGLISH

QUIZ = ENGLISH.study["quiz"]

Make = Callable[..., StudyStore]
CHECK = {"id": "check", "kind": "attention", "expected": {"useful": "C"}}
PRACTICE = {"id": "practice", "kind": "practice", "expected": {"useful": "C"}}


def at(store: StudyStore, worker: str, wanted: str, answers: dict) -> None:
    """Answer until `worker` is given the item `wanted`, which they then hold."""
    while (item := store.claim(worker)) is not None and item.id != wanted:
        store.submit(worker, item.id, answers)
    assert item is not None


# --- checks


def test_the_first_answer_to_a_check_counts(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a", "b", "c", CHECK, PRACTICE], checks_every=1, bonus="1.00", bonus_after=1)
    at(store, "w", "check", answers)
    assert store.submit("w", "check", answers).passed is False
    for item in ("check", "practice"):
        with pytest.raises(RefusedError, match="first answer to it counts"):
            store.edit("w", item, answers | {"useful": "C"})
    assert store.workers()["checks_passed"].tolist() == [0]
    at(store, "w", next(item for item in ("a", "b", "c") if item not in [one.item for one in store.history("w")]), answers)
    assert store.standing("w").bonus == 0
    assert store.edit("w", store.history("w")[-2].item, answers | {"useful": "C"}).edited_at is not None, "items can be changed"


@pytest.mark.parametrize("item", ["check", "practice"])
def test_checks_and_practice_cannot_be_skipped(make_store: Make, answers: dict, clock: FakeClock, item: str) -> None:
    store = make_store(items=["a", "b", "c", CHECK, PRACTICE], checks_every=1, bonus="1.00", bonus_after=1)
    at(store, "w", item, answers)
    with pytest.raises(RefusedError, match="cannot be given back"):
        store.give_back("w", item)
    # Nor by waiting, nor by leaving and coming back.
    clock.advance(7200)
    store.expire()
    assert store.claim("w").id == item  # type: ignore[union-attr]
    store.finish("w", "partial")
    assert store.claim("w").id == item  # type: ignore[union-attr]


def test_the_bonus_is_for_having_been_shown_checks_and_passed_all(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a", "b", "c", CHECK], checks_every=3, bonus="1.00", bonus_after=1)
    at(store, "w", "check", answers)
    assert store.standing("w").payable > 0
    assert store.standing("w").bonus == 0, "given and not answered yet"
    store.submit("w", "check", answers | {"useful": "C"})
    assert store.standing("w").bonus == 1
    unchecked = make_store("none.sqlite", items=["a", "b"], bonus="1.00", bonus_after=1)
    at(unchecked, "w", "b" if unchecked.claim("w").id == "a" else "a", answers)  # type: ignore[union-attr]
    assert unchecked.standing("w").bonus == 1, "where there are no checks, nobody can fail one"


# --- speed, identical texts, automation


def rules_of(store: StudyStore) -> list[str]:
    return store.flags()["rules"].tolist()


def send(store: StudyStore, clock: FakeClock, worker: str, seconds: float, answers: dict, **signs: Any) -> None:
    item = store.claim(worker)
    assert item is not None
    clock.advance(seconds)
    store.submit(worker, item.id, answers, item.token, signs=signs)


def different(answers: dict, n: int) -> dict:
    return answers | {"long": f"stripes of kind {n} on fur"}


def test_answers_that_are_too_fast_are_flagged_or_refused(make_store: Make, answers: dict, clock: FakeClock) -> None:
    store = make_store(items=[f"i{n}" for n in range(9)], min_seconds=10)
    send(store, clock, "w", 9.5, different(answers, 0))
    send(store, clock, "w", 10.0, different(answers, 1))
    assert rules_of(store) == ["speed"]
    assert store.workers()["flagged"].tolist() == [1]
    store.configure(speed="refuse")
    item = store.claim("w")
    assert item is not None
    clock.advance(3)
    with pytest.raises(InvalidAnswersError, match="That was very quick"):
        store.submit("w", item.id, different(answers, 2))
    assert len(store.history("w")) == 2
    clock.advance(7)
    store.submit("w", item.id, different(answers, 2))  # a moment later the same answer is taken
    store.configure(speed="off")
    send(store, clock, "w", 0.1, different(answers, 3))
    assert rules_of(store) == ["speed"]
    assert store.check() == []


def test_words_that_were_used_before_are_flagged_or_refused(make_store: Make, answers: dict, clock: FakeClock) -> None:
    store = make_store(items=[f"i{n}" for n in range(9)], answers_per_item=9, min_seconds=0)
    send(store, clock, "w", 30, answers)
    send(store, clock, "w", 30, answers | {"short": "STRIPED  fur."})
    assert rules_of(store) == [], "two items may show the same"
    send(store, clock, "w", 30, answers)
    assert rules_of(store) == ["identical"]
    # Copied from somebody else who answered this item: texts of five words and more.
    item = store.claim("other")
    assert item is not None
    long = {"short": "fur", "long": "nobody else would ever write this"}
    store.submit("other", item.id, answers | long)
    store.configure(identical="refuse")
    while (copy := store.claim("thief")) is not None and copy.id != item.id:
        store.submit("thief", copy.id, different(answers, len(store.history("thief"))))
    with pytest.raises(InvalidAnswersError, match="used these words before"):
        store.submit("thief", item.id, answers | long)
    store.submit("thief", item.id, answers | long | {"long": "what I see with my eyes"})


@pytest.mark.parametrize("sign", ["webdriver", "untouched"])
def test_pages_that_a_program_fills_in_are_flagged_or_refused(
    make_store: Make, answers: dict, clock: FakeClock, sign: str
) -> None:
    store = make_store(items=["a", "b", "c"])
    send(store, clock, "w", 30, different(answers, 0), **{sign: False})
    send(store, clock, "w", 30, different(answers, 1), **{sign: True})
    assert rules_of(store) == ["automation"]
    store.configure(automation="refuse")
    with pytest.raises(InvalidAnswersError, match="filled in by a program"):
        send(store, clock, "w", 30, different(answers, 2), **{sign: True})


def test_people_who_come_twice_by_an_open_link_are_noticed(make_store: Make) -> None:
    store = make_store()
    home = store.device("203.0.113.7", "Firefox")
    assert "203" not in home
    assert home != make_store("other.sqlite").device("203.0.113.7", "Firefox"), "another study cannot recognise them"
    store.register("ann", details={"device": home})
    store.register("bob", details={"device": store.device("203.0.113.7", "Chrome")})
    assert store.duplicates() == []
    store.register("ann again", details={"device": home})
    assert store.duplicates() == [["ann", "ann again"]]
    assert rules_of(store) == ["duplicates"]
    store.configure(duplicates="refuse")
    with pytest.raises(RefusedError, match="device of somebody"):
        store.register("ann once more", details={"device": home})
    store.withdraw("ann")
    assert store.duplicates() == []


def test_a_file_whose_consent_does_not_speak_of_it_recognises_nobody(make_store: Make) -> None:
    store = make_store()
    path = store.path
    with store._file.writer.transaction() as tx:
        tx.execute("DELETE FROM study WHERE key = 'duplicates'")
    store.close()
    with StudyStore(path) as again:
        assert again.settings.duplicates == "off"


# --- the quiz


def test_the_quiz_gives_a_few_tries_and_then_screens_out(make_store: Make) -> None:
    store = make_store(quiz=QUIZ, quiz_tries=2)
    store.register("w")
    right = [question["answer"] for question in QUIZ]
    assert (store.quiz("w").state, store.quiz("w").tries_left) == ("open", 2)
    assert store.take_quiz("w", [None] * len(QUIZ)).tries_left == 1
    assert store.take_quiz("w", [*right[:-1], right[-1] - 1]).state == "failed"
    assert store.take_quiz("w", right).state == "failed", "what is failed stays failed"
    assert store.claim("w") is None
    assert store.standing("w").outcome == "screened_out"
    store.register("v")
    store.take_quiz("v", [0] * len(QUIZ))
    assert store.take_quiz("v", right).state == "passed"
    assert store.take_quiz("v", [0] * len(QUIZ)).state == "passed"
    assert store.claim("v") is not None
    with pytest.raises(BarlowError, match="3 questions; found 1 answer"):
        store.register("u")
        store.take_quiz("u", [1])


@pytest.mark.parametrize(
    "given",
    [
        {"quiz": ["What?"]},
        {"quiz": [{"question": "What?", "options": ["one"], "answer": 0}]},
        {"quiz": [{"question": "What?", "options": ["one", "two"], "answer": 2}]},
        {"speed": "punish"},
        {"min_seconds": -1},
        {"quiz_tries": 0},
        {"allowed_workers": [""]},
    ],
)
def test_rules_that_cannot_be_are_refused(make_store: Make, given: dict[str, Any]) -> None:
    with pytest.raises(BarlowError):
        make_store(**given)


# --- one answer rejected, one item reopened


def test_one_answer_is_rejected_and_its_item_asked_again(make_store: Make, answers: dict) -> None:
    store = make_store(items=["a", "b"], answers_per_item=1)
    for _ in range(2):
        store.submit("w", store.claim("w").id, answers)  # type: ignore[union-attr]
    store.reject("w", "a", "describes another picture")
    assert store.answers()["item"].tolist() == ["b"]
    assert store.payments().set_index("worker").loc["w", "items"] == 2, "paid all the same"
    assert store.claim("w") is None, "nobody answers an item twice"
    assert store.claim("v").id == "a"  # type: ignore[union-attr]
    with pytest.raises(RefusedError, match="was rejected"):
        store.edit("w", "a", answers | {"ease": 1})
    events = store.events()
    assert "describes another picture" in events.loc[events["kind"] == "rejected", "data"].iloc[0]
    # Blocking and letting in again does not bring it back; reopening it does, as soon as there is room.
    store.block("w", discard=True)
    store.reopen("w")
    assert store.answers()["item"].tolist() == ["b"]
    store.reopen("w", "a")
    assert store.answers()["item"].tolist() == ["b"]
    store.give_back("v", "a")
    assert sorted(store.answers()["item"]) == ["a", "b"]
    assert store.check() == []
    with pytest.raises(RefusedError, match="nothing to reopen"):
        store.reopen("w", "a")
    with pytest.raises(RefusedError, match="could be rejected"):
        store.reject("v", "a", "why")
    with pytest.raises(BarlowError, match="The reason"):
        store.reject("w", "a", "")


def test_an_item_that_was_skipped_by_mistake_is_offered_again(make_store: Make) -> None:
    store = make_store(items=["a"])
    store.claim("w")
    store.give_back("w", "a")
    assert store.claim("w") is None
    store.reopen("w", "a")
    assert store.claim("w").id == "a"  # type: ignore[union-attr]
    with pytest.raises(RefusedError, match="never given"):
        store.reopen("w", "none such")


# --- names that say nothing


def test_codes_of_items_say_nothing_and_lead_back(make_store: Make) -> None:
    store, other = make_store(items=["label:tiger:17", CHECK]), make_store("other.sqlite", items=["label:tiger:17"])
    codes = [store.item_code(item) for item in ("label:tiger:17", "check")]
    assert not any("tiger" in code or "check" in code for code in codes)
    assert [store.item_of(code) for code in codes] == ["label:tiger:17", "check"]
    assert other.item_code("label:tiger:17") != codes[0]
    for nothing in ("label:tiger:17", "", None, 7, codes[0].upper()):
        assert store.item_of(nothing) is None


def test_signatures_hold_for_one_text_in_one_study(make_store: Make) -> None:
    store, other = make_store(), make_store("other.sqlite")
    signature = store.sign("ann")
    assert store.is_signed("ann", signature)
    for text, given in (("bob", signature), ("ann", signature[:-1]), ("ann", "é"), ("ann", None), ("ann", "")):
        assert not store.is_signed(text, given)
    assert not other.is_signed("ann", signature)
    with StudyStore(store.path) as again:
        assert again.is_signed("ann", signature), "links stay good when the study is opened again"
