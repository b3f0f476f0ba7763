from __future__ import annotations

import csv
import shlex
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from barlow_core.cli import cli
from study.analysis import Analysis, AnalysisOptions, Filters
from study.analysis.command import analyze_command
from study.answers.exclusion import ExclusionRule
from study.answers.tokenization import Wording


def test_the_usual_analysis_needs_no_options() -> None:
    assert analyze_command("a b.sqlite", Filters(), AnalysisOptions()) == "barlow study analyze 'a b.sqlite' --out results"


def test_the_command_line_makes_the_same_filters_and_options_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "it's; $HOME.csv"
    quoted = "'quoted' \"cat\""
    with open(table, "w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("item", "worker", "grouping", "class_name", "tier", "platform", "submitted_at", "simulated", "how easy"))
        rows.writerow(("a", "w", "label", quoted, "top", "--x", "2026-01-02", "no", 4))
        rows.writerow(("b", "v", "label", "cat", "top", "--x", "2026-01-02", "yes", 3))
    vectors = tmp_path / "two words.txt"
    vectors.write_text("1 2\nfur 1 0\n", encoding="utf-8")
    filters = Filters(
        groupings=("label",),
        classes=(quoted, "cat"),
        tiers=("top",),
        platforms=("--x",),
        since=date(2026, 1, 1),
        until=date(2026, 2, 3),
        simulated="people",
    )
    options = AnalysisOptions(
        replicates=50,
        seed=3,
        wording=Wording(spelling=True, hyphens=True, plurals=True),
        rule=ExclusionRule(checks_passed=None, fast=1 / 3, signals=1),
        exclude=True,
        models=True,
    )
    made: list[tuple[Analysis, Any]] = []
    monkeypatch.setattr("study.report.write_report", lambda analysis, folder, **_: made.append((analysis, folder)) or folder)
    command = analyze_command(table, filters, options, vectors=vectors, columns="ease=how easy", out="out of it")
    result = CliRunner().invoke(cli, shlex.split(command)[1:])
    assert result.exit_code == 0, (command, result.output)
    ((analysis, folder),) = made
    assert (analysis.filters, analysis.options) == (filters, options)
    assert analysis.vectors_text == vectors.name
    assert folder == Path("out of it")
    # A table knows no checks, so the option is not tried here.
    checked = analyze_command(table, replace(filters, checks="passed"), options)
    assert "--checks-passed" in shlex.split(checked)
    assert "--checks-passed" not in shlex.split(command)
    assert analysis.data.answers["ease"].tolist() == [4]
