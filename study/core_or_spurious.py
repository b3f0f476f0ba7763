"""Core or spurious, answered by people: the questions of the two rounds as data, and what their answers decide.

After Singla and Feizi, "Salient ImageNet: How to discover spurious features in deep learning?" (ICLR 2022). In the first round people say what
a feature looks at: a part of the main object of the class (the feature is core), the background or a separate object (it is spurious). In the
second one they say whether the feature's maps show the same thing on further images of the class, which confirms the mark or rejects it.

A study is one of these by the questions that it asks, so one in other words, or with further questions, is still one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from barlow_core.errors import BarlowError
from study.questionnaire import Question, Questionnaire
from study.texts import SHIPPED, merged, shipped_file, texts_of

DESCRIPTIONS, CORE_OR_SPURIOUS, SAME_FEATURE = "descriptions", "core-or-spurious", "same-feature"
PART, SAME = "part", "same"  # the questions that decide
OBJECT, BACKGROUND, SEPARATE = "object", "background", "separate"
PARTS = (OBJECT, BACKGROUND, SEPARATE)
YES, NO = "yes", "no"
ANSWERS = {PART: PARTS, SAME: (YES, NO)}
CORE, SPURIOUS = "core", "spurious"
CONFIRMED, REJECTED = "confirmed", "rejected"
# What each answer speaks for.
MEANS = {PART: {OBJECT: CORE, BACKGROUND: SPURIOUS, SEPARATE: SPURIOUS}, SAME: {YES: CONFIRMED, NO: REJECTED}}
VERDICTS = {question: tuple(dict.fromkeys(means.values())) for question, means in MEANS.items()}
TIE, OPEN = "tie", "open"  # all answers are there and neither has a majority; more answers can still decide

_REASON, _CONFIDENCE = Question("reason", "text", "", ""), Question("confidence", "scale", "", "")
QUESTIONNAIRES = {
    CORE_OR_SPURIOUS: Questionnaire(
        "", (Question(PART, "choice", "", "", options=tuple((part, "") for part in PARTS)), _REASON, _CONFIDENCE)
    ),
    SAME_FEATURE: Questionnaire("", (Question(SAME, "choice", "", "", options=((YES, ""), (NO, ""))), _REASON, _CONFIDENCE)),
}
NAMES = (DESCRIPTIONS, *QUESTIONNAIRES)
MINUTES = {CORE_OR_SPURIOUS: 1.5, SAME_FEATURE: 1.0}  # an item, as workers are told unless the study says otherwise


def questionnaire_of(asked: Questionnaire) -> str | None:
    """The name of the questionnaire that a study has, in whatever words; None for other studies."""
    shapes = {name: _shape(questionnaire) for name, questionnaire in QUESTIONNAIRES.items()}
    return next((name for name, shape in shapes.items() if shape.items() <= _shape(asked).items()), None)


def deciding(asked: Questionnaire) -> str | None:
    """The question of a study that decides, "part" or "same"; None for other studies."""
    return {CORE_OR_SPURIOUS: PART, SAME_FEATURE: SAME}.get(questionnaire_of(asked) or "")


def _shape(asked: Questionnaire) -> dict[str, tuple[Any, ...]]:
    """What can be answered to each question, by its id."""
    return {one.id: (one.kind, one.low, one.high, frozenset(value for value, _ in one.options)) for one in asked.questions}


def settings_of(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a study with one of these questionnaires.

    Args:
        name: of `NAMES`.
        given: what a person set (`study.store.StudySettings`), which stays as it is; texts of theirs replace those of the questionnaire.

    Raises:
        BarlowError: an unknown name; a questionnaire beside it; a language that Barlow does not have, and whose texts lack what is new.
    """
    if name not in NAMES:
        raise BarlowError(f"There is no questionnaire {name!r}. Expected one of: {', '.join(NAMES)}.")
    if name == DESCRIPTIONS:
        return dict(given)
    if "questionnaire" in given:
        raise BarlowError(
            f"The settings hold a questionnaire of their own, and {name} is another one. Leave one of them out; other words for the questions "
            "go into a file of texts: --texts."
        )
    own: Mapping[str, Any] = given.get("texts", {})
    languages = given.get("languages") or ("en",)
    languages = (languages,) if isinstance(languages, str) else tuple(languages)
    texts = texts_with(name, {language: own.get(language, {}) for language in languages})
    first = texts_of(languages[0], texts[languages[0]])
    for language in set(languages) - set(SHIPPED):
        lacking = [part for part in ("object", "further", "further_bright") if part not in texts[language].get("section", {})]
        if lacking:
            raise BarlowError(
                f"The texts in {language!r} lack [section.{lacking[0]}], which {name} needs. See all of them: barlow study texts"
            )
    asked = QUESTIONNAIRES[name]
    if unknown := [question for question in asked.ids if question not in first.questions]:
        raise BarlowError(
            f"The texts in {first.language!r} lack [questions.{unknown[0]}]. See those of this questionnaire: barlow study texts --questionnaire {name}"
        )
    worded = asked.in_words(str(given.get("title", first.study.get("title", ""))), first.questions)
    return {"minutes_per_item": MINUTES[name], **given, "questionnaire": worded, "languages": languages, "texts": texts}


def texts_with(name: str | None, given: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Texts by language as a study keeps them: what its questionnaire says otherwise (None: nothing), and over it what is `given`."""
    return {
        language: merged(_words(name, language) if name and language in SHIPPED else {}, own) for language, own in given.items()
    }


def _words(name: str, language: str) -> dict[str, Any]:
    """What a study with this questionnaire says otherwise than others in a language that Barlow ships, as sections."""
    found = tomllib.loads(shipped_file(language, name).read_text(encoding="utf-8"))
    return {section: value for section, value in found.items() if section != "language"}
