"""Networks from what a checkpoint says: which architecture, which weights, what goes in, what comes out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from barlow_core.benchmark.class_names import imagenet_classes
from barlow_core.errors import BarlowError
from barlow_core.extractors import small_resnet

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Architectures that are recognised by the shapes of their weights when a checkpoint does not say what it is.
RECOGNISED = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnext50_32x4d",
    "resnext101_32x8d",
)


@dataclass(frozen=True)
class Network:
    """A network and what it expects.

    Attributes:
        model: (N, 3, H, W) normalised images -> (N, K) logits.
        architecture: a text that, with the weights, says what the network computes.
        mean, std: the channel normalisation, for pixels in [0, 1].
        image_size: side of the square it sees, in pixels.
        resize: length of the shorter side before the central square is cut out, in pixels.
        interpolation: "bilinear" or "bicubic".
        class_names: one name a logit, or None when nobody wrote them down.
        layer: the module whose output are the features; None for the penultimate layer.
    """

    model: nn.Module
    architecture: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int
    resize: int
    interpolation: str = "bilinear"
    class_names: list[str] | None = None
    layer: str | None = None


def torchvision_network(
    arch: str, *, num_classes: int = 1000, stride_in_1x1: bool = False, bn_eps: float | None = None
) -> nn.Module:
    """torchvision's `arch` without weights.

    Args:
        stride_in_1x1: put the stride of a ResNet's stage into its first 1x1 convolution, as the original (v1) ResNet had it.
        bn_eps: epsilon of every batch normalisation, where it is not torch's.
    """
    if arch not in models.list_models(module=models):
        raise BarlowError(f"torchvision has no classification network {arch!r}. Expected a name such as resnet50 or densenet121.")
    extra = {"aux_logits": False, "init_weights": False} if arch in ("googlenet", "inception_v3") else {}
    model: nn.Module = models.get_model(arch, weights=None, num_classes=num_classes, **extra)
    if stride_in_1x1:
        if not isinstance(model, models.ResNet) or not hasattr(model.layer1[0], "conv3"):
            raise BarlowError(f"stride_in_1x1 does not apply to {arch}: only ResNets with bottleneck blocks have such a stride.")
        for stage in (model.layer2, model.layer3, model.layer4):
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    if bn_eps is not None:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = bn_eps
    return model


def from_checkpoint(content: Any, *, where: str, arch: str | None = None, **options: Any) -> Network:
    """Build the network that a checkpoint holds.

    Understood: this project's files (`planes, blocks, num_classes, mean, std, classes, state_dict`), dicts that name their
    architecture (`arch, state_dict` and optionally `stride_in_1x1, bn_eps, mean, std, classes`), MadryLab's `robustness`
    (`model` with keys under `module.model.` or `module.attacker.model.`), and plain state dicts.

    Args:
        content: what `checkpoints.read` returned.
        where: the file, for messages.
        arch: a torchvision name, for checkpoints that do not say; ResNets are recognised without it.
        options: mean, std, image_size, resize, class_names, stride_in_1x1, bn_eps in place of what the checkpoint says.

    Raises:
        BarlowError: nothing that is understood, weights of another architecture, a value that makes no sense.
    """
    facts, weights = _facts_and_weights(content, where)
    facts |= {name: value for name, value in options.items() if value is not None}
    if "planes" in facts:
        planes, blocks, classes = list(facts["planes"]), facts["blocks"], int(facts["num_classes"])
        blocks = [blocks] * len(planes) if isinstance(blocks, int) else list(blocks)
        model: nn.Module = small_resnet.build(planes, blocks, classes)
        architecture = f"small_resnet {planes} {blocks} {classes}"
        size = int(facts.get("image_size", 32))
        resize, interpolation = int(facts.get("resize", size)), "bilinear"
    else:
        arch = str(arch or facts.get("arch") or _recognised(weights, where))
        settings = {name: facts[name] for name in ("stride_in_1x1", "bn_eps") if name in facts}
        model = torchvision_network(arch, num_classes=_number_of_classes(arch, weights, where), **settings)
        architecture = f"torchvision {arch} {settings}"
        default_size, default_resize, interpolation = _usual_input(arch)
        size = int(facts.get("image_size", default_size))
        resize = int(facts.get("resize", default_resize if size == default_size else math.ceil(size * 256 / 224)))
    load_weights(model, weights, where=where, architecture=arch or "the project's small ResNet")
    interpolation = str(facts.get("interpolation", interpolation))
    mean, std = facts.get("mean", IMAGENET_MEAN), facts.get("std", IMAGENET_STD)
    names = facts.get("class_names") or facts.get("classes")
    if names is None and weights_classes(model) == 1000:
        names = imagenet_classes()["name"].to_list()
    return Network(
        model,
        architecture,
        _channels(mean),
        _channels(std),
        size,
        resize,
        interpolation,
        list(names) if names else None,
    )


def architecture_of(content: Any, *, where: str) -> str:
    """The name of a checkpoint's architecture: what it says, else a ResNet's that its weights fit.

    Raises:
        BarlowError: it does not say, and the weights are of no ResNet of torchvision's.
    """
    facts, weights = _facts_and_weights(content, where)
    return small_resnet.ARCH if "planes" in facts else str(facts.get("arch") or _recognised(weights, where))


def described(model: nn.Module) -> str:
    """What a network is beside its weights: its modules and their plain settings, the same in every process."""
    settings = [
        f"{name}.{key}={value!r}"
        for name, module in model.named_modules()
        for key, value in sorted(vars(module).items())
        if not key.startswith("_") and key != "training" and isinstance(value, bool | int | float | str | tuple)
    ]
    return re.sub(r" at 0x[0-9a-fA-F]+", "", "\n".join([repr(model), *settings]))


def weights_classes(model: nn.Module) -> int | None:
    """Number of outputs of the last linear layer (or 1x1 convolution) of `model`."""
    last = next((module for module in reversed(list(model.modules())) if _gives_logits(module)), None)
    return last.weight.shape[0] if isinstance(last, nn.Linear | nn.Conv2d) else None


def with_new_head(model: nn.Module, n_classes: int) -> nn.Module:
    """`model` with its last linear layer (or 1x1 convolution) replaced by one of random weights, for `n_classes` classes; changed in place."""
    name, last = next((name, module) for name, module in reversed(list(model.named_modules())) if _gives_logits(module))
    if isinstance(last, nn.Linear):
        new: nn.Module = nn.Linear(last.in_features, n_classes, bias=last.bias is not None)
    else:
        new = nn.Conv2d(last.in_channels, n_classes, kernel_size=1)
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)
    return model


def _gives_logits(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | nn.Conv2d)


def _channels(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in torch.as_tensor(values, dtype=torch.float64).flatten())


def _usual_input(arch: str) -> tuple[int, int, str]:
    """Crop, resize and interpolation of torchvision's first published weights for `arch`."""
    transforms = next(iter(models.get_model_weights(arch))).transforms()
    return transforms.crop_size[0], transforms.resize_size[0], transforms.interpolation.value


