"""Clusters of images in which failures are explained (paper, sections 3 and 5, appendix D).

A group is named by its key: `label:truck` (all images labelled truck: false negatives), `prediction:truck` (all images
predicted as truck: false positives), `pair:cat+dog` (images of two classes that are taken for each other),
`union:cat` (labelled or predicted cat), `mask:NAME` (any images you choose).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import pandas as pd

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError

CLASS_GROUPINGS = ("label", "prediction", "union")
GROUPINGS = (*CLASS_GROUPINGS, "pair")


@dataclass(frozen=True)
class Group:
    """A cluster of images C of a benchmark S.

    Attributes:
        grouping: "label", "prediction", "union", "pair" or "mask".
        name: the class (or pair, or the name given to a mask).
        indices: (n,) int64, positions in the benchmark, increasing.
    """

    grouping: str
    name: str
    indices: np.ndarray

    @property
    def key(self) -> str:
        return f"{self.grouping}:{self.name}"

    @cached_property
    def slug(self) -> str:
        """The key as a name for a folder: safe and distinct on every file system, also one that ignores case."""
        safe = re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")[:60]
        if safe == self.name:
            return f"{self.grouping}-{safe}"
        return f"{self.grouping}-{safe}-{hashlib.blake2b(self.name.encode(), digest_size=3).hexdigest()}"

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"Group({self.key}, {len(self):,} images)"


def by_label(benchmark: Benchmark, class_name: str) -> Group:
    """All images whose label is `class_name`; their failures are the false negatives of the class."""
    return Group("label", class_name, np.flatnonzero(benchmark.labels == _class_index(benchmark, class_name)))


def by_prediction(benchmark: Benchmark, class_name: str) -> Group:
    """All images predicted as `class_name`; their failures are the false positives of the class."""
    return Group("prediction", class_name, np.flatnonzero(_predictions(benchmark) == _class_index(benchmark, class_name)))


def union(benchmark: Benchmark, class_name: str) -> Group:
    """All images labelled or predicted as `class_name`."""
    index = _class_index(benchmark, class_name)
    return Group("union", class_name, np.flatnonzero((benchmark.labels == index) | (_predictions(benchmark) == index)))


def confused_pair(benchmark: Benchmark, first: str, second: str) -> Group:
    """All images labelled `first` or `second` and predicted as one of the two; every failure is a confusion of the pair."""
    pair = sorted([_class_index(benchmark, first), _class_index(benchmark, second)])
    if pair[0] == pair[1]:
        raise BarlowError(f"A confused pair takes two different classes, got {first!r} twice. Name another class.")
    inside = np.isin(benchmark.labels, pair) & np.isin(_predictions(benchmark), pair)
    return Group("pair", "+".join(benchmark.class_names[i] for i in pair), np.flatnonzero(inside))


def by_mask(mask: np.ndarray, name: str = "mask") -> Group:
    """The images where `mask`, (N,) bool, is True."""
    mask = np.asarray(mask)
    if mask.ndim != 1 or mask.dtype != np.bool_:
        raise BarlowError(f"A mask is one True or False an image, got an array of {mask.dtype} with shape {mask.shape}.")
    return Group("mask", name, np.flatnonzero(mask))


def confusions(benchmark: Benchmark) -> pd.DataFrame:
    """The confused pairs of classes, most confused first: columns first, second, n_failures (both directions together)."""
    predictions = _predictions(benchmark)
    wrong = benchmark.failure
    pairs = np.sort(np.stack([benchmark.labels[wrong], predictions[wrong]], axis=1), axis=1)
    table = pd.DataFrame(pairs, columns=["first", "second"]).value_counts(sort=False).rename("n_failures").reset_index()
    table = table.sort_values(["n_failures", "first", "second"], ascending=[False, True, True], ignore_index=True)
    names = np.array(benchmark.class_names, dtype=object)
    return table.assign(first=names[table["first"].to_numpy()], second=names[table["second"].to_numpy()])


def parse(benchmark: Benchmark, key: str) -> Group:
    """Make the group that `key` names, such as "label:truck" or "pair:cat+dog".

    Raises:
        BarlowError: the grouping or the class is not known; close names are suggested.
    """
    grouping, separator, name = key.partition(":")
    if not separator or grouping not in GROUPINGS:
        raise BarlowError(
            f"{key!r} names no group. Expected GROUPING:CLASS with one of {', '.join(GROUPINGS)}, for example "
            f"label:{benchmark.class_names[0]}."
        )
    if grouping == "pair":
        first, second = _split_pair(benchmark, name)
        return confused_pair(benchmark, first, second)
    return {"label": by_label, "prediction": by_prediction, "union": union}[grouping](benchmark, name)


def all_groups(benchmark: Benchmark, groupings: Sequence[str] = ("label", "prediction"), *, pairs: int = 10) -> list[Group]:
    """The groups of every class, for each of `groupings`, in the order of the classes; for "pair" the `pairs` most confused.

    Classes without a single image in a grouping have no group in it.
    """
    unknown = [grouping for grouping in groupings if grouping not in GROUPINGS]
    if unknown:
        raise BarlowError(f"Unknown grouping {unknown[0]!r}. Expected one of: {', '.join(GROUPINGS)}.")
    found = []
    for grouping in groupings:
        if grouping == "pair":
            top = confusions(benchmark).head(pairs)
            found += [confused_pair(benchmark, str(row.first), str(row.second)) for row in top.itertuples()]
        else:
            found += _class_groups(benchmark, grouping)
    return [group for group in found if len(group)]


def _class_groups(benchmark: Benchmark, grouping: str) -> list[Group]:
    """The groups of all classes at once: one sort instead of one pass over N images for each class."""
    if grouping == "union":
        return [union(benchmark, name) for name in benchmark.class_names]
    values = benchmark.labels if grouping == "label" else _predictions(benchmark)
    order = np.argsort(values, kind="stable")
    bounds = np.searchsorted(values[order], np.arange(len(benchmark.class_names) + 1))
    return [
        Group(grouping, name, order[bounds[i] : bounds[i + 1]].astype(np.int64)) for i, name in enumerate(benchmark.class_names)
    ]


def _predictions(benchmark: Benchmark) -> np.ndarray:
    if benchmark.predictions is None:
        raise BarlowError(
            "These images have no predictions yet. Import them with predictions, or run: barlow predict RUN --model NAME"
        )
    return benchmark.predictions


def _class_index(benchmark: Benchmark, class_name: str) -> int:
    try:
        return benchmark.class_names.index(class_name)
    except ValueError:
        close = get_close_matches(class_name, benchmark.class_names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else _few_classes(benchmark.class_names)
        raise BarlowError(f"No class is called {class_name!r}. {hint}") from None


def _few_classes(names: list[str], most: int = 8) -> str:
    return f"The classes are: {', '.join(names[:most])}{f' and {len(names) - most:,} more' if len(names) > most else ''}."


def _split_pair(benchmark: Benchmark, name: str) -> tuple[str, str]:
    """Split "a+b" at the plus that leaves two known classes: a class name may hold a plus itself."""
    parts = name.split("+")
    for cut in range(1, len(parts)):
        first, second = "+".join(parts[:cut]), "+".join(parts[cut:])
        if first in benchmark.class_names and second in benchmark.class_names:
            return first, second
    if len(parts) != 2:
        raise BarlowError(
            f"{name!r} is no pair of classes. Expected two class names with a plus between, for example pair:cat+dog."
        )
    for part in parts:
        _class_index(benchmark, part)
    return parts[0], parts[1]
