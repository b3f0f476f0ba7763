from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from barlow_core.analyses import every_group
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
        (("show", "RUN", "everything"), "nothing to show"),
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
    assert "the same command goes on from here" in result.stderr


def test_class_per_folder_with_npy_predictions(planted_folder: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "tree" / name / f"{i}.png").write_bytes((planted_folder / "images" / f"00{i}.png").read_bytes())
    np.save(tmp_path / "predictions.npy", np.array([0, 1, 0, 1, 1, 0]))
    result = barlow("import", tmp_path / "tree", "--predictions", tmp_path / "predictions.npy", "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert Run(tmp_path / "run").benchmark.failure.tolist() == [False, True, False, False, False, True]
