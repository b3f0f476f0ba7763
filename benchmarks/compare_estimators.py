"""Which estimator of mutual information finds better failure modes? Both on the real features of run folders.

    python benchmarks/compare_estimators.py runs/cifar10 [runs/groceries ...] [--halves 10] [--seeds 5]

For every label and prediction group: how many of the top 20 features two noise seeds share, the two estimators share, and two
halves of the group share. And what counts in the end: features, thresholds and leaves from one half, measured on the other.
Twenty features at random stand beside them. Prints Markdown; docs/estimators.md holds it.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from barlow_core.failure_modes import FailureAnalysis, Settings, explain_depths, select_features
from barlow_core.groups import Group, all_groups
from barlow_core.information import mutual_information
from barlow_core.run import Run

K = 20
DEPTHS = (1, 3)
seconds: defaultdict[str, float] = defaultdict(float)
calls: Counter[str] = Counter()


def estimate(name: str, features: np.ndarray, failure: np.ndarray, seed: int) -> np.ndarray:
    """(D,): mutual information by the estimator of that name, or for "random" as many random numbers."""
    started = time.perf_counter()
    if name == "random":
        return np.asarray(np.random.default_rng(seed).random(features.shape[1]))
    result: np.ndarray = mutual_information(features, failure, estimator=name, seed=seed)
    calls[name] += 1
    seconds[name] += time.perf_counter() - started
    return result


def shared(first: np.ndarray, second: np.ndarray) -> int:
    """How many of their top features two estimates share."""
    return len(np.intersect1d(select_features(first, K), select_features(second, K)))


def mean_shared(estimates: list[np.ndarray]) -> float:
    return float(np.mean([shared(first, second) for first, second in itertools.combinations(estimates, 2)]))


def halves(failure: np.ndarray, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random halves as two masks, each with half of the failures."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        order = np.concatenate([rng.permutation(np.flatnonzero(failure == outcome)) for outcome in (True, False)])
        inside = np.zeros(len(failure), dtype=bool)
        inside[order[::2]] = True
        yield inside, ~inside


def measure(analysis: FailureAnalysis, features: np.ndarray, failure: np.ndarray) -> tuple[float, float]:
    """ALER - BER over the leaves of `analysis`, and ER - BER of its leaf of highest IV, counted on these images.

    A leaf that none of them falls into adds nothing, as the best leaf too.
    """
    ber, increases = failure.mean(), []
    aler = 0.0
    for leaf in analysis.leaves:
        inside = leaf.contains(features)
        rate = failure[inside].mean() if inside.any() else ber
        aler += rate * failure[inside].sum() / failure.sum()
        increases.append(rate - ber)
    return float(aler - ber), float(increases[0])


def compare(features: np.ndarray, failure: np.ndarray, *, n_halves: int, n_seeds: int) -> dict[tuple[str, str], float]:
    """All measures of one group: (measure, estimator) -> value."""
    whole = {"knn": [estimate("knn", features, failure, seed) for seed in range(n_seeds)]}
    whole["binned"] = [estimate("binned", features, failure, 0)]
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    found["top 20 shared by two noise seeds", "knn"] = [mean_shared(whole["knn"])]
    found["top 20 shared by two noise seeds", "binned"] = [K]
    for one in whole["knn"]:
        found["top 20 shared by the two estimators", "knn"].append(shared(one, whole["binned"][0]))
    found["top 20 shared by the two estimators", "binned"] = found["top 20 shared by the two estimators", "knn"]
    for number, parts in enumerate(halves(failure, n_halves)):
        for name in ("knn", "binned", "random"):
            estimates = []
            for inside, outside in (parts, parts[::-1]):
                estimates.append(estimate(name, features[inside], failure[inside], number))
                analyses = explain_depths(features[inside], failure[inside], Settings(k=K), DEPTHS, information=estimates[-1])
                for depth, analysis in zip(DEPTHS, analyses, strict=True):
                    fitted = measure(analysis, features[inside], failure[inside])
                    held_out = measure(analysis, features[outside], failure[outside])
                    found[f"depth {depth}: ALER - BER, own half", name].append(100 * fitted[0])
                    found[f"depth {depth}: ALER - BER, other half", name].append(100 * held_out[0])
                    found[f"depth {depth}: best leaf's increase, own half", name].append(100 * fitted[1])
                    found[f"depth {depth}: best leaf's increase, other half", name].append(100 * held_out[1])
            if name != "random":
                found["top 20 shared by two halves", name].append(shared(*estimates))
    return {key: float(np.mean(values)) for key, values in found.items()}


def report(run: Run, groups: list[Group], results: list[dict[tuple[str, str], float]]) -> None:
    features = run.features()
    sizes = [len(group) for group in groups]
    print(
        f"\n{run.path.name}: {len(groups)} groups of {min(sizes)} to {max(sizes)} images, {features.shape[1]} features, ", end=""
    )
    print(f"{100 * float(np.mean(features == 0)):.0f} % of their values zero\n")
    print("| mean over the groups | knn | binned | binned - knn, ± standard error | random 20 |\n|---|---|---|---|---|")
    for measure_name in dict.fromkeys(name for name, _ in results[0]):
        columns = {who: np.array([r.get((measure_name, who), np.nan) for r in results]) for who in ("knn", "binned", "random")}
        difference = columns["binned"] - columns["knn"]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        random = "" if np.isnan(columns["random"]).all() else f"{columns['random'].mean():.2f}"
        change = "" if measure_name.endswith("estimators") else f"{difference.mean():+.2f} ± {error:.2f}"
        print(f"| {measure_name} | {columns['knn'].mean():.2f} | {columns['binned'].mean():.2f} | {change} | {random} |")
    spent = ", ".join(f"{name} {1000 * seconds[name] / calls[name]:.1f} ms" for name in ("knn", "binned"))
    print(f"\nTime for one estimate, on average over groups and halves: {spent}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--halves", type=int, default=10, help="random halvings of every group")
    parser.add_argument("--seeds", type=int, default=5, help="noise seeds for the k-NN estimator")
    parser.add_argument("--fewest", type=int, default=10, help="leave out groups with fewer failures, or successes, than this")
    arguments = parser.parse_args()
    for path in arguments.runs:
        run = Run(path)
        seconds.clear()
        calls.clear()
        failure = run.benchmark.failure
        groups, results = [], []
        for group in all_groups(run.benchmark):
            outcome = failure[group.indices]
            if min(outcome.sum(), (~outcome).sum()) < arguments.fewest:
                continue
            features = np.asarray(run.features()[group.indices])
            groups.append(group)
            results.append(compare(features, outcome, n_halves=arguments.halves, n_seeds=arguments.seeds))
        report(run, groups, results)


if __name__ == "__main__":
    main()
