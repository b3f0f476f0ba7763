"""Are the p-values of interventions uniform where there is nothing to find? `python -m benchmarks.calibration_interventions RUN`

Null modes of the example: a group, a feature and a threshold, all drawn at random, so that the feature has no more to do with the
model's failures than any other. The leaf is what follows the drawn condition. Each is intervened on as usual; under the null its
p is uniform on 1/(K+1), 2/(K+1), ..., 1 for K random features, and the effects of a feature are centred at those of its controls.

Modes are shared out among processes. What a mode gives depends on its number alone, so rows that are there stay, and the others follow.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kstest

from barlow_core.benchmark import Benchmark
from barlow_core.directions import Direction
from barlow_core.examples.demo import prepare
from barlow_core.extraction import extract
from barlow_core.extractors import Classifier, Extractor, load
from barlow_core.groups import all_groups
from barlow_core.interventions import InterventionSettings, Target, intervene
from barlow_core.interventions.changes import ACTIVE
from barlow_core.interventions.kinds import DEPENDS
from barlow_core.run import Run
from barlow_core.statistics import wilson_interval
from benchmarks.machine import described
from benchmarks.shared_rows import Rows, fill_table

# As few random features as let p reach the level of the verdict in two ways; fewer images and doses than usual, for the sake of time.
MODES, CONTROLS, IMAGES, DOSES = 200, 39, 8, 1
MODEL = "standard_resnet_cifar10"
RESULTS = Path(__file__).parent / "results" / "null_interventions.csv"
WAYS = ("latent", "inpaint")


def example_run(path: Path, device: str) -> Run:
    """The run of the example at `path`: images, predictions and features; made where it is not there."""
    if not path.exists():
        example = prepare("cifar10", path.parent / "examples")
        run = Run.create(path, Benchmark.from_csv(example.images_dir, example.metadata_csv), arguments={"example": example.name})
        extract(run, load(example.extractor, device=device), progress=True)
    return Run(path)


def null_target(run: Run, number: int) -> Target:
    """A condition on a random feature, in a random group, at a random threshold.

    Of the features that are active in the group, as random ones are: those that are active everywhere say less about a class than these, move
    the model less, and p is too large (on 200 modes: 40 % of p at 0.5 or below, effects 0.2 deviations below the controls').
    """
    rng = np.random.default_rng([number, 7])
    groups = all_groups(run.benchmark)
    features = run.features()
    group = groups[rng.integers(len(groups))]
    active = np.flatnonzero((np.asarray(features[np.sort(group.indices)]) != 0).mean(axis=0) >= ACTIVE)
    feature = int(rng.choice(active))
    values = np.asarray(features[:, feature])
    threshold, above = float(np.quantile(values[group.indices], rng.uniform(0.3, 0.7))), bool(rng.random() < 0.5)
    holds = (values > threshold) == above
    members = holds[group.indices]
    others = np.setdiff1d(np.flatnonzero(holds), group.indices)
    rule = f"feature[{feature}] {'>' if above else '<'} {threshold:.4f}"
    name = f"null mode {number}"
    return Target(
        group.key, name, rule, Direction.of(feature), above, threshold, group.indices[members], group.indices[~members], others
    )


class _Worker:
    """One process: the networks, and a copy of the run, since a run has one writer at a time."""

    def __init__(self, path: Path, device: str):
        self._folder = tempfile.TemporaryDirectory()
        copied = Path(self._folder.name) / "run"
        shutil.copytree(path, copied, ignore=shutil.ignore_patterns(".lock", "explain", "panels", "interventions", "search"))
        self.run = Run(copied)
        self.model: Classifier = load(MODEL, device=device)
        self.extractor: Extractor = self.run.extractor(device=device)

    def row(self, number: int) -> dict[str, Any]:
        settings = InterventionSettings(images=IMAGES, doses=DOSES, controls=CONTROLS, seed=number)
        target = null_target(self.run, number)
        found = intervene(self.run, self.model, target, extractor=self.extractor, settings=settings)
        shutil.rmtree(found.path)
        row: dict[str, Any] = {"mode": number, "group": found.group, "feature": found.features[0], "rule": target.rule}
        row |= {
            "images": max((way["n"] for way in found.info["ways"]), default=0),
            "verdict": found.verdict,
            "p_together": found.info["p"],
        }
        for way in found.info["ways"]:
            controls = np.array(way["control_effects"])
            row[f"p_{way['way']}"] = way["p"]
            row[f"z_{way['way']}"] = round(float((way["effect"] - controls.mean()) / controls.std(ddof=1)), 4)
            row[f"excess_{way['way']}"] = round(way["excess"], 4)
        return row


_worker: _Worker


def _begin(path: Path, device: str) -> None:
    global _worker
    _worker = _Worker(path, device)


def _rows(number: int) -> Rows:
    return [_worker.row(number)]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Of all ways together and of each: how often p is small, a test of uniformity, and where the effects are centred."""
    found = []
    for way in ("together", *WAYS):
        own = rows[rows[f"p_{way}"].notna()]
        p, n = own[f"p_{way}"].to_numpy(dtype=np.float64), len(own)
        bins = np.bincount(np.minimum((np.ceil(p * 10 - 1e-9) - 1).astype(int), 9), minlength=10)
        # p is one of 1/(K+1), ..., 1: spread evenly below that, it is uniform on [0, 1] under the null.
        spread = p - np.random.default_rng(0).random(n) / (CONTROLS + 1)
        line: dict[str, Any] = {"way": way, "modes": n}
        for level in (0.025, 0.05, 0.1, 0.5):
            low, high = wilson_interval(int((p <= level + 1e-9).sum()), n)
            line[f"p <= {level}"] = f"{(p <= level + 1e-9).mean():.3f} ({low:.3f} to {high:.3f})"
        line["ten bins"] = " ".join(map(str, bins))
        line["uniform (Kolmogorov-Smirnov): p"] = round(float(kstest(spread, "uniform").pvalue), 3)
        for name, what in (
            ("z", "effect less the controls', in their deviations"),
            ("excess", "predictions that follow, less the controls'"),
        ):
            if f"{name}_{way}" in own:
                values = own[f"{name}_{way}"].to_numpy(dtype=np.float64)
                line[f"{what}: mean ± 1.96 se"] = f"{values.mean():+.3f} ± {1.96 * values.std(ddof=1) / np.sqrt(n):.3f}"
        found.append(line)
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration_interventions", description=__doc__)
    parser.add_argument(
        "run", type=Path, help="a run of the example cifar10 (barlow demo --no-browse); made where it is not there"
    )
    parser.add_argument("--modes", type=int, default=MODES)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="rows that are there stay")
    options = parser.parse_args()
    example_run(options.run, options.device)
    how = {"processes": options.processes, "begin": _begin, "arguments": (options.run, options.device)}
    table = fill_table(options.out, "mode", range(options.modes), _rows, **how)
    print(described(options.device))
    print(summary(table).T.to_string(header=False))
    n = int((table["verdict"] == DEPENDS).sum())
    low, high = wilson_interval(n, len(table))
    print(f"said to be depended on: {n} of {len(table)} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
