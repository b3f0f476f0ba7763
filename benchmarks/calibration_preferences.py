"""Does the test of heatmaps (B) against feature attacks (C) keep its promise? Simulated studies in which neither is preferred, and some in which B is.

    python benchmarks/calibration_preferences.py [--studies 500] [--seed 0] [--write docs/study_calibration.md]

Studies of 60, 240 and 1,200 items with five answers each by 62 workers, of whom some answer far more than others (log-normal, sd 1), and of 60 items
by 15 workers. An answer is B with the logit of an item's effect plus a worker's, both normal; four kinds of study have one, both or neither. Counts how often each
way of testing calls a difference at 5 %: where there is none, and where the logit of B is 0.7 more. Prints two tables; with --write puts them in their
places in a document. One minute, one core.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from calibration_differences import LEVEL, cell
from calibration_study import PER_ITEM, as_markdown, put
from scipy.special import expit
from scipy.stats import binomtest, norm

from study.statistics.two_way_score import mean_against_zero

# Items and workers.
SIZES = ((60, 62), (240, 62), (1200, 62), (60, 15))
# What is added to the logit of B in the studies in which it is preferred.
PREFERRED = 0.7
HOLDS = "score test, two-way: interval holds the truth"


class Kind(NamedTuple):
    """What a study's answers depend on: standard deviations of logits."""

    name: str
    item_effect: float
    worker_effect: float


KINDS = (
    Kind("neither matters", 0.0, 0.0),
    Kind("items matter", 2.5, 0.0),
    Kind("workers matter", 0.0, 0.8),
    Kind("both matter, items more", 2.5, 0.8),
    Kind("both matter, workers more", 0.8, 2.5),
)


class Answers(NamedTuple):
    """(n,) arrays: the item, the worker, and 1 for B, -1 for C."""

    item: np.ndarray
    worker: np.ndarray
    side: np.ndarray


def simulate(kind: Kind, n_items: int, n_workers: int, preferred: float, rng: np.random.Generator) -> Answers:
    activity = rng.lognormal(0, 1, n_workers)
    race = rng.exponential(size=(n_items, n_workers)) / activity
    worker = np.argpartition(race, PER_ITEM, axis=1)[:, :PER_ITEM].ravel()
    item = np.repeat(np.arange(n_items), PER_ITEM)
    logit = (
        preferred + kind.item_effect * rng.normal(size=n_items)[item] + kind.worker_effect * rng.normal(size=n_workers)[worker]
    )
    return Answers(item, worker, np.where(rng.random(len(item)) < expit(logit), 1, -1))


def expected_difference(kind: Kind, preferred: float) -> float:
    """The share of B minus that of C among all answers by all workers of the kind, by Gauss and Hermite's quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    spread = np.hypot(kind.item_effect, kind.worker_effect)
    return float(weights @ (2 * expit(preferred + spread * nodes) - 1) / weights.sum())


def sign_flip_p(side: np.ndarray, groups: np.ndarray) -> float:
    """P(|sum of +-d| >= |sum of d|) with the answers of a group swapping sides together, by its normal limit."""
    sums = np.bincount(groups, weights=side)
    return float(2 * norm.sf(abs(sums.sum()) / np.sqrt((sums**2).sum())))


def tested(answers: Answers, truth: float) -> dict[str, bool | None]:
    """Whether each way of testing calls a difference; and whether the interval holds the truth, None where there is none."""
    item, worker, side = answers
    found = mean_against_zero(side, item, worker)
    low, high = found.estimate.low, found.estimate.high
    by_item, by_worker = (sign_flip_p(side, groups) for groups in (item, worker))
    assert found.p is not None
    return {
        "score test, two-way (what `barlow` reports)": found.p <= LEVEL,
        "sign flips by item and by worker, the larger p (as it once was)": max(by_item, by_worker) <= LEVEL,
        "sign flips by item": by_item <= LEVEL,
        "sign flips by worker": by_worker <= LEVEL,
        "answers as independent (binomial test)": binomtest(int((side == 1).sum()), len(side)).pvalue <= LEVEL,
        HOLDS: None if low is None or high is None else low <= truth <= high,
    }


def table_of(preferred: float, studies: int, seed: int) -> pd.DataFrame:
    """A row a way of testing and size of study, a column a kind."""
    parts = []
    for n_items, n_workers in SIZES:
        columns = {}
        for place, kind in enumerate(KINDS):
            rng = np.random.default_rng([seed, n_items, n_workers, place, int(10 * preferred)])
            truth = expected_difference(kind, preferred)
            rows = [tested(simulate(kind, n_items, n_workers, preferred, rng), truth) for _ in range(studies)]
            columns[kind.name] = pd.DataFrame(rows, dtype=object).apply(cell)
        part = pd.DataFrame(columns).rename_axis("called different").reset_index()
        parts.append(part.assign(study=f"{n_items:,} items, {n_workers} workers"))
    made = pd.concat(parts)
    return made[["study", *made.columns.drop("study")]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500, help="simulated studies of each kind and size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    for name, preferred in (("preferences", 0.0), ("preferences-power", PREFERRED)):
        text = as_markdown(table_of(preferred, arguments.studies, arguments.seed))
        print(f"{text}\n")
        if arguments.write:
            put(arguments.write, name, text, parser.error)
    print(f"{time.perf_counter() - started:.0f} s, Python {platform.python_version()}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
