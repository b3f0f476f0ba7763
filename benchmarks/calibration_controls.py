"""Which random features may an intervention compare with? `python -m benchmarks.calibration_controls RUN`

In three groups of the example, every active feature is raised, and lowered, in the same ten successes, and the model is asked again. Then each
feature takes the place of the one that is tested, again and again, against random ones, of which those are left out whose correlation with it is
above a limit. A test at a level should reject about so many; the more is left out, the more it rejects.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from barlow_core.extractors import load
from barlow_core.groups import parse
from barlow_core.interventions import InterventionSettings
from barlow_core.interventions.asking import Inspected, pictures
from barlow_core.interventions.changes import ACTIVE, latent_changes
from barlow_core.panels.attack import attack_networks
from barlow_core.run import Run
from benchmarks.calibration_interventions import MODEL, example_run

GROUPS = ("prediction:horse", "label:frog", "prediction:truck")
LIMITS = (0.3, 0.5, 0.7, 0.8, 0.9, np.inf)
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.5)
IMAGES, CONTROLS, DRAWS = 10, 39, 500


def effects(run: Run, key: str, seed: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean change of the margin for every active feature, raised and lowered: (2, d); correlations of these features in the group: (d, d)."""
    extractor, inspected = run.extractor(device=device), Inspected(run, load(MODEL, device=device))
    gradients, _ = attack_networks(extractor)
    group, stored = parse(run.benchmark, key).indices, np.asarray(run.features())
    successes = group[~run.benchmark.failure[group]]
    rows = np.random.default_rng(seed).choice(successes, IMAGES, replace=False)
    seen, asked = pictures(run, rows, extractor.preprocess, inspected.preprocess)
    labels = run.benchmark.labels[rows]
    before = inspected.ask(asked, labels).margins
    epsilon = InterventionSettings().full_change(extractor.image_size)
    active = np.flatnonzero((stored[rows] != 0).mean(axis=0) >= ACTIVE)
    found = np.zeros((2, len(active)))
    for at, feature in enumerate(active):
        for side, up in enumerate((True, False)):
            raised = np.full(IMAGES, up)
            (_, change) = latent_changes(gradients, seen, np.full(IMAGES, feature), raised=raised, doses=1, epsilon=epsilon)
            found[side, at] = (inspected.ask((asked + change).clamp(0, 1), labels).margins - before).mean()
    return found, np.abs(np.nan_to_num(np.corrcoef(stored[group][:, active].T)))


def ranks(effect: np.ndarray, correlation: np.ndarray, limit: float, rng: np.random.Generator) -> list[float]:
    """p of `DRAWS` features in the place of the one that is tested, each both for a large and for a small effect."""
    found = []
    for _ in range(DRAWS):
        tested = int(rng.integers(len(effect)))
        others = np.delete(np.arange(len(effect)), tested)
        apart = correlation[tested, others] <= limit
        rest = others[~apart]
        rest = rest[np.argsort(correlation[tested, rest], kind="stable")]
        controls = np.concatenate([rng.permutation(others[apart]), rest])[:CONTROLS]
        found += [(1 + int((sign * effect[controls] >= sign * effect[tested]).sum())) / (len(controls) + 1) for sign in (1, -1)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration_controls", description=__doc__)
    parser.add_argument(
        "run", type=Path, help="a run of the example cifar10 (barlow demo --no-browse); made where it is not there"
    )
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    run, rng = example_run(options.run, options.device), np.random.default_rng(0)
    measured = [effects(run, key, seed, options.device) for seed, key in enumerate(GROUPS)]
    print(f"{sum(both.shape[1] for both, _ in measured)} features in {len(GROUPS)} groups, raised and lowered")
    rows = []
    for limit in LIMITS:
        p = np.array([one for both, apart in measured for effect in both for one in ranks(effect, apart, limit, rng)])
        rows.append(
            {"left out above": limit} | {f"p <= {level}": round(float((p <= level + 1e-9).mean()), 3) for level in LEVELS}
        )
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
