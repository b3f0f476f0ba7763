"""Every command of docs/running_a_study.md works, in order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_run import small_extractor, small_run

from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.run import Run
from study.cli.analyze import analyze

TEXT = (Path(__file__).parents[3] / "docs" / "running_a_study.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line
]


@pytest.fixture(scope="module")
def folder(planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("running")
    small_run(folder / "runs" / "mine", planted_benchmark, small_extractor())
    for name in ("robust", "standard"):  # of one network here, two in life
        small_run(folder / "runs" / name, planted_benchmark, small_extractor())
    return folder


@pytest.fixture
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """In that folder, with pages that end at once, a network that is there, and attacks that take no time."""
    found: list[tuple[Any, ...]] = []
    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        "barlow_core.cli.serve.serve_app", lambda script, arguments, **how: found.append((script, arguments, how))
    )
    monkeypatch.setattr("study.cli.serving.subprocess.Popen", _Nothing)
    monkeypatch.setattr(Run, "extractor", lambda self, **_: small_extractor())
    monkeypatch.setattr("barlow_core.panels.render.default_steps", lambda side: 1)
    monkeypatch.setattr("study.setup.making.default_steps", lambda side: 1)
    monkeypatch.setattr("study.setup.making.IMAGES_PER_PANEL", 1)
    return found


class _Nothing:
    def __init__(self, *_: object, **__: object): ...

    def terminate(self) -> None: ...

    def wait(self) -> None: ...


@pytest.mark.parametrize("command", COMMANDS)
def test_command_works(served: list[tuple[Any, ...]], command: str) -> None:
    words = shlex.split(command)
    if words[2] == "analyze":  # takes a while, and has tests of its own
        assert analyze.make_context("analyze", words[3:]).params["out"] == Path(words[-1])
        return
    result = CliRunner().invoke(cli, words[1:])
    assert result.exit_code == 0, result.output
    if words[2] in ("serve", "preview"):
        ((script, arguments, how),) = served
        assert script == "annotate.py"
        assert Path(arguments[0]).is_file()
        assert how["options"]["client.showErrorDetails"] == "none"
        if "--url" in words:
            assert how["options"]["browser.serverAddress"] == "study.example.org"


def test_the_page_names_every_verb_and_only_settings_that_there_are() -> None:
    from study.cli import _COMMANDS
    from study.store import StudySettings

    assert [verb for verb in _COMMANDS if f"`{verb}" not in TEXT and f"study {verb}" not in TEXT] == []
    named = re.findall(r"`([a-z]+_[a-z_]+)`", TEXT)
    assert [name for name in named if name not in StudySettings.names()] == []
