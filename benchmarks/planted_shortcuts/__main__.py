"""`python -m benchmarks.planted_shortcuts [--seeds 0:10]`: runs the seeds that are not in the results yet, then prints the rates."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from barlow_core.interventions import InterventionSettings
from barlow_core.interventions.kinds import DEPENDS
from barlow_core.statistics import wilson_interval
from barlow_core.wording import percent, percent_interval
from benchmarks.planted_shortcuts.describing import describing
from benchmarks.planted_shortcuts.pipeline import one_seed

RESULTS = Path(__file__).parent / "results.csv"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_shortcuts", description=__doc__)
    parser.add_argument("--seeds", default="0:10", help="first:last + 1")
    parser.add_argument("--out", type=Path, default=RESULTS, help="rows that are there stay")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[Any, Any]] = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    extractor = describing()
    for seed in range(*map(int, options.seeds.split(":"))):
        if any(row["seed"] == seed for row in rows):
            continue
        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            found = one_seed(seed, Path(folder), extractor, InterventionSettings(images=30, doses=2, seed=seed))
        seconds = time.process_time() - started
        rows += [row | {"seconds": round(seconds, 1)} for row in found] or [
            {"seed": seed, "tells": "nothing found", "seconds": seconds}
        ]
        pd.DataFrame(rows).to_csv(options.out, index=False)
        print(pd.DataFrame(rows[-len(found) :]).to_string(index=False), flush=True)
    print(rates(pd.DataFrame(rows)).to_string(index=False))


def rates(rows: pd.DataFrame) -> pd.DataFrame:
    """How often, over the seeds, a feature of each square is found and said to be depended on, with Wilson's intervals."""
    n = rows["seed"].nunique()
    found = []
    for square in ("red", "blue", "neither"):
        own = rows[rows["tells"] == square]
        depends = own["verdict"] == DEPENDS
        for what, count, total in (
            ("seeds with a failure mode of it", own["seed"].nunique(), n),
            ("of these, seeds where the model is said to depend on it", own[depends]["seed"].nunique(), own["seed"].nunique()),
            ("rules (group and feature) that are said to be depended on", int(depends.sum()), len(own)),
        ):
            if total:
                low, high = wilson_interval(count, total)
                found.append(
                    (square, what, f"{count} of {total}", percent(count / total), percent_interval(float(low), float(high)))
                )
    return pd.DataFrame(found, columns=["feature of", "what", "count", "rate", "95 % interval"])


if __name__ == "__main__":
    main()
