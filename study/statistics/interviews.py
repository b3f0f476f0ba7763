"""What practitioners said, counted (section 9, appendix H): functions over the tables of interviews.

People are counted, not answers, wherever a number is given as a share: every participant counts once, and their interval is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from study.protocol import DESCRIBES, LEVELS, NECESSITY, Protocol
from study.statistics.estimates import CONFIDENCE
from study.statistics.small_samples import kappas, share
from study.store.interviews.frames import InterviewTables

CODED = ("actions", "difficulties")


def in_order(names: Sequence[str]) -> list[str]:
    """P-numbers by number."""
    return sorted(dict.fromkeys(names), key=lambda name: int(name.removeprefix("P")))


def taking_part(found: InterviewTables) -> pd.DataFrame:
    """Participants who have registered."""
    people = found.participants
    return people[people["consented_at"].notna()]


def roles_and_experience(found: InterviewTables) -> pd.DataFrame:
    """Table 8: `what` ("role", "experience"), `value`, `label`, `n`, `participants` (list)."""
    people = taking_part(found)
    rows = []
    for what, choices in (("role", found.protocol.roles), ("experience", found.protocol.experience)):
        for value, label in choices:
            names = in_order(people.loc[people[what] == value, "participant"].tolist())
            rows.append((what, value, label, len(names), names))
    return pd.DataFrame(rows, columns=["what", "value", "label", "n", "participants"])


def first_groupings(found: InterviewTables) -> pd.DataFrame:
    """Table 9: `grouping`, `class_name`, `by`, `ber`, `n`, `participants`; of the easy set, chosen or not."""
    first = found.assignments[found.assignments["place"] == 1]
    rows = []
    for grouping in found.groupings[found.groupings["easy"]].to_dict("records"):
        names = in_order(first.loc[first["grouping"] == grouping["grouping"], "participant"].tolist())
        about = [grouping["grouping"], grouping.get("class_name"), grouping.get("by"), grouping.get("ber")]
        rows.append([*about, len(names), names])
    return pd.DataFrame(rows, columns=["grouping", "class_name", "by", "ber", "n", "participants"])


def described(found: InterviewTables, *, partly: bool = True) -> pd.DataFrame:
    """Of each participant who answered question 1 about both groupings, how many they could describe: `participant`, `described` (0 to 2).

    A grouping is described where the participant could describe every one of its features that they answered question 1 about.

    Args:
        partly: "partly" counts as described, too.
    """
    answers = found.features[found.features["describes"].notna()]
    if answers.empty:
        return pd.DataFrame({"participant": pd.Series(dtype=object), "described": pd.Series(dtype="int64")})
    good = answers["describes"].isin(["yes", "partly"] if partly else ["yes"])
    whole = good.groupby([answers["participant"], answers["grouping"]], sort=False).all()
    counts = whole.groupby(level=0, sort=False).agg(["size", "sum"])
    both = counts[counts["size"] == 2]
    return pd.DataFrame({"participant": both.index, "described": both["sum"].astype(int).to_numpy()})


def describability(found: InterviewTables, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """`counts_as_described` ("yes or partly", "yes"), `groupings` ("both", "one", "none"), `n`, `of`, `share`, `low`, `high`, `participants`."""
    rows = []
    for words, partly in (("yes or partly", True), ("yes", False)):
        table = described(found, partly=partly)
        for name, number in (("both", 2), ("one", 1), ("none", 0)):
            names = in_order(table.loc[table["described"] == number, "participant"].tolist())
            rows.append([words, name, len(names), len(table), *share(len(names), len(table), confidence), names])
    columns = ["counts_as_described", "groupings", "n", "of", "share", "low", "high", "participants"]
    return pd.DataFrame(rows, columns=columns)


def difficulties(found: InterviewTables, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Who met which difficulty: `kind`, `label`, `answers` (about features), `n` (participants), `of`, `share`, `low`, `high`, `participants`."""
    return _kinds(found.features, "difficulties", found.protocol.difficulties, "describes", confidence)


