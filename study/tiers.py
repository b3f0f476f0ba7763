"""Tiers of classes by error rate, of which a study shows some each (section 8), and values in their order."""

from __future__ import annotations

from collections.abc import Iterable

TIERS = ("top", "middle", "bottom")  # highest error rates first


def tiers_first(values: Iterable[str]) -> list[str]:
    """Values with the tiers in their order and before all others, which follow by name."""
    return sorted(values, key=lambda value: (TIERS.index(value) if value in TIERS else len(TIERS), str(value)))
