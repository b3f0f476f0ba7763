"""The rule of exclusion as text: in words, and short, the same in the address of the analyst's page and on the command line:
"0.5,1/3,0.95,0.5,5,2,2"."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

from barlow_core.errors import BarlowError
from barlow_core.wording import count
from study.answers.quality import ExclusionRule

NAMES = tuple(field.name for field in fields(ExclusionRule))
COUNTS = ("min_answers", "signals", "min_checks")
NOT_USED = "-"
_FRACTION = re.compile(r"(\d{1,9})/([1-9]\d{0,8})")


def rule_text(rule: ExclusionRule) -> str:
    """The thresholds in the order of `NAMES`, "-" for a signal that is not used; `parse_rule` makes the very same rule of it."""
    return ",".join(NOT_USED if value is None else _number(value) for value in (getattr(rule, name) for name in NAMES))


def rule_in_words(rule: ExclusionRule) -> str:
    """The rule as a sentence or two, for a methods section, applied or not; thresholds in full, since rounded ones are another rule."""
    patterns = []
    if rule.fast is not None:
        patterns.append(f"a median time on task below {_share(rule.fast)} of the median worker's")
    if rule.same_rating is not None:
        patterns.append(f"the same ease, confidence and preference in at least {_share(rule.same_rating)} of the answers")
    if rule.copied is not None:
        patterns.append(
            f"at least {_share(rule.copied)} of the long descriptions copied from the worker's own about another item"
        )
    sentences = []
    if rule.checks_passed is not None:
        met = f"met {rule.min_checks:,} gold or attention checks or more and " if rule.min_checks > 1 else ""
        sentences.append(
            f"The rule excludes workers who {met}passed fewer than {_share(rule.checks_passed)} of their gold and attention checks."
        )
    if len(patterns) >= rule.signals:
        which = f"at least {rule.signals} of the following" if len(patterns) > 1 else "the following"
        start = "It also excludes" if sentences else "The rule excludes"
        sentences.append(
            f"{start} workers who show {which}, each over {count(rule.min_answers, 'answer')} or more that can show it: {'; '.join(patterns)}."
        )
    return " ".join(sentences) or "The rule excludes nobody."


def parse_rule(text: str) -> ExclusionRule:
    """The rule that a text says, see `rule_text`.

    Raises:
        BarlowError: it has more or fewer parts, one of them is no number, or a threshold cannot be.
    """
    values = [value.strip() for value in text.split(",")]
    if len(values) != len(NAMES):
        raise BarlowError(
            f"The rule {text!r} has {len(values)} parts; expected {len(NAMES)}: {','.join(NAMES)}, with {NOT_USED} for a signal that "
            f"is not used. The usual rule is {rule_text(ExclusionRule())}."
        )
    found: Any = {name: _parsed(name, value, text) for name, value in zip(NAMES, values, strict=True)}
    return ExclusionRule(**found)


def _parsed(name: str, value: str, text: str) -> float | int | None:
    if name not in COUNTS and value == NOT_USED:
        return None
    try:
        if name in COUNTS:
            return int(value)
        fraction = _FRACTION.fullmatch(value)
        return int(fraction[1]) / int(fraction[2]) if fraction else float(value)
    except ValueError as error:
        expected = "a whole number" if name in COUNTS else f"a share from 0 to 1, or {NOT_USED} to leave the signal out"
        raise BarlowError(f"In the rule {text!r}, {name} is {value!r}; expected {expected}.") from error


def _share(value: float) -> str:
    """All digits of a threshold: "99.5 %", or "1/3" where that is shorter."""
    short = _number(value)
    return short if "/" in short else f"{(Decimal(repr(float(value))) * 100).normalize():f}\N{NO-BREAK SPACE}%"


def _number(value: float) -> str:
    """The shortest of 0.5, 1/3 and all digits that is the same number."""
    short = f"{value:g}"
    if float(short) == value:
        return short
    fraction = Fraction(value).limit_denominator(100)
    return f"{fraction.numerator}/{fraction.denominator}" if fraction.numerator / fraction.denominator == value else repr(value)
