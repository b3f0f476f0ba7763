"""The questions as data: the paper's five (Figure 65, section 8), or a study's own; and what counts as an answer to them.

What a person typed is checked and then kept as it is, byte for byte: no trimming, no change of case, no normal form.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from numbers import Integral
from typing import Any, TypeGuard

from barlow_core.errors import BarlowError
from study.errors import InvalidAnswersError
from study.texts import ENGLISH, Texts

# What stands between two words: white space, commas and their like, dashes that join clauses; a comma, colon or slash between two
# digits belongs to the number. The pattern means the same in JavaScript (flag u), so that a page counts as the store does.
WORD_BREAK = (
    r"(?:[\t-\r \u0085\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff;|\\\u2026\u2013-\u2015\u3001\u3002\uff0c\uff0f\uff1a\uff1b]"
    r"|--+|(?<![0-9])[,:/]|[,:/](?![0-9]))+"
)
# A piece that consists of nothing else is no word: punctuation, spaces, control and format characters, signs such as + and ^.
# Letters, digits, marks and emoji make a word. (JavaScript: [^\p{P}\p{Z}\p{Cc}\p{Cf}\p{Sm}\p{Sc}\p{Sk}].)
NO_WORD = ("P", "Z", "Cc", "Cf", "Sm", "Sc", "Sk")
KINDS = ("text", "scale", "choice")
MAX_LENGTH = 10_000
_WORD_BREAK = re.compile(WORD_BREAK)
_HALF = re.compile(r"[\ud800-\udfff]")  # of a character, which UTF-8 cannot hold
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")


def words(text: str) -> list[str]:
    """The words of `text`, as the limits count them.

    A hyphen or an apostrophe joins ("snug-fitting" is one word), a comma, semicolon, slash or dash parts ("fur,paws" are two),
    punctuation by itself is none, an emoji or a row of them is one. Scripts without spaces between words count as one word a
    phrase; the limit in characters holds for them.
    """
    return [piece for piece in _WORD_BREAK.split(text) if any(_makes_a_word(character) for character in piece)]


def _makes_a_word(character: str) -> bool:
    return not unicodedata.category(character).startswith(NO_WORD)


def cannot_be_kept(text: str) -> str | None:
    """Why a file of UTF-8 text cannot hold `text`, in words that follow "it contains"; None when it can."""
    if "\0" in text:
        return "an invisible character that cannot be kept (NUL, U+0000)"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half of a character (a lone surrogate, U+{ord(text[error.start]):04X})"
    return None


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        id: its name in answers and its column in the study file: lower-case letters, digits and underscores.
        kind: "text" (str), "scale" (int, `low`..`high`) or "choice" (one of the values of `options`).
        name: what messages call it.
        text: what is asked.
        max_words: of a text; None: only the limit in characters holds.
        max_length: of a text, in characters (code points).
        options: of a choice, (value, label).
    """

    id: str
    kind: str
    name: str
    text: str
    help: str = ""
    required: bool = True
    max_words: int | None = None
    max_length: int = 500
    low: int = 1
    high: int = 5
    low_label: str = ""
    high_label: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def problem(self, answer: object, texts: Texts = ENGLISH) -> str | None:
        """What to do about `answer`, in words that a person likes; None when it is fine."""
        if answer is None or (isinstance(answer, str) and not answer):
            return texts("answer.write" if self.kind == "text" else "answer.choose", name=self.name) if self.required else None
        if self.kind == "text":
            return self._text_problem(answer, texts)
        # No page sends what follows: it is for whoever fills a study by program.
        if self.kind == "scale":
            if not _is_whole(answer) or not self.low <= answer <= self.high:
                low, high = (
                    f"{n} ({label})" if label else n for n, label in ((self.low, self.low_label), (self.high, self.high_label))
                )
                return f"{self.name}: please choose a whole number from {low} to {high}, not {shown(answer)}."
            return None
        values = [value for value, _ in self.options]
        if not isinstance(answer, str) or answer not in values:
            return f"{self.name}: please choose one of {', '.join(map(repr, values))}, not {shown(answer)}."
        return None

    def _text_problem(self, answer: object, texts: Texts) -> str | None:
        if not isinstance(answer, str):
            return f"{self.name}: please write a text, not {shown(answer)}."
        if len(answer) > self.max_length:
            return texts("answer.shorten", name=self.name, most=self.max_length, has=len(answer))
        if "\0" in answer:
            return texts("answer.nul", name=self.name)
        if half := _HALF.search(answer):
            return texts("answer.surrogate", name=self.name, code=f"U+{ord(half[0]):04X}")
        n_words = len(words(answer))
        if self.required and not n_words:
            return texts("answer.word", name=self.name)
        if self.max_words is not None and n_words > self.max_words:
            return texts("answer.words", name=self.name, n=self.max_words, has=n_words)
        return None

    def in_words(self, words: Mapping[str, Any]) -> Question:
        """This question in other words: `name`, `text`, `help`, `low_label`, `high_label`, and labels of `options` by value."""
        labels = words.get("options", {})
        options = tuple((value, labels.get(value, label)) for value, label in self.options)
        return replace(self, **{**words, "options": options})


