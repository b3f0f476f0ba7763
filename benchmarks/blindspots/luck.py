"""Does the search keep its promise where there is nothing to find? `python -m benchmarks.blindspots.luck`

Groups of images whose failures hang on nothing. Any rule with q at most a is false, so at most a share a of the groups should have
one; and no p should be at most a in more than a share a of the rules.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from barlow_core.engine import run_shards
from barlow_core.search import SearchResult, search
from benchmarks.blindspots.making import make

LEVELS = (0.01, 0.05, 0.1, 0.2)


def sparse(rng: np.random.Generator) -> np.ndarray:
    """(n, 64) sparse, heavy-tailed, correlated features, as those of rectified and pooled layers."""
    n = int(rng.integers(200, 601))
    shared = rng.exponential(size=(n, 8)).repeat(8, axis=1)
    return (rng.exponential(size=(n, 64)) + shared) * (rng.random((n, 64)) < rng.uniform(0.2, 1, 64))


def group(rng: np.random.Generator, pictures: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Features and failures of 200 to 600 images."""
    features = sparse(rng) if pictures is None else pictures[rng.permutation(len(pictures))[: int(rng.integers(200, 601))]]
    return features, rng.random(len(features)) < rng.uniform(0.08, 0.3)


def in_blocks(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, failures and blocks of images that come in fours: much alike, and failing together nine times in ten."""
    scenes = sparse(rng)[:150]
    blocks = np.repeat(np.arange(len(scenes)), 4)
    features = scenes[blocks] * rng.uniform(0.9, 1.1, size=(len(blocks), scenes.shape[1]))
    failing = rng.random(len(scenes)) < rng.uniform(0.08, 0.3)
    return features, failing[blocks] & (rng.random(len(blocks)) < 0.9), blocks


def shares(name: str, results: list[SearchResult]) -> dict[Hashable, Any]:
    least = np.array([min((rule.q for rule in result.rules), default=1.0) for result in results])
    p = np.array([rule.p for result in results for rule in result.rules])
    line: dict[Hashable, Any] = {f"groups with any q ≤ {level}": _share(least <= level) for level in LEVELS}
    line["groups with a confirmed rule"] = _share(np.array([bool(result.confirmed) for result in results]))
    return (
        {"features": name, "groups": str(len(results)), "rules": str(len(p))}
        | line
        | {f"rules with p ≤ {level}": _share(p <= level) for level in LEVELS}
    )


def _share(flags: np.ndarray) -> str:
    mean = flags.mean()
    return f"{mean:.3f} ± {(mean * (1 - mean) / len(flags)) ** 0.5:.3f}"


def pictures_of(cache: Path) -> np.ndarray:
    return make(0, cache)["general"]


def searches(cache: Path) -> dict[str, Callable[[int], SearchResult]]:
    """What is searched, by name: a group for each seed."""

    def sparse_or(pictures: Callable[[], np.ndarray] | None, seed: int) -> SearchResult:
        features, failure = group(np.random.default_rng([seed, 8]), None if pictures is None else pictures())
        return search(features, failure, seed=seed)

    def fours(told: bool, seed: int) -> SearchResult:
        features, failure, blocks = in_blocks(np.random.default_rng([seed, 9]))
        return search(features, failure, seed=seed, blocks=blocks if told else None)

    return {
        "sparse": partial(sparse_or, None),
        "of pictures": partial(sparse_or, partial(pictures_of, cache)),
        "sparse, images in fours, kept together": partial(fours, True),
        "sparse, images in fours, not kept together": partial(fours, False),
    }


def searched(name: str, seed: int, cache: Path) -> SearchResult:
    with threadpool_limits(1):
        return searches(cache)[name](seed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blindspots.luck", description=__doc__)
    parser.add_argument("--groups", type=int, default=400)
    parser.add_argument("--workers", type=int, default=1, help="processes; they change nothing but the time")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "barlow-blindspots")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "luck.csv", help="lines that are there stay"
    )
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    lines: list[dict[Hashable, Any]] = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    make(0, options.cache)  # before all, as others wait for it
    for name in searches(options.cache):
        if name in {line["features"] for line in lines}:
            continue
        shards = [(name, seed, options.cache) for seed in range(options.groups)]
        lines.append(shares(name, list(run_shards(searched, shards, workers=options.workers))))
        pd.DataFrame(lines).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
