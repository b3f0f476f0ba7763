"""Images to collect and regions to cover, for a rule of the steered model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import steered
import torch
from click.testing import CliRunner
from PIL import Image

from barlow_core.cli import causal, cli
from barlow_core.errors import BarlowError
from barlow_core.extractors import Classifier, Extractor
from barlow_core.interventions import InterventionSettings, intervene
from barlow_core.interventions.mending import (
    _may_be_of,
    check_confirmed,
    images_to_collect,
    painted_over,
    training_masks,
    typically_weak,
    weakening_regions,
)
from barlow_core.run import Run

Made = tuple[Run, Extractor, Classifier]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return steered.steered_run(tmp_path_factory.mktemp("mending"))


def test_the_least_sure_of_those_that_the_rule_selects_come_first(made: Made, tmp_path: Path) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING)
    folder = Path(run.benchmark.images_dir)
    found = images_to_collect(run, model, extractor, target, folder)
    values = np.asarray(run.features()[:, steered.STEERING])
    assert set(found["path"]) == set(
        run.benchmark.names[values <= target.threshold]
    )  # of two classes, each is the first or second guess
    assert found["confidence"].is_monotonic_increasing
    assert found["confidence"].between(0.5, 1).all()
    assert (found["value"] <= target.threshold + 1e-5).all()
    with pytest.raises(BarlowError, match="holds no image"):
        images_to_collect(run, model, extractor, target, tmp_path)
    with pytest.raises(BarlowError, match="is not a folder"):
        images_to_collect(run, model, extractor, target, tmp_path / "nowhere")


def test_masks_have_the_size_of_the_picture_and_lie_where_the_feature_looks(made: Made, tmp_path: Path) -> None:
    run, extractor, _ = made
    target = steered.target(run, steered.STEERING, group="b", above=True)
    small = Image.open(run.benchmark.paths[0])
    (tmp_path / "photos" / "b").mkdir(parents=True)
    for i in range(6):
        picture = Image.open(run.benchmark.paths[i]).resize((48, 32), Image.Resampling.NEAREST)
        picture.save(tmp_path / "photos" / "b" / f"{i}.png")
    assert small.size == (16, 16)
    written = training_masks(extractor, target, tmp_path / "photos", tmp_path / "masks", painted=tmp_path / "painted")
    assert len(written)
    for name, area in zip(written["path"], written["area"], strict=True):
        mask = np.asarray(Image.open(tmp_path / "masks" / name))
        assert mask.shape == (32, 48)
        assert set(np.unique(mask)) == {0, 255}
        assert not mask[:, :8].any()  # the network sees the central square
        assert not mask[:, 40:].any()
        assert (mask > 0).mean() == pytest.approx(area * 32 / 48)
        before, after = Image.open(tmp_path / "photos" / name), Image.open(tmp_path / "painted" / name)
        same = (np.asarray(before) == np.asarray(after)).all(axis=2)
        assert same[mask == 0].all()
        assert not same[mask > 0].all()
        assert extractor.features(extractor.preprocess(before)[None])[0, steered.STEERING] > target.threshold
    fixed = training_masks(extractor, target, tmp_path / "photos", tmp_path / "fixed", threshold=0.9)
    assert fixed["area"].mean() < written["area"].mean()


def test_a_mask_grows_until_the_feature_is_weak_without_it(made: Made) -> None:
    """Of the largest masks at the latest; those of images whose feature is weak sooner are smaller."""
    run, extractor, _ = made
    target = steered.target(run, steered.STEERING, group="b", above=True)
    seen = torch.stack([extractor.preprocess(Image.open(path)) for path in run.benchmark.paths[:40]])
    values = np.asarray(run.features()[:, steered.STEERING], dtype=np.float64)
    weak = typically_weak(target, values)
    assert weak == np.median(values[values <= target.threshold])
    assert typically_weak(target, values[values > target.threshold]) == target.threshold
    strong = seen[torch.from_numpy(values[:40] > target.threshold)]
    small, sooner = weakening_regions(extractor, target, strong, target.threshold)
    large, later = weakening_regions(extractor, target, strong, weak)
    assert (small <= large).all()
    assert large.sum() > small.sum()
    assert (sooner <= target.threshold).mean() > 0.5
    assert np.allclose(target.direction.values(extractor.features(painted_over(strong, large)).numpy()), later, atol=1e-5)
    unchanged, _ = weakening_regions(extractor, target, strong, np.inf)
    assert (unchanged <= small).all()


def test_only_what_is_established_is_mended(made: Made) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING)
    with pytest.raises(BarlowError, match="It was not tested"):
        check_confirmed(run, target)
    quick = InterventionSettings(images=12, doses=1, alpha=0.2)
    assert intervene(run, model, target, extractor=extractor, settings=quick).verdict == "the model depends on this feature"
    check_confirmed(run, target)
    other = steered.target(run, int(np.argmin(np.abs(np.corrcoef(np.asarray(run.features()).T)[steered.STEERING]))))
    intervene(run, model, other, extractor=extractor, settings=InterventionSettings(images=4, doses=1, alpha=0.2))
    with pytest.raises(BarlowError, match="The verdict is “"):
        check_confirmed(run, other)
    assert torch.is_grad_enabled()


def test_the_command_writes_what_to_collect_and_what_to_cover(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING, group="b", above=True)
    quick = InterventionSettings(images=12, doses=1, alpha=0.2)
    assert intervene(run, model, target, extractor=extractor, settings=quick).verdict == "the model depends on this feature"
    monkeypatch.setattr("barlow_core.interventions.leaf_target", lambda *_, **__: target)
    monkeypatch.setattr(causal, "load_model", lambda *_, **__: model)
    monkeypatch.setattr(Run, "extractor", lambda *_, **__: extractor)
    folder = str(run.benchmark.images_dir)
    command = ["mend", str(run.path), "label:b", "--model", "steered", "--collect-from", folder, "--training", folder, "--paint"]
    said = CliRunner().invoke(cli, [*command, "--out", str(tmp_path / "out"), "--quiet"], catch_exceptions=False)
    assert said.exit_code == 0, said.output
    strong = run.benchmark.names[np.asarray(run.features()[:, steered.STEERING]) > target.threshold]
    collected = pd.read_csv(tmp_path / "out" / "collect.csv")
    assert set(collected["path"]) == set(strong)
    assert collected["confidence"].is_monotonic_increasing
    masks = pd.read_csv(tmp_path / "out" / "masks.csv")
    assert sorted(masks["path"]) == sorted(strong)
    assert (masks["value"] > target.threshold).all()
    assert (masks["value_covered"] <= target.threshold).mean() > 0.5
    for kind in ("masks", "painted"):
        assert sorted(path.name for path in (tmp_path / "out" / kind).iterdir()) == sorted(strong)
    assert f"{len(strong)} masks in" in said.output
    assert "of a picture on average. Without it, the feature is weak in" in said.output


def test_the_command_wants_something_to_do_and_a_reason(explained_run: Run, tmp_path: Path) -> None:
    command = ["mend", str(explained_run.path), "label:truck", "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(cli, command)
    assert said.exit_code == 2
    assert "There is nothing to do" in said.output
    said = CliRunner().invoke(cli, [*command, "--training", str(explained_run.benchmark.images_dir)])
    assert said.exit_code == 2
    assert "It was not tested" in said.output
    assert f"barlow intervene {explained_run.path} label:truck --depth " in said.output
    assert not (tmp_path / "out").exists()


def test_only_images_that_may_be_of_the_group_are_collected() -> None:
    """A rule such as "the back is weak" holds for most images of anything; what the model guesses says which may be meant."""
    names = ["a", "b", "c", "a+b"]
    guesses = np.array([[0, 1, 2, 3], [1, 0, 2, 3], [2, 1, 0, 3], [3, 2, 1, 0]])
    for group, expected in {
        "prediction:a": [1, 0, 0, 0],
        "label:a": [1, 1, 0, 0],
        "union:c": [0, 0, 1, 1],
        "pair:b+c": [0, 1, 1, 0],
        "pair:c+a+b": [0, 0, 1, 1],
        "all:images": [1, 1, 1, 1],
        "camera:phone": [1, 1, 1, 1],
    }.items():
        assert _may_be_of(group, names, guesses).tolist() == [bool(one) for one in expected], group


def test_what_cannot_be_read_is_told_and_no_mask_takes_the_place_of_another(made: Made, tmp_path: Path) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING, group="b", above=True)
    strong = Path(run.benchmark.paths[int(np.argmax(run.features()[:, steered.STEERING]))])
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("one.png", "one.bmp", "two.png"):
        Image.open(strong).save(folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    unreadable: list[Path] = []
    assert len(images_to_collect(run, model, extractor, target, folder, unreadable=unreadable)) == 3
    assert unreadable == [folder / "broken.png"]
    unreadable.clear()
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "of an earlier call.png").touch()
    written = training_masks(extractor, target, folder, masks, unreadable=unreadable)
    assert unreadable == [folder / "broken.png"]
    assert dict(zip(written["path"], written["mask"], strict=True)) == {
        "one.bmp": "one.bmp.png",
        "one.png": "one.png.png",
        "two.png": "two.png",
    }
    assert sorted(path.name for path in masks.iterdir()) == sorted(written["mask"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["masks", "photos"]


def test_an_interrupted_call_leaves_the_masks_of_an_earlier_one(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, extractor, _ = made
    target = steered.target(run, steered.STEERING, group="b", above=True)
    folder, masks = Path(run.benchmark.images_dir), tmp_path / "masks"
    before = training_masks(extractor, target, folder, masks, threshold=0.9)
    bytes_before = {path.name: path.read_bytes() for path in masks.iterdir()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("barlow_core.interventions.mending.weakening_regions", stop)
    with pytest.raises(KeyboardInterrupt):
        training_masks(extractor, target, folder, masks)
    assert {path.name: path.read_bytes() for path in masks.iterdir()} == bytes_before
    assert len(bytes_before) == len(before)
    assert [path.name for path in tmp_path.iterdir()] == ["masks"]


def test_the_command_replaces_nothing_unasked(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, extractor, model = made
    target = steered.target(run, steered.STEERING, group="b", above=True)
    monkeypatch.setattr("barlow_core.interventions.leaf_target", lambda *_, **__: target)
    monkeypatch.setattr(causal, "load_model", lambda *_, **__: model)
    monkeypatch.setattr(Run, "extractor", lambda *_, **__: extractor)
    folder, out = str(run.benchmark.images_dir), tmp_path / "out"
    command = ["mend", str(run.path), "label:b", "--model", "steered", "--unconfirmed", "--quiet", "--out", str(out)]

    def mended(*options: str) -> str:
        said = CliRunner().invoke(cli, [*command, *options], catch_exceptions=False)
        assert said.exit_code == (2 if said.output.startswith("Error") else 0)
        return said.output

    assert "to collect, that follow" in mended("--collect-from", folder)
    (out / "collect.csv").write_text("path,label\n000.png,b\n")  # a person at work
    assert "already has collect.csv" in mended("--collect-from", folder)
    assert (out / "collect.csv").read_text() == "path,label\n000.png,b\n"
    mended("--training", folder, "--paint")
    assert (out / "painted").is_dir()
    assert "already has masks.csv, masks, painted" in mended("--training", folder)
    mended("--training", folder, "--overwrite")
    assert not (out / "painted").exists()  # those were painted over by other masks
    assert "to collect" in mended("--collect-from", folder, "--overwrite")
    command[-1] = str(Path(folder) / "out")
    assert "the next call would take masks for images" in mended("--training", folder)
    assert "--threshold is about training images" in mended("--collect-from", folder, "--threshold", "0.5")
