"""Do comparisons and correlations of a crowd study keep their promises? Simulated studies in which nothing differs and nothing is related.

    python benchmarks/calibration_differences.py [--studies 300] [--seed 0] [--only correlations] [--write docs/study_calibration.md]

The studies of calibration_study.py, whose two tiers do not differ, and one more kind in which each worker answers in one tier only.
Counts how often a comparison is called clear at 5 %, and how often a 95 % interval holds nought. For the correlations, ten items at a
time are a class with an effect of its own (sd 0.4), and what they are correlated with is a number of the class, or one of the item
with a class effect of its own; of 2 to 24 classes. Prints two tables; with --write puts them in their places in a document; --only
correlations leaves out the first. Five minutes, one core.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from calibration_study import DESIGNS, PER_ITEM, Design, as_markdown, put, simulate
from scipy.stats import rankdata, spearmanr

from study.report.sections.base import rows_of
from study.statistics import uncertainty
from study.statistics.differences import cliffs_delta
from study.statistics.ordinal import ordinal_model
from study.statistics.understanding import FEWEST, correlations

LEVEL = 0.05
SEPARATE = "workers matter most, each in one tier only"
PER_CLASS = 10
N_CLASSES = (2, 3, 4, 5, 8, 10, 24)
# What an item's number has of its ease in the studies in which there is something to find; rho is then about 0.3.
SHARED = 0.8
HOLDS = "of items, which are related: interval holds the truth"


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


def compared(studies: int, replicates: int, seed: int) -> pd.DataFrame:
    """How often each kind of comparison calls the tiers different: a row a kind, a column a design."""
    designs = [(design.name, design, False) for design in DESIGNS] + [(SEPARATE, DESIGNS[1], True)]
    columns: dict[str, pd.Series] = {}
    for place, (name, design, separate) in enumerate(designs):
        rng = np.random.default_rng([seed, 100 + place])
        rows = [comparisons(answers(design, rng, separate=separate), replicates, n) for n in range(studies)]
        columns[name] = pd.DataFrame(rows).apply(cell)
    return pd.DataFrame(columns).rename_axis("called different").reset_index()


def items_of_classes(rng: np.random.Generator, n_classes: int, shared: float = 0.0) -> pd.DataFrame:
    """A table of items: `group`, `ease`, `ber` (a number a class), `activation` (of the item, with a class effect, and `shared` of its ease)."""
    group = np.arange(n_classes * PER_CLASS) // PER_CLASS
    n_items = len(group)
    liked = 0.4 * rng.normal(size=n_classes)[group] + 0.5 * rng.normal(size=n_items)
    ease = 3.4 + liked + 0.9 / np.sqrt(PER_ITEM) * rng.normal(size=n_items)
    of_class = rng.random(n_classes)[group]
    of_item = 0.7 * rng.normal(size=n_classes)[group] + 0.7 * rng.normal(size=n_items) + shared * liked
    return pd.DataFrame({"group": group, "ease": ease, "ber": of_class, "activation": of_item})


def related(items: pd.DataFrame, replicates: int, seed: int) -> dict[str, bool | None]:
    """Whether each way of asking calls a correlation clear that is none; None where `barlow` does not say."""
    found = correlations(items, causes=("ber", "activation"), outcomes=("ease",), seed=seed)
    averages = items.groupby("group")[["ber", "ease"]].mean()
    values = {
        "ber": averages.to_numpy()[:, None, :],
        "activation": items[["activation", "ease"]].to_numpy().reshape(len(averages), PER_CLASS, 2),
    }
    made: dict[str, bool | None] = {}
    for cause, name, row in zip(("ber", "activation"), ("of classes", "of items"), rows_of(found), strict=True):
        made[f"{name}: p < 0.05"] = None if pd.isna(row.p) else bool(row.p < LEVEL)
        if name == "of classes":
            made[f"{name}: interval without 0"] = None if pd.isna(row.low) else not row.low <= 0 <= row.high
        drawn = None if row.n < FEWEST else percentiles_without_0(values[cause], replicates, seed)
        made[f"{name}: classes resampled, percentiles without 0"] = drawn
        made[f"{name}: items as independent (spearmanr)"] = bool(spearmanr(items[cause], items["ease"]).pvalue < LEVEL)
    return made


def holds(items: pd.DataFrame, truth: float) -> dict[str, bool | None]:
    """Whether the interval holds the truth; None where there is none."""
    row = correlations(items, causes=("activation",), outcomes=("ease",)).iloc[0]
    return {HOLDS: None if pd.isna(row["low"]) else bool(row["low"] <= truth <= row["high"])}


def percentiles_without_0(values: np.ndarray, replicates: int, seed: int) -> bool:
    """Whether the 95 % percentile interval of rho leaves out 0 when classes are resampled, as `barlow` once did.

    Args:
        values: (classes, items of a class, 2).
    """
    n_classes = len(values)
    draws = np.random.default_rng(seed).integers(n_classes, size=(replicates, n_classes))
    ranks = rankdata(values[draws].reshape(replicates, -1, 2), axis=1)
    x, y = np.moveaxis(ranks - ranks.mean(axis=1, keepdims=True), 2, 0)
    with np.errstate(invalid="ignore"):
        rhos = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    low, high = np.nanquantile(rhos, [LEVEL / 2, 1 - LEVEL / 2])
    return bool(not low <= 0 <= high)


def correlated(studies: int, replicates: int, seed: int) -> pd.DataFrame:
    """How often each way calls a correlation clear that is none, and how often the interval holds one that is: a row a way, a column a
    number of classes."""
    many = items_of_classes(np.random.default_rng([seed, 300]), 20_000, SHARED)
    truth = float(spearmanr(many["activation"], many["ease"]).statistic)
    columns = {}
    for n_classes in N_CLASSES:
        rng = np.random.default_rng([seed, 200, n_classes])
        rows = [
            related(items_of_classes(rng, n_classes), replicates, number) | holds(items_of_classes(rng, n_classes, SHARED), truth)
            for number in range(studies)
        ]
        columns[f"{n_classes} classes"] = pd.DataFrame(rows, dtype=object).apply(cell)
    return pd.DataFrame(columns).rename_axis("called related").reset_index()


def cell(hits: pd.Series) -> str:
    hits = hits.dropna()
    if hits.empty:
        return "none given"
    share = float(hits.astype(float).mean())
    return f"{share:.3f} ± {np.sqrt(max(share * (1 - share), 0.25 / len(hits)) / len(hits)):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=300, help="simulated studies for each design")
    parser.add_argument("--replicates", type=int, default=400, help="resamples for each interval")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("correlations",), help="make this table and leave out the other")
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    texts = {"correlations": as_markdown(correlated(arguments.studies, arguments.replicates, arguments.seed))}
    if arguments.only is None:
        texts["comparisons"] = as_markdown(compared(arguments.studies, arguments.replicates, arguments.seed))
    print("\n\n".join(texts.values()))
    print(f"\n{time.perf_counter() - started:.0f} s, Python {platform.python_version()}, numpy {np.__version__}")
    if arguments.write:
        for name, text in texts.items():
            put(arguments.write, name, text, parser.error)


if __name__ == "__main__":
    main()
