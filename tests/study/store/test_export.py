from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.store import StudyStore

Make = Callable[..., StudyStore]
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "'=1",
    "'quoted",
    "\uff1d1",
    "plain",
    '"quote", comma',
    "line\nbreak",
]


@pytest.fixture
def exported(make_store: Make, answers: dict) -> StudyStore:
    """One answer for each of `FORMULAS`, by one worker whose id is worth hiding."""
    items = [{"id": f"i{n}", "class_name": "=cmd()", "feature": n} for n in range(len(FORMULAS))]
    store = make_store(items=[*items, {"id": "p", "kind": "practice"}])
    for _ in range(len(items) + 1):
        item = store.claim("5f3c0a1b2c3d4e5f60718293")
        assert item is not None
        text = FORMULAS[int(item.id[1:])] if item.kind == "item" else "practice"
        store.submit("5f3c0a1b2c3d4e5f60718293", item.id, answers | {"long": text + " x"})
    return store


def test_csv_is_safe_for_spreadsheets_and_one_apostrophe_gives_the_text_back(exported: StudyStore, tmp_path: Path) -> None:
    path, book = exported.export(tmp_path / "answers.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(FORMULAS)
    texts = {FORMULAS[int(row["item"][1:])] + " x": row["long"] for row in rows}
    for typed, written in texts.items():
        assert not written.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
        assert written in (typed, f"'{typed}")
        assert (written[1:] if written.startswith("'") else written) == typed
    assert {row["class_name"] for row in rows} == {"'=cmd()"}
    assert {row["worker"] for row in rows} == {exported.workers()["pseudonym"].iloc[0]}
    assert "5f3c0a1b2c3d4e5f60718293" not in path.read_text(encoding="utf-8") + book.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_other_formats_hold_the_text_as_typed(exported: StudyStore, tmp_path: Path, kind: str) -> None:
    path, _ = exported.export(tmp_path / f"answers.{kind}")
    if kind == "parquet":
        table = pd.read_parquet(path)
    else:
        table = pd.DataFrame([json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line])
    assert sorted(table["long"]) == sorted(f"{text} x" for text in FORMULAS)
    assert table["worker"].str.startswith("w-").all()


def test_the_codebook_explains_every_column(exported: StudyStore, tmp_path: Path) -> None:
    path, book = exported.export(tmp_path / "answers.csv")
    columns = pd.read_csv(path).columns
    explained = pd.read_csv(book)
    assert list(explained["column"]) == list(columns)
    assert explained["meaning"].notna().all()
    meanings = explained.set_index("column")
    assert meanings.loc["ease", "values"] == "1 (very difficult) to 5 (very easy)"
    assert "B: Section B" in meanings.loc["useful", "values"]


def test_everything_and_real_ids_only_when_asked_for(exported: StudyStore, tmp_path: Path) -> None:
    path, _ = exported.export(
        tmp_path / "all.csv", pseudonymous=False, kinds=("item", "practice"), states=("accepted", "surplus", "discarded")
    )
    table = pd.read_csv(path)
    assert set(table["kind"]) == {"item", "practice"}
    assert set(table["worker"]) == {"5f3c0a1b2c3d4e5f60718293"}


def test_what_cannot_be_exported_is_refused(exported: StudyStore, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="none of csv, jsonl, parquet"):
        exported.export(tmp_path / "answers.docx")
    (tmp_path / "file").touch()
    with pytest.raises(BarlowError, match="could not be written"):
        exported.export(tmp_path / "file" / "answers.csv")
    with pytest.raises(BarlowError, match="kinds of items"):
        exported.export(tmp_path / "answers.csv", kinds=("pictures",))
