"""The methods of the comparison by name: each takes a `Case` and returns hypotheses, the most important first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from barlow_core.search import holm, search
from benchmarks.blindspots import alternatives
from benchmarks.blindspots.making import Case

Method = Callable[[Case], list[np.ndarray]]


def barlow_search(
    case: Case, *, seed: int = 0, alpha: float = 0.05, said_in_short: bool = False, **settings: float
) -> list[np.ndarray]:
    """`barlow_core.search` in the images of each label; Holm's correction over the rules of both; by q, then by failures held.

    `said_in_short` takes the images of the short forms of the rules, in the place of those of the rules.
    """
    found = []
    for label in (False, True):
        rows = np.flatnonzero(case.labels == label)
        result = search(case.features[rows], case.failure[rows], seed=seed, alpha=alpha, **settings)  # type: ignore[arg-type]
        for rule in result.rules:
            mask = np.zeros(len(case.labels), dtype=bool)
            said = rule.short if said_in_short and rule.short is not None else rule
            mask[rows[said.holds(case.features[rows])]] = True
            found.append((rule, mask))
    q = holm(np.array([rule.p for rule, _ in found]))
    kept = [i for i, (rule, mask) in enumerate(found) if rule.confirmed and q[i] <= alpha and mask.any()]
    return [found[i][1] for i in sorted(kept, key=lambda i: (q[i], -found[i][0].group.n_failures))]


METHODS: dict[str, Method] = {
    "barlow search": barlow_search,
    "barlow search, one direction": partial(barlow_search, most=1),
    "tree, depth 1": partial(alternatives.paper_tree, depth=1),
    "tree, depth 2": partial(alternatives.paper_tree, depth=2),
    "tree, depth 3": partial(alternatives.paper_tree, depth=3),
    "tree, depth 8, tau 0.05": partial(alternatives.paper_tree, depth=8, tau=0.05),
    "beam search, up to 6 conditions": alternatives.beam_search,
    "PlaneSpot's idea, weight 0.1": partial(alternatives.planespot, weight=0.1),
    "PlaneSpot's idea, weight 0.5": partial(alternatives.planespot, weight=0.5),
    "Domino's idea, weight 1": partial(alternatives.domino, weight=1.0),
    "Domino's idea, weight 10": partial(alternatives.domino, weight=10.0),
}
# Rules in short, which the tables do not compare.
IN_SHORT: dict[str, Method] = {
    f"short, {short} features": partial(barlow_search, said_in_short=True, short=short) for short in (5, 10, 20)
}
