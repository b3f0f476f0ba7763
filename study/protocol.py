"""The interview of practitioners as data (paper, section 9 and appendix H): who takes part, in which parts, what is asked; a study may replace all of it.

The wording is ours; what is asked follows the paper. Values are what the file keeps, labels are what people read.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from barlow_core.errors import BarlowError
from study.questionnaire import MAX_LENGTH, cannot_be_kept, dumps, shown

Choices = tuple[tuple[str, str], ...]

INTRODUCTION, SCENARIO, FIRST, SECOND, SURVEY = "introduction", "scenario", "first", "second", "survey"
PART_IDS = (INTRODUCTION, SCENARIO, FIRST, SECOND, SURVEY)
PLACES = {FIRST: 1, SECOND: 2}  # part -> which grouping is looked at
# Questions 1 and 2; the report counts by these values, so they are the same in every study.
DESCRIBES: Choices = (("yes", "Yes"), ("partly", "Partly"), ("no", "No"))
NECESSITY: Choices = (
    ("necessary", "Necessary for the task"),
    ("spurious", "A spurious correlation"),
    ("unsure", "I cannot tell"),
)
LEVELS = ("Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree")
_CHOICES = ("roles", "experience", "difficulties", "actions", "themes", "statements", "terms")
_VALUE = re.compile(r"[a-z0-9][a-z0-9_+-]{0,39}\Z")

CONSENT = """You take part in an interview about a way of finding out where an image classifier fails. It takes about one hour. We keep your role, your years of experience with machine learning, and what you answer and say, under a number instead of your name. The last questions are answered in private: nobody sees your own answers to them, only sums over several people are looked at.

You may take a break, stop at any time, and have everything that you said deleted. Then nothing of yours is used."""
SCENARIO_TEXT = """Please imagine that you belong to a team that will put this image classifier into production. Before that, the team wants to know where the classifier is wrong, and to decide what to do about it.

You will look at two groups of images, one after the other, and at what the classifier's failures in each have in common. There are no right or wrong answers: please say what you see and think."""
WORKFLOW = (
    "A second, robust network describes every image by numbers, its features. For each group of images, such as all images of one "
    "class, a small decision tree looks for features that separate the classifier's failures from its successes.",
    "You see each tree with its nodes, the images in them, and what each feature stands for in three rows of pictures: A, the images "
    "in which the feature is strongest; B, where in them it looks; C, the same images changed to make it stronger.",
)
TERMS: Choices = (
    ("Group", "the images that are looked at together: all with one label, or all with one prediction"),
    ("Feature", "a number that the robust network gives every image; its value is called activation"),
    ("Node", "the images of a group that fulfil the conditions on the way to it"),
    ("Error rate", "the share of the images of a node that the classifier gets wrong"),
    ("Error coverage", "of all failures of the group, the share that lies in the node"),
)
STATEMENTS: Choices = (
    ("useful", "This way of analysing errors would be useful in my work."),
    ("important", "It helped me to discover failures that matter."),
    ("easy", "It was easy to understand what the features stand for."),
    ("new", "It showed me what I would not have seen in single errors."),
    ("actions", "It gave me ideas of what to do about the failures."),
    ("again", "I would use it before a classifier goes into production."),
)


@dataclass(frozen=True)
class Part:
    """A part of the session: its id (one of `PART_IDS`), its title, and how many minutes are planned for it."""

    id: str
    title: str
    minutes: float


