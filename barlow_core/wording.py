"""Numbers as people read them, the same in the terminal and on pages."""

from __future__ import annotations


def percent(share: float, *, space: str = "\N{NO-BREAK SPACE}") -> str:
    """A share as people read it, with one decimal, or with two where one would show nothing: "7.8 %", "0.04 %"."""
    value = share * 100
    return f"{value:.{2 if 0 < value < 0.1 else 1}f}{space}%"


def points(difference: float) -> str:
    """A difference of two shares: "+21.8 points"."""
    return f"{difference * 100:+.1f} points"


def percent_interval(low: float, high: float) -> str:
    """Both ends of an interval of a share: "18.1 to 30.9 %"."""
    return f"{low * 100:.1f} to {percent(high)}"


def points_interval(low: float, high: float) -> str:
    """Both ends of an interval of a difference: "+8.0 to +20.3 points"."""
    return f"{low * 100:+.1f} to {points(high)}"


def count(n: int, singular: str, plural: str = "") -> str:
    """A number with its noun: "1 image", "1,200 images"; `plural` where an s does not make it."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"
