from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from conftest import with_features

from barlow_core import analyses
from barlow_core.analyses import Checks, every_group, explain_run
from barlow_core.analyses.verdicts import CONFIRMED, ranked, verdict_counts
from barlow_core.cli import cli
from barlow_core.run import Run


def barlow(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_import_makes_a_run(planted_folder: Path, tmp_path: Path) -> None:
    result = barlow("import", planted_folder / "images", "--metadata", planted_folder / "metadata.csv", "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    run = Run(tmp_path / "run")
    assert len(run.benchmark) == 120
    assert run.info["arguments"]["metadata"].endswith("metadata.csv")


def test_user_mistakes_exit_with_2_and_one_message(planted_folder: Path, tmp_path: Path) -> None:
    result = barlow("import", planted_folder / "images", "--metadata", tmp_path / "none.csv", "--run", tmp_path / "run")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert "none.csv" in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists(), "nothing half-written"


def test_bad_rows_stop_the_import_or_are_listed(planted_folder: Path, tmp_path: Path) -> None:
    metadata = tmp_path / "metadata.csv"
    metadata.write_text((planted_folder / "metadata.csv").read_text() + "ghost.png,cat,cat,0.5\n")
    common = ("import", planted_folder / "images", "--metadata", metadata, "--run", tmp_path / "run")
    refused = barlow(*common)
    assert refused.exit_code == 2
    assert "ghost.png" in refused.stderr
    assert "122" in refused.stderr, "the line of the CSV"
    skipped = barlow(*common, "--skip-bad")
    assert skipped.exit_code == 0
    assert "Skipped 1 bad rows" in skipped.stderr
    assert "ghost.png" in (tmp_path / "run" / "skipped.csv").read_text()
    assert len(Run(tmp_path / "run").benchmark) == 120


def test_explain_then_show(planted_run: Run) -> None:
    explained = barlow("explain", planted_run.path, "--depth", "2", "--workers", "1", "--group", "pair:cat+truck")
    assert explained.exit_code == 0, explained.output
    assert "failure modes (trees of depth 2) in 7 groups" in explained.output
    modes = json.loads(barlow("show", planted_run.path, "--depth", "1", "--json").output)
    truck = next(mode for mode in modes if mode["group"] == "label:truck")
    assert truck["rule"].startswith("feature[7] < ")
    assert truck["error_rate"] > 0.9
    table = barlow("show", planted_run.path, "--depth", "1").output
    assert "label:truck" in table
    assert truck["rule"] in table


def test_explain_suits_its_checks_to_the_run_by_default(explained_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(analyses, "explain_run", lambda run, **arguments: given.update(arguments))
    assert barlow("explain", explained_run.path).exit_code == 0
    assert given.pop("checks") == Checks(held_out="auto", folds=5, permutations=None, resamples=0, duplicates=True)
    assert given["min_leaf"] is None, "5 images or 2 % of each group"
    assert given["groupings"] == ["label", "prediction"]
    paper = {"k": 20, "depth": 3, "delta": 0.1, "tau": 0.2, "weighted": True, "seed": 0}
    assert {name: given[name] for name in paper} == paper


def test_show_lists_what_is_confirmed_and_counts_the_others(make_explained: Callable[..., Run]) -> None:
    run = make_explained(delta=0.0, tau=0.0, depth=2)
    modes = run.failure_modes()
    modes = modes[modes["depth"] == 2]
    counts = verdict_counts(modes)
    assert 0 < counts[CONFIRMED] < len(modes), "some are confirmed, some are not"

    def shown(*options: str) -> pd.DataFrame:
        return pd.DataFrame(json.loads(barlow("show", run.path, "--limit", "99", "--json", *options).output))

    def keys(table: pd.DataFrame) -> list[tuple[str, int]]:
        return list(zip(table["group"], table["leaf"], strict=True))

    certain = modes[(modes["verdict"] == CONFIRMED) & modes["same_as"].isna()]
    assert keys(shown()) == keys(ranked(certain))
    assert set(shown()["verdict"]) == {CONFIRMED}
    assert keys(shown("--all")) == keys(ranked(modes))
    assert keys(shown("--rank", "iv")) == keys(ranked(modes, "iv"))
    assert shown("--rank", "iv")["importance_value"].is_monotonic_decreasing

    said = f"Failure modes of depth 2: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}"
    same = modes["same_as"].notna()
    assert same.sum() == 2, "a label and a prediction hold nearly the same images twice"
    said += "; 2 hold mostly the same images as another"
    hidden = len(modes) - len(shown())
    assert barlow("show", run.path).output.startswith(f"{said} (--all shows the other {hidden})\n")
    for options in (["--all"], ["--rank", "iv"]):
        text = barlow("show", run.path, *options).output
        assert text.startswith(f"{said}\n")
        assert " why" in text
        assert text.count("not confirmed") > 1, "the first is in the line above the table"


def test_show_says_when_nothing_is_confirmed(make_explained: Callable[..., Run]) -> None:
    text = barlow("show", make_explained(depth=1, checks=Checks(held_out="none")).path).output
    assert "No failure mode is confirmed on held-out images." in text
    assert "--all shows the other" in text


def test_show_says_what_near_duplicates_do(planted_run: Run) -> None:
    features = planted_run.features().copy()
    trucks = np.flatnonzero(planted_run.benchmark.labels == 2)
    features[trucks[:2]] = features[trucks[2]]
    explain_run(with_features(planted_run, features), depth=1, workers=1)
    assert "Near-duplicates: " in barlow("show", planted_run.path).output
    assert isinstance(json.loads(barlow("show", planted_run.path, "--json").output), list), "nothing but JSON"


def test_show_groups_sorted(explained_run: Run) -> None:
    rows = json.loads(barlow("show", explained_run.path, "groups", "--sort", "ber", "--limit", "3", "--json").output)
    assert len(rows) == 3
    assert [row["ber"] for row in rows] == sorted((row["ber"] for row in rows), reverse=True)
    assert barlow("show", explained_run.path, "groups", "--sort", "beauty").exit_code == 2


def test_show_a_tree(explained_run: Run) -> None:
    text = barlow("show", explained_run.path, "label:truck", "--depth", "1").output
    assert "feature[7] < " in text
    assert "← failure mode" in text
    tree = json.loads(barlow("show", explained_run.path, "label:truck", "--depth", "1", "--json").output)
    assert tree["n_images"] == 40
    nothing = barlow("show", explained_run.path, "prediction:truck").output
    assert "never fails" in nothing


def test_show_says_what_to_do_when_nothing_passes(planted_run: Run) -> None:
    barlow("explain", planted_run.path, "--delta", "1", "--workers", "1")
    assert "Try smaller ones" in barlow("show", planted_run.path).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "nowhere"), "not a run folder"),
        (("explain", "RUN", "--group", "label:cow"), "No class is called 'cow'"),
        (("explain", "RUN", "--k", "0"), "k is 0"),
        (("explain", "RUN", "--mi", "magic"), "is not one of"),
        (("show", "RUN", "everything"), "Cannot show"),
        (("visualize", "RUN"), "barlow explain"),
        (("extract", "RUN", "--extractor", "resnet5000"), "resnet50"),
    ],
)
def test_errors_say_what_to_do(planted_run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = barlow(*(str(planted_run.path) if word == "RUN" else word for word in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_ctrl_c_says_how_to_go_on(planted_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(every_group, "analyse_group", interrupt)
    result = barlow("explain", planted_run.path, "--workers", "1")
    assert result.exit_code == 130
    assert "run the same command again to resume" in result.stderr


def test_class_per_folder_with_npy_predictions(planted_folder: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "tree" / name / f"{i}.png").write_bytes((planted_folder / "images" / f"00{i}.png").read_bytes())
    np.save(tmp_path / "predictions.npy", np.array([0, 1, 0, 1, 1, 0]))
    result = barlow("import", tmp_path / "tree", "--predictions", tmp_path / "predictions.npy", "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert Run(tmp_path / "run").benchmark.failure.tolist() == [False, True, False, False, False, True]
