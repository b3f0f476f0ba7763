import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barlow_core.errors import BarlowError
from study.errors import InvalidAnswersError
from study.questionnaire import MAX_LENGTH, PAPER, Questionnaire, words


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("", 0),
        (" \t\n\u3000", 0),
        ("striped fur", 2),
        ("  striped   fur \n", 2),
        ("monkey-like", 1),  # descriptions of the paper's figures 69 and 73
        ("protruded or snug-fitting", 3),
        ("non\u2010breaking\u2011hyphens", 1),
        ("fur,paws;tail/ears", 4),
        ("fur \u2014 paws", 2),
        ("fur--paws", 2),
        ("- fur - paws", 2),
        ("fur & paws + tail", 3),
        ("1,200 dogs at 12:30, 24/7", 5),
        ("don't", 1),
        ("?!... \u2026", 0),
        ("\U0001f436", 1),
        ("\U0001f436\U0001f431 \U0001f469\u200d\U0001f680", 2),
        ("\u2764\ufe0f", 1),
        ("caf\u00e9 cafe\u0301", 2),
        ("\u0645\u0631\u062d\u0628\u0627 \u0639\u0627\u0644\u0645", 2),
        ("\u9ed2\u3044\u6bdb\u76ae\u306e\u52d5\u7269", 1),
        ("\u9ed2\u3044\u6bdb\u76ae\u3001\u52d5\u7269", 2),
        ("fur\u200bpaws\u00a0tail", 3),
        ("\u202efur\u202c", 1),
    ],
)
def test_words_are_counted_as_a_person_would(text: str, n: int) -> None:
    assert len(words(text)) == n


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz\u00e9\u00fc", min_size=1, max_size=6), max_size=20))
def test_plain_words_are_what_split_gives(pieces: list[str]) -> None:
    assert words(" ".join(pieces)) == pieces


def test_answers_come_back_exactly_as_typed_in_the_order_of_the_questions(answers: dict) -> None:
    answers["short"] = "  <b>Fur</b>\u202e \r\n"
    checked = PAPER.validate(dict(reversed(answers.items())))
    assert checked == answers
    assert list(checked) == ["short", "long", "ease", "confidence", "useful"]


