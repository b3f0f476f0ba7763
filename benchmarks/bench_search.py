"""Seconds and peak memory of `search_run` as a benchmark grows, and what that says about ImageNet.

    python benchmarks/bench_search.py                                   label and prediction groups of 1,281 images, 2,048 features
    python benchmarks/bench_search.py --whole 75000,150000,300000       all images as one group, growing

Synthetic benchmarks (barlow_core.examples.synthetic) are written to a temporary folder and searched with the settings as shipped, each in a
fresh process; seconds, CPU seconds and peak memory as in bench_explain.py. Beside what is planted, failures are luck, and of 2,048
independent features few components show anything: searches run as long as they ever do, because what they follow is noise.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench_explain import Usage

from barlow_core.analyses import Checks, FoundRule, found_rules, rule_images, search_run, searched_groups, strongest_images
from barlow_core.engine import cores
from barlow_core.examples import synthetic
from barlow_core.run import Run

GROUPS = 2000  # predicted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", default="2,4,8", help="numbers of classes, with commas: two groups each")
    parser.add_argument("--images", type=int, default=1281, help="of a class")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--whole", help="numbers of images, with commas: each a group of its own")
    parser.add_argument("--stability", type=int, default=0, help="random halves")
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # a run folder: what the fresh process does
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments)))
        return
    print(
        f"{arguments.workers} workers on {cores()} cores, {arguments.stability} halves\n images  groups  rules  seconds   CPU s     peak"
    )
    found = []
    sizes = (
        [(10, int(n) // 10) for n in arguments.whole.split(",")]
        if arguments.whole
        else [(int(n), arguments.images) for n in arguments.classes.split(",")]
    )
    for classes, images in sizes:
        found.append(point(classes, images, arguments))
        print(
            "{images:7,} {groups:7} {rules:6} {seconds:8.1f} {cpu_seconds:7.1f} {peak:8.2f} GiB".format(**found[-1]), flush=True
        )
        if arguments.whole:
            print("images to look at: {stored:.3f} s, without search_images.parquet {computed:.1f} s".format(**found[-1]))
    x = [point["images"] if arguments.whole else point["groups"] for point in found]
    for what in ("seconds", "cpu_seconds", "peak"):
        slope, start = np.polyfit(x, [point[what] for point in found], 1)
        total = "" if arguments.whole else f"; {GROUPS:,} groups: {start + slope * GROUPS:,.1f}"
        print(f"{what}: {start:.3g} + {slope:.3g} {'an image' if arguments.whole else 'a group'}{total}")


def point(classes: int, images: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Make a benchmark, search it in a fresh process, and remove it."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "run"
        synthetic.make(path, classes=classes, images_per_class=images, n_features=arguments.features)
        command = [sys.executable, __file__, "--measure", str(path), "--workers", str(arguments.workers)]
        command += ["--stability", str(arguments.stability), *(["--whole", "1"] if arguments.whole else [])]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        shutil.rmtree(path)
    return {"images": classes * images, **found}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    run = Run(arguments.measure)
    groupings = ("all",) if arguments.whole else ("label", "prediction")
    with Usage() as usage:
        started = time.perf_counter()
        search_run(run, groupings=groupings, checks=Checks(resamples=arguments.stability), workers=arguments.workers)
        seconds = time.perf_counter() - started
    clicks = look(run) if arguments.whole else {}
    return clicks | {
        "groups": len(searched_groups(run)),
        "rules": len(found_rules(run)),
        "seconds": seconds,
        "cpu_seconds": usage.cpu_seconds,
        "peak": usage.peak / 2**30,
    }


def look(run: Run) -> dict[str, float]:
    """Seconds until the images of the first rule and of its features are known: as the search left them, and from the features."""
    rule, seconds = FoundRule(found_rules(run).iloc[0].to_dict()), {}
    for name in ("stored", "computed"):
        started = time.perf_counter()
        rule_images(run, rule)
        strongest_images(run, rule)
        seconds[name] = time.perf_counter() - started
        (run.path / "search_images.parquet").unlink(missing_ok=True)
    return seconds


if __name__ == "__main__":
    main()
