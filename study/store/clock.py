"""Time that stays sane when somebody sets the clock of the computer.

What happened when is written down as the clock on the wall says it (UTC). How long something took, and whether a reservation has
run out, is measured on the clock that counts seconds since the computer started: nobody can set it back, it is the same for all
processes, and it starts again from zero only with the computer, which its boot id tells.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

ESTIMATED = "started about "
SAME_BOOT_SECONDS = 120.0


class Moment(NamedTuple):
    """One reading of both clocks.

    Attributes:
        utc: the clock on the wall, ISO 8601 with milliseconds and Z: "2025-03-01T12:00:00.250Z".
        ticks: seconds since the computer started.
        boot: which start of the computer `ticks` counts from.
    """

    utc: str
    ticks: float
    boot: str


class Clock:
    """The clocks of this computer."""

    def now(self) -> Moment:
        ticks = _ticks()
        wall = time.time()
        return Moment(timestamp(wall), ticks, _boot_id() or f"{ESTIMATED}{wall - ticks:.0f}")


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 text in UTC, with milliseconds and Z; such texts sort by time."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def seconds_of(utc: str) -> float:
    """Seconds since 1970 of a text that `timestamp` made."""
    return datetime.fromisoformat(utc).timestamp()


def same_boot(one: str, other: str) -> bool:
    """Whether ticks of the two boots can be compared."""
    if one.startswith(ESTIMATED) and other.startswith(ESTIMATED):
        return abs(float(one.removeprefix(ESTIMATED)) - float(other.removeprefix(ESTIMATED))) < SAME_BOOT_SECONDS
    return one == other


def _ticks() -> float:
    # Linux stops its monotonic clock while a laptop sleeps; a reservation should run out all the same.
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


@lru_cache(maxsize=1)
def _boot_id() -> str | None:
    """What the system calls this start of the computer; None where it has no name for it (Windows).

    Without a name the start is estimated from both clocks, each time anew: setting the clock by more than two minutes then looks
    like a restart, which is safe, too.
    """
    try:
        if sys.platform == "darwin":
            command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip() or None
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
