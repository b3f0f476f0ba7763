"""Numbers of a results section as text, and how each was computed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import metadata
from typing import Any

import pandas as pd

from barlow_core.wording import count
from study.analysis import Analysis
from study.answers.exclusion import rule_in_words
from study.statistics.estimates import NOBODY, Estimate
from study.statistics.reliability import Alpha

MISSING = "—"
# Shares of so many answers or features, or more, have two decimals, as those of the paper have (43.18 % of 5,971 answers, 0.92 % of 1,200
# features). Of fewer, one decimal tells every answer from the next. All sections ask `share_digits`.
FINE_FROM = 1_000
FEWEST_CLUSTERS = 10  # items and workers; a bootstrap of fewer clusters has too few ways to come out
TWO_WAY = (
    "two-way cluster (pigeonhole) bootstrap: items and workers are each drawn with replacement, an answer counts as often as its item times "
    "its worker was drawn; percentiles"
)
OVER_PAIRS = (
    "two-way cluster (pigeonhole) bootstrap: items and workers are each drawn with replacement, a pair of descriptions counts within its item as often as both "
    "its workers were drawn; percentiles"
)


def is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def decimal(value: Any, digits: int = 2) -> str:
    """ "3.42", with a true minus sign; a dash for nothing."""
    if is_missing(value):
        return MISSING
    text = f"{float(value):,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def share_digits(n: int | None) -> int:
    """Decimals of a share of n answers or features, in percent; None where that number is not known."""
    return 2 if n is not None and n >= FINE_FROM else 1


def share(value: Any, n: int | None = None) -> str:
    """ "43.2 %", and "43.18 %" of many; a dash for nothing."""
    return MISSING if is_missing(value) else f"{_hundredths(float(value), share_digits(n))}\N{NO-BREAK SPACE}%"


def _hundredths(value: float, digits: int) -> str:
    """A share in percent without the sign, with more decimals where it would read as none or all and is neither."""
    number = 100 * value
    while digits < 4 and round(number, digits) != number and round(number, digits) in (-100, 0, 100):
        digits += 1
    return decimal(number, digits)


def points(value: Any, n: int | None = None) -> str:
    """A difference of shares: "25.5 percentage points"; a dash for nothing."""
    return MISSING if is_missing(value) else f"{_hundredths(float(value), share_digits(n))} percentage points"


def p_value(value: Any) -> str:
    """ "0.031", "< 0.001"; four decimals where three would round it up to a bound that it is below; a dash for nothing."""
    if is_missing(value):
        return MISSING
    if value < 0.001:
        return "< 0.001"
    rounded_up = any(value < bound <= round(float(value), 3) for bound in (0.01, 0.05, 0.1))
    return f"{float(value):.{4 if rounded_up else 3}f}"


def p_text(value: Any) -> str:
    """ "p = 0.031", "p < 0.001"."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def interval(low: Any, high: Any, confidence: float, *, as_share: bool = False, digits: int = 2, n: int | None = None) -> str:
    """ "95 % CI 40.9 to 45.4 %", of a share of n; "" where there is none."""
    if is_missing(low) or is_missing(high):
        return ""
    if as_share:
        return f"{level(confidence)} CI {_hundredths(float(low), share_digits(n))} to {share(high, n)}"
    return f"{level(confidence)} CI {decimal(low, digits)} to {decimal(high, digits)}"


def with_interval(estimate: Estimate | Alpha, *, as_share: bool = False, digits: int = 2, n: int | None = None) -> str:
    """ "43.2 % (95 % CI 40.9 to 45.4 %)", or the value alone, or why there is none; a share is one of n."""
    if estimate.value is None:
        return f"not defined ({estimate.reason})"
    value = share(estimate.value, n) if as_share else decimal(estimate.value, digits)
    ends = interval(estimate.low, estimate.high, estimate.confidence, as_share=as_share, digits=digits, n=n)
    return f"{value} ({ends})" if ends else value


def inline(estimate: Estimate | Alpha, *, as_share: bool = False, digits: int = 2, n: int | None = None) -> str:
    """As `with_interval`, for a place that stands in brackets already: "43.2 %, 95 % CI 40.9 to 45.4 %"."""
    text = with_interval(estimate, as_share=as_share, digits=digits, n=n)
    return text if estimate.value is None else text.replace(" (", ", ").removesuffix(")")


def level(confidence: float) -> str:
    """ "95 %" """
    return f"{confidence * 100:g}\N{NO-BREAK SPACE}%"


