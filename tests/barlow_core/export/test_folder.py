from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from barlow_core.cli.export import export
from barlow_core.cli.shared import BarlowGroup
from barlow_core.errors import BarlowError
from barlow_core.export import export_run
from barlow_core.run import Run
from barlow_core.views.judgements import Judgements


def barlow_export(*arguments: str | Path) -> Result:
    group = BarlowGroup("barlow", commands={"export": export})
    return CliRunner().invoke(group, ["export", *map(str, arguments)])


def names_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


TABLES = ["failure_mode_images", "failure_modes", "groups", "images"]


def test_by_default_a_report_and_tables(explained_run: Run, tmp_path: Path) -> None:
    result = barlow_export(explained_run.path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert names_below(tmp_path / "out") == ["report.html", *(f"tables/{name}.csv" for name in TABLES)]
    assert result.output == f"Wrote 5 files and folders into {tmp_path / 'out'}\n"


def test_what_is_asked_for(explained_run: Run, tmp_path: Path) -> None:
    Judgements(explained_run).record(7, author="Ada", name="wheels")
    arguments = ("--no-report", "--format", "parquet", "--group", "label:truck", "--depth", "1", "--images", "list", "--json")
    result = barlow_export(explained_run.path, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 0, result.output
    tables = sorted([*TABLES, "judgements"])
    assert names_below(tmp_path / "out") == ["images/label-truck-1.txt", *(f"tables/{name}.parquet" for name in tables)]
    assert sorted(json.loads(result.output)) == sorted(str(tmp_path / "out" / name) for name in names_below(tmp_path / "out"))
    copied = barlow_export(
        explained_run.path, "--out", tmp_path / "copies", "--no-report", "--no-tables", "--images", "copy", "--top", "1"
    )
    assert copied.exit_code == 0, copied.output
    (folder,) = (tmp_path / "copies" / "images").iterdir()
    assert len(names_below(folder)) > 1


def test_a_run_without_failure_modes_says_so(make_explained: Callable[..., Run], tmp_path: Path) -> None:
    run = make_explained(tau=1.0, depth=1)
    result = barlow_export(run.path, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "No report: the run has no failure modes" in result.stderr
    assert "report.html" not in names_below(tmp_path / "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--group", "label:bird"], "label:bird is not among the 6 groups"),
        (["--no-report", "--no-tables"], "Nothing to write"),
        (["--depth", "9"], "depth 9"),
    ],
)
def test_mistakes_exit_with_2_and_one_message(explained_run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = barlow_export(explained_run.path, "--out", tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_before_the_run_is_explained(planted_run: Run, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="barlow explain"):
        export_run(planted_run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
