"""Clocks that a test sets: the one on the wall and the one that counts from the start of the computer."""

from __future__ import annotations

from study.store.clock import Clock, Moment, timestamp


class FakeClock(Clock):
    def __init__(self) -> None:
        self.wall = 1_740_830_400.0  # 2025-03-01T12:00:00Z
        self.ticks = 5_000.0
        self.boots = 1

    def now(self) -> Moment:
        return Moment(timestamp(self.wall), self.ticks, f"boot {self.boots}")

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.ticks += seconds

    def set_wall(self, seconds: float) -> None:
        """Set the clock on the wall forward or back."""
        self.wall += seconds

    def reboot(self, off: float, *, wall: float | None = None) -> None:
        """Start the computer again after `off` seconds; `wall`: how much the clock on the wall says has passed."""
        self.wall += off if wall is None else wall
        self.ticks = 30.0
        self.boots += 1
