"""Do comparisons of conditions keep their promises? Simulated studies in which the conditions do not differ.

    python benchmarks/calibration_conditions.py [--studies 400] [--seed 0] [--write docs/study_calibration.md]

Every pair of items has an item in each of two conditions, and every item five answers. Ease is pair + item + worker + worker in this condition + noise
(standard deviations 0.5, 0.3, `worker`, 0.2, 0.9), rounded to 1 to 5; a choice of B or C and descriptions (unit vectors of 20 numbers) come about
in the same way. Within workers everybody answers in both conditions, between workers half of them in each. Counts how often a difference is called
clear at 5 %. Prints a table; with --write puts it in its place in a document. Ten minutes, one core, without other work.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from calibration_differences import LEVEL, cell
from calibration_study import DIMENSIONS, PER_ITEM, as_markdown, put
from scipy.stats import ttest_ind

from study.statistics.condition_effects import condition_effects

SHOWN = {
    "mean ease": "mean ease: two-way t",
    "share of answers for B": "share of answers for B: two-way t",
    "share of items with ease and confidence above 3": "share of items above 3: resampled pairs and workers",
    "mean agreement of long descriptions": "agreement: resampled pairs and workers",
    "alpha of ease": "alpha of ease: jackknife over pairs",
}
NAIVE = "mean ease: answers as independent (Student's t)"


class Design(NamedTuple):
    """A kind of study: how many pairs and workers, whether workers see one condition only, and how much they differ."""

    name: str
    n_pairs: int
    n_workers: int
    between: bool
    worker: float


DESIGNS = (
    Design("within, 60 pairs, 30 workers", 60, 30, False, 0.4),
    Design("within, 20 pairs, 12 workers", 20, 12, False, 0.4),
    Design("between, 60 pairs, 30 + 30 workers", 60, 60, True, 0.4),
    Design("between, 60 pairs, 10 + 10 workers", 60, 20, True, 0.4),
    Design("between, 10 + 10 workers who differ more", 60, 20, True, 0.8),
)


def simulate(design: Design, rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, pd.Series], pd.DataFrame]:
    """A study: its answers, the agreement of its items, and the pairs of descriptions that this is the mean of."""
    half = design.n_workers // 2
    allowed = [range(design.n_workers)] * 2 if not design.between else [range(half), range(half, design.n_workers)]
    rows = [
        (condition, pair, worker)
        for condition in (0, 1)
        for pair in range(design.n_pairs)
        for worker in rng.choice(allowed[condition], PER_ITEM, replace=False)
    ]
    condition, pair, worker = np.array(rows).T
    latent = _latent(design, condition, pair, worker, 2, rng)
    words = _latent(design, condition, pair, worker, DIMENSIONS, rng)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    table = pd.DataFrame(
        {
            "item": [f"{c}:{p}" for c, p in zip(condition, pair, strict=True)],
            "worker": worker.astype(str),
            "condition": np.array(["a", "b"])[condition],
            "pair": pair.astype(str),
            "ease": np.clip(np.round(3 + latent[:, 0]), 1, 5),
            "useful": np.where(latent[:, 1] > 0, "B", "C"),
        }
    )
    table["confidence"] = table["ease"]
    found = [
        (table["item"].iat[first], table["worker"].iat[first], table["worker"].iat[second], float(words[first] @ words[second]))
        for start in range(0, len(table), PER_ITEM)
        for first, second in itertools.combinations(range(start, start + PER_ITEM), 2)
    ]
    described = pd.DataFrame(found, columns=["item", "first", "second", "long"])
    return table, {"long": described.groupby("item", sort=False)["long"].mean()}, described


def _latent(
    design: Design, condition: np.ndarray, pair: np.ndarray, worker: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """(answers, n) numbers with effects of pair, item, worker, and worker in the condition."""
    of_pair, of_item = rng.normal(0, 0.5, (design.n_pairs, n)), rng.normal(0, 0.3, (2, design.n_pairs, n))
    of_worker, there = rng.normal(0, design.worker, (design.n_workers, n)), rng.normal(0, 0.2, (2, design.n_workers, n))
    noise = rng.normal(0, 0.9, (len(pair), n))
    return of_pair[pair] + of_item[condition, pair] + of_worker[worker] + there[condition, worker] + noise


def alarms(design: Design, studies: int, replicates: int, seed: int) -> pd.Series:
    """By the kind of comparison, how often it calls two equal conditions different."""
    rng = np.random.default_rng([seed, design.n_pairs, design.n_workers, design.between])
    calls = []
    for _ in range(studies):
        table, agreement, described = simulate(design, rng)
        found = condition_effects(table, agreement, described, replicates=replicates).set_index("measure")["p"]
        call = {name: bool(found[measure] < LEVEL) for measure, name in SHOWN.items()}
        sides = [table.loc[table["condition"] == name, "ease"] for name in ("a", "b")]
        calls.append({**call, NAIVE: bool(ttest_ind(*sides).pvalue < LEVEL)})
    return pd.DataFrame(calls).apply(cell)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="simulated studies for each design")
    parser.add_argument("--replicates", type=int, default=400, help="resamples for each interval")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    found = {design.name: alarms(design, arguments.studies, arguments.replicates, arguments.seed) for design in DESIGNS}
    text = as_markdown(pd.DataFrame(found).rename_axis("called different").reset_index())
    print(text)
    print(f"\n{time.perf_counter() - started:.0f} s, Python {platform.python_version()}, numpy {np.__version__}")
    if arguments.write:
        put(arguments.write, "conditions", text, parser.error)


if __name__ == "__main__":
    main()
