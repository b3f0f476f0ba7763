"""One item with everything about it: what it is, what people said, and how much they agreed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from barlow_core.errors import BarlowError
from study.agreement import KINDS, Agreement, agreement
from study.analysis.data import ATTRIBUTES, StudyData
from study.answer_table import DESCRIPTIONS
from study.likert import votes

if TYPE_CHECKING:
    from barlow_core.panels import Panel
    from study.analysis.analysis import Analysis


@dataclass(frozen=True)
class ItemView:
    """An item.

    Attributes:
        item: its id.
        attributes: those of `ATTRIBUTES` that are known.
        answers: its answers: `worker`, the five questions, `seconds`, `simulated` as far as they are known.
        ease, confidence: averages; None where nobody rated.
        votes: how many chose what; vote: the choice with the most answers, None when tied or nobody chose.
        agreement: of the kinds of description.
        name: what people call it; support: descriptions that share a word with it; words: common words and how many used them.
        reason: why there is no name, or what limits it.
    """

    item: str
    attributes: dict[str, Any]
    answers: pd.DataFrame
    ease: float | None
    confidence: float | None
    votes: dict[str, int]
    vote: str | None
    agreement: dict[str, Agreement]
    name: str | None
    support: int
    words: list[tuple[str, int]]
    reason: str | None


def item_view(analysis: Analysis, item: str) -> ItemView:
    """Everything about an item, of the answers that filters and exclusions keep.

    Raises:
        BarlowError: there is no such item.
    """
    data = analysis.data
    answers = data.answers[data.answers["item"] == item].reset_index(drop=True)
    if not len(answers) and item not in analysis.study.items.index:
        raise BarlowError(f"The study has no item {item!r}.")
    columns = [
        column
        for column in ("worker", *DESCRIPTIONS, "ease", "confidence", "useful", "seconds", "simulated")
        if column in answers
    ]
    row = analysis.study.items.loc[item] if item in analysis.study.items.index else pd.Series(dtype=object)
    attributes = {name: _plain(row[name]) for name in ATTRIBUTES if name in row and pd.notna(row[name])}
    counted = votes(answers)
    choice = counted.iloc[0] if len(counted) else None
    texts: dict[str, list[Any]] = {kind: answers[kind].tolist() for kind in DESCRIPTIONS}
    both = [" ".join(text for text in pair if isinstance(text, str)) for pair in zip(*texts.values(), strict=True)]
    name: dict[Any, Any] | None = dict(analysis.names.loc[item]) if item in analysis.names.index else None
    return ItemView(
        item=item,
        attributes=attributes,
        answers=answers[columns],
        ease=_mean(answers["ease"]),
        confidence=_mean(answers["confidence"]),
        votes={} if choice is None else {kind: int(choice[kind]) for kind in ("B", "C", "both", "none")},
        vote=None if choice is None or choice["tied"] else str(choice["vote"]),
        agreement={kind: agreement(texts.get(kind, both), analysis.vectors, wording=analysis.options.wording) for kind in KINDS},
        name=None if name is None else name["name"],
        support=0 if name is None else int(name["support"]),
        words=[] if name is None else list(name["words"]),
        reason="nobody described it" if name is None else name["reason"],
    )


def item_panel(data: StudyData, item: str) -> Panel:
    """The pictures of an item, as they were frozen with the study.

    Raises:
        BarlowError: the study has no pictures of it, or they are missing or changed.
    """
    if data.path is None or item not in data.items.index or "panel" not in data.items or data.items["panel"].isna()[item]:
        raise BarlowError(f"There are no pictures of item {item!r} in this study.")
    from study.frozen import load_item_panel

    return load_item_panel(data.path, {str(key): _plain(value) for key, value in data.items.loc[item].items()})


def _mean(column: pd.Series) -> float | None:
    return float(column.mean()) if column.notna().any() else None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
