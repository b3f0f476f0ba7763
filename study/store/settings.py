"""What a study is set to: how many answers, for how much, with which words; all of it data in the study file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from barlow_core.errors import BarlowError
from study.questionnaire import PAPER, Questionnaire, cannot_be_kept, dumps, shown

CONSENT = (
    "You are invited to take part in a research study. You will look at sets of pictures and describe in a few words what they have "
    "in common. Taking part is voluntary: you can stop at any moment, and you are paid for everything that you have sent. "
    "What you write is kept together with the time that it took you, and is published only without your name or any identifier. "
    "You can have your answers deleted later on by asking the researchers."
)
INSTRUCTIONS = (
    "Each task shows one set of pictures in three sections. Section A shows photographs. Section B shows the same photographs, with "
    "the important regions bright. Section C shows them again, changed so that what is important stands out.",
    "Find out what the important regions have in common: a thing, a part of a thing, a pattern, a colour, a background. "
    "Describe that, and not everything that you see.",
    "Sometimes the sections do not agree, or nothing comes to mind. Describe your best guess, and say so with the scales below.",
)
EXAMPLES = (
    {
        "shows": "Five photographs of different animals; in each of them the legs are bright in section B.",
        "good": "legs of animals",
        "poor": "nice animals",
        "why": "Name what the bright regions show, not the whole photograph.",
    },
)
# What may change while people answer: words and limits. The rest would make answers before and after incomparable.
CHANGEABLE = ("title", "contact", "consent", "instructions", "examples", "reservation_minutes", "items_per_worker")


@dataclass(frozen=True)
class Settings:
    """The settings of a study.

    Attributes:
        answers_per_item: how many workers describe each item (5 in section 8).
        questionnaire: what is asked; the paper's questions unless a study brings its own (`Questionnaire`, or its data).
        title, contact, consent, instructions, examples: texts for the worker; `instructions` paragraphs, `examples` worked examples.
        pay_per_item: in `currency`, a decimal number ("0.50"); every answer to an item that is not for practice is paid.
        items_per_worker: after so many answers a worker gets no more items; None: as many as there are.
        reservation_minutes: an item that was given out returns after so long without a sign of life.
        idle_seconds: a longer gap between two signs of life does not count as time on task.
        checks_every: how many items a worker answers for each attention or gold item, where there are any.
        seed: of the order of items and of all ties.
        provenance: where the items come from (run folder, hashes), kept as it is.
    """

    answers_per_item: int = 5
    questionnaire: Questionnaire = PAPER
    title: str = PAPER.title
    contact: str = ""
    consent: str = CONSENT
    instructions: tuple[str, ...] = INSTRUCTIONS
    examples: tuple[Mapping[str, str], ...] = EXAMPLES
    pay_per_item: str = "0.50"
    currency: str = "USD"
    items_per_worker: int | None = None
    reservation_minutes: float = 30.0
    idle_seconds: float = 120.0
    checks_every: int = 10
    seed: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def make(cls, given: Mapping[str, Any]) -> Settings:
        """Settings out of what a person gave.

        Raises:
            BarlowError: a setting that does not exist, or a value that it cannot have.
        """
        return cls()._with(given)

    def changed(self, given: Mapping[str, Any]) -> Settings:
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

    def _with(self, given: Mapping[str, Any]) -> Settings:
        if unknown := sorted(set(given) - set(self.names())):
            raise BarlowError(f"A study has no setting {', '.join(map(repr, unknown))}. There are: {', '.join(self.names())}.")
        values = dict(given)
        if isinstance(values.get("questionnaire"), Mapping):
            values["questionnaire"] = Questionnaire.from_data(values["questionnaire"])
        if values.get("questionnaire", self.questionnaire) is None:
            values["questionnaire"] = PAPER
        for name in ("instructions", "examples"):
            if isinstance(values.get(name), (str, Mapping)):
                values[name] = (values[name],)
            if name in values:
                values[name] = tuple(values[name])
        if "pay_per_item" in values:
            values["pay_per_item"] = str(values["pay_per_item"])
        made = replace(self, **values)
        made._check()
        return made

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(one.name for one in fields(cls))

    @property
    def pay(self) -> Decimal:
        return Decimal(self.pay_per_item)

    @property
    def reservation_seconds(self) -> float:
        return 60.0 * self.reservation_minutes

    def _check(self) -> None:
        if not isinstance(self.questionnaire, Questionnaire):
            raise BarlowError(f"questionnaire is a Questionnaire or its data, not {shown(self.questionnaire)}.")
        for name in ("answers_per_item", "checks_every"):
            _require_count(name, getattr(self, name))
        if self.items_per_worker is not None:
            _require_count("items_per_worker", self.items_per_worker)
        for name in ("reservation_minutes", "idle_seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise BarlowError(f"{name} must be a number above 0, not {shown(value)}.")
        if type(self.seed) is not int:
            raise BarlowError(f"seed must be a whole number, not {shown(self.seed)}.")
        try:
            pay = Decimal(self.pay_per_item)
        except InvalidOperation:
            pay = Decimal("nan")
        if not pay.is_finite() or pay < 0:
            raise BarlowError(f"pay_per_item must be an amount of money such as 0.50, not {shown(self.pay_per_item)}.")
        for name in ("title", "contact", "consent", "currency"):
            if not isinstance(getattr(self, name), str):
                raise BarlowError(f"{name} must be a text, not {shown(getattr(self, name))}.")
        for name, row in self.rows().items():
            for text in _texts(json.loads(row)):  # not the row itself: JSON writes NUL as an escape
                if reason := cannot_be_kept(text):
                    raise BarlowError(f"{name}: it contains {reason}.")

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
    def from_rows(cls, rows: Mapping[str, str]) -> Settings:
        """Read the settings back from the table `study`; one that the file does not have is at its default."""
        return cls.make({name: json.loads(rows[name]) for name in cls.names() if name in rows})


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
