"""Feature extractors: a network with its preprocessing, from pictures to features, feature maps and logits (paper, section 4).

The features of an image are usually the output of the network's last global average pooling, the feature maps what went into it:
feature j is the mean of map j. `layers` says which they are in other networks.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from barlow_core.errors import BarlowError
from barlow_core.extractors import networks
from barlow_core.extractors.acceleration import PRECISIONS, Execution, accelerate, as_input
from barlow_core.extractors.layers import FeatureLayer, Taken, named_layer, penultimate_layer
from barlow_core.extractors.networks import Network

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
        self._faster: dict[tuple[str, bool], Self] = {}
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
        layer: str | None = None,
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
            layer: name of the module whose output are the features (for an extractor); None for the penultimate layer.

        Raises:
            BarlowError: a network that does not take such images, or features that cannot be told (for an extractor).
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
            layer,
        )
        return cls(network, name=name, device=device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.n_classes} classes, {self.image_size} px, {self.device})"

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits that stand for weights, architecture and preprocessing."""
        network = self._network
        state = hashlib.blake2b(digest_size=16)
        layer = () if network.layer is None else (network.layer,)
        state.update(repr((network.architecture, network.mean, network.std, self._preprocessing, *layer)).encode())
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

    def accelerated(self, precision: str = "float32", *, compiled: bool = False) -> Self:
        """The same network run faster: convolutions and batch normalisations made one, pixels laid out as the processor likes them.

        Weights are copied, and this one stays as it is. It has the same name, source and fingerprint: in float32 its results differ
        by the rounding of sums alone.

        Args:
            compiled: let torch.compile make kernels, which takes a minute or more at the first images.
            precision: "float32", or "bfloat16" or "float16" for weights and intermediate results of half the length.

        Raises:
            BarlowError: an unknown precision, or one in which the network cannot be run.
        """
        if precision not in PRECISIONS:
            raise BarlowError(f"precision is {precision!r}. Expected one of: {', '.join(PRECISIONS)}.")
        if self.execution != Execution() and (self.execution.precision, self.execution.compiled) == (precision, compiled):
            return self
        if (precision, compiled) not in self._faster:
            self._faster[precision, compiled] = self._made_faster(precision, compiled)
        return self._faster[precision, compiled]

    def _made_faster(self, precision: str, compiled: bool) -> Self:
        assert self.fingerprint  # computed from the weights as they came, before there are others
        fast = copy.copy(self)
        fast._faster = {}
        fast._model, fast.execution = accelerate(self._model, precision, compiled=compiled)
        try:
            fast._compare(self)
        except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            raise BarlowError(
                f"{self.name} cannot be run in {precision} ({str(error).splitlines()[0]}). Run it as it is: --exact (exact=True)."
            ) from error
        return fast

    def _noise(self) -> Tensor:
        size = self.image_size
        return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)).to(self.device)

    def _compare(self, other: Classifier) -> None:
        """Raise ValueError where this does not compute what `other` computes, as when a network looks into its own modules."""
        with torch.inference_mode():
            expected, found = (_logits(network._call(self._noise()), self.name).float() for network in (other, self))
        if not torch.isfinite(expected).all():
            return  # whoever runs it will say so, with the name of the image
        tolerance = 1e-3 if self.execution.precision == "float32" else 0.1
        if not torch.allclose(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()) + 1e-6):
            raise ValueError("its logits change")

    def _probe(self) -> None:
        """Run some noise through, to refuse at once what would fail later."""
        self.n_classes = self._probing(self.logits).shape[1]

    def _probing(self, call: Callable[[Tensor], _T], *, gradient: bool = False) -> _T:
        noise = self._noise().requires_grad_(gradient)
        try:
            with torch.set_grad_enabled(gradient):
                return call(noise)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            raise BarlowError(
                f"{self.name} cannot compute an RGB image of {self.image_size} x {self.image_size} pixels "
                f"({str(error).splitlines()[0] if str(error) else type(error).__name__}). Check image_size, mean and the network."
            ) from error


class Extractor(Classifier):
    """A classifier that also gives features and, where they belong to places in the image, feature maps.

    Attributes:
        n_features: D.
        layer: where in the network they are, for people.
        feature_map_size: (h, w) of the feature maps of an image of the extractor's own size; (0, 0) where there are none.
        without_maps: why there are no feature maps; None where there are.
    """

    n_features: int
    feature_map_size: tuple[int, int]
    _layer: FeatureLayer

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.n_features} features)"

    @property
    def layer(self) -> str:
        return self._layer.words

    @property
    def without_maps(self) -> str | None:
        return self._layer.without_maps

    def features(self, images: Tensor) -> Tensor:
        """(N, D) features of `images` (N, 3, H, W) in [0, 1]; differentiable."""
        return self._take(images, stop=True)[0].features

    def feature_maps(self, images: Tensor) -> Tensor:
        """(N, D, h, w) feature maps of `images` (N, 3, H, W) in [0, 1], differentiable; h and w are 0 where there are none.

        The features are their means over h and w, but for networks with a class token (`layer` says so).
        """
        return self._take(images, stop=True)[0].maps

    def forward(self, images: Tensor) -> Activations:
        """Features, feature maps and logits of `images` (N, 3, H, W) in [0, 1], out of one pass; differentiable."""
        taken, output = self._take(images, stop=False)
        return Activations(taken.features, taken.maps, _logits(output, self.name).float())

    def _made_faster(self, precision: str, compiled: bool) -> Self:
        fast = super()._made_faster(precision, compiled)
        fast._layer = self._layer.attached(fast._model)
        if compiled:
            fast._check_taken(self)
        return fast

    def _check_taken(self, other: Extractor) -> None:
        """Raise BarlowError where the features of this are not those of `other`: a compiled stage may hide where they are."""
        with torch.inference_mode():
            expected = other.features(self._noise())
            with suppress(BarlowError):
                difference = (self.features(self._noise()) - expected).abs().max()
                if difference <= 0.1 * expected.abs().max() + 1e-6:
                    return
        raise BarlowError(
            f"The features of {self.name} are inside of a stage that torch.compile takes as a whole. Leave out --compile."
        )

    def _take(self, images: Tensor, *, stop: bool) -> tuple[Taken, Any]:
        usual_size = images.shape[-2:] == (self.image_size, self.image_size)
        return self._layer.take(lambda: self._call(images), usual_size=usual_size, stop=stop)

    def _probe(self) -> None:
        super()._probe()

        def run(gradient: bool) -> Tensor:
            return self._probing(self.logits, gradient=gradient)

        name = self._network.layer
        layer = named_layer(self._model, name, partial(run, False)) if name else penultimate_layer(run, self._model, self.name)
        self._layer = layer.attached(self._model)
        found = self._probing(self.forward)
        self.n_features = found.features.shape[1]
        self.feature_map_size = (found.feature_maps.shape[2], found.feature_maps.shape[3])


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
