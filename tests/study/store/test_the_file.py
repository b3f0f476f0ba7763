"""The file and what lies beside it: a clean stop, a copy without its log, a log that is deleted, an older copy in its place."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from barlow_core.errors import BarlowError
from study.errors import NotSavedError
from study.store import StudyStore
from study.store.high_water import mark_path, read

Make = Callable[..., StudyStore]


def answer(store: StudyStore, worker: str, answers: dict) -> str:
    item = store.claim(worker)
    assert item is not None
    store.submit(worker, item.id, answers, item.token)
    return item.id


def alone(path: Path, folder: Path) -> int:
    """How many answers a copy of the file holds that was made without its log."""
    shutil.copy(path, folder / "alone.sqlite")
    connection = sqlite3.connect(f"file:{folder / 'alone.sqlite'}?immutable=1", uri=True)
    n: int = connection.execute("SELECT count(*) FROM answer").fetchone()[0]
    connection.close()
    return n


def test_after_a_clean_stop_the_file_alone_is_the_whole_study(make_store: Make, answers: dict, tmp_path: Path) -> None:
    store = make_store()
    other = StudyStore(store.path)  # a second process, as far as the file is concerned
    other.progress()
    answer(store, "w", answers)
    assert alone(store.path, tmp_path) == 0, "it lies in the log"
    store.close()
    assert alone(other.path, tmp_path) == 1
    assert len(other.answers()) == 1
    answer(other, "v", answers)
    other.close()
    assert alone(other.path, tmp_path) == 2


def test_a_copy_without_its_log_in_the_place_of_the_study_is_noticed(make_store: Make, answers: dict, tmp_path: Path) -> None:
    store = make_store()
    answer(store, "w", answers)
    shutil.copy(store.path, tmp_path / "older.sqlite")
    answer(store, "v", answers)
    store.close()
    shutil.move(tmp_path / "older.sqlite", store.path)
    with StudyStore(store.path) as again:
        (problem,) = again.check()
        assert "older than the study was" in problem
        assert "ends at event 0" in problem, "not even the first answer: it lay in the log"
        # Once it is known, work goes on from here.
        answer(again, "x", answers)
        assert again.check() == []


def test_the_mark_follows_every_answer_and_every_way_back(make_store: Make, answers: dict) -> None:
    store = make_store()
    answer(store, "w", answers)
    first = read(store.path)
    assert first is not None
    assert (first.study_id, first.event) == (store.study_id, len(store.events()))
    assert mark_path(store.path).stat().st_mode & 0o077 == 0
    copy = store.backup()
    answer(store, "v", answers)
    store.withdraw("v")
    assert store.check() == []
    StudyStore.restore(copy, store.path).close()
    assert store.check() == []
    mark_path(store.path).write_text("broken")
    assert store.check() == []
    mark_path(store.path).unlink()
    assert store.check() == []


@pytest.mark.parametrize("suffix", ["-wal", ""])
def test_nothing_is_confirmed_once_the_file_or_its_log_is_gone(
    make_store: Make, answers: dict, tmp_path: Path, suffix: str
) -> None:
    store = make_store(answers_per_item=9)
    other = StudyStore(store.path)  # such as the admin page: with two of them, nobody can begin a new log
    answer(store, "w", answers)
    item = store.claim("v")
    assert item is not None
    assert store.trouble() is other.trouble() is None
    lost = Path(f"{store.path}{suffix}")
    if suffix:
        lost.unlink()
    else:
        shutil.copy(lost, tmp_path / "copy")
        (tmp_path / "copy").replace(lost)
    for _ in range(2):
        with pytest.raises(NotSavedError, match="was deleted or replaced while the study was in use") as caught:
            store.submit("v", item.id, answers, item.token)
        assert (caught.value.reason, caught.value.try_again) == ("damaged", False)
    for one in (store, other):
        assert f"{lost} was deleted or replaced" in str(one.trouble())
    other.close()
    store.close()
    if suffix:
        # What was confirmed before is still in the hands of the process, and a clean stop saves it.
        with StudyStore(store.path) as again:
            assert again.answers()["worker"].tolist() == ["w"]
            assert again.check() == []
            answer(again, "v", answers)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who holds locks")
def test_nobody_opens_a_study_whose_log_is_in_use_and_deleted(make_store: Make, answers: dict) -> None:
    store = make_store(answers_per_item=9)
    answer(store, "w", answers)
    Path(f"{store.path}-wal").unlink()
    with pytest.raises(BarlowError, match="do not kill them"):
        StudyStore(store.path)
    assert not Path(f"{store.path}-wal").exists()
    store.close()
    with StudyStore(store.path) as again:
        assert again.answers()["worker"].tolist() == ["w"]


def test_the_only_process_goes_on_with_a_new_log(make_store: Make, answers: dict, tmp_path: Path) -> None:
    store = make_store(answers_per_item=9)
    answer(store, "w", answers)
    item = store.claim("v")
    assert item is not None
    Path(f"{store.path}-wal").unlink()
    store.submit("v", item.id, answers, item.token)
    assert alone(store.path, tmp_path) == 1, "what lay in the deleted log is in the file"
    assert store.trouble() is None
    store.configure(title="Another")
    assert (store.settings.title, len(store.answers()), store.check()) == ("Another", 2, [])
    # The same between a change and its confirmation.
    with store._file.writer.transaction() as tx:
        tx.execute("UPDATE worker SET platform = 'link'")
        Path(f"{store.path}-wal").unlink()
    assert set(store.workers()["platform"]) == {"link"}
    store.close()
    assert alone(store.path, tmp_path) == 2


def test_a_new_log_waits_for_those_who_still_read(make_store: Make, answers: dict) -> None:
    store = make_store(answers_per_item=9)
    answer(store, "w", answers)
    item = store.claim("v")
    assert item is not None
    with store._file.reading() as db:
        db.conn.execute("SELECT count(*) FROM answer").fetchall()
        Path(f"{store.path}-wal").unlink()
        with pytest.raises(NotSavedError):
            store.submit("v", item.id, answers, item.token)
    store.submit("v", item.id, answers, item.token)
    assert len(store.answers()) == 2


def test_the_log_of_a_study_that_others_open_and_close_is_the_same_one(make_store: Make, answers: dict) -> None:
    store = make_store(answers_per_item=9)
    for n in range(3):
        with StudyStore(store.path) as other:
            answer(other, f"other {n}", answers)
        answer(store, f"w{n}", answers)
        store._file.scrub()
    assert len(store.answers()) == 6
    assert store.check() == []


def test_what_a_restore_would_lose_is_known_and_money_does_not_come_back(make_store: Make, answers: dict, tmp_path: Path) -> None:
    store = make_store(items=["a", "b", "c"], answers_per_item=5)
    answer(store, "w", answers)
    copy = store.backup(tmp_path / "elsewhere.sqlite")
    assert store.would_lose(copy).answers == 0
    answer(store, "w", answers)
    answer(store, "v", answers)
    made = store.make_payments("link")
    assert made is not None
    store.settle_payments(made.number, "paid")
    answer(store, "w", answers)
    lost = store.would_lose(copy)
    assert (lost.answers, lost.workers, lost.paid) == (3, 2, 2)
    assert store.backups() == [copy]
    with StudyStore.restore(copy, store.path) as restored:
        assert len(restored.answers()) == 1
        table = restored.payments().set_index("worker")
        assert [str(table.loc["w", name]) for name in ("amount", "paid", "due", "over")] == ["0.50", "1.00", "0.00", "0.50"]
        assert str(table.loc["v", "over"]) == "0.50", "somebody who came after the backup was paid all the same"
        assert restored.progress().money.due == Decimal(0)
        assert restored.make_payments("link") is None
        assert restored.check() == []


def test_exports_with_real_ids_are_for_their_owner_only(make_store: Make, answers: dict, tmp_path: Path) -> None:
    store = make_store()
    answer(store, "w", answers)
    for kind in ("csv", "jsonl", "parquet"):
        store.export(tmp_path / f"real.{kind}", pseudonymous=False)
        assert (tmp_path / f"real.{kind}").stat().st_mode & 0o077 == 0
