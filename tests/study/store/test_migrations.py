"""Files of every earlier schema can be opened. The fixtures in schemas/ are dumps, and are never changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from barlow_core.errors import BarlowError
from study.store import StudyStore, migrations

Make = Callable[..., StudyStore]
SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"), key=lambda path: int(path.stem))


def build(dump: Path, path: Path) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()
    return path


def layout(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'").fetchall()
    connection.close()
    return {name: " ".join(sql.replace('"', "").split()) for name, sql in rows}


def test_there_is_a_fixture_of_every_schema() -> None:
    assert [int(path.stem) for path in SCHEMAS] == list(range(1, migrations.newest() + 1))


@pytest.mark.parametrize("dump", SCHEMAS, ids=lambda path: path.stem)
def test_a_file_of_an_earlier_schema_opens_and_goes_on(dump: Path, tmp_path: Path, answers: dict) -> None:
    path = build(dump, tmp_path / "study.sqlite")
    with StudyStore(path) as store:
        assert store.check() == []
        assert store.settings.title == f"Fixture of schema {dump.stem}"
        assert store.settings.invite_codes == ("anna-1234",)
        assert sorted(store.answers()["worker"]) == ["5f3c0a1b2c3d4e5f60718293", "anna-1234"]
        assert store.answers()["long"].str.startswith("'quoted' =1+1").any()
        assert store.workers().set_index("worker")["state"].to_dict() == {
            "5f3c0a1b2c3d4e5f60718293": "active",
            "anna-1234": "active",
            "60b1c2d3e4f5061728394a5b": "blocked",
            "leaver": "withdrawn",
        }
        assert store.reports()["text"].tolist() == ["blurred"]
        assert dict(zip(store.payments()["worker"], store.payments()["items"], strict=True)) == {
            "5f3c0a1b2c3d4e5f60718293": 2,
            "anna-1234": 2,
            "60b1c2d3e4f5061728394a5b": 2,
            "leaver": 0,
        }
        item = store.claim("anna-1234")
        assert item is not None
        store.submit("anna-1234", item.id, answers, item.token)
        assert store.check() == []


def test_a_new_file_has_the_layout_of_the_newest_fixture(make_store: Make, tmp_path: Path) -> None:
    """Whoever changes the tables adds a step and a fixture: files that people have do not change by themselves."""
    store = make_store()
    assert layout(build(SCHEMAS[-1], tmp_path / "fixture.sqlite")) == layout(store.path)


def test_the_interviews_of_the_fixture_are_read(tmp_path: Path) -> None:
    with StudyStore(build(SCHEMAS[2], tmp_path / "study.sqlite")) as store:
        found = store.interviews.tables(survey=True)
        assert found is not None
        assert found.participants["state"].tolist() == ["finished", "withdrawn", "invited"]
        assert found.quotes["text"].tolist() == ["Looks like a hair detector."]
        assert found.features["difficulties"].tolist() == [["several_concepts"]]
        assert (found.n_opinions, found.n_waiting) == (0, 1)


def test_a_file_of_a_later_schema_is_refused_and_left_alone(store: StudyStore) -> None:
    store.close()
    connection = sqlite3.connect(store.path)
    connection.execute(f"PRAGMA user_version = {migrations.newest() + 1}")
    connection.close()
    before = store.path.read_bytes()
    with pytest.raises(BarlowError, match="pip install --upgrade barlow"):
        StudyStore(store.path)
    assert store.path.read_bytes() == before


def test_a_migration_keeps_the_file_as_it_was_among_the_backups(
    store: StudyStore, monkeypatch: pytest.MonkeyPatch, answers: dict
) -> None:
    item = store.claim("w")
    assert item is not None
    store.submit("w", item.id, answers)
    earlier = store.backup()
    store.close()

    def add_colour(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE item ADD COLUMN colour TEXT")

    monkeypatch.setattr(migrations, "STEPS", [*migrations.STEPS, add_colour])
    with StudyStore(store.path) as again:
        assert len(again.answers()) == 1
        assert again.check() == []
        with again._file.reading() as db:
            assert "colour" in db["item"].columns_dict
            assert db.conn.execute("PRAGMA user_version").fetchone()[0] == migrations.newest()
        (kept,) = [path for path in earlier.parent.iterdir() if "before-migration" in path.name]
        # An earlier backup is brought up to date on its way back, and by a withdrawal.
        assert set(again.withdraw("w").cleaned) == {earlier, kept}
    with StudyStore.restore(earlier, store.path) as restored:
        assert restored.worker("w").state == "withdrawn"  # type: ignore[union-attr]


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    store: StudyStore, monkeypatch: pytest.MonkeyPatch, answers: dict
) -> None:
    item = store.claim("w")
    assert item is not None
    store.submit("w", item.id, answers)
    store.close()

    def lose_workers(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("DELETE FROM worker")

    monkeypatch.setattr(migrations, "STEPS", [*migrations.STEPS, lose_workers])
    with pytest.raises(BarlowError, match="could not be brought to schema version"):
        StudyStore(store.path)
    monkeypatch.undo()
    with StudyStore(store.path) as again:
        assert len(again.answers()) == 1
        assert again.check() == []


def test_what_the_platform_paid_before_there_was_a_ledger_stays_paid(tmp_path: Path) -> None:
    """Whoever stopped was given the completion code in those days, so the platform paid the reward."""
    path = build(SCHEMAS[0], tmp_path / "study.sqlite")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE study SET value = '\"0.75\"' WHERE key = 'base_pay'")
    connection.execute("UPDATE event SET data = json_set(data, '$.outcome', 'stopped') WHERE kind = 'finished'")
    connection.commit()
    connection.close()
    with StudyStore(path) as store:
        table = store.payments().set_index("worker")
        assert [f"{table.loc['5f3c0a1b2c3d4e5f60718293', name]:.2f}" for name in ("amount", "base", "due")] == [
            "1.00",
            "0.75",
            "0.25",
        ]
        events = store.events()
        assert '"outcome":"partial"' in events.loc[events["kind"] == "finished", "data"].iloc[0].replace(" ", "")
        made = store.make_payments("prolific")
        assert made is not None
        assert str(made.total) == "1.25"  # and a dollar for the one who was blocked
