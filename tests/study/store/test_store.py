import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_clock import FakeClock

from barlow_core.errors import BarlowError
from study.answers.table import checked
from study.errors import DamagedError, InvalidAnswersError, NotSavedError, RefusedError
from study.store import StudyStore, library_advice

Make = Callable[..., StudyStore]
HOSTILE = [
    "<script>alert(1)</script>",
    "'; DROP TABLE answer; --",
    "**bold** [link](javascript:alert(1)) `code`",
    "\u202egnitirw tfel-ot-thgir",
    "\U0001f469\U0001f3fd\u200d\U0001f680 \U0001f1e9\U0001f1ea",
    " \t leading and trailing \r\n",
    "e\u0301 \u00e9 \ufb01 \uff26\uff35\uff32",
    "=HYPERLINK(1)",
    "\x01\x1b[31m\x7f\x85",
    "\ufffe\uffff\ufeff bom",
    "%s %d {0} {x} ${y} \\x00 \\ud800",
    "NULL",
    "nan",
]


def test_a_new_study_fails_where_a_file_exists(make_store: Make, tmp_path: Path) -> None:
    make_store()
    before = (tmp_path / "study.sqlite").read_bytes()
    with pytest.raises(BarlowError, match="exists already"):
        make_store()
    (tmp_path / "empty").touch()
    with pytest.raises(BarlowError, match="exists already"):
        StudyStore.create(tmp_path / "empty", items=["a"])
    assert (tmp_path / "study.sqlite").read_bytes() == before


def test_the_contract_that_scripts_outside_rely_on(tmp_path: Path, answers: dict) -> None:
    with StudyStore.create(tmp_path / "new" / "study.sqlite", items=["a", {"id": "b"}]) as store:
        item = store.claim("worker 1")
        assert item is not None
        assert item.id in ("a", "b")
        store.submit("worker 1", item.id, answers)
    with StudyStore(str(tmp_path / "new" / "study.sqlite")) as store:
        table = store.answers()
        assert len(table) == 1
        assert dict(table.iloc[0][["item", "worker", *answers]]) == {"item": item.id, "worker": "worker 1", **answers}


def test_the_table_of_answers_is_the_one_that_the_statistics_take(make_store: Make, answers: dict, clock: FakeClock) -> None:
    about = {"id": "a", "grouping": "label", "class_name": "tiger", "tier": "top", "feature": 17, "kind": "item", "state": "new"}
    store = make_store(items=[about, {"id": "b", "hash": [1, 2]}])
    store.register("robot", simulated=True, platform="none at all")
    for worker in ("robot", "person"):
        while (item := store.claim(worker)) is not None:
            clock.advance(9.5)
            store.submit(worker, item.id, answers)
    table = store.answers()
    assert len(checked(table, ["short", "long", "ease", "confidence", "useful", "grouping", "class_name", "tier"])) == 4
    row = table[(table["item"] == "a") & (table["worker"] == "robot")].iloc[0]
    assert (row["grouping"], row["class_name"], row["tier"], row["feature"], row["item_state"]) == (
        "label",
        "tiger",
        "top",
        17,
        "new",
    )
    assert (row["simulated"], row["seconds"], row["platform"]) == (True, 9.5, "none at all")
    assert sorted(map(str, table.loc[table["worker"] == "robot", "submitted_at"])) == [
        "2025-03-01 12:00:09.500000+00:00",
        "2025-03-01 12:00:19+00:00",
    ]
    assert table["ease"].dtype == np.int64
    assert table["simulated"].dtype == bool
    assert pd.isna(table.loc[table["item"] == "b", "feature"]).all()
    assert set(table.loc[table["item"] == "b", "hash"]) == {"[1, 2]"}
    empty = make_store("empty.sqlite").answers()
    assert len(empty) == 0
    assert {"item", "worker", "short", "long", "ease", "confidence", "useful", "simulated", "seconds"} <= set(empty.columns)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_byte_for_byte(
    store: StudyStore, answers: dict, text: str, open_again: Callable[..., StudyStore]
) -> None:
    item = store.claim("w")
    assert item is not None
    store.save_draft("w", item.id, {"long": text})
    assert store.draft("w", item.id) == {"long": text}
    assert store.claim("w").draft == {"long": text}  # type: ignore[union-attr]
    sent = answers | {"long": text}
    if text.startswith("%s"):
        sent["long"] = text.replace("\0", "")
    assert store.submit("w", item.id, sent).answers == sent
    store.close()
    assert open_again(store).answers()["long"].tolist() == [text]
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT CAST(long AS BLOB) FROM answer").fetchone()[0] == text.encode()
    connection.close()


