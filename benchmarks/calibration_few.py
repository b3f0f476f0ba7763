"""How few items and workers are too few for an interval? Simulated studies of every size.

    python benchmarks/calibration_few.py [--studies 200] [--seed 0] [--write docs/study_calibration.md]

First Krippendorff's alpha: items with five answers, of which neither, a third or two thirds of the disagreement is that of items; ratings from 1 to 5
and choices between four. Counts how often a 95 % interval holds the alpha of all items, and how often random answers read as worse than
chance. Then the two-way bootstrap of shares and means, in studies of few items and of few workers, otherwise as in
calibration_study.py. Prints three tables; with --write puts them in their places in a document. Two minutes, one core.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from calibration_differences import cell
from calibration_study import PER_ITEM, Design, answer, as_markdown, effects, put

from study.answers.table import LEVELS, PREFERENCES
from study.statistics import reliability, uncertainty
from study.statistics.reliability import MEASUREMENT

N_ITEMS = (2, 5, 10, 20, 36, 100)
# Standard deviations of what items add, which give an alpha of 0, of about 0.3 and of about 0.6.
EFFECTS = {"ease": (0.0, 0.6, 1.3), "useful": (0.0, 1.3, 3.0)}
CHOICES = np.log([0.43, 0.18, 0.32, 0.07])  # about as often as people chose B, C, both and none
N_CLUSTERS = (5, 10, 15, 20, 30)
KINDS = (
    ("few items, 62 workers", lambda n: (n, 62)),
    ("240 items, few workers", lambda n: (240, n)),
)
MATTERS = (("items and workers matter", 0.5, 0.4), ("workers matter most", 0.2, 0.8))


def counts_of(question: str, n_items: int, effect: float, rng: np.random.Generator) -> np.ndarray:
    """(n_items, V) how often each value was given, by five workers an item who do not differ."""
    if question == "ease":
        latent = 3.3 + effect * rng.normal(size=(n_items, 1)) + 0.9 * rng.normal(size=(n_items, PER_ITEM))
        given = np.clip(np.rint(latent), 1, 5).astype(np.int64) - 1
        n_values = len(LEVELS)
    else:
        liked = CHOICES + effect * rng.normal(size=(n_items, 1, len(PREFERENCES)))
        given = (liked + rng.gumbel(size=(n_items, PER_ITEM, len(PREFERENCES)))).argmax(axis=2)
        n_values = len(PREFERENCES)
    return np.asarray((given[:, :, None] == np.arange(n_values)).sum(axis=1))


def answers_of(question: str, counts: np.ndarray) -> pd.DataFrame:
    values = PREFERENCES if question == "useful" else LEVELS
    item, value = np.nonzero(counts)
    times = counts[item, value]
    table = pd.DataFrame({"item": np.repeat(item, times), question: np.array(values, dtype=object)[np.repeat(value, times)]})
    return table.assign(worker=np.arange(len(table)) % PER_ITEM)


def percentiles(counts: np.ndarray, question: str, seed: int) -> tuple[float, float] | None:
    """Of resampled items, as is usual."""
    n = len(counts)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=300)
    alphas = reliability.alphas_of_counts(counts, drawn, MEASUREMENT[question])
    alphas = alphas[~np.isnan(alphas)]
    return (float(np.quantile(alphas, 0.025)), float(np.quantile(alphas, 0.975))) if len(alphas) > 150 else None


def alphas(studies: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How often intervals hold the truth, and where there is no agreement, how often they say that there is less or more than none."""
    holds, called = [], []
    for question, ladder in EFFECTS.items():
        for place, effect in enumerate(ladder):
            many, times = np.unique(
                counts_of(question, 200_000, effect, np.random.default_rng([seed, 400])), axis=0, return_counts=True
            )
            truth = float(reliability.alphas_of_counts(many, times[None], MEASUREMENT[question])[0]) if effect else 0.0
            columns: dict[str, dict[str, list[Any]]] = {}
            for n_items in N_ITEMS:
                rng = np.random.default_rng([seed, 401, n_items, place])
                seen: dict[str, list[Any]] = {name: [] for name in ("what `barlow` reports", "items resampled, percentiles")}
                for number in range(studies):
                    counts = counts_of(question, n_items, effect, rng)
                    found = reliability.alpha(answers_of(question, counts), question)
                    ours = None if found.low is None or found.high is None else (found.low, found.high)
                    for name, ends in zip(seen, (ours, percentiles(counts, question, number)), strict=True):
                        seen[name].append(ends)
                columns[str(n_items)] = seen
            for name in ("what `barlow` reports", "items resampled, percentiles"):
                row = {"alpha": f"{question}, {truth:.2f}", "interval": name}
                ends_of = {n: [ends for ends in seen[name] if ends is not None] for n, seen in columns.items()}
                holds.append(
                    row
                    | {
                        f"{n} items": cell(pd.Series([low <= truth <= high for low, high in ends], dtype=object))
                        for n, ends in ends_of.items()
                    }
                )
                if not effect:
                    for says, test in (
                        ("worse than chance", lambda low, high: high < 0),
                        ("better than chance", lambda low, high: low > 0),
                    ):
                        shares = {
                            f"{n} items": cell(pd.Series([test(*pair) for pair in ends], dtype=object))
                            for n, ends in ends_of.items()
                        }
                        called.append({"answers": f"{question}, random", "interval": name, "says": says} | shares)
    return pd.DataFrame(holds), pd.DataFrame(called)


