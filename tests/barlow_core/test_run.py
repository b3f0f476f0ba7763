from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import with_features

from barlow_core.analyses import explain_run, load_result
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.run import Run, digest
from barlow_core.storage.files import atomic_write


def test_reopened_run_has_the_same_benchmark(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    Run.create(tmp_path / "run", planted_benchmark, arguments={"images": "images"})
    run = Run(tmp_path / "run")
    assert run.benchmark.names.tolist() == planted_benchmark.names.tolist()
    assert run.benchmark.labels.tolist() == planted_benchmark.labels.tolist()
    assert run.benchmark.failure.tolist() == planted_benchmark.failure.tolist()
    assert run.benchmark.images_digest == planted_benchmark.images_digest
    assert run.benchmark.outcome_digest == planted_benchmark.outcome_digest
    assert run.info["arguments"] == {"images": "images"}
    assert "120 images" in repr(run)


def test_a_run_keeps_what_its_import_noted(planted_folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    metadata = (planted_folder / "metadata.csv").read_text()
    table.write_text(metadata.replace("Filenames", "image", 1))
    made = Benchmark.from_csv(planted_folder / "images", table, check="header")
    Run.create(tmp_path / "run", made)
    assert any("Filenames from 'image'" in note for note in made.notes)
    assert Run(tmp_path / "run").benchmark.notes == made.notes
    assert json.loads((tmp_path / "run" / "run.json").read_text())["import_notes"] == list(made.notes)


def test_same_benchmark_again_is_the_same_run(planted_benchmark: Benchmark, explained_run: Run) -> None:
    again = Run.create(explained_run.path, planted_benchmark)
    assert again.is_current("explain")


def test_another_benchmark_is_refused_until_overwrite(planted_benchmark: Benchmark, explained_run: Run) -> None:
    other = planted_benchmark.with_predictions(np.zeros(120, dtype=np.int64))
    before = (explained_run.path / "images.parquet").read_bytes()
    with pytest.raises(BarlowError, match="another benchmark"):
        Run.create(explained_run.path, other)
    assert (explained_run.path / "images.parquet").read_bytes() == before
    run = Run.create(explained_run.path, other, overwrite=True)
    assert run.is_current("extract"), "the images are the same, so are their features"
    assert not run.is_current("explain")
    with pytest.raises(BarlowError, match="out of date.*barlow explain"):
        run.failure_modes()
    explain_run(run, workers=1)
    assert run.is_current("explain")


def test_stages_become_stale_downwards(explained_run: Run) -> None:
    assert dict(zip(*explained_run.status()[["stage", "state"]].to_numpy().T, strict=True)) == {
        "extract": "done",
        "explain": "done",
        "search": "missing",
        "visualize": "missing",
    }
    for stage in ("search", "visualize"):
        explained_run.record(stage, key="p", settings={}, seconds=0)
    with_features(explained_run, np.ones((120, 2), np.float32))
    states = explained_run.status().set_index("stage")["state"]
    assert states.to_dict() == {"extract": "done", "explain": "stale", "search": "stale", "visualize": "stale"}


def test_a_folder_that_is_no_run(tmp_path: Path, planted_benchmark: Benchmark) -> None:
    with pytest.raises(BarlowError, match="not a run folder.*barlow import"):
        Run(tmp_path)
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(BarlowError, match="not a run folder"):
        Run.create(tmp_path, planted_benchmark)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(("content", "message"), [("{", "damaged"), ('{"format": 99}', "format 99")])
def test_damaged_run_json(explained_run: Run, content: str, message: str) -> None:
    (explained_run.path / "run.json").write_text(content)
    with pytest.raises(BarlowError, match=message):
        Run(explained_run.path)


def test_second_writer_is_refused(explained_run: Run) -> None:
    with explained_run.lock(), pytest.raises(BarlowError, match="Another barlow command"):
        explain_run(Run(explained_run.path), delta=0.3, workers=1)


def test_run_and_images_may_move_together(planted_folder: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    shutil.copytree(planted_folder, here)
    Run.create(here / "run", Benchmark.from_csv(here / "images", here / "metadata.csv"))
    here.rename(tmp_path / "there")
    run = Run(tmp_path / "there" / "run")
    assert all(path.is_file() for path in run.benchmark.paths)


def test_record_says_what_it_was_made_from_with(explained_run: Run) -> None:
    stored = json.loads((explained_run.path / "run.json").read_text())["stages"]["explain"]
    assert stored["settings"]["seed"] == 0
    assert stored["made_from"]["outcome"] == explained_run.benchmark.outcome_digest
    assert stored["versions"]["numpy"] == np.__version__
    assert stored["seconds"] > 0


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), atomic_write(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("disk")
    assert target.read_text() == "old"
    with atomic_write(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_digest_depends_on_everything() -> None:
    assert digest("a", 1) == digest("a", 1)
    assert len({digest("a", 1), digest("a", 2), digest("a1"), digest(["a"], 1)}) == 4


def test_extractor_of_a_python_object_cannot_be_loaded_again(explained_run: Run) -> None:
    with pytest.raises(BarlowError, match="handed over in Python"):
        explained_run.extractor()


@pytest.mark.parametrize("damage", ["deleted", "empty", "cut"])
@pytest.mark.parametrize(
    ("name", "read", "advice"),
    [
        ("images.parquet", lambda run: run.benchmark, "barlow import"),
        ("features.npy", lambda run: run.features(), "barlow extract"),
        ("groups.parquet", lambda run: run.groups(), "barlow explain"),
        ("failure_modes.parquet", lambda run: run.failure_modes(), "barlow explain"),
        ("trees.json", lambda run: run.trees(), "barlow explain"),
        ("trees.json", lambda run: load_result(run, "prediction:truck"), "barlow explain"),
    ],
)
def test_a_file_that_is_gone_or_damaged_is_named_with_what_makes_it_again(
    explained_run: Run, name: str, read: Callable[[Run], object], advice: str, damage: str
) -> None:
    path = explained_run.path / name
    content = path.read_bytes()
    path.unlink()
    if damage != "deleted":
        path.write_bytes(content[: len(content) // 3 if damage == "cut" else 0])
    with pytest.raises(BarlowError, match=f"{name.split('.')[0]}.*{advice}|prediction:truck is not among"):
        read(Run(explained_run.path))


@pytest.mark.parametrize("name", ["groups.parquet", "failure_modes.parquet", "trees.json"])
def test_explain_makes_again_what_is_gone(explained_run: Run, name: str) -> None:
    path = explained_run.path / name
    content = path.read_bytes()
    path.unlink()
    explain_run(Run(explained_run.path), workers=1)
    assert path.read_bytes() == content
