from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barlow_core.errors import BarlowError
from barlow_core.intake import TableError
from study.analysis import Analysis, AnalysisOptions
from study.answers.importing import AnswersError, import_answers
from study.answers.mapping import (
    MAPPABLE,
    complete_mapping,
    guess_mapping,
    mapping_text,
    parse_mapping,
    read_header,
)

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
    assert read_header(path, n_rows=2).rows[0]["HITId"] == "H1"


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8"), ("\t", "utf-8-sig")])
def test_other_separators_and_a_byte_order_mark(tmp_path: Path, separator: str, encoding: str) -> None:
    rows = [["Item", "worker_id", "Q3", "simulated"], ["ä", "w", "5.0", "yes"], ["b", "w", "", "no"]]
    path = write(tmp_path / "x.csv", "\n".join(separator.join(row) for row in rows), encoding)
    data = import_answers(path)
    assert data.answers["item"].tolist() == ["ä", "b"]
    assert data.answers["ease"].tolist()[0] == 5
    assert data.answers["ease"].isna().tolist() == [False, True]
    assert data.answers["simulated"].tolist() == [True, False]


def test_every_problem_is_listed_with_line_and_value(tmp_path: Path) -> None:
    text = "item,worker,ease,useful,seconds,submitted_at,tier\na,w,7,B,5,2026-03-01,top\na,w,3,maybe,-1,yesterday,front\n,v,2,C,1,2026-03-01,top\n"
    with pytest.raises(AnswersError) as found:
        import_answers(write(tmp_path / "x.csv", text))
    message = str(found.value)
    assert "Nothing was imported" in message
    for line in (
        "line 2, column 'ease': '7'; expected a whole number from 1 to 5",
        "line 3, column 'useful': 'maybe'; expected one of B, C, both, none",
        "line 3, column 'seconds': '-1'; expected a number that is not negative",
        "line 3, column 'submitted_at': 'yesterday'; expected a time such as 2026-03-01T12:00:00Z",
        "line 3, column 'tier': 'front'; expected top, middle or bottom",
        "line 4, column 'item': ''; expected an id",
        "line 3: worker 'w' answers item 'a' again, after line 2; one answer each is expected",
    ):
        assert line in message
    lines = [int(problem.split()[1].strip(":,")) for problem in found.value.problems]
    assert lines == sorted(lines)
    assert len(lines) == 7


def problems_of(path: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(AnswersError) as found:
        import_answers(write(path / "x.csv", text))
    assert "Nothing was imported" in str(found.value)
    return found.value.problems


@pytest.mark.parametrize(
    ("text", "rating"), [("4", 4), ("4.0", 4), ("4 - easy", 4), ("4 (easy)", 4), ("4: easy", 4), ("4 – easy", 4), ("4-easy", 4)]
)
def test_a_rating_may_be_spelled_out(tmp_path: Path, text: str, rating: int) -> None:
    data = import_answers(write(tmp_path / "x.csv", f"item,worker,ease\na,w,{text}\n"))
    assert data.answers["ease"].tolist() == [rating]


@pytest.mark.parametrize("text", ["4-5", "3 - 4", "2–3", "4:5", "4 (or 5)", "4 - easy; 3 - hard", "4.5", "45", "-4", "4/5"])
def test_two_ratings_are_none(tmp_path: Path, text: str) -> None:
    problem = f"line 2, column 'ease': {text!r}; expected a whole number from 1 to 5"
    assert problems_of(tmp_path, f"item,worker,ease\na,w,{text}\n") == (problem,)


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("ber", "35", "a number from 0 to 1"),
        ("ber", "-0.1", "a number from 0 to 1"),
        ("seconds", "inf", "a number that is not negative, and finite"),
        ("feature", "0.7", "a whole number from 0 to 2,147,483,647"),
        ("feature", "inf", "a whole number from 0 to 2,147,483,647"),
        ("feature", "1e300", "a whole number from 0 to 2,147,483,647"),
        ("rank", "1.5", "a whole number from 0 to 2,147,483,647"),
        ("mutual_information", "-0.2", "a number that is not negative, and finite"),
        ("activation", "-inf", "a number that is finite"),
        ("salience", "much", "a number that is finite"),
    ],
)
def test_numbers_are_in_their_range(tmp_path: Path, column: str, value: str, expected: str) -> None:
    problem = f"line 3, column {column!r}: {value!r}; expected {expected}"
    assert problems_of(tmp_path, f"item,worker,ease,{column}\na,w,4,1\nb,w,4,{value}\nc,w,4,\n") == (problem,)


