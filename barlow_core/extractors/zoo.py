"""Networks by name or file: the project's own, robust ImageNet networks, torchvision's, and checkpoints."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any
from urllib.error import URLError

from torchvision import models

from barlow_core.errors import BarlowError
from barlow_core.extractors import checkpoints, downloads, networks, timm_networks
from barlow_core.extractors.networks import Network
from barlow_core.storage.shipped import data_dir

OWN = ("robust_resnet_cifar10", "standard_resnet_cifar10")
_INPUT = ("mean", "std", "image_size", "resize", "interpolation", "class_names")
_VARIANT = ("stride_in_1x1", "bn_eps")

Options = dict[str, Any]


def names() -> list[str]:
    """Every name that `build` understands, the project's own first."""
    return [*OWN, *downloads.DOWNLOADS, *models.list_models(module=models)]


def build(source: str, options: Options) -> tuple[Network, str, str, Options]:
    """Build a network from a name or a file.

    Returns:
        network, its name for people, and the (source, options) that build it again.

    Raises:
        BarlowError: an unknown name or option, a missing file, weights that do not fit.
    """
    options = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
    if options.get("checkpoint"):
        options["checkpoint"] = str(Path(options["checkpoint"]).resolve())  # the next command may run elsewhere
    if source in OWN:
        _check_options(source, options, _INPUT)
        return _from_file(data_dir() / f"{source}.pt", options), source, source, options
    if source in downloads.DOWNLOADS:
        _check_options(source, options, ("checkpoint", "download", *_INPUT, *_VARIANT))
        return _robust_imagenet(source, **options), source, source, options
    if source in models.list_models(module=models):
        _check_options(source, options, ("weights", "checkpoint", *_INPUT, *_VARIANT))
        network, chosen = _torchvision(source, **options)
        return network, source, source, options | chosen
    if source.startswith(timm_networks.PREFIX):
        _check_options(source, options, ("checkpoint", *_INPUT))
        return timm_networks.build(source, **options), source, source, options
    path = Path(source)
    if not path.is_file():
        raise _unknown(source)
    _check_options(source, options, ("arch", *_INPUT, *_VARIANT))
    return _from_file(path, options), path.stem, str(path.resolve()), options


def _check_options(source: str, options: Options, known: tuple[str, ...]) -> None:
    if unknown := sorted(set(options) - set(known)):
        raise BarlowError(f"{source} takes no option {', '.join(unknown)}. Its options are {', '.join(known)}.")


def _unknown(source: str) -> BarlowError:
    if re.search(r"[/\\]|\.\w{2,4}$", source):
        return BarlowError(f"{source}: no such file. Check the path, or use a name such as robust_resnet50.")
    close = difflib.get_close_matches(source, names(), n=4, cutoff=0.5)
    hint = f"Did you mean {', '.join(close)}?" if close else "Use robust_resnet50, or a name of torchvision's."
    return BarlowError(f"No network is called {source!r}. {hint} The path of a checkpoint works too.")


def _from_file(path: str | Path, options: Options) -> Network:
    return networks.from_checkpoint(checkpoints.read(path), where=str(path), **options)


def _robust_imagenet(name: str, *, checkpoint: str | None = None, download: bool = False, **options: Any) -> Network:
    path = checkpoint or downloads.downloaded(name, download=download)
    return _from_file(path, {"arch": downloads.DOWNLOADS[name].arch, **options})


def _torchvision(
    name: str, *, weights: str = "DEFAULT", checkpoint: str | None = None, **options: Any
) -> tuple[Network, Options]:
    if checkpoint:
        return _from_file(checkpoint, {"arch": name, **options}), {}
    known = models.get_model_weights(name).__members__
    if weights not in known:
        raise BarlowError(f"{name} has no weights {weights!r}. Published weights: {', '.join(known)}.")
    chosen = known[weights]
    try:
        state = chosen.get_state_dict(progress=True, check_hash=True, weights_only=True, map_location="cpu")
    except (URLError, OSError, RuntimeError) as error:
        raise BarlowError(
            f"The weights of {name} could not be downloaded from {chosen.url} ({error}). Check the network, "
            "or download the file elsewhere and pass it as checkpoint=PATH (--checkpoint PATH)."
        ) from error
    preset = chosen.transforms()
    usual = {
        "mean": preset.mean,
        "std": preset.std,
        "image_size": preset.crop_size[0],
        "resize": preset.resize_size[0],
        "interpolation": preset.interpolation.value,
    }
    network = networks.from_checkpoint(dict(state), where=chosen.url, arch=name, **(usual | options))
    # DEFAULT moves from one version of torchvision to the next: the record names the weights themselves.
    return network, {"weights": chosen.name}
