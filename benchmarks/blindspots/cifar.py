"""Real pictures: hidden classes of CIFAR-10 in which errors are planted, searched in the features of the robust network.

    barlow demo --run runs/demo
    python -m benchmarks.blindspots.cifar runs/demo

The images of the demo are labelled anew as animal or vehicle. In each trial one to three of the ten classes, which no method
sees, fail with probability FAILS_INSIDE, and everything else with FAILS_OUTSIDE.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from barlow_core.run import Run
from benchmarks.blindspots import methods
from benchmarks.blindspots.making import FAILS_INSIDE, FAILS_OUTSIDE, Case
from benchmarks.blindspots.measures import discoveries

VEHICLES = (0, 1, 8, 9)  # airplane, automobile, ship, truck
N_IMAGES = 4000  # of the 10,000, drawn anew in each trial


def hidden_classes(features: np.ndarray, classes: np.ndarray, seed: int) -> Case:
    """A trial, over N_IMAGES of the images.

    Args:
        features: (n, D). classes: (n,) int, 0 to 9, which the case only shows as animal (False) and vehicle (True).
    """
    rng = np.random.default_rng([seed, 7])
    rows = rng.permutation(len(features))[:N_IMAGES]
    chosen = rng.permutation(10)[: int(rng.integers(1, 4))]
    blindspots = classes[rows][:, None] == chosen
    labels = np.isin(classes[rows], VEHICLES)
    predictions = labels ^ (rng.random(len(rows)) < np.where(blindspots.any(axis=1), FAILS_INSIDE, FAILS_OUTSIDE))
    sure = 0.5 + rng.beta(8, 2, size=len(rows)) / 2
    return Case(features[rows], labels, predictions, np.where(predictions, sure, 1 - sure), blindspots)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blindspots.cifar", description=__doc__)
    parser.add_argument("run", type=Path, help="a run of `barlow demo`")
    parser.add_argument("--trials", default="1000:1020", help="first:last + 1, seeds; those below 1000 served development")
    parser.add_argument("--methods", default="", help="the beginnings of their names, with semicolons; short for rules in short")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "cifar.csv")
    options = parser.parse_args()
    run = Run(options.run)
    features, classes = np.asarray(run.features()), np.asarray(run.benchmark.labels)
    first, last = (int(part) for part in options.trials.split(":"))
    rows = []
    for seed in range(first, last):
        case = hidden_classes(features, classes, seed)
        for name, method in (methods.METHODS | methods.IN_SHORT).items():
            if not name.startswith(tuple(options.methods.split(";"))) or (name in methods.IN_SHORT and not options.methods):
                continue
            started = time.process_time()
            found = discoveries(method(case), case.blindspots)
            rows.append(
                {
                    "seed": seed,
                    "method": name,
                    "blindspots": case.blindspots.shape[1],
                    "hypotheses": len(found.belongs),
                    "false": int((found.belongs < 0).sum()),
                    "discovery_rate": round(found.discovery_rate, 4),
                    "false_discovery_rate": round(found.false_discovery_rate, 4),
                    "seconds": round(time.process_time() - started, 2),
                }
            )
            print(*rows[-1].values(), flush=True)
        pd.DataFrame(rows).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
