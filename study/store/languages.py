"""The languages of a study: which words its workers read, and what is still missing in one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from barlow_core.errors import BarlowError
from study.questionnaire import PAPER, Questionnaire, dumps, shown
from study.texts import SHIPPED, Texts, texts_of

WORDS = ("title", "consent", "instructions", "examples", "quiz")  # settings that are words


class Worded(Protocol):
    """Settings (`study.store.settings.StudySettings`), as far as they are words."""

    @property
    def languages(self) -> tuple[str, ...]: ...

    @property
    def texts(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def questionnaire(self) -> Questionnaire: ...


def filled_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a person gave, with the words of their first language where they bring none of their own.

    Raises:
        BarlowError: see `study.texts.texts_of`.
    """
    languages, replaced = given.get("languages"), given.get("texts", {})
    if isinstance(languages, str):
        languages = (languages,)
    if not languages and not replaced:
        return dict(given)
    first = (languages or ("en",))[0]
    texts = texts_of(first, replaced.get(first, {}))
    words = {name: texts.study[name] for name in WORDS if name != "quiz" and name in texts.study}
    own = {name: value for name, value in given.items() if name != "questionnaire" or value is not None}
    lacking = [f"[study] {name}" for name in WORDS if name != "quiz" and name not in words | own]
    if "questionnaire" not in own:
        words["questionnaire"] = PAPER.in_words(str(texts.study.get("title", "")), texts.questions)
        lacking += [f"[questions.{name}]" for name in PAPER.ids if name not in texts.questions]
    if lacking:
        raise BarlowError(f"The texts in {first!r} lack {', '.join(lacking)}, which Barlow does not have in that language.")
    return words | own


def check(settings: Worded) -> None:
    """Whether every language of a study has all of its words.

    Raises:
        BarlowError: it has not; names what is missing.
    """
    languages = settings.languages
    if not languages or len(set(languages)) != len(languages) or not all(isinstance(one, str) for one in languages):
        raise BarlowError(f"languages are codes such as en or de, at least one, each once; found {shown(list(languages))}.")
    if not isinstance(settings.texts, Mapping) or (others := sorted(set(settings.texts) - set(languages))):
        found = shown(settings.texts) if not isinstance(settings.texts, Mapping) else f"some in {', '.join(others)}"
        raise BarlowError(f"texts are those of the languages of the study ({', '.join(languages)}); found {found}.")
    for language in languages:
        texts = texts_of(language, settings.texts.get(language, {}))
        if language == languages[0]:
            continue
        for name in WORDS:
            _check_word(settings, language, name)
        for question in settings.questionnaire.questions:
            if _question(settings, texts, question.id) is None:
                raise BarlowError(_missing(f"The question {question.id!r}", language, f"[questions.{question.id}]"))


def words_of(settings: Worded, language: str) -> dict[str, Any]:
    """The settings that are words, in a language of the study."""
    if language == settings.languages[0]:
        return {}
    texts = texts_of(language, settings.texts.get(language, {}))
    words = {name: _word(settings, language, name) for name in WORDS}
    questions = {one.id: _question(settings, texts, one.id) or {} for one in settings.questionnaire.questions}
    return words | {"questionnaire": settings.questionnaire.in_words(str(words["title"]), questions)}


def preferred(languages: Sequence[str], header: str) -> str:
    """Which language of a study a browser would like best; the first one where it would like none.

    Args:
        header: the browser's Accept-Language.
    """
    wishes = []
    for place, part in enumerate(header.split(",")):
        code, _, quality = part.strip().partition(";q=")
        try:
            wishes.append((-float(quality or 1), place, code.lower()))
        except ValueError:
            continue
    for weight, _, wish in sorted(wishes):
        for matches in (str.lower, _general):
            if weight < 0 and (found := [one for one in languages if matches(one) == matches(wish)]):
                return found[0]
    return languages[0]


def _general(language: str) -> str:
    """The language without its country: "pt" of "pt-BR"."""
    return language.lower().partition("-")[0]


def _check_word(settings: Worded, language: str, name: str) -> None:
    own, there = _plain(getattr(settings, name)), _word(settings, language, name)
    if own and there is None:
        raise BarlowError(_missing(name, language, f"{name} below [study]"))
    if name == "quiz" and own:
        shape = [(len(one["options"]), one["answer"]) for one in own]
        if shape != [(len(one["options"]), one["answer"]) for one in _plain(there)]:
            raise BarlowError(f"The quiz in {language!r} has to have the same questions, options and answers in the same order.")


def _missing(what: str, language: str, where: str) -> str:
    return f"{what} has words of its own in this study, and none in {language!r}. Put {where} into a file of texts in that language: --texts FILE."


def _word(settings: Worded, language: str, name: str) -> Any:
    """What a setting says in a language: what was given for it, or the shipped translation of what is shipped; None: nobody knows."""
    given = settings.texts.get(language, {}).get("study", {})
    own, first = getattr(settings, name), settings.languages[0]
    if name in given or not own:
        return _like(own, given.get(name, own))
    if {first, language} <= set(SHIPPED) and _plain(own) == _plain(texts_of(first, {}).study[name]):
        return _like(own, texts_of(language, {}).study[name])
    return None


def _question(settings: Worded, texts: Texts, question: str) -> Mapping[str, Any] | None:
    """The words of a question in a language; as `_word`."""
    if question in settings.texts.get(texts.language, {}).get("questions", {}):
        return texts.questions[question]
    first = settings.languages[0]
    if question in PAPER.ids and {first, texts.language} <= set(SHIPPED):
        of_old = PAPER.in_words("", texts_of(first, {}).questions)[question]
        if settings.questionnaire[question] == of_old:
            return texts_of(texts.language, {}).questions[question]
    return None


def _like(own: Any, words: Any) -> Any:
    return tuple(words) if isinstance(own, tuple) and not isinstance(words, str) else words


def _plain(value: Any) -> Any:
    return json.loads(dumps(value))
