"""The network that a training starts from: of random weights, or of a checkpoint's."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torchvision import models

from barlow_core.errors import BarlowError
from barlow_core.extractors import Extractor, checkpoints, downloads, networks, small_resnet, zoo
from barlow_core.extractors.networks import Network
from barlow_core.storage.shipped import data_dir

log = logging.getLogger(__name__)

SMALL = small_resnet.ARCH
SIDE = 224  # pixels, of a torchvision network's images
# What a checkpoint says of its architecture beside the name (see networks.from_checkpoint).
KIND = ("planes", "blocks", "stride_in_1x1", "bn_eps")


def starting_network(
    arch: str | None,
    image_size: int | None,
    width: int | None,
    start: str | Path | None,
    class_names: list[str],
    seed: int,
    *,
    download: bool = False,
) -> tuple[Network, str, dict[str, Any]]:
    """A network for the classes of a benchmark, with the weights of `start` or random ones; its architecture; and what a file says of its kind."""
    if start is not None:
        return _started(arch, image_size, start, class_names, seed, download)
    arch = arch or SMALL
    size = image_size or (32 if arch == SMALL else SIDE)
    planes = small_resnet.PLANES if width is None else tuple(width << stage for stage in range(4))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if arch == SMALL:
            model: nn.Module = small_resnet.build(planes, small_resnet.BLOCKS, len(class_names))
        else:
            model = networks.torchvision_network(arch, num_classes=len(class_names))
    # Refuses before hours of training what shows no features later.
    Extractor.from_model(model, image_size=size, mean=(0.5,) * 3, std=(0.5,) * 3, name=arch)
    kind = {"planes": list(planes), "blocks": list(small_resnet.BLOCKS)} if arch == SMALL else {}
    return Network(model, arch, (0.5,) * 3, (0.5,) * 3, size, size, class_names=class_names), arch, kind


def _started(
    arch: str | None, image_size: int | None, start: str | Path, class_names: list[str], seed: int, download: bool
) -> tuple[Network, str, dict[str, Any]]:
    content = _content(start, download)
    kind = {name: content[name] for name in KIND if name in content}
    if arch is None:
        arch = networks.architecture_of(content, where=str(start))
    elif ("planes" in kind) != (arch == SMALL):
        raise BarlowError(f"{start} does not hold a {arch}. Leave the architecture out, or name the right one (--arch).")
    given = {} if arch == SMALL else {"arch": arch}
    network = networks.from_checkpoint(content, where=str(start), image_size=image_size, class_names=class_names, **given)
    named = content.get("classes", class_names) if isinstance(content, dict) else class_names
    # The logits of the start are of other classes, unless it names the same ones, or none and as many.
    if networks.weights_classes(network.model) != len(class_names) or list(named) != class_names:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            networks.with_new_head(network.model, len(class_names))
        log.warning("%s tells other classes apart than these images have: its last layer is learnt anew.", start)
    # What is learnt from is what will be looked at: the whole shorter side, without a margin that is cut off.
    return replace(network, resize=network.image_size), arch, kind


def _content(start: str | Path, download: bool) -> Any:
    """The checkpoint at a path, or the one that a name stands for."""
    name = str(start)
    if not Path(start).exists():
        if name in zoo.OWN:
            return checkpoints.read(data_dir() / f"{name}.pt")
        if name in downloads.DOWNLOADS:
            return checkpoints.read(downloads.downloaded(name, download=download, instead="start"))
        if name in models.list_models(module=models):
            network, *_ = zoo.build(name, {})
            said = {"arch": name, "mean": network.mean, "std": network.std, "classes": network.class_names}
            return said | {"state_dict": network.model.state_dict()}
    return checkpoints.read(start)
