"""Run methods over benchmarks and write one row each: `python -m benchmarks.blindspots --help`."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.blindspots import methods
from benchmarks.blindspots.making import Case, make, nothing, oracle, trained
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.blindspots", description=__doc__)
    parser.add_argument(
        "--worlds", default=f"{HELD_OUT.start}:{HELD_OUT.stop}", help=f"first:last + 1; {PER_WORLD} benchmarks each"
    )
    parser.add_argument("--variants", default=",".join(VARIANTS), help="with commas")
    parser.add_argument("--methods", default="", help="the beginnings of their names, with semicolons")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "barlow-blindspots", help="networks and features"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "runs.csv", help="rows that are there stay"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    first, last = (int(part) for part in options.worlds.split(":"))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    done = {(r["seed"], r["variant"], r["method"]) for r in rows}
    names = [name for name in methods.METHODS if name.startswith(tuple(options.methods.split(";")))]
    for seed in range(first * PER_WORLD, last * PER_WORLD):
        arrays = make(seed, options.cache)
        for variant in options.variants.split(","):
            case = case_of(arrays, variant, seed)
            for name in names:
                if (seed, variant, name) not in done:
                    rows.append(row(seed, variant, name, case))
                    print(*(rows[-1][key] for key in SHOWN), flush=True)
        pd.DataFrame(rows).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
