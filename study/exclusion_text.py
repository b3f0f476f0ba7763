"""The rule of exclusion as a short text, the same in the address of the analyst's page and on the command line: "0.5,1/3,0.95,0.5,5,2,2"."""

from __future__ import annotations

import re
from dataclasses import fields
from fractions import Fraction
from typing import Any

from barlow_core.errors import BarlowError
from study.quality import ExclusionRule

NAMES = tuple(field.name for field in fields(ExclusionRule))
COUNTS = ("min_answers", "signals", "min_checks")
NOT_USED = "-"
_FRACTION = re.compile(r"(\d{1,9})/([1-9]\d{0,8})")


def rule_text(rule: ExclusionRule) -> str:
    """The thresholds in the order of `NAMES`, "-" for a signal that is not used; `parse_rule` makes the very same rule of it."""
    return ",".join(NOT_USED if value is None else _number(value) for value in (getattr(rule, name) for name in NAMES))


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


def _number(value: float) -> str:
    """The shortest of 0.5, 1/3 and all digits that is the same number."""
    short = f"{value:g}"
    if float(short) == value:
        return short
    fraction = Fraction(value).limit_denominator(100)
    return f"{fraction.numerator}/{fraction.denominator}" if fraction.numerator / fraction.denominator == value else repr(value)
