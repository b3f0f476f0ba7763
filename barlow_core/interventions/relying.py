"""What models rely on: their accuracy when noise covers what core features look at, or what spurious ones do.

After Singla and Feizi, Salient ImageNet (ICLR 2022): z is Gaussian noise of deviation sigma, m a heatmap in [0, 1], and the image is
x + m * z. With noise on spurious features, accuracy rests on the core ones (core accuracy), and the other way round. A model that relies on
what it should loses little under noise on spurious features and much under noise on core ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student
from torch import Tensor

from barlow_core.directions import Direction
from barlow_core.errors import BarlowError
from barlow_core.extractors import Classifier, Extractor
from barlow_core.interventions.asking import Inspected, carried, pictures
from barlow_core.interventions.kinds import ALL
from barlow_core.panels.pictures import heatmaps, weighted_maps
from barlow_core.panels.render import check_extractor
from barlow_core.progress import progress_bar
from barlow_core.run import Run
from barlow_core.statistics import paired_difference_interval, wilson_interval

CORE, SPURIOUS = "core", "spurious"
MARKS = (CORE, SPURIOUS)
RANDOM = {kind: f"random place, shape of {kind}" for kind in MARKS}
REGIONS = (*MARKS, *RANDOM.values())
LEVELS = (0.0, 0.25, 0.5, 1.0)
GAP_COLUMNS = (
    *("model", "class_name", "n", "core_accuracy", "spurious_accuracy", "gap", "gap_low", "gap_high"),
    *("random_gap", "beyond_random", "beyond_random_low", "beyond_random_high"),
)
Marks = Mapping[tuple[str | None, int], str]


class Relied(NamedTuple):
    """What was measured.

    Attributes:
        accuracy: a row a model, class, noised region of `REGIONS` and sigma: n, n_right, accuracy with low and high (Wilson). All classes
            together are those with both kinds of features, where there are any: of the same images under all kinds of noise.
        gaps: a row a model and class with both kinds of features, at the largest sigma: core_accuracy (noise on spurious features),
            spurious_accuracy (noise on core ones), gap (their difference, over the same images) with gap_low and gap_high (Newcombe),
            random_gap, the same with noise of these shapes at random places, and beyond_random, by how much the gap exceeds that, with
            beyond_random_low and beyond_random_high (`mean_interval`): the model and class where it does most come first.
    """

    accuracy: pd.DataFrame
    gaps: pd.DataFrame


def rely(
    run: Run,
    models: Mapping[str, Classifier],
    marks: Marks,
    *,
    extractor: Extractor | None = None,
    images: int = 50,
    levels: Sequence[float] = LEVELS,
    seed: int = 0,
    progress: bool = False,
) -> Relied:
    """Measure top-1 accuracy of models, among the classes of a run, under noise on features that people marked.

    Args:
        models: by the name that they have in the tables.
        marks: (key of a group, or None for everywhere, feature) -> "core" or "spurious". Those of label:CLASS and prediction:CLASS, and
            those of everywhere, are of the class.
        extractor: the one that made the features of the run; None loads it.
        images: of each class, at most.
        levels: sigma of the noise, for pixels in [0, 1]; the first is 0.

    Raises:
        BarlowError: no model, nothing marked, a mark of another kind or of a feature that does not exist, levels that do not grow from
            0, an extractor without feature maps.
    """
    if not models:
        raise BarlowError("There is no model to measure. Name one or more.")
    if len(levels) < 2 or levels[0] != 0 or any(b <= a for a, b in pairwise(levels)):
        raise BarlowError(f"The levels of noise are {list(levels)}. Expected 0 first, and then ever larger numbers.")
    extractor = extractor or run.extractor()
    check_extractor(run, extractor)
    if extractor.without_maps is not None:
        raise BarlowError(
            f"Noise goes where a feature looks, and {extractor.name} has no feature maps: {extractor.without_maps}."
        )
    of_classes = _of_classes(run, marks, extractor.n_features)
    inspected = {name: Inspected(run, model) for name, model in models.items()}
    rows: list[tuple[str, str, str, float, np.ndarray]] = []
    with progress_bar(total=len(of_classes) * len(models), desc="noise", unit="class", shown=progress) as bar:
        for class_name, features in of_classes.items():
            chosen = _images(run, class_name, images, seed)
            masks = _masks(run, extractor, chosen, features, seed)
            for name, model in inspected.items():
                for region, mask in masks.items():
                    found = _right(run, extractor, model, chosen, mask, levels, seed)
                    rows += [(name, class_name, region, level, right) for level, right in zip(levels, found, strict=True)]
                bar.update()
    return Relied(_accuracy_table(rows), _gap_table(rows, levels[-1]))


def _of_classes(run: Run, marks: Marks, n_features: int) -> dict[str, dict[str, list[int]]]:
    """Class -> kind -> features, for classes with any."""
    classes = run.benchmark.class_names
    for (key, feature), kind in marks.items():
        grouping, _, of_class = (key or "").partition(":")
        if grouping in ("label", "prediction") and of_class not in classes:
            raise BarlowError(
                f"Feature {feature} is marked in {key}, and {run.path} has no such class. Expected one of: {', '.join(classes[:20])}."
            )
        if kind not in MARKS:
            raise BarlowError(f"Feature {feature} is marked as {kind!r}. Expected core or spurious.")
        if not 0 <= feature < n_features:
            raise BarlowError(f"Feature {feature} is marked and does not exist. Expected an index from 0 to {n_features - 1}.")
    found = {}
    for name in run.benchmark.class_names:
        keys = (f"label:{name}", f"prediction:{name}")
        own: dict[int, str] = {feature: kind for (key, feature), kind in marks.items() if key is None}
        own |= {feature: kind for (key, feature), kind in marks.items() if key in keys}
        if (run.benchmark.labels == run.benchmark.class_names.index(name)).any() and own:
            found[name] = {kind: sorted(f for f, mark in own.items() if mark == kind) for kind in MARKS}
    if not found:
        raise BarlowError(
            f"No feature of {run.path} is marked as core or spurious for a class. Mark some on the pages of failure modes (barlow browse: "
            "necessary, or spurious), or list them in a file: --marks."
        )
    return found


def _images(run: Run, class_name: str, n: int, seed: int) -> np.ndarray:
    own = np.flatnonzero(run.benchmark.labels == run.benchmark.class_names.index(class_name))
    return np.sort(np.random.default_rng([seed, 1]).permutation(own)[:n])


def _masks(
    run: Run, extractor: Extractor, positions: np.ndarray, features: Mapping[str, Sequence[int]], seed: int
) -> dict[str, Tensor]:
    """Where noise goes, (n, 1, S, S) in [0, 1]: the highest of the heatmaps of a kind's features, and the same rolled to random places."""
    (seen,) = pictures(run, positions, extractor.preprocess)
    with torch.inference_mode():
        maps = torch.cat([extractor.feature_maps(part).cpu() for part in seen.split(32)])
    side, rng = extractor.image_size, np.random.default_rng([seed, 2])
    found = {}
    for kind in MARKS:
        if features[kind]:
            heat = np.max([heatmaps(weighted_maps(maps, Direction.of(one)), side) for one in features[kind]], axis=0)
            moved = np.stack([np.roll(one, tuple(rng.integers(0, side, 2)), axis=(0, 1)) for one in heat])
            found[kind], found[RANDOM[kind]] = (torch.from_numpy(one[:, None].copy()) for one in (heat, moved))
    return found


