from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from barlow_core.errors import BarlowError
from barlow_core.export import export_images
from barlow_core.run import Run

POSITIONS = np.array([80, 3, 45])


@pytest.fixture
def run(planted_run: Run, planted_folder: Path, tmp_path: Path) -> Run:
    """A run whose images lie in folders, one of them gone."""
    folder = tmp_path / "images"
    shutil.copytree(planted_folder / "images", folder)
    (folder / "080.png").unlink()
    planted_run.__dict__["benchmark"] = replace(
        planted_run.benchmark, images_dir=folder, names=planted_run.benchmark.names.copy()
    )
    return planted_run


@pytest.mark.parametrize("how", ["copy", "link"])
def test_a_folder_of_files(run: Run, tmp_path: Path, how: str) -> None:
    target = tmp_path / "out" / "images"
    out = export_images(run, POSITIONS, target, how=how)
    assert (out.path, out.n_images, out.missing) == (target, 2, ["080.png"])
    assert sorted(path.name for path in target.iterdir()) == ["003.png", "045.png", "images.csv"]
    source = run.benchmark.images_dir / "003.png"
    assert (target / "003.png").read_bytes() == source.read_bytes()
    assert (target / "003.png").is_symlink() == (how == "link")
    about = pd.read_csv(target / "images.csv")
    assert about["name"].tolist() == ["003.png", "045.png"]
    assert about["prediction"].tolist() == ["cat", "cat"]
    assert about["failure"].tolist() == [False, True]
    with pytest.raises(BarlowError, match="not an empty folder"):
        export_images(run, POSITIONS, target, how=how)


def test_names_with_folders_in_them(run: Run, tmp_path: Path) -> None:
    (run.benchmark.images_dir / "cats").mkdir()
    shutil.move(run.benchmark.images_dir / "003.png", run.benchmark.images_dir / "cats" / "003.png")
    run.benchmark.names[3] = "cats/003.png"
    for how in ("copy", "link"):
        export_images(run, [3], tmp_path / how, how=how)
        assert (tmp_path / how / "cats" / "003.png").read_bytes()


def test_a_list_of_paths(run: Run, tmp_path: Path) -> None:
    out = export_images(run, POSITIONS, tmp_path / "paths.txt", how="list")
    assert out.n_images == 2
    lines = (tmp_path / "paths.txt").read_text("utf-8").splitlines()
    assert lines == [str(run.benchmark.images_dir / name) for name in ("003.png", "045.png")]
    assert all(Path(line).is_file() and Path(line).is_absolute() for line in lines)


def test_a_zip_file(run: Run, tmp_path: Path) -> None:
    export_images(run, POSITIONS, tmp_path / "images.zip", how="zip")
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["003.png", "045.png", "images.csv"]
        assert archive.read("003.png") == (run.benchmark.images_dir / "003.png").read_bytes()


def test_mistakes_are_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="'move'.*copy, link, list, zip"):
        export_images(run, POSITIONS, tmp_path / "out", how="move")
    with pytest.raises(BarlowError, match="Image 120 does not exist"):
        export_images(run, [120], tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(BarlowError, match="not an empty folder"):
        export_images(run, [3], tmp_path / "file")
    with pytest.raises(BarlowError, match="cannot be written"):
        export_images(run, [3], tmp_path / "file" / "below", how="list")
