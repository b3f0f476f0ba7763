"""The questionnaires of core or spurious: the same in every language, told from others by what can be answered."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from barlow_core.errors import BarlowError
from study.core_or_spurious import NAMES, QUESTIONNAIRES, deciding, questionnaire_of, settings_of, texts_with
from study.questionnaire import PAPER, Question, Questionnaire
from study.store import StudySettings
from study.texts import ENGLISH, SHIPPED, shipped_file, texts_of

EACH = pytest.mark.parametrize("name", list(QUESTIONNAIRES))


@EACH
def test_every_shipped_language_says_all_of_it(name: str) -> None:
    said = {language: tomllib.loads(shipped_file(language, name).read_text(encoding="utf-8")) for language in SHIPPED}
    english = said["en"]
    for language, words in said.items():
        assert words.pop("language") == language
        texts_of(language, words)  # raises for an unknown text or placeholder
        assert words.keys() == english.keys()
        assert words["check"].keys() == english["check"].keys()
        assert words["study"].keys() == ENGLISH.study.keys()
        assert len(words["study"]["instructions"]) == len(english["study"]["instructions"])
        shape = [[len(one["options"]), one["answer"]] for one in words["study"]["quiz"]]
        assert shape == [[len(one["options"]), one["answer"]] for one in english["study"]["quiz"]]
        for question in QUESTIONNAIRES[name].questions:
            assert words["questions"][question.id].keys() == english["questions"][question.id].keys()
            assert set(words["questions"][question.id].get("options", {})) == {value for value, _ in question.options}


@EACH
def test_settings_are_words_in_each_language_of_the_study(name: str) -> None:
    settings = StudySettings.make(settings_of(name, {"languages": ["en", "de"], "quiz": ()}))
    assert questionnaire_of(settings.questionnaire) == name
    german = settings.in_language("de")
    own = texts_of("de", texts_with(name, {"de": {}})["de"])
    assert (german.title, german.consent) == (own.study["title"], own.study["consent"])
    assert german.questionnaire.questions[0].text == own.questions[german.questionnaire.ids[0]]["text"]
    assert [one.options for one in german.questionnaire.questions[1:]] == [(), ()]
    assert settings.texts_in("de")("check.feedback_1") == own("check.feedback_1") != texts_of("de", {})("check.feedback_1")
    assert StudySettings.from_rows(settings.rows()) == settings
    assert StudySettings.make(settings_of(name, {"languages": ["de"]})).title == own.study["title"]


def test_own_texts_stand_over_those_of_the_questionnaire() -> None:
    given = {"minutes_per_item": 3.0, "texts": {"en": {"study": {"title": "Ours"}, "form": {"send": "Off"}}}}
    settings = StudySettings.make(settings_of(NAMES[1], given))
    assert (settings.title, settings.minutes_per_item) == ("Ours", 3.0)
    assert settings.texts_in("en")("form.send") == "Off"
    assert settings.texts_in("en")("check.feedback_1") != ENGLISH("check.feedback_1")


def test_the_first_questionnaire_is_left_alone() -> None:
    given = {"pay_per_item": "1.00"}
    assert settings_of(NAMES[0], given) == given
    assert StudySettings.make(settings_of(NAMES[0], given)).questionnaire == PAPER


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("colour", {}, "no questionnaire 'colour'. Expected one of: descriptions, core-or-spurious, same-feature"),
        (NAMES[1], {"questionnaire": PAPER}, "The settings hold a questionnaire of their own"),
        (NAMES[1], {"languages": ["fr"]}, "texts are missing"),
    ],
)
def test_what_cannot_be_is_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(BarlowError) as error:
        settings_of(name, given)
    assert said in str(error.value)


def test_a_language_that_barlow_does_not_have_brings_the_new_words_or_is_refused() -> None:
    sections: dict[str, Any] = {}
    for key, entry in ENGLISH.entries.items():
        *path, last = key.split(".")
        place = sections
        for part in path:
            place = place.setdefault(part, {})
        place[last] = entry
    old = {**sections, "section": {letter: sections["section"][letter] for letter in "ABC"}}
    texts_of("fr", old)  # files of before are still read
    words = tomllib.loads(shipped_file("en", NAMES[1]).read_text(encoding="utf-8"))
    brought = {"study": words["study"], "questions": words["questions"]}
    with pytest.raises(BarlowError, match=r"lack \[section.object\], which core-or-spurious needs"):
        settings_of(NAMES[1], {"languages": ["fr"], "texts": {"fr": {**old, **brought}}})
    with pytest.raises(BarlowError, match=r"lack \[questions.part\]"):
        settings_of(NAMES[1], {"languages": ["fr"], "texts": {"fr": {**sections, "study": words["study"]}}})
    made = StudySettings.make(settings_of(NAMES[1], {"languages": ["fr"], "texts": {"fr": {**sections, **brought}}}))
    assert made.title == words["study"]["title"]


def test_questions_that_only_share_a_name_are_another_questionnaire() -> None:
    part = Question("part", "text", "Part", "Which part?")
    assert deciding(Questionnaire("", (part,))) is None
    assert deciding(PAPER) is None
    first = QUESTIONNAIRES[NAMES[1]]
    assert deciding(first) == "part"
    assert deciding(Questionnaire("", (*first.questions, Question("more", "text", "More", "More?")))) == "part"
    assert deciding(Questionnaire("", first.questions[:1])) is None
