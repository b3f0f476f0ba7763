"""What a study is set to: how many answers, for how much, with which words; all of it data in the study file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from barlow_core.errors import BarlowError
from study.questionnaire import PAPER, Questionnaire, cannot_be_kept, dumps, shown
from study.store import languages
from study.store.conditions import BALANCED, WITHIN
from study.store.conditions import check as check_conditions
from study.texts import ENGLISH, Texts, texts_of

MONEY = ("pay_per_item", "base_pay", "partial_pay", "screened_out_pay", "bonus")
CODES = ("completion_code", "partial_code", "screened_out_code", "full_code", "declined_code")
RULES = ("speed", "identical", "automation", "duplicates")  # what may be wrong with an answer or a worker
ACTIONS = ("off", "flag", "refuse")
PLATFORMS = ("link", "prolific", "mturk")
# What may change while people answer: words, ways in and out, and limits. The rest would make answers before and after incomparable.
CHANGEABLE = (
    "title",
    "contact",
    "consent",
    "instructions",
    "examples",
    "texts",
    "reservation_minutes",
    "items_per_worker",
    "items_per_visit",
    "max_failed_checks",
    "recruiting",
    "hold_minutes",
    "quiz",
    "quiz_tries",
    "min_seconds",
    *RULES,
    "minutes_per_item",
    "base_pay",
    "partial_pay",
    "screened_out_pay",
    "bonus",
    "bonus_after",
    "platforms",
    "open_link",
    "invite_codes",
    "allowed_workers",
    *CODES,
    "completion_url",
    "admin_hash",
)
SECRET = ("invite_codes", "allowed_workers", "admin_hash")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
INVITE = re.compile(r"[A-Za-z0-9_-]{4,64}\Z")
GUEST_PREFIX = "guest-"  # of the ids that open links give out


@dataclass(frozen=True)
class StudySettings:
    """The settings of a study.

    Attributes:
        answers_per_item: how many workers describe each item (5 in section 8).
        questionnaire: what is asked; the paper's questions unless a study brings its own (`Questionnaire`, or its data).
        title, contact, consent, instructions, examples: texts for the worker; `instructions` paragraphs, `examples` worked examples.
        languages: which the worker's page offers, by their codes ("en", "de"); the browser of a visitor chooses among them, and the
            first is for all whose browser would like none. The texts above are in the first one.
        texts: by language, what a study says otherwise than the catalogue, or in addition to it (`study.texts.texts_of`).
        pay_per_item: in `currency`, a decimal number ("0.50"); every answer to an item that is not for practice is paid.
        base_pay: what the platform pays by itself for a complete submission (the reward of a Prolific study or a HIT); the rest of
            what a worker earned is paid as a bonus.
        partial_pay, screened_out_pay: what it pays by itself for those who leave by `partial_code` or `screened_out_code`.
        bonus: once for every worker with at least `bonus_after` paid answers who was given checks, and passed every one of them.
        minutes_per_item: how long an item takes, as workers are told, and as the pay by the hour is worked out.
        items_per_worker: after so many answers a worker gets no more items; None: as many as there are.
        items_per_visit: the same for one visit (a Prolific session, an accepted HIT).
        max_failed_checks: a worker who failed so many attention checks gets no more items; None: checks have no consequences.
        recruiting: whether new people are let in; False is a pause, in which those who take part already go on.
        hold_minutes: for so long a place is held for a new visitor, from before consent to their first item.
        quiz: about the instructions, asked before the first item: mappings with "question", "options" (texts) and "answer" (the place
            of the right one, from 0); quiz_tries: after so many wrong tries somebody is screened out.
        min_seconds: an answer that comes sooner after its item was shown is too fast.
        speed, identical, automation, duplicates: what to do about answers that are too fast, repeat words of earlier ones, or come
            from a program, and about people who take part twice by an open link (rules: `study.store.rules`): "off", "flag" (count
            and show them), or "refuse".
        reservation_minutes: an item that was given out returns after so long without a sign of life.
        idle_seconds: a longer gap between two signs of life does not count as time on task.
        checks_every: how many items a worker answers for each attention or gold item, where there are any.
        seed: of the order of items and of all ties.
        conditions: that the items name; written when the study is made. condition_design, condition_order: who is shown which
            (`study.store.conditions`).
        platforms: where workers may come from, out of `PLATFORMS`.
        invite_codes: one for every person who may come by a plain link.
        allowed_workers: the ids that may come from a platform; none: everybody whom the platform sends.
        open_link: whether the plain link is open to everybody; None: it is where there are no invite codes.
        completion_code, partial_code, screened_out_code, full_code, declined_code: what the platform is told at the end, by outcome
            (Prolific's codes). Without a code, people are asked to return their submission, and what they earned is due as a bonus.
        completion_url: where a worker who came by a plain link goes at the end; may hold {worker}, {code} and {outcome}. With
            {outcome} it is used for every outcome, else for complete ones only.
        admin_hash: of the secret of the admin page (`study.store.admin_secret`); empty: nobody gets in.
        provenance: where the items come from (run folder, hashes), kept as it is.
    """

    answers_per_item: int = 5
    questionnaire: Questionnaire = PAPER
    title: str = PAPER.title
    contact: str = ""
    consent: str = ENGLISH.study["consent"]
    instructions: tuple[str, ...] = tuple(ENGLISH.study["instructions"])
    examples: tuple[Mapping[str, str], ...] = tuple(ENGLISH.study["examples"])
    languages: tuple[str, ...] = ("en",)
    texts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pay_per_item: str = "0.50"
    base_pay: str = "0"
    partial_pay: str = "0"
    screened_out_pay: str = "0"
    bonus: str = "0"
    bonus_after: int = 10
    currency: str = "USD"
    minutes_per_item: float = 2.5
    items_per_worker: int | None = None
    items_per_visit: int | None = None
    max_failed_checks: int | None = 2
    recruiting: bool = True
    hold_minutes: float = 10.0
    quiz: tuple[Mapping[str, Any], ...] = ()
    quiz_tries: int = 2
    min_seconds: float = 5.0
    speed: str = "flag"
    identical: str = "flag"
    automation: str = "flag"
    duplicates: str = "flag"
    reservation_minutes: float = 30.0
    idle_seconds: float = 120.0
    checks_every: int = 10
    seed: int = 0
    conditions: tuple[str, ...] = ()
    condition_design: str = WITHIN
    condition_order: str = BALANCED
    platforms: tuple[str, ...] = ("link",)
    invite_codes: tuple[str, ...] = ()
    allowed_workers: tuple[str, ...] = ()
    open_link: bool | None = None
    completion_code: str = ""
    partial_code: str = ""
    screened_out_code: str = ""
    full_code: str = ""
    declined_code: str = ""
    completion_url: str = ""
    admin_hash: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, given: Mapping[str, Any]) -> StudySettings:
        """Settings out of what a person gave.

        Raises:
            BarlowError: a setting that does not exist, or a value that it cannot have.
        """
        return cls()._with(languages.filled_in(given))

    def changed(self, given: Mapping[str, Any]) -> StudySettings:
        """These settings with some of the `CHANGEABLE` ones replaced.

        Raises:
            BarlowError: a setting that cannot change any more, or a value that it cannot have.
        """
        if fixed := [name for name in given if name in self.names() and name not in CHANGEABLE]:
            raise BarlowError(
                f"{', '.join(fixed)} cannot change once the study is made: answers before and after would not compare. "
                f"What can: {', '.join(CHANGEABLE)}."
            )
        return self._with(given)

    def _with(self, given: Mapping[str, Any]) -> StudySettings:
        if unknown := sorted(set(given) - set(self.names())):
            raise BarlowError(f"A study has no setting {', '.join(map(repr, unknown))}. Available: {', '.join(self.names())}.")
        values = dict(given)
        if isinstance(values.get("questionnaire"), Mapping):
            values["questionnaire"] = Questionnaire.from_data(values["questionnaire"])
        if values.get("questionnaire", self.questionnaire) is None:
            values["questionnaire"] = PAPER
        for name in (
            "instructions",
            "examples",
            "quiz",
            "languages",
            "conditions",
            "platforms",
            "invite_codes",
            "allowed_workers",
        ):
            if isinstance(values.get(name), (str, Mapping)):
                values[name] = (values[name],)
            if name in values:
                values[name] = tuple(values[name])
        for name in MONEY:
            if name in values:
                values[name] = str(values[name])
        made = replace(self, **values)
        made._check()
        return made

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(one.name for one in fields(cls))

    def texts_in(self, language: str) -> Texts:
        """What the page says in a language of the study."""
        return texts_of(language, self.texts.get(language, {}))

    def in_language(self, language: str) -> StudySettings:
        """These settings with their words in another language of the study."""
        return replace(self, **languages.words_of(self, language))

    @property
    def pay(self) -> Decimal:
        return Decimal(self.pay_per_item)

    def pays_for(self, way_out: str) -> Decimal:
        """What the platform pays by itself for somebody who was given this way out: "complete", "partial" or "screened_out"."""
        amounts = {"complete": self.base_pay, "partial": self.partial_pay, "screened_out": self.screened_out_pay}
        return Decimal(amounts.get(way_out, "0"))

    @property
    def hourly_pay(self) -> Decimal:
        """Pay by the hour of somebody who takes `minutes_per_item`, without any bonus."""
        return (self.pay * 60 / Decimal(str(self.minutes_per_item))).quantize(Decimal("0.01"))

    @property
    def link_is_open(self) -> bool:
        return not self.invite_codes if self.open_link is None else self.open_link

    @property
    def has_admin_secret(self) -> bool:
        return bool(self.admin_hash)

    @property
    def reservation_seconds(self) -> float:
        return 60.0 * self.reservation_minutes

    @property
    def hold_seconds(self) -> float:
        return 60.0 * self.hold_minutes

    def _check(self) -> None:
        if not isinstance(self.questionnaire, Questionnaire):
            raise BarlowError(f"questionnaire is a Questionnaire or its data, not {shown(self.questionnaire)}.")
        for name in ("answers_per_item", "checks_every", "bonus_after", "quiz_tries"):
            _require_count(name, getattr(self, name))
        for name in ("items_per_worker", "items_per_visit", "max_failed_checks"):
            if getattr(self, name) is not None:
                _require_count(name, getattr(self, name))
        for name in ("reservation_minutes", "hold_minutes", "idle_seconds", "minutes_per_item"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise BarlowError(f"{name} must be a number above 0, not {shown(value)}.")
        if (
            isinstance(self.min_seconds, bool)
            or not isinstance(self.min_seconds, (int, float))
            or not 0 <= self.min_seconds < 3600
        ):
            raise BarlowError(f"min_seconds must be a number from 0 to 3600, not {shown(self.min_seconds)}.")
        for name in RULES:
            if getattr(self, name) not in ACTIONS:
                raise BarlowError(f"{name} is one of {', '.join(ACTIONS)}, not {shown(getattr(self, name))}.")
        for question in self.quiz:
            _require_quiz(question)
        if type(self.seed) is not int:
            raise BarlowError(f"seed must be a whole number, not {shown(self.seed)}.")
        for name in MONEY:
            _require_money(name, getattr(self, name))
        self._check_platforms()
        languages.check(self)
        check_conditions(self)
        for name in ("title", "contact", "consent", "currency", "admin_hash"):
            if not isinstance(getattr(self, name), str):
                raise BarlowError(f"{name} must be a text, not {shown(getattr(self, name))}.")
        for name, row in self.rows().items():
            for text in _texts(json.loads(row)):  # not the row itself: JSON writes NUL as an escape
                if reason := cannot_be_kept(text):
                    raise BarlowError(f"{name}: it contains {reason}.")

    def _check_platforms(self) -> None:
        if not self.platforms or not set(self.platforms) <= set(PLATFORMS):
            raise BarlowError(
                f"platforms are out of {', '.join(PLATFORMS)}, at least one; found {', '.join(map(shown, self.platforms))}."
            )
        if type(self.recruiting) is not bool:
            raise BarlowError(f"recruiting is true or false, not {shown(self.recruiting)}.")
        if self.open_link not in (None, True, False):
            raise BarlowError(f"open_link is true, false or nothing, not {shown(self.open_link)}.")
        for code in self.invite_codes:
            if not isinstance(code, str) or not INVITE.match(code) or code.startswith(GUEST_PREFIX):
                raise BarlowError(
                    f"The invite code {shown(code)} is not valid. Expected 4 to 64 letters, digits, _ and -, not beginning with {GUEST_PREFIX}"
                )
        if len(set(self.invite_codes)) < len(self.invite_codes):
            raise BarlowError("An invite code is listed twice. Every person needs a code of their own.")
        if not all(isinstance(worker, str) and worker for worker in self.allowed_workers):
            raise BarlowError("allowed_workers are ids of a platform, one for every person who may take part.")
        for name in CODES:
            code = getattr(self, name)
            if not isinstance(code, str) or (code and not _CODE.match(code)):
                raise BarlowError(f"{name} is letters, digits, _ and -, at most 64, as the platform shows it; not {shown(code)}.")
        _check_url(self.completion_url)

    def rows(self) -> dict[str, str]:
        """Name and JSON value of every setting, as the table `study` keeps them."""
        values = {name: getattr(self, name) for name in self.names()} | {"questionnaire": self.questionnaire.to_data()}
        rows = {}
        for name, value in values.items():
            try:
                rows[name] = dumps(value)
            except (TypeError, ValueError) as error:
                raise BarlowError(f"{name} cannot be kept as JSON: {error}.") from None
        return rows

    @classmethod
    def from_rows(cls, rows: Mapping[str, str]) -> StudySettings:
        """Read the settings back from the table `study`; one that the file does not have is at its default."""
        # Whoever agreed to an earlier text of consent has not agreed to being recognised.
        earlier = {} if "duplicates" in rows else {"duplicates": "off"}
        return cls.make(earlier | {name: json.loads(rows[name]) for name in cls.names() if name in rows})


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield key
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _require_count(name: str, value: object) -> None:
    if type(value) is not int or value < 1:
        raise BarlowError(f"{name} must be a whole number of at least 1, not {shown(value)}.")


def _require_money(name: str, value: str) -> None:
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or amount < 0:
        raise BarlowError(f"{name} must be an amount of money such as 0.50, not {shown(value)}.")


def _require_quiz(question: object) -> None:
    fine = (
        isinstance(question, Mapping)
        and {*question} == {"question", "options", "answer"}
        and isinstance(question["question"], str)
    )
    if fine and isinstance(question, Mapping):
        options, answer = question["options"], question["answer"]
        fine = isinstance(options, (list, tuple)) and len(options) >= 2 and all(isinstance(option, str) for option in options)
        fine = fine and type(answer) is int and 0 <= answer < len(options)
    if not fine:
        raise BarlowError(
            'A question of the quiz is {"question": text, "options": [text, text, ...], "answer": place of the right one, from 0}; '
            f"found {shown(question)}."
        )


def _check_url(url: object) -> None:
    if url == "":
        return
    problem = "it is not text"
    if isinstance(url, str):
        try:
            fields = {name for _, name, _, _ in Formatter().parse(url) if name is not None}
            parts = urlsplit(url)
            problem = "" if parts.scheme in ("http", "https") and parts.netloc else "it does not begin with https:// and a host"
            if fields - {"worker", "code", "outcome"}:
                problem = "only {worker}, {code} and {outcome} can be filled in"
        except ValueError as error:
            problem = str(error)
    if problem:
        raise BarlowError(
            f"completion_url {shown(url)} cannot be used: {problem}. Expected something like https://panel.example/done?id={{worker}}"
        )
