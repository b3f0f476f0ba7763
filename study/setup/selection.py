"""Which visualizations a study shows (section 8): classes by error rate, features by mutual information with failure.

The paper takes, for both groupings, the top, middle and bottom 20 classes by error rate, and for each of these 120 groups the 10
features with the highest mutual information with failure: 1,200 items. A benchmark with fewer classes is taken whole, in thirds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from babel.lists import format_list

from barlow_core.analyses import group_information, load_result
from barlow_core.errors import BarlowError
from barlow_core.run import Run
from barlow_core.wording import count
from study.questionnaire import PAPER, Question, Questionnaire, shown
from study.texts import ENGLISH, Texts
from study.tiers import TIERS

GROUPINGS = ("label", "prediction")
PER_TIER, TOP = 20, 10
MODELS = 2  # texts of feedback, "check.feedback_1" and so on


@dataclass(frozen=True)
class Selection:
    """Items of a study, before their pictures are made.

    Attributes:
        items: one mapping an item, as `StudyStore.create` takes them: `id`, `kind`, `group`, `grouping`, `class_name`, `tier`,
            `feature`, `rank`, `mutual_information` (nats), `ber`.
        notes: what was decided on the way, one sentence each.
    """

    items: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.items)


def select(run: Run, *, groupings: Sequence[str] = GROUPINGS, per_tier: int = PER_TIER, top: int = TOP) -> Selection:
    """The items that the paper would take from this run.

    In each grouping the groups are ordered by their base error rate; the `per_tier` with the highest are the tier "top", those
    around the median "middle", those with the lowest "bottom". With fewer than three times `per_tier` groups all are taken, in
    thirds.

    Args:
        top: features a group, those with the highest mutual information with failure.

    Raises:
        BarlowError: the run is not explained, or not for one of `groupings`; a number below 1.
    """
    for name, value in (("per_tier", per_tier), ("top", top)):
        if type(value) is not int or value < 1:
            raise BarlowError(f"{name} must be a whole number of at least 1, not {shown(value)}.")
    run.require("explain")
    table = run.groups()
    notes: list[str] = []
    items = []
    for grouping in groupings:
        rows = table[table["grouping"] == grouping]
        if rows.empty:
            raise BarlowError(
                f"No group of the grouping {grouping!r} is explained in {run.path}. Explain it: barlow explain {run.path} "
                f"--grouping {grouping}, or leave it out of the study."
            )
        explained = rows[rows["reason"].isna()]
        if len(explained) < len(rows):
            n = len(rows) - len(explained)
            notes.append(f"{grouping}: {count(n, 'class', 'classes')} left out, in which there is nothing to explain.")
        for tier, group in tiers(explained, per_tier, notes, grouping):
            features = ranking(run, group, top)
            if len(features) < top:
                notes.append(f"{group}: {count(len(features), 'feature')} instead of {top}, there are no more.")
            for rank, (feature, information) in enumerate(features, 1):
                items.append(item_about(table, group, feature, rank, information) | {"tier": tier})
    if not items:
        raise BarlowError(f"Nothing to show: no group in {run.path} could be explained.")
    return Selection(tuple(items), tuple(notes))


def tiers(groups: pd.DataFrame, per_tier: int, notes: list[str], grouping: str) -> list[tuple[str, str]]:
    """(tier, key) of the groups of one grouping that a study takes, highest error rate first; what was decided goes to `notes`."""
    ordered = groups.sort_values("ber", ascending=False, kind="stable")["group"].tolist()
    n = len(ordered)
    if n >= 3 * per_tier:
        first = (n - per_tier) // 2
        parts = (ordered[:per_tier], ordered[first : first + per_tier], ordered[n - per_tier :])
    else:
        outer = n // 3 + (n % 3 == 2)
        parts = (ordered[:outer], ordered[outer : n - outer], ordered[n - outer :] if outer else [])
        sizes = ", ".join(f"{len(part)} {tier}" for tier, part in zip(TIERS, parts, strict=True))
        notes.append(f"{grouping}: {count(n, 'class', 'classes')}, fewer than 3 x {per_tier}, so all were taken: {sizes}.")
    return [(tier, key) for tier, part in zip(TIERS, parts, strict=True) for key in part]


def ranking(run: Run, group: str, n: int) -> list[tuple[int, float]]:
    """The `n` features of a group with the highest mutual information with failure: (feature, nats), highest first."""
    chosen = load_result(run, group).features
    if len(chosen) >= n or not chosen:
        return list(chosen[:n])
    # The trees were given fewer features than that; the mutual information of all the others is remembered beside them.
    information = group_information(run, group)
    order = np.argsort(-information, kind="stable")[:n]
    return [(int(feature), float(information[feature])) for feature in order]


def item_about(table: pd.DataFrame, group: str, feature: int, rank: int | None, information: float | None) -> dict[str, Any]:
    """What every item says of itself; `table` is that of all groups of the run."""
    row = table[table["group"] == group].iloc[0]
    return {
        "id": f"{group}:{feature}",
        "group": group,
        "grouping": str(row["grouping"]),
        "class_name": str(row["class_name"]),
        "feature": feature,
        "rank": rank,
        "mutual_information": information,
        "ber": float(row["ber"]),
    }


# --- practice and attention checks out of the study's own material


def with_checks(
    run: Run,
    selection: Selection,
    *,
    practice: int = 2,
    attention: int = 3,
    questionnaire: Questionnaire = PAPER,
    seed: int = 0,
    languages: Mapping[str, tuple[Texts, Questionnaire]] | None = None,
) -> Selection:
    """Add practice items and attention checks, shown with features that the study does not ask about.

    Practice comes with feedback and without a right answer. An attention check says above the questions what to choose.

    Args:
        languages: texts and questions in each language of the study; None: in English, as `questionnaire` has them.
    """
    languages = languages or {"en": (ENGLISH, questionnaire)}
    table = run.groups()
    notes = list(selection.notes)
    spare = _spare(run, selection, practice + attention, seed)
    expected = [asked for number in range(attention) if (asked := _expected(questionnaire, number))]
    if len(expected) < attention:
        notes.append("No attention checks: the questionnaire has neither a scale nor a choice.")
    found: list[dict[str, Any]] = []
    for number, (group, feature) in enumerate(spare):
        about = {name: value for name, value in item_about(table, group, feature, None, None).items() if value is not None}
        if number < practice:
            found.append(
                about
                | {
                    "id": f"practice:{number + 1}",
                    "kind": "practice",
                    "feedback": _in_each(languages, _feedback, number, practice),
                }
            )
        elif number - practice < len(expected):
            wanted = expected[number - practice]
            notice = _in_each(languages, _notice, number - practice)
            about |= {"id": f"attention:{number - practice + 1}", "kind": "attention", "expected": wanted, "notice": notice}
            found.append(about)
    if len(spare) < practice + attention:
        notes.append(f"There were only {count(len(spare), 'feature')} left for practice and attention checks.")
    return replace(selection, items=(*selection.items, *found), notes=tuple(notes))


def _spare(run: Run, selection: Selection, n: int, seed: int) -> list[tuple[str, int]]:
    """`n` pairs of group and feature that are not in the study, in turn from different groups; new features before known ones."""
    taken = {(item["group"], item["feature"]) for item in selection.items}
    groups = sorted({group for group, _ in taken})
    random.Random(seed).shuffle(groups)
    groups = groups[: 4 * n]
    ranked = {group: ranking(run, group, sum(one == group for one, _ in taken) + 2 * n) for group in groups}
    longest = max(map(len, ranked.values()), default=0)
    in_turn = [(group, ranked[group][place][0]) for place in range(longest) for group in groups if place < len(ranked[group])]
    known = {feature for _, feature in taken}
    fresh: list[tuple[str, int]] = []
    others: list[tuple[str, int]] = []
    for group, feature in in_turn:
        if (group, feature) not in taken:
            (others if feature in known else fresh).append((group, feature))
            known.add(feature)
    return (fresh + others)[:n]


def _in_each(languages: Mapping[str, tuple[Texts, Questionnaire]], say: Callable[..., str], *about: int) -> str | dict[str, str]:
    """A text of an item: by language, where the study has several."""
    said = {name: say(texts, questionnaire, *about) for name, (texts, questionnaire) in languages.items()}
    return said if len(said) > 1 else next(iter(said.values()))


def _feedback(texts: Texts, questionnaire: Questionnaire, number: int, practice: int) -> str:
    said = texts(f"check.feedback_{number % MODELS + 1}")
    return f"{said} {texts('check.last')}" if number == practice - 1 else said


def _expected(questionnaire: Questionnaire, number: int) -> dict[str, Any]:
    """What an attention check asks for: the `number`-th one the other end of every scale."""
    return {question.id: _end(question, number)[0] for question in questionnaire.questions if question.kind != "text"}


def _notice(texts: Texts, questionnaire: Questionnaire, number: int) -> str:
    """The text that asks for it."""
    asks = [
        texts("check.choose", label=_end(question, number)[1], question=question.name)
        for question in questionnaire.questions
        if question.kind != "text"
    ]
    return texts("check.attention", choices=format_list(asks, locale=texts.locale))


def _end(question: Question, number: int) -> tuple[int | str, str]:
    if question.kind == "scale":
        low = number % 2 == 0
        value, label = (question.low, question.low_label) if low else (question.high, question.high_label)
        return value, f"{value} ({label})" if label else str(value)
    return question.options[-1 - number % len(question.options)]


# --- from a list


def from_list(run: Run, path: str | Path) -> Selection:
    """The items of a list: CSV, or JSON with a list of objects.

    Columns: `group` (such as label:tiger), or `grouping` and `class_name`; `feature`; and, where wanted, `id`, `kind` ("item",
    "practice", "gold", "attention"), `expected` (JSON, or one value for each question as `expected.useful`), `feedback`, `notice`,
    `answers_per_item`. Every other column is kept as data of the item.

    Raises:
        BarlowError: the list cannot be read, or a row names a group or feature that does not exist; the message says which row.
    """
    path = Path(path)
    run.require("explain")
    table, n_features = run.groups(), run.features().shape[1]
    ranks: dict[str, dict[int, tuple[int, float]]] = {}
    items = []
    for number, row in enumerate(_read(path), 1):
        place = f"{path}, row {number}"
        group = row.pop("group", None) or f"{row.pop('grouping', '')}:{row.pop('class_name', '')}"
        if group not in set(table["group"]):
            raise BarlowError(
                f"{place}: {shown(group)} is not among the {len(table)} groups explained in {run.path}. See them with: "
                f"barlow show {run.path} groups"
            )
        feature = _whole(row.pop("feature", None), f"{place}: feature")
        if not 0 <= feature < n_features:
            raise BarlowError(f"{place}: feature {feature} does not exist. Expected an index from 0 to {n_features - 1}.")
        if group not in ranks:
            ordered = ranking(run, group, n_features)
            ranks[group] = {found: (rank, information) for rank, (found, information) in enumerate(ordered, 1)}
        about = item_about(table, group, feature, *ranks[group].get(feature, (None, None)))
        items.append({name: value for name, value in about.items() if value is not None} | _given(row, place))
    if not items:
        raise BarlowError(f"{path} lists no items. Expected at least one row with group and feature.")
    return Selection(tuple(items), (f"{count(len(items), 'item')} from {path.name}.",))


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        if path.suffix.lower() == ".json":
            rows = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise BarlowError(
                    f'{path} is JSON, but not a list of objects such as [{{"group": "label:tiger", "feature": 17}}].'
                )
        else:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            rows = table.rename(columns=str.strip).to_dict("records")
    except (OSError, ValueError, UnicodeError) as error:
        raise BarlowError(f"{path} cannot be read as a list of items ({error}). Expected CSV, or JSON.") from error
    return [{str(name): value for name, value in row.items() if value not in ("", None)} for row in rows]


def _given(row: dict[str, Any], place: str) -> dict[str, Any]:
    """What a row says beyond its group and feature, with `expected` and numbers in their own form."""
    expected = row.pop("expected", None)
    if isinstance(expected, str):
        try:
            expected = json.loads(expected)
        except ValueError:
            raise BarlowError(f'{place}: expected is {shown(expected)}. Expected JSON such as {{"useful": "B"}}.') from None
    for name in [name for name in row if name.startswith("expected.")]:
        value = row.pop(name)
        whole = isinstance(value, str) and value.strip().lstrip("-").isdecimal()
        expected = {**(expected or {}), name.removeprefix("expected."): int(value) if whole else value}
    if expected is not None:
        row["expected"] = expected
    if "answers_per_item" in row:
        row["answers_per_item"] = _whole(row["answers_per_item"], f"{place}: answers_per_item")
    return row


def _whole(value: object, what: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise BarlowError(f"{what} is {shown(value)}. Expected a whole number.") from None
