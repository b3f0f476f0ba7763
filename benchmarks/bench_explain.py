"""Seconds and peak memory of `explain_run` as a benchmark grows, and what that says about ImageNet.

    python benchmarks/bench_explain.py                                                  the growth table, under 3 minutes
    python benchmarks/bench_explain.py --classes 100 --images 1300 --features 2048      the same, with 100 classes really run
    python benchmarks/bench_explain.py --classes 48 --images 300 --growth               only growing numbers of classes, up to 48

Synthetic benchmarks (barlow_core.examples.synthetic) are written to a temporary folder and explained: label and prediction groups, trees of
depth 1 to 3, with the defaults of `barlow explain` (smallest leaf, cross-fitting, and as many shuffles as the predicted size
affords), each in a fresh process. Seconds are those of the clock; CPU seconds are those of that process and its workers, and
say what is due to other programs. Peak memory is the sum over these processes of the most that each ever had resident (VmHWM):
never less than what they had together, and libraries that they share are counted in each. With a dozen classes the largest group
still grows with each class, which the fit takes for growth with the file: believe the prediction of memory from 100 classes.

Beside it, in the same run: what one would write without Barlow (scikit-learn on rows of the memory-mapped features), timed on a
few groups; and the rows of all prediction groups read from a cold disk, with and without the pass of barlow_core.analyses.rows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls
from sklearn.feature_selection import mutual_info_classif
from sklearn.tree import DecisionTreeClassifier

from barlow_core.analyses import Checks, ExplainRecord, explain_run, load_results
from barlow_core.analyses.checks import affordable_permutations
from barlow_core.analyses.rows import gathered
from barlow_core.engine import cores
from barlow_core.examples import synthetic
from barlow_core.groups import Group, all_groups
from barlow_core.run import Run

GROUPINGS = ("label", "prediction")
IMAGENET = (1000, 1300, 2048)
# One of the three grows at a time; then many small groups in a large file; the last has groups of ImageNet's size.
GRID = [
    *[(8, 200, 256), (32, 200, 256), (128, 200, 256)],
    *[(8, 800, 256), (8, 3200, 256)],
    *[(8, 200, 1024), (8, 200, 4096), (64, 200, 2048)],
    (6, 1300, 2048),
]


@dataclass(frozen=True)
class Point:
    """What one call of `explain_run` took: a benchmark's size, seconds, and bytes at the peak (0 where there is no /proc)."""

    classes: int
    images: int
    features: int
    itemsize: int
    groups: int
    seconds: float
    cpu_seconds: float
    peak: int

    @property
    def n_images(self) -> int:
        return self.classes * self.images

    @property
    def group_bytes(self) -> int:
        return self.images * self.features * self.itemsize

    @property
    def file_bytes(self) -> int:
        return self.classes * self.group_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=12, help="of the largest benchmark")
    parser.add_argument("--images", type=int, default=1300, help="of each of its classes")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16"])
    parser.add_argument("--estimator", help="of mutual information; explain's default without it")
    parser.add_argument(
        "--held-out", default="auto", help="how rules are checked; auto is explain's default, none the bare search"
    )
    parser.add_argument("--growth", action="store_true", help="an eighth, a quarter, half and all of --classes, and nothing else")
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--plain-groups", type=int, default=2, help="groups that the plain way is timed on; 0 leaves it out")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # a run folder: what the fresh process does
    parser.add_argument("--permutations", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments)))
        return

    predicted = (IMAGENET[0], arguments.images, arguments.features)
    arguments.permutations = affordable_permutations(len(GROUPINGS) * int(np.prod(predicted)))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        bare = point(folder, (2, 20, 8), arguments, arguments.held_out)
        print(
            f"{arguments.workers} workers on {cores()} cores, {arguments.dtype}, held-out check: {arguments.held_out}, "
            f"{arguments.permutations} shuffles\n\n{HEADER}"
        )
        print(row(bare, bare))
        points = [bare]
        grid = [(arguments.classes // part, *predicted[1:]) for part in (8, 4, 2)] if arguments.growth else GRID
        for size in grid:
            points.append(point(folder, size, arguments, arguments.held_out))
            print(row(points[-1], bare), flush=True)
        largest = (arguments.classes, arguments.images, arguments.features)
        before = fit_seconds(points)(time_terms(*largest))
        points.append(point(folder, largest, arguments, arguments.held_out))
        if arguments.growth:
            print(f"{row(points[-1], bare)}\nThe rows above the last predict {before:.1f} s; it took {points[-1].seconds:.1f} s.")
            report_prediction(points, predicted, arguments.workers)
            return
        search = point(folder, largest, arguments, "none", keep=True)
        print(f"{row(points[-1], bare)}\n{row(search, bare)}  without a held-out check")
        print(f"The rows above the last two predict {before:.1f} s with the check; it took {points[-1].seconds:.1f} s.\n")

        run = Run(folder / "run")
        report_recovery(run, pd.read_parquet(folder / "truth.parquet"))
        if arguments.plain_groups:
            compare_with_plain(run, search, arguments)
        copy_rate = compare_reading(run, folder)
    report_prediction(points, predicted, arguments.workers)
    report_parts(points, search, copy_rate, predicted)


# --- measuring


def point(folder: Path, size: tuple[int, int, int], arguments: argparse.Namespace, held_out: str, *, keep: bool = False) -> Point:
    """Make a benchmark of `size`, explain it in a fresh process, and remove it unless it is to be kept."""
    path = folder / "run"
    classes, images, features = size
    _, truth = synthetic.make(path, classes=classes, images_per_class=images, n_features=features, dtype=arguments.dtype)
    truth.to_parquet(folder / "truth.parquet")
    command = [sys.executable, __file__, "--measure", str(path), "--workers", str(arguments.workers), "--held-out", held_out]
    command += ["--permutations", str(arguments.permutations)]
    command += ["--estimator", arguments.estimator] if arguments.estimator else []
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    if not keep:
        shutil.rmtree(path)
    return Point(*size, np.dtype(arguments.dtype).itemsize, **found)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    run, checks = Run(arguments.measure), Checks(held_out=arguments.held_out, permutations=arguments.permutations)
    settings: dict[str, Any] = {"min_leaf": None} | ({"estimator": arguments.estimator} if arguments.estimator else {})
    with Usage() as usage:
        started = time.perf_counter()
        explain_run(run, groupings=GROUPINGS, checks=checks, workers=arguments.workers, depth=3, **settings)
        seconds = time.perf_counter() - started
    return {"groups": len(run.groups()), "seconds": seconds, "cpu_seconds": usage.cpu_seconds, "peak": usage.peak}


class Usage:
    """CPU seconds and peak memory of this process and all its descendants, sampled from /proc while the block lasts."""

    def __init__(self) -> None:
        self._peaks: dict[int, int] = {}
        self._cpu: dict[int, float] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Usage:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def peak(self) -> int:
        return sum(self._peaks.values())

    @property
    def cpu_seconds(self) -> float:
        return sum(self._cpu.values())

    def _watch(self) -> None:
        ending = False
        while not ending:
            ending = self._end.wait(0.1)
            for pid in self._family():
                try:
                    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                    times = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
                    self._peaks[pid] = int(status.split("VmHWM:")[1].split()[0]) * 1024
                    self._cpu[pid] = sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
                except (OSError, IndexError):
                    continue  # it has ended meanwhile

    def _family(self) -> list[int]:
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
        family = [os.getpid()]
        for pid in family:
            family += [child for child, parent in parents.items() if parent == pid]
        return family


# --- the fit


@dataclass(frozen=True)
class Fit:
    """A sum of terms, none of them negative, fitted to the measured points so that relative errors are small."""

    names: list[str]
    factors: np.ndarray
    worst: float

    @classmethod
    def of(cls, measured: list[float], terms: list[dict[str, float]]) -> Fit:
        matrix, values = np.array([list(each.values()) for each in terms]), np.array(measured)
        relative = matrix / values[:, None]
        scale = relative.max(axis=0)  # the columns differ by ten orders of magnitude
        factors = nnls(relative / scale, np.ones(len(values)))[0] / scale
        return cls(list(terms[0]), factors, float(np.abs(matrix @ factors / values - 1).max()))

    def __call__(self, terms: dict[str, float]) -> float:
        return float(np.array(list(terms.values())) @ self.factors)

    def text(self, unit: str, least_power: int = -4) -> str:
        parts = [
            f"{si(factor, least_power)}{unit}{name}" for name, factor in zip(self.names, self.factors, strict=True) if factor
        ]
        return f"{' + '.join(parts)} (largest error {self.worst:.0%} of a measured point)"


def si(number: float, least_power: int) -> str:
    power = min(3, max(least_power, int(np.floor(np.log10(number) / 3))))
    return f"{number / 1000.0**power:.3g} {['p', 'n', 'µ', 'm', '', 'k', 'M', 'G'][power + 4]}"


def time_terms(classes: int, images: int, features: int) -> dict[str, float]:
    groups = len(GROUPINGS) * classes
    values = groups * images * features
    return {"": 1, " a group": groups, " a value": values, " a value and log2(images)": values * np.log2(images)}


def fit_seconds(points: list[Point], what: str = "seconds") -> Fit:
    return Fit.of([getattr(each, what) for each in points], [time_terms(*size_of(each)) for each in points])


def fit_peak(points: list[Point]) -> Fit:
    return Fit.of([each.peak for each in points], [memory_terms(each) for each in points])


def memory_terms(each: Point) -> dict[str, float]:
    return {
        "": 1,
        " a group": each.groups,
        " an image": each.n_images,
        " a byte of a group's rows": each.group_bytes,
        " a byte of all features": each.file_bytes,
    }


def size_of(each: Point) -> tuple[int, int, int]:
    return each.classes, each.images, each.features


# --- what it is compared with


def report_recovery(run: Run, truth: pd.DataFrame) -> None:
    modes = run.failure_modes()
    best = modes[modes["depth"] == 1].drop_duplicates("group").set_index("group")["conditions"].map(json.loads)
    planted = zip(truth["group"], truth["feature"], truth["operator"], strict=True)
    found = np.array([group in best.index and best[group][0][:2] == [feature, operator] for group, feature, operator in planted])
    for grouping in GROUPINGS:
        here = found[truth["group"].str.startswith(grouping).to_numpy()]
        print(f"Planted rules found at depth 1, {grouping} groups: {here.sum()} of {len(here)}")


def compare_with_plain(run: Run, ours: Point, arguments: argparse.Namespace) -> None:
    """scikit-learn's mutual information and trees on the rows of the memory-mapped features, group after group."""
    features, failure = np.load(run.features_path, mmap_mode="r"), run.benchmark.failure
    groups = all_groups(run.benchmark, GROUPINGS)
    groups = groups[:: max(1, len(groups) // arguments.plain_groups)][: arguments.plain_groups]
    results = load_results(run)
    shared = []
    started = time.perf_counter()
    for group in groups:
        rows, failed = np.asarray(features[group.indices]), failure[group.indices]
        information = mutual_info_classif(rows, failed, n_neighbors=3, random_state=0)
        best = np.argsort(-information, kind="stable")[:20]
        for depth in (1, 2, 3):
            DecisionTreeClassifier(criterion="entropy", max_depth=depth, class_weight="balanced").fit(rows[:, best], failed)
        shared.append(len(set(best.tolist()) & {feature for feature, _ in results[group.key].features}))
    plain = (time.perf_counter() - started) / len(groups)
    mine = ours.seconds / ours.groups
    estimator = ExplainRecord.of(run).settings.estimator
    print(
        f"\nThe plain way, timed on {len(groups)} groups in one process: {plain:.2f} s a group, so {plain * ours.groups:,.0f} s for "
        f"all {ours.groups} (extrapolated),\nor {plain * ours.groups / arguments.workers:,.0f} s if {arguments.workers} processes share "
        f"the work perfectly. explain_run ({estimator}, no held-out check): {mine:.3f} s a group.\n"
        f"Ratio {plain / mine:.1f} to one process, {plain / mine / arguments.workers:.1f} to {arguments.workers}. "
        f"Of its 20 features (estimator knn) explain_run chose {np.mean(shared):.1f} on average."
    )


def compare_reading(run: Run, folder: Path) -> float:
    """Time the rows of every prediction group from an empty cache; return the seconds that the pass takes for each byte.

    The cache is emptied before each group: so a file that is far larger than memory would have it.
    """
    groups, path, kept = all_groups(run.benchmark, ["prediction"]), run.features_path, folder / "work" / "rows.bin"
    n_bytes = path.stat().st_size
    plain = read = 0.0
    for group in groups:
        cold = evict(path)
        plain += seconds_of(plain_rows, path, group)
    evict(path)
    started = time.perf_counter()
    with gathered(path, groups, folder / "work", memory=min(256 << 20, n_bytes // 4)) as source:
        copied = time.perf_counter() - started
        for group in groups:
            evict(kept)
            read += seconds_of(source.rows, group)
        temporary = source.temporary_bytes
    print(
        f"\nThe rows of {len(groups)} prediction groups out of {n_bytes / 1e9:.2f} GB, the cache {'emptied' if cold else 'NOT emptied'} "
        f"before each: memory-mapped and indexed {plain:.1f} s; gathered {copied + read:.1f} s\n({copied:.1f} s the pass, "
        f"{read:.1f} s the reads, {temporary / 1e9:.2f} GB beside). Ratio {plain / (copied + read):.1f}"
    )
    return copied / n_bytes


def plain_rows(path: Path, group: Group) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="r")[group.indices])


def seconds_of(function: Callable[..., object], *arguments: object) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def evict(path: Path) -> bool:
    """Ask the system to forget what it has cached of a file; False where it cannot be asked."""
    if not hasattr(os, "posix_fadvise"):
        return False
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


# --- printing

HEADER = "classes  images      D   features   a group  groups   seconds  a group   CPU s     peak  above a bare run"


def row(each: Point, bare: Point) -> str:
    return (
        f"{each.classes:7}  {each.images:6}  {each.features:5}  {mb(each.file_bytes)}  {mb(each.group_bytes)}  {each.groups:6}  "
        f"{each.seconds:8.2f}  {each.seconds / each.groups:7.3f}  {each.cpu_seconds:6.1f}  {mb(each.peak)}  {mb(each.peak - bare.peak)}"
    )


def report_prediction(points: list[Point], size: tuple[int, int, int], workers: int) -> None:
    classes, images, features = size
    target = Point(*size, points[0].itemsize, len(GROUPINGS) * classes, 0, 0, 0)
    seconds, cpu = fit_seconds(points), fit_seconds(points, "cpu_seconds")
    print(
        f"\nTime: {seconds.text('s')}\n"
        f"Predicted for {classes} classes x {images} images x {features} features ({target.file_bytes / 1e9:.1f} GB), {target.groups} "
        f"groups, depth 1 to 3, {workers} workers:\n  {seconds(time_terms(*size)) / 60:.1f} min by the clock "
        f"({cpu(time_terms(*size)) / 60 / workers:.1f} min of CPU time a worker)"
    )
    if points[0].peak:
        peak = fit_peak(points)
        print(f"  {peak(memory_terms(target)) / 2**30:.2f} GiB at the peak\nPeak: {peak.text('B', 0)}")


def report_parts(points: list[Point], search: Point, copy_rate: float, size: tuple[int, int, int]) -> None:
    """What of the predicted time is due to the checks, and what comes on top where the features do not fit into memory."""
    alone = search.seconds / points[-1].seconds * fit_seconds(points)(time_terms(*size))
    file_bytes = int(np.prod(size)) * points[0].itemsize
    print(
        f"  of it about {alone / 60:.1f} min without the held-out check; {copy_rate * file_bytes / 60:.1f} min more for the pass over "
        "the features where they do not fit into memory"
    )


def mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:6.0f} MB"


if __name__ == "__main__":
    main()
