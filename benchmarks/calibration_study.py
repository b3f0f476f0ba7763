"""Do the intervals of a crowd study keep their promises? A simulation of studies whose truth is known.

    python benchmarks/calibration_study.py [--studies 400] [--seed 0] [--write docs/study_calibration.md]

Studies are made up: every item has five answers of different workers, some workers answer far more than others, items and
workers differ by normal effects of a stated size. Each study's intervals are compared with what holds for all items and workers
of the kind. Prints a table; with --write puts it in its place in a document. Two minutes, one core.
"""

from __future__ import annotations

import argparse
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from study.statistics import reliability, uncertainty
from study.statistics.agreement_means import PairMeans
from study.statistics.estimates import Estimate
from study.statistics.resampling import Clusters

PER_ITEM = 5
DIMENSIONS = 20
CONFIDENCE = 0.95


class Design(NamedTuple):
    """A kind of study; effects are standard deviations on the scale of the latent answer, whose own noise is 0.9."""

    name: str
    n_items: int
    n_workers: int
    item_effect: float
    worker_effect: float


DESIGNS = (
    Design("items and workers matter", 240, 62, 0.5, 0.4),
    Design("workers matter most", 240, 62, 0.2, 0.8),
    Design("neither matters", 240, 62, 0.0, 0.0),
    Design("small", 40, 15, 0.5, 0.4),
)


class Study(NamedTuple):
    """Answers: (n,) arrays. `likes_b` is the answer to question 5, reduced to "B" or not; `description` (n, DIMENSIONS) stands for the word
    vectors of descriptions, unit vectors."""

    item: np.ndarray
    worker: np.ndarray
    ease: np.ndarray
    likes_b: np.ndarray
    tier: np.ndarray
    description: np.ndarray


def simulate(design: Design, rng: np.random.Generator) -> Study:
    # The PER_ITEM workers of an item, without replacement and by their activity (exponential race).
    activity = rng.lognormal(0, 1, design.n_workers)
    race = rng.exponential(size=(design.n_items, design.n_workers)) / activity
    worker = np.argpartition(race, PER_ITEM, axis=1)[:, :PER_ITEM].ravel()
    item = np.repeat(np.arange(design.n_items), PER_ITEM)
    latent = effects(design, rng, item, worker)
    ease, likes_b = answer(*latent)
    return Study(item, worker, ease, likes_b, item % 2, descriptions(design, rng, item, worker))


