"""Accuracy under noise: a model that looks at the left half only loses it with noise there, and not with noise elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

from barlow_core.benchmark import Benchmark
from barlow_core.cli import cli, printing
from barlow_core.cli.printing_interventions import print_relied
from barlow_core.errors import BarlowError
from barlow_core.extraction import extract
from barlow_core.extractors import Classifier, Extractor
from barlow_core.interventions.charts import gap_chart, noise_chart
from barlow_core.interventions.kinds import ALL
from barlow_core.interventions.relying import RANDOM, mean_interval, rely
from barlow_core.run import Run
from barlow_core.vega import svg
from barlow_core.views.judgements import Judgements
from barlow_core.views.marks import read_marks

SIDE = 16
USUAL = {"image_size": SIDE, "mean": [0.0] * 3, "std": [1.0] * 3}


class Halves(nn.Module):
    """Feature 0 looks at the left half, feature 1 at the right one, whatever is there; its maps are those halves."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Tensor:
        left = torch.zeros(1, 1, 4, 4)
        left[..., :2] = 1
        maps = torch.cat([left, 1 - left], dim=1) * (1 + 0.1 * images.mean(dim=(1, 2, 3), keepdim=True))
        return self.head(self.pool(maps).flatten(1))


class LooksLeft(nn.Module):
    """Class 0 (dark) or 1 (light) by the spread of the left half: flat pictures are recognised until there is noise in it."""

    def forward(self, images: Tensor) -> Tensor:
        spread = images[..., : SIDE // 2].std(dim=(1, 2, 3))
        return torch.stack([0.1 - spread, spread - 0.1], dim=1) * 50


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Extractor, Classifier]:
    folder = tmp_path_factory.mktemp("halves")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(np.full((SIDE, SIDE, 3), rng.integers(100, 156), np.uint8)).save(folder / "images" / f"{i:02d}.png")
    names = [f"{i:02d}.png" for i in range(40)]
    labels = pd.DataFrame({"Filenames": names, "Labels": ["flat"] * 39 + ["rough"], "Predictions": "flat"})
    labels.to_csv(folder / "labels.csv", index=False)
    run = Run.create(folder / "run", Benchmark.from_csv(folder / "images", folder / "labels.csv"))
    extractor = Extractor.from_model(Halves(), **USUAL)  # type: ignore[arg-type]
    extract(run, extractor)
    model = Classifier.from_model(LooksLeft(), class_names=["flat", "rough"], name="left", **USUAL)  # type: ignore[arg-type]
    return run, extractor, model


@pytest.mark.parametrize(("core", "spurious", "gap"), [(0, 1, 1.0), (1, 0, -1.0)])
def test_the_gap_says_what_the_model_relies_on(
    made: tuple[Run, Extractor, Classifier], core: int, spurious: int, gap: float
) -> None:
    run, extractor, model = made
    marks = {("label:flat", core): "core", ("label:flat", spurious): "spurious"}
    found = rely(run, {"left": model}, marks, extractor=extractor, images=20, levels=(0, 0.5))
    (row,) = found.gaps[found.gaps["class_name"] == "flat"].to_dict("records")
    assert row["gap"] == pytest.approx(gap)
    assert min(row["gap_low"] * gap, row["gap_high"] * gap) > 0
    assert abs(row["random_gap"]) < 0.5
    assert row["beyond_random"] == pytest.approx(row["gap"] - row["random_gap"])
    assert row["beyond_random_low"] < row["beyond_random"] < row["beyond_random_high"]
    assert min(row["beyond_random_low"] * gap, row["beyond_random_high"] * gap) > 0
    accuracy = found.accuracy.set_index(["class_name", "region", "sigma"])["accuracy"]
    assert accuracy["flat", "core", 0.0] == accuracy["flat", RANDOM["core"], 0.0] == 1
    assert (found.accuracy["low"] <= found.accuracy["accuracy"]).all()
    assert (found.accuracy["accuracy"] <= found.accuracy["high"]).all()
    assert svg(noise_chart(found.accuracy, ALL)).startswith(b"<svg")
    drawn = svg(gap_chart(found.gaps)).decode()
    assert "all classes" in drawn
    assert "beyond random places" in drawn


