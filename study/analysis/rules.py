"""Rules in words: what people called a feature, put where a rule says `feature[17] < 0.65`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.failure_tree import threshold_text
from barlow_core.files import atomic_write
from barlow_core.wording import percent

NAMES_FILE = "feature_names.csv"
COLUMNS = ("group", "feature", "name", "support", "n", "similarity", "simulated")


class Name(NamedTuple):
    """What people call a feature.

    Attributes:
        name: the description nearest to all others.
        support: descriptions that share a word with it, of `n`.
        group: where it was described.
    """

    name: str
    support: int
    n: int
    group: str


def feature_names_of(names: pd.DataFrame, group: str) -> dict[int, Name]:
    """Names of features for the rules of a group.

    A feature that was described in this group goes by its name there; else by the one with the largest support, among equals of the
    first group in the alphabet: it is the same feature of the same network.

    Args:
        names: `Analysis.names_for_run`, or what `read_names` reads.
        group: such as "label:tiger".
    """
    named = names[names["name"].notna()]
    order = pd.DataFrame({"other": named["group"] != group, "support": -named["support"], "group": named["group"]})
    found: dict[int, Name] = {}
    for row in named.loc[order.sort_values(["other", "support", "group"], kind="stable").index].to_dict("records"):
        found.setdefault(int(row["feature"]), Name(str(row["name"]), int(row["support"]), int(row["n"]), str(row["group"])))
    return found


def rule_in_words(
    conditions: Sequence[tuple[int, str, float]], names: Mapping[int, Name], *, error_rate: float, base: float
) -> str:
    """A rule and what it does: "without dog collar, 31.8 % instead of 20.9 %".

    Args:
        conditions: (feature, "<" or ">", threshold), all of which hold; `conditions` of failure_modes.parquet.
        names: see `feature_names_of`; a feature without a name goes by its number and threshold.
        error_rate, base: of the images for which the rule holds, and of all images of the group.
    """
    parts = []
    for feature, operator, threshold in conditions:
        if feature in names:
            parts.append(f"{'with' if operator == '>' else 'without'} {_inline(names[feature].name)}")
        else:
            parts.append(f"feature {feature} {'above' if operator == '>' else 'at most'} {threshold_text(threshold)}")
    return f"{' and '.join(parts)}, {percent(error_rate)} instead of {percent(base)}"


def rules_in_words(failure_modes: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """The failure modes of a run in words.

    Args:
        failure_modes: failure_modes.parquet of a run.
        names: see `feature_names_of`.

    Returns:
        A row a failure mode for which at least one feature has a name: `group`, `rule`, `words`, `error_rate`, `ber`,
        `named` (all its features have a name), in the order of the run.
    """
    rows = []
    for group, part in failure_modes.groupby("group", sort=False):
        known = feature_names_of(names, str(group))
        for mode in part.to_dict("records"):
            conditions = [
                (int(feature), str(operator), float(threshold)) for feature, operator, threshold in json.loads(mode["conditions"])
            ]
            named = [feature in known for feature, _, _ in conditions]
            if any(named):
                words = rule_in_words(conditions, known, error_rate=mode["error_rate"], base=mode["ber"])
                rows.append((group, mode["rule"], words, mode["error_rate"], mode["ber"], all(named)))
    return pd.DataFrame(rows, columns=["group", "rule", "words", "error_rate", "ber", "named"])


def write_names(run: str | Path, names: pd.DataFrame) -> Path:
    """Put the names into a run folder (feature_names.csv), where the browser and `read_names` find them.

    Raises:
        BarlowError: the folder is no run.
    """
    folder = Path(run)
    if not (folder / "run.json").is_file():
        raise BarlowError(f"{folder} is no run folder (it has no run.json). Name the run that the study's items come from.")
    with atomic_write(folder / NAMES_FILE) as temporary:
        names[list(COLUMNS)].to_csv(temporary, index=False, lineterminator="\n")
    return folder / NAMES_FILE


def read_names(run: str | Path) -> pd.DataFrame | None:
    """The names that a run folder holds; None when it has none.

    Raises:
        BarlowError: the file lacks a column.
    """
    path = Path(run) / NAMES_FILE
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path, dtype={"group": "str", "name": "str"})
    except (ValueError, UnicodeDecodeError) as error:
        raise BarlowError(
            f"{path} cannot be read ({error}). Write it again: barlow study analyze STUDY --names-to RUN"
        ) from error
    if absent := [column for column in COLUMNS if column not in table]:
        raise BarlowError(f"{path} has no column {absent[0]!r}. Write it again: barlow study analyze STUDY --names-to RUN")
    return table[list(COLUMNS)]


def _inline(name: Any) -> str:
    """A name within a sentence: "Striped fur." as "striped fur"; "DNA" and "US flag" keep their capitals."""
    text = " ".join(str(name).split()).rstrip(".!;,")
    first = text.split(" ")[0]
    return text[:1].lower() + text[1:] if first[1:] == first[1:].lower() else text