def effects(design: Design, rng: np.random.Generator, item: np.ndarray, worker: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The latent answers to questions 3 and 5: items and workers have one effect on each."""
    latent = []
    for _ in range(2):
        of_item = design.item_effect * rng.normal(size=item.max() + 1)
        of_worker = design.worker_effect * rng.normal(size=worker.max() + 1)
        latent.append(of_item[item] + of_worker[worker] + 0.9 * rng.normal(size=len(item)))
    return latent[0], latent[1]


def descriptions(design: Design, rng: np.random.Generator, item: np.ndarray, worker: np.ndarray) -> np.ndarray:
    """What is common to all descriptions, what the item adds, what the worker adds (who has favourite words), and the rest."""
    of_item = design.item_effect * rng.normal(size=(item.max() + 1, DIMENSIONS))
    of_worker = design.worker_effect * rng.normal(size=(worker.max() + 1, DIMENSIONS))
    vectors = 0.35 + of_item[item] + of_worker[worker] + 0.9 * rng.normal(size=(len(item), DIMENSIONS))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cosines(study: Study) -> np.ndarray:
    """(items, pairs) of the descriptions of an item; answers of an item follow each other."""
    first, second = np.triu_indices(PER_ITEM, 1)
    of_item = study.description.reshape(-1, PER_ITEM, DIMENSIONS)
    return np.einsum("ipd,ipd->ip", of_item[:, first], of_item[:, second])


def answer(ease: np.ndarray, likes_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.clip(np.rint(3.3 + ease), 1, 5), likes_b > 0.2


def all_items_above(study: Study) -> float:
    return float((np.bincount(study.item, weights=study.ease - 3) > 1e-9).mean())


def truths(design: Design, rng: np.random.Generator) -> dict[str, float]:
    """What the intervals are after. Averages over 1,000 studies; all are means, so this is what one study estimates."""
    studies = [simulate(design, rng) for _ in range(1000)]
    values = (np.arange(5) == np.concatenate([s.ease for s in studies])[:, None] - 1).reshape(-1, PER_ITEM, 5).sum(axis=1)
    return {
        "share of answers": float(np.mean([s.likes_b.mean() for s in studies])),
        "mean ease": float(np.mean([s.ease.mean() for s in studies])),
        "difference of means": 0.0,
        "share of items above 3": float(np.mean([all_items_above(s) for s in studies])),
        "agreement of descriptions": float(np.mean([cosines(s).mean() for s in studies])),
        "alpha of ease": float(reliability.alphas_of_counts(values, np.ones((1, len(values))), "ordinal")[0]),
    }


def independent(mean: float, sd: float, n: float) -> Estimate:
    """The interval that takes all observations as independent."""
    half = float(norm.ppf((1 + CONFIDENCE) / 2)) * sd / np.sqrt(n)
    return Estimate(mean, mean - half, mean + half, int(n), int(n), 1)


def intervals(study: Study, replicates: int, seed: int) -> dict[tuple[str, str], Estimate]:
    options = {"replicates": replicates, "seed": seed}
    one = np.zeros_like(study.item)
    clusters = {"two-way": (study.item, study.worker), "items only": (study.item, one), "workers only": (one, study.worker)}
    found: dict[tuple[str, str], Estimate] = {}
    first = study.tier == 0
    for name, (item, worker) in clusters.items():
        found["share of answers", name] = uncertainty.share(study.likes_b, item, worker, **options)
        found["mean ease", name] = uncertainty.mean(study.ease, item, worker, **options)
        found["difference of means", name] = uncertainty.mean_difference(study.ease, first, ~first, item, worker, **options)
    n, ease, likes = len(study.item), study.ease, study.likes_b
    found["share of answers", "none"] = independent(likes.mean(), likes.std(), n)
    found["mean ease", "none"] = independent(ease.mean(), ease.std(), n)
    spread = np.sqrt(ease[first].var() / first.mean() + ease[~first].var() / (~first).mean())
    found["difference of means", "none"] = independent(ease[first].mean() - ease[~first].mean(), spread, n)

    above, n_items = all_items_above(study), study.item.max() + 1
    found["share of items above 3", "two-way"] = uncertainty.share_of_items_above(ease, study.item, study.worker, **options)
    found["share of items above 3", "items only"] = independent(above, np.sqrt(above * (1 - above)), n_items)
    drawn = Clusters(study.item, study.worker).resampled_shares_above(ease[:, None], 3.0, **options)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    found["share of items above 3", "two-way, not centred"] = Estimate(above, float(low), float(high), n, n_items, 1)

    values = cosines(study)
    workers = study.worker.reshape(-1, PER_ITEM)
    first, second = (workers[:, place].ravel() for place in np.triu_indices(PER_ITEM, 1))
    pairs = PairMeans(values.reshape(-1, 1), np.repeat(np.arange(n_items), values.shape[1]), first, second, **options)
    found["agreement of descriptions", "two-way"] = pairs.mean(0)
    found["agreement of descriptions", "items only"] = uncertainty.item_mean(values.mean(axis=1), **options)

    table = pd.DataFrame({"item": study.item, "worker": study.worker, "ease": ease})
    alpha = reliability.alpha(table, "ease", **options)
    found["alpha of ease", "items only"] = Estimate(alpha.value, alpha.low, alpha.high, alpha.n, alpha.n_items, alpha.n_workers)
    return found


def coverage(design: Design, n_studies: int, replicates: int, seed: int) -> pd.DataFrame:
    """Per statistic and kind of interval: how often it holds the truth, how long it is, and how far estimates really scatter."""
    rng = np.random.default_rng([seed, DESIGNS.index(design)])
    truth = truths(design, rng)
    rows = []
    for number in range(n_studies):
        study = simulate(design, rng)
        for (statistic, clusters), estimate in intervals(study, replicates, number).items():
            if estimate.value is None or estimate.low is None or estimate.high is None:
                raise AssertionError(f"{statistic}, {clusters}: {estimate.reason}")
            holds = estimate.low <= truth[statistic] <= estimate.high
            rows.append((design.name, statistic, clusters, holds, estimate.high - estimate.low, estimate.value))
    table = pd.DataFrame(rows, columns=["design", "statistic", "resampled", "holds", "length", "value"])
    groups = table.groupby(["design", "statistic", "resampled"], sort=False)
    # 2 x 1.96 standard deviations is what an interval of the right length would measure.
    result = groups.agg(holds=("holds", "mean"), length=("length", "mean"), scatter=("value", "std"))
    result["length"] /= 2 * norm.ppf((1 + CONFIDENCE) / 2) * result["scatter"]
    return result.reset_index()


def as_table(found: pd.DataFrame, n_studies: int) -> pd.DataFrame:
    """A row a statistic and kind of interval, a column a design: coverage, and length over the right one."""

    def cell(row: pd.Series) -> str:
        error = np.sqrt(max(row["holds"] * (1 - row["holds"]), 0.25 / n_studies) / n_studies)
        return f"{row['holds']:.3f} ± {error:.3f} ({row['length']:.2f})"

    found = found.assign(cell=found.apply(cell, axis=1))
    wide = found.pivot(index=["statistic", "resampled"], columns="design", values="cell")
    order = found[["statistic", "resampled"]].drop_duplicates()
    wide = wide.loc[pd.MultiIndex.from_frame(order.sort_values("statistic", key=_in_order, kind="stable"))]
    return wide[[design.name for design in DESIGNS]].reset_index()


def _in_order(statistics: pd.Series) -> pd.Series:
    order = [
        "share of answers",
        "mean ease",
        "difference of means",
        "share of items above 3",
        "agreement of descriptions",
        "alpha of ease",
    ]
    return statistics.map({name: place for place, name in enumerate(order)})


def as_markdown(table: pd.DataFrame) -> str:
    lines = [list(table.columns), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put(path: Path, name: str, text: str, fail: Callable[[str], None]) -> None:
    document = path.read_text(encoding="utf-8")
    place = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if len(place.findall(document)) != 1:
        fail(f"{path} has no place for the table {name!r}: <!-- table: {name} --> … <!-- end -->")
    path.write_text(place.sub(lambda found: f"{found[1]}{text}\n{found[2]}", document), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="simulated studies for each design")
    parser.add_argument("--replicates", type=int, default=400, help="resamples for each interval")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    started = time.perf_counter()
    found = pd.concat([coverage(design, arguments.studies, arguments.replicates, arguments.seed) for design in DESIGNS])
    text = as_markdown(as_table(found, arguments.studies))
    print(text)
    print(f"\n{time.perf_counter() - started:.0f} s, Python {platform.python_version()}, numpy {np.__version__}")
    if arguments.write:
        put(arguments.write, "coverage", text, parser.error)


if __name__ == "__main__":
    main()
