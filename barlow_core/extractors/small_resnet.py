"""The small residual network of the embedded example: a narrow torchvision ResNet for 32 x 32 images.

Its file is a dict (arch, planes, blocks, num_classes, mean, std, classes, state_dict) with float16 weights
under torchvision's names, readable with `weights_only=True`, that is without executing anything from the
file.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import ResNet
from torchvision.models.resnet import BasicBlock

from barlow_core.errors import BarlowError

ARCH = "small_resnet"
PLANES = (32, 64, 128, 256)
BLOCKS = (2, 2, 2, 2)
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True)
class SmallResNet:
    """A small network with what is needed to use it: `mean` and `std` normalise the images that enter."""

    network: ResNet
    planes: tuple[int, ...]
    blocks: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]

    def logits(self, images: Tensor) -> Tensor:
        """Logits (N, K) of `images` (N, 3, H, W) in [0, 1], on the device of the network."""
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        logits: Tensor = self.network((images - mean) / std)
        return logits


def build(planes: Sequence[int] = PLANES, blocks: Sequence[int] = BLOCKS, num_classes: int = 10) -> ResNet:
    """A torchvision ResNet of `BasicBlock`s: `planes` channels a stage, a 3x3 stem of stride 1, no max-pool.

    The last stage has `planes[3]` features and feature maps of one eighth of the image's side.
    """
    network = ResNet(BasicBlock, list(blocks), num_classes=num_classes)
    network.conv1 = nn.Conv2d(3, planes[0], 3, padding=1, bias=False)
    network.bn1 = nn.BatchNorm2d(planes[0])
    network.maxpool = nn.Identity()  # 32 x 32 images have no resolution to give away
    network.inplanes = planes[0]
    for stage in range(4):
        layer = network._make_layer(BasicBlock, planes[stage], blocks[stage], stride=1 if stage == 0 else 2)
        setattr(network, f"layer{stage + 1}", layer)
    network.fc = nn.Linear(planes[3], num_classes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def load(path: Path) -> SmallResNet:
    """Read a file that `save` wrote; the network comes in float32, in evaluation mode, on the CPU.

    Raises:
        BarlowError: the file is missing, is not one of these, or holds weights of other shapes.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        network = build(content["planes"], content["blocks"], content["num_classes"])
        network.load_state_dict(content["state_dict"])  # copies float16 into float32
    except FileNotFoundError as error:
        raise BarlowError(f"{path} does not exist. Expected the file of a small ResNet. Check the path.") from error
    except (KeyError, TypeError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise BarlowError(
            f"{path} is not the file of a small ResNet ({str(error).splitlines()[0]}). "
            "Expected one written by `barlow train-robust`. Train it again."
        ) from error
    return SmallResNet(
        network=network.eval(),
        planes=tuple(content["planes"]),
        blocks=tuple(content["blocks"]),
        mean=tuple(content["mean"]),
        std=tuple(content["std"]),
        class_names=tuple(content["classes"]),
    )
