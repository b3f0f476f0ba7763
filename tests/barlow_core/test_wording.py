"""Numbers in words."""

from __future__ import annotations

import pytest

from barlow_core.wording import count, percent, percent_interval, points, points_interval


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0 %"),
        (0.0782, "7.8 %"),
        (1, "100.0 %"),
        (0.0004, "0.04 %"),
        (0.0009999, "0.10 %"),
        (0.001, "0.1 %"),
        (0.1345, "13.5 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == text


def test_points_keep_their_sign() -> None:
    assert [points(x) for x in (0.218, -0.05, 0)] == ["+21.8 points", "-5.0 points", "+0.0 points"]


def test_counts_in_the_singular_and_the_plural() -> None:
    assert [count(1, "image"), count(1200, "image"), count(2, "class", "classes")] == ["1 image", "1,200 images", "2 classes"]


def test_intervals_carry_their_unit_once() -> None:
    assert percent_interval(0.181, 0.3094).replace("\N{NO-BREAK SPACE}", " ") == "18.1 to 30.9 %"
    assert points_interval(-0.02, 0.203) == "-2.0 to +20.3 points"
