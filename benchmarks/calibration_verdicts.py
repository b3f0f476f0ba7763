"""Is what is called confirmed true? Failure modes of made-up groups, their verdicts, and what they are on 40,000 fresh images.

    python benchmarks/calibration_verdicts.py [--quick] [--seed 0] [--runs 40] [--only "30 images"] [--permutations 199] [--workers 2] [--write docs/calibration.md]

Without --permutations the verdicts rest on held-out images alone; with the permutation test, which `barlow explain` makes, fewer are
confirmed, never more. A failure mode is false when in truth it fails no more often than its group.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from calibration import FRESH, NOTHING, PLANTED, Planted, Population, as_markdown, mean, share, write_tables
from joblib import Parallel, delayed

from barlow_core.analyses import Checks, explain_group
from barlow_core.analyses.parquet import failure_modes_table
from barlow_core.analyses.record import GroupResult
from barlow_core.analyses.verdicts import CONFIRMED
from barlow_core.failure_modes import Settings

Sampler = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]  # features (n, D), probability of failure (n,)


class World(NamedTuple):
    """What one group is drawn from: how many images it has, and where they come from."""

    n_images: int
    sample: Sampler


def independent(n_images: int, n_features: int, ber: float) -> World:
    """Failures that hang on nothing, few or many features."""

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        features = rng.exponential(size=(n, n_features)).astype(np.float32)
        return features, np.full(n, ber)

    return World(n_images, sample)


def small_blindspot(rng: np.random.Generator) -> World:
    """4 % of 400 images fail at 0.95, too few for tau; the others at 0.2. Leaves elsewhere fail below BER in truth."""

    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        features = rng.exponential(size=(n, 40)).astype(np.float32)
        return features, np.where(features[:, 0] > -np.log(0.04), 0.95, 0.2)

    return World(400, sample)


def planted(kind: Planted) -> Callable[[np.random.Generator], World]:
    def draw(rng: np.random.Generator) -> World:
        return World(int(rng.integers(300, 601)), Population.draw(rng, kind).sample)

    return draw


class Scenario(NamedTuple):
    """A kind of run: the worlds of its groups, one after another."""

    name: str
    groups: Sequence[Callable[[np.random.Generator], World]]


SCENARIOS = (
    Scenario("nothing: 20 groups of 30 images, 20 features", [lambda rng: independent(30, 20, rng.uniform(0.2, 0.4))] * 20),
    Scenario("nothing: 20 groups of 200 images, 10 features", [lambda rng: independent(200, 10, rng.uniform(0.1, 0.3))] * 20),
    Scenario("nothing: 20 groups of 300 to 600 images, 64 to 256 features", [planted(NOTHING)] * 20),
    Scenario("36 groups with a blindspot too small for τ", [small_blindspot] * 36),
    Scenario("20 groups, half with a planted rule", [planted(NOTHING)] * 10 + [planted(PLANTED[i % 4]) for i in range(10)]),
    Scenario("20 groups, each with a planted rule", [planted(PLANTED[i % 4]) for i in range(20)]),
)


def one_run(scenario: Scenario, seed: int, settings: Settings, permutations: int = 0) -> pd.DataFrame:
    """The failure modes of one run with their verdicts, and each one's true ER - BER."""
    results: list[GroupResult] = []
    worlds: dict[str, World] = {}
    checks = Checks(held_out="cross-fit", permutations=permutations, duplicates=False)
    for number, draw in enumerate(scenario.groups):
        rng = np.random.default_rng([seed, number, 5])
        world = draw(rng)
        features, probability = world.sample(rng, world.n_images)
        failure = rng.random(world.n_images) < probability
        key = f"label:{number}"
        worlds[key] = world
        results.append(explain_group(key, features, failure, settings=settings, checks=checks))
    table = failure_modes_table(results, settings, checks)
    truth = {}
    for result in results:
        rng = np.random.default_rng([seed, int(result.class_name), 6])
        own = table[table["group"] == result.group]
        if own.empty:
            continue
        features, probability = worlds[result.group].sample(rng, FRESH)
        for index, row in own.iterrows():
            inside = result.trees[row["depth"]].node(row["leaf"]).contains(features)
            truth[index] = probability[inside].mean() - probability.mean() if inside.any() else 0.0
    return table.assign(truth=pd.Series(truth, dtype="float64"), seed=seed)


def verdict_table(results: dict[str, pd.DataFrame], seeds: list[int]) -> pd.DataFrame:
    """How many failure modes are shown and confirmed, how many of the confirmed are false, and how many true ones are missed."""
    rows = []
    for name, result in results.items():
        for depth in (1, 2, 3):
            table = result[result["depth"] == depth]
            confirmed = table["verdict"] == CONFIRMED
            is_false = table["truth"] <= 1e-9
            by_run = pd.DataFrame({"seed": table["seed"], "false": confirmed & is_false, "confirmed": confirmed})
            by_run = by_run.groupby("seed").sum().reindex(seeds, fill_value=0)
            worth = table["truth"] > 0.05
            rows.append(
                {
                    "run": name,
                    "depth": depth,
                    "shown": f"{len(table) / len(seeds):.1f}",
                    "of these false": f"{is_false.mean():.2f}" if len(table) else "–",
                    "false ones with p ≤ 0.05": share((table["held_out_p"][is_false] <= 0.05).to_numpy()),
                    "confirmed": f"{confirmed.sum() / len(seeds):.1f}",
                    "false discovery rate": mean((by_run["false"] / by_run["confirmed"].clip(lower=1)).to_numpy()),
                    "runs with a false one": share((by_run["false"] > 0).to_numpy()),
                    "confirmed of those 5 points over BER": share(confirmed[worth].to_numpy()) if worth.any() else "–",
                    "confirmed: held out / truth, points": (
                        f"{table['held_out_increase'][confirmed].mean() * 100:.1f} / {table['truth'][confirmed].mean() * 100:.1f}"
                        if confirmed.any()
                        else "–"
                    ),
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--min-leaf", type=int)
    parser.add_argument("--permutations", type=int, default=0)
    parser.add_argument("--only", action="append", help="the kinds of runs whose name has this in it; may be given again")
    parser.add_argument("--write", type=Path, help="put the table in its place in this document")
    options = parser.parse_args()
    runs = 3 if options.quick else options.runs
    settings = Settings(min_leaf=options.min_leaf)
    started = time.monotonic()
    seeds = list(range(1000 * options.seed, 1000 * options.seed + runs))
    with Parallel(n_jobs=options.workers) as pool:
        tables = {
            scenario.name: pd.concat(pool(delayed(one_run)(scenario, seed, settings, options.permutations) for seed in seeds))
            for scenario in SCENARIOS
            if not options.only or any(text in scenario.name for text in options.only)
        }
    table = verdict_table(tables, seeds)
    made = {"verdicts after permutation tests" if options.permutations else "verdicts": table}
    print(f"{as_markdown(table)}\n\n{time.monotonic() - started:.0f} s with {options.workers} workers")
    if options.write:
        write_tables(options.write, made)


if __name__ == "__main__":
    main()
