"""What people call features: the names that a run holds, and its rules in their words.

Names come from outside, such as a study of people who described the features (`barlow study analyze STUDY --names-to RUN`). They lie in
the run folder as feature_names.csv, a row a feature of a group.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from barlow_core.conditions import ColumnCondition
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import condition_from, threshold_text
from barlow_core.storage.files import atomic_write
from barlow_core.wording import percent

FILE = "feature_names.csv"
COLUMNS = ("group", "feature", "name", "support", "n", "similarity", "simulated")
_AGAIN = "Write it again: barlow study analyze STUDY --names-to RUN"


class FeatureName(NamedTuple):
    """What people who were asked call a feature: how many of `n` agreed with the name.

    Attributes:
        support: how many; None where it was not counted.
        simulated: nobody said it: it comes from simulated answers.
    """

    name: str
    support: int | None
    n: int
    simulated: bool = False

    @property
    def words(self) -> str:
        """ "orange fur" (4 of 5 workers)."""
        who = "simulated workers" if self.simulated else "workers"
        counted = f"{self.support} of {self.n} {who}" if self.support is not None else f"of {self.n} {who}"
        return f"\N{LEFT DOUBLE QUOTATION MARK}{self.name}\N{RIGHT DOUBLE QUOTATION MARK} ({counted})"


# By (key of the group, feature), or by feature for all groups.
Names = Mapping[tuple[str, int], FeatureName] | Mapping[int, FeatureName]


def name_of(names: Names | None, group: str, feature: int) -> FeatureName | None:
    """The name of a feature in a group, or else its name everywhere."""
    known: dict[object, FeatureName] = dict(names) if names else {}  # type: ignore[arg-type]
    return known.get((group, feature)) or known.get(feature)


def names_for(names: Mapping[tuple[str, int], FeatureName], group: str) -> dict[int, FeatureName]:
    """Names of features for the rules of a group.

    A feature that was described in this group goes by its name there; else by the one with the largest support, among equals of the
    first group in the alphabet: it is the same feature of the same network.

    Args:
        group: such as "label:tiger".
    """
    ranked = sorted(names.items(), key=lambda entry: (entry[0][0] != group, -(entry[1].support or 0), entry[0][0]))
    found: dict[int, FeatureName] = {}
    for (_, feature), name in ranked:
        found.setdefault(feature, name)
    return found


def rule_in_words(conditions: Sequence[tuple[int, str, float] | ColumnCondition], names: Mapping[int, FeatureName]) -> str:
    """A rule by the names of its features: "without dog collar and feature 12 above 0.8000".

    Args:
        conditions: (feature, "<" or ">", threshold), or conditions on columns, all of which hold; `conditions` of
            failure_modes.parquet.
        names: see `names_for`; a feature without a name goes by its number and threshold.
    """
    parts = []
    for condition in conditions:
        if isinstance(condition, ColumnCondition):
            parts.append(str(condition))
            continue
        feature, operator, threshold = condition
        if feature in names:
            parts.append(f"{'with' if operator == '>' else 'without'} {_inline(names[feature].name)}")
        else:
            parts.append(f"feature {feature} {'above' if operator == '>' else 'at most'} {threshold_text(threshold)}")
    return " and ".join(parts)


def rules_in_words(failure_modes: pd.DataFrame, names: Mapping[tuple[str, int], FeatureName]) -> pd.Series:
    """The rules of failure modes in words, on their index; None where no feature of the rule has a name. Words that nobody said are marked.

    Args:
        failure_modes: failure_modes.parquet of a run, or some of its rows.
    """
    words: list[str | None] = []
    by_group: dict[str, dict[int, FeatureName]] = {}
    for group, text in zip(failure_modes["group"], failure_modes["conditions"], strict=True):
        if str(group) not in by_group:
            by_group[str(group)] = names_for(names, str(group))
        known = by_group[str(group)]
        conditions = [condition_from(condition) for condition in json.loads(text)]
        named = [known[condition.feature] for condition in conditions if condition.feature in known]
        mark = " (simulated answers)" if any(name.simulated for name in named) else ""
        words.append(f"{rule_in_words(conditions, known)}{mark}" if named else None)
    return pd.Series(words, index=failure_modes.index, dtype=object)


def effect_in_words(rule: str, error_rate: float, base: float) -> str:
    """What a rule does: "without dog collar, 31.8 % instead of 20.9 %"; `base` is the error rate of all images of the group."""
    return f"{rule}, {percent(error_rate)} instead of {percent(base)}"


def names_from(table: pd.DataFrame) -> dict[tuple[str, int], FeatureName]:
    """A table of `COLUMNS` by (group, feature)."""
    columns = (table[column] for column in ("group", "feature", "name", "support", "n", "simulated"))
    return {
        (str(group), int(feature)): FeatureName(str(name), int(support), int(n), bool(simulated))
        for group, feature, name, support, n, simulated in zip(*columns, strict=True)
    }


def write_names(run: str | Path, names: pd.DataFrame) -> Path:
    """Put names into a run folder, in place of those that it has, where `read_names`, `barlow show`, exports and the app find them.

    Args:
        names: a table of `COLUMNS`.

    Raises:
        BarlowError: the folder is no run.
    """
    folder = Path(run)
    if not (folder / "run.json").is_file():
        raise BarlowError(f"{folder} is not a run folder (it has no run.json). Name the run that the study's items come from.")
    with atomic_write(folder / FILE) as temporary:
        names[list(COLUMNS)].to_csv(temporary, index=False, lineterminator="\n")
    return folder / FILE


def read_names(run: str | Path) -> dict[tuple[str, int], FeatureName]:
    """The names that a run folder holds, by (key of the group, feature); none where it has no such file.

    Raises:
        BarlowError: the file cannot be read, lacks a column, or has a row that says nothing.
    """
    path = Path(run) / FILE
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path, dtype={"group": "str", "name": "str"}, keep_default_na=False, na_values={"similarity": [""]})
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise BarlowError(f"{path} cannot be read ({error}). {_AGAIN}") from error
    if absent := [column for column in COLUMNS if column not in table]:
        raise BarlowError(f"{path} has no column {absent[0]!r}. {_AGAIN}")
    for column in ("feature", "support", "n"):
        numbers = pd.to_numeric(table[column], errors="coerce")
        if (wrong := numbers.isna() | (numbers < 0) | (numbers % 1 != 0)).any():
            row = int(wrong.to_numpy().argmax())
            raise BarlowError(
                f"{path}, line {row + 2}: {column} is {str(table[column].iloc[row])!r}; expected a whole number from 0 on. {_AGAIN}"
            )
        table[column] = numbers.astype("int64")
    if (wrong := ~table["simulated"].astype(str).str.lower().isin(["true", "false"])).any():
        row = int(wrong.to_numpy().argmax())
        raise BarlowError(
            f"{path}, line {row + 2}: simulated is {str(table['simulated'].iloc[row])!r}; expected True or False. {_AGAIN}"
        )
    table["simulated"] = table["simulated"].astype(str).str.lower() == "true"
    return names_from(table[table["name"].str.strip() != ""])


def _inline(name: str) -> str:
    """A name within a sentence: "Striped fur." as "striped fur"; "DNA" and "US flag" keep their capitals."""
    text = " ".join(name.split()).rstrip(".!;,")
    first = text.split(" ")[0]
    return text[:1].lower() + text[1:] if first[1:] == first[1:].lower() else text
