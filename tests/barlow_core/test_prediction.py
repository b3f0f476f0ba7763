from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.class_names import imagenet_classes
from barlow_core.errors import BarlowError
from barlow_core.extractors import Classifier
from barlow_core.prediction import match_classes, predict
from barlow_core.run import Run


class Colours(nn.Module):
    """Its logits are the mean red, green and blue of an image, times ten."""

    def forward(self, images: Tensor) -> Tensor:
        return 10 * images.mean((2, 3))


def classifier(names: list[str] | None = None, network: nn.Module | None = None) -> Classifier:
    return Classifier.from_model(network or Colours(), image_size=4, mean=[0] * 3, std=[1] * 3, class_names=names, name="colours")


class Outputs(nn.Module):
    def __init__(self, n_classes: int):
        super().__init__()
        self.n_classes = n_classes

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), self.n_classes)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Nine images: three red, three green, three blue ones, labelled with the colour's name, in sorted order."""

    def make(names: tuple[str, ...] = ("red", "green", "blue")) -> Run:
        rows = []
        for place, name in enumerate(names):
            for i in range(3):
                pixel = [0, 0, 0]
                pixel[place] = 255
                path = tmp_path / "images" / f"{place}{i}.png"
                path.parent.mkdir(exist_ok=True)
                Image.new("RGB", (4, 4), tuple(pixel)).save(path)
                rows.append({"Filenames": path.name, "Labels": name})
        pd.DataFrame(rows).to_csv(tmp_path / "metadata.csv", index=False)
        return Run.create(tmp_path / "run", Benchmark.from_csv(tmp_path / "images", tmp_path / "metadata.csv"))

    return make


def test_predictions_and_confidence_by_hand(make_run: Callable[..., Run]) -> None:
    run = make_run()
    found = predict(run, classifier(["red", "green", "blue"]), batch_size=2, shard_size=4)
    benchmark = Run(run.path).benchmark
    assert [benchmark.class_names[index] for index in found] == ["red"] * 3 + ["green"] * 3 + ["blue"] * 3
    assert not benchmark.failure.any()
    assert benchmark.confidence is not None
    np.testing.assert_allclose(benchmark.confidence, np.exp(10) / (np.exp(10) + 2))
    record = run.recorded("predict")
    assert record is not None
    assert record["settings"] == {"batch_size": 2, "classes": "by name"}
    assert record["model"]["name"] == "colours"
    assert not (run.path / "predict.partial").exists()
    assert Run(run.path).is_current("predict")


def test_classes_are_matched_by_name_not_by_place(make_run: Callable[..., Run]) -> None:
    run = make_run()
    predict(run, classifier(["Blue", "RED", "green"]))  # the network's first logit, red, is called Blue
    names = np.array(run.benchmark.class_names)
    assert names[run.benchmark.predictions].tolist() == ["blue"] * 3 + ["red"] * 3 + ["green"] * 3


def test_without_names_by_index_and_said_so(make_run: Callable[..., Run]) -> None:
    run = make_run()
    assert run.benchmark.class_names == ["blue", "green", "red"]
    assert predict(run, classifier()).tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert (run.recorded("predict") or {})["settings"]["classes"] == "by index: the network's outputs have no names"


def test_matching() -> None:
    imagenet = imagenet_classes()
    network = classifier(imagenet["name"].to_list(), Outputs(1000))
    assert match_classes(network, ["n01443537", "tench"]) == ([1, 0], "by name, the best of 2 among its 1000 outputs")
    assert match_classes(network, ["great_white_shark"])[0] == [2]
    assert match_classes(network, imagenet["name"].to_list()) == (list(range(1000)), "by name")
    with pytest.raises(BarlowError, match="does not know 'pokemon'"):
        match_classes(network, ["tench", "pokemon"])
    with pytest.raises(BarlowError, match="Two classes of the benchmark are the same output"):
        match_classes(network, ["tench", "n01440764"])
    with pytest.raises(BarlowError, match="3 outputs without names, the benchmark has 2 classes"):
        match_classes(classifier(), ["a", "b"])


def test_done_is_not_done_again_and_another_network_needs_permission(make_run: Callable[..., Run]) -> None:
    run, network = make_run(), classifier(["red", "green", "blue"])
    before = predict(run, network)
    network.logits = None  # type: ignore[method-assign, assignment]  # a second computation would fail
    assert np.array_equal(predict(run, network), before)
    other = classifier(["green", "red", "blue"])
    with pytest.raises(BarlowError, match="has predictions already"):
        predict(run, other)
    assert not np.array_equal(predict(run, other, overwrite=True), before)


@pytest.mark.parametrize("stop_at", ["save_benchmark", "record"])
def test_stopped_between_the_last_steps_it_finishes(
    make_run: Callable[..., Run], stop_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, network = make_run(), classifier(["red", "green", "blue"])

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, stop_at, stop)
        with pytest.raises(KeyboardInterrupt):
            predict(run, network)
    network.logits = None  # type: ignore[method-assign, assignment]  # every shard was finished
    again = Run(run.path)
    predict(again, network)
    assert again.is_current("predict")
    assert not again.benchmark.failure.any()
    assert not (run.path / "predict.partial").exists()


def test_logits_that_are_not_finite_name_the_image(make_run: Callable[..., Run]) -> None:
    class Broken(Colours):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            return torch.where(logits[:, 1:2] > 9, torch.nan, logits)  # of the green images

    with pytest.raises(BarlowError, match=r"A logit of .*10\.png by colours is not finite"):
        predict(make_run(), classifier(["red", "green", "blue"], Broken()))
