"""Do the checks keep their promises where images belong together? Groups in blocks, whose truth is known.

    python benchmarks/calibration_blocks.py [--groups 200] [--seed 0] [--workers 2] [--write docs/calibration.md]

A block is a scene: its images share most of their features, and whether they fail. With nothing planted, failures differ from block to
block but have nothing to do with features, so no rule increases the error rate on new scenes. With a rule planted, failures hang
on a feature as well. Every group is searched once and checked twice: as if every image stood for itself, and with its blocks.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from calibration import as_markdown, mean, share, write_tables
from joblib import Parallel, delayed

from barlow_core.failure_modes import Settings, explain_depths
from barlow_core.statistics import cross_fit, permutation_test

N_IMAGES, N_FEATURES, DEPTH = 300, 64, 1
# What a feature's variance and a failure's chance owe to the scene.
SHARED = 0.8
SIZES = {"six images each": lambda rng: 6, "1 to 20 images": lambda rng: int(np.clip(rng.geometric(0.17), 1, 20))}
PERMUTATIONS = 99


def scenes(rng: np.random.Generator, kind: str, increase: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, D) features, (n,) bool failures, (n,) blocks of one group."""
    sizes: list[int] = []
    while sum(sizes) < N_IMAGES:
        sizes.append(SIZES[kind](rng))
    blocks = np.repeat(np.arange(len(sizes)), sizes)
    n = len(blocks)
    features = SHARED**0.5 * rng.normal(size=(len(sizes), N_FEATURES))[blocks] + (1 - SHARED) ** 0.5 * rng.normal(
        size=(n, N_FEATURES)
    )
    difficult = rng.beta(0.3, 1.2, size=len(sizes))[blocks]  # mean 0.2, mostly near 0 or 1
    chance = np.clip(difficult + increase * (features[:, 3] > 0.67), 0, 1)  # 0.67: a quarter of the images
    return features.astype(np.float32), rng.random(n) < chance, blocks


def checked(seed: int, kind: str, increase: float) -> list[dict[str, object]]:
    """A row for each way to check one group: p, and each leaf's held-out increase with its interval."""
    rng = np.random.default_rng([seed, list(SIZES).index(kind), int(100 * increase)])
    features, failure, blocks = scenes(rng, kind, increase)
    analyses = explain_depths(features, failure, Settings(min_leaf=10), [DEPTH])
    rows: list[dict[str, object]] = []
    for way, given in (("images", None), ("blocks", blocks)):
        (test,) = permutation_test(features, failure, analyses, permutations=PERMUTATIONS, seed=seed, blocks=given)
        held_out = cross_fit(features, failure, analyses, seed=seed, blocks=given)
        leaves = held_out.trees[0].leaves if held_out.trees else ()
        worst = max((leaf for leaf in leaves if leaf.n_images), key=lambda leaf: leaf.increase or 0.0, default=None)
        interval = None if worst is None else worst.increase_interval()
        rows.append(
            {
                "blocks": kind,
                "planted": increase,
                "way": way,
                "p": test.p,
                "increase": None if worst is None else worst.increase,
                "above_0": interval is not None and bool(interval.low > 0),
            }
        )
    return rows


def blocks_table(result: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (kind, planted, way), part in result.groupby(["blocks", "planted", "way"], sort=False):
        rows.append(
            {
                "blocks of": kind,
                "planted": f"+{100 * float(str(planted)):.0f} points on 25 %" if planted else "nothing",
                "checked by": way,
                "groups": len(part),
                "p ≤ 0.01": share(part["p"].to_numpy(dtype=float) <= 0.01),
                "p ≤ 0.05": share(part["p"].to_numpy(dtype=float) <= 0.05),
                "p ≤ 0.1": share(part["p"].to_numpy(dtype=float) <= 0.1),
                "held-out ER - BER of the worse leaf, points": mean(100 * part["increase"].to_numpy(dtype=float), 1),
                "its interval lies above 0": share(part["above_0"].to_numpy()),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes; they change nothing but the time")
    parser.add_argument("--write", type=Path, help="a document with the place of the table marked, as docs/calibration.md")
    arguments = parser.parse_args()
    started = time.perf_counter()
    shards = [(arguments.seed + i, kind, increase) for increase in (0.0, 0.3) for kind in SIZES for i in range(arguments.groups)]
    found = Parallel(n_jobs=arguments.workers)(delayed(checked)(*shard) for shard in shards)
    table = blocks_table(pd.DataFrame([row for rows in found for row in rows]))
    print(as_markdown(table))
    print(f"\n{time.perf_counter() - started:.0f} s with {arguments.workers} workers, Python {platform.python_version()}")
    if arguments.write:
        write_tables(arguments.write, {"blocks": table})


if __name__ == "__main__":
    main()
