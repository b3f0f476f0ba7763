"""Words for a worker: money, and texts of a study as HTML that says exactly them."""

from __future__ import annotations

from decimal import Decimal
from html import escape

SIGNS = {"USD": "$", "GBP": "£", "EUR": "€"}


def amount(value: Decimal, currency: str) -> str:
    """An amount of money as people write it: $0.50, 3.00 CHF."""
    number = f"{value:,.2f}"
    return f"{SIGNS[currency]}{number}" if currency in SIGNS else f"{number} {currency}".strip()


def paragraphs(text: str) -> str:
    """A text as paragraphs; an empty line parts them. What looks like HTML stays text."""
    parts = (part.strip() for part in text.split("\n\n"))
    return "".join(f"<p>{escape(part)}</p>" for part in parts if part)
