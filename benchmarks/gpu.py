"""All measurements of extraction and attacks on a GPU, in under eight minutes; the output is a table for docs/speed.md.

    python benchmarks/gpu.py [--device cuda] [--minutes 7.5] [--first 3]

Runs bench_extract.py and bench_attack.py one after the other, the most important first; each has a limit of its own, and what there
is no time for is left out. The first three take about 100 seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
# Seconds that each may take, and what is run: images enough for some seconds at thousands a second; rounds few, since nobody else
# uses the device.
_EXTRACT = ["bench_extract.py", "--without-exact", "--plain-images", "2000"]
RUNS = [
    (60, [*_EXTRACT, "--network", "resnet50", "--images", "12000", "--rounds", "2"]),
    (45, ["bench_attack.py", "--network", "resnet50", "--panels", "32", "--steps", "20", "--rounds", "2"]),
    (45, [*_EXTRACT, "--network", "vit_b_16", "--images", "8000", "--rounds", "1"]),
    (60, ["bench_attack.py", "--network", "vit_b_16", "--panels", "16", "--steps", "10", "--rounds", "2"]),
    (60, [*_EXTRACT, "--network", "resnet50", "--images", "12000", "--rounds", "1", "--batch-size", "64"]),
    (60, [*_EXTRACT, "--network", "resnet50", "--images", "12000", "--rounds", "1", "--batch-size", "512"]),
    (
        90,
        [
            "bench_attack.py",
            "--network",
            "resnet50",
            *["--panels", "64", "--steps", "5", "--rounds", "2", "--batches", "24", "48", "192", "384"],
        ],
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=7.5)
    parser.add_argument("--first", type=int, default=len(RUNS), help="so many of the measurements")
    arguments = parser.parse_args()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("There is no NVIDIA GPU here. Run it on a machine with one.")
    ends = time.monotonic() + 60 * arguments.minutes
    for limit, run in RUNS[: arguments.first]:
        left = ends - time.monotonic()
        if left < 20:
            print(f"no time left for {' '.join(run)}", flush=True)
            continue
        print(f"== {' '.join(run)}", flush=True)
        command = [sys.executable, str(HERE / run[0]), *run[1:], "--device", arguments.device]
        started = time.monotonic()
        try:
            # Lines come as they are written, so that those of finished rounds are there whatever happens later.
            subprocess.run(command, timeout=min(limit, left), check=False, env=os.environ | {"PYTHONUNBUFFERED": "1"})
        except subprocess.TimeoutExpired:
            print("no time left to finish it", flush=True)
        print(f"({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
