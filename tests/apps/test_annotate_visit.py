"""A worker's visit, message by message: nothing is lost, nothing is kept twice, and nothing that is sent brings it down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from annotating import visit
from annotating.task import form_data
from annotating.visit import Visit
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from shared.html import paragraphs
from shared.money import amount
from worker_study import ANSWERS, NOTICE, make_worker_study

from study.errors import NotSavedError
from study.participants.platforms import Identity, completion
from study.store import StudyStore
from study.store.connections import lock_path

Begin = Callable[..., Visit]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StudyStore]:
    with make_worker_study(tmp_path / "study.sqlite", pictures=False, patience=0.2) as made:
        yield made


def who(name: str = "guest") -> Identity:
    return Identity("link", name, query={"invite": name})


def at_work(store: StudyStore, name: str = "guest") -> Visit:
    """A visit of a new worker, at the first task that is not for practice."""
    at = visit.begin(store, who(name))
    visit.agree(at)
    visit.start(at)
    send(at, "submit", answers=ANSWERS)
    send(at, "next")
    return at


def code(at: Visit, item: str | None) -> str | None:
    """An item as the page calls it."""
    return None if item is None else at.store.item_code(item)


def send(at: Visit, kind: str, *, id: str | None = None, item: str | None = None, **more: Any) -> dict[str, Any]:
    """A message as the form sends it; its receipt."""
    name = id or f"message {len(at.receipts)} {kind}"
    token = at.claimed.token if at.claimed is not None and at.mode == "answer" else None
    visit.handle(at, {"id": name, "kind": kind, "item": code(at, item or at.item), "token": token, **more})
    return at.receipts[name]


def n_answers(store: StudyStore) -> int:
    return len(store.answers(kinds=("item", "practice"), states=("accepted", "surplus", "discarded")))


def test_from_consent_to_the_end(store: StudyStore) -> None:
    at = visit.begin(store, who())
    assert (at.page, len(store.workers())) == ("consent", 0)
    visit.agree(at)
    visit.start(at)
    assert (at.page, at.mode, at.item) == ("task", "answer", "practice-0")
    assert send(at, "submit", answers=ANSWERS | {"useful": "C"})["stored"]
    data = form_data(at, None, lambda path: None)
    assert data["mode"] == "feedback"
    assert data["feedback"]["heading"] == "Not quite what we expected."
    assert data["title"] == "Practice"
    send(at, "next")
    seen = []
    for number in (1, 2, 3):
        data = form_data(at, None, lambda path: None)
        assert data["title"] == f"Task {number}"
        assert data["progress"] == [f"{number - 1} answer{'' if number == 2 else 's'} sent", f"${(number - 1) * 0.5:.2f} earned"]
        seen.append(at.item)
        assert send(at, "submit", answers=ANSWERS)["ok"]
    assert (at.page, at.outcome) == ("end", "complete")
    assert len(set(seen)) == 3
    assert store.answers()["item"].tolist() == seen
    assert store.check() == []


def test_a_message_that_comes_twice_is_one_answer(store: StudyStore) -> None:
    at = at_work(store)
    item = at.item
    for _ in range(3):
        send(at, "submit", id="the same", item=item, answers=ANSWERS)
    assert store.answers()["item"].tolist() == [item]
    assert at.item != item


def test_a_message_that_comes_again_after_a_crash_finds_its_answer(store: StudyStore) -> None:
    before = at_work(store)
    item, token = before.item, before.claimed.token
    send(before, "submit", answers=ANSWERS)
    after = visit.begin(store, who())
    visit.handle(after, {"id": "again", "kind": "submit", "item": code(after, item), "token": token, "answers": ANSWERS})
    assert after.receipts["again"] == {"ok": True, "text": ""}
    assert after.item == before.item, "the task that came next stays"
    assert len(store.answers()) == 1


def test_two_tabs_keep_the_first_answer_and_what_is_typed_in_the_second(store: StudyStore) -> None:
    one = at_work(store)
    two = visit.begin(store, who())
    first = one.item
    assert two.item == first
    send(one, "submit", answers=ANSWERS)
    receipt = send(two, "draft", answers={"short": "something"})
    assert (receipt["ok"], receipt["gone"], receipt["kept"]) == (False, True, True)
    data = form_data(two, None, lambda path: None)
    assert (data["mode"], two.item, data["answers"]) == ("edit", first, ANSWERS)
    assert data["notice"] == receipt["text"]
    assert "that answer counts" in receipt["text"]
    send(two, "next")
    assert (two.mode, two.item) == ("answer", one.item)
    three = visit.begin(store, who())
    send(one, "submit", answers=ANSWERS)
    send(one, "submit", answers=ANSWERS)
    receipt = send(three, "submit", answers=ANSWERS | {"short": "other words"})
    assert (receipt["ok"], receipt["kept"], three.mode) == (False, True, "edit")
    assert store.answers()["short"].tolist() == [ANSWERS["short"]] * 3
    assert send(three, "edit", answers=ANSWERS | {"short": "other words"})["ok"]
    assert three.page == "end", "not the task again that another tab has answered since"
    assert sorted(store.answers()["short"]) == sorted([ANSWERS["short"], ANSWERS["short"], "other words"])


def test_two_tabs_in_practice_say_that_the_first_answer_counts(store: StudyStore) -> None:
    one = visit.begin(store, who())
    visit.agree(one)
    visit.start(one)
    two = visit.begin(store, who())
    send(one, "submit", answers=ANSWERS)
    receipt = send(two, "submit", answers=ANSWERS | {"short": "other words"})
    assert (receipt["ok"], "kept" in receipt) == (False, False)
    assert "Here is the next one" in receipt["text"]
    assert two.item != "practice-0"


def test_a_draft_waits_on_every_device(store: StudyStore) -> None:
    at = at_work(store)
    assert send(at, "draft", answers={"short": "half a th", "ease": 2})["ok"]
    elsewhere = visit.begin(store, who())
    assert form_data(elsewhere, None, lambda path: None)["answers"] == {"short": "half a th", "ease": 2}


def test_going_back_to_change_answers(store: StudyStore) -> None:
    at = at_work(store)
    first = at.item
    send(at, "submit", answers=ANSWERS)
    second = at.item
    send(at, "submit", answers=ANSWERS)
    third = at.item
    send(at, "draft", answers={"short": "third"})
    send(at, "back")
    assert (at.mode, at.item) == ("edit", second)
    send(at, "back")
    assert (at.mode, at.item) == ("edit", first)
    assert not form_data(at, None, lambda path: None)["earlier"], "practice is not changed"
    send(at, "edit", answers=ANSWERS | {"short": "better words"})
    assert (at.mode, at.item) == ("answer", third)
    assert form_data(at, None, lambda path: None)["answers"] == {"short": "third"}
    assert store.answers().set_index("item")["short"].to_dict() == {first: "better words", second: "striped fur"}
    for _ in range(2):
        send(at, "back")
    assert not form_data(at, None, lambda path: None)["earlier"]
    assert send(at, "back")["text"] == "There is no answer before this one."
    send(at, "next")
    assert at.item == third


def test_skip_and_report(store: StudyStore) -> None:
    at = at_work(store)
    item = at.item
    assert send(at, "report", text="The <b>first</b> picture is missing")["text"].startswith("Thank you")
    assert store.reports()["text"].tolist() == ["The <b>first</b> picture is missing"]
    assert not send(at, "report", text="  ")["ok"]
    send(at, "skip")
    assert at.item != item
    seen = {at.item}
    while at.page == "task":
        send(at, "submit", answers=ANSWERS)
        seen.add(at.item)
    assert item not in seen, "a task that was given back does not come again"
    assert len(store.answers()) == 2


def test_stopping_and_coming_back(store: StudyStore) -> None:
    at = at_work(store)
    send(at, "submit", answers=ANSWERS)
    send(at, "draft", answers={"short": "not done"})
    item = at.item
    send(at, "stop")
    assert (at.page, at.outcome) == ("end", "partial")
    later = visit.begin(store, who())
    assert (later.page, later.item) == ("task", item)
    assert form_data(later, None, lambda path: None)["answers"] == {"short": "not done"}


def test_stopping_before_anything_was_sent(store: StudyStore) -> None:
    at = at_work(store)
    send(at, "stop")
    assert (at.page, at.outcome) == ("end", "returned")
    end = completion(at.identity, store.settings, at.outcome)
    assert end.code is None
    assert "not sent any answer yet" in end.title


def test_what_is_wrong_with_answers_is_said_by_question(store: StudyStore) -> None:
    at = at_work(store)
    receipt = send(at, "submit", answers={**ANSWERS, "short": "four words are many", "ease": 7, "useful": None})
    assert receipt["ok"] is False
    assert receipt["problems"] == {
        "short": "Short description: please use at most 3 words; it has 4.",
        "ease": "Ease of understanding: please choose a whole number from 1 (very difficult) to 5 (very easy), not 7.",
        "useful": "Most useful section: please choose one.",
    }
    assert len(store.answers()) == 0


def test_a_file_that_somebody_holds(store: StudyStore) -> None:
    at = at_work(store)
    item = at.item
    with FileLock(lock_path(store.path)):
        receipt = send(at, "submit", answers=ANSWERS)
        assert receipt == {"ok": False, "text": "The study is busy at the moment.", "again": True}
        newcomer = visit.begin(store, who("newcomer"))
        visit.agree(newcomer)
        assert (newcomer.page, newcomer.notice) == ("trouble", "The study is busy at the moment.")
    assert at.item == item
    assert send(at, "submit", answers=ANSWERS)["ok"]


def test_a_full_disk_is_said_without_paths(store: StudyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    at = at_work(store)

    def full(*arguments: Any, **named: Any) -> None:
        raise NotSavedError(f"Not saved: the disk that holds {store.path} is full. ...", reason="full")

    monkeypatch.setattr(store, "submit", full)
    receipt = send(at, "submit", answers=ANSWERS)
    assert receipt["again"]
    assert "there is no room left on its disk" in receipt["text"]
    assert str(store.path) not in receipt["text"]


def test_a_mistake_of_ours_leaves_the_text_on_the_screen(store: StudyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    at = at_work(store)

    def broken(*arguments: Any, **named: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(store, "submit", broken)
    item = at.item
    receipt = send(at, "submit", answers=ANSWERS)
    assert receipt == {"ok": False, "text": "Something went wrong on our side. Please try again in a minute, or report it."}
    assert (at.page, at.item) == ("task", item)


def test_a_worker_who_is_blocked_meanwhile(store: StudyStore) -> None:
    at = at_work(store)
    store.block("guest")
    receipt = send(at, "submit", answers=ANSWERS)
    assert not receipt["ok"]
    assert "You can no longer send answers to this study" in receipt["text"]
    assert (at.page, at.outcome) == ("end", "refused")
    assert len(store.answers()) == 0


def test_checks_are_told_apart_only_by_their_notice(tmp_path: Path) -> None:
    with make_worker_study(tmp_path / "checks.sqlite", practice=0, attention=1, tasks=2, pictures=False, checks_every=1) as store:
        at = visit.begin(store, who())
        visit.agree(at)
        visit.start(at)
        notices, titles = [], []
        while at.page == "task":
            data = form_data(at, None, lambda path: None)
            notices.append(data["notice"])
            titles.append(data["title"])
            send(at, "submit", answers=ANSWERS)
    assert sorted(notices) == ["", "", NOTICE]
    assert titles == ["Task 1", "Task 2", "Task 3"]


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KINDS = some.sampled_from(["submit", "edit", "draft", "active", "report", "skip", "next", "back", "stop"]) | JSON
ITEMS = some.sampled_from(["of the study", "item-1", "practice-0", "label:none:1", "' OR 1=1 --"]) | JSON
FORGED = some.fixed_dictionaries(
    {"id": some.text(min_size=1, max_size=120) | JSON},
    optional={"kind": KINDS, "item": ITEMS, "token": JSON, "answers": JSON, "text": JSON},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=FORGED | JSON)
def test_forged_messages_are_answered_and_keep_nothing(store: StudyStore, message: Any) -> None:
    """Whatever arrives: no exception, and no answer that the questionnaire would not take."""
    at: Visit | None = getattr(store, "forged_visit", None)
    if at is None or at.page != "task":
        at = store.forged_visit = at_work(store, f"worker {len(store.workers())}")  # type: ignore[attr-defined]
    before = n_answers(store)
    if isinstance(message, dict) and message.get("item") == "of the study":
        message = message | {"item": code(at, "item-1")}
    visit.handle(at, message)
    assert n_answers(store) == before
    assert not any("on our side" in receipt["text"] for receipt in at.receipts.values())


@pytest.mark.parametrize(
    ("short", "said"),
    [
        ("x" * 10_000_000, "please shorten it to at most 100 characters; it has 10,000,000"),
        ("fur\0", "an invisible character that cannot be kept"),
        ("fur \ud800", "half of a character"),
        ("", "please write something"),
        ("...", "please write at least one word"),
        (["fur"], "please write a text"),
    ],
)
def test_hostile_answers_are_refused_in_words(store: StudyStore, short: Any, said: str) -> None:
    at = at_work(store)
    receipt = send(at, "submit", answers={**ANSWERS, "short": short})
    assert said in receipt["problems"]["short"]
    if isinstance(short, str) and short not in ("", "..."):
        assert not send(at, "draft", answers={"short": short})["ok"]
    assert len(store.answers()) == 0


@pytest.mark.parametrize("short", ["<b>fur</b>", "'; DROP TABLE", "**fur** $x$", "\u202efur", "🦊🐾", "fur\u200b", "=1+1"])
def test_strange_answers_are_kept_as_they_are(store: StudyStore, short: str) -> None:
    at = at_work(store)
    assert send(at, "submit", answers={**ANSWERS, "short": short})["ok"]
    assert store.answers()["short"].tolist() == [short]


def test_another_workers_item_and_token_are_refused(store: StudyStore) -> None:
    at, other = at_work(store), at_work(store, "other")
    visit.handle(at, {"id": "1", "kind": "submit", "item": code(at, at.item), "token": other.claimed.token, "answers": ANSWERS})
    assert not at.receipts["1"]["ok"]
    assert len(store.answers()) == 0


def test_words_for_people() -> None:
    assert [amount(Decimal("1234.5"), currency) for currency in ("USD", "EUR", "CHF", "")] == [
        "$1,234.50",
        "€1,234.50",
        "1,234.50 CHF",
        "1,234.50",
    ]
    assert paragraphs("One <b>\n\n\n two & three") == '<p dir="auto">One &lt;b&gt;</p><p dir="auto">two &amp; three</p>'