@pytest.mark.parametrize("worker", ["", "  ", None, 7, "x" * 201, "a\0b", "a\nb", "\ud800"])
def test_ids_that_cannot_be_are_refused(store: StudyStore, answers: dict, worker: object) -> None:
    for call in (
        lambda: store.claim(worker),  # type: ignore[arg-type]
        lambda: store.submit(worker, "a", answers),  # type: ignore[arg-type]
        lambda: store.submit("w", worker, answers),  # type: ignore[arg-type]
        lambda: store.save_draft("w", worker, {}),  # type: ignore[arg-type]
        lambda: store.draft("w", worker),  # type: ignore[arg-type]
        lambda: store.history(worker),  # type: ignore[arg-type]
        lambda: store.block(worker),  # type: ignore[arg-type]
        lambda: store.withdraw(worker),  # type: ignore[arg-type]
        lambda: store.register(worker),  # type: ignore[arg-type]
    ):
        with pytest.raises(BarlowError) as caught:
            call()
        str(caught.value).encode()
    assert len(store.workers()) == 0


def test_an_answer_without_a_claim_is_refused(store: StudyStore, answers: dict) -> None:
    store.register("w")
    for worker, item in (("w", "a"), ("stranger", "a"), ("w", "no such item")):
        with pytest.raises(RefusedError, match="was not given to worker"):
            store.submit(worker, item, answers)
        with pytest.raises(RefusedError, match="was not given to worker"):
            store.save_draft(worker, item, {"short": "fur"})
        with pytest.raises(RefusedError, match="was not given to worker"):
            store.edit(worker, item, answers)
    assert len(store.answers()) == 0
    assert len(store.events().query("kind == 'submitted'")) == 0


