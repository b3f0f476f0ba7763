"""The admin page: who gets in, what they see and do, and that a worker's page never leads there."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from administering.door import Attempts, allowed_emails, may_enter, try_secret
from administering.panes import export_zip
from streamlit.testing.v1 import AppTest
from worker_study import ANSWERS, make_worker_study

from barlow_core.storage.shipped import apps_dir
from study.store import StudyStore
from study.store.admin_secret import hashed

Open = Callable[..., AppTest]
SECRET = "correct horse battery"
NASTY = "<img src=x onerror=alert(1)> **bold** $x$ :red[y]"


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    def start(path: Path | None) -> AppTest:
        monkeypatch.setattr(sys, "argv", ["administer.py", *([str(path)] if path else [])])
        return AppTest.from_file(str(apps_dir() / "administer.py"), default_timeout=60).run()

    return start


@pytest.fixture
def store(tmp_path: Path) -> StudyStore:
    """A study with a worker who wrote something nasty and reported something nasty."""
    made = make_worker_study(
        tmp_path / "study.sqlite", practice=0, pictures=False, answers_per_item=2, admin_hash=hashed(SECRET), title=NASTY
    )
    item = made.claim("worker-1").id  # type: ignore[union-attr]
    made.report("worker-1", item, NASTY)
    made.submit("worker-1", item, {**ANSWERS, "long": NASTY})
    return made


def text(page: AppTest) -> str:
    """Everything that the page says outside tables."""
    assert not page.exception, page.exception
    found = [element.proto.body for element in page.get("html")]
    for kind in ("markdown", "caption", "error", "success", "warning", "info"):
        found += [element.value for element in getattr(page, kind)]
    return "\n".join(found)


def enter(page: AppTest, secret: str = SECRET) -> AppTest:
    page.text_input[0].set_value(secret)
    return page.button[0].click().run()


def test_without_the_secret_there_is_nothing_to_see(store: StudyStore, open_page: Open) -> None:
    page = open_page(store.path)
    for wrong in ("", "wrong", SECRET.upper(), store.settings.admin_hash):
        enter(page, wrong)
        assert "That is not the secret of this study." in text(page)
        assert not page.dataframe
        assert "answers" not in text(page)
        assert "&lt;img" not in text(page), "not even its title"


def test_with_the_secret(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    for said in ("0 of 3", "$0.50", "Tasks complete", "&lt;img src=x onerror=alert(1)&gt;"):
        assert said in text(page)
    assert "<img" not in text(page)
    workers, reports = page.dataframe[0].value, page.dataframe[1].value
    assert workers["worker"].tolist() == ["worker-1"]
    assert reports["text"].tolist() == [NASTY]


def test_block_and_let_in_again(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    page.selectbox(key="worker").select("worker-1").run()
    assert page.dataframe[1].value["long"].tolist() == [NASTY]
    page.text_input(key="reason worker-1").set_value("says *nothing*")
    page.button(key="discard").click().run()
    assert "worker-1 is blocked. Their tasks go to others." in text(page)
    assert store.worker("worker-1").state == "blocked"  # type: ignore[union-attr]
    assert len(store.answers()) == 0
    events = store.events()
    assert "says *nothing*" in events.loc[events["kind"] == "blocked", "data"].iloc[0]
    page.button(key="reopen").click().run()
    assert "worker-1 may answer again" in text(page)
    assert len(store.answers()) == 1


def test_backup_and_check(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    page.button(key="check").click().run()
    assert "The file is fine." in text(page)
    page.button(key="backup").click().run()
    (copy,) = (store.path.parent / "study.sqlite.backups").glob("*.sqlite")
    assert copy.name in text(page).replace("\\", "")
    with StudyStore(copy) as found:
        assert len(found.answers()) == 1


def test_download(store: StudyStore) -> None:
    with zipfile.ZipFile(io.BytesIO(export_zip(store, "csv", kinds=("item",), pseudonymous=True))) as archive:
        assert sorted(archive.namelist()) == ["answers.csv", "answers_codebook.csv"]
        table = pd.read_csv(archive.open("answers.csv"))
    assert table["long"].tolist() == [NASTY]
    assert table["worker"].str.startswith("w-").all()


@pytest.mark.parametrize("what", ["none", "missing", "no secret"])
def test_a_page_that_cannot_open_says_why(tmp_path: Path, open_page: Open, what: str) -> None:
    path = None if what == "none" else tmp_path / "study.sqlite"
    if what == "no secret":
        make_worker_study(tmp_path / "study.sqlite", pictures=False).close()
    page = open_page(path)
    said = text(page).replace("\\", "")
    expected = {
        "none": "started without a study",
        "missing": "No study found",
        "no secret": "This study has no admin secret yet",
    }
    assert expected[what] in said
    assert not page.text_input


def test_guessing_is_slowed_down(store: StudyStore) -> None:
    now = [0.0]
    attempts = Attempts(clock=lambda: now[0])
    for guess in range(10):
        assert try_secret(store, f"guess {guess}", attempts) == "That is not the secret of this study."
    assert try_secret(store, SECRET, attempts) == "Too many wrong secrets. Try again in 60 seconds."
    now[0] = 61.0
    assert try_secret(store, SECRET, attempts) is None


@pytest.mark.parametrize(
    ("user", "enters"),
    [
        ({"email": "Ada@Lab.example", "email_verified": True}, True),
        ({"email": "ada@lab.example"}, True),
        ({"email": "ada@lab.example", "email_verified": False}, False),
        ({"email": "eve@lab.example", "email_verified": True}, False),
        ({"email": None}, False),
        ({}, False),
    ],
)
def test_who_logs_in_must_be_on_the_list(monkeypatch: pytest.MonkeyPatch, user: dict[str, object], enters: bool) -> None:
    monkeypatch.setenv("BARLOW_ADMIN_EMAILS", " ada@lab.example, ,Bob@lab.example")
    assert may_enter(user, allowed_emails()) is enters
    monkeypatch.delenv("BARLOW_ADMIN_EMAILS")
    assert not may_enter(user, allowed_emails())


def test_a_workers_page_does_not_lead_here(store: StudyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the admin page is even loaded in the worker's process, whatever the link asks for."""
    for name in [name for name in sys.modules if name.split(".")[0] == "administering"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "argv", ["annotate.py", str(store.path)])
    page = AppTest.from_file(str(apps_dir() / "annotate.py"), default_timeout=60)
    page.query_params["page"] = page.query_params["admin"] = "administer"
    page.session_state["entered"] = True
    page.run()
    assert page.button(key="agree")
    assert not page.dataframe
    assert not any(name.split(".")[0] == "administering" for name in sys.modules)
    assert not (apps_dir() / "pages").exists(), "Streamlit would add its files to every app"
