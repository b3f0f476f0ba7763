from __future__ import annotations

import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.analysis import Filters, StudyData, load_study, study_state
from study.store import StudyStore

ANSWER: dict[str, Any] = {"short": "striped fur", "long": "black stripes", "ease": 4, "confidence": 5, "useful": "B"}


def answer(store: StudyStore, worker: str, **changes: Any) -> str:
    item = store.claim(worker)
    assert item is not None
    store.submit(worker, item.id, ANSWER | changes, item.token)
    return item.id


def test_a_study_file_as_data(tmp_path: Path) -> None:
    items = [{"id": "label:tiger:3", "grouping": "label", "class_name": "tiger", "tier": "top", "feature": 3, "ber": 0.25}]
    items += [{"id": "label:pole:9", "grouping": "label", "class_name": "pole", "tier": "bottom", "feature": 9, "ber": 0.5}]
    with StudyStore.create(tmp_path / "s.sqlite", items=items, answers_per_item=2, pay_per_item="0.50") as store:
        store.register("robot", simulated=True)
        first = answer(store, "ann", short="=1+1")
        answer(store, "robot")
    data = load_study(tmp_path / "s.sqlite")
    assert data.answers["item"].tolist()[0] == first
    assert data.answers.loc[0, "short"] == "=1+1", "free text stays as typed"
    assert set(data.answers["worker"]) == set(data.workers.index), "pseudonyms, the same in both"
    assert "ann" not in data.answers["worker"].tolist()
    assert data.answers["simulated"].tolist() == [False, True]
    assert data.answers["ber"].tolist() == [{"label:tiger:3": 0.25, "label:pole:9": 0.5}[item] for item in data.answers["item"]]
    assert (data.pay_per_item, data.paid, data.currency) == (Decimal("0.50"), Decimal("0.50"), "USD"), (
        "simulated workers are not paid"
    )
    assert data.simulated
    assert not data.all_simulated
    assert data.items.index.tolist() == ["label:tiger:3", "label:pole:9"]
    choices = data.choices()
    assert (choices["classes"], choices["tiers"]) == (["pole", "tiger"], ["top", "bottom"])
    assert choices["has_both"]


def test_practice_checks_surplus_and_discarded_answers_are_no_results(data: StudyData) -> None:
    assert set(data.answers["item"]) <= set(data.items.index)
    assert not data.items.index.str.startswith("attention").any()
    assert len(data.checks) > 0
    assert set(data.checks["kind"]) == {"attention"}


def test_reading_changes_nothing_and_works_while_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with StudyStore.create(path, items=["a", "b"], answers_per_item=1) as store:
        answer(store, "ann")
        before = path.read_bytes()
        writer = sqlite3.connect(path)
        writer.execute("BEGIN IMMEDIATE")
        assert len(load_study(path).answers) == 1
        writer.rollback()
        writer.close()
        assert path.read_bytes() == before


def test_the_state_tells_when_to_read_again(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with StudyStore.create(path, items=["a", "b"], answers_per_item=2) as store:
        empty = study_state(path)
        assert study_state(path) == empty
        item = answer(store, "ann")
        first = study_state(path)
        store.edit("ann", item, ANSWER | {"ease": 1})
        second = study_state(path)
        store.withdraw("ann")
        assert len({empty, first, second, study_state(path)}) == 4


def test_the_digest_is_of_the_answers_and_of_nothing_else(data: StudyData, study_file: Path) -> None:
    assert load_study(study_file).digest == data.digest
    other = StudyData.from_answers(data.answers.assign(ease=3), name=data.name)
    assert other.digest != data.digest
    assert data.filtered(Filters(tiers=("top",))).digest != data.digest


def test_a_table_for_a_notebook() -> None:
    table = pd.DataFrame(
        {"item": ["a", "b"], "worker": ["w", "w"], "ease": [4, None], "submitted_at": ["2026-03-01T10:00:00", None]}
    )
    data = StudyData.from_answers(table, name="mine")
    assert data.answers["useful"].isna().all()
    assert any("'useful'" in note for note in data.notes), "it says what was not asked"
    assert data.choices()["first_day"] == date(2026, 3, 1)
    assert not data.simulated


@pytest.mark.parametrize("content", [b"", b"no study at all", b"SQLite format 3\0 and then rubbish"])
def test_what_is_no_study_is_one_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    with pytest.raises(BarlowError):
        load_study(path)
    with pytest.raises(BarlowError, match="no study"):
        load_study(tmp_path / "missing.sqlite")
