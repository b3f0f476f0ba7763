"""How many shuffles a run can afford, by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from barlow_core.analyses import Checks, ExplainRecord, every_group
from barlow_core.analyses.checks import affordable_permutations
from barlow_core.run import Run


@pytest.mark.parametrize(
    ("n_values", "permutations"),
    [
        (0, 199),
        (20_000 * 256, 199),
        (502_512_562, 199),  # 199 shuffles look at just under 10^11 numbers
        (502_512_563, 198),
        (10**9, 100),
        (2_564_102_564, 39),
        (2_564_102_565, 0),  # 38 shuffles could not even give p = 0.025
        (10**14, 0),
    ],
)
def test_shuffles_that_a_run_can_afford(n_values: int, permutations: int) -> None:
    assert affordable_permutations(n_values) == permutations


def test_what_a_run_can_afford_is_what_it_takes(make_explained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def afford(n_values: int) -> int:
        asked.append(n_values)
        return 3

    monkeypatch.setattr(every_group, "affordable_permutations", afford)
    run = make_explained(depth=1, checks=Checks(held_out="none", permutations=None))
    assert asked == [int(run.groups()["n_images"].sum()) * 12]
    assert ExplainRecord.of(run).checks.permutations == 3
    assert run.failure_modes()["p"].notna().any()
