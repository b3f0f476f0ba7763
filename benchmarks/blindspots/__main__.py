"""Run methods over benchmarks and write one row each: `python -m benchmarks.blindspots --help`."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from barlow_core.engine import run_shards
from barlow_core.storage.files import atomic_write
from benchmarks.blindspots import methods
from benchmarks.blindspots.making import Case, general_network, make, nothing, oracle, trained
from benchmarks.blindspots.measures import discoveries
from benchmarks.blindspots.planting import PER_WORLD, draw_worlds_designs

VARIANTS = ("oracle", "general", "own", "nothing")
# Worlds below 1000 were looked at while the search was made.
HELD_OUT = range(1000, 1014)
SHOWN = ("seed", "variant", "method", "discovery_rate", "false_discovery_rate", "seconds")


def case_of(arrays: dict[str, np.ndarray], variant: str, seed: int) -> Case:
    if variant == "oracle":
        return oracle(arrays, seed)
    return nothing(arrays, seed) if variant == "nothing" else trained(arrays, variant)


def row(seed: int, variant: str, name: str, case: Case) -> dict[Hashable, Any]:
    design = draw_worlds_designs(seed // PER_WORLD)[seed % PER_WORLD]
    started = time.process_time()
    hypotheses = methods.METHODS[name](case)
    seconds = time.process_time() - started
    found = discoveries(hypotheses, case.blindspots)
    planted = design.blindspots if case.blindspots.shape[1] else ()
    positive = case.labels & ~case.blindspots.any(axis=1)
    return {
        "seed": seed,
        "world": seed // PER_WORLD,
        "variant": variant,
        "method": name,
        "blindspots": len(planted),
        "attributes": len(design.world.free) - 2,
        "objects": len(design.world.objects),
        "sizes": " ".join(str(len(blindspot)) for blindspot in planted),
        "images": " ".join(str(n) for n in case.blindspots.sum(axis=0)),
        "error_rates": " ".join(f"{case.failure[case.blindspots[:, j]].mean():.2f}" for j in range(len(planted))),
        "error_rate_outside": round(float(case.failure[positive].mean()), 4),
        "discovered": " ".join(str(int(flag)) for flag in found.discovered),
        "hypotheses": len(found.belongs),
        "false": int((found.belongs < 0).sum()),
        "discovery_rate": round(found.discovery_rate, 4),
        "false_discovery_rate": round(found.false_discovery_rate, 4),
        "seconds": round(seconds, 2),
    }


def made(seed: int, cache: Path) -> None:
    """Make the benchmarks of the world of `seed`, where they are not there."""
    with threadpool_limits(1):
        torch.set_num_threads(1)
        make(seed, cache)


def rows_of(seed: int, variant: str, names: Sequence[str], cache: Path) -> list[dict[Hashable, Any]]:
    """A row for each of the methods. One thread, whoever runs it, so that nothing depends on the number of processes but the time."""
    with threadpool_limits(1):
        torch.set_num_threads(1)
        case = case_of(make(seed, cache), variant, seed)
        return [row(seed, variant, name, case) for name in names]


def ordered(rows: list[dict[Hashable, Any]]) -> pd.DataFrame:
    """By variant, method and benchmark, in whatever order they came."""
    table = pd.DataFrame(rows)
    places = {"variant": list(VARIANTS), "method": list(methods.METHODS)}
    key = lambda column: column.map(places[column.name].index) if column.name in places else column  # noqa: E731
    return table.sort_values(["variant", "method", "seed"], key=key, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blindspots", description=__doc__)
    parser.add_argument(
        "--worlds", default=f"{HELD_OUT.start}:{HELD_OUT.stop}", help=f"first:last + 1; {PER_WORLD} benchmarks each"
    )
    parser.add_argument("--variants", default=",".join(VARIANTS), help="with commas, in the order to run them in")
    parser.add_argument("--methods", default="", help="the beginnings of their names, with semicolons")
    parser.add_argument("--workers", type=int, default=1, help="processes; they change nothing but the time")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "barlow-blindspots", help="networks and features"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "runs.csv", help="rows that are there stay"
    )
    options = parser.parse_args()
    first, last = (int(part) for part in options.worlds.split(":"))
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    done = {(r["seed"], r["variant"], r["method"]) for r in rows}
    names = [name for name in methods.METHODS if name.startswith(tuple(options.methods.split(";")))]
    missing = {
        (seed, variant): [name for name in names if (seed, variant, name) not in done]
        for variant in options.variants.split(",")
        for seed in range(first * PER_WORLD, last * PER_WORLD)
    }
    worlds = sorted({seed // PER_WORLD for (seed, _), left in missing.items() if left})
    if not worlds:
        return
    torch.set_num_threads(1)
    general_network(options.cache)  # before all, as every world needs it
    for _ in run_shards(made, [(world * PER_WORLD, options.cache) for world in worlds], workers=options.workers):
        pass
    shards = [(seed, variant, left, options.cache) for (seed, variant), left in missing.items() if left]
    for more in run_shards(rows_of, shards, workers=options.workers):
        rows += more
        for line in more:
            print(*(line[key] for key in SHOWN), flush=True)
        with atomic_write(options.out) as temporary:
            ordered(rows).to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
