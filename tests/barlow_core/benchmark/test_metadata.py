from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barlow_core.benchmark.metadata import duplicates, read_metadata, typed
from barlow_core.errors import BarlowError
from barlow_core.intake import reading


def write(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "metadata.csv"
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize(
    "header", ["Filenames,Predictions,Labels", "filename,PREDICTION,label", " FileNames ,predictions, Label "]
)
def test_columns_in_any_case_and_number(tmp_path: Path, header: str) -> None:
    table, problems = read_metadata(write(tmp_path, f"\ufeff{header}\r\n a.png , cat,dog \r\n"))
    assert table.iloc[0].to_dict() == {"row": 2, "path": "a.png", "label": "dog", "prediction": "cat"}
    assert not problems.of_row


def test_line_numbers_survive_blank_lines_and_quoted_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path, '\nFilenames,Labels,note\n\na.png,cat,"one\ntwo\nthree"\n  \nb.png,dog,x\n,,\nc.png,cat,y\n\n')
    table, problems = read_metadata(path)
    assert table["row"].to_list() == [4, 8, 10]
    assert table["note"].to_list() == ["one\ntwo\nthree", "x", "y"]
    assert not problems.of_row


def test_line_numbers_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CHUNK", 3)
    lines = ["Filenames,Labels"] + [f'"{i}.png",cat' if i % 4 else f'"{i}.png","c\nat"' for i in range(11)]
    content = "\n".join(lines)
    table, _ = read_metadata(write(tmp_path, content))
    expected = [content[: content.index(f'"{i}.png"')].count("\n") + 1 for i in range(11)]
    assert table["row"].to_list() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty. Expected a CSV"),
        ("Filenames,Labels\n", "has a header and no rows"),
        ("Filenames,Labels\n\n ,\n", "has a header and no rows"),
        (
            "picture,meaning\na,b\n",
            r"no column Filenames and no column Labels; found 'picture', 'meaning'.*--columns filenames=COLUMN,lab",
        ),
        ("Filenames,Labels,label\na,b,c\n", "more than one column for Labels"),
        ('Filenames,Labels\n"a.png,cat\n', "not a valid CSV"),
    ],
)
def test_files_that_are_wrong_as_a_whole(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(BarlowError, match=message) as error:
        read_metadata(write(tmp_path, content))
    assert "metadata.csv" in str(error.value)


def test_missing_file_and_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="no such file"):
        read_metadata(tmp_path / "metadata.csv")
    with pytest.raises(BarlowError, match="cannot be read"):
        read_metadata(tmp_path)
    path = tmp_path / "metadata.csv"
    path.write_bytes("Filenames,Labels\na.png,cat\ncafé.png,cat\n".encode("latin-1"))
    with pytest.raises(BarlowError, match=r"is not UTF-8: line 3 has the byte 0xE9, 'é' as Windows"):
        read_metadata(path)
    path.write_bytes("Filenames,Labels\na.png,cat\n".encode("utf-16")[:-1])
    with pytest.raises(BarlowError, match="UTF-16 and is cut short"):
        read_metadata(path)


def test_rows_of_another_length(tmp_path: Path) -> None:
    table, problems = read_metadata(write(tmp_path, "Filenames,Labels\na.png\nb.png,cat\nc.png,cat,dog\n"))
    assert len(table) == 3
    assert dict(problems.of_row) == {0: ["has 1 values, the header has 2"], 2: ["has 3 values, the header has 2"]}


def test_paths_are_normalised_and_stay_inside(tmp_path: Path) -> None:
    good = {"./a.png": "a.png", "x//b.png": "x/b.png", "x\\c.png": "x/c.png", "x/../d.png": "d.png", "..e.png": "..e.png"}
    bad = {
        "../a.png": "leads out",
        "x/../../a.png": "leads out",
        "..": "leads out",
        ".": "leads out",
        "/etc/passwd": "is absolute",
        "C:\\a.png": "is absolute",
        "\\\\host\\a.png": "is absolute",
        "": "is empty",
    }
    rows = "".join(f"{name},cat\n" for name in [*good, *bad])
    table, problems = read_metadata(write(tmp_path, "Filenames,Labels\n" + rows))
    assert table["path"].to_list()[: len(good)] == list(good.values())
    assert sorted(problems.of_row) == list(range(len(good), len(good) + len(bad)))
    for position, reason in enumerate(bad.values(), start=len(good)):
        assert reason in problems.of_row[position][0]
    assert problems.without_file == set(problems.of_row)


def test_confidence(tmp_path: Path) -> None:
    values = ["0", "1", "0.5", "1e-3", "", "nan", "1.01", "-0.1", "high", "inf"]
    rows = "".join(f"{i}.png,cat,{value}\n" for i, value in enumerate(values))
    table, problems = read_metadata(write(tmp_path, "Filenames,Labels,Confidence\n" + rows))
    assert table["confidence"].iloc[:4].to_list() == [0, 1, 0.5, 0.001]
    assert table["confidence"].iloc[4:6].isna().all()
    assert {position: reasons[0] for position, reasons in problems.of_row.items()} == {
        position: f"confidence {values[position]!r} is not a number in [0, 1]" for position in (6, 7, 8, 9)
    }


def test_attributes_keep_what_they_say(tmp_path: Path) -> None:
    header = "Filenames,Labels,width,ratio,camera,id,gap,digest,Label_Name,width,,"
    rows = "a.png,cat,640,0.5,canon,007,1,x,y,1,p,\nb.png,dog,480,1e3,nikon,013,,z,w,2,q,\n"
    table, _ = read_metadata(write(tmp_path, f"{header}\n{rows}"))
    attributes = table.drop(columns=["row", "path", "label"])
    names = ["width", "ratio", "camera", "id", "gap", "attribute_digest", "attribute_Label_Name", "width_2", "column_11"]
    assert list(attributes) == names
    assert attributes["width"].to_list() == [640, 480]
    assert attributes["width"].dtype == np.int64
    assert attributes["ratio"].to_list() == [0.5, 1000]
    assert attributes["id"].to_list() == ["007", "013"]
    assert attributes["gap"].dtype == np.float64
    assert attributes["gap"].isna().to_list() == [False, True]


def test_typed_columns_of_nothing_and_of_mixed_values() -> None:
    assert typed(pd.Series(["", "nan"], dtype="str")).isna().all()
    assert typed(pd.Series(["1", "x", ""], dtype="str")).to_list()[:2] == ["1", "x"]
    assert typed(pd.Series(["True", "False"], dtype="str")).to_list() == ["True", "False"]


def test_duplicates_name_the_first_line() -> None:
    paths = pd.Series(["a", "b", "a", "", "", "a"], dtype="str")
    lines = np.array([2, 3, 5, 6, 7, 9])
    assert duplicates(paths, lines) == {2: "duplicate filename, already on line 2", 5: "duplicate filename, already on line 2"}
    assert duplicates(paths, None) == {2: "duplicate filename", 5: "duplicate filename"}


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


@settings(deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12))
def test_cells_and_lines_are_those_that_a_csv_writer_wrote(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv"
    lines = []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["Filenames", "Labels"])
        for i, (name, label) in enumerate(rows):
            file.flush()
            lines.append(path.read_bytes().count(b"\n") + 1)
            writer.writerow([f"{i}{name}x".replace("/", "").replace("\\", ""), label])
    table, _ = read_metadata(path)
    assert table["row"].to_list() == lines
    assert table["label"].to_list() == [label.strip() for _, label in rows]