def _right(
    run: Run,
    extractor: Extractor,
    model: Inspected,
    positions: np.ndarray,
    mask: Tensor,
    levels: Sequence[float],
    seed: int,
) -> list[np.ndarray]:
    """For every level of noise, (n,) bool: which images the model gets right. All levels, regions and models have the same noise."""
    (asked,) = pictures(run, positions, model.preprocess)
    carry = partial(carried, seen=extractor.preprocess, asked=model.preprocess)
    noise = torch.randn(asked.shape, generator=torch.Generator().manual_seed(seed)) * carry(mask)
    labels = run.benchmark.labels[positions]
    return [model.ask((asked + level * noise).clamp(0, 1), labels).predictions == labels for level in levels]


def _accuracy_table(rows: Sequence[tuple[str, str, str, float, np.ndarray]]) -> pd.DataFrame:
    table = pd.DataFrame(
        [(*row[:4], len(row[4]), int(row[4].sum())) for row in rows],
        columns=["model", "class_name", "region", "sigma", "n", "n_right"],
    )
    n_kinds = table[table["region"].isin(MARKS)].groupby("class_name")["region"].nunique()
    both = table["class_name"].isin(n_kinds.index[n_kinds == len(MARKS)])
    pooled = table[both] if both.any() else table
    whole = pooled.groupby(["model", "region", "sigma"], sort=False, as_index=False)[["n", "n_right"]].sum()
    table = pd.concat([whole.assign(class_name=ALL)[table.columns], table], ignore_index=True)
    interval = wilson_interval(table["n_right"], table["n"])
    return table.assign(accuracy=table["n_right"] / table["n"], low=interval.low, high=interval.high)


