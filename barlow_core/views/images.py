"""The images of a node: which they are, and tables of them that can be filtered, sorted and paged.

A table of all images of a node is made once (`images_of`); what a person then does with it touches no file but the ones shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from barlow_core.analyses import searched_group
from barlow_core.analyses.metadata_features import condition_holds
from barlow_core.errors import BarlowError
from barlow_core.failure_tree import Node
from barlow_core.run import Run

OUTCOMES = ("all", "failures", "successes")


class ImagePage(NamedTuple):
    """Some images of a table: `rows` (with a column path), of page `page` of `n_pages`, from `first` to `last` of `n_images`."""

    rows: pd.DataFrame
    page: int
    n_pages: int
    n_images: int
    first: int
    last: int


def activation(feature: int) -> str:
    """The name of the column with the activations of a feature."""
    return f"feature[{feature}]"


def node_images(run: Run, key: str, node: Node) -> np.ndarray:
    """The images of the group `key` that fall into `node` of its tree: (n,) int64 positions in the benchmark, increasing.

    Only the features of the rule are read from the disk, and only for the images of the group.
    """
    return inside(run, searched_group(run, key).indices, node)


def inside(run: Run, positions: np.ndarray, node: Node) -> np.ndarray:
    """Those of `positions`, (n,) int64, for which the rule of `node` holds."""
    features = run.features()
    holds = np.ones(len(positions), dtype=bool)
    for condition in node.conditions:
        holds &= condition_holds(run.benchmark, features, condition, positions)
    return positions[holds]


def images_at(run: Run, positions: np.ndarray | Sequence[int], *, features: Iterable[int] = ()) -> pd.DataFrame:
    """A table of images, in the order of `positions`.

    Returns:
        position (in the benchmark), name, label, prediction (class names; missing where there is none), failure,
        confidence (NaN where not known), split (missing where not known), and the activation of each of `features` as
        "feature[12]", float64.

    Raises:
        BarlowError: a position or a feature that does not exist.
    """
    benchmark = run.benchmark
    at = np.asarray(positions, dtype=np.int64)
    if len(at) and not (at.min() >= 0 and at.max() < len(benchmark)):
        wrong = int(at[(at < 0) | (at >= len(benchmark))][0])
        raise BarlowError(f"Image {wrong} does not exist. Expected a position from 0 to {len(benchmark) - 1}.")
    names = np.array(benchmark.class_names, dtype=object)
    predicted = benchmark.predictions is not None
    nothing = np.full(len(at), None, dtype=object)
    columns = {
        "position": at,
        "name": benchmark.names[at],
        "label": names[benchmark.labels[at]],
        "prediction": names[benchmark.predictions[at]] if benchmark.predictions is not None else nothing,
        "failure": benchmark.failure[at] if predicted else np.zeros(len(at), dtype=bool),
        "confidence": benchmark.confidence[at] if benchmark.confidence is not None else np.full(len(at), np.nan),
        "split": np.asarray(benchmark.split, dtype=object)[at] if benchmark.split is not None else nothing,
    }
    wanted = list(dict.fromkeys(features))
    if wanted:
        stored = run.features()
        for feature in wanted:
            if not 0 <= feature < stored.shape[1]:
                raise BarlowError(f"Feature {feature} does not exist. Expected an index from 0 to {stored.shape[1] - 1}.")
            columns[activation(feature)] = np.asarray(stored[at, feature], dtype=np.float64)
    return pd.DataFrame(columns)


def images_of(run: Run, key: str, node: Node, *, features: Iterable[int] = ()) -> pd.DataFrame:
    """All images of a node, in the order of the benchmark, with the activations of the features of its rule and of `features`.

    Returns:
        See `images_at`.
    """
    return images_at(run, node_images(run, key, node), features=[*node.features, *features])


def filter_images(
    table: pd.DataFrame,
    *,
    outcome: str = "all",
    prediction: str | None = None,
    label: str | None = None,
    split: str | None = None,
    text: str = "",
) -> pd.DataFrame:
    """The rows of a table of `images_at` that fit.

    Args:
        outcome: "all", "failures" or "successes".
        prediction, label, split: only these.
        text: occurs in the name of the file, in any case.

    Raises:
        BarlowError: an unknown outcome.
    """
    if outcome not in OUTCOMES:
        raise BarlowError(f"Unknown outcome {outcome!r}. Expected one of: {', '.join(OUTCOMES)}.")
    keep = np.ones(len(table), dtype=bool)
    if outcome != "all":
        keep &= (table["failure"] == (outcome == "failures")).to_numpy(dtype=bool)
    for column, value in (("prediction", prediction), ("label", label), ("split", split)):
        if value is not None:
            keep &= (table[column] == value).to_numpy(dtype=bool)
    if text:
        keep &= table["name"].astype("str").str.lower().str.contains(text.lower(), regex=False).to_numpy(dtype=bool)
    return table[keep]


def sort_images(table: pd.DataFrame, by: str = "position", *, descending: bool = True, seed: int = 0) -> pd.DataFrame:
    """The rows of a table of `images_at` in another order; what has no value comes last, equal ones by position.

    Args:
        by: a column of numbers, such as "confidence" or "feature[12]"; "position", always increasing; or "random".
        seed: of the random order, which does not depend on the order of the table.

    Raises:
        BarlowError: there is no such column.
    """
    table = table.sort_values("position", kind="stable")
    if by == "position":
        return table
    if by == "random":
        return table.iloc[np.random.default_rng(seed).permutation(len(table))]
    if by not in table:
        raise BarlowError(f"No column is called {by!r}. Expected position, random, or one of: {', '.join(table.columns)}.")
    return table.sort_values(by, ascending=not descending, kind="stable", na_position="last")


def choices(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The values of a column of a table of `images_at` and how many images have each: value, n; the most frequent first."""
    counts = table[column].dropna().value_counts(sort=False).rename_axis("value").rename("n").reset_index()
    return counts.sort_values(["n", "value"], ascending=[False, True], kind="stable", ignore_index=True)


def image_page(run: Run, table: pd.DataFrame, *, page: int = 1, size: int = 24) -> ImagePage:
    """One page of a table of `images_at`, with the paths of its files; a page that does not exist becomes the nearest.

    Raises:
        BarlowError: fewer than one image a page.
    """
    if size < 1:
        raise BarlowError(f"size is {size}. Expected at least 1 image per page.")
    n_images = len(table)
    n_pages = max(1, -(-n_images // size))
    page = min(max(1, page), n_pages)
    start = (page - 1) * size
    rows = table.iloc[start : start + size].reset_index(drop=True)
    return ImagePage(with_paths(run, rows), page, n_pages, n_images, start + 1 if n_images else 0, start + len(rows))


def with_paths(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """`table` with a column path, where each file lies."""
    folder = run.benchmark.images_dir
    return table.assign(path=pd.Series([folder / name for name in table["name"]], index=table.index, dtype=object))


def node_failures(run: Run, key: str, node: Node, *, n: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Failures among the images of a node, in an order drawn at random: a larger `n` only adds to a smaller one.

    Args:
        n: how many rows at most; None for all.
        seed: of the order.

    Returns:
        Columns position (in the benchmark), path (of the file), name, label, prediction, confidence (NaN where not known),
        and the activation of every feature of the rule as "feature[12]".
    """
    failure = run.benchmark.failure
    members = node_images(run, key, node)
    drawn = np.random.default_rng(seed).permutation(members[failure[members]])[:n]
    table = with_paths(run, images_at(run, drawn, features=node.features))
    activations = [activation(feature) for feature in node.features]
    return table[["position", "path", "name", "label", "prediction", "confidence", *activations]]
