"""Do the statistics of failure modes keep their promises? A study on groups of images whose truth is known.

    python benchmarks/calibration.py [--quick] [--seed 0] [--workers 2] [--write docs/calibration.md]

Groups are made up: 300 to 600 images, 64 to 256 sparse, heavy-tailed, correlated features, and failures that hang on nothing,
or on a rule that was planted. What is found is compared with what was planted, and with 40,000 fresh images. Prints tables; with
--write puts each in its place in a document. --quick takes half a minute and is too noisy to quote.
"""

from __future__ import annotations

import argparse
import platform
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from barlow_core.failure_modes import FailureAnalysis, Settings, explain_depths
from barlow_core.failure_tree import Node
from barlow_core.statistics import (
    HeldOutTree,
    Interval,
    benjamini_hochberg,
    by_split,
    cross_fit,
    measure,
    permutation_test,
)

FRESH = 40_000
GROUPS = 20
DEPTHS = (1, 3)


class Planted(NamedTuple):
    """A rule: of `n_features` features, on `share` of the images, with an error rate higher by `increase`."""

    name: str
    share: float
    increase: float
    n_features: int


NOTHING = Planted("nothing", 0.0, 0.0, 0)
PLANTED = (
    Planted("+15 points on 30 %", 0.3, 0.15, 1),
    Planted("+25 points on 30 %", 0.3, 0.25, 1),
    Planted("+40 points on 15 %", 0.15, 0.4, 1),
    Planted("+40 points on 25 %, of two features", 0.25, 0.4, 2),
)


