"""Feature extractors: a network with its preprocessing, from pictures to features, feature maps and logits (paper, section 4).

The features of an image are the output of the network's last global average pooling, the feature maps are what went into it:
feature j is the mean of map j. Where that pooling happens is seen by running the network, not read off its modules, so that
functional pooling (`F.adaptive_avg_pool2d`, `x.mean((2, 3))`) is found as well as `nn.AdaptiveAvgPool2d`.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from barlow_core.errors import BarlowError
from barlow_core.extractors import networks, zoo
from barlow_core.extractors.acceleration import PRECISIONS, Execution, accelerate, as_input
from barlow_core.extractors.networks import Network
from barlow_core.extractors.pooling import LastPooling, Reached

_T = TypeVar("_T")


class Activations(NamedTuple):
    """What one forward pass gives: features (N, D), feature maps (N, D, h, w), logits (N, K); all differentiable."""

    features: Tensor
    feature_maps: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Preprocessing:
    """Scale the shorter side of a picture to `resize` pixels and cut the central square of `image_size` pixels out of it."""

    image_size: int
    resize: int
    interpolation: str = "bilinear"

    def __call__(self, image: Image.Image) -> Tensor:
        """(3, H, W) float32 in [0, 1] from an RGB picture; the same pixels as torchvision's preprocessing of PIL images."""
        return self.pixels(image).float().div_(255)

    def pixels(self, image: Image.Image) -> Tensor:
        """The same as (3, H, W) uint8, its channels side by side in memory."""
        if image.size != (self.resize, self.resize):
            image = transforms.resize(image, [self.resize], InterpolationMode(self.interpolation))
        if image.size != (self.image_size, self.image_size):
            image = transforms.center_crop(image, [self.image_size])
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


