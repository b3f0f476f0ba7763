"""From a run to a study, and the pictures that stay what they were."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from small_run import small_extractor, small_run

from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor
from barlow_core.panels import Panel, load_panel
from barlow_core.run import Run
from study.analysis import Analysis, load_study
from study.cli import study as barlow_study
from study.participants.simulation import simulate
from study.setup import frozen_panels
from study.setup.conditions import in_conditions, with_checks_of_all
from study.setup.interviews import trees_of
from study.setup.making import make_study, preview_copy
from study.setup.selection import Selection, ranking, select, with_checks
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


@pytest.fixture(scope="module")
def compared(
    prepared: Path, planted_benchmark: Benchmark, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Run], dict[str, Extractor]]:
    """A study of two runs of the same images, described by different networks."""
    folder = tmp_path_factory.mktemp("compared")
    extractors = {"robust": small_extractor(), "plain one": small_extractor(seed=1)}
    runs = {"robust": Run(shutil.copytree(prepared, folder / "robust", ignore=shutil.ignore_patterns("study.sqlite*")))}
    runs["plain one"] = small_run(folder / "plain", planted_benchmark, extractors["plain one"])
    items = in_conditions(runs, select(runs["robust"], groupings=["label"], top=2))
    selection = with_checks_of_all(runs, items, design="between", practice=1, attention=1)
    settings: dict[str, Any] = {"answers_per_item": 2, "condition_design": "between", "images_per_panel": 2, "steps": 1}
    with make_study(
        runs["robust"], folder / "study.sqlite", selection=selection, conditions=runs, extractor=extractors, **settings
    ) as store:
        simulate(store, seed=1, clarity={"plain one": -0.5})
    return folder / "study.sqlite", runs, extractors


def test_conditions_show_the_same_places_from_different_runs(
    compared: tuple[Path, dict[str, Run], dict[str, Extractor]],
) -> None:
    path, runs, _ = compared
    with StudyStore(path) as store:
        items, settings = store.item_list(), store.settings
    assert settings.conditions == ("robust", "plain one")
    assert [item["kind"] for item in items] == ["item"] * 12 + ["practice", "practice", "attention", "attention"]
    assert [item["condition"] for item in items] == ["robust", "plain one"] * 8
    for robust, plain in zip(items[:12:2], items[1:12:2], strict=True):
        assert robust["pair"] == plain["pair"] == f"{robust['group']} #{robust['rank']}"
        assert (plain["group"], plain["rank"], plain["tier"], plain["ber"]) == tuple(
            robust[n] for n in ("group", "rank", "tier", "ber")
        )
        for item, run in ((robust, runs["robust"]), (plain, runs["plain one"])):
            ranked = ranking(run, item["group"], 2)
            assert ranked[item["rank"] - 1] == (item["feature"], pytest.approx(item["mutual_information"]))
            panel = frozen_panels.load_item_panel(path, item)
            assert panel.key == load_panel(run, item["group"], item["feature"]).key  # type: ignore[union-attr]
            assert (panel.k, panel.attack["steps"]) == (2, 1)
    assert frozen_panels.problems(path, {str(item["id"]): item for item in items}) == []
    with StudyStore(path) as store:
        assert set(trees_of(runs["robust"], store).features) <= {"label:cat", "label:dog", "label:truck"}


def test_what_people_called_features_of_another_network_is_no_name_for_the_run(
    compared: tuple[Path, dict[str, Run], dict[str, Extractor]],
) -> None:
    path, _, _ = compared
    data = load_study(path)
    assert set(data.answers["condition"]) == {"robust", "plain one"}
    names = Analysis(data).names_for_run
    with StudyStore(path) as store:
        own = {
            (item["group"], item["feature"])
            for item in store.item_list()
            if item["condition"] == "robust" and item["kind"] == "item"
        }
        exported = store.answers()
    assert set(zip(names["group"], names["feature"], strict=True)) <= own
    assert exported.groupby("worker")["item"].agg(lambda items: items.str.partition(":")[0].nunique()).eq(1).all()


def test_runs_that_cannot_be_compared_are_refused(
    compared: tuple[Path, dict[str, Run], dict[str, Extractor]], planted_benchmark: Benchmark, tmp_path: Path
) -> None:
    _, runs, _ = compared
    wrong = (np.asarray(planted_benchmark.labels) + 1) % 3
    other = small_run(tmp_path / "other", planted_benchmark.with_predictions(wrong), small_extractor())
    with pytest.raises(BarlowError, match="not about the same images, labels and predictions"):
        in_conditions({"robust": runs["robust"], "other": other}, chosen(runs["robust"]))
    unranked = Selection(({"id": "x", "group": "label:cat", "feature": 1, "rank": None},))
    with pytest.raises(BarlowError, match="Item x has no rank"):
        in_conditions(runs, unranked)
    robust = str(runs["robust"].path)
    for words, message in (
        (("--condition", "robust"), "names this run once and every other run once"),
        (("--condition", "a", "--condition", "b"), "names this run once"),
        (("--condition", f"a={robust}", "--condition", f"b={robust}"), "names this run once"),
        (("--condition", "a", "--condition", f"b={robust}", "--list", "x.csv"), "--list chooses for one"),
    ):
        done = CliRunner().invoke(barlow_study, ["create", robust, "--study", str(tmp_path / "s.sqlite"), *words, "--dry-run"])
        assert done.exit_code == 2, done.output
        assert message in done.output


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
