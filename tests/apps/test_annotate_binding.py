"""A worker's id alone opens nothing of that worker; and the page's traffic does not say what an item is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from annotating import visit
from annotating.binding import is_theirs
from annotating.task import form_data
from annotating.visit import Visit
from filelock import FileLock
from worker_study import ANSWERS, make_worker_study

from study.errors import UnknownVisitorError
from study.participants.platforms import Identity, identify
from study.store import StudyStore
from study.store.connections import lock_path
from study.texts import ENGLISH

QUIZ = ENGLISH.study["quiz"]

PID, STUDY = "5f3c0a1b2c3d4e5f60718293", "60b1c2d3e4f5061728394a5b"
FIRST, SECOND = "61" * 12, "62" * 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StudyStore]:
    with make_worker_study(tmp_path / "study.sqlite", practice=1, tasks=5, pictures=False, patience=0.2) as made:
        yield made


def prolific(store: StudyStore, **query: str) -> Identity:
    return identify({"PROLIFIC_PID": PID, **query}, store.settings)


def come(store: StudyStore, key: str | None = None, **query: str) -> Visit:
    identity = prolific(store, **query)
    return visit.begin(store, identity, theirs=is_theirs(store, identity, key))


def send(at: Visit, kind: str, **more: Any) -> dict[str, Any]:
    name = f"{len(at.receipts)} {kind}"
    item = None if at.item is None else at.store.item_code(at.item)
    visit.handle(at, {"id": name, "kind": kind, "item": item, **more})
    return at.receipts[name]


def work(at: Visit, n: int) -> None:
    for _ in range(n):
        assert send(at, "submit", answers=ANSWERS)["ok"]
        send(at, "next")


@pytest.fixture
def worker(store: StudyStore) -> StudyStore:
    """The study, with somebody who sent two answers in their first session and typed half of a third one."""
    at = come(store, SESSION_ID=FIRST, STUDY_ID=STUDY)
    visit.agree(at)
    visit.start(at)
    work(at, 3)
    send(at, "draft", answers={"short": "my secret thought"})
    return store


def test_the_id_alone_opens_nothing(worker: StudyStore) -> None:
    with pytest.raises(UnknownVisitorError, match="does not show that it is you"):
        come(worker)
    with pytest.raises(UnknownVisitorError):
        come(worker, key="a" * 24)
    assert "thought" not in str(worker.events()["data"].tolist())


def test_an_invented_session_goes_on_but_sees_nothing(worker: StudyStore) -> None:
    for _ in range(2):  # also when it comes back: a session does not become theirs by being used
        at = come(worker, SESSION_ID=SECOND, STUDY_ID=STUDY)
        data = form_data(at, None, lambda path: None)
        assert (at.page, data["answers"], data["earlier"]) == ("task", {}, False)
        assert "There is no answer before this one" in send(at, "back")["text"]
    for one in worker.history(PID):
        name = "forged edit"
        visit.handle(at, {"id": name + one.item, "kind": "edit", "item": worker.item_code(one.item), "answers": ANSWERS})
        assert not at.receipts[name + one.item]["ok"]
    # What is sent in it can be changed in it.
    work(at, 1)
    assert form_data(at, None, lambda path: None)["earlier"]
    send(at, "back")
    assert send(at, "edit", answers=ANSWERS | {"short": "better"})["ok"]


def test_the_first_session_and_the_signed_link_lead_back(worker: StudyStore) -> None:
    for at in (come(worker, SESSION_ID=FIRST, STUDY_ID=STUDY), come(worker, key=worker.sign(PID))):
        data = form_data(at, None, lambda path: None)
        assert (data["answers"], data["earlier"]) == ({"short": "my secret thought"}, True)
    # A new session that comes with the link of the first one is theirs, from then on also without it.
    come(worker, key=worker.sign(PID), SESSION_ID=SECOND)
    assert form_data(come(worker, SESSION_ID=SECOND), None, lambda path: None)["earlier"]


def test_the_traffic_does_not_say_what_an_item_is(tmp_path: Path) -> None:
    with make_worker_study(tmp_path / "study.sqlite", practice=1, tasks=2, attention=1, pictures=False, checks_every=1) as store:
        at = come(store, SESSION_ID=FIRST)
        visit.agree(at)
        visit.start(at)
        sent = []
        while at.page == "task":
            sent.append(json.dumps(form_data(at, None, lambda path: None), default=str))
            send(at, "submit", answers=ANSWERS)
            send(at, "next")
        for item in store.item_ids():
            assert not any(item in one for one in sent)
        assert not any("attention" in one for one in sent)


def test_checks_and_practice_are_neither_skipped_nor_changed(tmp_path: Path) -> None:
    with make_worker_study(tmp_path / "study.sqlite", practice=1, tasks=3, attention=1, pictures=False, checks_every=1) as store:
        at = come(store, SESSION_ID=FIRST)
        visit.agree(at)
        visit.start(at)
        refused = []
        while at.page == "task":
            kind, item = at.claimed.kind, at.item  # type: ignore[union-attr]
            if kind != "item":
                assert send(at, "skip")["text"].startswith("This task cannot be skipped")
                assert at.item == item
                refused.append(kind)
            send(at, "submit", answers=ANSWERS)
            send(at, "next")
        assert sorted(refused) == ["attention", "practice"]
        changeable = [one.item for one in visit.changeable(at)]
        assert len(changeable) == 3
        assert not any(item.startswith(("attention", "practice")) for item in changeable)


def test_the_quiz_comes_before_the_tasks(tmp_path: Path) -> None:
    with make_worker_study(tmp_path / "study.sqlite", pictures=False, quiz=QUIZ, quiz_tries=2) as store:
        at = come(store, SESSION_ID=FIRST)
        visit.agree(at)
        visit.start(at)
        assert (at.page, store.events().query("kind == 'shown'").empty) == ("quiz", True)
        visit.take_quiz(at, [None] * len(QUIZ))
        assert (at.page, at.notice) == (
            "quiz",
            "Not all of that is right. Please read the instructions again; this is your last try.",
        )
        again = come(store, SESSION_ID=FIRST)
        assert again.page == "quiz", "a reload gives no new tries"
        visit.take_quiz(again, [None] * len(QUIZ))
        assert (again.page, again.outcome) == ("end", "unqualified")
        other = visit.begin(store, Identity("link", "anna"))
        visit.agree(other)
        visit.start(other)
        visit.take_quiz(other, [question["answer"] for question in QUIZ])
        assert other.page == "task"


def test_only_people_on_the_list_come_in(store: StudyStore) -> None:
    store.configure(allowed_workers=["60" * 12])
    with pytest.raises(UnknownVisitorError, match="your ID is not on it"):
        prolific(store, SESSION_ID=FIRST)
    store.configure(allowed_workers=["60" * 12, PID])
    assert prolific(store, SESSION_ID=FIRST).worker_id == PID


def test_somebody_who_comes_twice_is_noticed_where_the_study_looks(store: StudyStore) -> None:
    for name in ("one", "two"):
        visit.agree(visit.begin(store, Identity("link", name), device="the same"))
    assert store.duplicates() == [["one", "two"]]
    store.configure(duplicates="refuse")
    third = visit.begin(store, Identity("link", "three"), device="the same")
    visit.agree(third)
    assert (third.page, third.outcome, store.worker("three")) == ("end", "refused", None)
    store.configure(duplicates="off")
    visit.agree(visit.begin(store, Identity("link", "four"), device="the same"))
    assert "device" not in store.worker("four").details  # type: ignore[union-attr]


def test_a_full_study_says_so_before_consent(tmp_path: Path) -> None:
    with make_worker_study(tmp_path / "study.sqlite", practice=1, tasks=1, pictures=False, answers_per_item=1) as store:
        first = visit.begin(store, Identity("link", "first"))
        assert first.page == "consent"
        late = visit.begin(store, Identity("link", "late"))
        assert (late.page, late.outcome) == ("end", "reserved"), "the place is held, and may come back"
        visit.decline(first)
        late = visit.begin(store, Identity("link", "late"))
        visit.agree(late)
        visit.start(late)
        work(late, 2)
        assert (late.page, late.outcome) == ("end", "complete")
        last = visit.begin(store, Identity("link", "last"))
        assert (last.page, last.outcome) == ("end", "full")
        assert store.workers()["worker"].tolist() == ["late"]


def test_a_pause_holds_for_newcomers_only(worker: StudyStore) -> None:
    reading = visit.begin(worker, Identity("link", "reading"))
    worker.configure(recruiting=False)
    new = visit.begin(worker, Identity("link", "new"))
    assert (new.page, new.outcome) == ("end", "paused")
    visit.agree(reading)
    assert (reading.page, reading.outcome) == ("end", "paused")
    assert come(worker, SESSION_ID=FIRST).page == "task"
    worker.configure(recruiting=True)
    assert visit.begin(worker, Identity("link", "new")).page == "consent"


def test_nobody_agrees_to_a_text_that_has_changed(store: StudyStore) -> None:
    at = visit.begin(store, Identity("link", "anna"))
    at.consent = store.settings.consent  # as the page shows it
    with StudyStore(store.path) as other:
        other.configure(consent="Something else altogether.")
    visit.agree(at)
    assert (at.page, store.worker("anna")) == ("consent", None)
    assert "has changed while you read it" in at.notice
    at.consent = store.settings.consent
    visit.agree(at)
    assert (at.page, at.notice) == ("instructions", "")


def test_what_could_not_be_saved_is_tried_again_from_where_it_was(store: StudyStore) -> None:
    at = visit.begin(store, prolific(store, SESSION_ID=FIRST))
    with FileLock(lock_path(store.path)):
        visit.agree(at)
        assert (at.page, store.worker(PID)) == ("trouble", None)
    visit.try_again(at)
    assert at.page == "instructions", "not a task, without having read anything"
    assert store.worker(PID).platform == "prolific"  # type: ignore[union-attr]
