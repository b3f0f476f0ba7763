from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from barlow_core.analyses import explain_run
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.extraction import extract
from barlow_core.extractors import Extractor
from barlow_core.groups import Group, by_label, by_mask
from barlow_core.panels import (
    Panel,
    feature_attack,
    feature_requests,
    load_panel,
    make_panel,
    make_panels,
    most_activating,
    pictures,
    render,
    visualize,
)
from barlow_core.panels.attack import attack_together
from barlow_core.panels.figure import panel_figure
from barlow_core.panels.overlays import overlay
from barlow_core.run import Run
from study.setup.frozen_panels import freeze

FILES = sorted([f"{row}_{i}.png" for row in "abch" for i in range(3)] + ["panel.json"])


def small_extractor(seed: int = 0, image_size: int = 32) -> Extractor:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    return Extractor.from_model(model, image_size=image_size, mean=[0.5] * 3, std=[0.25] * 3, name="small")


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return small_extractor()


@pytest.fixture(scope="module")
def prepared(planted_benchmark: Benchmark, extractor: Extractor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Run.create(tmp_path_factory.mktemp("prepared") / "run", planted_benchmark)
    extract(run, extractor)
    explain_run(run, depth=2, delta=0.0, tau=0.0, min_leaf=3, workers=1)
    assert len(run.failure_modes()) >= 3, "enough to visualize"
    return run.path


@pytest.fixture
def run(prepared: Path, tmp_path: Path) -> Run:
    return Run(shutil.copytree(prepared, tmp_path / "run"))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tree(run: Run) -> dict[str, bytes]:
    """Every file below panels/, hidden ones too."""
    return {str(p.relative_to(run.path)): p.read_bytes() for p in sorted(run.panels_path.rglob("*")) if p.is_file()}


# --- which images


def test_most_activating_by_hand() -> None:
    activations = np.array([0.5, 2.0, -1.0, 2.0, 1.0], dtype=np.float16)
    assert most_activating(activations, 4).tolist() == [1, 3, 4, 0]
    assert most_activating(activations, 99).tolist() == [1, 3, 4, 0, 2]
    assert most_activating(np.zeros(0)).tolist() == []
    with pytest.raises(BarlowError, match="k is 0"):
        most_activating(activations, 0)


# --- one panel


def test_a_panel_holds_what_it_says(run: Run, extractor: Extractor) -> None:
    panel = make_panel(run, extractor, "label:dog", 5, k=3, steps=4)
    benchmark, features = run.benchmark, run.features()
    dogs = np.flatnonzero(benchmark.labels == 1)
    expected = dogs[np.argsort(-features[dogs, 5], kind="stable")[:3]]
    assert [image.index for image in panel.images] == expected.tolist()
    assert [image.name for image in panel.images] == benchmark.names[expected].tolist()
    assert [image.activation for image in panel.images] == pytest.approx(features[expected, 5].tolist())
    assert all(image.label == "dog" for image in panel.images)
    assert panel.range == pytest.approx((features[dogs, 5].min(), features[dogs, 5].max()))
    assert panel.attack == {"steps": 4, "step_size": pytest.approx(500 * 32 / 224 / 4), "epsilon": pytest.approx(500 * 32 / 224)}
    assert all(image.attacked > image.activation for image in panel.images)
    assert panel.path == run.panels_path / "label-dog" / "5"
    assert names_in(panel.path) == FILES
    assert Panel.load(panel.path) == panel
    assert load_panel(run, "label:dog", 5) == panel
    assert "feature 5 in label:dog, 3 images" in repr(panel)


def test_a_panel_can_begin_later_or_at_the_other_end(run: Run, extractor: Extractor) -> None:
    first = make_panel(run, extractor, "label:dog", 5, k=3, steps=2)
    further = make_panel(run, extractor, "label:dog", 5, k=2, steps=2, skip=3)
    lowest = make_panel(run, extractor, "label:dog", 5, k=2, steps=2, end="lowest")
    dogs = np.flatnonzero(run.benchmark.labels == 1)
    order = dogs[np.argsort(-run.features()[dogs, 5], kind="stable")]
    assert [image.index for image in (*first.images, *further.images)] == order[:5].tolist()
    assert [image.index for image in lowest.images] == order[::-1][:2].tolist()
    assert load_panel(run, "label:dog", 5) == first, "the others lie beside it"
    assert load_panel(run, "label:dog", 5, skip=3) == further
    assert load_panel(run, "label:dog", 5, end="lowest") == lowest
    assert load_panel(run, "label:dog", 5, end="lowest", skip=1) is None
    with pytest.raises(BarlowError, match=f"skip is {len(dogs)}, but there are {len(dogs)} images"):
        make_panel(run, extractor, "label:dog", 5, k=2, steps=2, skip=len(dogs))


def test_pictures_are_what_the_extractor_sees_enlarged(run: Run, extractor: Extractor) -> None:
    panel = make_panel(run, extractor, "label:dog", 5, k=3, steps=4)
    index = panel.images[0].index
    with Image.open(run.benchmark.paths[index]) as original, Image.open(panel.path / "a_0.png") as shown:
        assert shown.size == (160, 160)
        expected = original.convert("RGB").resize((160, 160), Image.Resampling.BICUBIC)
        assert np.array_equal(np.asarray(shown), np.asarray(expected))
    with Image.open(run.benchmark.paths[index]) as original:
        seen = extractor.preprocess(original.convert("RGB"))[None]
    heat = pictures.heatmaps(extractor.feature_maps(seen)[:, 5], 160)
    with Image.open(panel.path / "h_0.png") as shown:
        assert shown.mode == "L"
        assert np.abs(np.asarray(shown) / 255 - heat[0]).max() < 0.01
    attacked, activation = feature_attack(extractor, seen, 5, **panel.attack)
    assert float(activation[0]) == pytest.approx(panel.images[0].attacked, rel=1e-3)
    with Image.open(panel.path / "c_0.png") as shown:
        expected_pixels = pictures.enlarge(pictures.to_pixels(attacked), 160)[0].astype(int)
        assert np.abs(np.asarray(shown).astype(int) - expected_pixels).mean() < 1


def test_large_images_are_jpeg_at_their_size(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    large = small_extractor(image_size=128)
    run = Run.create(tmp_path / "large", planted_benchmark)
    extract(run, large)
    panel = make_panel(run, large, "label:cat", 0, k=1, steps=1)
    assert names_in(panel.path) == ["a_0.jpg", "b_0.jpg", "c_0.jpg", "h_0.png", "panel.json"]
    with Image.open(panel.path / "a_0.jpg") as shown:
        assert shown.size == (128, 128)
    assert panel.display["resampling"] is None


def test_the_whole_benchmark_as_source(run: Run, extractor: Extractor) -> None:
    panel = make_panel(run, extractor, "label:dog", 5, k=6, steps=1, source="benchmark")
    features = run.features()
    assert [image.index for image in panel.images] == np.argsort(-features[:, 5], kind="stable")[:6].tolist()
    assert panel.range[1] == pytest.approx(float(features[:, 5].max()))


def test_a_group_smaller_than_k(run: Run, extractor: Extractor) -> None:
    mask = np.zeros(120, dtype=bool)
    mask[[7, 99]] = True
    assert len(make_panel(run, extractor, by_mask(mask, "two"), 0, steps=1).images) == 2


@pytest.mark.parametrize(
    ("group", "feature", "settings", "message"),
    [
        ("label:dog", 12, {}, "Feature 12 does not exist.*0 to 11"),
        ("label:dog", -1, {}, "Feature -1 does not exist"),
        ("label:dogg", 0, {}, "Did you mean dog"),
        ("label:dog", 0, {"source": "web"}, "Unknown source 'web'"),
        ("label:dog", 0, {"k": 0}, "k is 0"),
        ("label:dog", 0, {"steps": -1}, "steps is -1"),
        (by_mask(np.zeros(120, dtype=bool), "none"), 0, {}, "mask:none has no images"),
    ],
)
def test_says_what_is_wrong(
    run: Run, extractor: Extractor, group: Any, feature: int, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(BarlowError, match=message):
        make_panel(run, extractor, group, feature, **settings)
    assert not run.panels_path.exists()


def test_another_extractor_is_refused(run: Run) -> None:
    with pytest.raises(BarlowError, match="made by small, not by"):
        make_panel(run, small_extractor(seed=1), "label:dog", 0)


@pytest.mark.parametrize("content", [None, "{", "{}", '{"format": 99}', '{"format": 1, "images": 3}'])
def test_a_damaged_panel_is_reported_and_made_again(run: Run, extractor: Extractor, content: str | None) -> None:
    panel = make_panel(run, extractor, "label:dog", 0, k=1, steps=1)
    if content is None:
        (panel.path / "panel.json").unlink()
    else:
        (panel.path / "panel.json").write_text(content)
    with pytest.raises(BarlowError, match="barlow visualize"):
        Panel.load(panel.path)
    assert load_panel(run, "label:dog", 0) is None
    assert make_panel(run, extractor, "label:dog", 0, k=1, steps=1) == panel


# --- what is done, what is stale


def count_attacks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    attack = attack_together

    def counted(extractor: Extractor, requests: list[tuple[torch.Tensor, int]], **settings: Any) -> Any:
        calls.extend(feature for _, feature in requests)
        return attack(extractor, requests, **settings)

    monkeypatch.setattr(render, "attack_together", counted)
    return calls


def test_what_is_there_is_not_made_again(run: Run, extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_attacks(monkeypatch)
    requests: list[tuple[Group | str, int]] = [("label:dog", 5), (by_label(run.benchmark, "cat"), 1), ("label:dog", 5)]
    first = make_panels(run, extractor, requests, k=3, steps=2)
    assert [panel.group for panel in first] == ["label:dog", "label:cat", "label:dog"]
    assert calls == [5, 1]
    before = tree(run)
    assert make_panels(run, extractor, requests, k=3, steps=2) == first
    assert calls == [5, 1]
    make_panels(run, extractor, requests[:1], k=3, steps=2, overwrite=True)
    assert calls == [5, 1, 5]
    assert tree(run) == before
    (first[1].path / "c_1.png").unlink()
    make_panels(run, extractor, requests, k=3, steps=2)
    assert calls == [5, 1, 5, 1]
    assert tree(run) == before


@pytest.mark.parametrize(
    "change", [{"k": 2}, {"steps": 3}, {"epsilon": 1.0}, {"step_size": 0.2}, {"source": "benchmark"}, {"early_stop": 0.01}]
)
def test_other_settings_make_another_panel(
    run: Run, extractor: Extractor, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    settings: dict[str, Any] = {"k": 3, "steps": 2}
    calls = count_attacks(monkeypatch)
    first = make_panel(run, extractor, "label:dog", 5, **settings)
    other = make_panel(run, extractor, "label:dog", 5, **settings | change)
    assert len(calls) == 2
    assert other.key != first.key
    assert load_panel(run, "label:dog", 5) == other
    assert len(names_in(other.path)) == 4 * len(other.images) + 1, "nothing of the first panel is left"


def test_a_panel_of_other_features_or_predictions_is_stale(run: Run, extractor: Extractor) -> None:
    old = make_panel(run, extractor, "label:dog", 5, k=3, steps=1)
    run.save_benchmark(run.benchmark.with_predictions(np.zeros(120, dtype=np.int64)))
    assert load_panel(run, "label:dog", 5) is None, "its captions would name the old predictions"
    again = make_panel(run, extractor, "label:dog", 5, k=3, steps=1)
    assert {image.prediction for image in again.images} == {"cat"}

    other = small_extractor(seed=1)
    extract(run, other, overwrite=True)
    assert load_panel(run, "label:dog", 5) is None
    assert make_panel(run, other, "label:dog", 5, k=3, steps=1).key != old.key
    assert load_panel(run, "label:dog", 5) is not None


def test_a_failure_in_the_middle_leaves_nothing_behind(run: Run, extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    good = make_panel(run, extractor, "label:dog", 5, k=3, steps=1)
    before = tree(run)
    write, written = pictures.write_picture, []

    def full_disk(path: Path, pixels: np.ndarray) -> None:
        written.append(path)
        if len(written) == 7:
            raise OSError("No space left on device")
        write(path, pixels)

    monkeypatch.setattr(pictures, "write_picture", full_disk)
    with pytest.raises(OSError, match="No space"):
        make_panels(run, extractor, [("label:dog", 5), ("label:cat", 1)], k=3, steps=2)
    assert tree(run) == before, "the panel that was there is kept until its successor is complete"
    assert Panel.load(good.path) == good


# --- all panels of a run


def test_requests_start_with_what_decides_the_failure_modes(make_explained: Callable[..., Run]) -> None:
    run = make_explained(depth=2)
    modes = run.failure_modes()
    requests = feature_requests(run)
    assert ("label:truck", 7) in requests
    assert len(requests) == len(set(requests))
    groups = list(dict.fromkeys(modes["group"]))
    for position, (key, feature) in enumerate(requests[: len(groups)]):
        best = modes[modes["group"] == key].sort_values("importance_value", ascending=False, kind="stable").iloc[0]
        assert feature == best["feature"], position
    assert {key for key, _ in requests[: len(groups)]} == set(groups), "every group's first comes before any group's second"
    in_rules = {(key, int(f)) for key, features in zip(modes["group"], modes["features"], strict=True) for f in features}
    assert set(requests) == in_rules
    assert feature_requests(run, keys=["label:truck"], depth=1) == [("label:truck", 7)]
    assert len(feature_requests(run, top=1)) == len(groups)
    assert feature_requests(run, keys=["label:dog"], features=[3, 9], top=1) == [("label:dog", 3)]
    with pytest.raises(BarlowError, match="pair:cat\\+dog is not among the .* groups explained"):
        feature_requests(run, keys=["pair:cat+dog"])


def test_visualize_records_its_stage_once(run: Run, extractor: Extractor) -> None:
    made = visualize(run, extractor, top=1, k=2, steps=1)
    assert made
    record = run.require("visualize")
    assert record["settings"] | {"attack": None} == {
        "keys": [], "features": [], "depth": None, "top": 1, "k": 2, "source": "group", "attack": None,
    }  # fmt: skip
    assert record["settings"]["attack"]["steps"] == 1
    assert record["panels"] == len(made)
    before = (run.path / "run.json").read_bytes()
    assert visualize(run, extractor, top=1, k=2, steps=1) == made
    assert (run.path / "run.json").read_bytes() == before
    assert visualize(run, extractor, top=1, k=2, steps=2)[0] != made[0]
    assert run.require("visualize")["key"] != record["key"]


def test_visualize_without_failure_modes_makes_nothing(run: Run, extractor: Extractor) -> None:
    explain_run(run, delta=1.0, tau=1.0, workers=1)
    assert visualize(run, extractor) == []
    assert run.is_current("visualize")


def test_panels_do_not_depend_on_the_machine_or_the_company(
    run: Run, prepared: Path, extractor: Extractor, tmp_path: Path
) -> None:
    """No path, no time; and a panel made alone has the bytes of one made among others, in another order."""
    other = Run(shutil.copytree(prepared, tmp_path / "elsewhere" / "run"))
    requests = [("label:dog", 5), ("label:cat", 1), ("label:truck", 2)]
    make_panels(run, extractor, requests, k=3, steps=3)
    for request in reversed(requests):
        make_panels(other, extractor, [request], k=3, steps=3)
    assert tree(run) == tree(other)
    text = (run.panels_path / "label-dog" / "5" / "panel.json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["images"][0]["image"] == "a_0.png"


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from test_panels import small_extractor
from barlow_core.panels import visualize
from barlow_core.run import Run
visualize(Run(sys.argv[1]), small_extractor(), k=3, steps=150)
"""


def test_killed_and_resumed_gives_the_same_bytes(run: Run, prepared: Path, extractor: Extractor, tmp_path: Path) -> None:
    whole = Run(shutil.copytree(prepared, tmp_path / "whole"))
    visualize(whole, extractor, k=3, steps=150)
    wanted = [run.path / path.relative_to(whole.path) for path in whole.panels_path.glob("*/*/panel.json")]

    command = [sys.executable, "-c", KILLED, str(run.path), str(Path(__file__).parent)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    # The third panel is being made: its unfinished folder lies beside two finished ones.
    while sum(path.exists() for path in wanted) < 2 or not list(run.panels_path.glob(".*")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in wanted if path.exists()}
    assert 2 <= len(finished) < len(wanted)
    assert list(run.panels_path.glob(".*")), "killed in the middle of a panel"

    visualize(run, extractor, k=3, steps=150)
    assert tree(run) == tree(whole)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "finished panels are not made again"


# --- networks without feature maps


def test_without_feature_maps_a_panel_has_a_and_c_and_says_why(planted_benchmark: Benchmark, tmp_path: Path) -> None:
    torch.manual_seed(0)
    flat = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(196, 8), nn.ReLU(), nn.Linear(8, 3))
    network = Extractor.from_model(flat, image_size=32, mean=[0.5] * 3, std=[0.25] * 3, name="flat")
    run = Run.create(tmp_path / "run", planted_benchmark)
    extract(run, network)
    reason = "its features, the input of 5, are not of places in the image"
    assert run.require("extract")["extractor"]["without_maps"] == reason
    panel = make_panel(run, network, "label:dog", 2, k=2, steps=2)
    assert panel.without_maps == reason
    assert names_in(panel.path) == ["a_0.png", "a_1.png", "c_0.png", "c_1.png", "panel.json"]
    assert load_panel(run, "label:dog", 2) == Panel.load(panel.path) == panel
    assert panel_figure(panel).height < panel_figure(make_with_maps(run, tmp_path)).height
    with pytest.raises(BarlowError, match=f"flat has no heatmaps: {reason}.*--layer"):
        overlay(run, network, 0, 2)
    with pytest.raises(BarlowError, match="has no section B, which workers are asked about"):
        freeze(panel, tmp_path / "study", "item")


def make_with_maps(run: Run, folder: Path) -> Panel:
    other = Run.create(folder / "with maps", run.benchmark)
    extract(other, small_extractor())
    return make_panel(other, small_extractor(), "label:dog", 2, k=2, steps=2)
