"""From a run to a study, and the pictures that stay what they were."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_run import small_extractor, small_run

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor
from barlow_core.panels import Panel
from barlow_core.run import Run
from study.setup import frozen_panels
from study.setup.making import make_study, preview_copy
from study.setup.selection import Selection, select, with_checks
from study.store import StudyStore


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return small_extractor()


@pytest.fixture(scope="module")
def prepared(planted_benchmark: Benchmark, extractor: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a study of 6 items, 1 practice item and 1 attention check in it."""
    run = small_run(tmp_path_factory.mktemp("making") / "run", planted_benchmark, extractor)
    chosen = with_checks(run, select(run, groupings=["label"], top=2), practice=1, attention=1)
    make_study(run, selection=chosen, extractor=extractor, images_per_panel=2, steps=1, completion_code="C0DE").close()
    return run.path


@pytest.fixture
def run(prepared: Path, tmp_path: Path) -> Run:
    """A copy of it for one test, without the study."""
    shutil.copytree(prepared, tmp_path / "run", ignore=shutil.ignore_patterns("study.sqlite*"))
    return Run(tmp_path / "run")


@pytest.fixture
def store(prepared: Path, tmp_path: Path) -> StudyStore:
    for name in ("study.sqlite", "study.sqlite.panels"):
        copy = shutil.copytree if (prepared / name).is_dir() else shutil.copyfile
        copy(prepared / name, tmp_path / name)
    return StudyStore(tmp_path / "study.sqlite")


def chosen(run: Run) -> Selection:
    return select(run, groupings=["label"], top=2)


def test_a_study_holds_its_items_and_where_they_come_from(store: StudyStore, prepared: Path) -> None:
    items = store.item_list()
    assert [item["kind"] for item in items] == ["item"] * 6 + ["practice", "attention"]
    about = store.settings.provenance
    assert about["run"] == "run"
    assert about["extractor"]["name"] == "small"
    assert about["panels"]["images"] == 2
    assert about["panels"]["attack"]["steps"] == 1
    assert about["explain"] == Run(prepared).require("explain")["key"]
    assert len(about["notes"]) >= 1
    assert str(prepared) not in json.dumps(about)
    assert store.check() == []


def test_what_is_shown_is_the_panel_of_the_run_byte_for_byte(store: StudyStore, prepared: Path) -> None:
    for item in store.item_list():
        panel = frozen_panels.load_item_panel(store.path, item)
        assert (panel.group, panel.feature) == (item["group"], item["feature"])
        original = Panel.load(prepared / "panels" / panel.path.name.rsplit("-", 1)[0] / str(item["feature"]))
        assert panel == original
        for image in panel.images:
            assert (panel.path / image.attack).read_bytes() == (original.path / image.attack).read_bytes()
        assert item["activation"] == pytest.approx(np.mean([image.activation for image in panel.images]))
        assert 0.25 <= item["salience"] <= 1


@pytest.mark.parametrize(
    "change", ["edit a picture", "edit panel.json", "edit the manifest", "delete a picture", "delete the folder"]
)
def test_pictures_that_changed_are_never_shown(store: StudyStore, change: str) -> None:
    item = store.item_list()[0]
    folder = frozen_panels.panels_folder(store.path) / item["panel"]
    if change == "edit a picture":
        Image.new("RGB", (8, 8)).save(folder / "a_0.png")
    elif change == "edit panel.json":
        (folder / "panel.json").write_text((folder / "panel.json").read_text().replace("label:", "label: "))
    elif change == "edit the manifest":
        (folder / "manifest.json").write_text("{}")
    elif change == "delete a picture":
        (folder / "b_1.png").unlink()
    else:
        shutil.rmtree(folder)
    with pytest.raises(BarlowError, match="not what was frozen"):
        frozen_panels.load_item_panel(store.path, item)
    items = {one["id"]: one for one in store.item_list()}
    (problem,) = frozen_panels.problems(store.path, items)
    assert f"of item {item['id']} are not" in problem


