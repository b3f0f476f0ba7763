"""What the figures of a study call things, and the colours they give them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from barlow_core.vega import BLUE, GREEN, GREY, ORANGE

WIDTH = 560
WARNING = "#b3261e"

QUESTION_COLOURS = {"ease": BLUE, "confidence": ORANGE}
CHOICE_COLOURS = {"B": BLUE, "C": ORANGE, "both": GREEN, "none": GREY}
KIND_COLOURS = {"short": BLUE, "long": ORANGE, "concatenated": GREEN}
LEVEL_COLOURS = {1: "#a6611a", 2: "#dfc27d", 3: "#d9d9d9", 4: "#92c5de", 5: "#2f74a3"}

# What things are called on axes and in tables.
LABELS = {
    "ease": "Ease",
    "confidence": "Confidence",
    "B": "Heatmaps (B)",
    "C": "Feature attack (C)",
    "both": "Both",
    "none": "None",
    "short": "Short descriptions",
    "long": "Long descriptions",
    "concatenated": "Short and long as one",
    "agreement short": "Agreement, short",
    "agreement long": "Agreement, long",
    "agreement concatenated": "Agreement, both as one",
    "useful": "Preference",
    "part": "What is highlighted",
    "same": "The same thing",
    "object": "Part of the main object",
    "background": "Background",
    "separate": "Separate object",
    "yes": "Yes, the same",
    "no": "No, something else",
    "core": "Core",
    "spurious": "Spurious",
    "confirmed": "Confirmed",
    "rejected": "Rejected",
    "tie": "Tie",
    "open": "Open",
    "ber": "Error rate of the class",
    "activation": "Activation",
    "mutual_information": "Mutual information (nats)",
    "salience": "Salience of the heatmap",
    "grouping": "Grouping",
    "tier": "Error tier",
    "label": "by label",
    "prediction": "by prediction",
    "top": "top tier",
    "middle": "middle tier",
    "bottom": "bottom tier",
}


def label(value: Any) -> str:
    """What a column or a value is called."""
    return LABELS.get(str(value), str(value))


HEADINGS = {
    "p_holm": "p (Holm)",
    "n_items": "Items",
    "n_workers": "Workers",
    "value_of": "Of",
    "reason": "Note",
    "dawid_skene": "Dawid and Skene",
    "p_dawid_skene": "Its probability",
    "mace": "MACE",
    "p_mace": "Its probability",
}


def heading(column: object) -> str:
    """What stands above a column: "same_rating" as "Same rating"; signs such as p and n stay small."""
    text = HEADINGS.get(str(column), str(column).replace("_", " "))
    return text if len(text.split(" ")[0]) == 1 and text[0] in "np" else text[:1].upper() + text[1:]


def prose(value: Any) -> str:
    """What it is called within a sentence: "mutual information"."""
    text = label(value).split(" (")[0]
    return text[0].lower() + text[1:]


def records(table: pd.DataFrame, *, digits: int = 6) -> list[dict[str, Any]]:
    """The rows of a table as JSON holds them: missing values as null, numbers rounded to what a figure can show."""
    return [{str(key): _plain(value, digits) for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any, digits: int) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.{digits}g}")
    if isinstance(value, str | bool | int) or value is None:
        return value
    return None if value is pd.NA else str(value)


def scale(colours: Mapping[Any, str]) -> dict[str, Any]:
    """A colour scale by label, in the order of the palette."""
    return {"domain": [label(key) for key in colours], "range": list(colours.values())}
