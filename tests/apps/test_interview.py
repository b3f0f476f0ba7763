"""The pages of an interview without a browser: who gets in, what is kept, and that the interviewer never sees the closing survey."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from interview_pages import SECRET, make_interviews
from streamlit.testing.v1 import AppTest

from barlow_core.storage.shipped import apps_dir
from study.store import StudyStore
from study.store.attempts import GUESSES
from study.store.interviews.people import Participant

Open = Callable[..., AppTest]
NASTY = "<img src=x onerror=alert(1)> **bold** $x$"


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    def start(store: StudyStore, *options: str, **parameters: str | None) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["interview.py", str(store.path), *options])
        page = AppTest.from_file(str(apps_dir() / "interview.py"), default_timeout=60)
        for name, value in parameters.items():
            if value is not None:
                page.query_params[name] = value
        page.run()
        assert not page.exception, page.exception
        return page

    return start


@pytest.fixture
def store(tmp_path: Path) -> StudyStore:
    return make_interviews(tmp_path / "study.sqlite")


def text(page: AppTest) -> str:
    """Everything that the page says."""
    assert not page.exception, page.exception
    found = [element.proto.body for element in page.get("html") if not element.proto.body.startswith("<style>")]
    for kind in ("markdown", "caption", "error", "success", "warning", "info", "text"):
        found += [element.value for element in getattr(page, kind)]
    return "\n".join(found)


def enter(page: AppTest, secret: str = SECRET) -> AppTest:
    page.text_input[0].set_value(secret)
    return page.button[0].click().run()


def whoever(store: StudyStore) -> Participant:
    return store.interviews.participant(1)


def test_nobody_gets_in_without_a_link_of_their_own(store: StudyStore, open_page: Open) -> None:
    store.interviews.invite("good-code")
    for code in (None, "", "wrong", "good-cod", "GOOD-CODE"):
        assert "We cannot let you in yet" in text(open_page(store, code=code))
    page = open_page(store, "--interviewer", code="good-code")
    assert "P1" not in text(page)
    for wrong in ("", "wrong", SECRET.upper()):
        assert "That is not the secret" in text(enter(page, wrong))


def test_guesses_at_links_have_to_wait_and_let_whoever_is_in_go_on(
    store: StudyStore, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong codes count together with wrong invites of the crowd study, in the same file."""
    monkeypatch.setattr("shared.visitors.visitor_address", lambda: "203.0.113.9")
    monkeypatch.delitem(sys.modules, "interviewing.participant", raising=False)
    store.interviews.invite("good-code")
    page = open_page(store, code="good-code")
    for n in range(GUESSES - 2):
        store.note_guess("203.0.113.9", f"guess-{n}")
    for _ in range(3):  # the same broken link counts once
        assert "to its last letter" in text(open_page(store, code="god-code"))
    assert "your name is not kept" in text(open_page(store, code="good-code"))
    assert "to its last letter" in text(open_page(store, code="gut-code"))
    for code in ("good-code", "bad-code"):
        assert "Please open yours again in 10 minutes." in text(open_page(store, code=code))
    assert "your name is not kept" in text(page.run())
    assert "to its last letter" in text(open_page(store)), "no link at all is no guess"
    monkeypatch.setattr("interviewing.participant.visitor_address", lambda: "203.0.113.10")
    assert "your name is not kept" in text(open_page(store, code="good-code"))


def test_registration_keeps_nothing_before_consent(store: StudyStore, open_page: Open) -> None:
    store.interviews.invite("good-code")
    page = open_page(store, code="good-code")
    assert "your name is not kept" in text(page)
    page.button(key="register me").click().run()
    assert "answer the three questions and agree" in text(page)
    assert whoever(store).state == "invited"
    page.radio(key="role").set_value("researcher")
    page.radio(key="experience").set_value("5-10")
    page.radio(key="requirement").set_value("Yes")
    page.checkbox(key="consent").set_value(True)
    page.button(key="register me").click().run()
    person = whoever(store)
    assert (person.state, person.role, person.experience, person.groupings[0]) == (
        "registered",
        "researcher",
        "5-10",
        "label:class 0",
    )
    page.button(key="start").click().run()
    assert "How failures are found" in text(page)
    assert whoever(store).part == "introduction"