def _facts_and_weights(content: Any, where: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Split a checkpoint into what it says about the network and the weights themselves, with plain keys."""
    if not isinstance(content, Mapping):
        raise BarlowError(f"{where} holds a {type(content).__name__}, expected a dict with weights. Save model.state_dict().")
    facts: dict[str, Any] = {}
    weights: Any = content
    for wrapper in ("state_dict", "model"):
        if isinstance(content.get(wrapper), Mapping):
            weights = content[wrapper]
            facts = {name: value for name, value in content.items() if name in _FACTS}
            break
    weights = {str(key): value for key, value in weights.items() if isinstance(value, Tensor)}
    if not weights:
        raise BarlowError(f"{where} holds no weights; its entries are {_few(list(content))}. Expected a state dict of tensors.")
    return _without_wrappers(weights, facts)


_FACTS = {
    "planes",
    "blocks",
    "num_classes",
    "arch",
    "stride_in_1x1",
    "bn_eps",
    "mean",
    "std",
    "classes",
    "class_names",
    "image_size",
    "resize",
}


def _without_wrappers(weights: dict[str, Tensor], facts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Undo the prefixes that DataParallel and `robustness` put before the keys; the latter's normaliser becomes mean and std."""
    if all(key.startswith("module.") for key in weights):
        weights = {key.removeprefix("module."): value for key, value in weights.items()}
    for prefix in ("model.", "attacker.model."):
        # `robustness` stores the same network twice, once more inside its attacker; either copy will do.
        inner = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        if inner:
            owner = prefix.removesuffix("model.")
            for name in ("mean", "std"):
                if (key := f"{owner}normalizer.new_{name}") in weights:
                    facts = {name: weights[key], **facts}
            return facts, inner
    return facts, weights


def plain_weights(content: Any, *, where: str) -> dict[str, Tensor]:
    """The weights in what `checkpoints.read` returned, by the names that the network has for them."""
    return _facts_and_weights(content, where)[1]


def _recognised(weights: Mapping[str, Tensor], where: str) -> str:
    shapes = {key: value.shape for key, value in weights.items() if not key.startswith("fc.") and "num_batches" not in key}
    for arch in RECOGNISED:
        with torch.device("meta"):
            expected = models.get_model(arch, weights=None).state_dict()
        if shapes == {k: v.shape for k, v in expected.items() if not k.startswith("fc.") and "num_batches" not in k}:
            return arch
    raise BarlowError(
        f"{where} does not say which network its weights belong to, and they are not those of a torchvision ResNet "
        f"(keys: {_few(list(weights))}). Name the network with arch=, for example arch=densenet121."
    )


def _number_of_classes(arch: str, weights: Mapping[str, Tensor], where: str) -> int:
    with torch.device("meta"):
        head = [key for key, value in torchvision_network(arch).state_dict().items() if value.shape[:1] == (1000,)][-1]
    if head not in weights:
        raise BarlowError(f"{where} has no {head!r}, which {arch} needs; it has {_few(list(weights))}. Is arch= right?")
    return len(weights[head])


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], *, where: str, architecture: str) -> None:
    """Copy `weights` into `model`, converting half precision; say what does not fit in a few words, not in hundreds of lines."""
    expected = model.state_dict()
    # Checkpoints older than torch 0.4.1 do not count batches; nothing that is computed here depends on the count.
    missing = [key for key in expected if key not in weights and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in weights if key not in expected]
    shapes = [
        f"{key} {tuple(value.shape)} instead of {tuple(expected[key].shape)}"
        for key, value in weights.items()
        if key in expected and value.shape != expected[key].shape
    ]
    problems = [
        f"{what} {_few(keys)}"
        for what, keys in (("missing", missing), ("unexpected", unexpected), ("wrong shape", shapes))
        if keys
    ]
    if problems:
        raise BarlowError(
            f"The weights in {where} are not those of {architecture}: {'; '.join(problems)}. Check arch= and the file."
        )
    with torch.no_grad():
        for key, target in expected.items():
            if key in weights:
                target.copy_(weights[key])


def _few(items: Sequence[object], most: int = 3) -> str:
    text = ", ".join(str(item) for item in items[:most])
    return text if len(items) <= most else f"{text} and {len(items) - most:,} more"
