from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable

import pytest

from barlow_core import progress
from barlow_core.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was written since the last call, where stderr is a file."""
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    return lambda: capsys.readouterr().err


def test_a_log_gets_one_line_for_what_is_done_at_once(log: Callable[[], str]) -> None:
    assert list(progress_bar(range(3), desc="features", unit="image", shown=True)) == [0, 1, 2]
    assert log() == "features: 3/3 in 00:00\n"


def test_a_log_gets_a_line_now_and_then(log: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS", 0.2)
    started = time.monotonic()
    with progress_bar(desc="features", unit="image", total=400, initial=100, shown=True) as bar:
        for _ in range(300):
            time.sleep(0.003)
            bar.update(1)
    seconds = time.monotonic() - started
    written = log()
    *lines, last, nothing = written.split("\n")
    assert nothing == ""
    assert last.startswith("features: 400/400 in 00:0")
    assert 1 <= len(lines) <= seconds / 0.2
    for line in lines:
        assert line.startswith("features: ")
        assert line.endswith("image/s")
        assert "to go" in line
    assert "\r" not in written


def test_a_log_says_how_far_it_came_when_it_is_interrupted(log: Callable[[], str]) -> None:
    with pytest.raises(KeyboardInterrupt), progress_bar(desc="features", unit="image", total=9, shown=True) as bar:
        bar.update(4)
        raise KeyboardInterrupt
    assert log() == "features: 4/9 in 00:00\n"


def test_bars_within_bars_and_quiet_ones_write_nothing_into_a_log(log: Callable[[], str]) -> None:
    assert list(progress_bar(range(3), desc="attack", unit="step", shown=True, nested=True)) == [0, 1, 2]
    assert list(progress_bar(range(3), desc="features", unit="image", shown=False)) == [0, 1, 2]
    assert log() == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert sum(progress_bar(range(3), desc="features", unit="image", shown=True)) == 3
    assert "\rfeatures: 100%" in terminal.getvalue()
