"""Do comparisons and correlations of a crowd study keep their promises? Simulated studies in which nothing differs and nothing is related.

    python benchmarks/calibration_differences.py [--studies 300] [--seed 0] [--write docs/study_calibration.md]

The studies of calibration_study.py, whose two tiers do not differ, and one more kind in which each worker answers in one tier only.
Counts how often a comparison is called clear at 5 %, and how often a 95 % interval holds nought. For the correlations, ten items at a
time are a class with an effect of its own (sd 0.4), and what they are correlated with is a number of the class, or one of the item
with a class effect of its own. Prints two tables; with --write puts them in their places in a document. Five minutes, one core.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from calibration_study import DESIGNS, PER_ITEM, Design, as_markdown, put, simulate
from scipy.stats import spearmanr

from study import uncertainty
from study.analysis.differences import cliffs_delta
from study.analysis.ordinal import ordinal_model
from study.analysis.understanding import correlations

LEVEL = 0.05
SEPARATE = "workers matter most, each in one tier only"
PER_CLASS = 10


def answers(design: Design, rng: np.random.Generator, *, separate: bool) -> pd.DataFrame:
    """A study as a table. `separate`: the workers of one tier are others than those of the other."""
    study = simulate(design, rng)
    table = pd.DataFrame(
        {"item": study.item, "worker": study.worker, "ease": study.ease.astype(float), "confidence": study.ease.astype(float)}
    )
    table["tier"] = np.where(study.tier == 0, "top", "bottom")
    if separate:
        # Two studies of half the size, whose workers have nothing to do with each other.
        halves = [simulate(design._replace(n_items=design.n_items // 2, n_workers=design.n_workers // 2), rng) for _ in range(2)]
        table = pd.concat(
            pd.DataFrame(
                {"item": half.item + 1e6 * k, "worker": half.worker + 1e6 * k, "ease": half.ease.astype(float), "tier": tier}
            )
            for k, (half, tier) in enumerate(zip(halves, ("top", "bottom"), strict=True))
        ).assign(confidence=lambda made: made["ease"])
    return table.reset_index(drop=True)


def comparisons(table: pd.DataFrame, replicates: int, seed: int) -> dict[str, bool]:
    """Whether each kind of comparison calls the tiers different."""
    of_item = table.groupby("item").agg(ease=("ease", "mean"), tier=("tier", "first"))
    sides = [of_item.loc[of_item["tier"] == tier, "ease"].to_numpy() for tier in ("top", "bottom")]
    delta = cliffs_delta(*sides)
    assert delta is not None
    assert delta.low is not None
    assert delta.high is not None
    top = (table["tier"] == "top").to_numpy()
    difference = uncertainty.mean_difference(
        table["ease"], top, ~top, table["item"], table["worker"], replicates=replicates, seed=seed
    )
    assert difference.low is not None
    assert difference.high is not None
    model = ordinal_model(table, "ease").effects
    naive = ordinal_model(table.assign(item=np.arange(len(table)), worker=np.arange(len(table))), "ease").effects
    return {
        "Mann-Whitney test of item averages": delta.p < LEVEL,
        "Cliff's delta, its interval without 0": not delta.low <= 0 <= delta.high,
        "difference of means, two-way interval without 0": not difference.low <= 0 <= difference.high,
        "ordinal model, two-way clusters": bool(model["p"].iloc[0] < LEVEL),
        "ordinal model, answers as independent": bool(naive["p"].iloc[0] < LEVEL),
    }


def related(rng: np.random.Generator, replicates: int, seed: int, n_items: int = 240) -> dict[tuple[str, str], bool]:
    """Whether each kind of interval calls a correlation clear that is none."""
    group = np.arange(n_items) // PER_CLASS
    n_classes = int(group.max()) + 1
    ease = (
        3.4
        + 0.4 * rng.normal(size=n_classes)[group]
        + 0.5 * rng.normal(size=n_items)
        + 0.9 / np.sqrt(PER_ITEM) * rng.normal(size=n_items)
    )
    of_class = rng.random(n_classes)[group]
    of_item = 0.7 * rng.normal(size=n_classes)[group] + 0.7 * rng.normal(size=n_items)
    items = pd.DataFrame({"group": group, "ease": ease, "ber": of_class, "activation": of_item})
    found = correlations(items, causes=("ber", "activation"), outcomes=("ease",), replicates=replicates, seed=seed).set_index(
        "cause"
    )
    made = {}
    for cause, name in (("ber", "of classes"), ("activation", "of items")):
        low, high = (float(found[end].astype("float64")[cause]) for end in ("low", "high"))
        made[name, "classes resampled"] = not low <= 0 <= high
        made[name, "items as independent (spearmanr)"] = bool(spearmanr(items[cause], items["ease"]).pvalue < LEVEL)
    return made


def cell(hits: pd.Series) -> str:
    share = float(hits.mean())
    return f"{share:.3f} ± {np.sqrt(max(share * (1 - share), 0.25 / len(hits)) / len(hits)):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300, help="simulated studies for each design")
    parser.add_argument("--replicates", type=int, default=400, help="resamples for each interval")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    designs = [(design.name, design, False) for design in DESIGNS] + [(SEPARATE, DESIGNS[1], True)]
    columns: dict[str, pd.Series] = {}
    for place, (name, design, separate) in enumerate(designs):
        rng = np.random.default_rng([arguments.seed, 100 + place])
        rows = [comparisons(answers(design, rng, separate=separate), arguments.replicates, n) for n in range(arguments.studies)]
        columns[name] = pd.DataFrame(rows).apply(cell)
    compared = pd.DataFrame(columns).rename_axis("called different").reset_index()
    rng = np.random.default_rng([arguments.seed, 200])
    hits = [related(rng, arguments.replicates, n) for n in range(arguments.studies)]
    ways = list(dict.fromkeys(way for _, way in hits[0]))
    kinds = list(dict.fromkeys(kind for kind, _ in hits[0]))
    rates = {kind: [cell(pd.Series([hit[kind, way] for hit in hits])) for way in ways] for kind in kinds}
    correlated = pd.DataFrame({"called related": ways, **rates})
    texts = {"comparisons": as_markdown(compared), "correlations": as_markdown(correlated)}
    print("\n\n".join(texts.values()))
    print(f"\n{time.perf_counter() - started:.0f} s, Python {platform.python_version()}, numpy {np.__version__}")
    if arguments.write:
        for name, text in texts.items():
            put(arguments.write, name, text, parser.error)


if __name__ == "__main__":
    main()
