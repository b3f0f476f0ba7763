"""The catalogue of texts: files of TOML, read, checked, and filled in with numbers and money in the form of their language.

`en.toml` is the measure: every other catalogue has its texts, with its placeholders. A study keeps what it replaces of a shipped
catalogue, or the whole of one in another language, as data (`StudySettings.texts`).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal

from barlow_core.errors import BarlowError

SHIPPED = ("en", "de")
STUDY = ("title", "consent", "instructions", "examples", "quiz")  # words of a study, beside those of the page
_QUESTION = ("name", "text", "help", "low_label", "high_label", "options")
_APART = ("language", "study", "questions")
# Texts of studies about core and spurious features. Files of other languages that were made before there were any do without them.
_LATER = ("section.object.", "section.further.", "section.further_bright.")
_PLURALS = ("zero", "one", "two", "few", "many", "other")
_LETTER_BEFORE_DIGIT = re.compile(r"(?<=[^\W\d])(?=\d)")  # CHF 3.00
_CURRENCY_CODE = 3  # letters of a currency that a language knows how to write; anything else stands after the number


@dataclass(frozen=True)
class Texts:
    """The texts of one language.

    Attributes:
        language: as in BCP 47, such as "de" or "pt-BR".
        entries: by key ("consent.agree"), a text, or a text for each plural form of the language.
        study: `STUDY` words, of those that there are; questions: by id of a question, its words.
    """

    language: str
    entries: Mapping[str, str | Mapping[str, str]]
    study: Mapping[str, Any]
    questions: Mapping[str, Mapping[str, Any]]

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key`, filled in: whole numbers and decimals in the form of the language, anything else as it is."""
        entry = self.entries[key]
        if not isinstance(entry, str):
            entry = entry.get(self.locale.plural_form(Decimal(str(values["n"]))), entry["other"])
        return entry.format_map({name: self.number(value) if _is_number(value) else value for name, value in values.items()})

    def within(self, *sections: str) -> dict[str, str | Mapping[str, str]]:
        """The entries of some sections, for a script that fills them in itself."""
        return {key: entry for key, entry in self.entries.items() if key.partition(".")[0] in sections}

    def number(self, value: Any) -> str:
        return format_decimal(value, locale=self.locale)

    def money(self, value: Decimal, currency: str) -> str:
        """An amount as people of the language write it: $1,234.50; 1.234,50 $."""
        if len(currency) == _CURRENCY_CODE and currency.isalpha():
            return _LETTER_BEFORE_DIGIT.sub("\N{NO-BREAK SPACE}", format_currency(value, currency.upper(), locale=self.locale))
        return f"{format_decimal(value, '#,##0.00', locale=self.locale)} {currency}".strip()

    @cached_property
    def locale(self) -> Locale:
        return Locale.parse(self.language, sep="-")

    @property
    def direction(self) -> str:
        """ "ltr", or "rtl" where the language is written from right to left."""
        return self.locale.text_direction


def shipped_file(language: str, questionnaire: str | None = None) -> Path:
    """The file of a language that Barlow ships.

    Args:
        questionnaire: name of one of `study.core_or_spurious`: the file of what its studies say otherwise.

    Raises:
        BarlowError: there is none.
    """
    if language not in SHIPPED:
        raise BarlowError(
            f"Barlow has no texts in {language!r}; it has {', '.join(SHIPPED)}. Translate those of `barlow study texts` and give the file: --texts FILE."
        )
    return Path(__file__).with_name(f"{questionnaire.replace('-', '_')}.{language}.toml" if questionnaire else f"{language}.toml")


@lru_cache
def shipped(language: str) -> Texts:
    """The texts of a language that Barlow ships."""
    return _made(language, tomllib.loads(shipped_file(language).read_text(encoding="utf-8")))