def test_an_invalid_answer_writes_nothing_and_keeps_the_draft(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    store.save_draft("w", item.id, {"short": "one two three four"})
    with pytest.raises(InvalidAnswersError):
        store.submit("w", item.id, answers | {"short": "one two three four"}, item.token)
    assert store.draft("w", item.id) == {"short": "one two three four"}
    assert len(store.answers()) == 0
    store.submit("w", item.id, answers, item.token)
    assert store.draft("w", item.id) == {}


def test_sending_again_with_the_same_token_returns_the_answer_that_is_there(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    first = store.submit("w", item.id, answers, item.token)
    again = store.submit("w", item.id, answers, item.token)
    other = store.submit("w", item.id, answers | {"short": "second tab"}, item.token)
    assert (first.replayed, again.replayed, other.replayed) == (False, True, True)
    assert (again.as_sent, other.as_sent) == (True, False)
    assert first.answers == again.answers == other.answers == answers
    assert len(store.answers()) == 1
    assert len(store.events().query("kind == 'submitted'")) == 1


def test_a_callers_own_token_works_the_same_way(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    store.submit("w", item.id, answers, "5f3c-my-own")
    assert store.submit("w", item.id, answers | {"ease": 1}, "5f3c-my-own").answers == answers
    other = store.claim("w")
    assert other is not None
    with pytest.raises(RefusedError, match="does not belong"):
        store.submit("w", other.id, answers, "5f3c-my-own")


def test_without_a_token_the_same_answer_may_come_twice_and_another_one_is_refused(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    store.submit("w", item.id, answers)
    assert store.submit("w", item.id, answers).replayed
    with pytest.raises(RefusedError, match="answered already, and the first answer stands"):
        store.submit("w", item.id, answers | {"ease": 1})
    assert store.answers()["ease"].tolist() == [4]


def test_forged_and_foreign_tokens_are_refused(store: StudyStore, answers: dict) -> None:
    mine, theirs = store.claim("w1"), store.claim("w2")
    assert mine is not None
    assert theirs is not None
    for token in (theirs.token, "claim-" + "0" * 32, mine.token[:-1], "", "x" * 201, "a\0", "\ud800", 12, b"abc"):
        with pytest.raises(RefusedError, match="token"):
            store.submit("w1", mine.id, answers, token)  # type: ignore[arg-type]
    assert len(store.answers()) == 0
    store.submit("w1", mine.id, answers, mine.token)
    with pytest.raises(RefusedError, match="token"):
        store.edit("w1", mine.id, answers | {"ease": 2}, theirs.token)


def test_an_answer_can_be_edited_and_what_it_said_stays_in_the_audit_trail(
    store: StudyStore, answers: dict, clock: FakeClock
) -> None:
    item = store.claim("w")
    assert item is not None
    store.submit("w", item.id, answers, item.token)
    following = store.claim("w")
    assert following is not None
    clock.advance(45)
    edited = store.edit("w", item.id, answers | {"short": "zebra", "ease": 1}, item.token)
    assert edited.answers == answers | {"short": "zebra", "ease": 1}
    assert edited.edited_at == "2025-03-01T12:00:45.000Z"
    assert edited.seconds == 0.0
    assert store.edit("w", item.id, edited.answers).replayed
    events = store.events().query("kind == 'edited'")
    assert [json.loads(data) for data in events["data"]] == [{"before": {"short": "striped fur", "ease": 4}}]
    # The page that sent the first version tries once more: the edit stands.
    assert store.submit("w", item.id, answers, item.token).answers["short"] == "zebra"
    assert store.claim("w").id == following.id  # type: ignore[union-attr]
    assert [one.item for one in store.history("w")] == [item.id]
    with pytest.raises(RefusedError, match="no answer yet"):
        store.edit("w", following.id, answers)
    with pytest.raises(InvalidAnswersError):
        store.edit("w", item.id, answers | {"ease": 9})
    assert store.check() == []


def test_a_draft_that_comes_after_the_answer_changes_nothing(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    assert store.save_draft("w", item.id, {"short": "f"})
    store.submit("w", item.id, answers)
    assert not store.save_draft("w", item.id, {"short": "fur and more"})
    assert store.draft("w", item.id) == {}
    assert store.draft("nobody", item.id) == {}


def test_history_has_the_last_answer_first(store: StudyStore, answers: dict) -> None:
    order = []
    while (item := store.claim("w")) is not None:
        store.submit("w", item.id, answers)
        order.insert(0, item.id)
    assert [one.item for one in store.history("w")] == order
    assert store.history("stranger") == []


def test_the_audit_trail_has_every_step_in_order(store: StudyStore, answers: dict, clock: FakeClock) -> None:
    item = store.claim("w")
    assert item is not None
    clock.advance(3)
    store.active("w", item.id)
    clock.advance(4.25)
    store.save_draft("w", item.id, {"short": "f"})
    store.save_draft("w", item.id, {"short": "fu"})
    store.report("w", item.id, "picture 3 is <b>missing</b>")
    clock.advance(2)
    store.submit("w", item.id, answers)
    events = store.events()
    assert list(events["kind"]) == ["joined", "shown", "active", "started", "draft", "draft", "reported", "submitted"]
    assert [None if pd.isna(value) else value for value in events["seconds"]] == [None, None, 3.0, 4.25, 0.0, 0.0, 0.0, 2.0]
    assert set(events["worker"]) == {"w"}
    assert str(events["at"].iloc[-1]) == "2025-03-01 12:00:09.250000+00:00"
    assert json.loads(events["data"].iloc[6]) == {"text": "picture 3 is <b>missing</b>"}
    for text in ("", " ", "x\0", "\ud800", "x" * 10_001, None):
        with pytest.raises(BarlowError):
            store.report("w", item.id, text)  # type: ignore[arg-type]


def test_a_study_keeps_its_own_questionnaire_texts_and_settings(make_store: Make, open_again: Callable[..., StudyStore]) -> None:
    own = {
        "title": "Own",
        "questions": [
            {"id": "seen", "kind": "choice", "name": "Seen", "text": "Seen before?", "options": [["y'es", "Yes"], ["no", "No"]]},
            {"id": "note", "kind": "text", "name": "Note", "text": "Anything else?", "required": False},
            {"id": "mood", "kind": "scale", "name": "Mood", "text": "How?", "low": 0, "high": 10, "required": False},
        ],
    }
    store = make_store(
        questionnaire=own, pay_per_item="0.25", consent="Yes?", instructions="Look.", provenance={"run": "abc"}, seed=9
    )
    again = open_again(store)
    assert again.settings == store.settings
    assert again.settings.instructions == ("Look.",)
    assert again.settings.questionnaire.ids == ("seen", "note", "mood")
    first, second = again.claim("w1"), again.claim("w2")
    assert first is not None
    assert second is not None
    again.submit("w1", first.id, {"seen": "y'es"})
    again.submit("w2", second.id, {"seen": "no", "note": "...", "mood": 10})
    table = again.answers()
    assert table["seen"].tolist() == ["y'es", "no"]
    assert table["mood"].tolist() == [pd.NA, 10]
    assert again.check() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"colour": 1}, "no setting 'colour'"),
        ({"answers_per_item": 0}, "answers_per_item must be a whole number of at least 1"),
        ({"answers_per_item": 2.0}, "answers_per_item"),
        ({"reservation_minutes": 0}, "reservation_minutes must be a number above 0"),
        ({"reservation_minutes": float("nan")}, "reservation_minutes"),
        ({"items_per_worker": 0}, "items_per_worker"),
        ({"pay_per_item": "free"}, "amount of money"),
        ({"pay_per_item": -1}, "amount of money"),
        ({"seed": 1.5}, "seed"),
        ({"consent": "a\0b"}, "consent"),
        ({"provenance": {"x": object()}}, "JSON"),
        ({"questionnaire": {"questions": []}}, "questionnaire"),
        (
            {"questionnaire": {"questions": [{"id": "worker", "kind": "text", "name": "W", "text": "Who?"}]}},
            "cannot be called 'worker'",
        ),
        ({"items": []}, "at least one item"),
        ({"items": "abc"}, "list of ids"),
        ({"items": ["a", "a"]}, "listed twice"),
        ({"items": ["a", ""]}, "Item 1"),
        ({"items": [{"name": "a"}]}, "Item 0"),
        ({"items": [{"id": "a", "kind": "test"}]}, "of kind 'test'"),
        ({"items": ["b", {"id": "a", "kind": "gold"}]}, "needs expected answers"),
        ({"items": ["b", {"id": "a", "kind": "gold", "expected": {"useful": "X"}}]}, "Expected answers"),
        ({"items": [{"id": "a", "answers_per_item": 0}]}, "wants 0 answers"),
        ({"items": [{"id": "a", "x": float("nan")}]}, "JSON"),
        ({"items": [{"id": "a", "x": "\ud800"}]}, "surrogate"),
        ({"items": [{"id": "a", "kind": "practice"}]}, "at least one item that is not for practice"),
    ],
)
def test_what_a_study_cannot_be_made_of_is_refused_and_leaves_no_file(
    make_store: Make, tmp_path: Path, settings: dict, message: str
) -> None:
    with pytest.raises(BarlowError, match=message):
        make_store(**settings)
    assert not (tmp_path / "study.sqlite").exists()


def test_items_may_want_their_own_number_of_answers_and_hold_numpy_values(make_store: Make) -> None:
    store = make_store(
        items=[{"id": "a", "answers_per_item": 1, "feature": np.int64(3), "ic": np.float32(0.5)}, "b"], answers_per_item=3
    )
    items = store.items().set_index("item")
    assert items["wanted"].to_dict() == {"a": 1, "b": 3}
    assert items.loc["a", "feature"] == 3
    assert items.loc["a", "ic"] == 0.5


def test_texts_and_limits_can_change_and_other_processes_notice(store: StudyStore, open_again: Callable[..., StudyStore]) -> None:
    other = open_again(store)
    store.configure(reservation_minutes=5, title="New")
    item = other.claim("w")
    assert item is not None
    assert item.expires_in == 300
    assert other.settings.title == "New"
    with pytest.raises(BarlowError, match="cannot change"):
        store.configure(answers_per_item=9)
    with pytest.raises(BarlowError, match="no setting"):
        store.configure(colour="red")
    with pytest.raises(BarlowError, match="reservation_minutes"):
        store.configure(reservation_minutes=-1)
    assert store.settings.reservation_minutes == 5


def test_a_simulated_worker_stays_simulated_and_a_person_a_person(store: StudyStore) -> None:
    assert store.register("robot", simulated=True).simulated
    assert store.register("robot", platform="p", details={"a": 1}).simulated
    assert store.register("robot", details={"b": 2}).details == {"a": 1, "b": 2}
    store.claim("person")
    for worker, simulated in (("robot", False), ("person", True)):
        with pytest.raises(RefusedError, match="stays that"):
            store.register(worker, simulated=simulated)
    assert store.worker("person").simulated is False  # type: ignore[union-attr]
    assert store.worker("stranger") is None


def test_what_is_no_study_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="No study found"):
        StudyStore(tmp_path / "none.sqlite")
    (tmp_path / "text").write_text("hello " * 500)
    with pytest.raises(DamagedError, match="not a study file"):
        StudyStore(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE item (id)")
    connection.close()
    before = (tmp_path / "other.sqlite").read_bytes()
    with pytest.raises(BarlowError, match="not a study of barlow"):
        StudyStore(tmp_path / "other.sqlite")
    assert (tmp_path / "other.sqlite").read_bytes() == before
    with pytest.raises(BarlowError, match="not a study of barlow"):
        (tmp_path / "nothing").touch()
        StudyStore(tmp_path / "nothing")


def test_other_programs_can_read_the_file_as_it_is(store: StudyStore, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    store.submit("w", item.id, answers)
    with sqlite3.connect(f"file:{store.path}?mode=ro", uri=True) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        of_interviews = {name for name in tables if name.startswith("interview_")}
        expected = {"study", "item", "worker", "assignment", "answer", "event", "payment_file", "payment", "place", "guess"}
        assert tables - of_interviews == expected
        table = pd.read_sql("SELECT * FROM answer", connection)
        assert connection.execute("PRAGMA foreign_key_list(answer)").fetchall()
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()
    assert table["short"].tolist() == ["striped fur"]
    assert table["submitted_at"].tolist() == ["2025-03-01T12:00:00.000Z"]


def test_a_path_with_odd_characters_is_just_a_path(tmp_path: Path, answers: dict) -> None:
    path = tmp_path / "my study? 100% #1 & \u00e9.sqlite"
    with StudyStore.create(path, items=["a"]) as store:
        store.claim("w")
        store.submit("w", "a", answers)
        assert store.backup().exists()
    assert path.exists()
    assert len(StudyStore(path).answers()) == 1


def test_the_version_of_sqlite_is_judged() -> None:
    assert library_advice("3.51.3") is None
    assert library_advice("3.60.0") is None
    advice = library_advice("3.40.1")
    assert advice is not None
    assert "3.51.3" in advice
    with pytest.raises(BarlowError, match="3.37.0 or newer"):
        library_advice("3.36.0")


def test_a_study_is_for_its_owner_alone(store: StudyStore) -> None:
    copy = store.backup()
    assert store.path.stat().st_mode & 0o077 == 0
    assert copy.stat().st_mode & 0o077 == 0


def test_an_error_is_a_barlow_error_that_the_command_line_can_show() -> None:
    for kind in (RefusedError, NotSavedError, DamagedError, InvalidAnswersError):
        assert issubclass(kind, BarlowError)