class Classifier:
    """A network with its preprocessing: pictures in, logits out. Weights are frozen, the network is in evaluation mode.

    Attributes:
        name: for people.
        source, options: `load(source, **options)` makes it again; source is None for a network handed over in Python.
        image_size: side of the square it sees, in pixels.
        class_names: one name a logit, or None where unknown.
        n_classes: K, the number of logits.
        device: where it computes; images on other devices are brought there.
        execution: how it computes: as the network came, or as `accelerated` made it.
    """

    execution = Execution()

    def __init__(
        self,
        network: Network,
        *,
        name: str,
        source: str | None = None,
        options: Mapping[str, Any] | None = None,
        device: str | torch.device = "cpu",
    ):
        self.name = name
        self.source = source
        self.options = dict(options or {})
        self.image_size = network.image_size
        self.class_names = network.class_names
        self.device = _device(device)
        self._network = network
        self._preprocessing = Preprocessing(network.image_size, network.resize, network.interpolation)
        self._model = network.model.to(self.device).eval().requires_grad_(False)
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=self.device).view(1, -1, 1, 1)
            for values in (network.mean, network.std)
        )
        self._probe()
        if self.class_names is not None and len(self.class_names) != self.n_classes:
            raise BarlowError(
                f"{name} has {self.n_classes} outputs but {len(self.class_names)} class names. Give one name per output, in order."
            )

    @classmethod
    def from_model(
        cls,
        model: nn.Module,
        *,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        resize: int | None = None,
        interpolation: str = "bilinear",
        class_names: Sequence[str] | None = None,
        name: str = "model",
        device: str | torch.device = "cpu",
    ) -> Self:
        """Use a network of your own; a copy of it is kept, so training it further changes nothing here.

        Args:
            model: (N, 3, image_size, image_size) normalised images -> (N, K) logits.
            image_size: side of the square it sees, in pixels.
            mean, std: three numbers each; the network gets (pixel - mean) / std, with pixels in [0, 1].
            resize: length of the shorter side before the central square is cut out; image_size when None.
            class_names: one name a logit.

        Raises:
            BarlowError: a network without global average pooling (for an extractor), or one that does not take such images.
        """
        network = Network(
            copy.deepcopy(model),
            networks.described(model),
            tuple(map(float, mean)),
            tuple(map(float, std)),
            image_size,
            resize or image_size,
            interpolation,
            list(class_names) if class_names is not None else None,
        )
        return cls(network, name=name, device=device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.n_classes} classes, {self.image_size} px, {self.device})"

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits that stand for weights, architecture and preprocessing."""
        network = self._network
        state = hashlib.blake2b(digest_size=16)
        state.update(repr((network.architecture, network.mean, network.std, self._preprocessing)).encode())
        for key, value in self._model.state_dict().items():
            if isinstance(value, Tensor):
                value = value.detach().cpu().contiguous()
                state.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
                state.update(value.flatten().view(torch.uint8).numpy().tobytes())
        return state.hexdigest()

    @property
    def preprocess(self) -> Preprocessing:
        """`preprocess(picture)` -> (3, image_size, image_size) float32 in [0, 1]; normalisation happens inside the network call."""
        return self._preprocessing

    def logits(self, images: Tensor) -> Tensor:
        """(N, K) logits of `images` (N, 3, H, W) in [0, 1]; differentiable."""
        return _logits(self._call(images), self.name).float()

    def _call(self, images: Tensor) -> Any:
        if images.ndim != 4 or images.shape[1] != self._mean.shape[1]:
            raise BarlowError(
                f"{self.name} was given an array of shape {tuple(images.shape)}, expected (N, 3, H, W) with values in [0, 1]. "
                "Stack what preprocess() returns."
            )
        normalised = (images.to(self.device, torch.float32) - self._mean) / self._std
        return self._model(normalised if self.execution == Execution() else as_input(normalised, self.execution.precision))

    def accelerated(self, precision: str = "float32") -> Self:
        """The same network run faster: convolutions and batch normalisations made one, pixels laid out as the processor likes them.

        Weights are copied, and this one stays as it is. It has the same name, source and fingerprint: in float32 its results differ
        by the rounding of sums alone.

        Args:
            precision: "float32", or "bfloat16" or "float16" for weights and intermediate results of half the length.

        Raises:
            BarlowError: an unknown precision, or one in which the network cannot be run.
        """
        if precision not in PRECISIONS:
            raise BarlowError(f"precision is {precision!r}. Expected one of: {', '.join(PRECISIONS)}.")
        assert self.fingerprint  # computed from the weights as they came, before there are others
        fast = copy.copy(self)
        fast._model, fast.execution = accelerate(self._model, precision)
        try:
            fast._compare(self)
        except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            raise BarlowError(
                f"{self.name} cannot be run in {precision} ({str(error).splitlines()[0]}). Run it as it is: --exact (exact=True)."
            ) from error
        return fast

    def _compare(self, other: Classifier) -> None:
        """Raise ValueError where this does not compute what `other` computes, as when a network looks into its own modules."""
        size = self.image_size
        noise = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)).to(self.device)
        with torch.inference_mode():
            expected, found = (_logits(network._call(noise), self.name).float() for network in (other, self))
        if not torch.isfinite(expected).all():
            return  # whoever runs it will say so, with the name of the image
        tolerance = 1e-3 if self.execution.precision == "float32" else 0.1
        if not torch.allclose(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()) + 1e-6):
            raise ValueError("its logits change")

    def _probe(self) -> None:
        """Run one black image through, to refuse at once what would fail later."""
        self.n_classes = self._probing(self.logits).shape[1]

    def _probing(self, call: Callable[[Tensor], _T], *, gradient: bool = False) -> _T:
        black = torch.zeros(1, 3, self.image_size, self.image_size, device=self.device, requires_grad=gradient)
        try:
            with torch.set_grad_enabled(gradient):
                return call(black)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            raise BarlowError(
                f"{self.name} cannot compute an RGB image of {self.image_size} x {self.image_size} pixels "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Check image_size, mean and the network."
            ) from error


class Extractor(Classifier):
    """A classifier whose last spatial operation is a global average pooling: it also gives features and feature maps.

    Attributes:
        n_features: D.
        feature_map_size: (h, w) of the feature maps of an image of the extractor's own size.
    """

    n_features: int
    feature_map_size: tuple[int, int]
    _copy_maps = False
    _n_poolings: int | None = None

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.n_features} features)"

    def features(self, images: Tensor) -> Tensor:
        """(N, D) features of `images` (N, 3, H, W) in [0, 1]; differentiable."""
        return self._until_features(images)[0]

    def feature_maps(self, images: Tensor) -> Tensor:
        """(N, D, h, w) feature maps of `images` (N, 3, H, W) in [0, 1]: their mean over h and w is the features; differentiable."""
        return self._until_features(images)[1]

    def forward(self, images: Tensor) -> Activations:
        """Features, feature maps and logits of `images` (N, 3, H, W) in [0, 1], out of one pass; differentiable."""
        with LastPooling(copy=self._copy_maps) as pooling:
            output = self._call(images)
        return Activations(*self._pooled(pooling), _logits(output, self.name).float())

    def _until_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and feature maps, with nothing computed behind them."""
        # Images of another size may be pooled at another place for the first time.
        usual = images.shape[-2:] == (self.image_size, self.image_size)
        pooling = LastPooling(copy=self._copy_maps and not usual, stop=self._n_poolings if usual else None)
        with contextlib.suppress(Reached), pooling:
            self._call(images)
        return self._pooled(pooling)

    def _pooled(self, pooling: LastPooling) -> tuple[Tensor, Tensor]:
        if pooling.maps is None or pooling.pooled is None:
            raise self._no_pooling()
        if pooling.maps.dtype == torch.float32:
            return pooling.pooled.flatten(1), pooling.maps
        return pooling.maps.mean((2, 3), dtype=torch.float32), pooling.maps.float()

    def _no_pooling(self) -> BarlowError:
        return BarlowError(
            f"{self.name} does not end in a global average pooling, so it has no feature maps whose means are its features. "
            "Use a network that does, such as a ResNet, DenseNet, EfficientNet or ConvNeXt (a plain PyTorch module, not TorchScript)."
        )

    def _probe(self) -> None:
        with LastPooling() as pooling:
            self._probing(super()._call)
        if pooling.count == 0 or self._has_way_around(pooling.count):
            raise self._no_pooling()
        # A network that changes the maps in place after pooling them would change what we report: keep copies of those.
        self._copy_maps = pooling.overwritten()
        self._n_poolings = pooling.count
        found = self._probing(self.forward)
        self.n_classes = found.logits.shape[1]
        self.n_features = found.features.shape[1]
        self.feature_map_size = (found.feature_maps.shape[2], found.feature_maps.shape[3])

    def _has_way_around(self, last: int) -> bool:
        """Whether the logits depend on the image otherwise than through the last pooling, as after a squeeze-and-excitation block."""
        with LastPooling(cut=last):
            return self._probing(self.logits, gradient=True).requires_grad


