from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from study.importing import answers_state, guess_mapping, import_answers, open_study, parse_mapping, read_header

MTURK = """\
"HITId","WorkerId","AssignmentStatus","WorkTimeInSeconds","SubmitTime","Input.class_name","Input.grouping","Answer.short","Answer.long","Answer.ease","Answer.confidence","Answer.useful"
"H1","W1","Approved","52","Sat Apr 04 10:11:12 PDT 2020","tiger","label","striped fur","orange and black, striped","4 (easy)","5","Section B"
"H1","W2","Approved","31","Sat Apr 04 11:11:12 PDT 2020","tiger","label","stripes","nan","4","3","Both"
"H2","W1","Rejected","3","Sat Apr 04 10:12:12 PDT 2020","lion","label","x","y","9","5","rubbish"
"H2","W2","Submitted","44","Sat Apr 04 12:12:12 PDT 2020","lion","label","mane","a mane","2","3","neither"
"""


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


def test_mechanical_turks_results_file(tmp_path: Path) -> None:
    path = write(tmp_path / "batch.csv", MTURK)
    assert guess_mapping(path)["short"] == "Answer.short"
    data = import_answers(path, pay_per_item="0.50", currency="USD")
    answers = data.answers
    assert answers[["item", "worker"]].to_numpy().tolist() == [["H1", "W1"], ["H1", "W2"], ["H2", "W2"]], (
        "the rejected one is left out"
    )
    assert answers["ease"].tolist() == [4, 4, 2]
    assert answers["useful"].tolist() == ["B", "both", "none"]
    assert answers["long"].isna().tolist() == [False, True, False]
    assert answers["group"].tolist() == ["label:tiger", "label:tiger", "label:lion"]
    assert answers["seconds"].tolist() == [52, 31, 44]
    assert answers["submitted_at"].iloc[0] == pd.Timestamp("2020-04-04T17:11:12Z"), "Pacific daylight time"
    assert any("1 row that the platform rejected" in note for note in data.notes)
    assert not data.simulated


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-8-sig")])
def test_other_separators_and_a_byte_order_mark(tmp_path: Path, separator: str, encoding: str) -> None:
    rows = [["Item", "worker_id", "Q3", "simulated"], ["ä", "w", "5.0", "yes"], ["b", "w", "", "no"]]
    path = write(tmp_path / "x.csv", "\n".join(separator.join(row) for row in rows), encoding)
    data = import_answers(path)
    assert data.answers["item"].tolist() == ["ä", "b"]
    assert data.answers["ease"].tolist()[0] == 5
    assert data.answers["ease"].isna().tolist() == [False, True]
    assert data.answers["simulated"].tolist() == [True, False]


def test_every_problem_is_listed_with_row_and_value(tmp_path: Path) -> None:
    text = "item,worker,ease,useful,seconds,submitted_at,tier\na,w,7,B,5,2026-03-01,top\na,w,3,maybe,-1,yesterday,front\n,v,2,C,1,2026-03-01,top\n"
    with pytest.raises(BarlowError) as found:
        import_answers(write(tmp_path / "x.csv", text))
    message = str(found.value)
    assert "Nothing was imported" in message
    for line in (
        "row 2, column 'ease': '7'; expected a whole number from 1 to 5",
        "row 3, column 'useful': 'maybe'; expected one of B, C, both, none",
        "row 3, column 'seconds': '-1'; expected a number that is not negative",
        "row 3, column 'submitted_at': 'yesterday'; expected a time such as 2026-03-01T12:00:00Z",
        "row 3, column 'tier': 'front'; expected top, middle or bottom",
        "row 4, column 'item': ''; expected an id",
        "row 3: worker 'w' answers item 'a' again; one answer each is expected",
    ):
        assert line in message


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    text = "item,worker,ease\n" + "".join(f"i{k},w,9\n" for k in range(50))
    with pytest.raises(BarlowError, match=r"50 values .*(.|\n)*and 30 more"):
        import_answers(write(tmp_path / "x.csv", text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as a table"),
        ("one column\n1\n", "one column only"),
        ("a,b\n1,2\n", "which item an answer is about.*a, b"),
        ("item,b\n1,2\n", "which worker an answer is from"),
        ("item,worker,b\n1,2,3\n", "No column .* is known as an answer"),
    ],
)
def test_what_is_no_table_of_answers_says_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        import_answers(write(tmp_path / "x.csv", text))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"item,worker,ease\n\xff\xfe,w,3\n")
    with pytest.raises(BarlowError, match="UTF-8"):
        import_answers(tmp_path / "x.csv")
    with pytest.raises(BarlowError, match="no file"):
        import_answers(tmp_path / "missing.csv")


def test_a_mapping_is_typed_or_read(tmp_path: Path) -> None:
    expected = {"item": "HITId", "ease": "Answer.q3"}
    assert parse_mapping("item=HITId, ease=Answer.q3") == expected
    path = write(tmp_path / "m.json", json.dumps(expected))
    assert parse_mapping(path) == parse_mapping(str(path)) == expected
    for wrong in ("item", "item=", "age=x"):
        with pytest.raises(BarlowError):
            parse_mapping(wrong)
    with pytest.raises(BarlowError, match="cannot be read as a mapping"):
        parse_mapping(write(tmp_path / "w.json", "{"))
    with pytest.raises(BarlowError, match="has no column 'nowhere'"):
        import_answers(write(tmp_path / "x.csv", MTURK), {"item": "nowhere", "worker": "WorkerId", "ease": "Answer.ease"})


def test_a_study_or_a_csv_by_content(tmp_path: Path) -> None:
    path = write(tmp_path / "batch.csv", MTURK)
    assert open_study(path).name == "batch.csv"
    first = answers_state(path)
    write(path, MTURK + '"H3","W1","Approved","5","","","","a","b","3","3","none"\n')
    assert answers_state(path) != first
    assert read_header(path, n_rows=2).rows[0]["HITId"] == "H1"
    for missing in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(BarlowError, match="There is no study"):
            open_study(missing)
