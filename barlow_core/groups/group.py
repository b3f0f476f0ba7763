"""A cluster of images, and how classes make one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

import numpy as np
import pandas as pd

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError

CLASS_GROUPINGS = ("label", "prediction", "union", "pair")
GROUPINGS = (*CLASS_GROUPINGS, "all")


@dataclass(frozen=True)
class Group:
    """A cluster of images C of a benchmark S.

    Attributes:
        grouping: "label", "prediction", "union", "pair", "all", "mask", a column, or a product (see `barlow_core.groups`).
        name: the class, pair, value or values; "images" of all; or the name given to a mask.
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
        grouping, name = _safe(self.grouping), _safe(self.name)
        if (grouping, name) == (self.grouping, self.name):
            return f"{grouping}-{name}"
        told_apart = self.name if grouping == self.grouping else self.key
        return f"{grouping}-{name}-{hashlib.blake2b(told_apart.encode(), digest_size=3).hexdigest()}"

    @cached_property
    def stored_name(self) -> str:
        """A name for files that are derived from the group's images: the slug, where only labels and predictions decide which
        they are; with a digest of them, where metadata or a mask do."""
        if self.grouping in GROUPINGS:
            return self.slug
        members = hashlib.blake2b(np.asarray(self.indices, dtype="<i8").tobytes(), digest_size=6).hexdigest()
        return f"{self.slug}-{members}"

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"Group({self.key}, {len(self):,} images)"


def _safe(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]


def by_label(benchmark: Benchmark, class_name: str) -> Group:
    """All images whose label is `class_name`; their failures are the false negatives of the class."""
    return Group("label", class_name, np.flatnonzero(benchmark.labels == class_index(benchmark, class_name)))


def by_prediction(benchmark: Benchmark, class_name: str) -> Group:
    """All images predicted as `class_name`; their failures are the false positives of the class."""
    return Group("prediction", class_name, np.flatnonzero(predictions_of(benchmark) == class_index(benchmark, class_name)))


def union(benchmark: Benchmark, class_name: str) -> Group:
    """All images labelled or predicted as `class_name`."""
    index = class_index(benchmark, class_name)
    return Group("union", class_name, np.flatnonzero((benchmark.labels == index) | (predictions_of(benchmark) == index)))


def confused_pair(benchmark: Benchmark, first: str, second: str) -> Group:
    """All images labelled `first` or `second` and predicted as one of the two; every failure is a confusion of the pair."""
    pair = sorted([class_index(benchmark, first), class_index(benchmark, second)])
    if pair[0] == pair[1]:
        raise BarlowError(f"A confused pair takes two different classes, got {first!r} twice. Name another class.")
    inside = np.isin(benchmark.labels, pair) & np.isin(predictions_of(benchmark), pair)
    return Group("pair", "+".join(benchmark.class_names[i] for i in pair), np.flatnonzero(inside))


def all_images(benchmark: Benchmark) -> Group:
    """The whole benchmark as one cluster: what fails across classes."""
    return Group("all", "images", np.arange(len(benchmark), dtype=np.int64))


def by_mask(mask: np.ndarray, name: str = "mask") -> Group:
    """The images where `mask`, (N,) bool, is True."""
    mask = np.asarray(mask)
    if mask.ndim != 1 or mask.dtype != np.bool_:
        raise BarlowError(f"A mask is one True or False per image, got an array of {mask.dtype} with shape {mask.shape}.")
    return Group("mask", name, np.flatnonzero(mask))


def confusions(benchmark: Benchmark) -> pd.DataFrame:
    """The confused pairs of classes, most confused first: columns first, second, n_failures (both directions together)."""
    predictions = predictions_of(benchmark)
    wrong = benchmark.failure
    pairs = np.sort(np.stack([benchmark.labels[wrong], predictions[wrong]], axis=1), axis=1)
    table = pd.DataFrame(pairs, columns=["first", "second"]).value_counts(sort=False).rename("n_failures").reset_index()
    table = table.sort_values(["n_failures", "first", "second"], ascending=[False, True, True], ignore_index=True)
    names = np.array(benchmark.class_names, dtype=object)
    return table.assign(first=names[table["first"].to_numpy()], second=names[table["second"].to_numpy()])


def predictions_of(benchmark: Benchmark) -> np.ndarray:
    """(N,) int64; BarlowError where there are none yet."""
    if benchmark.predictions is None:
        raise BarlowError(
            "These images have no predictions yet. Import them with predictions, or run: barlow predict RUN --model NAME"
        )
    return benchmark.predictions


def class_index(benchmark: Benchmark, class_name: str) -> int:
    """The index of a class; BarlowError with close names where there is none."""
    try:
        return benchmark.class_names.index(class_name)
    except ValueError:
        close = get_close_matches(class_name, benchmark.class_names, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else _few_classes(benchmark.class_names)
        raise BarlowError(f"No class is called {class_name!r}. {hint}") from None


def _few_classes(names: list[str], most: int = 8) -> str:
    return f"The classes are: {', '.join(names[:most])}{f' and {len(names) - most:,} more' if len(names) > most else ''}."