@dataclass(frozen=True)
class Questionnaire:
    """Questions in the order in which they are asked.

    Raises:
        BarlowError: on `from_data`, when the questions cannot be asked or kept.
    """

    title: str
    questions: tuple[Question, ...]

    def __getitem__(self, question: str) -> Question:
        for one in self.questions:
            if one.id == question:
                return one
        raise BarlowError(f"No question is called {question!r}. Expected one of: {', '.join(self.ids)}.")

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(question.id for question in self.questions)

    def in_words(self, title: str, questions: Mapping[str, Mapping[str, Any]]) -> Questionnaire:
        """The same questions in other words, by id; those that are not among `questions` stay as they are."""
        return Questionnaire(title, tuple(question.in_words(questions.get(question.id, {})) for question in self.questions))

    def validate(self, answers: Mapping[str, object]) -> dict[str, Any]:
        """The answers in the order of the questions, unchanged; a question that may stay open and did is None.

        Raises:
            InvalidAnswersError: with one sentence for every question that needs another look.
        """
        self._require_mapping(answers)
        problems = {question.id: question.problem(answers.get(question.id)) for question in self.questions}
        problems |= {
            str(name)[:40]: f"No question is called {shown(name)}; the questions are {', '.join(self.ids)}."
            for name in answers
            if name not in problems
        }
        found = {name: problem for name, problem in problems.items() if problem}
        if found:
            raise InvalidAnswersError(found)
        return {name: _native(answers.get(name)) for name in self.ids}

    def validate_draft(self, draft: Mapping[str, object]) -> dict[str, Any]:
        """What of the answers has been typed so far: anything unfinished is fine, as long as the file can hold it.

        Raises:
            InvalidAnswersError: an unknown question, or text that is too large or cannot be kept.
        """
        self._require_mapping(draft)
        problems = {}
        for name, answer in draft.items():
            if name not in self.ids:
                problems[str(name)[:40]] = f"No question is called {shown(name)}; the questions are {', '.join(self.ids)}."
            elif isinstance(answer, str) and len(answer) > MAX_LENGTH:
                problems[name] = f"{self[name].name}: please shorten it; it has {len(answer):,} characters."
            elif isinstance(answer, str) and (reason := cannot_be_kept(answer)):
                problems[name] = f"{self[name].name}: it contains {reason}. Please delete it and type the text again."
            elif not (answer is None or isinstance(answer, str) or _is_whole(answer)):
                problems[name] = f"{self[name].name}: please write a text or choose, not {shown(answer)}."
        if problems:
            raise InvalidAnswersError(problems)
        return {name: _native(draft[name]) for name in self.ids if name in draft}

    def _require_mapping(self, answers: object) -> None:
        if not isinstance(answers, Mapping):
            raise InvalidAnswersError({"": f"Answers are expected by question: {', '.join(self.ids)}; not {shown(answers)}."})

    def agrees(self, expected: Mapping[str, Any], answers: Mapping[str, Any]) -> bool:
        """Whether the answers are the expected ones: every question of `expected`, one of its values; texts without regard to case."""
        return all(_plain(answers.get(name)) in {_plain(value) for value in _values(good)} for name, good in expected.items())

    def check_expected(self, expected: Mapping[str, Any]) -> dict[str, Any]:
        """Expected answers of a practice, gold or attention item, checked: a value or a list of good values a question.

        Raises:
            BarlowError: none at all, an unknown question, or a value that nobody could give.
        """
        if not isinstance(expected, Mapping) or not expected:
            raise BarlowError(f'Expected answers are given by question, such as {{"useful": "B"}}; found {shown(expected)}.')
        for name, good in expected.items():
            question = self[name]
            if not _values(good):
                raise BarlowError(f"Expected answers to {name!r}: at least one good value, please.")
            for value in _values(good):
                if problem := question.problem(value):
                    raise BarlowError(f"Expected answers: {problem}")
        return dict(expected)

    def to_data(self) -> dict[str, Any]:
        """As JSON can hold it; what is at its default is left out."""
        standard = {field.name: field.default for field in fields(Question) if field.default is not MISSING}
        return {
            "title": self.title,
            "questions": [
                {key: value for key, value in asdict(question).items() if key not in standard or value != standard[key]}
                for question in self.questions
            ],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Questionnaire:
        """Make a questionnaire out of what `to_data` gives, or of a study's own JSON of that form."""
        try:
            questions = tuple(_question(one) for one in data["questions"])
            title = str(data.get("title", ""))
        except (KeyError, TypeError, AttributeError) as error:
            raise BarlowError(
                'A questionnaire is {"title": ..., "questions": [{"id": ..., "kind": ..., "name": ..., "text": ...}, ...]}; '
                f"this one could not be read ({error})."
            ) from None
        ids = [question.id for question in questions]
        if not ids or len(set(ids)) != len(ids):
            raise BarlowError(f"A questionnaire has at least one question, each with an id of its own; found {ids}.")
        return cls(title, questions)


def _question(data: Mapping[str, Any]) -> Question:
    known = {field.name for field in fields(Question)}
    if unknown := sorted(set(data) - known):
        raise BarlowError(f"A question has no {', '.join(map(repr, unknown))}. Expected: {', '.join(sorted(known))}.")
    question = Question(**(dict(data) | {"options": tuple((str(value), str(label)) for value, label in data.get("options", ()))}))
    if not isinstance(question.id, str) or not _IDENTIFIER.match(question.id):
        raise BarlowError(f"Question id {question.id!r}: lower-case letters, digits and underscores, please, at most 40.")
    if question.kind not in KINDS:
        raise BarlowError(f"Question {question.id!r} is of kind {question.kind!r}. Expected one of: {', '.join(KINDS)}.")
    sizes = (question.max_length, question.low, question.high, 1 if question.max_words is None else question.max_words)
    if any(type(size) is not int for size in sizes) or not 1 <= question.max_length <= MAX_LENGTH or sizes[3] < 1:
        raise BarlowError(
            f"Question {question.id!r}: max_words is 1 or more, max_length 1 to {MAX_LENGTH:,}, low and high are whole numbers."
        )
    if question.kind == "scale" and not -1_000_000 <= question.low < question.high <= 1_000_000:
        raise BarlowError(
            f"Question {question.id!r}: low must be below high, both within a million; found {question.low} and {question.high}."
        )
    values = [value for value, _ in question.options]
    if question.kind == "choice" and (len(set(values)) < max(2, len(values)) or "" in values):
        raise BarlowError(f"Question {question.id!r}: a choice has at least two options, each with a value of its own.")
    for text in (
        question.name,
        question.text,
        question.help,
        question.low_label,
        question.high_label,
        *sum(question.options, ()),
    ):
        if not isinstance(text, str) or cannot_be_kept(text):
            raise BarlowError(f"Question {question.id!r}: {shown(text)} is not a text that can be kept.")
    return question


def _is_whole(value: object) -> TypeGuard[int]:
    """Whether `value` is an integer, numpy's included; True and 3.0 are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _native(value: object) -> Any:
    return int(value) if _is_whole(value) else value


def _values(good: Any) -> list[Any]:
    return list(good) if isinstance(good, (list, tuple)) else [good]


def _plain(answer: Any) -> Any:
    return " ".join(answer.casefold().split()) if isinstance(answer, str) else answer


def shown(value: object) -> str:
    """A value for a message: short, and harmless in any terminal."""
    if isinstance(value, (str, bytes)):
        value = value[:60]
    text = ascii(value) if not isinstance(value, (list, tuple, set, dict)) else f"a {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."


def dumps(value: object) -> str:
    """JSON as the study file keeps it: text stays readable, what JSON does not know is refused."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


# The five questions of Figure 65, which is a picture in the paper; the wording follows section 8 and appendix G.
PAPER = Questionnaire(
    "",
    (
        Question("short", "text", "", "", max_words=3, max_length=100),
        Question("long", "text", "", "", max_words=15, max_length=500),
        Question("ease", "scale", "", ""),
        Question("confidence", "scale", "", ""),
        Question("useful", "choice", "", "", options=(("B", ""), ("C", ""), ("both", ""), ("none", ""))),
    ),
).in_words(ENGLISH.study["title"], ENGLISH.questions)