def estimate_n(estimate: Estimate) -> str:
    """ "5,971 answers, 1,200 items, 312 workers" """
    parts = (
        [count(estimate.n_items, "item")]
        if not estimate.n_workers and estimate.n == estimate.n_items
        else [
            count(estimate.n, "answer"),
            count(estimate.n_items, "item"),
            *([count(estimate.n_workers, "worker")] if estimate.n_workers else []),
        ]
    )
    return ", ".join(parts)


def markdown(text: object) -> str:
    """Any text, such as a class or a path, where Markdown is read."""
    return re.sub(r"([\\`*_$~:<>#\[\]|])", r"\\\1", str(text))


def listed(values: Sequence[str], last: str = "and") -> str:
    """ "a, b and c" """
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} {last} {values[-1]}" if values else ""


def how(
    analysis: Analysis,
    formula: str,
    *,
    n: str = "",
    intervals: str | None = None,
    extra: Iterable[tuple[str, str]] = (),
    packages: Sequence[str] = ("numpy", "pandas", "scipy"),
    of_study: bool = True,
) -> str:
    """The fold "how this was computed", as Markdown.

    Args:
        formula: in words or signs; Markdown.
        n: what it rests on; None gives that of the analysis.
        intervals: how they were made; None: there are none.
        extra: further lines, (label, Markdown).
        packages: that computed it.
        of_study: False for what is computed from other data: neither filters nor exclusions touch it.
    """
    options = analysis.options
    lines = [("Formula", formula), ("n", markdown(n or analysis.n_text))]
    if of_study:
        lines.append(("Data", f"{markdown(analysis.study.name)}; {markdown(analysis.filters.text)}"))
        lines.append(("Exclusions", exclusions_text(analysis)))
    if intervals is not None:
        settings = f"{options.replicates:,} resamples, seed {options.seed}"
        lines.append(("Intervals", f"{level(options.confidence)}, {intervals}; {settings}"))
    lines += extra
    lines.append(("Software", versions(packages)))
    return "\n".join(f"- **{name}:** {text}" for name, text in lines)


def nothing(analysis: Analysis, what: str = "anything to show") -> str:
    """Why there is nothing to say: nobody answered, nothing is left of the answers, or those that are left have no `what`."""
    if len(analysis.data.answers):
        return f"no answer has {what}"
    return "filters and exclusions leave no answer" if len(analysis.study.answers) else "nobody has answered yet"


def because(analysis: Analysis, reason: Any, what: str) -> str:
    """A reason of the analyses; that nobody answered is told as `nothing` tells it, since it can be that others are left out."""
    return nothing(analysis, what) if reason == NOBODY else str(reason)


def sentence(text: str) -> str:
    """A reason as a sentence; what is named in it keeps its capitals."""
    return f"{text[:1].upper()}{text[1:]}."


def few_clusters(analysis: Analysis) -> str | None:
    """What limits intervals that resample items or workers where there are few of either; None where there are enough."""
    counts = ((analysis.data.n_items, "item"), (analysis.data.n_workers, "worker"))
    few = [count(n, what) for n, what in counts if 0 < n < FEWEST_CLUSTERS]
    return f"With {listed(few)}, intervals that resample them are likely too short." if few else None


def to_paste(analysis: Analysis, text: str) -> str:
    """A text that is taken away from its page, with what the page says around it: that answers are simulated, and what is left out."""
    parts = [f"[{analysis.banner}]"] if analysis.banner else []
    if len(analysis.data.answers) < len(analysis.study.answers):
        said = [] if analysis.filters.is_empty else [analysis.filters.text]
        said += ["Without the workers whom the rule of exclusion names."] if analysis.options.exclude else []
        parts.append(
            f"Of the study's {count(len(analysis.study.answers), 'answer')}, {analysis.n_text} are analysed. {' '.join(said)}"
        )
    limits = [limit] if (limit := few_clusters(analysis)) else []
    return "\n\n".join([*parts, text, *limits])


def exclusions_text(analysis: Analysis) -> str:
    """Who was left out, as Markdown."""
    out = len(analysis.excluded_workers)
    if analysis.rule is None:
        return "none by a rule; no rule was set"
    if analysis.options.exclude:
        return f"{count(out, 'worker')} by the rule: {markdown(rule_in_words(analysis.rule))}"
    return f"none by a rule; one that is not applied would exclude {count(out, 'worker')} (see Workers and exclusions)"


@lru_cache(maxsize=64)
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def versions(packages: Sequence[str]) -> str:
    """ "barlow 0.1.0, numpy 2.1.0" """
    return ", ".join(f"{package} {_version(package)}" for package in ("barlow", *packages))