def _gap_table(rows: Sequence[tuple[str, str, str, float, np.ndarray]], level: float) -> pd.DataFrame:
    right: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for model, class_name, region, sigma, found in rows:
        if sigma == level:
            right.setdefault((model, class_name), {})[region] = found
    both = {place: own for place, own in right.items() if set(MARKS) <= set(own)}
    for model in dict.fromkeys(model for model, _ in both):
        own = [found for (name, _), found in both.items() if name == model]
        both[model, ALL] = {region: np.concatenate([one[region] for one in own]) for region in REGIONS}
    table = [
        {
            "model": model,
            "class_name": class_name,
            "n": len(own[CORE]),
            **_gap(own[SPURIOUS], own[CORE]),
            **_beyond_random(own),
        }
        for (model, class_name), own in both.items()
    ]
    gaps = pd.DataFrame(table, columns=list(GAP_COLUMNS))
    return gaps.sort_values("beyond_random", ascending=False, kind="stable", ignore_index=True)


def _beyond_random(right: Mapping[str, np.ndarray]) -> dict[str, float]:
    """By how much the gap exceeds that at random places: the mean over images of a difference of differences."""
    random = right[RANDOM[SPURIOUS]].astype(int) - right[RANDOM[CORE]].astype(int)
    beyond = right[SPURIOUS].astype(int) - right[CORE].astype(int) - random
    low, high = mean_interval(beyond)
    return {
        "random_gap": float(random.mean()),
        "beyond_random": float(beyond.mean()),
        "beyond_random_low": low,
        "beyond_random_high": high,
    }


def mean_interval(differences: np.ndarray, *, confidence: float = 0.95) -> tuple[float, float]:
    """For the mean of differences of differences (n,), each from -2 to 2, over images drawn at random.

    Student's, with one image of +1 and one of -1 added, as Agresti and Min do for the difference of two paired shares (2005): it has a width
    where all images agree, too. In simulations of 15, 50 and 200 images it covers the truth in 94.7 % of cases or more.
    """
    values = np.concatenate([differences, [1, -1]])
    half = float(student.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return max(-2.0, float(values.mean()) - half), min(2.0, float(values.mean()) + half)


def _gap(with_core: np.ndarray, with_spurious: np.ndarray) -> dict[str, float]:
    """Accuracy with the core features intact, with the spurious ones intact, their difference and its interval."""
    a, b = with_core, with_spurious
    interval = paired_difference_interval((a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum())
    return {
        "core_accuracy": float(a.mean()),
        "spurious_accuracy": float(b.mean()),
        "gap": float(a.mean() - b.mean()),
        "gap_low": float(interval.low),
        "gap_high": float(interval.high),
    }