def test_numbers_within_their_range_stay_as_they_are(tmp_path: Path) -> None:
    text = "item,worker,ease,ber,feature,rank,seconds,activation\na,w,4,1,12.0,0,0.5,-3\nb,w,4,0,1e3,2,,n/a\n"
    answers = import_answers(write(tmp_path / "x.csv", text)).answers
    found = answers[["ber", "feature", "rank", "seconds", "activation"]].astype(object).where(answers.notna(), None)
    assert found.to_numpy().tolist() == [[1, 12, 0, 0.5, -3], [0, 1000, 2, None, None]]


def test_days_of_one_order_are_read_and_said_and_others_refused(tmp_path: Path) -> None:
    head = "item,worker,ease,submitted_at\n"
    data = import_answers(write(tmp_path / "x.csv", head + "a,w,4,03/04/2020\nb,w,4,13/04/2020 10:00\nc,w,4,\n"))
    assert data.answers["submitted_at"].dt.strftime("%d %B").tolist()[:2] == ["03 April", "13 April"]
    assert any("are read with the day first, as '13/04/2020 10:00' (line 3)" in note for note in data.notes)
    mixed = problems_of(tmp_path, head + "a,w,4,03/04/2020\nb,w,4,13/04/2020\nc,w,4,04/13/2020\n")
    assert mixed == (
        "line 4, column 'submitted_at': '04/13/2020'; expected the day first, as in line 3 ('13/04/2020'); a column has one order",
    )
    (unknown,) = problems_of(tmp_path, head + "a,w,4,03/04/2020\nb,w,4,\n")
    assert unknown.startswith(
        "line 2, column 'submitted_at': '03/04/2020'; expected a time whose day and month can be told apart"
    )
    with pytest.raises(AnswersError, match="leave the times out: submitted_at=$"):
        import_answers(tmp_path / "x.csv")


def test_rows_that_contradict_what_was_said_of_their_item_are_listed(tmp_path: Path) -> None:
    text = "item,worker,ease,tier,class,ber\ni0,v,4,top,tiger,0.5\ni1,v,4,,lion,\ni0,w,4,bottom,tiger,0.50\ni1,w,3,top,lion,0.1\ni1,x,3,Top,Lion,0.2\n"
    assert problems_of(tmp_path, text) == (
        "line 4, column 'tier': 'bottom'; expected 'top', which line 2 has for the same item, 'i0'",
        "line 6, column 'class': 'Lion'; expected 'lion', which line 3 has for the same item, 'i1'",
        "line 6, column 'ber': '0.2'; expected '0.1', which line 5 has for the same item, 'i1'",
    )
    with pytest.raises(AnswersError, match=r"the same in all of its answers: put it right.* such as class_name=$"):
        import_answers(tmp_path / "x.csv")
    left = complete_mapping(tmp_path / "x.csv", parse_mapping("tier=,class_name=,ber="))
    assert len(import_answers(tmp_path / "x.csv", left).answers) == 5


def test_a_tier_that_an_items_first_row_lacks_is_that_of_its_other_rows(tmp_path: Path) -> None:
    rows = [(f"i{i}", f"w{w}", 1 + (i + w) % 5, "" if w == 0 else ("top", "bottom")[i % 2]) for i in range(6) for w in range(3)]
    text = "item,worker,ease,tier\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    data = import_answers(write(tmp_path / "x.csv", text))
    assert data.answers["tier"].isna().sum() == 0
    assert any("6 answers without 'tier': taken from other answers to the same items." in note for note in data.notes)
    found = Analysis(data, options=AnalysisOptions(replicates=100)).differences
    assert found.loc[found["outcome"] == "ease", ["first", "second", "n_items_first", "n_items_second"]].to_numpy().tolist() == [
        ["top", "bottom", 3, 3]
    ]


