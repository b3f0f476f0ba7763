"""The admin page: who gets in, what they see and do, and that a worker's page never leads there."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from administering.panes import export_zip
from shared.door import Attempts, allowed_emails, may_enter, try_secret
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


def test_a_deleted_log_is_said_on_top(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    assert "deleted" not in text(page)
    Path(f"{store.path}-wal").unlink()
    page.run()
    assert "was deleted or replaced while the study was in use" in page.error[0].value
    assert "do not kill them" in page.error[0].value


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


def test_pay_from_the_page(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    page.button(key="make payments").click().run()
    assert "Nothing of it is due any more" in text(page)
    (file,) = store.payment_files()
    assert (file.platform, str(file.total), file.state) == ("link", "0.50", "made")
    page.button(key="make payments").click().run()
    assert len(store.payment_files()) == 1
    page.button(key="paid 1").click().run()
    assert store.payment_files()[0].state == "paid"


def test_pause_invite_and_change_settings_from_the_page(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    page.button(key="pause").click().run()
    assert not store.settings.recruiting
    assert "Paused: nobody new is let in" in text(page)
    page.button(key="resume").click().run()
    assert store.settings.recruiting
    page.number_input(key="more invites").set_value(3)
    page.button(key="invite").click().run()
    assert len(store.settings.invite_codes) == 3
    page.selectbox(key="setting").select("items_per_worker").run()
    page.text_area(key="value of items_per_worker").set_value("7")
    page.button(key="change setting").click().run()
    assert store.settings.items_per_worker == 7
    page.text_area(key="value of items_per_worker").set_value("many")
    page.button(key="change setting").click().run()
    assert "items_per_worker must be a whole number" in text(page).replace("\\", "")


def test_reports_are_shown_and_done(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    assert "Problems (1)" in [tab.label for tab in page.tabs]
    page.selectbox(key="report").select_index(0).run()
    assert NASTY in [element.value for element in page.text]
    page.button(key="report done").click().run()
    assert store.reports()["done"].tolist() == [True]
    assert "Problems" in [tab.label for tab in page.tabs]


def test_reject_one_answer_and_withdraw_from_the_page(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    page.selectbox(key="worker").select("worker-1").run()
    page.selectbox(key="one of worker-1").select_index(0).run()
    page.text_input(key="why worker-1").set_value("says nothing")
    page.button(key="reject").click().run()
    assert len(store.answers()) == 0
    page.button(key="unreject").click().run()
    assert len(store.answers()) == 1
    assert page.button(key="withdraw").disabled
    page.text_input(key="withdraw worker-1").set_value("worker-1").run()
    page.button(key="withdraw").click().run()
    assert store.worker("worker-1").state == "withdrawn"  # type: ignore[union-attr]
    assert "is deleted" in text(page)


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


def test_guessing_is_slowed_down_and_locks_nobody_out(store: StudyStore) -> None:
    now, slept = [0.0], []
    attempts = Attempts(clock=lambda: now[0], sleep=slept.append)
    for guess in range(10):
        assert str(try_secret(store, f"guess {guess}", attempts)).startswith("That is not the secret of this study.")
    assert slept == []
    assert "each try takes 2 seconds" in str(try_secret(store, "guess 11", attempts))
    assert try_secret(store, SECRET, attempts) is None, "the researcher comes in while somebody guesses"
    assert slept == [2.0, 2.0]
    now[0] = 61.0
    assert try_secret(store, SECRET, attempts) is None
    assert len(slept) == 2


def test_a_new_secret_holds_at_once_also_for_who_is_in(store: StudyStore, open_page: Open) -> None:
    page = enter(open_page(store.path))
    assert page.dataframe
    with StudyStore(store.path) as other:
        other.configure(admin_hash=hashed("another secret of this study"))
    page.run()
    assert not page.dataframe
    assert "That is not the secret" in text(enter(page))
    assert enter(page, "another secret of this study").dataframe


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