def test_who_does_not_fulfil_the_requirement_is_thanked(store: StudyStore, open_page: Open) -> None:
    store.interviews.invite("good-code")
    page = open_page(store, code="good-code")
    page.radio(key="requirement").set_value("No")
    page.button(key="register me").click().run()
    assert "Nothing was kept about you" in text(page)
    assert whoever(store).state == "screened_out"


@pytest.fixture
def at_first(store: StudyStore) -> StudyStore:
    """P1 looks at the first grouping."""
    number = store.interviews.invite("good-code", guided=False)
    store.interviews.register(number, "researcher", "5-10")
    store.interviews.start(number)
    store.interviews.move(number, "first")
    return store


def test_what_is_entered_is_kept_and_comes_back_on_another_page(at_first: StudyStore, open_page: Open) -> None:
    page = open_page(at_first, code="good-code")
    assert whoever(at_first).looks_at == {"grouping": "label:class 0", "node": 2, "feature": 2}
    key = "label:class 0 2"
    page.radio(key=f"describes {key}").set_value("partly").run()
    page.text_area(key=f"description {key}").set_value(NASTY).run()
    page.multiselect(key=f"difficulties {key}").set_value(["several_concepts"]).run()
    page.radio(key=f"necessity {key}").set_value("spurious").run()
    page.multiselect(key="actions label:class 0").set_value(["labels", "training"]).run()
    page.text_area(key="remark").set_value("A thought.").run()
    page.button(key="note remark").click().run()
    tables = at_first.interviews.require_tables()
    row = tables.features.iloc[0]
    assert (row["describes"], row["description"], row["difficulties"]) == ("partly", NASTY, ["several_concepts"])
    assert tables.actions["actions"].tolist() == [["labels", "training"]]
    assert tables.quotes[["author", "text"]].values.tolist() == [["participant", "A thought."]]
    again = open_page(at_first, code="good-code")
    assert again.radio(key=f"describes {key}").value == "partly"
    assert again.text_area(key=f"description {key}").value == NASTY
    assert again.multiselect(key="actions label:class 0").value == ["labels", "training"]
    page.button(key="continue").click().run()
    assert whoever(at_first).part == "second"
    page.button(key="back").click().run()
    assert page.text_area(key=f"description {key}").value == NASTY
    page.button(key="break").click().run()
    assert whoever(at_first).on_break
    page.button(key="go on").click().run()
    assert not whoever(at_first).on_break