def test_many_problems_are_cut_short(tmp_path: Path) -> None:
    text = "item,worker,ease\n" + "".join(f"i{k},w,9\n" for k in range(50))
    with pytest.raises(BarlowError, match=r"50 values .*(.|\n)*and 30 more"):
        import_answers(write(tmp_path / "x.csv", text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty. Expected a CSV of answers"),
        ("one column\n1\n", "only one column"),
        ("a,b\n1,2\n", "which item an answer is about.*a, b"),
        ("item,b\n1,2\n", "which worker an answer is from"),
        ("item,worker,item,ease\na,w,b,3\n", "has 2 columns called 'item' \\(1, 3\\)"),
        ("item,worker,b\n1,2,3\n", "No column .* is known as an answer"),
    ],
)
def test_what_is_no_table_of_answers_says_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BarlowError, match=message):
        import_answers(write(tmp_path / "x.csv", text))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"item,worker,ease\na,w,3\nb,w,3\ncaf\xe9,w,3\n")
    with pytest.raises(BarlowError, match=r"not UTF-8: line 4 has the byte 0xE9, 'é' as Windows .* Save it as UTF-8"):
        import_answers(tmp_path / "x.csv")
    (tmp_path / "y.csv").write_bytes("item\tworker\tease\na\tw\t3\n".encode("utf-16")[:-1])
    with pytest.raises(BarlowError, match="UTF-16 and is cut short"):
        import_answers(tmp_path / "y.csv")
    with pytest.raises(BarlowError, match="no such file"):
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


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("item,worker,short\na,w,striped, fur\nb,w,glass\n", ["line 2: 4 fields; expected 3, as in the header"]),
        ("item,worker,short\na,w,x\n\nb,w\n", ["line 4: 2 fields; expected 3, as in the header"]),
        ("item,worker,short\na,w,x,\nb,w,y\n", ["line 2: 4 fields; expected 3, as in the header"]),
        (
            'item,worker,short\na,w,"two\nlines"\nb\nc,w,x\nd,w,e,f,g\n',
            ["line 4: 1 field; expected 3, as in the header", "line 6: 5 fields; expected 3, as in the header"],
        ),
    ],
)
def test_rows_that_do_not_fit_the_header_are_never_shifted_or_filled(tmp_path: Path, text: str, problems: list[str]) -> None:
    with pytest.raises(TableError, match="do(es)? not fit its header. Nothing was imported") as found:
        import_answers(write(tmp_path / "x.csv", text))
    assert list(found.value.problems) == problems
    assert str(tmp_path / "x.csv") in str(found.value)


def test_a_quotation_mark_that_is_never_closed_swallows_nothing(tmp_path: Path) -> None:
    with pytest.raises(TableError) as found:
        import_answers(write(tmp_path / "x.csv", 'item,worker,short\na,w,x\nb,w,"y\nc,w,z\n'))
    (problem,) = found.value.problems
    assert problem.startswith("line 3: ")
    assert "a quotation mark is open" in problem


def test_a_separator_at_the_end_of_every_row_is_said(tmp_path: Path) -> None:
    """The first column must not become an index, which makes items of the workers."""
    data = import_answers(write(tmp_path / "x.csv", "item,worker,ease,long\na,w,4,fur,\nb,v,5,glass,\n"))
    assert data.answers[["item", "worker", "ease", "long"]].to_numpy().tolist() == [["a", "w", 4, "fur"], ["b", "v", 5, "glass"]]
    assert any("one separator more than the header" in note for note in data.notes)


def test_rows_without_any_value_are_left_out_and_said(tmp_path: Path) -> None:
    data = import_answers(write(tmp_path / "x.csv", "item,worker,ease\na,w,4\n,,\n\nb,w,3\n,,\n"))
    assert data.answers["item"].tolist() == ["a", "b"]
    assert any("2 rows without any value are left out (lines 3, 6)." in note for note in data.notes)


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    """Blank lines and fields of several lines count, whatever the rows are called elsewhere."""
    text = '\nitem,worker,long,ease\n\na,w,"fur,\nstriped\nand black",4\n\nb,w,x,9\n   \na,w,y,3\n'
    with pytest.raises(AnswersError) as found:
        import_answers(write(tmp_path / "x.csv", text))
    assert found.value.problems == (
        "line 8, column 'ease': '9'; expected a whole number from 1 to 5",
        "line 10: worker 'w' answers item 'a' again, after line 4; one answer each is expected",
    )


