"""The catalogue of texts: its languages say the same things, and what a study brings is checked before anybody reads it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from barlow_core.errors import BarlowError
from study.cli import study
from study.questionnaire import PAPER
from study.store import StudySettings
from study.store.languages import preferred
from study.texts import ENGLISH, SHIPPED, Texts, read_texts, texts_of
from study.texts.catalogue import _check_entry

OWN = {"consent": "Our own consent."}


@pytest.mark.parametrize("language", SHIPPED)
def test_every_shipped_language_has_every_text(language: str) -> None:
    texts = texts_of(language, {})
    assert list(texts.entries) == list(ENGLISH.entries), "the same texts in the same order"
    for key, entry in texts.entries.items():
        _check_entry(key, entry, language)
    assert set(texts.study) == set(ENGLISH.study)
    assert len(texts.study["instructions"]) == len(ENGLISH.study["instructions"])
    assert [example.keys() for example in texts.study["examples"]] == [example.keys() for example in ENGLISH.study["examples"]]
    shape = [(len(one["options"]), one["answer"]) for one in texts.study["quiz"]]
    assert shape == [(len(one["options"]), one["answer"]) for one in ENGLISH.study["quiz"]]
    for question in PAPER.questions:
        assert texts.questions[question.id].keys() == ENGLISH.questions[question.id].keys()
        assert set(texts.questions[question.id].get("options", {})) == {value for value, _ in question.options}


def test_numbers_and_money_have_the_form_of_the_language() -> None:
    german, arabic = texts_of("de", {}), Texts("ar", {}, {}, {})
    price = Decimal("1234.5")
    assert [ENGLISH.money(price, currency) for currency in ("USD", "EUR", "CHF", "", "points")] == [
        "$1,234.50",
        "€1,234.50",
        "CHF\N{NO-BREAK SPACE}1,234.50",
        "1,234.50",
        "1,234.50 points",
    ]
    assert german.money(price, "EUR") == "1.234,50\N{NO-BREAK SPACE}€"
    assert german("consent.minutes", n=2.5) == "2,5 Minuten"
    assert [ENGLISH("task.sent", n=n) for n in (0, 1, 1200)] == ["0 answers sent", "1 answer sent", "1,200 answers sent"]
    assert german("answer.shorten", name="Text", most=10_000, has=12_345) == (
        "Text: Bitte kürzen Sie auf höchstens 10.000 Zeichen; es sind 12.345."
    )
    assert (ENGLISH.direction, german.direction, arabic.direction) == ("ltr", "ltr", "rtl")


def test_plural_forms_are_those_of_the_language() -> None:
    forms = {"one": "один {n}", "few": "мало {n}", "many": "много {n}", "other": "{n}"}
    russian = Texts("ru", {"task.sent": forms}, {}, {})
    assert [russian("task.sent", n=n).split()[0] for n in (1, 3, 5, 21)] == ["один", "мало", "много", "один"]


@pytest.mark.parametrize(
    ("language", "data", "said"),
    [
        ("en", {"form": {"sendd": "Send"}}, "There is no text 'form.sendd'. Did you mean form.send?"),
        ("en", {"task": {"number": "Task {m}"}}, "task.number: {m} is nothing that is filled in there. Possible: n"),
        ("en", {"task": {"number": "Task"}}, "task.number: {n} is missing in 'Task'"),
        ("en", {"task": {"number": "Task {n"}}, "task.number: 'Task {n' cannot be filled in"),
        ("en", {"form": {"look": "Look again."}}, "form.look has to be a text for each plural form"),
        ("en", {"form": {"send": {"other": "Send"}}}, "form.send has to be one text"),
        ("en", {"form": {"send": " "}}, "form.send has to be a text that is not empty"),
        ("en", {"study": {"consend": "x"}}, "[study] has no 'consend'. Possible: title, consent"),
        ("en", {"questions": {"short": {"label": "x"}}}, "[questions.short] holds texts out of name, text"),
        ("ar", {"form": {"send": "أرسل"}}, f"{len(ENGLISH.entries) - 1} texts are missing, the first of them: check.feedback_1"),
        ("qqq", {}, "The language 'qqq' is not known"),
    ],
)
def test_texts_that_cannot_be_used_are_refused(language: str, data: dict[str, Any], said: str) -> None:
    with pytest.raises(BarlowError) as error:
        texts_of(language, data)
    assert said in str(error.value)


def test_a_file_of_texts_replaces_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('language = "de"\n[form]\nsend = "Ab damit"\n[study]\nconsent = "Unser Text."\n', encoding="utf-8")
    language, data = read_texts(path)
    settings = StudySettings.make({"languages": [language], "texts": {language: data}})
    assert (settings.consent, settings.title) == ("Unser Text.", texts_of("de", {}).study["title"])
    assert settings.questionnaire["ease"].low_label == "sehr schwer"
    texts = settings.texts_in("de")
    assert (texts("form.send"), texts("form.save")) == ("Ab damit", "Änderungen speichern")
    assert StudySettings.from_rows(settings.rows()) == settings
    for content, said in (("[form]\nsend = 'x'", "does not say of which language"), ("language = ", "cannot be read as texts")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(BarlowError, match=said):
            read_texts(path)


def test_the_printed_texts_can_be_given_back(tmp_path: Path) -> None:
    for language in SHIPPED:
        printed = CliRunner().invoke(study, ["texts", "--language", language])
        assert printed.exit_code == 0
        path = tmp_path / "texts.toml"
        path.write_text(printed.output, encoding="utf-8")
        assert texts_of(*read_texts(path)).entries == texts_of(language, {}).entries
    refused = CliRunner().invoke(study, ["texts", "--language", "tlh"])
    assert "Barlow has no texts in 'tlh'; it has en, de" in str(refused.output) + str(refused.exception)


def test_a_study_in_several_languages_has_all_of_its_words_in_each() -> None:
    both = StudySettings.make({"languages": ["en", "de"]})
    assert both.in_language("en") == both
    german = both.in_language("de")
    assert german.questionnaire["useful"].options[2] == ("both", "Beide Abschnitte")
    assert german.questionnaire["short"].max_words == both.questionnaire["short"].max_words
    for own, said in (
        (OWN, "consent has words of its own in this study, and none in 'de'"),
        ({"questionnaire": {"questions": [{"id": "why", "kind": "text", "name": "Why", "text": "Why?"}]}}, "question 'why'"),
        ({"languages": ["en", "en"]}, "each once"),
        ({"texts": {"fr": {}}}, "found some in fr"),
    ):
        with pytest.raises(BarlowError, match=said):
            StudySettings.make({"languages": ["en", "de"], **own})
    given = StudySettings.make({"languages": ["en", "de"], **OWN, "texts": {"de": {"study": {"consent": "Unser Text."}}}})
    assert given.in_language("de").consent == "Unser Text."
    with pytest.raises(BarlowError, match="lack .study. title"):
        StudySettings.make({"languages": ["fr"], "texts": {"fr": dict(_nested(ENGLISH))}})


def test_a_study_in_a_language_of_its_own_brings_all_words() -> None:
    words = {**_nested(ENGLISH), "study": ENGLISH.study, "questions": ENGLISH.questions}
    settings = StudySettings.make({"languages": ["ar"], "texts": {"ar": words}})
    texts = settings.texts_in("ar")
    assert (texts.direction, settings.title) == ("rtl", ENGLISH.study["title"])
    assert texts("task.sent", n=3) == "3 answers sent", "a plural form that the file lacks is the other one"
    assert texts.money(Decimal("0.5"), "EUR") != ENGLISH.money(Decimal("0.5"), "EUR")
    with pytest.raises(BarlowError, match="texts are missing"):
        settings.changed({"texts": {"ar": {"form": words["form"]}}})


def _nested(texts: Texts) -> dict[str, Any]:
    """Entries as sections."""
    found: dict[str, Any] = {}
    for key, entry in texts.entries.items():
        *sections, name = key.split(".")
        place = found
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = entry
    return found


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,de;q=0.2,en;q=0.1", "de"),
        ("fr;q=1", "en"),
        ("de;q=0", "en"),
        (";;q=x", "en"),
    ],
)
def test_the_browser_chooses_among_the_languages(header: str, language: str) -> None:
    assert preferred(("en", "de"), header) == language