@dataclass(frozen=True)
class Protocol:
    """How a study interviews practitioners.

    Attributes:
        title, contact, consent, scenario: texts; an empty line parts paragraphs.
        workflow: paragraphs; terms: (term, meaning): what the introduction says.
        roles, experience: (value, label) to choose from at registration.
        requirement: what a participant must have done; who has not is thanked and goes.
        parts: in their order; which of them there are is fixed.
        difficulties: what can make a feature hard to describe; actions: what can be done about failures; themes: of quotes.
        statements: of the closing survey, on the five levels of `LEVELS`.
        seed: of the draws of groupings.
        easy_rule: how the easy groupings were chosen, one sentence; written by `barlow study interview create`.
    """

    title: str = "Interview about classifier failures"
    contact: str = ""
    consent: str = CONSENT
    scenario: str = SCENARIO_TEXT
    workflow: tuple[str, ...] = WORKFLOW
    terms: Choices = TERMS
    roles: Choices = (
        ("ml_engineer", "ML Engineer"),
        ("applied_scientist", "Applied Scientist"),
        ("researcher", "Researcher"),
        ("data_scientist", "Data Scientist"),
        ("other", "Other"),
    )
    experience: Choices = (("1-2", "1 - 2 years"), ("2-5", "2 - 5 years"), ("5-10", "5 - 10 years"), ("10+", "> 10 years"))
    requirement: str = "I have applied machine learning to images or video."
    parts: tuple[Part, ...] = (
        Part(INTRODUCTION, "Introduction", 10.0),
        Part(SCENARIO, "Scenario", 5.0),
        Part(FIRST, "First group", 20.0),
        Part(SECOND, "Second group", 18.0),
        Part(SURVEY, "Closing survey", 7.0),
    )
    difficulties: Choices = (
        ("several_concepts", "The feature shows two or more concepts"),
        ("sensitivity", "I do not see how the pictures change with the activation"),
        ("other", "Something else"),
    )
    actions: Choices = (
        ("data_collection", "Collect more or other data"),
        ("augmentation", "Augment the data"),
        ("architecture", "Change the model architecture"),
        ("labels", "Correct or refine labels"),
        ("training", "Change the loss or the training"),
        ("none", "Nothing"),
    )
    themes: Choices = (
        ("feature", "What a feature shows"),
        ("spurious", "Spurious correlations"),
        ("necessary", "Necessary features"),
        ("actions", "What to do"),
        ("method", "The method itself"),
        ("other", "Other"),
    )
    statements: Choices = STATEMENTS
    seed: int = 0
    easy_rule: str = ""

    def __post_init__(self) -> None:
        for name in ("title", "contact", "consent", "scenario", "requirement", "easy_rule"):
            _text(getattr(self, name), name)
        for paragraph in self.workflow:
            _text(paragraph, "workflow")
        for name in _CHOICES:
            self._check_choices(name)
        if sorted(part.id for part in self.parts) != sorted(PART_IDS):
            raise BarlowError(
                f"The parts are {', '.join(PART_IDS)}, each once; found {', '.join(part.id for part in self.parts)}."
            )
        for part in self.parts:
            _text(part.title, f"The title of part {part.id}")
            check_minutes(part.minutes, part.id)
        if type(self.seed) is not int:
            raise BarlowError(f"The seed of an interview must be a whole number, not {shown(self.seed)}.")

    def _check_choices(self, name: str) -> None:
        pairs = getattr(self, name)
        if not pairs:
            raise BarlowError(f"{name} is empty; expected at least one pair of a value and a label.")
        for pair in pairs:
            if len(pair) != 2:
                raise BarlowError(f'{name} holds {shown(pair)}; expected pairs such as ["data_collection", "Collect more data"].')
            _text(pair[1], f"{name}: the label of {shown(pair[0])}")
            if name != "terms" and not (isinstance(pair[0], str) and _VALUE.match(pair[0])):
                raise BarlowError(f"{name}: {shown(pair[0])} is not a value. Expected lower-case letters, digits, _, + and -.")
        if len({value for value, _ in pairs}) < len(pairs):
            raise BarlowError(f"{name} lists a value twice. Give each of them once.")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(one.name for one in fields(cls))

    def changed(self, given: Mapping[str, Any]) -> Protocol:
        """This protocol with some fields replaced, as JSON or TOML give them.

        Raises:
            BarlowError: a field that does not exist, or a value that it cannot have.
        """
        if unknown := sorted(set(given) - set(self.names())):
            raise BarlowError(f"An interview has no {', '.join(map(repr, unknown))}. Available: {', '.join(self.names())}.")
        values: dict[str, Any] = dict(given)
        for name in _CHOICES:
            if name in values:
                values[name] = _pairs(values[name], name)
        if "workflow" in values:
            values["workflow"] = tuple([values["workflow"]] if isinstance(values["workflow"], str) else values["workflow"])
        if "parts" in values:
            try:
                values["parts"] = tuple(Part(**part) for part in values["parts"])
            except TypeError:
                raise BarlowError(
                    'parts is a list such as [{"id": "introduction", "title": "Introduction", "minutes": 10}].'
                ) from None
        return replace(self, **values)

    def to_data(self) -> dict[str, Any]:
        """As JSON has it; `from_data` is the inverse."""
        data = {name: getattr(self, name) for name in self.names()}
        made: dict[str, Any] = json.loads(dumps(data | {"parts": [vars(part) for part in self.parts]}))
        return made

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Protocol:
        return cls().changed({name: value for name, value in data.items() if name in cls.names()})

    def choices(self, name: str) -> dict[str, str]:
        """Value -> label of "roles", "actions" and their like."""
        return dict(getattr(self, name))

    @property
    def plan(self) -> list[tuple[str, float]]:
        """(part, minutes) in order: what a session starts with."""
        return [(part.id, part.minutes) for part in self.parts]

    def title_of(self, part: str) -> str:
        return next(one.title for one in self.parts if one.id == part)


def read_protocol(path: Path) -> Protocol:
    """The protocol of a JSON or TOML file; what it does not name is as usual.

    Raises:
        BarlowError: the file cannot be read, or says something that cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise BarlowError(
            f"{path} cannot be read as an interview ({error}). Expected JSON, or TOML in a file that ends in .toml."
        ) from None
    if not isinstance(data, dict):
        raise BarlowError(f'{path} holds no fields of an interview. Expected names with values, such as {{"scenario": "..."}}.')
    return Protocol().changed(data)


def check_minutes(minutes: object, part: str) -> None:
    """Raise a BarlowError unless a part can be given so many minutes."""
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 1 <= minutes <= 240:
        raise BarlowError(f"Part {part} is given {shown(minutes)} minutes; expected a number from 1 to 240.")


def _pairs(value: Any, name: str) -> Choices:
    if isinstance(value, Mapping):
        return tuple((str(key), label) for key, label in value.items())
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, Sequence) for one in value):
        raise BarlowError(f"{name} is {shown(value)}; expected pairs of a value and a label.")
    return tuple(tuple(one) for one in value)


def _text(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise BarlowError(f"{what} must be a text, not {shown(value)}.")
    if len(value) > MAX_LENGTH or cannot_be_kept(value):
        raise BarlowError(
            f"{what} is a text that cannot be kept: {cannot_be_kept(value) or f'more than {MAX_LENGTH:,} characters'}."
        )