def _logits(output: Any, name: str) -> Tensor:
    """The logits in what a network returned: itself, `.logits`, or the first of several."""
    if isinstance(output, Mapping):
        output = output.get("logits", next(iter(output.values()), None))
    elif not isinstance(output, Tensor):
        output = getattr(output, "logits", output[0] if isinstance(output, Sequence) and output else None)
    if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2:] == (1, 1):
        output = output.flatten(1)
    if not isinstance(output, Tensor) or output.ndim != 2:
        what = f"an array of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
        raise BarlowError(f"{name} returned {what}, expected logits of shape (N, K). Use a classification network.")
    return output


def _device(device: str | torch.device) -> torch.device:
    try:
        torch.zeros(1, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise BarlowError(
            f"The device {str(device)!r} is not available here. Use cpu, cuda (with an NVIDIA GPU) or mps (on a Mac)."
        ) from error


# --- names and files

_Loaded = TypeVar("_Loaded", bound=Classifier)


def load(name_or_path: str | Path, *, device: str = "cpu", **options: Any) -> Extractor:
    """Load a feature extractor.

    Args:
        name_or_path: a name of `names()`; the path of a checkpoint; or `package.module:function`, your own
            code, which is imported and called with `options` and returns an Extractor, or a network (then
            image_size, mean, std and the like are taken from `options` and the rest goes to the function).
        options: for checkpoints `arch`, `mean`, `std`, `image_size`, `resize`, `class_names`; for robust_resnet50
            and robust_resnet18 also `checkpoint` (a path) or `download=True`; for torchvision's networks also
            `checkpoint` or `weights` (a name, "DEFAULT" when left out, downloaded by torchvision).

    Raises:
        BarlowError: an unknown name, a file that cannot be used, a network without global average pooling.

    Example:
        >>> load("robust_resnet_cifar10").n_features
        256
    """
    return _load(Extractor, str(name_or_path), device, options)


def load_classifier(name_or_path: str | Path, *, device: str = "cpu", **options: Any) -> Classifier:
    """Load a network for its predictions only: as `load`, but it needs no global average pooling (vit_b_16)."""
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
    network, name, source, options = zoo.build(source, options)
    return kind(network, name=name, source=source, options=options, device=device)


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
    ours = {key: options[key] for key in ("image_size", "mean", "std", "resize", "class_names") if key in options}
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
