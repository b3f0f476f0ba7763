"""Both halves read the same tables by the same reader, and say the same of those that are none."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_cases import CASES, Case

from barlow_core.benchmark.metadata import read_metadata
from barlow_core.errors import BarlowError
from barlow_core.intake import Table, TableError, read_header, read_table, reading
from barlow_core.intake.columns import columns_text, parse_columns
from barlow_core.intake.values import numbers, parse_missing
from study.answers.importing import import_answers

READ = [pytest.param(case, id=name) for name, case in CASES.items() if not case.message]
REFUSED = [pytest.param(case, id=name) for name, case in CASES.items() if case.message]


def written(folder: Path, case: Case, a: str, b: str) -> Path:
    path = folder / "table.csv"
    path.write_bytes(case.named(a, b))
    return path


@pytest.mark.parametrize("case", READ)
def test_what_is_read(tmp_path: Path, case: Case) -> None:
    table = read_table(written(tmp_path, case, "a", "b"))
    a, b = (table.text(table.header.index(name)) for name in ("a", "b"))
    assert list(zip(table.lines.tolist(), a, b, strict=True)) == case.rows
    assert not table.misfits.any()
    assert table.broken is None
    for note in case.notes:
        assert any(note in said for said in table.notes)
    assert len(table.notes) == (1 if case.notes else 0)
    names, rows = read_header(tmp_path / "table.csv", n_rows=1)
    assert dict(zip(names, rows[0], strict=True))["a"] == case.rows[0][1]


@pytest.mark.parametrize("case", READ)
def test_a_benchmark_reads_it(tmp_path: Path, case: Case) -> None:
    table, problems = read_metadata(written(tmp_path, case, "Filenames", "Labels"))
    assert list(zip(table["row"], table["path"], table["label"], strict=True)) == case.rows
    assert not problems.of_row
    for note in case.notes:
        assert any(note in said for said in problems.notes)


@pytest.mark.parametrize("case", READ)
def test_a_study_reads_it(tmp_path: Path, case: Case) -> None:
    """Two columns are too few for answers, so the first is the worker and the description as well."""
    path = written(tmp_path, case, "worker", "item")
    data = import_answers(path, {"item": "item", "worker": "worker", "short": "worker"})
    assert data.answers[["worker", "item"]].to_numpy().tolist() == [[a, b] for _, a, b in case.rows]
    for note in case.notes:
        assert any(note in said for said in data.notes)


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("half", ["benchmark", "study"])
def test_what_is_refused(tmp_path: Path, case: Case, half: str) -> None:
    with pytest.raises(BarlowError) as error:
        if half == "benchmark":
            read_metadata(written(tmp_path, case, "Filenames", "Labels"))
        else:
            path = written(tmp_path, case, "worker", "item")
            import_answers(path, {"item": "item", "worker": "worker", "short": "worker"})
    for part in (*case.message, "table.csv"):
        assert part in str(error.value)


def test_rows_that_do_not_fit_are_kept_and_told(tmp_path: Path) -> None:
    """A benchmark leaves such rows out where it is asked to; a study takes none of the table."""
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\n1,2\n1,2,3\n1,2,3,4\n1,2,3,\n,,,9\n")
    table = read_table(path)
    assert table.cells.to_numpy().tolist() == [["1", "2", ""], ["1", "2", "3"], ["1", "2", "3"], ["1", "2", "3"], ["", "", ""]]
    assert table.misfits.tolist() == [True, False, True, True, True]
    with pytest.raises(TableError, match=r"table\.csv has 4 rows that do not fit its header") as error:
        table.refuse_misfits()
    assert error.value.problems[:2] == (
        "line 2: 2 fields; expected 3, as in the header",
        "line 4: 4 fields; expected 3, as in the header",
    )


def test_what_stands_before_open_quotes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + "".join(f'"{i}\n",x\n' for i in range(7)) + 'y,"z\n1,2\n')
    for chunk in (2, 3, 100):
        monkeypatch.setattr(reading, "_CHUNK", chunk)
        table = read_table(path)
        assert table.lines.tolist() == list(range(2, 16, 2))
        assert table.broken is not None
        assert table.broken[0] == 16


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match=r"nowhere\.csv: no such file. Expected a CSV of answers"):
        read_table(tmp_path / "nowhere.csv", expected="a CSV of answers")
    with pytest.raises(BarlowError, match="cannot be read"):
        read_table(tmp_path)


def test_parquet_and_json_keep_their_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "a": ["x", None],
            "n": pd.array([1, None], dtype="Int64"),
            "f": [0.5, np.nan],
            "c": pd.Categorical(["u", "v"]),
            "p": [[0.25, 0.75], [1.0, 0.0]],
        }
    )
    frame.to_parquet(tmp_path / "x.parquet")
    frame.to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    for table in (read_table(tmp_path / "x.parquet"), read_table(tmp_path / "x.jsonl")):
        assert table.header == ("a", "n", "f", "c", "p_0", "p_1")
        assert table.typed
        assert [table.text(i).tolist() for i in range(4)] == [["x", ""], [table.text(1)[0], ""], ["0.5", ""], ["u", "v"]]
        assert table.text(1)[0] in ("1", "1.0")
        assert table.cells[5].tolist() == [0.75, 0.0]
        assert table.lines.tolist() == [1, 2]


# --- any dialect

CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\"',;|"), max_size=6).map(str.strip)
QUOTING = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8).filter(lambda rows: all(a or b for a, b in rows)),
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quoting=QUOTING,
    order=st.permutations(["a", "b", "extra", "one, more; or less"]),
)
def test_any_dialect_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    separator: str,
    encoding: str,
    line_end: str,
    quoting: int,
    order: list[str],
) -> None:
    path = tmp_path_factory.getbasetemp() / "dialect.csv"
    # Without a mark UTF-16 shows only in Western text, of which a header has enough.
    mark = "\ufeff" if encoding.endswith(("le", "be")) and not "".join(a + b for a, b in rows).isascii() else ""
    with path.open("w", newline="", encoding=encoding) as file:
        file.write(mark)
        writer = csv.writer(file, delimiter=separator, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
        writer.writerow(order)
        for a, b in rows:
            cells = {"a": a, "b": b}
            writer.writerow([cells.get(name, "e") for name in order])
    table = read_table(path)
    assert [(a, b) for a, b in zip(*(table.text(table.header.index(name)) for name in "ab"), strict=True)] == rows
    lines = [2 + sum(a.count("\n") + b.count("\n") + 1 for a, b in rows[:i]) for i in range(len(rows))]
    assert table.lines.tolist() == lines
    assert sorted(table.header) == sorted(order)


@pytest.mark.parametrize("columns", [2, 5])
def test_pieces_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    rng = np.random.default_rng(0)
    rows = [[str(value) if value > 2 else "l\nm" for value in row] for row in rng.integers(0, 9, (50, columns))]
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[f"c{i}" for i in range(columns)], *rows])

    def read() -> Table:
        return read_table(tmp_path / "x.csv")

    whole = read()
    assert whole.cells.to_numpy().tolist() == rows
    for chunk in (1, 7, 50):
        monkeypatch.setattr(reading, "_CHUNK", chunk)
        part = read()
        assert part.cells.to_numpy().tolist() == rows
        assert part.lines.tolist() == whole.lines.tolist()


# --- columns and values


def test_columns_are_said_in_three_ways(tmp_path: Path) -> None:
    said = {"filenames": "image", "labels": ""}
    (tmp_path / "columns.json").write_text('{"filenames": "image", "labels": ""}')
    for text in ("filenames=image,labels=", said, '{"filenames": "image", "labels": ""}', tmp_path / "columns.json"):
        assert parse_columns(text, "a=b") == said
    for text, message in (
        ("filenames", "is not a mapping. Expected something like: a=b"),
        ("a=b,a=c", "Two columns are given for 'a'"),
    ):
        with pytest.raises(BarlowError, match=message):
            parse_columns(text, "a=b")
    with pytest.raises(BarlowError, match="cannot be read as a mapping"):
        parse_columns("{", "a=b")
    with pytest.raises(BarlowError, match="says which column is what"):
        parse_columns('{"a": 1}', "a=b")


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(min_size=1).map(str.strip), min_size=1))
def test_columns_survive_their_text(said: dict[str, str]) -> None:
    assert parse_columns(columns_text(said), "a=b") == said


def test_numbers_with_commas() -> None:
    def read(*texts: str) -> list[float]:
        return numbers(pd.Series(texts, dtype="str")).fillna(-1).tolist()

    assert read("0,5", "1", "-0,25") == [0.5, 1, -0.25]
    assert read("0.5", "1", "1e-3") == [0.5, 1, 0.001]
    assert read("0,5", "0.5") == [-1, 0.5], "two ways in one column are none"
    assert read("1,000", "2") == [-1, 2], "it may be one thousand, or one"


def test_missing_is_said_with_commas() -> None:
    assert parse_missing("") == {""}
    assert parse_missing("NA, -") == {"", "NA", "-"}