def test_an_item_cannot_name_a_folder_elsewhere(store: StudyStore) -> None:
    item = store.item_list()[0]
    for name in ("../x", "..", ".", "/etc", "a/b"):
        with pytest.raises(BarlowError, match="outside"):
            frozen_panels.load_item_panel(store.path, item | {"panel": name})
    with pytest.raises(BarlowError, match="This study file has no pictures"):
        frozen_panels.load_item_panel(store.path, {"feature": 3})
    assert not frozen_panels.has_pictures({"feature": 3})


def test_making_it_again_uses_what_is_there_and_needs_no_network(run: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.panels_path.rglob("*.png")}
    with make_study(run, selection=chosen(run), images_per_panel=2, steps=1) as store:  # no extractor to load
        assert len(store.items()) == 6
    assert {path: path.stat().st_mtime_ns for path in run.panels_path.rglob("*.png")} == before


def test_an_interrupted_attempt_is_taken_up_and_its_leftovers_go(run: Run) -> None:
    root = frozen_panels.panels_folder(run.path / "study.sqlite")
    done = root / "label-cat-0"
    selection = chosen(run)
    first = selection.items[0]
    panel = Panel.load(run.panels_path / f"label-{first['class_name']}" / str(first["feature"]))
    frozen_panels.freeze(panel, root, f"label-{first['class_name']}-{first['feature']}")
    kept = {path: path.stat().st_mtime_ns for path in root.rglob("*.png")}
    shutil.copytree(root / f"label-{first['class_name']}-{first['feature']}", root / "prediction-old-3")
    (root / ".half.123").mkdir()
    (root / "notes of mine").mkdir()
    with make_study(run, selection=selection, images_per_panel=2, steps=1) as store:
        names = {item["panel"] for item in store.item_list()}
    assert {path.name for path in root.iterdir()} == names | {"notes of mine"}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert done.name in names or not done.exists()


def test_a_study_is_never_replaced_and_a_wrong_setting_is_said_before_the_work(run: Run) -> None:
    with pytest.raises(BarlowError, match="pay_per_item"):
        make_study(run, selection=chosen(run), pay_per_item="much", steps=1)
    assert not (run.path / "study.sqlite").exists()
    assert not frozen_panels.panels_folder(run.path / "study.sqlite").exists()
    (run.path / "study.sqlite").touch()
    with pytest.raises(BarlowError, match="exists already"):
        make_study(run, selection=chosen(run))


def test_a_preview_has_everything_and_nobody(store: StudyStore, tmp_path: Path, answers: dict) -> None:
    item = store.claim("w")
    assert item is not None
    store.submit("w", item.id, answers)
    with preview_copy(store, tmp_path / "preview" / "study.sqlite") as copy:
        assert copy.item_list() == store.item_list()
        assert copy.settings == store.settings
        assert len(copy.workers()) == len(copy.answers()) == 0
        first = copy.claim("me")
        assert first is not None
        frozen_panels.load_item_panel(store.path, first.data)
    assert len(store.answers(kinds=["practice", "item"])) == 1
    assert store.worker("me") is None


def test_salience_is_a_share_of_heat(store: StudyStore) -> None:
    item = store.item_list()[0]
    panel = frozen_panels.load_item_panel(store.path, item)
    heat = np.zeros((20, 20), dtype=np.uint8)
    for filled, expected in ((0, 0.25), (400, 0.25), (1, 1.0), (200, 0.5)):
        heat[:] = 0
        heat.ravel()[:filled] = 200
        for image in panel.images:
            Image.fromarray(heat).save(panel.path / image.heatmap)
        assert frozen_panels.salience(panel) == pytest.approx(expected)


def test_pictures_go_along_with_a_copy(store: StudyStore, tmp_path: Path) -> None:
    copy = store.backup(tmp_path / "disk" / "copy.sqlite")
    assert frozen_panels.copy_panels(store.path, copy)
    for item in store.item_list():
        frozen_panels.load_item_panel(copy, item)
    with pytest.raises(BarlowError, match="exists already"):
        frozen_panels.copy_panels(store.path, copy)
    assert not frozen_panels.copy_panels(tmp_path / "none.sqlite", tmp_path / "other.sqlite")
