"""Progress bars: a bar that moves on a terminal or in a notebook; in a log, a line now and then."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO, TypeVar

from tqdm.auto import tqdm
from tqdm.std import tqdm as plain_tqdm

_T = TypeVar("_T")
SECONDS = 5.0  # between two lines of a log, at least
_LINE = "{desc}: {n_fmt}/{total_fmt}, {elapsed} so far, {remaining} to go, {rate_fmt}"
_LAST = "{desc}: {n_fmt}/{total_fmt} in {elapsed}"


def progress_bar(
    iterable: Iterable[_T] | None = None, *, desc: str, unit: str, shown: bool, nested: bool = False, **options: Any
) -> tqdm[_T]:
    """tqdm's bar over `iterable`, or to be moved by `update`; where stderr is no terminal, lines for a log.

    Args:
        desc, unit: what is done, and to how many of what.
        shown: False for nothing.
        nested: the bar stands within another one: it vanishes when it is full, and a log does without it.
        options: of tqdm, such as total and initial.
    """
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        return tqdm(iterable, desc=desc, unit=unit, disable=not shown, leave=not nested, **options)
    return _Lines(iterable, desc=desc, unit=unit, disable=not shown or nested, **options)


def say(line: str) -> None:
    """Write a line to stderr, above the bar that moves there."""
    tqdm.write(line, file=sys.stderr)


class _Lines(plain_tqdm):
    """A bar that writes whole lines, at most one every `SECONDS`, and one at the end."""

    def __init__(self, *args: Any, **options: Any):
        self._written: float | None = None
        super().__init__(*args, bar_format=_LINE, mininterval=SECONDS, delay=SECONDS, **options)

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        def write(text: str) -> None:
            file.write(f"{text}\n")
            file.flush()

        return write

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        last = self.bar_format == _LAST
        if last or self.n != self._written:  # tqdm refreshes bars on which nothing moves, too
            self._written = self.n
            self.sp(str(self) if msg is None else msg)
        return True

    def close(self) -> None:
        if not self.disable:
            self.bar_format = _LAST
            self.display()
            self.last_print_t = -math.inf  # tqdm's own last words go unsaid for a bar that was never shown
        super().close()
