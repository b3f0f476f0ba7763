"""What the faster ways of `extract` change: in features, in the features that are selected, in the rules that are found.

    python benchmarks/compare_executions.py [--images 10000] [--methods float32 bfloat16]
    python benchmarks/compare_executions.py --example groceries

On the CIFAR-10 example, or on the photographs of the other (whose JPEG files the faster ways also decode at a reduced size); a method that the processor has no arithmetic for is emulated by torch, slowly and with the same rounding.
Differences of features are in standard deviations of each feature over the images. Rules count as the same where they test the same
features in the same group and depth; how good they are is their increase of the error rate on held-out images (cross-fitting).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from bench_extract import example
from machine import described

from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.examples.demo import prepare
from barlow_core.extraction import extract
from barlow_core.extractors import load
from barlow_core.run import Run


def explained(run: Run) -> tuple[pd.DataFrame, dict[str, list[int]]]:
    modes = explain_run(run, workers=1, min_leaf=None)  # as the command does
    selected = {key: [int(feature) for feature, _ in group["features"]] for key, group in run.trees().items()}
    return modes, selected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", choices=["cifar10", "groceries"], default="cifar10")
    parser.add_argument("--images", type=int, default=10_000, help="of CIFAR-10")
    parser.add_argument("--methods", nargs="+", default=["float32", "bfloat16", "float16"])
    parser.add_argument("--extractor", default="robust_resnet_cifar10")
    arguments = parser.parse_args()
    print(described())
    extractor = load(arguments.extractor)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.example == "groceries":
            files = prepare("groceries", folder, extractor=arguments.extractor)
            benchmark = Benchmark.from_csv(files.images_dir, files.metadata_csv)
        else:
            benchmark = example(Path(folder) / "images", arguments.images)
        found = {}
        for method in ("exact", *arguments.methods):
            run = Run.create(Path(folder) / method, benchmark)
            how = {"exact": True} if method == "exact" else {"precision": method}
            features = np.array(extract(run, extractor, **how))
            found[method] = features, *explained(run)
            modes = found[method][1]
            print(f"{method}: {json.dumps(run.require('extract')['execution'])}, {run.require('extract')['seconds']:.0f} s")
            print(
                f"  {len(modes)} failure modes of all depths, {(modes['verdict'] == 'confirmed').sum()} confirmed, "
                f"increase on held-out images {modes['held_out_increase'].mean():.4f} on average",
                flush=True,
            )
    exact, modes, selected = found["exact"]
    deviation = exact.std(axis=0)
    rules = {
        (group, depth, rule)
        for group, depth, rule in zip(modes["group"], modes["depth"], modes["features"].map(tuple), strict=True)
    }
    for method in arguments.methods:
        features, its_modes, its_selected = found[method]
        difference = np.abs(features - exact) / deviation
        same = np.mean(
            [len(set(selected[key]) & set(its_selected[key])) / len(selected[key]) for key in selected if selected[key]]
        )
        its_rules = set(zip(its_modes["group"], its_modes["depth"], its_modes["features"].map(tuple), strict=True))
        print(
            f"{method}: features differ by {np.median(difference):.2g} (median) to {difference.max():.2g} (most) standard deviations; "
            f"{same:.1%} of the selected features are the same; {len(rules & its_rules)} of {len(rules | its_rules)} rules are of the same features"
        )


if __name__ == "__main__":
    main()
