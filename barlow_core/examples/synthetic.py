"""Benchmarks of any size with failure modes whose truth is known: for tests, and to measure speed and memory without ImageNet.

There are no images, only what would be left of them: features like those of a robust network behind its last pooling, labels,
and the predictions of a classifier that fails by rule. Features are non-negative, many of them zero, with a heavy tail:

    x = scale * max(0, e - cut)^1.5        with e ~ Exp(1), so that P(x > 0) = exp(-cut)

where cut and scale depend on the feature and on the class. Most features are sparse; each class wakes a few of those.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.run import Run, digest
from barlow_core.storage.files import atomic_write

POWER = 1.5
BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class SyntheticSettings:
    """What the benchmark is like.

    Attributes:
        classes, images_per_class, n_features: its size.
        modes_per_class: failure modes planted in the images of each class.
        share: of the images of a class that fall under each of its modes.
        error_rate, base_error_rate: probability of a failure for an image under a mode, and under none.
        seed: of everything.
        dtype: of the features, "float32" or "float16".
    """

    classes: int = 10
    images_per_class: int = 100
    n_features: int = 64
    modes_per_class: int = 1
    share: float = 0.2
    error_rate: float = 0.6
    base_error_rate: float = 0.05
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        # A class takes each of its modes from another feature, of one of two pools with a quarter of the features each.
        least_features = max(8, 4 * self.modes_per_class)
        lowest = {"classes": 2, "images_per_class": 1, "n_features": least_features, "modes_per_class": 0, "seed": 0}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected at least {low}.")
        # Within these shares every threshold lies among values that are not zero (see _World).
        for name, range_ in {"share": (0.1, 0.35), "error_rate": (0, 1), "base_error_rate": (0, 1)}.items():
            if not range_[0] <= getattr(self, name) <= range_[1]:
                raise BarlowError(f"{name} is {getattr(self, name)}. Expected a number from {range_[0]} to {range_[1]}.")
        if self.dtype not in ("float32", "float16"):
            raise BarlowError(f"dtype is {self.dtype!r}. Expected float32 or float16.")


def make(
    path: str | Path,
    *,
    classes: int = 10,
    images_per_class: int = 100,
    n_features: int = 64,
    modes_per_class: int = 1,
    share: float = 0.2,
    error_rate: float = 0.6,
    base_error_rate: float = 0.05,
    seed: int = 0,
    dtype: str = "float32",
) -> tuple[Run, pd.DataFrame]:
    """Make a run folder that `explain_run` can work on, and say what it should find.

    Images lie in the order of their classes. A class of index c has the modes m = 0, 1, …: an image of the class fails with
    probability `error_rate` where its rule holds, feature > threshold for even c + m and feature < threshold for odd ones.
    Failures of a ">" mode are all predicted as the class c + 1 + m (modulo the number of classes), so that the rule shows in
    that prediction group too; all other failures are predicted as any other class. Where several modes of a class hold for an
    image, the first one counts.

    Args:
        path: of a folder that is new or empty.
        (others): see `SyntheticSettings`.

    Returns:
        The run, with the stage "extract" recorded; and the planted truth, one row a mode and group: group (key), mode
        (the key of the group that it was planted in, and m), feature, operator, threshold, and as they came out n_images,
        n_failures (of the group), n_inside, n_failures_inside, error_rate (ER inside), error_rate_outside.

    Raises:
        BarlowError: a setting out of range, a folder that is not empty, a disk that is full.

    Cost: about 10 s for each GB of float32 features; memory: 64 MiB and 400 bytes an image.
    """
    settings = SyntheticSettings(
        classes, images_per_class, n_features, modes_per_class, share, error_rate, base_error_rate, seed, dtype
    )
    started = time.monotonic()
    world = _World(settings)
    run = Run.create(path, _benchmark(Path(path), settings), arguments={"synthetic": asdict(settings)})
    counts = _Counts(world)
    labels = run.benchmark.labels
    predictions = np.empty_like(labels)
    with run.lock():
        try:
            with atomic_write(run.features_path) as temporary, temporary.open("wb") as file:
                header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (len(labels), n_features)}
                np.lib.format.write_array_header_1_0(file, header)
                for c in range(classes):
                    start = c * images_per_class
                    for features, predicted in world.images(c):
                        file.write(features.reshape(-1).view(np.uint8).data)
                        predictions[start : start + len(features)] = predicted
                        counts.add(c, features, predicted)
                        start += len(features)
        except OSError as error:
            raise BarlowError(
                f"{run.features_path} cannot be written ({error.strerror or error}); it takes "
                f"{len(labels) * n_features * np.dtype(dtype).itemsize:,} bytes. Free some space, or make less."
            ) from error
        run.save_benchmark(replace(run.benchmark, predictions=predictions))
        key = digest("synthetic", asdict(settings))
        run.record(
            "extract",
            key=key,
            settings={"dtype": dtype, "synthetic": asdict(settings)},
            seconds=time.monotonic() - started,
            extractor={"name": "synthetic", "source": None, "options": {}, "fingerprint": key, "n_features": n_features},
        )
    return run, counts.table(run.benchmark.class_names)


def _benchmark(path: Path, settings: SyntheticSettings) -> Benchmark:
    """Labels in order, and names of images that nobody can open: there are no files behind them."""
    n_images = settings.classes * settings.images_per_class
    class_names = [f"class_{c:04d}" for c in range(settings.classes)]
    labels = np.repeat(np.arange(settings.classes), settings.images_per_class)
    made_from = digest("synthetic", asdict(settings))[:16]
    table = pd.DataFrame(
        {
            "path": [f"{class_names[c]}/{i % settings.images_per_class:05d}.synthetic" for i, c in enumerate(labels.tolist())],
            "label": labels,
            "digest": [f"{made_from}{i:016x}" for i in range(n_images)],
        }
    )
    return Benchmark.from_table(path / "no_images", table, class_names)


class _World:
    """What features look like in each class, and which rules make the classifier fail.

    Attributes:
        feature, threshold, target: (modes_per_class, classes) of mode m of class c; target -1 stands for any class.
        above: (modes_per_class, classes) bool, True where the rule is feature > threshold.
    """

    def __init__(self, settings: SyntheticSettings):
        self.settings = settings
        rng = np.random.default_rng([settings.seed, 0])
        d, quarter = settings.n_features, settings.n_features // 4
        pools = rng.permutation(d)
        # ">" rules need a feature that some images have, "<" rules one that almost all have; classes wake sparse ones.
        self._some, self._most, self._sparse = pools[:quarter], pools[quarter : 2 * quarter], pools[2 * quarter :]
        active = np.empty(d)
        active[self._some] = rng.uniform(0.4, 0.8, len(self._some))
        active[self._most] = rng.uniform(0.92, 0.99, len(self._most))
        active[self._sparse] = rng.uniform(0.1, 0.35, len(self._sparse))
        self._cut = -np.log(active)
        self._scale = rng.lognormal(-1.0, 0.5, d)
        self._plant()

    def _of_class(self, c: int) -> tuple[np.ndarray, np.ndarray]:
        """cut and scale, (D,) float32, of class c."""
        rng = np.random.default_rng([self.settings.seed, 1, c])
        cut, scale = self._cut.copy(), self._scale * rng.lognormal(0, 0.2, len(self._scale))
        awake = rng.choice(self._sparse, max(1, len(self._sparse) // 10), replace=False)
        # No more than that, or else the class itself would explain the failures of a prediction group better than its rule does.
        cut[awake], scale[awake] = -np.log(0.4), scale[awake] * 2
        return cut.astype(np.float32), scale.astype(np.float32)

    def _plant(self) -> None:
        settings = self.settings
        shape = (settings.modes_per_class, settings.classes)
        self.feature, self.target = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
        self.threshold = np.zeros(shape, dtype=np.float32)
        m, c = np.indices(shape)
        self.above = (m + c) % 2 == 0
        self.target[self.above] = (c + 1 + m)[self.above] % settings.classes
        # A class that is its own target cannot fail that way: with few classes and many modes, such failures go anywhere.
        self.target[self.target == c] = -1
        for each in range(settings.classes):
            rng = np.random.default_rng([settings.seed, 2, each])
            cut, scale = self._of_class(each)
            above, below = iter(rng.permutation(self._some)), iter(rng.permutation(self._most))
            for mode in range(settings.modes_per_class):
                up = bool(self.above[mode, each])
                feature = int(next(above if up else below))
                # P(e > level) is the share for ">", and P(e < level) for "<".
                level = -np.log(settings.share) if up else -np.log1p(-settings.share)
                self.feature[mode, each] = feature
                self.threshold[mode, each] = scale[feature] * max(0.0, level - cut[feature]) ** POWER

    def images(self, c: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Features (n, D) and predictions (n,) of the images of class c, block by block; the block size changes nothing."""
        settings = self.settings
        values, fates = (np.random.default_rng([settings.seed, 3, c, stream]) for stream in (0, 1))
        cut, scale = self._of_class(c)
        block = max(1, BLOCK_BYTES // (4 * settings.n_features))
        for start in range(0, settings.images_per_class, block):
            n = min(block, settings.images_per_class - start)
            features = values.standard_exponential((n, settings.n_features), dtype=np.float32)
            features -= cut
            np.maximum(features, 0, out=features)
            features *= np.sqrt(features)
            features *= scale
            stored = features.astype(settings.dtype, copy=False)
            yield stored, self._predictions(c, stored, fates)

    def holds(self, mode: int, c: np.ndarray | int, features: np.ndarray) -> np.ndarray:
        """(n,) bool: whether the rule of `mode` of class c (one for all images, or one each) holds for features (n, D)."""
        values = features[np.arange(len(features)), self.feature[mode, c]].astype(np.float32)
        above = values > self.threshold[mode, c]
        return np.asarray(np.where(self.above[mode, c], above, ~above))

    def _predictions(self, c: int, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        settings = self.settings
        # One row of draws an image, so that the draws of an image do not depend on the block that it is in.
        draws = rng.random((len(features), 2))
        rate = np.full(len(features), settings.base_error_rate)
        target = np.full(len(features), -1)
        for mode in reversed(range(settings.modes_per_class)):
            inside = self.holds(mode, c, features)
            rate[inside], target[inside] = settings.error_rate, self.target[mode, c]
        other = (c + 1 + (draws[:, 1] * (settings.classes - 1)).astype(np.int64)) % settings.classes
        failed = draws[:, 0] < rate
        return np.where(failed, np.where(target >= 0, target, other), c)


class _Counts:
    """Counts, image by image as they are made, how often a rule holds and fails in each group that it was planted in."""

    def __init__(self, world: _World):
        self._world = world
        modes, classes = world.feature.shape
        # group kind, mode, class of the group; images and failures inside the rule
        self._inside = np.zeros((2, modes, classes, 2), dtype=np.int64)
        self._group = np.zeros((2, classes, 2), dtype=np.int64)
        # The class whose mode m has class q as its target; -1 for none.
        self._source = np.full((modes, classes), -1, dtype=np.int64)
        for mode, c in np.argwhere(world.target >= 0):
            self._source[mode, world.target[mode, c]] = c

    def add(self, c: int, features: np.ndarray, predicted: np.ndarray) -> None:
        failed = predicted != c
        self._group[0, c] += len(failed), failed.sum()
        np.add.at(self._group[1], predicted, np.stack([np.ones_like(failed), failed], axis=1))
        for mode in range(len(self._source)):
            inside = self._world.holds(mode, c, features)
            self._inside[0, mode, c] += inside.sum(), (inside & failed).sum()
            source = self._source[mode, predicted]
            inside = (source >= 0) & self._world.holds(mode, source, features)
            np.add.at(self._inside[1, mode], predicted[inside], np.stack([inside, failed], axis=1)[inside])

    def table(self, class_names: list[str]) -> pd.DataFrame:
        world, rows = self._world, []
        for kind, grouping in enumerate(("label", "prediction")):
            for q, name in enumerate(class_names):
                for mode in range(len(self._source)):
                    c = q if kind == 0 else int(self._source[mode, q])
                    if c < 0:
                        continue
                    n_images, n_failures = self._group[kind, q].tolist()
                    n_inside, failures_inside = self._inside[kind, mode, q].tolist()
                    outside = n_images - n_inside
                    rows.append(
                        {
                            "group": f"{grouping}:{name}",
                            "mode": f"label:{class_names[c]} {mode}",
                            "feature": int(world.feature[mode, c]),
                            "operator": ">" if world.above[mode, c] else "<",
                            "threshold": float(world.threshold[mode, c]),
                            "n_images": n_images,
                            "n_failures": n_failures,
                            "n_inside": n_inside,
                            "n_failures_inside": failures_inside,
                            "error_rate": failures_inside / n_inside if n_inside else np.nan,
                            "error_rate_outside": (n_failures - failures_inside) / outside if outside else np.nan,
                        }
                    )
        return pd.DataFrame(rows, columns=TRUTH)


TRUTH = [
    *("group", "mode", "feature", "operator", "threshold", "n_images", "n_failures", "n_inside", "n_failures_inside"),
    *("error_rate", "error_rate_outside"),
]
