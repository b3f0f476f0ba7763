from __future__ import annotations

import zipfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from barlow_core import extractors
from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor, Preprocessing
from barlow_core.storage.shipped import data_dir

INPUT = {"image_size": 64, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}


def seeded(build: type[nn.Module] | object, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()  # type: ignore[operator]


def tiny(pooling: nn.Module, head: int = 8) -> nn.Module:
    return seeded(lambda: nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), pooling, nn.Flatten(), nn.Linear(head, 5)))


class Mean(nn.Module):
    def __init__(self, **arguments: object):
        super().__init__()
        self.arguments = arguments

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean(**self.arguments)  # type: ignore[arg-type]


class Function(nn.Module):
    def __init__(self, function: object):
        super().__init__()
        self.function = function

    def forward(self, maps: Tensor) -> Tensor:
        return self.function(maps)  # type: ignore[operator]


# --- features, feature maps and logits


def test_agrees_with_torchvisions_feature_extractor() -> None:
    network = seeded(models.resnet18).eval()
    extractor = Extractor.from_model(network, **INPUT)
    images = torch.rand(3, 3, 64, 64)
    normalised = (images - torch.tensor(INPUT["mean"]).view(3, 1, 1)) / torch.tensor(INPUT["std"]).view(3, 1, 1)
    with torch.no_grad():
        oracle = create_feature_extractor(network, {"layer4": "maps", "flatten": "features", "fc": "logits"})(normalised)
        found = extractor.forward(images)
    torch.testing.assert_close(found.feature_maps, oracle["maps"])
    torch.testing.assert_close(found.features, oracle["features"])
    torch.testing.assert_close(found.logits, oracle["logits"])
    torch.testing.assert_close(extractor.logits(images), oracle["logits"])
    assert (extractor.n_features, extractor.feature_map_size, extractor.n_classes) == (512, (2, 2), 1000)


@pytest.mark.parametrize(
    "pooling",
    [
        nn.AdaptiveAvgPool2d(1),
        nn.AvgPool2d(8),
        Function(lambda maps: F.adaptive_avg_pool2d(maps, (1, 1))),
        Function(lambda maps: F.avg_pool2d(maps, kernel_size=maps.shape[2:])),
        Function(lambda maps: torch.mean(maps, dim=[2, 3])),
        Mean(dim=(-1, -2)),
        Mean(dim=(2, 3), keepdim=True),
    ],
)
def test_every_way_of_writing_a_global_average_gives_the_same(pooling: nn.Module) -> None:
    settings = {"image_size": 8, "mean": [0.0] * 3, "std": [1.0] * 3}
    images = torch.rand(2, 3, 8, 8)
    expected = Extractor.from_model(tiny(nn.AdaptiveAvgPool2d(1)), **settings).forward(images)
    for found, value in zip(Extractor.from_model(tiny(pooling), **settings).forward(images), expected, strict=True):
        torch.testing.assert_close(found, value)


def test_gradients_reach_the_image() -> None:
    extractor = Extractor.from_model(tiny(nn.AdaptiveAvgPool2d(1)), image_size=8, mean=[0] * 3, std=[1] * 3)
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    extractor.features(images)[0, 3].backward()
    assert images.grad is not None
    assert images.grad[0].abs().sum() > 0
    assert images.grad[1].abs().sum() == 0
    assert not any(parameter.requires_grad for parameter in extractor._model.parameters())


def test_a_network_that_overwrites_its_maps_after_pooling_does_not_change_what_we_report() -> None:
    def spoil(maps: Tensor) -> Tensor:
        pooled = maps.mean((2, 3))
        maps.zero_()
        result = pooled * 1.0
        pooled.add_(7)
        return result

    settings = {"image_size": 8, "mean": [0.0] * 3, "std": [1.0] * 3}
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        expected = Extractor.from_model(tiny(nn.AdaptiveAvgPool2d(1)), **settings).forward(images)
        found = Extractor.from_model(tiny(Function(spoil)), **settings).forward(images)
    torch.testing.assert_close(found.feature_maps, expected.feature_maps)
    torch.testing.assert_close(found.features, expected.features)


