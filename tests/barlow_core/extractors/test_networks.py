from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from robustness_files import MEAN, STD, robustness_checkpoint
from torch import Tensor, nn
from torchvision import models

from barlow_core import extractors
from barlow_core.errors import BarlowError
from barlow_core.extractors import checkpoints, networks
from barlow_core.extractors.small_resnet import build

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def seeded(arch: str, **settings: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: nn.Module = models.get_model(arch, weights=None, **settings)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that a wrong epsilon or running mean shows
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.9, 1.1)
    return network.eval()


def logits(network: nn.Module, mean: Tensor, std: Tensor) -> Tensor:
    with torch.no_grad():
        return network((IMAGES - mean.view(3, 1, 1)) / std.view(3, 1, 1))


def ours(path: Path, **options: Any) -> Tensor:
    with torch.no_grad():
        return extractors.load(path, **options).logits(IMAGES)


IMAGENET = torch.tensor(networks.IMAGENET_MEAN), torch.tensor(networks.IMAGENET_STD)


@pytest.mark.parametrize("attacker_only", [False, True])
def test_robustness_checkpoints(tmp_path: Path, attacker_only: bool) -> None:
    network = seeded("resnet18", num_classes=7)
    robustness_checkpoint(network, tmp_path / "dilled.pt", attacker_only=attacker_only)
    with pytest.raises(BarlowError, match="barlow convert-checkpoint"):
        extractors.load("robust_resnet18", checkpoint=tmp_path / "dilled.pt")
    left_out = checkpoints.convert(tmp_path / "dilled.pt", tmp_path / "plain.pt")
    assert left_out == ["args"]
    torch.testing.assert_close(ours(tmp_path / "plain.pt"), logits(network, MEAN, STD))  # recognised by its shapes
    named = extractors.load("robust_resnet18", checkpoint=tmp_path / "plain.pt")
    assert (named.name, named.image_size, named.n_features, named.class_names) == ("robust_resnet18", 224, 512, None)
    again = extractors.load(str(named.source), **named.options)
    assert again.fingerprint == named.fingerprint


@pytest.mark.parametrize("wrap", [
    lambda state: state,
    lambda state: {"state_dict": state, "epoch": 3},
    lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
])  # fmt: skip
def test_plain_state_dicts(tmp_path: Path, wrap: Any) -> None:
    network = seeded("densenet121", num_classes=4)
    torch.save(wrap(network.state_dict()), tmp_path / "weights.pt")
    found = ours(tmp_path / "weights.pt", arch="densenet121", class_names=["a", "b", "c", "d"])
    torch.testing.assert_close(found, logits(network, *IMAGENET))
    torch.testing.assert_close(
        ours(tmp_path / "weights.pt", arch="densenet121", mean=MEAN.tolist(), std=STD.tolist()), logits(network, MEAN, STD)
    )
    with pytest.raises(BarlowError, match="Name the network with arch="):
        extractors.load(tmp_path / "weights.pt")


@pytest.mark.parametrize("arch", ["resnet34", "resnet50", "wide_resnet50_2"])
def test_resnets_are_recognised(arch: str) -> None:
    with torch.device("meta"):
        weights = models.get_model(arch, weights=None, num_classes=12).state_dict()
    assert networks._recognised(weights, "here") == arch


def test_original_resnet_with_its_stride_and_epsilon(tmp_path: Path) -> None:
    """The variant of the original ResNet-50, made by hand from torchvision's class."""
    network = seeded("resnet50")
    for stage in (network.layer2, network.layer3, network.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
    content = {"arch": "resnet50", "stride_in_1x1": True, "bn_eps": 1e-3, "mean": MEAN.tolist(), "std": STD.tolist()}
    torch.save(content | {"state_dict": network.state_dict()}, tmp_path / "v1.pt")
    torch.testing.assert_close(ours(tmp_path / "v1.pt"), logits(network, MEAN, STD))
    torch.save({"arch": "resnet50", "state_dict": network.state_dict()}, tmp_path / "v1.5.pt")
    plain = extractors.load(tmp_path / "v1.5.pt", mean=MEAN.tolist(), std=STD.tolist())
    assert not torch.allclose(plain.logits(IMAGES), logits(network, MEAN, STD), atol=1e-3)
    assert plain.class_names is not None
    assert plain.class_names[:2] == ["tench", "goldfish"]
    assert plain.fingerprint != extractors.load(tmp_path / "v1.pt").fingerprint


@pytest.mark.parametrize("blocks", [1, [1, 1, 1, 1]])
def test_the_projects_format_in_half_precision(tmp_path: Path, blocks: Any) -> None:
    network = build([4, 8, 8, 16], [1, 1, 1, 1], 3).half().float().eval()
    content = {
        "planes": [4, 8, 8, 16], "blocks": blocks, "num_classes": 3, "mean": MEAN.tolist(), "std": STD.tolist(),
        "classes": ["cat", "dog", "truck"], "state_dict": {key: value.half() if value.is_floating_point() else value
                                                           for key, value in network.state_dict().items()},
    }  # fmt: skip
    torch.save(content, tmp_path / "small.pt")
    extractor = extractors.load(tmp_path / "small.pt")
    torch.testing.assert_close(extractor.logits(IMAGES), logits(network, MEAN, STD))
    assert (extractor.class_names, extractor.n_features, extractor.image_size) == (["cat", "dog", "truck"], 16, 32)


def test_weights_that_do_not_fit_are_named_in_a_few_words(tmp_path: Path) -> None:
    state = seeded("resnet18").state_dict()
    del state["layer1.0.conv1.weight"]
    state["layer1.0.conv2.weight"] = torch.zeros(64, 64, 1, 1)
    state |= {f"extra.{number}": torch.zeros(1) for number in range(5)}
    torch.save(state, tmp_path / "wrong.pt")
    with pytest.raises(BarlowError) as caught:
        extractors.load(tmp_path / "wrong.pt", arch="resnet18")
    message = str(caught.value)
    assert "missing layer1.0.conv1.weight" in message
    assert "unexpected extra.0, extra.1, extra.2 and 2 more" in message
    assert "layer1.0.conv2.weight (64, 64, 1, 1) instead of (64, 64, 3, 3)" in message
    assert len(message) < 500


@pytest.mark.parametrize(("content", "message"), [
    ([1, 2], "holds a list, expected a dict with weights"),
    ({"epoch": 3}, "holds no weights; its entries are epoch"),
])  # fmt: skip
def test_files_without_weights(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "none.pt")
    with pytest.raises(BarlowError, match=message):
        extractors.load(tmp_path / "none.pt")


def test_unknown_architectures_and_variants() -> None:
    with pytest.raises(BarlowError, match="no classification network 'resnet51'"):
        networks.torchvision_network("resnet51")
    with pytest.raises(BarlowError, match="does not apply to resnet18"):
        networks.torchvision_network("resnet18", stride_in_1x1=True)
