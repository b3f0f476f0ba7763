"""Backups, restores and withdrawals: what must be there is, and what must be gone is gone from every byte."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_clock import FakeClock

from barlow_core.errors import BarlowError
from study.errors import NotSavedError, RefusedError
from study.store import StudyStore

Make = Callable[..., StudyStore]
MARK = "quokka7391"  # in everything that the worker who leaves ever typed


def traces(folder: Path, mark: str) -> list[str]:
    """The files below `folder` whose bytes hold `mark`."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and mark.encode() in path.read_bytes()
    )


@pytest.fixture
def busy_study(make_store: Make, answers: dict, clock: FakeClock) -> StudyStore:
    """Two workers have answered, one of them with `MARK` in answers, drafts, an edit, a report; with backups before and after."""
    store = make_store(items=[f"i{n}" for n in range(6)], invite_codes=["leaver-1", "stayer-1"], patience=1.0)
    store.register("leaver-1", platform="link", details={"note": MARK})
    for worker in ("leaver-1", "stayer-1"):
        for n in range(3):
            item = store.claim(worker)
            assert item is not None
            text = f"{MARK} fur" if worker == "leaver-1" else "plain fur"
            store.save_draft(worker, item.id, {"short": text, "long": f"{text} draft {n}"})
            store.submit(worker, item.id, answers | {"short": text, "long": text})
            if n == 0:
                store.backup()
                store.edit(worker, item.id, answers | {"short": text, "long": f"{text} edited"})
                store.report(worker, item.id, f"{text} is broken")
            clock.advance(2)
    item = store.claim("leaver-1")
    assert item is not None
    store.save_draft("leaver-1", item.id, {"long": f"{MARK} not sent"})
    return store


def test_a_withdrawal_leaves_no_trace_in_the_file_its_log_and_its_backups(busy_study: StudyStore, tmp_path: Path) -> None:
    store = busy_study
    store.backup(tmp_path / "elsewhere" / "copy.sqlite")
    assert len(traces(tmp_path, MARK)) >= 4  # the file or its log, and the backups
    done = store.withdraw("leaver-1")
    assert (done.answers, len(done.cleaned), dict(done.out_of_reach)) == (3, 3, {})
    assert traces(tmp_path, MARK) == []
    assert store.check() == []
    assert set(store.answers()["worker"]) == {"stayer-1"}
    assert store.worker("leaver-1").state == "withdrawn"  # type: ignore[union-attr]
    assert store.payments().set_index("worker")["items"].to_dict() == {"leaver-1": 3, "stayer-1": 3}
    for path in done.cleaned:
        with StudyStore.restore(path, tmp_path / f"from-{path.name}") as copy:
            assert "leaver-1" not in set(copy.answers()["worker"])
            assert copy.check() == []


def test_who_withdrew_gets_no_more_items_and_sends_nothing(busy_study: StudyStore, answers: dict) -> None:
    busy_study.withdraw("leaver-1")
    assert busy_study.standing("leaver-1").outcome == "refused"
    for call in (lambda: busy_study.claim("leaver-1"), lambda: busy_study.submit("leaver-1", "i0", answers)):
        with pytest.raises(RefusedError):
            call()
    assert busy_study.withdraw("leaver-1").answers == 0


def test_to_forget_takes_the_id_away_too(busy_study: StudyStore, tmp_path: Path) -> None:
    pseudonym = busy_study.withdraw("leaver-1", forget=True).pseudonym
    assert traces(tmp_path, "leaver-1") == []
    busy_study.claim("stayer-1")  # the next to write reads the settings anew
    assert busy_study.settings.invite_codes == ("stayer-1",)
    assert busy_study.worker("leaver-1") is None
    assert busy_study.worker(pseudonym).state == "withdrawn"  # type: ignore[union-attr]
    assert busy_study.check() == []


