"""A shortcut that was planted, found and painted over: the circle closed."""

from __future__ import annotations

from benchmarks.planted_shortcuts.describing import describing
from benchmarks.planted_shortcuts.mending import mend


def test_trained_on_what_is_painted_over_the_shortcut_is_gone() -> None:
    """The circle closed, in one seed of the planted study (its command is in docs/interventions.md, with ten others)."""
    row = {"seed": 0, "group": "label:horse", "rule": "feature[49] > 0.0115", "feature": 49, "tells": "red"}
    found = mend(row, describing(), ways=("before", "after"))
    assert found["squares_covered"] > 0.9
    assert found["area"] < 0.2
    assert found["gap_before"] > 0.4 > 0.2 > abs(found["gap_after"])
    assert found["error_in_leaf_after"] < 0.6 * found["error_in_leaf_before"]
    assert found["error_after"] < found["error_before"]
