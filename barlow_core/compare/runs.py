"""Two runs in, a `Comparison` out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from barlow_core.analyses import ExplainRecord
from barlow_core.compare.comparison import Comparison
from barlow_core.compare.groups import groups_table, overall
from barlow_core.compare.modes import modes_table
from barlow_core.compare.sides import Pair, Side, positions
from barlow_core.errors import BarlowError
from barlow_core.evaluation.evaluation import agreed, run_names
from barlow_core.run import Run


def compare(
    first: Run,
    second: Run,
    *,
    depth: int | None = None,
    delta: float | None = None,
    tau: float | None = None,
    confidence: float = 0.95,
    names: Sequence[str] | None = None,
) -> Comparison:
    """Put two finished runs side by side; see the module for how.

    Args:
        first, second: explained, such as the older and the newer version of a model.
        depth: of the trees; None for the deepest that both have.
        delta, tau: of a failure mode; None for those that the runs were explained with.
        confidence: of every interval, between 0 and 1.
        names: what to call the runs; None for the names of their folders.

    Raises:
        BarlowError: a run that is not explained, or up to date; the same run twice; a depth that one of them does not have;
            different delta or tau, where none is given; no class in common; an argument out of range.

    Cost: one read of the features that a rule asks for, for each image of its group; memory: those, and the trees of both runs.
    """
    if not 0 < confidence < 1:
        raise BarlowError(f"confidence is {confidence}. Expected a number between 0 and 1, such as 0.95.")
    runs = (first, second)
    called = run_names(runs, names)
    delta, tau = agreed(runs, called, "delta", delta), agreed(runs, called, "tau", tau)
    depth = _common_depth(runs, called, depth)
    one, two = (set(run.benchmark.class_names) for run in runs)
    if not one & two:
        raise BarlowError(
            f"{called[0]} (with {_some(one)}) and {called[1]} (with {_some(two)}) have no class in common. "
            "Expected two runs about the same classes; give them the same names (barlow import --classes)."
        )
    order = positions(first.benchmark, second)
    sides = [Side(first, None, first.benchmark, depth, delta, tau), Side(second, order, first.benchmark, depth, delta, tau)]
    pair = Pair(sides[0], sides[1], same_images=order is not None)
    return Comparison(
        names=(called[0], called[1]),
        depth=depth,
        delta=delta,
        tau=tau,
        confidence=confidence,
        same_images=pair.same_images,
        same_failures=pair.same_failures,
        same_extractor=pair.same_extractor,
        common_images=int(pd.Index(first.benchmark.digests).isin(second.benchmark.digests).sum()),
        only_first=[name for name in first.benchmark.class_names if name not in two],
        only_second=[name for name in second.benchmark.class_names if name not in one],
        overall=overall(pair, confidence),
        groups=groups_table(pair, confidence),
        failure_modes=modes_table(pair, delta, tau, confidence),
    )


def _common_depth(runs: Sequence[Run], names: Sequence[str], depth: int | None) -> int:
    deepest = [ExplainRecord.of(run).settings.depth for run in runs]
    if depth is None:
        return min(deepest)
    for run, name, most in zip(runs, names, deepest, strict=True):
        if not 1 <= depth <= most:
            raise BarlowError(
                f"{name} has no trees of depth {depth}, only of depth 1 to {most}. "
                f"Choose one of these, or run: barlow explain {run.path} --depth {depth}"
            )
    return depth


def _some(classes: set[str]) -> str:
    return ", ".join(sorted(classes)[:3]) + (" …" if len(classes) > 3 else "")