def read_texts(path: Path) -> tuple[str, dict[str, Any]]:
    """A file of texts: its language, and all of its sections.

    Raises:
        BarlowError: it cannot be read, or its texts cannot be used (see `texts_of`).
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BarlowError(
            f"{path} cannot be read as texts ({error}). Expected TOML, as `barlow study texts` prints it."
        ) from None
    language = data.pop("language", None)
    if not isinstance(language, str):
        raise BarlowError(f'{path} does not say of which language its texts are. Expected a first line such as language = "de".')
    try:
        texts_of(language, data)
    except BarlowError as error:
        raise BarlowError(f"{path}: {error}") from None
    return language, data


def texts_of(language: str, data: Mapping[str, Any]) -> Texts:
    """The texts of a language: what `data` says, and for the rest what is shipped.

    Args:
        data: sections as in `en.toml`; of a language that is shipped, those texts that are to be others.

    Raises:
        BarlowError: an unknown language, text or placeholder, or a language that is not shipped and lacks a text.
    """
    try:
        Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        raise BarlowError(f'The language {language!r} is not known. Expected a code such as "de", "pt-BR" or "ar".') from None
    if not data and language in SHIPPED:
        return shipped(language)
    made = _made(language, data)
    for key, entry in made.entries.items():
        _check_entry(key, entry, language)
    _check_words(made)
    if language in SHIPPED:
        base = shipped(language)
        return Texts(
            language,
            {**base.entries, **made.entries},
            {**base.study, **made.study},
            {**base.questions, **{name: {**base.questions.get(name, {}), **words} for name, words in made.questions.items()}},
        )
    measure = shipped("en").entries
    missing = [key for key in measure if key not in made.entries]
    if any(not key.startswith(_LATER) for key in missing):
        raise BarlowError(
            f"{len(missing)} texts are missing, the first of them: {', '.join(missing[:5])}. A language that Barlow does not have needs "
            "all that `barlow study texts` prints."
        )
    return replace(made, entries={**{key: measure[key] for key in missing}, **made.entries})


def merged(data: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of texts, with those of `over` in place of what `data` says; lists are replaced whole."""
    made = dict(data)
    for name, value in over.items():
        section = made.get(name)
        made[name] = merged(section, value) if isinstance(section, Mapping) and isinstance(value, Mapping) else value
    return made


def _made(language: str, data: Mapping[str, Any]) -> Texts:
    entries = dict(_flat({name: section for name, section in data.items() if name not in _APART}))
    return Texts(language, entries, dict(data.get("study", {})), dict(data.get("questions", {})))


def _flat(data: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Sections in sections as keys with dots; a table of plural forms is one entry."""
    for name, value in data.items():
        if isinstance(value, Mapping) and not (value and set(value) <= set(_PLURALS)):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _check_entry(key: str, entry: object, language: str) -> None:
    measure = shipped("en").entries
    if key not in measure:
        near = difflib.get_close_matches(key, measure, 1)
        raise BarlowError(f"There is no text {key!r}. {f'Did you mean {near[0]}? ' if near else ''}See them: barlow study texts.")
    forms = dict(entry) if isinstance(entry, Mapping) else {"": entry}
    if ("other" in forms) != isinstance(measure[key], Mapping):
        wanted = 'a text for each plural form, such as { one = "...", other = "..." }' if "other" not in forms else "one text"
        raise BarlowError(f"{key} has to be {wanted}.")
    allowed = _placeholders(key, measure[key])
    for form, text in forms.items():
        if not isinstance(text, str) or not text.strip():
            raise BarlowError(f"{key} has to be a text that is not empty, not {text!r}.")
        found = _placeholders(key, text)
        if unknown := sorted(found - allowed):
            raise BarlowError(f"{key}: {{{unknown[0]}}} is nothing that is filled in there. Possible: {_listed(allowed)}.")
        # A plural form may leave the number out: "one task".
        if lost := sorted(allowed - found - ({"n"} if form else set()) - _may_be_lost(key)):
            raise BarlowError(f"{key}: {{{lost[0]}}} is missing in {text!r}. Expected: {_listed(allowed)}.")


def _may_be_lost(key: str) -> set[str]:
    """Placeholders that not every form of the English text has."""
    forms = shipped("en").entries[key]
    if isinstance(forms, str):
        return set()
    found = [_placeholders(key, text) for text in forms.values()]
    return _placeholders(key, forms) - found[0].intersection(*found[1:])


def _placeholders(key: str, entry: object) -> set[str]:
    texts = entry.values() if isinstance(entry, Mapping) else [entry]
    found: set[str] = set()
    for text in texts:
        try:
            found |= {name for _, name, _, _ in Formatter().parse(str(text)) if name is not None}
        except ValueError as error:
            raise BarlowError(
                f"{key}: {text!r} cannot be filled in ({error}). A brace that is to be seen is written twice."
            ) from None
    return found


def _check_words(made: Texts) -> None:
    if unknown := sorted(set(made.study) - set(STUDY)):
        raise BarlowError(f"[study] has no {unknown[0]!r}. Possible: {', '.join(STUDY)}.")
    for question, words in made.questions.items():
        if not isinstance(words, Mapping) or (set(words) - set(_QUESTION)):
            raise BarlowError(f"[questions.{question}] holds texts out of {', '.join(_QUESTION)}; found {_listed(set(words))}.")


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


ENGLISH = shipped("en")
