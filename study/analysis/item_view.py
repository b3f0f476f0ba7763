"""One item, or one worker, with everything about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from gensim.models import KeyedVectors

from barlow_core.errors import BarlowError
from barlow_core.wording import count, percent
from study.agreement.cosine import Agreement, agreement
from study.agreement.descriptions import KINDS
from study.answers.study_data import StudyData
from study.answers.table import ATTRIBUTES, DESCRIPTIONS, PREFERENCES, QUESTIONS
from study.answers.tokenization import Wording
from study.core_or_spurious import PART, SAME
from study.statistics.likert import votes

if TYPE_CHECKING:
    from barlow_core.panels import Panel
    from study.setup.more_pictures import MorePictures

COLUMNS = ("worker", *QUESTIONS, PART, SAME, "reason", "seconds", "simulated")


@dataclass(frozen=True)
class ItemView:
    """An item.

    Attributes:
        item: its id.
        data: those of `ATTRIBUTES` that are known, and attributes: the same as text, by what people call them.
        answers: its answers: `worker`, the five questions, `seconds`, `simulated` as far as they are known.
        ease, confidence: averages; None where nobody rated.
        votes: how many chose what; vote: the choice with the most answers, None when tied or nobody chose.
        agreement: of the kinds of description.
        name: what people call it; support: descriptions that share a word with it, of n_descriptions; words: common words and how many used them.
        reason: why there is no name, or what limits it.
        verdict: of a study about core and spurious features, what people decided, in a few words; None in other studies.
    """

    item: str
    data: dict[str, Any]
    answers: pd.DataFrame
    ease: float | None
    confidence: float | None
    votes: dict[str, int]
    vote: str | None
    agreement: dict[str, Agreement]
    name: str | None
    support: int
    n_descriptions: int
    words: list[tuple[str, int]]
    reason: str | None
    verdict: str | None = None

    @property
    def title(self) -> str:
        """ "Feature 813 of malinois, by label" """
        data = self.data
        if "feature" not in data or "class_name" not in data:
            return self.item
        return f"Feature {data['feature']:g} of {data['class_name']}{f', by {grouping}' if (grouping := data.get('grouping')) else ''}"

    @property
    def lead(self) -> str:
        """What people said of it, in a sentence or two; plain text."""
        if not len(self.answers):
            return "Nobody described it, among the answers that filters and exclusions keep."
        parts = [] if self.verdict is None else [self.verdict]
        parts += (
            [f"“{self.name}”, supported by {self.support:,} of {count(self.n_descriptions, 'description')}"] if self.name else []
        )
        parts += [
            f"average {name} {value:.1f}"
            for name, value in (("ease", self.ease), ("confidence", self.confidence))
            if value is not None
        ]
        parts += [f"agreement {found.value:.2f} ({kind})" for kind, found in self.agreement.items() if found.value is not None]
        return f"{count(len(self.answers), 'answer')}: {'; '.join(parts)}." if parts else f"{count(len(self.answers), 'answer')}."

    @property
    def attributes(self) -> dict[str, str]:
        names = {
            "class_name": "Class",
            "ber": "Error rate of the class",
            "mutual_information": "Mutual information",
            "tier": "Error tier",
        }
        found = {}
        for name, value in self.data.items():
            text = percent(value) if name == "ber" else f"{value:.4f} nats" if name == "mutual_information" else _shown(value)
            found[names.get(name, name.replace("_", " ").capitalize())] = text
        return found


@dataclass(frozen=True)
class WorkerView:
    """A worker.

    Attributes:
        worker: the pseudonym.
        lead: what stands out, plain text.
        attributes: measures of quality as text, by what people call them.
        answers: their answers, of those that filters and exclusions keep: `item` and what an `ItemView` has.
        excluded: whether the rule leaves them out; signals: what speaks against them.
    """

    worker: str
    lead: str
    attributes: dict[str, str]
    answers: pd.DataFrame
    excluded: bool
    signals: str


_MEASURES = {
    "n": "Answers",
    "checks": "Checks met",
    "checks_passed": "Checks passed",
    "seconds": "Median seconds",
    "speed": "Time over that of the median worker",
    "same_rating": "Answers with the most frequent ratings",
    "copied_long": "Long descriptions repeated",
    "copied_short": "Short descriptions repeated",
    "ease_gap": "Mean distance from the others' ease",
    "confidence_gap": "Mean distance from the others' confidence",
    "useful_agreement": "Others with the same preference",
}
_SHARES = ("checks_passed", "speed", "same_rating", "copied_long", "copied_short", "useful_agreement")


def worker_view(worker: str, table: pd.DataFrame, answers: pd.DataFrame, *, has_rule: bool) -> WorkerView:
    """Everything about a worker.

    Args:
        worker: the pseudonym.
        table: `Analysis.worker_table`.
        answers: those that filters and exclusions keep.
        has_rule: whether a rule of exclusion is set.

    Raises:
        BarlowError: nobody of that pseudonym has answered.
    """
    if worker not in table.index:
        raise BarlowError(f"Nobody called {worker!r} has answered an item of this study.")
    row: dict[str, Any] = dict(table.loc[worker])
    answers = answers[answers["worker"] == worker].reset_index(drop=True)
    columns = ["item", *(column for column in COLUMNS if column in answers and column != "worker")]
    attributes = {
        name: percent(float(row[key])) if key in _SHARES else _shown(row[key])
        for key, name in _MEASURES.items()
        if pd.notna(row[key])
    }
    kept = f"{len(answers):,} of {count(int(row['n']), 'answer')} are in the current view"
    verdict = "The rule excludes this worker" if row["excluded"] else "The rule keeps this worker"
    if not has_rule:
        verdict = "No exclusion rule is set"
    lead = f"{verdict}{': ' + row['signals'] if row['signals'] else ''}; {kept}."
    return WorkerView(worker, lead, attributes, answers[columns], bool(row["excluded"]), str(row["signals"]))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.3f}"


def item_view(
    item: str,
    answers: pd.DataFrame,
    items: pd.DataFrame,
    names: pd.DataFrame,
    vectors: KeyedVectors,
    wording: Wording,
    verdict: str | None = None,
) -> ItemView:
    """Everything about an item.

    Args:
        item: its id.
        answers: those that filters and exclusions keep.
        items: of the whole study, as `StudyData` has them.
        names: `study.agreement.names.feature_names` of the answers.
        vectors, wording: how descriptions are compared.
        verdict: see `ItemView`.

    Raises:
        BarlowError: there is no such item.
    """
    answers = answers[answers["item"] == item].reset_index(drop=True)
    if not len(answers) and item not in items.index:
        raise BarlowError(f"The study has no item {item!r}.")
    row = items.loc[item] if item in items.index else pd.Series(dtype=object)
    known = {name: _plain(row[name]) for name in ATTRIBUTES if name in row and pd.notna(row[name])}
    counted = votes(answers)
    choice = counted.iloc[0] if len(counted) else None
    texts: dict[str, list[Any]] = {kind: answers[kind].tolist() for kind in DESCRIPTIONS}
    both = [" ".join(text for text in pair if isinstance(text, str)) for pair in zip(*texts.values(), strict=True)]
    name: dict[Any, Any] | None = dict(names.loc[item]) if item in names.index else None
    return ItemView(
        item=item,
        data=known,
        answers=answers[[column for column in COLUMNS if column in answers]],
        ease=_mean(answers["ease"]),
        confidence=_mean(answers["confidence"]),
        votes={} if choice is None else {kind: int(choice[kind]) for kind in PREFERENCES},
        vote=None if choice is None or choice["tied"] else str(choice["vote"]),
        agreement={kind: agreement(texts.get(kind, both), vectors, wording=wording) for kind in KINDS},
        name=None if name is None else name["name"],
        support=0 if name is None else int(name["support"]),
        n_descriptions=0 if name is None else int(name["n"]),
        words=[] if name is None else list(name["words"]),
        reason="nobody described it" if name is None else name["reason"],
        verdict=verdict,
    )


def item_panel(data: StudyData, item: str) -> Panel:
    """The pictures of an item, as they were frozen with the study.

    Raises:
        BarlowError: the study has no pictures of it, or they are missing or changed.
    """
    if data.path is None or item not in data.items.index or "panel" not in data.items or data.items["panel"].isna()[item]:
        raise BarlowError(f"This study has no pictures of item {item!r}.")
    from study.setup.frozen_panels import load_item_panel

    return load_item_panel(data.path, {str(key): _plain(value) for key, value in data.items.loc[item].items()})


def further_pictures(data: StudyData, item: str) -> MorePictures | None:
    """The further images that the second round of a study about core and spurious features showed of an item; None in other studies.

    Raises:
        BarlowError: they are missing or changed.
    """
    if data.path is None or item not in data.items.index or "further_pictures" not in data.items:
        return None
    from study.setup.frozen_panels import OF_THE_SAME
    from study.setup.more_pictures import load_more

    return load_more(data.path, {str(key): _plain(value) for key, value in data.items.loc[item].items()}, OF_THE_SAME)


def _mean(column: pd.Series) -> float | None:
    return float(column.mean()) if column.notna().any() else None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