def test_a_reader_who_holds_an_old_state_is_named_and_doing_it_again_finishes(busy_study: StudyStore, tmp_path: Path) -> None:
    reader = sqlite3.connect(busy_study.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM answer").fetchone()
    with pytest.raises(NotSavedError, match="is reading"):
        busy_study.withdraw("leaver-1")
    assert any("withdrawal" in problem for problem in busy_study.check())
    reader.execute("ROLLBACK")
    reader.close()
    busy_study.withdraw("leaver-1")
    assert traces(tmp_path, MARK) == []
    assert busy_study.check() == []


def test_a_backup_that_was_moved_away_is_named(busy_study: StudyStore, tmp_path: Path) -> None:
    copy = busy_study.backup(tmp_path / "copy.sqlite")
    copy.rename(tmp_path / "moved.sqlite")
    done = busy_study.withdraw("leaver-1")
    assert list(done.out_of_reach) == [copy]
    assert traces(tmp_path, MARK) == ["moved.sqlite"]


def test_a_backup_is_one_file_that_is_complete(busy_study: StudyStore, tmp_path: Path) -> None:
    copy = busy_study.backup()
    assert copy.parent == tmp_path / "study.sqlite.backups"
    assert copy.name == "study-20250301T120012Z.sqlite"
    with sqlite3.connect(f"file:{copy}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
        assert connection.execute("SELECT count(*) FROM answer").fetchone()[0] == 6
    connection.close()
    with pytest.raises(BarlowError, match="exists already"):
        busy_study.backup(copy)


def test_a_backup_while_people_answer_is_a_state_that_was(make_store: Make, answers: dict) -> None:
    store = make_store(items=[f"i{n}" for n in range(40)], answers_per_item=2)

    def work(worker: str) -> None:
        while (item := store.claim(worker)) is not None:
            store.submit(worker, item.id, answers)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    copies = [store.backup() for _ in range(3)]
    for thread in threads:
        thread.join()
    counts = []
    for copy in copies:
        with StudyStore(copy) as one:
            assert one.check() == []
            counts.append(len(one.answers()))
    assert counts == sorted(counts)
    assert len(store.answers()) == 80


def test_a_restore_goes_back_and_whoever_has_the_study_open_goes_on(
    make_store: Make, open_again: Callable[..., StudyStore], answers: dict, tmp_path: Path, clock: FakeClock
) -> None:
    store = make_store()
    store.claim("w1")
    copy = store.backup()
    other = open_again(store)
    item = other.claim("w1")
    assert item is not None
    other.submit("w1", item.id, answers)
    other.configure(title="later")
    with StudyStore.restore(copy, store.path, clock=clock) as restored:
        assert len(restored.answers()) == 0
    assert len(other.answers()) == 0
    other.submit("w1", item.id, answers, item.token)  # what was reserved then is reserved again
    assert other.settings.title != "later"
    assert other.check() == []
    before = [path for path in (tmp_path / "study.sqlite.backups").iterdir() if "before-restore" in path.name]
    assert len(before) == 1
    with StudyStore(before[0]) as kept:
        assert len(kept.answers()) == 1


def test_who_withdrew_stays_withdrawn_when_an_older_backup_comes_back(busy_study: StudyStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside.sqlite"
    busy_study.backup(outside)
    kept = outside.read_bytes()
    busy_study.withdraw("leaver-1")
    outside.write_bytes(kept)  # a copy that the withdrawal could not reach, put back
    with StudyStore.restore(outside, busy_study.path) as restored:
        assert restored.worker("leaver-1").state == "withdrawn"  # type: ignore[union-attr]
        assert set(restored.answers()["worker"]) == {"stayer-1"}
        assert restored.check() == []
    busy_study.close()
    assert traces(tmp_path, MARK) == ["outside.sqlite"]


def test_a_damaged_study_is_moved_aside_and_the_backup_takes_its_place(busy_study: StudyStore, tmp_path: Path) -> None:
    copy = busy_study.backup()
    busy_study.close()
    busy_study.path.write_bytes(b"no database at all" * 100)
    with StudyStore.restore(copy, busy_study.path) as restored:
        assert len(restored.answers()) == 6
    assert any("damaged" in path.name for path in copy.parent.iterdir())


@pytest.mark.parametrize("content", [b"", b"text" * 1000])
def test_what_is_no_backup_is_refused_and_changes_nothing(store: StudyStore, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    for source in (tmp_path / "bad", tmp_path / "none", store.path):
        with pytest.raises(BarlowError):
            StudyStore.restore(source, store.path)
    assert store.check() == []


def test_a_backup_of_another_study_is_refused(make_store: Make) -> None:
    one, other = make_store("one.sqlite"), make_store("other.sqlite")
    with pytest.raises(BarlowError, match="another study"):
        StudyStore.restore(one.backup(), other.path)


def test_the_list_of_invited_people_and_the_admin_secret_are_not_in_the_audit_trail(store: StudyStore) -> None:
    store.configure(invite_codes=["anna-1234", "ben-5678"], admin_hash="scrypt$x", title="New")
    trail = json.loads(store.events().query("kind == 'configured'")["data"].iloc[0])
    assert trail == {"invite_codes": "changed", "admin_hash": "changed", "title": "New"}