@dataclass(frozen=True)
class Population:
    """Where the images of a group come from.

    A feature is silent on some images; elsewhere it is an exponential variable plus one that it shares with every eighth
    feature. Images inside the planted rule, features 1 (and 2) present or else absent, fail with the higher error rate.
    """

    density: np.ndarray
    thresholds: tuple[float, ...]
    present: bool
    base: float
    increase: float

    @classmethod
    def draw(cls, rng: np.random.Generator, planted: Planted) -> Population:
        density = rng.uniform(0.2, 1, size=int(rng.choice([64, 128, 256])))
        present, base = bool(rng.random() < 0.5), rng.uniform(0.08, 0.3)
        share = planted.share ** (1 / max(planted.n_features, 1))
        rule = slice(1, 1 + planted.n_features)
        density[rule] = rng.uniform(max(share, 0.5), 1, planted.n_features) if present else 1 - share
        bare = cls(density, (), present, base, 0.0)
        features, _ = bare.sample(rng, 20_000, columns=range(1, 1 + planted.n_features))
        thresholds = np.quantile(features[:, rule], 1 - share, axis=0) if present else np.zeros(planted.n_features)
        return cls(density, tuple(float(t) for t in thresholds), present, base, planted.increase)

    def sample(self, rng: np.random.Generator, n: int, columns: Sequence[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, D), of which only `columns` are filled, and the probability of failure (n,)."""
        columns = range(len(self.density)) if columns is None else sorted({*columns, *range(1, 1 + len(self.thresholds))})
        features = np.zeros((n, len(self.density)), dtype=np.float32, order="F")
        shared = rng.exponential(size=(8, n))
        for j in columns:
            features[:, j] = (rng.exponential(size=n) + shared[j % 8]) * (rng.random(n) < self.density[j])
        if not self.thresholds:
            return features, np.full(n, self.base)
        values = features[:, 1 : 1 + len(self.thresholds)]
        inside = ((values > self.thresholds) == self.present).all(axis=1)
        return features, np.where(inside, self.base + self.increase, self.base)

    def group(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        features, probability = self.sample(rng, n)
        return np.ascontiguousarray(features), rng.random(n) < probability


# --- (a) and (b): permutation tests


def tested(seed: int, kinds: Sequence[Planted], estimator: str, statistic: str, permutations: int) -> pd.DataFrame:
    """One run over several groups, as a user would do it: a row a group and depth, with p, and q over the groups of a depth."""
    rows = []
    for number, planted in enumerate(kinds):
        rng = np.random.default_rng([seed, number, 1])  # a stream of its own: the shuffles come from [seed, i]
        population = Population.draw(rng, planted)
        features, failure = population.group(rng, int(rng.integers(300, 601)))
        analyses = explain_depths(features, failure, Settings(estimator=estimator), DEPTHS)
        for test in permutation_test(features, failure, analyses, statistic=statistic, permutations=permutations, seed=seed):
            rows.append({"planted": planted.name, "depth": test.depth, "p": test.p, "shuffles": test.permutations})
    table = pd.DataFrame(rows).assign(seed=seed)
    table["q"] = table.groupby("depth")["p"].transform(lambda p: benjamini_hochberg(p.to_numpy()))
    return table


def luck_table(results: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """No signal: how often p is low, and how often a run of 20 groups has any discovery."""
    rows = []
    for name, result in results.items():
        for depth, table in result.groupby("depth"):
            runs = table.groupby("seed")["q"].min() < 0.1
            rows.append(
                {"estimator": name, "depth": depth, "groups": len(table)}
                | {f"p ≤ {level}": share((table["p"] <= level).to_numpy()) for level in (0.01, 0.05, 0.1, 0.5)}
                | {
                    "runs": len(runs),
                    "runs with any q < 0.1": share(runs.to_numpy()),
                    "shuffles, mean": f"{table['shuffles'].mean():.0f}",
                }
            )
    return pd.DataFrame(rows)


def discovery_table(result: pd.DataFrame) -> pd.DataFrame:
    """Half of the groups have a planted rule: the false discovery rate, and how many rules are found."""
    rows = []
    for depth, table in result.groupby("depth"):
        found = table["q"] < 0.1
        null = table["planted"] == NOTHING.name
        by_run = pd.DataFrame({"seed": table["seed"], "false": found & null, "found": found}).groupby("seed").sum()
        rate = (by_run["false"] / by_run["found"].clip(lower=1)).to_numpy()
        row = {"depth": depth, "runs": len(by_run), "false discovery rate": mean(rate)}
        rows.append(row | {f"found: {p.name}": share(found[table["planted"] == p.name].to_numpy()) for p in PLANTED})
    return pd.DataFrame(rows)


def statistics_table(results: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Power of each statistic, at p ≤ 0.05."""
    rows = []
    for name, result in results.items():
        for depth, table in result.groupby("depth"):
            low = table["p"] <= 0.05
            rows.append(
                {"statistic": name, "depth": depth} | {p: share(low[table["planted"] == p].to_numpy()) for p in POWER_ORDER}
            )
    return pd.DataFrame(rows)


POWER_ORDER = [NOTHING.name, *(planted.name for planted in PLANTED)]


# --- (c) and (d): intervals and held-out counts


def measured(seed: int, planted: Planted) -> pd.DataFrame:
    """One group, searched, measured in every way, and compared with fresh images: a row a way, depth and quantity."""
    rng = np.random.default_rng([seed, 7])
    population = Population.draw(rng, planted)
    features, failure = population.group(rng, int(rng.integers(300, 601)))
    search = rng.random(len(failure)) < 0.5
    settings = Settings(estimator="binned")

    halves, split = by_split(features, failure, search, settings, DEPTHS)
    analyses = explain_depths(features, failure, settings, DEPTHS)
    rows = []
    for way, found, counted in (
        ("in-sample", halves, measure(halves, features[search], failure[search])),
        ("split", halves, split),
        ("cross-fit", analyses, cross_fit(features, failure, analyses, seed=seed)),
    ):
        for analysis, tree in zip(found, counted.trees, strict=True):
            truths = [[leaf] for leaf in analysis.leaves]
            rows += compared(way, analysis, tree, Truth.of(population, rng, truths))
            if way == "cross-fit":
                stand_ins = [list(leaf.stand_ins) for leaf in tree.leaves]
                rows += compared(STAND_INS, analysis, tree, Truth.of(population, rng, stand_ins, counted.folds))
    return pd.DataFrame(rows).assign(planted=planted.name, seed=seed)


STAND_INS = "cross-fit, against its own rules"
WAYS = ("in-sample", "split", "cross-fit", STAND_INS)


class Truth(NamedTuple):
    """What rules are on fresh images; where several stand for a leaf, all of them together."""

    error_rate: np.ndarray
    error_coverage: np.ndarray
    ber: float

    @classmethod
    def of(cls, population: Population, rng: np.random.Generator, rules: list[list[Node]], parts: int = 1) -> Truth:
        """For each leaf, of the `rules` that were measured in it, each on one of `parts` equal parts of the images."""
        used = {feature for leaf in rules for rule in leaf for feature in rule.features}
        features, probability = population.sample(rng, FRESH, columns=sorted(used))
        images, failures = np.zeros(len(rules)), np.zeros(len(rules))
        for i, leaf in enumerate(rules):
            for rule in leaf:
                inside = rule.contains(features)
                images[i] += inside.sum() / parts
                failures[i] += probability[inside].sum() / parts
        rate = np.divide(failures, images, out=np.full(len(rules), np.nan), where=images > 0)
        return cls(rate, failures / probability.sum(), float(probability.mean()))


def compared(way: str, analysis: FailureAnalysis, tree: HeldOutTree, truth: Truth) -> list[dict[str, Any]]:
    """A row for each quantity of a tree and its leaves: the estimate, the truth, and whether the interval holds it."""
    rows: list[dict[str, Any]] = []

    def add(quantity: str, estimate: float | None, interval: Interval | None, true: float, **more: Any) -> None:
        if estimate is not None and interval is not None and not np.isnan(true):
            covered = bool(interval.low <= true <= interval.high)
            what = {"way": way, "depth": tree.depth, "quantity": quantity, "mode": False}
            rows.append(what | {"estimate": estimate, "truth": true, "covered": covered} | more)

    if way != STAND_INS:  # whose leaves are no one tree's
        increase = float((truth.error_rate * truth.error_coverage).sum() - truth.ber)
        interval = tree.aler_increase_interval()
        add("ALER - BER", tree.aler_increase, interval, increase)
        add("ALER - BER as defined", None if tree.aler is None or tree.ber is None else tree.aler - tree.ber, interval, increase)
    for i, leaf in enumerate(tree.leaves):
        more = {"mode": analysis.leaves[i] in analysis.failure_modes, "agreement": leaf.agreement}
        add("ER", leaf.error_rate, leaf.error_rate_interval(), truth.error_rate[i], **more)
        add("EC", leaf.error_coverage, leaf.error_coverage_interval(), truth.error_coverage[i], **more)
        add("ER - BER", leaf.increase, leaf.increase_interval(), truth.error_rate[i] - truth.ber, **more)
    return rows


def coverage_table(result: pd.DataFrame) -> pd.DataFrame:
    """How often a 95 % interval holds the truth: of all leaves, and of the failure modes among them."""
    rows = []
    for way in WAYS:
        for name, part in (("all leaves", result), ("failure modes", result[result["mode"]])):
            row: dict[str, Any] = {"counted": way, "of": name}
            for quantity in ("ER", "EC", "ER - BER", "ALER - BER"):
                for depth in DEPTHS:
                    table = part[(part["way"] == way) & (part["quantity"] == quantity) & (part["depth"] == depth)]
                    row[f"{quantity}, depth {depth}"] = share(table["covered"].to_numpy())
            rows.append(row)
    return pd.DataFrame(rows)


def optimism_table(result: pd.DataFrame) -> pd.DataFrame:
    """ER - BER of failure modes, and ALER - BER of trees, in points: as measured, and in truth."""
    rows = []
    for way in ("in-sample", "split", "cross-fit"):
        for kind in POWER_ORDER:
            row: dict[str, Any] = {"counted": way, "planted": kind}
            for depth in DEPTHS:
                table = result[(result["way"] == way) & (result["planted"] == kind) & (result["depth"] == depth)]
                modes = table[table["mode"] & (table["quantity"] == "ER - BER")]
                row[f"modes, depth {depth}"] = len(modes)
                row[f"ER - BER, depth {depth}"] = versus(modes)
                row[f"ALER - BER, depth {depth}"] = versus(table[table["quantity"] == "ALER - BER as defined"])
                row[f"corrected, depth {depth}"] = versus(table[table["quantity"] == "ALER - BER"])
            rows.append(row)
    return pd.DataFrame(rows)


def agreement_table(result: pd.DataFrame) -> pd.DataFrame:
    """Cross-fitted ER - BER of failure modes against the truth, by how well their rules were found again."""
    table = result[(result["way"] == "cross-fit") & (result["quantity"] == "ER - BER") & result["mode"]]
    rows = []
    for low, high in ((0.9, 1.01), (0.7, 0.9), (0.5, 0.7), (0.0, 0.5)):
        part = table[(table["agreement"] >= low) & (table["agreement"] < high)]
        if len(part):
            rows.append(
                {
                    "agreement": f"{low:g} to {min(high, 1):g}",
                    "failure modes": len(part),
                    "held out / truth, points": versus(part),
                    "mean difference, points": mean(100 * (part["estimate"] - part["truth"]).to_numpy(), digits=1),
                    "interval holds the truth": share(part["covered"].to_numpy()),
                }
            )
    return pd.DataFrame(rows)


def versus(table: pd.DataFrame) -> str:
    counted, truth = (round(100 * float(table[name].mean()), 1) + 0.0 for name in ("estimate", "truth"))  # no -0.0
    return f"{counted:.1f} / {truth:.1f}" if len(table) else "–"


def share(hits: np.ndarray) -> str:
    """With its standard error."""
    return mean(hits.astype(float))


def mean(values: np.ndarray, digits: int = 3) -> str:
    return f"{values.mean():.{digits}f} ± {values.std() / max(len(values), 1) ** 0.5:.{digits}f}" if len(values) else "–"


# --- the study


def study(scale: float, seed: int, workers: int) -> dict[str, pd.DataFrame]:
    """Every table by its name; `scale` shrinks the number of runs."""
    pool = Parallel(n_jobs=workers)

    def many(function: Callable[..., pd.DataFrame], shards: list[tuple[Any, ...]]) -> pd.DataFrame:
        return pd.concat(pool(delayed(function)(*shard) for shard in shards), ignore_index=True)

    def runs(full: int) -> range:
        return range(seed, seed + max(1, round(full * scale)))

    nothing, mixed = (NOTHING,) * GROUPS, (NOTHING,) * (GROUPS // 2) + PLANTED * 2 + PLANTED[:2]
    tables = {}
    tables["luck"] = luck_table(
        {
            "binned": many(tested, [(i, nothing, "binned", "aler", 399) for i in runs(80)]),
            "knn": many(tested, [(i, nothing, "knn", "aler", 399) for i in runs(12)]),
        }
    )
    tables["discoveries"] = discovery_table(many(tested, [(1000 + i, mixed, "binned", "aler", 399) for i in runs(24)]))
    each = (NOTHING, *PLANTED)
    tables["statistics"] = statistics_table(
        {
            name: many(tested, [(2000 + i, each, "binned", name, 99) for i in runs(50)])
            for name in ("aler", "increase", "importance_value")
        }
    )
    result = many(measured, [(3000 + i, planted) for i in runs(80) for planted in each])
    tables["coverage"] = coverage_table(result)
    tables["optimism"] = optimism_table(result)
    tables["agreement"] = agreement_table(result)
    return tables


def as_markdown(table: pd.DataFrame) -> str:
    lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_tables(document: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Put each table into its place, marked `<!-- table: NAME --> … <!-- end -->`."""
    text = document.read_text(encoding="utf-8")
    for name, table in tables.items():
        place = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if len(place.findall(text)) != 1:
            raise SystemExit(f"{document} has no place for the table {name!r}: <!-- table: {name} --> … <!-- end -->")
        text = place.sub(rf"\g<1>{as_markdown(table)}\n\g<2>", text)
    document.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few runs: does it work?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes; they change nothing but the time")
    parser.add_argument("--write", type=Path, help="a document with the places of the tables marked, as docs/calibration.md")
    arguments = parser.parse_args()

    started = time.perf_counter()
    tables = study(0.03 if arguments.quick else 1.0, arguments.seed, arguments.workers)
    seconds = time.perf_counter() - started
    for name, table in tables.items():
        print(f"\n## {name}\n\n{as_markdown(table)}")
    print(f"\n{seconds:.0f} s with {arguments.workers} workers, Python {platform.python_version()}, numpy {np.__version__}")
    if arguments.write:
        write_tables(arguments.write, tables)


if __name__ == "__main__":
    main()