@pytest.mark.parametrize("under", [torch.no_grad, torch.inference_mode])
def test_works_without_gradients(under: type) -> None:
    extractor = Extractor.from_model(tiny(nn.AdaptiveAvgPool2d(1)), image_size=8, mean=[0] * 3, std=[1] * 3)
    with under():
        assert extractor.features(torch.rand(1, 3, 8, 8)).shape == (1, 8)


def test_refuses_what_is_no_image_batch_or_no_image_network() -> None:
    extractor = Extractor.from_model(tiny(nn.AdaptiveAvgPool2d(1)), image_size=8, mean=[0] * 3, std=[1] * 3)
    with pytest.raises(BarlowError, match=r"shape \(3, 8, 8\)"):
        extractor.features(torch.rand(3, 8, 8))
    with pytest.raises(BarlowError, match="cannot compute an RGB image of 8 x 8"):
        Extractor.from_model(nn.Linear(5, 2), image_size=8, mean=[0] * 3, std=[1] * 3)
    with pytest.raises(BarlowError, match="5 outputs but 2 class names"):
        Extractor.from_model(tiny(nn.AdaptiveAvgPool2d(1)), image_size=8, mean=[0] * 3, std=[1] * 3, class_names=["cat", "dog"])
    with pytest.raises(BarlowError, match="device 'cuda:77' is not available"):
        extractors.load("robust_resnet_cifar10", device="cuda:77")


def test_training_the_model_further_changes_nothing() -> None:
    network = tiny(nn.AdaptiveAvgPool2d(1)).train()
    extractor = Extractor.from_model(network, image_size=8, mean=[0] * 3, std=[1] * 3)
    before, fingerprint = extractor.features(torch.ones(1, 3, 8, 8)), extractor.fingerprint
    with torch.no_grad():
        network[0].weight.mul_(2)
    assert torch.equal(extractor.features(torch.ones(1, 3, 8, 8)), before)
    assert network.training
    assert network[0].weight.requires_grad
    assert Extractor.from_model(network, image_size=8, mean=[0] * 3, std=[1] * 3).fingerprint != fingerprint


def test_fingerprint_stands_for_weights_and_preprocessing() -> None:
    settings = {"image_size": 8, "mean": [0] * 3, "std": [1] * 3}
    network = tiny(nn.AdaptiveAvgPool2d(1))
    same = [Extractor.from_model(network, **settings, name=name).fingerprint for name in ("a", "b")]
    other = [Extractor.from_model(network, **(settings | change)).fingerprint for change in (
        {"image_size": 9}, {"mean": [0.1, 0, 0]}, {"std": [2, 1, 1]}, {"resize": 12}, {"interpolation": "bicubic"},
    )]  # fmt: skip
    assert same[0] == same[1]
    assert len({same[0], *other}) == 6


def test_fingerprint_stands_for_settings_that_are_no_weights() -> None:
    class Scale(nn.Module):
        def __init__(self, factor: float):
            super().__init__()
            self.factor, self.function = factor, lambda value: value  # a function is somewhere else in every process

        def forward(self, images: Tensor) -> Tensor:
            return self.function(images * self.factor)

        def extra_repr(self) -> str:
            return repr(self.function)

    fingerprints = [
        Extractor.from_model(nn.Sequential(Scale(factor), tiny(nn.AdaptiveAvgPool2d(1))), image_size=8, mean=[0] * 3, std=[1] * 3)
        .fingerprint
        for factor in (1.0, 1.0, 2.0)
    ]  # fmt: skip
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


# --- preprocessing


@pytest.mark.parametrize("weights", [models.ResNet50_Weights.IMAGENET1K_V1, models.EfficientNet_B0_Weights.DEFAULT])
@pytest.mark.parametrize("size", [(500, 375), (231, 640), (100, 60), (256, 256)])
def test_preprocessing_is_torchvisions(weights: models.WeightsEnum, size: tuple[int, int]) -> None:
    preset = weights.transforms()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    ours = Preprocessing(preset.crop_size[0], preset.resize_size[0], preset.interpolation.value)(picture)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preset.mean, preset.std))
    torch.testing.assert_close((ours - mean) / std, preset(picture))
    assert ours.min() >= 0
    assert ours.max() <= 1


