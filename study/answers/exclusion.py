"""The rule that says which workers are left out: applied, in words, and as a short text.

The short text is the same in the address of the analyst's page and on the command line: "0.5,1/3,0.95,0.5,5,2,2".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.wording import count

COUNTS = ("min_answers", "signals", "min_checks")
NOT_USED = "-"
_FRACTION = re.compile(r"(\d{1,9})/([1-9]\d{0,8})")


@dataclass(frozen=True)
class ExclusionRule:
    """Who is left out. A signal whose threshold is None is not used.

    Failing checks is enough by itself; of the other signals, which a good worker can show by chance, it takes several.
    Agreement with others is measured and no signal: to leave out who disagrees would raise the very agreement that is reported.

    Attributes:
        checks_passed: fewer than this share of gold and attention checks passed.
        fast: median time on task below this share of the median worker's.
        same_rating: at least this share of answers with the same ease, confidence and preference.
        copied: at least this share of long descriptions that repeat what the worker wrote about another item.
        min_answers: each of the three patterns above counts only for workers with as many answers, or more, that can show it: answers with a
            time, with ease, confidence and preference, or with a long description.
        signals: how many of the three it takes.
        min_checks: checks count only for workers who met as many or more: one mistake is not yet a pattern.
    """

    checks_passed: float | None = 0.5
    fast: float | None = 1 / 3
    same_rating: float | None = 0.95
    copied: float | None = 0.5
    min_answers: int = 5
    signals: int = 2
    min_checks: int = 2

    def __post_init__(self) -> None:
        for name in ("checks_passed", "fast", "same_rating", "copied"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise BarlowError(f"{name} is {value}; expected a share from 0 to 1, or None to leave the signal out.")
        if min(self.signals, self.min_answers, self.min_checks) < 1:
            raise BarlowError(
                f"signals is {self.signals}, min_answers {self.min_answers} and min_checks {self.min_checks}; expected 1 or more of each."
            )


NAMES = tuple(field.name for field in fields(ExclusionRule))


def exclusions(quality: pd.DataFrame, rule: ExclusionRule | None = None) -> pd.DataFrame:
    """Who is left out by a rule, and why.

    Args:
        quality: what `worker_quality` returns.
        rule: None for the default rule.

    Returns:
        A row a worker: `excluded` (bool) and `signals` (text: every signal that is there, also where it takes more to exclude; "" for
        none).
    """
    rule = rule or ExclusionRule()
    patterns = [
        ("fast", _below(quality["speed"], rule.fast), "speed", "n_timed"),
        ("same rating", _at_least(quality["same_rating"], rule.same_rating), "same_rating", "n_complete"),
        ("copied", _at_least(quality["copied_long"], rule.copied), "copied_long", "n_long"),
    ]
    failed = _below(quality["checks_passed"], rule.checks_passed) & (quality["checks"] >= rule.min_checks).to_numpy()
    count = np.zeros(len(quality), dtype=np.int64)
    signals: list[list[str]] = [[] for _ in range(len(quality))]
    for row in np.flatnonzero(failed):
        signals[row].append(f"checks passed {_percent(quality['checks_passed'].iloc[row])}")
    for name, shown, column, counted in patterns:
        shown = shown & (quality[counted] >= rule.min_answers).to_numpy()
        count += shown
        for row in np.flatnonzero(shown):
            signals[row].append(f"{name} {_percent(quality[column].iloc[row])}")
    excluded = failed | (count >= rule.signals)
    return pd.DataFrame({"excluded": excluded, "signals": ["; ".join(found) for found in signals]}, index=quality.index)


def _percent(share: float) -> str:
    return f"{share * 100:.0f}\N{NO-BREAK SPACE}%"


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


def _below(values: pd.Series, threshold: float | None) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.zeros(len(values), dtype=bool) if threshold is None else numbers < threshold


def _at_least(values: pd.Series, threshold: float | None) -> np.ndarray:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.zeros(len(values), dtype=bool) if threshold is None else numbers >= threshold
