from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.analysis import Analysis, AnalysisOptions, Filters, StudyData, load_study, study_state
from study.answers.importing import import_answers
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


ATTRIBUTE_VALUES: dict[str, Any] = {
    "grouping": "prediction",
    "class_name": "zebra",
    "group": "label:zebra",
    "tier": "bottom",
    "feature": 77,
    "rank": 77,
    "mutual_information": 0.7,
    "ber": 0.77,
    "activation": 0.77,
    "salience": 0.77,
}


def hundred(**changes: Any) -> pd.DataFrame:
    rows = [{"item": f"i{k % 10}", "worker": f"w{k // 10}", "ease": 1 + k % 5} for k in range(100)]
    return pd.DataFrame(rows).assign(platform="mturk", seconds=30.0, submitted_at=pd.Timestamp("2026-03-01T12:00:00Z"), **changes)


def test_the_digest_is_of_all_that_is_analysed(data: StudyData, study_file: Path) -> None:
    assert load_study(study_file).digest == data.digest
    assert data.filtered(Filters(tiers=("top",))).digest != data.digest
    plain = dict.fromkeys(("grouping", "group", "class_name", "tier"), "top") | dict.fromkeys(list(ATTRIBUTE_VALUES)[4:], 0)
    table = hundred(**plain | {"grouping": "label"})
    digest = StudyData.from_answers(table).digest
    assert StudyData.from_answers(table[table.columns[::-1]], name="another").digest == digest, (
        "neither name nor order of columns"
    )
    times = {"submitted_at": pd.Timestamp("2026-03-02T12:00:00Z")}
    for column, value in (ATTRIBUTE_VALUES | {"platform": "prolific", "seconds": 31, "simulated": True} | times).items():
        changed = table.assign(**{column: value})
        assert StudyData.from_answers(changed).digest != digest, column
        assert StudyData.from_answers(changed).digest == StudyData.from_answers(changed.astype(object)).digest, column
    for values in ([0.5, *[0.0] * 99], [None, *[0.0] * 99]):
        assert StudyData.from_answers(table.drop(columns="seconds").assign(seconds=values)).digest != digest
    passed = pd.DataFrame({"worker": ["w0"], "item": ["gold"], "kind": ["gold"], "passed": [True]})
    digests = {StudyData.from_answers(table, checks=passed.assign(passed=value)).digest for value in (True, False)}
    assert len(digests | {digest}) == 3
    more = pd.DataFrame({"tier": "top"}, index=[f"i{k}" for k in range(11)])
    assert len({digest, *(StudyData.from_answers(table, items=items).digest for items in (more, more.iloc[:10]))}) == 3


def test_the_digest_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Whatever the seed of Python's hashes."""
    script = tmp_path / "digest.py"
    hundred(tier="top", long="fur").to_csv(tmp_path / "x.csv", index=False)
    script.write_text(
        "import sys\nfrom study.answers.importing import import_answers\nprint(import_answers(sys.argv[1]).digest)\n",
        encoding="utf-8",
    )
    found = {
        subprocess.run(
            [sys.executable, str(script), str(tmp_path / "x.csv")],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {import_answers(tmp_path / "x.csv").digest}


def test_what_one_answer_tells_of_its_item_holds_for_all_of_them() -> None:
    table = hundred(tier="top", feature=3.0)
    table.loc[table["item"] == "i3", "tier"] = "bottom"
    gaps = table.copy()
    gaps.loc[:9, "tier"] = None
    found = StudyData.from_answers(gaps)
    assert found.answers["tier"].tolist() == table["tier"].tolist()
    assert "10 answers without 'tier': taken from other answers to the same items." in found.notes
    assert found.filtered(Filters(tiers=("bottom",))).answers["worker"].nunique() == 10
    levels = Analysis(found, options=AnalysisOptions(replicates=100)).differences
    assert set(levels["factor"]) == {"tier"}
    gaps.loc[45, "tier"] = "bottom"
    with pytest.raises(
        BarlowError, match=r"Row 45 .* tier 'bottom', but item 'i5' has 'top' in row 15 \(1 such value\).* put it right"
    ):
        StudyData.from_answers(gaps)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("ber", 35, "a number from 0 to 1"),
        ("feature", 0.7, "a whole number from 0 to 2,147,483,647"),
        ("feature", float("inf"), "a whole number"),
        ("rank", -1, "a whole number from 0"),
        ("seconds", float("inf"), "a number that is not negative, and finite"),
        ("mutual_information", -0.1, "a number that is not negative, and finite"),
        ("activation", "high", "a number that is finite, or nothing"),
    ],
)
def test_numbers_that_cannot_be_are_refused(column: str, value: Any, expected: str) -> None:
    with pytest.raises(BarlowError, match=f"Row 0 of the answers has {column} .*; expected {expected}"):
        StudyData.from_answers(hundred(**{column: value} if column != "seconds" else {}).assign(**{column: value}))


def test_ids_of_numbers_are_the_same_ids_in_answers_checks_and_items() -> None:
    table = pd.DataFrame({"item": [10, 10, 11, 11], "worker": [0, 1, 0, 1], "ease": [1, 2, 3, 4]})
    checks = pd.DataFrame(
        {"worker": [0, 0, 1, 1], "item": [90, 91, 90, 91], "kind": "gold", "passed": [False, False, True, True]}
    )
    items = pd.DataFrame({"wanted": [2, 2, 2], "tier": ["top", "top", "bottom"]}, index=[10, 11, 12])
    data = StudyData.from_answers(table, items=items, checks=checks)
    assert data.filtered(Filters(checks="passed")).answers["worker"].unique().tolist() == ["1"]
    assert data.quality["checks_passed"].to_dict() == {"0": 0, "1": 1}
    assert set(data.answers["item"]) <= set(data.items.index)
    assert Analysis(data).item("10").data == {"tier": "top"}
    assert Analysis(data).item("12").answers.empty


def test_ids_that_match_nothing_are_a_mistake() -> None:
    table = pd.DataFrame({"item": ["a", "b"], "worker": ["v", "w"], "ease": [4, 3]})
    checks = pd.DataFrame({"worker": ["W", "x"], "item": "gold", "kind": "gold", "passed": [True, False]})
    with pytest.raises(BarlowError, match=r"No worker of the checks \('W', 'x'\) has answered .* 'v', 'w'\."):
        StudyData.from_answers(table, checks=checks)
    assert len(StudyData.from_answers(table, checks=checks.replace("W", "w")).failed_a_check) == 1, "who left after a check"
    with pytest.raises(BarlowError, match="Row 1 of the checks has passed nan; expected true or false"):
        StudyData.from_answers(table, checks=checks.assign(passed=[True, None]).astype({"passed": float}))
    with pytest.raises(BarlowError, match="has no column 'passed'"):
        StudyData.from_answers(table, checks=checks.drop(columns="passed"))
    for index, message in (
        ([0, 1], r"2 items of the answers, such as 'a', are not among the items, which are '0', '1'"),
        (["a", "a"], "more than once"),
    ):
        with pytest.raises(BarlowError, match=message):
            StudyData.from_answers(table, items=pd.DataFrame({"tier": "top"}, index=index))


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
    with pytest.raises(BarlowError, match="No study found"):
        load_study(tmp_path / "missing.sqlite")