def test_what_cannot_be_saved_is_said(at_first: StudyStore, open_page: Open) -> None:
    page = open_page(at_first, code="good-code")
    other = sqlite3.connect(at_first.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    page.radio(key="describes label:class 0 2").set_value("yes").run()
    other.execute("ROLLBACK")
    other.close()
    (said,) = (element.value for element in page.error)
    assert said.startswith("1 entry is not saved yet")
    assert str(at_first.path) not in said
    assert at_first.interviews.require_tables().features.empty
    page.button(key="save again").click().run()
    assert not page.error
    assert at_first.interviews.require_tables().features["describes"].tolist() == ["yes"]


def test_as_many_examples_as_wanted_and_the_lowest_too(at_first: StudyStore, open_page: Open) -> None:
    page = open_page(at_first, code="good-code")
    before = text(page).count("<figure")
    key = "label:class 0 2"
    assert "Most activating images" in text(page)
    assert text(page).count("Feature attack") == 2, "of the panel, and of the images that follow"
    page.button(key=f"more {key}").click().run()
    assert "Further images, the strongest first" in text(page)
    assert text(page).count("<figure") > before
    page.toggle(key=f"low {key}").set_value(True).run()
    assert "the feature is weakest" in text(page)
    assert "Least activating images" in text(page)
    assert text(page).count("Feature attack") == 3
    first = text(page).count("<figure")
    page.button(key=f"more low {key}").click().run()
    assert text(page).count("<figure") == first + 6


def test_the_interviewer_sees_the_session_and_moves_it(at_first: StudyStore, open_page: Open) -> None:
    at_first.interviews.answer_feature(1, "label:class 0", 2, describes="partly", description=NASTY, difficulties=["sensitivity"])
    page = enter(open_page(at_first, "--interviewer"))
    shown = text(page)
    assert "P1 · Researcher · 5 - 10 years · alone" in shown
    assert "describes it: partly" in shown
    assert "&lt;img src=x" in shown
    assert "<img src=x" not in shown.replace("\\<", "")
    page.text_area(key="quote").set_value("Looks like a hair detector.")
    page.selectbox(key="quote theme").set_value("spurious")
    page.button(key="note").click().run()
    quote = at_first.interviews.require_tables().quotes.iloc[0]
    assert (quote["text"], quote["theme"], quote["grouping"], quote["author"]) == (
        "Looks like a hair detector.", "spurious", "label:class 0", "interviewer",
    )  # fmt: skip
    assert page.text_area(key="quote").value == ""
    page.button(key="next").click().run()
    assert whoever(at_first).part == "second"
    page.button(key="move second ↑").click().run()
    assert [part for part, _ in whoever(at_first).plan] == ["introduction", "scenario", "second", "first", "survey"]
    page.number_input(key="minutes of 1 survey 7").set_value(9).run()
    assert dict(whoever(at_first).plan)["survey"] == 9
    page.button(key="end").click().run()
    assert whoever(at_first).state == "finished"


def test_the_survey_is_answered_in_private(at_first: StudyStore, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the participant's page it is kept and sent; the interviewer's process neither loads its page nor reads its table."""
    at_first.interviews.move(1, "survey")
    page = open_page(at_first, code="good-code")
    for level, name in enumerate(("useful", "important", "easy"), 2):
        page.radio(key=f"statement {name}").set_value(level).run()
    # By the link alone, which the interviewer has as well, nothing of it is seen; by the address that this browser came to, it goes on.
    assert open_page(at_first, code="good-code").radio(key="statement easy").value is None
    key = page.query_params["key"]
    assert isinstance(key, str)
    again = open_page(at_first, code="good-code", key=key)
    assert again.radio(key="statement easy").value == 4
    again.button(key="send survey").click().run()
    assert "They cannot be seen or changed any more" in text(again)
    with at_first._file.reading() as db:
        kept = db.conn.execute("SELECT answers, sent FROM interview_opinion").fetchall()
    assert [tuple(row) for row in kept] == [('{"useful": 2, "important": 3, "easy": 4}', 1)]

    for name in [name for name in sys.modules if name.split(".")[0] == "interviewing"]:
        monkeypatch.delitem(sys.modules, name)
    read: list[str] = []
    connect = sqlite3.connect

    def watched(*given: object, **options: object) -> sqlite3.Connection:
        connection = connect(*given, **options)  # type: ignore[call-overload]
        connection.set_authorizer(lambda action, table, *_: read.append(str(table)) or sqlite3.SQLITE_OK)
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    import streamlit

    streamlit.cache_resource.clear()  # the interviewer's process opens the file itself
    second = enter(open_page(at_first, "--interviewer"))
    shown = text(second)
    assert "Closing survey: sent. Its answers are private" in shown
    assert "interview_feature_answer" in read
    assert "interview_opinion" not in read
    assert not [name for name in sys.modules if name in ("interviewing.survey", "interviewing.participant")]
    for _, statement in at_first.interviews.protocol.statements:  # type: ignore[union-attr]
        assert statement not in shown


def test_two_coders_code_on_their_own(at_first: StudyStore, open_page: Open) -> None:
    at_first.interviews.answer_actions(1, "label:class 0", text="Take other photos.")
    for coder, codes in (("anna", ["data_collection"]), ("bert", ["labels"])):
        page = enter(open_page(at_first, "--interviewer"))
        page.text_input(key="coder").set_value(coder).run()
        field = page.multiselect(key=f"codes {coder} actions P1 label:class 0 -1")
        assert field.value == []
        field.set_value(codes).run()
    found = at_first.interviews.require_tables().codings
    assert found[["coder", "codes"]].values.tolist() == [["anna", ["data_collection"]], ["bert", ["labels"]]]


def test_participants_are_invited_on_the_second_screen(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store, "--interviewer"))
    assert "Nobody has registered yet" in text(page)
    page.number_input(key="how many").set_value(2)
    page.toggle(key="alone").set_value(True)
    page.button(key="invite").click().run()
    people = store.interviews.require_tables().participants
    assert people["guided"].tolist() == [False, False]
    assert page.dataframe[0].value["link"].str.startswith("?code=").all()
