"""The worker's page without a browser: who is let in, and what every page says."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from annotating import task, visit
from streamlit.testing.v1 import AppTest
from worker_study import ANSWERS, FEEDBACK, make_worker_study

from barlow_core.storage.shipped import apps_dir
from study.setup.frozen_panels import panels_folder
from study.store import StudyStore
from study.texts import ENGLISH

QUIZ = ENGLISH.study["quiz"]

Open = Callable[..., AppTest]
PERSON = "5a9d64f5f6dfdd0001eaa73d"
PROLIFIC = {"PROLIFIC_PID": PERSON, "STUDY_ID": "6b" * 12, "SESSION_ID": "7c" * 12}
MTURK = {"assignmentId": "3ABCDEF", "hitId": "3HIT0", "workerId": "A1WORKER", "turkSubmitTo": "https://workersandbox.mturk.com"}


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Start the page as `streamlit run apps/annotate.py -- STUDY` does, at the address ?name=value&..."""

    def start(study: StudyStore | Path | None, *options: str, **parameters: str) -> AppTest:
        path = study.path if isinstance(study, StudyStore) else study
        monkeypatch.setattr(sys, "argv", ["annotate.py", *([str(path)] if path else []), *options])
        page = AppTest.from_file(str(apps_dir() / "annotate.py"), default_timeout=60)
        for name, value in parameters.items():
            page.query_params[name] = value
        return page.run()

    return start


@pytest.fixture
def store(tmp_path: Path) -> StudyStore:
    return make_worker_study(tmp_path / "study.sqlite")


def html(page: AppTest) -> str:
    """All HTML of the page, without its style sheets."""
    assert not page.exception, page.exception
    return "\n".join(element.proto.body for element in page.get("html") if not element.proto.body.startswith("<style>"))


def form(page: AppTest) -> dict[str, Any]:
    """What the form was given to show."""
    return component(page, "barlow_task")


def component(page: AppTest, name: str) -> dict[str, Any]:
    """What a part of the page that runs in the browser was given."""
    assert not page.exception, page.exception
    (element,) = [one for one in page.get("bidi_component") if one.proto.component_name == name]
    found: dict[str, Any] = json.loads(element.proto.json)
    return found


def own_link(page: AppTest) -> dict[str, str]:
    """The parameters that the address in the browser becomes."""
    link: dict[str, str] = component(page, "barlow_around")["link"]
    return link


def to_the_tasks(page: AppTest) -> AppTest:
    page.button(key="agree").click().run()
    return page.button(key="start").click().run()


def test_the_way_to_the_first_task(store: StudyStore, open_page: Open) -> None:
    page = open_page(store, **PROLIFIC)
    text = html(page)
    assert "Describe what the pictures have in common" in text
    assert "$0.50 for each task, up to $1.50 in all" in text
    assert store.worker(PERSON) is None, "nothing is kept before they agree"
    page.button(key="agree").click().run()
    assert "You begin with 1 practice task" in html(page)
    assert "legs of animals" in html(page)
    worker = store.worker(PERSON)
    assert worker is not None
    assert (worker.platform, worker.details["session_id"]) == ("prolific", "7c" * 12)
    page.button(key="start").click().run()
    data = form(page)
    assert data["title"] == "Practice"
    assert [question["id"] for question in data["questions"]] == ["short", "long", "ease", "confidence", "useful"]
    assert [section["letter"] for section in data["sections"]] == ["A", "B", "C"]
    pictures = [picture for section in data["sections"] for picture in section["pictures"]]
    assert len(pictures) == 9
    assert all(picture["src"].startswith("mock/media/") and picture["width"] for picture in pictures)
    assert len({picture["alt"] for picture in pictures}) == 9
    assert not any("tiger" in picture["alt"] for picture in pictures), "the class would give the answer away"


def test_who_was_here_before_is_not_asked_again(store: StudyStore, open_page: Open) -> None:
    first = form(to_the_tasks(open_page(store, **PROLIFIC)))
    again = form(open_page(store, **PROLIFIC))
    assert again["item"] == first["item"]
    assert again["token"] == first["token"]


def test_an_open_link_becomes_personal(store: StudyStore, open_page: Open) -> None:
    page = to_the_tasks(open_page(store))
    (invite,) = own_link(page).values()
    assert invite.startswith("guest-")
    assert store.worker(invite) is not None
    assert form(open_page(store, invite=invite))["title"] == "Practice"


