"""Money as people write it."""

from __future__ import annotations

from decimal import Decimal

SIGNS = {"USD": "$", "GBP": "£", "EUR": "€"}


def amount(value: Decimal, currency: str) -> str:
    """An amount of money as people write it: $0.50, 3.00 CHF."""
    number = f"{value:,.2f}"
    return f"{SIGNS[currency]}{number}" if currency in SIGNS else f"{number} {currency}".strip()