def test_all_classes_are_the_same_images_under_all_kinds_of_noise(made: tuple[Run, Extractor, Classifier]) -> None:
    """A class with marks of one kind would be in one line of the figure and not in the others, which then start at different accuracies."""
    run, extractor, model = made
    marks = {("label:flat", 0): "core", ("label:flat", 1): "spurious", ("label:rough", 1): "spurious"}
    found = rely(run, {"left": model}, marks, extractor=extractor, images=20, levels=(0, 0.5))
    together = found.accuracy[found.accuracy["class_name"] == ALL]
    assert set(together["n"]) == {20}
    assert together.loc[together["sigma"] == 0, "accuracy"].nunique() == 1
    assert set(found.accuracy["class_name"]) == {ALL, "flat", "rough"}
    alone = rely(run, {"left": model}, {(None, 1): "spurious"}, extractor=extractor, images=20, levels=(0, 0.5)).accuracy
    assert set(alone.loc[alone["class_name"] == ALL, "n"]) == {21}


def test_the_table_fits_a_terminal_of_80_columns(
    made: tuple[Run, Extractor, Classifier], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, extractor, model = made
    marks = {("label:flat", 0): "core", ("label:flat", 1): "spurious", ("label:rough", 1): "spurious"}
    found = rely(run, {"a_model_with_a_long_name": model}, marks, extractor=extractor, images=20, levels=(0, 0.5))
    monkeypatch.setattr(printing, "PIPE_WIDTH", 80)
    print_relied(found, as_json=False)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for word in ("class", "model", "beyond random", "all classes", "points"):
        assert word in said
    assert "all core or all spurious: rough" in said


def test_the_interval_beyond_random_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    shares = [0.05, 0.2, 0.4, 0.25, 0.1]
    truth = float(np.dot(shares, range(-2, 3)))
    intervals = [mean_interval(rng.choice(range(-2, 3), 50, p=shares)) for _ in range(600)]
    assert 0.93 < np.mean([low <= truth <= high for low, high in intervals]) < 0.98
    low, high = mean_interval(np.zeros(50, dtype=int))  # all images agree: still not certain
    assert -0.1 < low < 0 < high < 0.1


def test_what_is_wrong_is_said(made: tuple[Run, Extractor, Classifier], tmp_path: Path) -> None:
    run, extractor, model = made
    for marks, levels, message in (
        ({}, (0, 1.0), "No feature .* is marked"),
        ({(None, 7): "core"}, (0, 1.0), "Feature 7 is marked and does not exist"),
        ({(None, 0): "useful"}, (0, 1.0), "marked as 'useful'"),
        ({("label:flt", 0): "core"}, (0, 1.0), "marked in label:flt, and .* has no such class. Expected one of: flat, rough"),
        ({(None, 0): "core"}, (0.5, 1.0), "The levels of noise"),
    ):
        with pytest.raises(BarlowError, match=message):
            rely(run, {"left": model}, marks, extractor=extractor, levels=levels)
    file = tmp_path / "marks.csv"
    file.write_text("group,feature,mark\nlabel:flat,0,necessary\n")
    with pytest.raises(BarlowError, match="line 2: feature '0' is marked 'necessary'"):
        read_marks(run, file)
    file.write_text("feature,mark\n0,core\n")
    with pytest.raises(BarlowError, match="has no column group"):
        read_marks(run, file)
    said = CliRunner().invoke(
        cli, ["rely", str(run.path), "--model", "standard_resnet_cifar10", "--marks", str(tmp_path / "none.csv")]
    )
    assert said.exit_code == 2
    assert "cannot be read" in said.output


def test_marks_are_the_votes_of_people(made: tuple[Run, Extractor, Classifier], tmp_path: Path) -> None:
    run, *_ = made
    judgements = Judgements(run)
    for author, feature, verdict in (
        ("Ada", 0, "necessary"), ("Ben", 0, "necessary"), ("Cy", 0, "spurious"), ("Ada", 1, "spurious"), ("Ben", 1, "necessary"), ("Cy", 1, "unsure")
    ):  # fmt: skip
        judgements.record(feature, author=author, group="label:flat", verdict=verdict)
    assert read_marks(run) == {("label:flat", 0): "core"}  # of feature 1, as many say this as that
    file = tmp_path / "marks.csv"
    file.write_text("group,feature,mark\nlabel:flat,0,spurious\n,1,core\n")
    assert read_marks(run, file) == {("label:flat", 0): "spurious", (None, 1): "core"}
