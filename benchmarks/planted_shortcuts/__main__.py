"""`python -m benchmarks.planted_shortcuts [--seeds 0:10]`: runs those seeds that are not in the results yet, then prints their rates."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from barlow_core.interventions.kinds import DEPENDS
from barlow_core.statistics import wilson_interval
from barlow_core.wording import percent, percent_interval
from benchmarks.planted_shortcuts.seeds import begin, rows_of
from benchmarks.shared_rows import fill_table

RESULTS = Path(__file__).parent / "results.csv"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_shortcuts", description=__doc__)
    parser.add_argument("--seeds", default="0:10", help="first:last + 1")
    parser.add_argument("--out", type=Path, default=RESULTS, help="rows that are there stay")
    parser.add_argument("--extractor", help="what describes the pictures instead of the filter bank: a name, or a file")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    seeds = range(*map(int, options.seeds.split(":")))
    how = {"processes": options.processes, "begin": begin, "arguments": (options.extractor,)}
    rows = fill_table(options.out, "seed", seeds, rows_of, **how)
    print(rates(rows[rows["seed"].isin(seeds)]).to_string(index=False))


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