# --- the project's networks, names and files


@pytest.fixture(scope="module")
def cifar10(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Image.Image], np.ndarray]:
    folder = tmp_path_factory.mktemp("cifar10")
    with zipfile.ZipFile(data_dir() / "cifar10_test.zip") as archive:
        with archive.open("metadata.csv") as file:
            table = pd.read_csv(file).iloc[:400]
        archive.extractall(folder, [f"images/{name}" for name in table["Filenames"]])
    return [Image.open(folder / "images" / name).convert("RGB") for name in table["Filenames"]], table["Labels"].to_numpy()


@pytest.mark.parametrize(("name", "accuracy"), [("robust_resnet_cifar10", 0.817), ("standard_resnet_cifar10", 0.866)])
def test_accuracy_of_the_shipped_networks(name: str, accuracy: float, cifar10: tuple[list[Image.Image], np.ndarray]) -> None:
    extractor = extractors.load(name)
    pictures, labels = cifar10
    with torch.no_grad():
        predicted = extractor.logits(torch.stack([extractor.preprocess(picture) for picture in pictures])).argmax(1).numpy()
    assert extractor.class_names is not None
    right = np.mean([extractor.class_names[index] == str(label) for index, label in zip(predicted, labels, strict=True)])
    # Three standard errors of a share of 400; without the normalisation it would be below a half.
    assert right == pytest.approx(accuracy, abs=3 * np.sqrt(accuracy * (1 - accuracy) / 400))
    assert (extractor.n_features, extractor.feature_map_size, extractor.image_size) == (256, (4, 4), 32)
    assert (extractor.source, extractor.options) == (name, {})


def test_unknown_names_list_close_ones() -> None:
    with pytest.raises(BarlowError, match="Did you mean .*resnet50"):
        extractors.load("resent50")
    with pytest.raises(BarlowError, match=r"nowhere/model\.pt: no such file"):
        extractors.load("nowhere/model.pt")
    with pytest.raises(BarlowError, match="takes no option colour"):
        extractors.load("robust_resnet_cifar10", colour=3)
    assert {"robust_resnet50", "robust_resnet_cifar10", "resnet50", "vit_b_16"} <= set(extractors.names())


def test_a_download_that_fails_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(BarlowError, match="could not be downloaded from https://.*no route to host"):
        extractors.load("resnet18")
    with pytest.raises(BarlowError, match="Published weights: IMAGENET1K_V1"):
        extractors.load("resnet18", weights="IMAGENET9")


def test_published_weights_are_recorded_by_their_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    state = seeded(models.resnet50).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *args, **options: state)
    extractor = extractors.load("resnet50")
    assert extractor.options == {"weights": "IMAGENET1K_V2"}
    assert extractor.preprocess == Preprocessing(224, 232, "bilinear")
    assert extractor.class_names is not None
    assert extractor.class_names[0] == "tench"
    assert extractors.load(str(extractor.source), **extractor.options).fingerprint == extractor.fingerprint


def test_your_own_code_by_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_networks.py").write_text(
        "from torch import nn\n"
        "def build(width=4):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2))\n"
        "def nothing():\n    return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    options = {"image_size": 8, "mean": [0] * 3, "std": [1] * 3, "width": 6}
    extractor = extractors.load("own_networks:build", **options)
    assert extractor.n_features == 6
    assert (extractor.source, extractor.options) == ("own_networks:build", options)
    with pytest.raises(BarlowError, match="give image_size, mean, std as options"):
        extractors.load("own_networks:build")
    with pytest.raises(BarlowError, match="returned a int"):
        extractors.load("own_networks:nothing")
    with pytest.raises(BarlowError, match="cannot be imported"):
        extractors.load("own_networks:other")
