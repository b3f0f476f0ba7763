"""Hand-over to other tools: a dataframe for Renumics Spotlight (or anything that takes pandas), a dataset for FiftyOne."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.export.chosen import found, strongest
from barlow_core.run import Run
from barlow_core.views.images import images_at, node_images, with_paths


def images_frame(
    run: Run, *, modes: Iterable[Sequence[Any]] | None = None, features: Iterable[int] = (), depth: int | None = None
) -> pd.DataFrame:
    """Every image of the benchmark with what was found about it, one row an image in the order of the benchmark.

    Args:
        modes: failure modes as (group, depth, leaf), see `export.Chosen`; None for all of the trees of `depth`.
        features: whose activations are added, as "feature[12]".
        depth: of the trees; None for the deepest.

    Returns:
        image (absolute path, str), then as `views.images_at`: position, name, label, prediction, failure, confidence, split and the
        features; and failure_modes, the failure modes that the image is in, as "label:truck #3" (group and leaf) joined by "; "
        ("" where it is in none), and n_failure_modes.

    Raises:
        BarlowError: a group, node or feature does not exist.
    """
    table = with_paths(run, images_at(run, np.arange(len(run.benchmark)), features=features))
    table.insert(0, "image", table.pop("path").astype("str"))
    inside: list[list[str]] = [[] for _ in range(len(table))]
    for chosen, _, node in found(run, strongest(run, depth=depth) if modes is None else modes):
        for position in node_images(run, chosen.group, node):
            inside[position].append(f"{chosen.group} #{chosen.leaf}")
    return table.assign(failure_modes=["; ".join(names) for names in inside], n_failure_modes=[len(names) for names in inside])


def spotlight_types(frame: pd.DataFrame) -> dict[str, Any]:
    """What `renumics.spotlight.show(frame, dtype=...)` has to be told about a table of `images_frame`.

    Raises:
        BarlowError: Spotlight is not installed.

    Example:
        >>> from renumics import spotlight
        >>> frame = images_frame(run)
        >>> spotlight.show(frame, dtype=spotlight_types(frame))
    """
    spotlight = _installed("renumics.spotlight", "Renumics Spotlight", "renumics-spotlight")
    types: dict[str, Any] = {"image": spotlight.Image}
    for column in ("label", "prediction", "split"):
        if column in frame and frame[column].notna().any():
            types[column] = spotlight.Category
    return types


def fiftyone_samples(
    run: Run, *, modes: Iterable[Sequence[Any]] | None = None, features: Iterable[int] = (), depth: int | None = None
) -> list[dict[str, Any]]:
    """The images of a benchmark as the arguments of `fiftyone.Sample`, in plain values.

    Args:
        (all): see `images_frame`.

    Returns:
        For each image filepath, tags (its split, "failure" or "success", and the failure modes that it is in), ground_truth and
        prediction ({"label"} and {"label", "confidence"}; no prediction where there is none), position, and the features as
        "feature_12".
    """
    wanted = list(features)
    frame = images_frame(run, modes=modes, features=wanted, depth=depth)
    samples = []
    for row in frame.to_dict("records"):
        tags = [str(row["split"])] if not pd.isna(row["split"]) else []
        sample: dict[str, Any] = {
            "filepath": row["image"],
            "ground_truth": {"label": row["label"]},
            "position": int(row["position"]),
        }
        if not pd.isna(row["prediction"]):
            tags.append("failure" if row["failure"] else "success")
            sample["prediction"] = {"label": row["prediction"]}
            if not pd.isna(row["confidence"]):
                sample["prediction"]["confidence"] = float(row["confidence"])
        tags += row["failure_modes"].split("; ") if row["failure_modes"] else []
        samples.append(sample | {"tags": tags} | {f"feature_{feature}": row[f"feature[{feature}]"] for feature in wanted})
    return samples


def fiftyone_dataset(
    run: Run,
    name: str | None = None,
    *,
    modes: Iterable[Sequence[Any]] | None = None,
    features: Iterable[int] = (),
    depth: int | None = None,
    persistent: bool = False,
) -> Any:
    """A FiftyOne dataset of the benchmark: `fiftyone.launch_app(fiftyone_dataset(run))`.

    Args:
        name: of the dataset; None for one that FiftyOne chooses.
        persistent: keep it in FiftyOne's database when the program ends.
        (others): see `images_frame`.

    Raises:
        BarlowError: FiftyOne is not installed, its database cannot be reached, or it has a dataset of that name already.
    """
    fiftyone = _installed("fiftyone", "FiftyOne", "fiftyone")
    samples = []
    for sample in fiftyone_samples(run, modes=modes, features=features, depth=depth):
        labels = {what: fiftyone.Classification(**sample[what]) for what in ("ground_truth", "prediction") if what in sample}
        samples.append(fiftyone.Sample(**sample | labels))
    try:
        if name is not None and fiftyone.dataset_exists(name):
            raise BarlowError(
                f"FiftyOne already has a dataset {name!r}. Choose another name, or delete it: fiftyone.delete_dataset({name!r})"
            )
        dataset = fiftyone.Dataset(name, persistent=persistent)
    except importlib.import_module("fiftyone.core.config").FiftyOneConfigError as error:
        raise BarlowError(
            f"FiftyOne's database cannot be reached ({error}). Install MongoDB, or set FIFTYONE_DATABASE_URI to a running one."
        ) from error
    dataset.add_samples(samples)
    return dataset


def _installed(module: str, tool: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BarlowError(f"{tool} is not installed ({error}). Run: pip install {package}") from error
