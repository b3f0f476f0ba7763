"""`barlow browse`: what it hands to the app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from barlow_core.cli import cli, serve
from barlow_core.run import Run


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the app was started with, instead of a server."""
    found: dict[str, Any] = {}

    def serve_app(script: str, arguments: list[str], **options: Any) -> None:
        found.update(script=script, arguments=arguments, **options)

    monkeypatch.setattr(serve, "serve_app", serve_app)
    return found


def test_several_runs_read_only_below_a_base_path(planted_run: Run, started: dict[str, Any]) -> None:
    command = ["browse", str(planted_run.path), str(planted_run.path), "--read-only", "--base-path", "tools/barlow", "--no-open"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert started["script"] == "browse.py"
    assert started["arguments"] == [str(planted_run.path), str(planted_run.path), "--read-only"]
    assert started["base_path"] == "tools/barlow"
    assert started["open_browser"] is False


def test_every_run_must_be_one(planted_run: Run, tmp_path: Path, started: dict[str, Any]) -> None:
    result = CliRunner().invoke(cli, ["browse", str(planted_run.path), str(tmp_path)])
    assert result.exit_code == 2
    assert "is not a run folder" in result.output
    assert not started
    assert CliRunner().invoke(cli, ["browse"]).exit_code == 2
