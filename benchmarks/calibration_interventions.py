"""Are the p-values of interventions uniform where there is nothing to find? `python -m benchmarks.calibration_interventions RUN`

Null modes of the example: a group, a feature and a threshold, all drawn at random, so that the feature has no more to do with the
model's failures than any other. The leaf is what follows the drawn condition. Each is intervened on as usual; under the null its
p is uniform on 1/(K+1), 2/(K+1), ..., 1 for K random features.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import chisquare

from barlow_core.directions import Direction
from barlow_core.extractors import load
from barlow_core.groups import all_groups
from barlow_core.interventions import InterventionSettings, Target, intervene
from barlow_core.interventions.kinds import DEPENDS
from barlow_core.run import Run
from barlow_core.statistics import wilson_interval

MODES, CONTROLS, IMAGES, DOSES = 200, 19, 6, 1
RESULTS = Path(__file__).parent / "results" / "null_interventions.csv"


def null_target(run: Run, number: int) -> Target:
    """A condition on a random feature, in a random group, at a random threshold."""
    rng = np.random.default_rng([number, 7])
    groups = all_groups(run.benchmark)
    features = run.features()
    active = np.flatnonzero((np.asarray(features[::10]) != 0).mean(axis=0) >= 0.9)
    group, feature = groups[rng.integers(len(groups))], int(rng.choice(active))
    values = np.asarray(features[:, feature])
    threshold, above = float(np.quantile(values[group.indices], rng.uniform(0.3, 0.7))), bool(rng.random() < 0.5)
    holds = (values > threshold) == above
    members = holds[group.indices]
    others = np.setdiff1d(np.flatnonzero(holds), group.indices)
    rule = f"feature[{feature}] {'>' if above else '<'} {threshold:.4f}"
    name = f"null mode {number}"
    return Target(
        group.key, name, rule, Direction.of(feature), above, threshold, group.indices[members], group.indices[~members], others
    )


def one_mode(run: Run, number: int, model: Any, extractor: Any) -> dict[str, Any]:
    settings = InterventionSettings(images=IMAGES, doses=DOSES, controls=CONTROLS, seed=number)
    found = intervene(run, model, null_target(run, number), extractor=extractor, settings=settings)
    shutil.rmtree(found.path)
    row: dict[str, Any] = {"mode": number, "group": found.group, "feature": found.features[0], "verdict": found.verdict}
    for way in found.info["ways"]:
        controls = np.array(way["control_effects"])
        row[f"p_{way['way']}"] = way["p"]
        row[f"z_{way['way']}"] = round(float((way["effect"] - controls.mean()) / controls.std(ddof=1)), 4)
        row[f"excess_{way['way']}"] = round(way["excess"], 4)
    return row


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each way: how often p is small, a chi-square test of uniformity over ten bins, and where the effects are centred."""
    found = []
    for way in ("latent", "inpaint"):
        own = rows[rows[f"p_{way}"].notna()]
        p, n = own[f"p_{way}"].to_numpy(), len(own)
        bins = np.bincount(np.minimum((np.ceil(p * 10 - 1e-9) - 1).astype(int), 9), minlength=10)
        low, high = wilson_interval(int((p <= 0.05).sum()), n)
        z, excess = own[f"z_{way}"].mean(), own[f"excess_{way}"]
        found.append(
            {
                "way": way,
                "modes": n,
                "p <= 0.05": f"{(p <= 0.05).mean():.3f} ({low:.3f} to {high:.3f})",
                "p <= 0.1": round(float((p <= 0.1).mean()), 3),
                "p <= 0.5": round(float((p <= 0.5).mean()), 3),
                "ten bins": " ".join(map(str, bins)),
                "uniform: p": round(float(chisquare(bins).pvalue), 3),
                "mean z (± 1.96 se)": f"{z:+.3f} ± {1.96 * own[f'z_{way}'].std() / np.sqrt(n):.3f}",
                "mean excess (± 1.96 se)": f"{excess.mean():+.4f} ± {1.96 * excess.std() / np.sqrt(n):.4f}",
            }
        )
    return pd.DataFrame(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration_interventions", description=__doc__)
    parser.add_argument("run", type=Path, help="a run of the example cifar10: barlow demo --no-browse")
    parser.add_argument("--modes", type=int, default=MODES)
    parser.add_argument("--out", type=Path, default=RESULTS, help="rows that are there stay")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = Run(options.run)
    model, extractor = load("standard_resnet_cifar10"), run.extractor()
    rows: list[dict[Any, Any]] = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    options.out.parent.mkdir(exist_ok=True)
    for number in range(len(rows), options.modes):
        rows.append(one_mode(run, number, model, extractor))
        pd.DataFrame(rows).to_csv(options.out, index=False)
    table = pd.DataFrame(rows)
    print(summary(table).T.to_string(header=False))
    n = int((table["verdict"] == DEPENDS).sum())
    low, high = wilson_interval(n, len(table))
    print(f"said to be depended on: {n} of {len(table)} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
