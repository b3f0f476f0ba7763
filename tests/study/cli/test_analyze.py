from __future__ import annotations

import importlib
import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pandas as pd
import pytest
from analysis_study import make_study
from click.testing import CliRunner, Result

from barlow_core.cli import cli
from barlow_core.run import Run
from barlow_core.storage.shipped import apps_dir
from barlow_core.views.feature_names import read_names
from study.statistics import resampling

FAST = ["--replicates", "50"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that holds a small study."""
    made = tmp_path_factory.mktemp("run")
    make_study(made / "study.sqlite", n_answers=60, n_workers=8)
    (made / "run.json").write_text("{}")
    return made


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(cli, ["study", "analyze", *map(str, arguments)])


def test_findings_on_the_terminal(folder: Path) -> None:
    result = run(folder, *FAST)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Simulated data: no answer is a person's.")
    for title in ("The study", "Ease and confidence", "Does understanding matter?"):
        assert f"\n{title}\n" in result.output


def test_filters_and_json(folder: Path) -> None:
    result = run(folder, *FAST, "--tier", "top", "--checks-passed", "--since", "2020-01-01", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["filters"].startswith("Kept: error tier top; answers from 2020-01-01 (UTC); workers who failed no")
    assert found["simulated"].startswith("Simulated data")
    assert set(found["sections"]) >= {"overview", "likert", "names"}


def test_names_into_the_run_only_when_asked(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    result = run(folder, *FAST, "--names-to", folder)
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} - before == {"feature_names.csv"}
    names = read_names(folder)
    assert names
    assert all(name.simulated for name in names.values()), "whose words they are goes with them"
    (folder / "feature_names.csv").unlink()


def test_names_are_of_the_network_whose_features_people_saw(folder: Path, tmp_path: Path, explained_run: Run) -> None:
    extractor = explained_run.require("extract")["extractor"]
    for fingerprint, expected in (("another network", 2), (extractor["fingerprint"], 0)):
        study = make_study(
            tmp_path / f"{expected}.sqlite", n_answers=20, n_workers=4, provenance={"extractor": {"fingerprint": fingerprint}}
        )
        result = run(study, *FAST, "--names-to", explained_run.path)
        assert result.exit_code == expected, result.output
    assert read_names(explained_run.path)
    (explained_run.path / "feature_names.csv").unlink()
    other = run(tmp_path / "2.sqlite", *FAST, "--names-to", explained_run.path)
    assert "there, the same number means another feature" in " ".join(other.output.split())
    assert not read_names(explained_run.path), "nothing was written"


def test_filters_that_leave_nothing_are_an_error_that_writes_nothing(folder: Path, tmp_path: Path) -> None:
    result = run(folder, *FAST, "--since", "2099-01-01", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "None of the 60 answers" in result.output
    assert "answers from 2099-01-01" in result.output
    assert not (tmp_path / "out").exists()


def test_rules_of_the_run_in_words(folder: Path) -> None:
    names = run(folder, *FAST, "--names-to", folder)
    assert "instead of" not in names.output, "the run has no failure modes yet"
    table = pd.read_csv(folder / "feature_names.csv")
    first = table.iloc[0]
    mode = {
        "group": first["group"],
        "rule": "r",
        "conditions": json.dumps([[int(first["feature"]), "<", 0.5]]),
        "error_rate": 0.318,
        "ber": 0.209,
    }
    pd.DataFrame([mode]).to_parquet(folder / "failure_modes.parquet")
    output = run(folder, *FAST, "--names-to", folder).output.replace("\N{NO-BREAK SPACE}", " ")
    assert f"{first['group']}: without {first['name'].lower()} (simulated answers), 31.8 % instead of 20.9 %" in output
    (folder / "feature_names.csv").unlink()
    (folder / "failure_modes.parquet").unlink()


def test_a_csv_of_answers_with_columns_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("HITId,WorkerId,Answer.clear\nH1,W1,4\nH1,W2,5\n")
    assert "No column" in run(path, *FAST).output
    result = run(path, *FAST, "--columns", "ease=Answer.clear")
    assert result.exit_code == 0, result.output
    assert "2 answers of 2 workers about 1 item" in result.output
    assert "Simulated" not in result.output


def test_columns_that_are_named_add_to_those_that_are_found_in_any_file(tmp_path: Path) -> None:
    path = tmp_path / "batch.tsv"
    path.write_text("item\tworker\tclear\nH1\tW1\t4\nH1\tW2\t5\n")
    result = run(path, *FAST, "--columns", "ease=clear")
    assert result.exit_code == 0, result.output
    assert "2 answers of 2 workers about 1 item" in result.output


def test_another_rule_and_people_only(folder: Path) -> None:
    def kept(*arguments: str) -> str:
        result = run(folder, *FAST, "--json", *arguments)
        assert result.exit_code == 0, result.output
        return str(json.loads(result.stdout)["n"])

    rule = "-,-,1,-,1,1,2"
    assert " of 8 workers " in kept("--rule", rule, "--who", "simulated"), "a rule is only applied when asked to"
    assert " of 6 workers " in kept("--rule", rule, "--exclude"), "two say the same of everything"
    text = run("--help").output
    assert "0.5,1/3,0.95,0.5,5,2" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.sqlite"], "No study found"),
        (["STUDY", "--class", "unicorn"], "No answer is of 'unicorn'; the classes of this study are: "),
        (["STUDY", "--since", "2026-02-02", "--until", "2026-01-01"], "Swap them"),
        (["STUDY", "--vectors", "missing.bin"], "'missing.bin': no such file"),
        (["STUDY", "--columns", "nonsense"], "is not a mapping"),
        (["STUDY", "--columns", "ease=q3"], "is a study file"),
        (["STUDY", "--columns", "ease=q3", "--app"], "is a study file"),
        (["STUDY", "--rule", "0.8"], "The rule '0.8' has 1 parts; expected 7"),
        (["STUDY", "--rule", "0.8,-,-,-,5,x,2", "--app"], "signals is 'x'; expected a whole number"),
        (["STUDY", "--out", "STUDY"], "neither an empty folder nor an earlier report"),
        (["STUDY", "--names-to", "missing"], "is not a run folder"),
        (["missing", "--app"], "No study found"),
        (["STUDY", "--app", "--seed", "7"], "The page computes with 2,000 resamples and seed 0"),
        (["STUDY", "--app", "--replicates", "10000"], "The page computes with 2,000 resamples and seed 0"),
        (["STUDY", "--out", "elsewhere", "--json"], "--json prints the findings"),
    ],
)
def test_mistakes_are_one_message_and_status_2(folder: Path, arguments: list[str], message: str) -> None:
    given = [str(folder / "study.sqlite") if one == "STUDY" else one for one in arguments]
    result = run(*given, *([] if "--app" in given else FAST))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_table_without_checks_has_nobody_who_passed_them(tmp_path: Path) -> None:
    pd.DataFrame({"item": ["a", "a"], "worker": ["w1", "w2"], "ease": [3, 4]}).to_csv(tmp_path / "few.csv", index=False)
    result = run(str(tmp_path / "few.csv"), "--checks-passed", *FAST)
    assert result.exit_code == 2
    assert "This study has no gold or attention checks." in result.stderr


def test_as_many_resamples_as_the_library_takes() -> None:
    assert importlib.import_module("study.cli.analyze").REPLICATES == resampling.REPLICATES


def test_the_app_is_told_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    monkeypatch.setattr(
        "barlow_core.cli.serve.serve_app",
        lambda script, arguments, **given: called.update(script=script, arguments=arguments, **given),
    )
    table = tmp_path / "batch.csv"
    table.write_text("item,worker,q3\na,w,4\n")
    result = run(table, "--app", "--port", 8123, "--no-open", "--missing", "", "--columns", "ease=q3")
    assert result.exit_code == 0, result.output
    assert called["script"] == "analyze.py"
    assert called["arguments"] == [str(table), "--missing", "", "--columns", "ease=q3"]
    assert (called["port"], called["open_browser"], called["query"]) == (8123, False, "")


def test_the_app_opens_at_the_part_that_was_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(apps_dir())
    place = importlib.import_module("analyzing.study_place")
    called: dict[str, Any] = {}
    monkeypatch.setattr("barlow_core.cli.serve.serve_app", lambda *arguments, **given: called.update(given))
    given = ("--grouping", "label", "--class", "great white", "--class", "a&b", "--tier", "top", "--platform", "prolific")
    given += ("--since", "2026-01-02", "--until", "2026-02-03", "--checks-passed", "--exclude", "--same-spelling", "--plurals")
    given += ("--rule", "0.8,-,0.9,-,5,1,1", "--who", "simulated")
    assert run(folder, "--app", *given).exit_code == 0
    assert place.parse(parse_qs(called["query"])) == place.Place(
        groupings=("label",),
        classes=("great white", "a&b"),
        tiers=("top",),
        platforms=("prolific",),
        since=date(2026, 1, 2),
        until=date(2026, 2, 3),
        checks="passed",
        simulated="simulated",
        exclude=True,
        rule="0.8,-,0.9,-,5,1,1",
        spelling=True,
        plurals=True,
    )


def test_the_app_writes_no_files(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "--app", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "--app opens a page" in result.stderr
    assert not (tmp_path / "out").exists()


def test_help_has_an_example() -> None:
    assert "Example:" in run("--help").output
