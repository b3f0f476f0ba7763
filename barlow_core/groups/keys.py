"""From names to groups: one by its key, or all of a grouping."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.columns import column_names
from barlow_core.errors import BarlowError
from barlow_core.groups.factors import PRODUCT, factor_group, factor_groups, factors_of, grouping_of, is_column
from barlow_core.groups.group import (
    CLASS_GROUPINGS,
    GROUPINGS,
    Group,
    all_images,
    by_label,
    by_mask,
    by_prediction,
    class_index,
    confused_pair,
    confusions,
    predictions_of,
    union,
)


def parse(benchmark: Benchmark, key: str) -> Group:
    """Make the group that `key` names, such as "label:truck", "pair:cat+dog", "camera:phone" or "label*camera:cat*phone".

    Raises:
        BarlowError: the grouping, the class or the value is not known; close names are suggested.
    """
    grouping, separator, name = key.partition(":")
    if grouping == "all" and name in ("", "images"):
        return all_images(benchmark)
    if separator and grouping == "pair":
        return confused_pair(benchmark, *_split_pair(benchmark, name))
    if separator and grouping == "mask":
        return _stored_mask(benchmark, name)
    if separator and grouping in CLASS_GROUPINGS:
        return {"label": by_label, "prediction": by_prediction, "union": union}[grouping](benchmark, name)
    if separator and (PRODUCT in grouping or is_column(benchmark, grouping)):
        return factor_group(benchmark, grouping, name)
    raise BarlowError(
        f"{key!r} names no group. Expected GROUPING:CLASS with one of {', '.join(CLASS_GROUPINGS)}, for example "
        f"label:{benchmark.class_names[0]}; all:images; or COLUMN:VALUE with a column of the metadata "
        f"({', '.join(column_names(benchmark)) or 'this one has none'})."
    )


def all_groups(benchmark: Benchmark, groupings: Sequence[str] = ("label", "prediction"), *, pairs: int = 10) -> list[Group]:
    """The groups of each of `groupings`: of every class in the order of the classes; for "pair" the `pairs` most confused; for
    "all" one; for a column one a value; for a product such as "label*camera" one a combination.

    Classes, values and combinations without a single image have no group.

    Raises:
        BarlowError: a grouping that is not known; a column without values or with too many; a product with too many groups, or
            of what cannot be multiplied (see `factors`).

    Cost: one sort of N numbers a grouping. To search them costs as much again for every grouping: each holds all images.
    """
    found: list[Group] = []
    for grouping in dict.fromkeys(canonical(benchmark, grouping) for grouping in groupings):
        if grouping == "pair":
            top = confusions(benchmark).head(pairs)
            found += [confused_pair(benchmark, str(row.first), str(row.second)) for row in top.itertuples()]
        elif grouping == "all":
            found.append(all_images(benchmark))
        elif grouping in CLASS_GROUPINGS:
            found += _class_groups(benchmark, grouping)
        else:
            found += factor_groups(benchmark, grouping)
    return [group for group in found if len(group)]


def canonical(benchmark: Benchmark, grouping: str) -> str:
    """A grouping as keys have it: columns in the benchmark's spelling, and a product in the order of `factors_of`.

    Raises:
        BarlowError: as `all_groups`.
    """
    if grouping in GROUPINGS:
        return grouping
    if PRODUCT not in grouping and not is_column(benchmark, grouping):
        known = [*GROUPINGS, *column_names(benchmark)]
        close = get_close_matches(grouping, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"Expected one of: {', '.join(known)}."
        raise BarlowError(f"Unknown grouping {grouping!r}. {hint}")
    return grouping_of(factors_of(benchmark, grouping))


def columns_of(benchmark: Benchmark, grouping: str) -> list[str]:
    """The columns of the metadata that a grouping depends on, as the benchmark spells them."""
    if grouping in (*GROUPINGS, "mask"):
        return []
    return [factor.name for factor in factors_of(benchmark, grouping) if factor.is_column]


def n_without_value(benchmark: Benchmark, grouping: str) -> int:
    """How many images are in no group of a grouping, because they have no value in one of its columns."""
    if grouping in GROUPINGS:
        return 0
    return int(np.any([factor.codes < 0 for factor in factors_of(benchmark, grouping)], axis=0).sum())


def _stored_mask(benchmark: Benchmark, name: str) -> Group:
    if name not in benchmark.masks:
        known = f"Available: {', '.join(benchmark.masks)}." if benchmark.masks else "The run has none yet."
        raise BarlowError(f"No mask is called {name!r}. {known} Add one: barlow explain RUN --mask {name or 'NAME'}=FILE")
    return by_mask(benchmark.masks[name], name)


def _class_groups(benchmark: Benchmark, grouping: str) -> list[Group]:
    """The groups of all classes at once: one sort instead of one pass over N images for each class."""
    if grouping == "union":
        return [union(benchmark, name) for name in benchmark.class_names]
    values = benchmark.labels if grouping == "label" else predictions_of(benchmark)
    order = np.argsort(values, kind="stable")
    bounds = np.searchsorted(values[order], np.arange(len(benchmark.class_names) + 1))
    return [
        Group(grouping, name, order[bounds[i] : bounds[i + 1]].astype(np.int64)) for i, name in enumerate(benchmark.class_names)
    ]


def _split_pair(benchmark: Benchmark, name: str) -> tuple[str, str]:
    """Split "a+b" at the plus that leaves two known classes: a class name may hold a plus itself."""
    parts = name.split("+")
    for cut in range(1, len(parts)):
        first, second = "+".join(parts[:cut]), "+".join(parts[cut:])
        if first in benchmark.class_names and second in benchmark.class_names:
            return first, second
    if len(parts) != 2:
        raise BarlowError(
            f"{name!r} is not a pair of classes. Expected two class names joined by a plus, for example pair:cat+dog."
        )
    for part in parts:
        class_index(benchmark, part)
    return parts[0], parts[1]
