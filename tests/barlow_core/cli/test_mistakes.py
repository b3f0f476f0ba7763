"""What people get wrong at the command: one message that says what to do, exit status 2, no traceback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from barlow_core import extractors
from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli
from barlow_core.errors import ImageError
from barlow_core.extraction import extract
from barlow_core.run import Run
from barlow_core.storage.files import write_json


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert result.stderr.count("Error: ") == 1
    return result.stderr


def test_a_file_where_a_folder_should_be(explained_run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for arguments in (("evaluate", explained_run.path, "--out"), ("compare", explained_run.path, other(explained_run), "--out")):
        assert "notes.txt cannot be written or read: " in refused(*arguments, tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def other(run: Run) -> Path:
    return Path(shutil.copytree(run.path, run.path.parent / "other", dirs_exist_ok=True))


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(explained_run: Run, tmp_path: Path) -> None:
    """/dev/full says what a full disk says, at the first byte."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("barlow_core.evaluation.evaluation.atomic_write", lambda path: open("/dev/full", "w"))  # noqa: SIM115
        patch.setattr("pandas.DataFrame.to_csv", lambda table, file, **settings: (file.write("a"), file.flush()))
        assert "No space left on device" in refused("evaluate", explained_run.path, "--out", tmp_path / "out")


@pytest.mark.parametrize("content", [[], "text", {"format": 1}, {"format": 1, "stages": [], "data": {}}])
def test_a_run_json_of_another_kind(planted_run: Run, content: object) -> None:
    write_json(planted_run.path / "run.json", content)
    assert "run.json is damaged" in refused("show", planted_run.path)


def test_a_run_that_is_a_file_is_refused_before_the_images_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    assert "not a run folder" in refused("import", tmp_path / "no_images", "--run", tmp_path / "run")
    assert "not a run folder" in refused("demo", "--run", tmp_path / "run", "--no-browse")


def test_a_depth_that_is_not_there(explained_run: Run) -> None:
    assert "no trees of depth 7. Expected 1 to 3" in refused("show", explained_run.path, "--depth", "7")
    assert "no trees of depth 0" in refused("show", explained_run.path, "groups", "--depth", "0")
    assert "Expected at most 10" in refused("explain", explained_run.path, "--depth", "99")


def test_an_unknown_class_names_the_known_ones(planted_run: Run) -> None:
    assert "The classes are: cat, dog, truck." in refused("explain", planted_run.path, "--group", "label:fish")


def test_an_array_that_is_no_array(planted_folder: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        shutil.copy(planted_folder / "images" / "000.png", tmp_path / "tree" / name)
    (tmp_path / "bad.npy").write_bytes(b"zzz")
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    for name in ("bad.npy", "objects.npy"):
        message = refused("import", tmp_path / "tree", "--predictions", tmp_path / name, "--run", tmp_path / "run")
        assert f"{name} is not a plain .npy array, or it is damaged" in message
        assert "pickle" not in message, "no advice to load what may run code"


def test_rows_that_are_all_bad_are_told_their_own_mistake_only(planted_folder: Path, tmp_path: Path) -> None:
    lines = (planted_folder / "metadata.csv").read_text().replace("0.9", "90").splitlines()[:3]
    (tmp_path / "metadata.csv").write_text("\n".join(lines))
    message = refused("import", planted_folder / "images", "--metadata", tmp_path / "metadata.csv", "--run", tmp_path / "run")
    assert "000.png: confidence '90' is not a number in [0, 1]\n" in message
    assert "class names" not in message


def test_an_image_that_changed_after_the_import_is_refused(planted_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(planted_folder, tmp_path / "copy"))
    run = Run.create(tmp_path / "run", Benchmark.from_csv(folder / "images", folder / "metadata.csv"))
    Image.new("RGB", (32, 32)).save(folder / "images" / "004.png")
    robust = extractors.load("robust_resnet_cifar10")
    with pytest.raises(ImageError, match=r"004\.png has changed since it was imported"):
        extract(run, robust)
    shutil.copy(planted_folder / "images" / "004.png", folder / "images" / "004.png")
    assert len(extract(run, robust)) == 120


def test_files_of_no_bytes_are_made_again(explained_run: Run) -> None:
    """As a full disk leaves them where something else than barlow copied the folder."""
    before = explained_run.failure_modes()
    emptied = list(explained_run.path.glob("information/**/*.npz"))
    assert emptied
    for path in emptied:
        path.write_bytes(b"")
    assert CliRunner().invoke(cli, ["explain", str(explained_run.path), "--k", "3", "--workers", "1"]).exit_code == 0
    pd.testing.assert_frame_equal(explain_run(Run(explained_run.path), workers=1), before)


def test_flags_of_no_bytes_count_for_nothing(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    run, robust = Run.create(tmp_path / "run", planted_benchmark), extractors.load("robust_resnet_cifar10")
    whole = np.array(extract(run, robust))
    (run.path / "features.done.npy").write_bytes(b"")
    np.testing.assert_array_equal(extract(run, robust), whole)


def test_options_of_a_table_without_a_table(planted_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tree" / "cat").mkdir(parents=True)
    shutil.copy(planted_folder / "images" / "000.png", tmp_path / "tree" / "cat")
    message = refused("import", tmp_path / "tree", "--missing", "", "--run", tmp_path / "run")
    assert "--columns and --missing are about a table, and there is none" in message


def test_what_an_import_read_in_another_way_is_said(planted_folder: Path, tmp_path: Path) -> None:
    rows = pd.read_csv(planted_folder / "metadata.csv")
    table = pd.DataFrame({"image": rows["Filenames"], "truth": rows["Labels"], "kind": rows["Predictions"].str.upper()})
    table.to_csv(tmp_path / "m.csv", sep=";", index=False, encoding="utf-16")
    command = ["import", planted_folder / "images", "--metadata", tmp_path / "m.csv", "--run", tmp_path / "run"]
    message = refused(*command, "--columns", "predictions=kind")
    assert "'CAT' (0 labels, " in message
    result = CliRunner().invoke(cli, [*map(str, command), "--columns", "predictions=kind", "--join-classes", "--quiet"])
    assert result.exit_code == 0, result.output
    for said in (
        "m.csv: UTF-16, semicolons between columns.",
        "Filenames from 'image', Labels from 'truth'",
        "Joined: 'CAT' into 'cat'",
    ):
        assert said in result.stderr
    assert Run(tmp_path / "run").benchmark.class_names == ["cat", "dog", "truck"]


@pytest.mark.parametrize("command", [["import"], ["study", "analyze"]])
def test_help_names_the_page_of_tables(command: list[str]) -> None:
    assert "docs/bringing_your_data.md" in " ".join(CliRunner().invoke(cli, [*command, "--help"]).output.split())
