"""Networks of timm, where it is installed (`pip install 'barlow[timm]'`): timm/NAME, such as timm/vit_small_patch16_224."""

from __future__ import annotations

import importlib
import math
from typing import Any

from barlow_core.benchmark.class_names import imagenet_classes
from barlow_core.errors import BarlowError
from barlow_core.extractors import checkpoints, networks
from barlow_core.extractors.networks import Network

PREFIX = "timm/"


def build(source: str, *, checkpoint: str | None = None, **options: Any) -> Network:
    """The network that `source` (timm/NAME) names, with the weights of `checkpoint` or those that timm downloads.

    Args:
        options: mean, std, image_size, resize, interpolation, class_names in place of what timm says.

    Raises:
        BarlowError: no timm, no such network, weights that cannot be had or do not fit.
    """
    timm = _timm()
    name = source.removeprefix(PREFIX)
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('.')[0][:8]}*")[:4])
        raise BarlowError(f"timm has no network {name!r}. " + (f"It has {close}." if close else "timm.list_models() lists them."))
    size = {"img_size": int(options["image_size"])} if options.get("image_size") and "patch" in name else {}
    if checkpoint:
        weights = networks.plain_weights(checkpoints.read(checkpoint), where=checkpoint)
        head = f"{timm.get_pretrained_cfg(name).classifier}.weight"
        if head not in weights:
            raise BarlowError(f"{checkpoint} has no {head!r}, which {source} needs. Is it a checkpoint of that network?")
        model = timm.create_model(name, pretrained=False, num_classes=len(weights[head]), **size)
        networks.load_weights(model, weights, where=checkpoint, architecture=source)
    else:
        try:
            model = timm.create_model(name, pretrained=True, **size)
        except (OSError, RuntimeError, ValueError) as error:
            raise BarlowError(
                f"The weights of {source} could not be downloaded ({str(error).splitlines()[0]}). Check the network, or pass a file "
                "with checkpoint=PATH (--checkpoint PATH)."
            ) from error
    return network(model, source, **options)


def network(model: Any, source: str, **options: Any) -> Network:
    """`model` with the input that timm says it was made for, but for what `options` say."""
    config = importlib.import_module("timm.data").resolve_model_data_config(model)
    size = int(options.get("image_size") or config["input_size"][-1])
    names = options.get("class_names") or (imagenet_classes()["name"].to_list() if model.num_classes == 1000 else None)
    return Network(
        model,
        f"timm {source.removeprefix(PREFIX)} {model.num_classes}",
        tuple(map(float, options.get("mean") or config["mean"])),
        tuple(map(float, options.get("std") or config["std"])),
        size,
        int(options.get("resize") or math.floor(size / config["crop_pct"])),
        str(options.get("interpolation") or config["interpolation"]),
        list(names) if names else None,
    )


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise BarlowError("Networks of timm need timm, which is not installed. Run: pip install 'barlow[timm]'") from error
