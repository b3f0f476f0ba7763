"""Which order of failure modes puts the truly bad ones on top, and how small may a leaf be? Made-up runs whose truth is known.

    python benchmarks/calibration_ranking.py [--quick] [--seed 0] [--workers 2] [--runs 12] [--write docs/calibration.md]

A run has 24 groups of 25 to 600 images, half of them with a planted rule, as small classes lie beside large ones in real
benchmarks. What a failure mode is worth is its true increase, ER - BER, times its true coverage, EC, both on 40,000 fresh images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from calibration import FRESH, NOTHING, PLANTED, Population, as_markdown, mean, share, write_tables
from joblib import Parallel, delayed

from barlow_core.analyses import Checks, explain_group
from barlow_core.analyses.parquet import failure_modes_table
from barlow_core.analyses.record import GroupResult
from barlow_core.analyses.verdicts import CONFIRMED, LEVEL, ranked
from barlow_core.failure_modes import Settings

SIZES = ((25, 60), (60, 150), (150, 300), (300, 600))
KINDS = (*PLANTED, *(NOTHING,) * len(PLANTED))
GROUPS = 24
TOP = 10
LEAVES = {"1": (1, 0.0), "2": (2, 0.0), "5": (5, 0.0), "5 or 2 %": (5, 0.02), "10 or 5 %": (10, 0.05)}
USUAL = "5 or 2 %"

# In each order the highest comes first; what was not measured comes last.
ORDERS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "lower end of the held-out increase × held-out EC": lambda modes: modes["evidence"],
    "held-out increase × held-out EC": lambda modes: modes["held_out_increase"] * modes["held_out_error_coverage"],
    "lower end of the held-out increase": lambda modes: modes["held_out_increase_low"],
    "held-out increase": lambda modes: modes["held_out_increase"],
    "held-out IV": lambda modes: modes["held_out_error_rate"] * modes["held_out_error_coverage"],
    "IV on the images that were searched": lambda modes: modes["importance_value"],
}
CONFIRMED_FIRST = "confirmed first, then the first of these (the default)"


def one_run(seed: int, leaf: str) -> pd.DataFrame:
    """The failure modes of one run with their verdicts, and on fresh images true_increase, true_worth, and how many failures
    there are to find."""
    results: list[GroupResult] = []
    populations: dict[str, Population] = {}
    checks = Checks(held_out="cross-fit", duplicates=False)
    least, share_of_group = LEAVES[leaf]
    for number in range(GROUPS):
        rng = np.random.default_rng([seed, number, 8])
        low, high = SIZES[number % len(SIZES)]
        population = Population.draw(rng, KINDS[number // 3 % len(KINDS)])
        n = int(rng.integers(low, high + 1))
        features, failure = population.group(rng, n)
        populations[f"label:{number}"] = population
        settings = Settings(min_leaf=max(least, int(np.ceil(share_of_group * n))))
        results.append(explain_group(f"label:{number}", features, failure, settings=settings, checks=checks))
    table = failure_modes_table(results, settings, checks)
    increase, worth = np.zeros(len(table)), np.zeros(len(table))
    for result in results:
        own = np.flatnonzero(table["group"] == result.group)
        nodes = [result.trees[int(table["depth"].iloc[i])].node(int(table["leaf"].iloc[i])) for i in own]
        rng = np.random.default_rng([seed, int(result.class_name), 9])
        used = sorted({feature for node in nodes for feature in node.features})
        features, probability = populations[result.group].sample(rng, FRESH, columns=used)
        for i, node in zip(own, nodes, strict=True):
            inside = node.contains(features)
            if inside.any():
                increase[i] = probability[inside].mean() - probability.mean()
                worth[i] = increase[i] * probability[inside].sum() / probability.sum()
    return table.assign(true_increase=increase, true_worth=worth, seed=seed)


def ranking_table(runs: pd.DataFrame) -> pd.DataFrame:
    """What stands among the first ten in each order: a row a depth and order, means over the runs with their standard errors."""
    rows = []
    for depth, of_depth in runs.groupby("depth"):
        for name in (CONFIRMED_FIRST, *ORDERS):
            first = [_in_order(run, name) for _, run in of_depth.groupby("seed")]
            rows.append(
                {
                    "depth": depth,
                    "order": name,
                    "worth of the first ten": mean(np.array([one[:TOP].sum() / TOP for one in first]), 4),
                    "of the best possible (nDCG)": mean(np.array([_ndcg(one) for one in first])),
                    "false among the first five": mean(np.array([(one[:5] <= 1e-9).mean() for one in first])),
                    "false among the first ten": mean(np.array([(one[:TOP] <= 1e-9).mean() for one in first])),
                }
            )
    return pd.DataFrame(rows)


def _in_order(run: pd.DataFrame, name: str) -> np.ndarray:
    """The true worth of the failure modes of a run in an order."""
    if name == CONFIRMED_FIRST:
        return ranked(run)["true_worth"].to_numpy()
    keys = ORDERS[name](run).fillna(-np.inf).to_numpy(dtype=np.float64)
    return run["true_worth"].to_numpy()[np.argsort(-keys, kind="stable")]


def _ndcg(worth: np.ndarray) -> float:
    """Normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen 2002); what is false gains nothing."""
    gain = np.maximum(worth, 0.0)
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    best = np.sort(gain)[::-1][:TOP]
    ideal = float((best * discount[: len(best)]).sum())
    return float((gain[:TOP] * discount[: len(gain[:TOP])]).sum()) / ideal if ideal else 1.0


def leaf_table(runs: dict[str, pd.DataFrame], n_runs: int) -> pd.DataFrame:
    """What a smallest leaf finds and what it makes up: a row a depth and leaf."""
    rows = []
    for depth in (1, 2, 3):
        for leaf, found in runs.items():
            table = found[found["depth"] == depth]
            confirmed, true, small = table["verdict"] == CONFIRMED, table["true_increase"] > 0.05, table["n_images"] < 5
            by_run = pd.DataFrame(
                {
                    "seed": table["seed"],
                    "confirmed": confirmed,
                    "false": confirmed & (table["true_increase"] <= 1e-9),
                    "worth": table["true_worth"].where(confirmed, 0.0),
                }
            )
            by_run = by_run.groupby("seed").sum()
            rows.append(
                {
                    "depth": depth,
                    "smallest leaf": leaf,
                    "shown": f"{len(table) / n_runs:.1f}",
                    "of these with fewer than 5 images": f"{small.mean():.2f}",
                    "of these false": share((table["true_increase"] <= 1e-9).to_numpy()),
                    "confirmed": f"{confirmed.sum() / n_runs:.1f}",
                    "of these 5 points over BER": f"{(confirmed & true).sum() / n_runs:.1f}",
                    "worth of the confirmed, together": mean(by_run["worth"].to_numpy()),
                    "false discovery rate": mean((by_run["false"] / by_run["confirmed"].clip(lower=1)).to_numpy()),
                }
            )
    return pd.DataFrame(rows)


def agreement_limit_table(runs: pd.DataFrame, n_runs: int) -> pd.DataFrame:
    """What asking for agreement of the rules found again does: held-out increase against the truth of the rule that is shown."""
    rows = []
    passes = (runs["held_out_increase_low"] > 0) & (runs["held_out_q"] < LEVEL)
    for depth in (1, 2, 3):
        for limit in (0.0, 0.3, 0.4, 0.5, 0.6, 0.7):
            chosen = runs[passes & (runs["depth"] == depth) & (runs["held_out_agreement"] >= limit)]
            error = (chosen["held_out_increase"] - chosen["true_increase"]).to_numpy() * 100
            rows.append(
                {
                    "depth": depth,
                    "agreement of at least": limit,
                    "confirmed": f"{len(chosen) / n_runs:.1f}",
                    "of these false": share((chosen["true_increase"] <= 1e-9).to_numpy()),
                    "held-out increase minus the truth, points": mean(error, 1),
                    "the same, root mean square": f"{np.sqrt((error**2).mean()):.1f}" if len(error) else "–",
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--write", type=Path, help="put the tables in their places in this document")
    options = parser.parse_args()
    n_runs = 2 if options.quick else options.runs
    seeds = range(1000 * options.seed, 1000 * options.seed + n_runs)
    started = time.monotonic()
    with Parallel(n_jobs=options.workers) as pool:
        found = pool(delayed(one_run)(seed, leaf) for leaf in LEAVES for seed in seeds)
    runs = {leaf: pd.concat(found[i * n_runs : (i + 1) * n_runs], ignore_index=True) for i, leaf in enumerate(LEAVES)}
    made = {
        "ranking": ranking_table(runs[USUAL]),
        "smallest leaf": leaf_table(runs, n_runs),
        "agreement limit": agreement_limit_table(runs[USUAL], n_runs),
    }
    for name, table in made.items():
        print(f"\n## {name}\n\n{as_markdown(table)}")
    print(f"\n{time.monotonic() - started:.0f} s with {options.workers} workers")
    if options.write:
        write_tables(options.write, made)


if __name__ == "__main__":
    main()