def actions(found: InterviewTables, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Figure 10: who would do what: `kind`, `label`, `answers` (about groupings), `n` (participants), `of`, `share`, `low`, `high`, `participants`."""
    return _kinds(found.actions, "actions", found.protocol.actions, "actions", confidence)


def _kinds(
    answers: pd.DataFrame, column: str, choices: Sequence[tuple[str, str]], answered: str, confidence: float
) -> pd.DataFrame:
    """Participants by what they chose, out of those who answered."""
    there = answers[
        answers[answered].map(lambda value: bool(value) if isinstance(value, list) else isinstance(value, str)).astype(bool)
    ]
    of = there["participant"].nunique()
    rows = []
    for kind, label in choices:
        chose = there[there[column].map(lambda chosen, kind=kind: kind in chosen).astype(bool)]
        names = in_order(chose["participant"].tolist())
        rows.append([kind, label, len(chose), len(names), of, *share(len(names), of, confidence), names])
    return pd.DataFrame(rows, columns=["kind", "label", "answers", "n", "of", "share", "low", "high", "participants"])


def necessity(found: InterviewTables, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Question 2 for every feature that was answered: `grouping`, `feature`, `necessary`, `spurious`, `unsure`, `n`, and the share that
    calls it spurious with its interval: `share`, `low`, `high`."""
    answers = found.features[found.features["necessity"].notna()]
    values = [value for value, _ in NECESSITY]
    rows = []
    for grouping, feature, part in _by_feature(found, answers):
        counts = [int((part["necessity"] == value).sum()) for value in values]
        spurious = counts[values.index("spurious")]
        rows.append([grouping, feature, *counts, len(part), *share(spurious, len(part), confidence)])
    return pd.DataFrame(rows, columns=["grouping", "feature", *values, "n", "share", "low", "high"])


def answers_by_feature(found: InterviewTables) -> pd.DataFrame:
    """Question 1 for every feature that was answered: `grouping`, `feature`, `yes`, `partly`, `no`, `n`, `descriptions` (list of "P7: ...")."""
    answers = found.features[found.features["describes"].notna()]
    rows = []
    for grouping, feature, part in _by_feature(found, answers):
        said = part[part["description"].map(lambda text: isinstance(text, str) and bool(text.strip())).astype(bool)]
        texts = [f"{name}: {text}" for name, text in zip(said["participant"], said["description"], strict=True)]
        counts = [int((part["describes"] == value).sum()) for value, _ in DESCRIBES]
        rows.append([grouping, feature, *counts, len(part), texts])
    return pd.DataFrame(rows, columns=["grouping", "feature", *(value for value, _ in DESCRIBES), "n", "descriptions"])


def _by_feature(found: InterviewTables, answers: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """(grouping, feature, answers about it), in the order of the study."""
    groupings = [str(name) for name in found.groupings["grouping"]] if len(found.groupings) else []
    for grouping in dict.fromkeys([*groupings, *map(str, answers["grouping"])]):
        part = answers[answers["grouping"] == grouping]
        for feature in sorted(part["feature"].unique().tolist()):
            yield grouping, int(feature), part[part["feature"] == feature]


def quotes(found: InterviewTables) -> pd.DataFrame:
    """Quotes by theme, those without one last: `theme` (label), `text`, `participant`, `minute`, `grouping`, `author`."""
    labels = found.protocol.choices("themes")
    order = {value: place for place, value in enumerate(labels)}
    table = found.quotes.assign(
        place=found.quotes["theme"].map(order).fillna(len(order)),
        label=found.quotes["theme"].map(labels).fillna("No theme"),
        minute=(found.quotes["seconds"] / 60).round(1) if len(found.quotes) else [],
    ).sort_values(["place", "quote"], kind="stable")
    return (
        table[["label", "text", "participant", "minute", "grouping", "author"]]
        .rename(columns={"label": "theme"})
        .reset_index(drop=True)
    )


def statements(found: InterviewTables, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Figure 11: `statement`, `label`, `n`, a column for each level (`level_1` to `level_5`), and who agrees (levels 4 and 5): `agree`,
    `share`, `low`, `high`."""
    counts = {(row["statement"], row["level"]): int(row["n"]) for row in found.statements.to_dict("records")}
    rows = []
    for name, label in found.protocol.statements:
        levels = [counts.get((name, level), 0) for level in range(1, len(LEVELS) + 1)]
        n, agree = sum(levels), sum(levels[3:])
        rows.append([name, label, n, *levels, agree, *share(agree, n, confidence)])
    columns = [
        "statement",
        "label",
        "n",
        *(f"level_{level}" for level in range(1, len(LEVELS) + 1)),
        "agree",
        "share",
        "low",
        "high",
    ]
    return pd.DataFrame(rows, columns=columns)


def coders(found: InterviewTables, what: str) -> list[str]:
    """Who coded texts about `what`, those with the most texts first."""
    coded = found.codings[found.codings["what"] == what]
    return [str(name) for name in coded["coder"].value_counts().index]


def agreement_of_coders(found: InterviewTables, what: str, confidence: float = CONFIDENCE) -> tuple[list[str], pd.DataFrame]:
    """The two coders with the most texts, and their `kappas` for each code; no coders and no rows where fewer than two have coded."""
    names = coders(found, what)[:2]
    codes = list(_choices(found.protocol, what))
    if len(names) < 2:
        return [], kappas(pd.DataFrame({"first": [], "second": []}), codes, confidence).iloc[:0]
    coded = found.codings[found.codings["what"] == what]
    keys = ["participant", "grouping", "feature"]
    one, other = (coded.loc[coded["coder"] == name, [*keys, "codes"]] for name in names)
    pairs = one.merge(other, on=keys, suffixes=("_first", "_second"))
    return names, kappas(pairs.rename(columns={"codes_first": "first", "codes_second": "second"}), codes, confidence)


def _choices(protocol: Protocol, what: str) -> dict[str, str]:
    return protocol.choices(what)