def test_consent_says_what_is_asked_and_what_is_paid(tmp_path: Path, open_page: Open) -> None:
    given = {"bonus": "2", "bonus_after": 3, "quiz": QUIZ, "items_per_worker": 100, "minutes_per_item": 1.5}
    store = make_worker_study(tmp_path / "study.sqlite", practice=2, tasks=90, attention=3, pictures=False, **given)
    text = unescape(html(open_page(store)))
    for fact in (
        "Up to 93 tasks, about 1.5 minutes each; 2.3 hours for all of them",
        "$0.50 for each task, up to $46.50 in all",
        "A bonus of $2.00 if you answer at least 3 tasks and pass every attention check",
        "Not paid: 2 practice tasks at the beginning, about 3 minutes",
        "Not paid: 3 questions about the instructions",
        "A place is kept for you for 10 minutes",
    ):
        assert fact in text
    lean = {"items_per_visit": 1, "pay_per_item": "0", "bonus": "2", "bonus_after": 9}  # which nobody can get
    small = make_worker_study(tmp_path / "small.sqlite", practice=0, tasks=4, attention=1, pictures=False, **lean)
    text = html(open_page(small, **PROLIFIC))
    assert "One task, about 2.5 minutes" in text
    assert "Up to 5 tasks" in html(open_page(small)), "a plain link has no visits"
    for absent in ("Not paid", "bonus of", "for each task"):
        assert absent not in text


def test_the_browser_chooses_the_language(tmp_path: Path, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_worker_study(tmp_path / "study.sqlite", pictures=False, languages=("en", "de"), currency="EUR")
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.headers", {"Accept-Language": "de-DE,en;q=0.5"})
    page = open_page(store)
    text = unescape(html(page))
    assert "Beschreiben Sie, was die Bilder gemeinsam haben" in text
    assert "0,50\N{NO-BREAK SPACE}€ für jede Aufgabe, insgesamt bis zu 1,50\N{NO-BREAK SPACE}€" in text
    assert component(page, "barlow_around") | {"link": None} == {
        "page": "consent",
        "link": None,
        "language": "de",
        "direction": "ltr",
    }
    data = form(to_the_tasks(page))
    assert (data["title"], data["questions"][2]["high_label"]) == ("Übung", "sehr leicht")
    assert data["texts"]["form.send"] == "Antwort abschicken"
    at = page.session_state["visit"]
    message = {"id": "1", "kind": "submit", "item": at.store.item_code(at.item), "token": at.claimed.token}
    visit.handle(at, message | {"answers": {**ANSWERS, "short": "vier Wörter sind zuviel", "useful": None}})
    assert at.receipts["1"]["problems"] == {
        "short": "Kurze Beschreibung: Bitte verwenden Sie höchstens 3 Wörter; es sind 4.",
        "useful": "Nützlichster Abschnitt: Bitte wählen Sie etwas aus.",
    }
    text = unescape(html(open_page(store, invite="?")))
    assert "Der Einladungscode in diesem Link gehört nicht zu dieser Studie." in text


def test_back_on_an_open_link_stays_the_same_guest(store: StudyStore, open_page: Open) -> None:
    page = open_page(store)
    link = own_link(page)
    assert not page.query_params, "no step is added to the browser's history"
    assert own_link(page.run()) == link, "the address as it was opened"
    page.button(key="agree").click().run()
    assert store.workers()["worker"].tolist() == [link["invite"]]


def test_who_declines_leaves_nothing(store: StudyStore, open_page: Open) -> None:
    page = open_page(store, **PROLIFIC)
    page.button(key="decline").click().run()
    assert "You have not taken part" in html(page)
    assert store.worker(PERSON) is None
    assert len(store.events()) == 0


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}, "Prolific did not fill in PROLIFIC_PID"),
        ({"PROLIFIC_PID": "' OR 1=1 --"}, "not an ID of Prolific"),
        ({"STUDY_ID": "6b" * 12}, "does not hold your Prolific ID"),
        ({"invite": "<script>alert(1)</script>"}, "not one of this study"),
        ({**MTURK, "turkSubmitTo": "https://evil.example"}, "not an address of Mechanical Turk"),
        ({**MTURK, **PROLIFIC}, "mixes parameters"),
    ],
)
def test_a_link_that_names_nobody_is_explained(store: StudyStore, open_page: Open, parameters: dict[str, str], said: str) -> None:
    text = html(open_page(store, **parameters))
    assert said in unescape(text)
    assert "We cannot let you in yet" in text
    assert "study@example.org" in text
    assert "<script" not in text
    assert len(store.workers()) == 0