def bootstrapped(studies: int, replicates: int, seed: int) -> pd.DataFrame:
    """How often two-way intervals of the share of B and of the mean of ease hold the truth: a row a kind of study, a column a number."""
    rows = []
    for place, (matters, item_effect, worker_effect) in enumerate(MATTERS):
        truth = _truth(item_effect, worker_effect, np.random.default_rng([seed, 500, place]))
        for kind_place, (kind, sizes) in enumerate(KINDS):
            columns: dict[str, pd.Series] = {}
            for n in N_CLUSTERS:
                rng = np.random.default_rng([seed, 501, place, kind_place, n])
                made = [
                    _held(Design("", *sizes(n), item_effect, worker_effect), truth, rng, replicates, k) for k in range(studies)
                ]
                columns[str(n)] = pd.DataFrame(made, dtype=object).apply(cell)
            table = pd.DataFrame(columns).rename_axis("statistic").reset_index()
            rows.append(table.assign(study=f"{kind}; {matters}"))
    made_all = pd.concat(rows)
    return made_all[["study", *made_all.columns.drop("study")]]


def _truth(item_effect: float, worker_effect: float, rng: np.random.Generator) -> dict[str, float]:
    spread = np.sqrt(item_effect**2 + worker_effect**2 + 0.9**2)
    ease, likes_b = answer(spread * rng.normal(size=4_000_000), spread * rng.normal(size=4_000_000))
    return {"share of answers": float(likes_b.mean()), "mean ease": float(ease.mean())}


def _held(
    design: Design, truth: dict[str, float], rng: np.random.Generator, replicates: int, seed: int
) -> dict[str, bool | None]:
    per_item = min(PER_ITEM, design.n_workers)
    race = rng.exponential(size=(design.n_items, design.n_workers)) / rng.lognormal(0, 1, design.n_workers)
    worker = np.argsort(race, axis=1)[:, :per_item].ravel()
    item = np.repeat(np.arange(design.n_items), per_item)
    ease, likes_b = answer(*effects(design, rng, item, worker))
    options: dict[str, Any] = {"replicates": replicates, "seed": seed}
    found = {
        "share of answers": uncertainty.share(likes_b, item, worker, **options),
        "mean ease": uncertainty.mean(ease, item, worker, **options),
    }
    return {
        name: None if one.low is None or one.high is None else one.low <= truth[name] <= one.high for name, one in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200, help="simulated studies of each kind and size")
    parser.add_argument("--replicates", type=int, default=300, help="resamples for each interval")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("alpha", "bootstrap"))
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    tables: dict[str, pd.DataFrame] = {}
    if arguments.only != "bootstrap":
        tables["alpha"], tables["alpha-random"] = alphas(arguments.studies, arguments.seed)
    if arguments.only != "alpha":
        tables["few"] = bootstrapped(arguments.studies, arguments.replicates, arguments.seed)
    for name, table in tables.items():
        print(f"{as_markdown(table)}\n")
        if arguments.write:
            put(arguments.write, name, as_markdown(table), parser.error)
    print(f"{time.perf_counter() - started:.0f} s, Python {platform.python_version()}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
