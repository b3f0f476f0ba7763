"""Scores of every class, as probabilities or as logits, brought down to a prediction and its confidence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain

import numpy as np
import pandas as pd

from barlow_core.benchmark.metadata import RESERVED
from barlow_core.benchmark.problems import Problems
from barlow_core.errors import BarlowError
from barlow_core.intake.values import numbers
from barlow_core.wording import count

_CHUNK = 8192
_SUM_TOLERANCE = 0.01  # float16 softmax over 1,000 classes sums to 1 no better than this
# What stands before the class in the name of a column of scores: prob_cat, p(cat) needs --columns.
_PREFIX = re.compile(r"(?i)(p|probs?|probabilit(?:y|ies)|scores?|logits?|softmax|conf|confidence|pred|class)[_.:\-/ ]")


@dataclass(frozen=True)
class ScoreColumns:
    """The columns of a table that hold a score of one class each.

    Attributes:
        columns: one a class.
        classes: what their names say of the class: its name, or its index as text.
        by_index: whether it is indices, from 0 on, each once.
    """

    columns: list[str]
    classes: list[str]
    by_index: bool


def find_scores(table: pd.DataFrame, names: Sequence[str], pattern: str | None = None) -> ScoreColumns | None:
    """The columns of a table that hold one score a class, by their names.

    They are called like the classes, or like them behind one and the same prefix (prob_cat, logit_cat), or by indices from 0 on
    (prob_0, prob_1, …); and there is one for each of `names`.

    Args:
        table: whose attributes are looked at.
        names: of classes that are known, such as those of the labels.
        pattern: which columns they are, "prob_*"; None finds them.

    Raises:
        BarlowError: a pattern fits fewer than two columns.
    """
    attributes = [str(column) for column in table if column not in RESERVED]
    if pattern is not None:
        return _of_pattern(attributes, pattern)
    prefixes = dict.fromkeys(found[0] for column in attributes if (found := _PREFIX.match(column)))
    for prefix in chain(prefixes, [""]):
        columns = [column for column in attributes if column.startswith(prefix)]
        classes = [column[len(prefix) :] for column in columns]
        if len(names) > 1 and set(names) <= set(classes):
            of_class = dict(zip(classes, columns, strict=True))
            # Without a prefix, what else is in the table is no class.
            classes = classes if prefix else list(names)
            columns = [of_class[name] for name in classes]
            if prefix or not table[columns].isin([0, 1]).to_numpy().all():  # else they say which class an image has
                return _found(columns, classes)
        elif prefix and _count_up(classes):
            return _found(columns, classes)
    return None


def from_columns(table: pd.DataFrame, scores: ScoreColumns, problems: Problems) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Predictions out of columns of scores.

    Returns:
        best: (N,) float64, the place of the largest score among `scores.columns`, NaN where one is missing.
        confidence: (N,) float64.
        table: without the columns of scores.
    """
    for column, name in zip(scores.columns, scores.classes, strict=True):
        if not pd.api.types.is_numeric_dtype(table[column].dtype):
            text = table[column].astype("str")
            values = numbers(text.where(table[column].notna()))
            wrong = values.isna() & table[column].notna()
            problems.add_where(wrong.to_numpy(), f"the score of {name!r} is {{}}, which is not a number", text)
            table = table.assign(**{column: values})
    columns = table[scores.columns]
    best, confidence, said = largest(lambda a, b: columns.iloc[a:b].to_numpy(dtype=np.float64, na_value=np.nan), len(table))
    first, last = scores.columns[0], scores.columns[-1]
    problems.notes.append(f"Predictions are the largest of {count(len(columns.columns), 'score')}, {first!r} to {last!r}. {said}")
    return best, confidence, table.drop(columns=scores.columns)


def largest(rows: Callable[[int, int], np.ndarray], n_images: int) -> tuple[np.ndarray, np.ndarray, str]:
    """The largest of the scores of every image, in pieces (those of ImageNet are 5 GB).

    Args:
        rows: from, to -> (to - from, K) float64.

    Returns:
        best: (N,) float64, the index of the largest score, the first of equals; NaN where a score is NaN.
        confidence: (N,) float64 in [0, 1]: that score where all rows are probabilities (not negative, sum 1); else its softmax,
            exp(s_max) / sum exp(s), as of logits.
        said: which of the two, as a sentence.
    """
    best, top, softmax = np.empty(n_images), np.empty(n_images), np.empty(n_images)
    are_probabilities = True
    for start in range(0, n_images, _CHUNK):
        scores = rows(start, min(start + _CHUNK, n_images))
        stop = start + len(scores)
        unknown = np.isnan(scores).any(axis=1)
        best[start:stop] = np.where(unknown, np.nan, scores.argmax(axis=1))
        top[start:stop] = np.where(unknown, np.nan, scores.max(axis=1))
        with np.errstate(invalid="ignore", over="ignore"):  # infinities have no softmax
            softmax[start:stop] = 1 / np.exp(scores - top[start:stop, None]).sum(axis=1)
        known = scores[~unknown]
        are_probabilities &= bool((known >= 0).all() and np.allclose(known.sum(axis=1), 1, atol=_SUM_TOLERANCE, rtol=0))
    if are_probabilities:
        return best, top.clip(0, 1), "They are probabilities, and the largest is the confidence."
    return best, softmax, "They are not probabilities, so they count as logits, and confidence is their softmax."


def _of_pattern(attributes: list[str], pattern: str) -> ScoreColumns:
    columns = [column for column in attributes if fnmatchcase(column, pattern)]
    if len(columns) < 2:
        raise BarlowError(
            f"{pattern!r} fits {count(len(columns), 'column')} of scores. Expected one per class, such as --columns scores=prob_*. The "
            f"columns are {', '.join(map(repr, attributes[:30]))}."
        )
    before, star, after = pattern.partition("*")
    classes = [column.removeprefix(before).removesuffix(after) if star else column for column in columns]
    return _found(columns, classes)


def _found(columns: list[str], classes: list[str]) -> ScoreColumns:
    if not _count_up(classes):
        return ScoreColumns(columns, classes, by_index=False)
    ordered = sorted(zip(map(int, classes), columns, strict=True))
    return ScoreColumns([column for _, column in ordered], [str(index) for index, _ in ordered], by_index=True)


def _count_up(classes: list[str]) -> bool:
    return len(classes) > 1 and sorted(classes) == sorted(map(str, range(len(classes))))
