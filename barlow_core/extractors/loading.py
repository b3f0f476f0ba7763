"""Extractors and classifiers by name, from files, and from your own code."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from barlow_core.errors import BarlowError
from barlow_core.extractors import zoo
from barlow_core.extractors.extractor import Classifier, Extractor

_Loaded = TypeVar("_Loaded", bound=Classifier)


def load(name_or_path: str | Path, *, device: str = "cpu", **options: Any) -> Extractor:
    """Load a feature extractor.

    Args:
        name_or_path: a name of `names()`; the path of a checkpoint; or `package.module:function`, your own
            code, which is imported and called with `options` and returns an Extractor, or a network (then
            image_size, mean, std and the like are taken from `options` and the rest goes to the function).
        options: for checkpoints `arch`, `mean`, `std`, `image_size`, `resize`, `class_names`; for robust_resnet50
            and robust_resnet18 also `checkpoint` (a path) or `download=True`; for torchvision's networks also
            `checkpoint` or `weights` (a name, "DEFAULT" when left out, downloaded by torchvision); for timm's (timm/NAME)
            `checkpoint`. For all of them `layer`, the module whose output are the features; without, the penultimate layer is found.

    Raises:
        BarlowError: an unknown name, a file that cannot be used, a network whose features cannot be told.

    Example:
        >>> load("robust_resnet_cifar10").n_features
        256
    """
    return _load(Extractor, str(name_or_path), device, options)


def load_classifier(name_or_path: str | Path, *, device: str = "cpu", **options: Any) -> Classifier:
    """Load a network for its predictions only: as `load`, but it needs no features."""
    return _load(Classifier, str(name_or_path), device, options)


def names() -> list[str]:
    """Every name that `load` understands, the project's own first."""
    return zoo.names()


def default_device() -> str:
    """The fastest device there is: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _load(kind: type[_Loaded], source: str, device: str, options: dict[str, Any]) -> _Loaded:
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", source) and not Path(source).exists():
        return _from_code(kind, source, options, device)
    layer = options.get("layer")
    if layer and kind is Classifier:
        raise BarlowError("A layer is for features; a classifier that only predicts has no use for one. Leave it out.")
    network, name, source, options = zoo.build(source, {key: value for key, value in options.items() if key != "layer"})
    options |= {"layer": layer} if layer else {}
    return kind(replace(network, layer=layer), name=name, source=source, options=options, device=device)


def _from_code(kind: type[_Loaded], source: str, options: dict[str, Any], device: str) -> _Loaded:
    module_name, function = source.split(":")
    if str(Path.cwd()) not in sys.path:  # where `python script.py` would find it, `barlow` shall find it too
        sys.path.insert(0, str(Path.cwd()))
    try:
        build = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise BarlowError(
            f"{source} cannot be imported ({error}). Expected package.module:function on the Python path."
        ) from error
    ours = {key: options[key] for key in ("image_size", "mean", "std", "resize", "class_names", "layer") if key in options}
    made = build(**{key: value for key, value in options.items() if key not in ours})
    if isinstance(made, nn.Module):
        if missing := {"image_size", "mean", "std"} - set(ours):
            raise BarlowError(
                f"{source} returned a network; give {', '.join(sorted(missing))} as options "
                f"({', '.join('--' + name.replace('_', '-') for name in sorted(missing))}), or return an {Extractor.__name__}."
            )
        made = kind.from_model(made, **ours, name=source, device=device)
    if not isinstance(made, kind):
        raise BarlowError(f"{source} returned a {type(made).__name__}. Expected a torch.nn.Module or a {kind.__name__}.")
    made.source, made.options = source, dict(options)
    return made