@pytest.mark.parametrize(
    ("question", "answer", "message"),
    [
        ("short", "one two three four", "Short description: please use at most 3 words; it has 4."),
        ("long", "w " * 16, "Long description: please use at most 15 words; it has 16."),
        ("short", "", "Short description: please write something."),
        ("short", None, "Short description: please write something."),
        ("short", " ... ", "Short description: please write at least one word."),
        ("short", 3, "Short description: please write a text, not 3."),
        ("short", b"fur", "Short description: please write a text"),
        ("short", "f\0r", "NUL"),
        ("long", "half \ud83d", "U+D83D"),
        ("short", "x" * 101, "at most 100 characters; it has 101"),
        ("ease", 0, "please choose a whole number from 1 (very difficult) to 5 (very easy), not 0"),
        ("ease", 6, "not 6"),
        ("ease", True, "not True"),
        ("ease", 3.0, "not 3.0"),
        ("confidence", "4", "not '4'"),
        ("confidence", None, "please choose one"),
        ("useful", "b", "please choose one of 'B', 'C', 'both', 'none', not 'b'"),
        ("useful", ["B"], "not a list"),
        ("shape", "round", "No question is called 'shape'"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_question_and_what_to_do(
    answers: dict, question: str, answer: object, message: str
) -> None:
    with pytest.raises(InvalidAnswersError) as caught:
        PAPER.validate(answers | {question: answer})
    assert list(caught.value.problems) == [question]
    assert message in caught.value.problems[question]
    assert message in str(caught.value)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(InvalidAnswersError) as caught:
        PAPER.validate({"short": "a b c d"})
    assert list(caught.value.problems) == ["short", "long", "ease", "confidence", "useful"]


def test_ten_megabytes_are_refused_by_their_length_and_not_repeated_in_the_message(answers: dict) -> None:
    with pytest.raises(InvalidAnswersError) as caught:
        PAPER.validate(answers | {"long": "x" * 10_000_000})
    assert "10,000,000" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_whole_numbers_of_numpy_are_whole_numbers(answers: dict) -> None:
    checked = PAPER.validate(answers | {"ease": np.int64(3)})
    assert checked["ease"] == 3
    assert type(checked["ease"]) is int
    with pytest.raises(InvalidAnswersError):
        PAPER.validate(answers | {"ease": np.bool_(True)})


@given(
    st.dictionaries(
        st.text(), st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text()))
    )
)
def test_whatever_is_sent_is_either_taken_or_refused(junk: dict) -> None:
    try:
        PAPER.validate(junk)
    except InvalidAnswersError as error:
        str(error).encode()  # the message itself can be shown and kept
    else:
        pytest.fail("junk without a single right answer was taken")


@given(st.text(max_size=60))
def test_a_text_that_is_taken_is_taken_unchanged_and_fits_utf_8(text: str) -> None:
    try:
        checked = PAPER.validate({"short": text, "long": "x", "ease": 1, "confidence": 1, "useful": "none"})
    except InvalidAnswersError:
        return
    assert checked["short"] == text
    assert "\0" not in text
    text.encode()


def test_a_draft_may_be_unfinished_but_must_fit_the_file() -> None:
    assert PAPER.validate_draft({"long": "one two three four five " * 5, "ease": None}) == {
        "long": "one two three four five " * 5,
        "ease": None,
    }
    for draft in ({"long": "x\0"}, {"long": "\udc00"}, {"long": "x" * (MAX_LENGTH + 1)}, {"size": 1}, {"ease": 1.5}):
        with pytest.raises(InvalidAnswersError):
            PAPER.validate_draft(draft)


def test_a_questionnaire_survives_json() -> None:
    assert Questionnaire.from_data(json.loads(json.dumps(PAPER.to_data()))) == PAPER


def test_a_study_can_ask_its_own_questions() -> None:
    own = Questionnaire.from_data(
        {
            "title": "Own",
            "questions": [
                {
                    "id": "seen",
                    "kind": "choice",
                    "name": "Seen",
                    "text": "Seen before?",
                    "options": [["yes", "Yes"], ["no", "No"]],
                },
                {"id": "note", "kind": "text", "name": "Note", "text": "Anything else?", "required": False},
                {"id": "mood", "kind": "scale", "name": "Mood", "text": "How?", "low": 0, "high": 10, "required": False},
            ],
        }
    )
    assert own.validate({"seen": "yes", "note": None}) == {"seen": "yes", "note": None, "mood": None}
    assert own.validate({"seen": "no", "note": "...", "mood": 0}) == {"seen": "no", "note": "...", "mood": 0}
    with pytest.raises(InvalidAnswersError, match="from 0 to 10"):
        own.validate({"seen": "yes", "mood": 11})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "Short Text"}, "lower-case letters"),
        ({"id": "x; DROP TABLE answer"}, "lower-case letters"),
        ({"kind": "slider"}, "Expected one of: text, scale, choice"),
        ({"max_words": 0}, "max_words"),
        ({"max_length": 10**9}, "max_length"),
        ({"kind": "scale", "low": 5, "high": 5}, "low must be below high"),
        ({"kind": "choice", "options": [["a", "A"]]}, "at least two options"),
        ({"kind": "choice", "options": [["a", "A"], ["a", "B"]]}, "at least two options"),
        ({"colour": "red"}, "no 'colour'"),
        ({"text": "a\0b"}, "not a text that can be kept"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(change: dict, message: str) -> None:
    question = {"id": "q", "kind": "text", "name": "Q", "text": "What?"}
    with pytest.raises(BarlowError, match=message):
        Questionnaire.from_data({"title": "", "questions": [question | change]})


@pytest.mark.parametrize("data", [{}, {"questions": []}, {"questions": [1]}, {"questions": [{"id": "a"}]}, {"questions": "abc"}])
def test_what_is_no_questionnaire_is_refused(data: dict) -> None:
    with pytest.raises(BarlowError, match="questionnaire|question"):
        Questionnaire.from_data(data)


def test_expected_answers_agree_by_value_list_or_text_without_regard_to_case(answers: dict) -> None:
    assert PAPER.agrees({"useful": "B", "ease": [4, 5]}, answers)
    assert PAPER.agrees({"short": ["Fur", "STRIPED  fur"]}, answers)
    assert not PAPER.agrees({"useful": "C"}, answers)
    assert not PAPER.agrees({"useful": "B", "ease": [1, 2]}, answers)


@pytest.mark.parametrize("expected", [{}, {"useful": "D"}, {"ease": [4, 9]}, {"size": 1}, {"ease": []}, "B"])
def test_expected_answers_that_nobody_could_give_are_refused(expected: object) -> None:
    with pytest.raises(BarlowError):
        PAPER.check_expected(expected)  # type: ignore[arg-type]
