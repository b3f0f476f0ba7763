"""Subgroup discovery by beam search over thresholds of single features: that of pysubgroup, a hundred times faster.

pysubgroup takes minutes for a benchmark of this comparison, because it looks at one condition after the other. Here all conditions that may
be added to a subgroup are counted by one product of matrices. That both find the same is checked on small problems by

    pip install pysubgroup
    python -m benchmarks.blindspots.beam
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd


class Conditions(NamedTuple):
    """`feature >= threshold` where above, else `feature < threshold`; (c,) each."""

    features: np.ndarray
    thresholds: np.ndarray
    above: np.ndarray

    def holds(self, features: np.ndarray) -> np.ndarray:
        """(c, n) bool for features (n, D)."""
        return (features.T[self.features] >= self.thresholds[:, None]) == self.above[:, None]


def conditions(features: np.ndarray, parts: int = 5) -> Conditions:
    """Both sides of the thresholds that part each of features (n, D) into `parts` of equal size, where those differ."""
    cuts = np.quantile(features, np.arange(1, parts) / parts, axis=0, method="higher")
    found = [
        (j, cut, above)
        for j in range(features.shape[1])
        for cut in np.unique(cuts[:, j])
        if features[:, j].min() < cut
        for above in (True, False)
    ]
    j, cut, above = zip(*found, strict=True)
    return Conditions(np.array(j), np.array(cut), np.array(above))


def best_subgroup(covers: np.ndarray, failure: np.ndarray, *, depth: int = 6, width: int = 20) -> tuple[float, frozenset[int]]:
    """The conjunction of at most `depth` conditions with the highest quality that a beam of `width` finds.

    Args:
        covers: (c, n) bool, the images for which each condition holds. failure: (n,) bool.

    Returns:
        Quality sqrt(n_s / n) * (ER - BER), and the numbers of the conditions.
    """
    each, n, base = covers.astype(np.float32), len(failure), failure.mean()
    beam: dict[frozenset[int], float] = {frozenset(): 0.0}
    visited: set[frozenset[int]] = set()
    for _ in range(depth):
        pool = dict(beam)
        for subgroup in [one for one in beam if one not in visited]:
            visited.add(subgroup)
            inside = covers[list(subgroup)].all(axis=0)
            images, failures = (each @ np.column_stack([inside, inside & failure]).astype(np.float32)).T
            quality = np.sqrt(images / n) * (failures / np.maximum(images, 1) - base)
            for number in np.argsort(-quality, kind="stable")[: width + depth].tolist():
                if number not in subgroup:
                    pool[subgroup | {number}] = float(quality[number])
        previous, beam = beam, dict(sorted(pool.items(), key=lambda pair: -pair[1])[:width])
        if set(beam) == set(previous):
            break
    best = max(beam, key=lambda one: beam[one])
    return beam[best], best


def main() -> None:
    import pysubgroup as ps  # installed for this check alone

    for seed in range(10):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame(rng.normal(size=(400, 8))).add_prefix("f")
        failure = rng.random(400) < np.where((table["f0"] > 0.2) & (table["f1"] < 0.3) & (table["f2"] > -0.5), 0.8, 0.1)
        data = table.assign(failure=failure)
        selectors = ps.create_selectors(data, nbins=5, intervals_only=False, ignore=["failure"])
        task = ps.SubgroupDiscoveryTask(
            data, ps.BinaryTarget("failure", True), selectors, result_set_size=1, depth=6, qf=ps.SimpleBinomialQF()
        )
        theirs = ps.BeamSearch(beam_width=20).execute(task).to_descriptions()[0][0]
        covers = np.array([selector.covers(table) for selector in selectors])
        ours, _ = best_subgroup(covers, failure)
        print(f"{seed}: quality {theirs:.6f} by pysubgroup, {ours:.6f} here")
        assert abs(theirs - ours) < 1e-6


if __name__ == "__main__":
    main()
