"""All measurements of extraction and attacks on a GPU, in under eight minutes; the output is a table for docs/speed.md.

    python benchmarks/gpu.py [--device cuda] [--minutes 7.5]

Runs bench_extract.py and bench_attack.py one after the other, the most important first, and leaves out what there is no time for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
# Images enough for some seconds at thousands a second; rounds few, since nobody else uses the device.
RUNS = [
    ["bench_extract.py", "--network", "resnet50", "--images", "6000", "--rounds", "2"],
    ["bench_attack.py", "--network", "resnet50", "--panels", "32", "--steps", "20", "--rounds", "3"],
    [
        "bench_attack.py",
        "--network",
        "resnet50",
        "--panels",
        "64",
        "--steps",
        "5",
        "--rounds",
        "2",
        "--batches",
        "24",
        "48",
        "192",
        "384",
    ],
    ["bench_extract.py", "--network", "resnet50", "--images", "6000", "--rounds", "1", "--batch-size", "64"],
    ["bench_extract.py", "--network", "resnet50", "--images", "6000", "--rounds", "1", "--batch-size", "512"],
    ["bench_extract.py", "--network", "vit_b_16", "--images", "4000", "--rounds", "1"],
    ["bench_attack.py", "--network", "vit_b_16", "--panels", "16", "--steps", "10", "--rounds", "2"],
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=7.5)
    arguments = parser.parse_args()
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("There is no NVIDIA GPU here. Run it on a machine with one.")
    ends = time.monotonic() + 60 * arguments.minutes
    for run in RUNS:
        left = ends - time.monotonic()
        if left < 20:
            print(f"no time left for {' '.join(run)}")
            continue
        print(f"== {' '.join(run)}", flush=True)
        command = [sys.executable, str(HERE / run[0]), *run[1:], "--device", arguments.device]
        try:
            subprocess.run(command, timeout=left, check=False)
        except subprocess.TimeoutExpired:
            print("no time left to finish it")


if __name__ == "__main__":
    main()