def test_a_preview_keeps_nothing(store: StudyStore, open_page: Open) -> None:
    page = open_page(store, **{**MTURK, "assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "workerId": ""})
    data = form(page)
    assert data["mode"] == "preview"
    assert len(data["sections"]) == 3
    assert len(store.workers()) == len(store.events()) == 0


def test_a_researchers_preview_keeps_nothing(store: StudyStore, open_page: Open) -> None:
    page = to_the_tasks(open_page(store, "--preview"))
    assert "nothing is saved" in html(page)
    data = form(page)
    assert (data["title"], data["mode"], len(data["sections"])) == ("Practice", "answer", 3)
    at = page.session_state["visit"]
    visit.handle(
        at, {"id": "1", "kind": "submit", "item": at.store.item_code(at.item), "token": at.claimed.token, "answers": ANSWERS}
    )
    assert form(page.run())["mode"] == "feedback"
    assert len(store.workers()) == len(store.events()) == 0


def test_texts_of_the_study_are_texts(tmp_path: Path, open_page: Open) -> None:
    nasty = "<img src=x onerror=alert(1)> **bold** $x$ & more"
    store = make_worker_study(
        tmp_path / "study.sqlite", consent=nasty, title=nasty, instructions=(nasty,), examples=({"shows": nasty, "good": nasty},)
    )
    page = open_page(store, **PROLIFIC)
    assert "<img" not in html(page)
    assert html(page).count("&lt;img src=x onerror=alert(1)&gt; **bold** $x$ &amp; more") == 2
    page.button(key="agree").click().run()
    assert "<img" not in html(page)
    assert html(page).count("&lt;img") == 3


@pytest.mark.parametrize(("platform", "expected"), [("prolific", "submissions/complete?cc=C0DE123"), ("link", "C0DE123")])
def test_the_end_leads_back(tmp_path: Path, open_page: Open, platform: str, expected: str) -> None:
    store = make_worker_study(tmp_path / "study.sqlite", practice=0, tasks=1, invite_codes=("ABCD-1234",), open_link=False)
    parameters, worker = (PROLIFIC, PERSON) if platform == "prolific" else ({"invite": "ABCD-1234"}, "ABCD-1234")
    page = to_the_tasks(open_page(store, **parameters))
    store.submit(worker, store.item_of(form(page)["item"]), ANSWERS)
    text = html(open_page(store, **parameters))
    assert "Thank you!" in text
    assert expected in text
    assert "1 answer sent, $0.50 earned" in text
    assert ('target="_top"' in text) is (platform == "prolific")


def test_the_end_of_a_hit_is_a_form_to_amazon(tmp_path: Path, open_page: Open) -> None:
    store = make_worker_study(tmp_path / "study.sqlite", practice=0, tasks=1)
    page = to_the_tasks(open_page(store, **MTURK))
    store.submit("A1WORKER", store.item_of(form(page)["item"]), ANSWERS)
    text = html(open_page(store, **MTURK))
    assert 'action="https://workersandbox.mturk.com/mturk/externalSubmit" method="post"' in text
    assert '<input type="hidden" name="assignmentId" value="3ABCDEF">' in text


def test_the_next_hit_of_the_same_person(tmp_path: Path, open_page: Open) -> None:
    """One item a HIT: after it the form to Amazon, and with another HIT the next item, without consent or instructions again."""
    store = make_worker_study(tmp_path / "study.sqlite", practice=0, tasks=2, items_per_visit=1)
    first = form(to_the_tasks(open_page(store, **MTURK)))["item"]
    store.submit("A1WORKER", store.item_of(first), ANSWERS)
    assert "3ABCDEF" in html(open_page(store, **MTURK))
    second = form(open_page(store, **{**MTURK, "assignmentId": "3SECOND"}))["item"]
    assert second != first
    assert store.worker("A1WORKER").details["assignment"] == "3SECOND"  # type: ignore[union-attr]


def test_the_quiz_on_the_page(tmp_path: Path, open_page: Open) -> None:
    store = make_worker_study(tmp_path / "study.sqlite", pictures=False, quiz=QUIZ)
    page = to_the_tasks(open_page(store, **PROLIFIC))
    assert "Before you start: 3 questions" in html(page)
    page.button[0].click().run()
    assert "this is your last try" in html(page)
    for number, question in enumerate(QUIZ):
        page.radio[number].set_value(question["answer"])
    page.button[0].click().run()
    assert form(page)["title"] == "Practice"


def test_the_link_becomes_the_workers_own_after_consent(store: StudyStore, open_page: Open) -> None:
    page = open_page(store, **PROLIFIC)
    assert own_link(page) == PROLIFIC
    to_the_tasks(page)
    key = own_link(page)["key"]
    assert store.is_signed(PERSON, key)
    assert form(open_page(store, PROLIFIC_PID=PERSON, key=key))["title"] == "Practice"
    assert "does not show that it is you" in html(open_page(store, PROLIFIC_PID=PERSON))


def test_a_blocked_worker_hears_it(store: StudyStore, open_page: Open) -> None:
    page = to_the_tasks(open_page(store, **PROLIFIC))
    store.block(PERSON)
    assert "There are no more tasks for you" in html(open_page(store, **PROLIFIC))
    assert not page.exception


def test_pictures_that_changed_are_not_shown(store: StudyStore, open_page: Open) -> None:
    for file in panels_folder(store.path).glob("*/a_0.png"):
        file.write_bytes(b"something else")
    data = form(to_the_tasks(open_page(store, **PROLIFIC)))
    assert data["sections"] == []
    assert data["trouble"] == "The pictures of this task cannot be shown. Please report it below, and skip the task."


def test_a_study_without_pictures_works(tmp_path: Path, open_page: Open) -> None:
    store = make_worker_study(tmp_path / "study.sqlite", pictures=False)
    data = form(to_the_tasks(open_page(store, **PROLIFIC)))
    assert (data["sections"], data["trouble"]) == ([], "")


@pytest.mark.parametrize("what", ["nothing", "missing", "other"])
def test_a_wrong_start_shows_no_traceback(tmp_path: Path, open_page: Open, what: str) -> None:
    path = None if what == "nothing" else tmp_path / "other.sqlite"
    if what == "other":
        (tmp_path / "other.sqlite").write_text("this is no study")
    text = html(open_page(path))
    assert "The study is not available" in text
    assert str(tmp_path) not in text


def test_feedback_stays_text(store: StudyStore, open_page: Open) -> None:
    page = to_the_tasks(open_page(store, **PROLIFIC))
    at = page.session_state["visit"]
    visit.handle(
        at, {"id": "1", "kind": "submit", "item": at.store.item_code(at.item), "token": at.claimed.token, "answers": ANSWERS}
    )
    data = task.form_data(at, None, lambda path: None)
    assert data["feedback"] == {"passed": True, "heading": "Well done.", "text": FEEDBACK}
    assert data["title"] == "Practice"
    assert data["answers"] == ANSWERS


def prose(path: Path) -> list[str]:
    """Texts in a file of Python that look like words for people: two words in a row, where they are neither documentation nor for a log."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    quiet: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            quiet.add(node.value)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log."):
            quiet.update(ast.walk(node))
    texts = [
        node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in quiet
    ]
    without_tags = ((node.lineno, re.sub(r"<[^>]*>?|^[^<]*\">", "", str(node.value))) for node in texts)
    return [f"{path.name}:{line} {text}" for line, text in without_tags if re.search(r"[A-Za-z]{2,}[,.]? [A-Za-z]{2,}", text)]


def test_every_text_of_the_page_is_in_the_catalogue(tmp_path: Path) -> None:
    """The words of the form are looked for in a browser: tests/browser/test_form.py."""
    files = [apps_dir() / "annotate.py", *sorted((apps_dir() / "annotating").glob("*.py"))]
    assert [one for path in files for one in prose(path)] == []
    (tmp_path / "bad.py").write_text(
        '"""Not this one."""\nst.button("Go on now")\nst.html(f"<p class=\'a\'>Thank you, {name}</p>")\n'
    )
    assert len(prose(tmp_path / "bad.py")) == 2