def test_a_status_that_is_not_known_does_not_count_in_silence(tmp_path: Path) -> None:
    text = "item,worker,ease,status\na,w,4,APPROVED\nb,w,4,Timed Out\nc,w,4,\nd,w,4,Awaiting-Review\n"
    data = import_answers(write(tmp_path / "x.csv", text))
    assert data.answers["item"].tolist() == ["a", "c", "d"]
    assert any("1 row without a value in 'status' counts as accepted." in note for note in data.notes)
    path = write(tmp_path / "x.csv", text + "e,w,4,Rejectd\n")
    with pytest.raises(AnswersError, match=r"(?s)line 6, column 'status': 'Rejectd'; expected .*approved.*rejected.*state=$"):
        import_answers(path)
    assert len(import_answers(path, complete_mapping(path, parse_mapping("state="))).answers) == 5, "it is no status at all"


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.dat"])
def test_what_is_named_adds_to_what_is_guessed(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "item\tworker\tclear\tshort\na\tw\t4\tfur\n")
    whole = {"item": "item", "worker": "worker", "short": "short", "ease": "clear"}
    assert complete_mapping(path, {"ease": "clear"}) == whole
    assert complete_mapping(path, {"long": "short"}) == {"item": "item", "worker": "worker", "long": "short"}
    assert complete_mapping(path, {"ease": "clear", "short": ""}) == {one: whole[one] for one in ("item", "worker", "ease")}


COLUMNS = st.text(min_size=1).map(str.strip).filter(bool)
MAPPINGS = st.dictionaries(st.sampled_from(list(MAPPABLE)), COLUMNS)


@given(mapping=MAPPINGS, usual=MAPPINGS)
def test_a_mapping_survives_its_text(mapping: dict[str, str], usual: dict[str, str]) -> None:
    mapping = {"item": "i", "worker": "w"} | mapping
    named = parse_mapping(mapping_text(mapping, usual))
    assert {what: column for what, column in (usual | named).items() if column} == mapping
    assert mapping_text(mapping, mapping) == ""


def test_columns_that_may_be_what_is_missing_are_named(tmp_path: Path) -> None:
    file = tmp_path / "batch.csv"
    file.write_text("HITId,WorkerId,Answer.q3_ease,short\nh1,w1,4,fur\n", encoding="utf-8")
    found = import_answers(file).notes
    assert "Not used: 'Answer.q3_ease'. If one of them is long or ease or confidence or useful, say so: long=COLUMN" in found
    assert any(note.startswith("The table has no 'ease'") for note in found)
    mapping = {"item": "HITId", "worker": "WorkerId", "ease": "Answer.q3_ease", "short": "short"}
    assert not any("Not used" in note for note in import_answers(file, mapping).notes), "every column is taken"


def test_missing_values_are_those_that_are_said(tmp_path: Path) -> None:
    """As for a benchmark: NA is usually none, and may be a word that somebody wrote."""
    path = write(tmp_path / "x.csv", "item,worker,ease,short,class\na,w,NA,NA,NA\nb,w,-,nan,NA\n")
    assert problems_of(tmp_path, path.read_text()) == ("line 3, column 'ease': '-'; expected a whole number from 1 to 5",)
    with pytest.raises(AnswersError, match="line 2, column 'ease': 'NA'"):
        import_answers(path, missing=[])
    answers = import_answers(path, missing=["-", "NA"]).answers
    assert answers["ease"].isna().all()
    assert answers["short"].tolist()[1] == "nan"
    assert answers["class_name"].isna().all()


def test_answers_as_parquet_and_json_lines_and_numbers_with_commas(tmp_path: Path) -> None:
    frame = pd.DataFrame({"item": ["a", "b"], "worker": ["w", "w"], "ease": [4, 5], "seconds": [1.5, None]})
    frame.to_parquet(tmp_path / "x.parquet")
    frame.to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    for name in ("x.parquet", "x.jsonl"):
        answers = import_answers(tmp_path / name).answers
        assert answers["ease"].tolist() == [4, 5]
        assert answers["seconds"].isna().tolist() == [False, True]
    frame.assign(ease=[4, 9]).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(AnswersError, match="row 2, column 'ease': '9'; expected a whole number from 1 to 5"):
        import_answers(tmp_path / "x.parquet")
    data = import_answers(write(tmp_path / "x.csv", "item;worker;ease;seconds\na;w;4;1,5\nb;w;5;\n"))
    assert data.answers["seconds"].tolist()[0] == 1.5
    assert any("'seconds' are written with decimal commas" in note for note in data.notes)
