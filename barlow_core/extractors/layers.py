"""Which numbers of a network are its features, which maps belong to them, and how both are taken out of a running network.

Without a name they are those of the penultimate layer: what the last global average pooling gives (its input are the maps), or, in a
network that does not end in one, the input of its last linear layer. That is found by running the network, not read off its modules.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from barlow_core.errors import BarlowError
from barlow_core.extractors.pooling import LastPooling, Reached

# Tokens in front of those of the places: a class token, one of a teacher, registers.
MOST_PREFIX_TOKENS = 8


class Taken(NamedTuple):
    """Features (N, D) and feature maps (N, D, h, w), float32; h and w are 0 where there are no maps."""

    features: Tensor
    maps: Tensor


class FeatureLayer(Protocol):
    """Where features come from.

    Attributes:
        words: the place, for people.
        without_maps: why there are no feature maps; None where there are.
    """

    words: str
    without_maps: str | None

    def attached(self, model: nn.Module) -> FeatureLayer:
        """This layer of `model`, which has the modules of the network that it was found in."""

    def take(self, call: Callable[[], Any], *, usual_size: bool, stop: bool) -> tuple[Taken, Any]:
        """Run `call()`, which runs the network, and return what it passes here and what it returned.

        Args:
            usual_size: the images have the size that the layer was found with.
            stop: compute nothing behind the layer; nothing is returned by the call then.
        """


@dataclass
class PooledLayer:
    """A global average pooling of (N, D, h, w) maps, or of tokens.

    Attributes:
        number: which of the network's global poolings, from 1.
        copy: whether the network writes into what was pooled later.
    """

    number: int
    copy: bool
    words: str = "its last global average pooling"
    without_maps: str | None = None

    def attached(self, model: nn.Module) -> PooledLayer:
        return self  # poolings are seen from outside

    def take(self, call: Callable[[], Any], *, usual_size: bool, stop: bool) -> tuple[Taken, Any]:
        # Images of another size may be pooled in another place for the first time.
        stop = stop and usual_size
        pooling, output = LastPooling(copy=self.copy and not stop, stop=self.number if stop else None), None
        with contextlib.suppress(Reached), pooling:
            output = call()
        if pooling.maps is None or pooling.pooled is None:
            raise BarlowError(
                "The network pools nothing globally for images of this size. Use images of the extractor's own size."
            )
        if pooling.maps.dtype == torch.float32:
            return Taken(pooling.pooled.flatten(1), pooling.maps), output
        return Taken(pooling.maps.mean((2, 3), dtype=torch.float32), pooling.maps.float()), output


@dataclass(frozen=True)
class Reading:
    """How features and maps lie in what a module gives.

    Attributes:
        kind: "maps" (N, D, h, w), "maps of channels last" (N, h, w, D), "tokens" (N, T, D) or "values" (N, D).
        prefix: number of tokens in front of those of the h x w places.
        mean: whether a feature is the mean of its map; else it is that of the first token.
        words: what else there is to say, for people.
    """

    kind: str
    prefix: int = 0
    mean: bool = True
    words: str = ""

    def __call__(self, output: Tensor) -> Taken:
        output = output.float()
        if self.kind == "values":
            return Taken(output.flatten(1), output.new_empty(len(output), output[0].numel(), 0, 0))
        if self.kind == "tokens":
            side = math.isqrt(output.shape[1] - self.prefix)
            maps = output[:, self.prefix :].transpose(1, 2).unflatten(2, (side, side))
        else:
            maps = output.permute(0, 3, 1, 2) if self.kind == "maps of channels last" else output
        return Taken(maps.mean((2, 3)) if self.mean else output[:, 0], maps)


class ModuleLayer:
    """What a module gives, or gets where `at_input`.

    Threads may take from one network at a time: each sees its own images only.
    """

    def __init__(self, name: str, reading: Reading, words: str, without_maps: str | None = None, *, at_input: bool = False):
        self.name, self.reading, self.words, self.without_maps, self.at_input = name, reading, words, without_maps, at_input
        self._here = threading.local()

    def attached(self, model: nn.Module) -> ModuleLayer:
        layer = ModuleLayer(self.name, self.reading, self.words, self.without_maps, at_input=self.at_input)
        module = model.get_submodule(self.name)
        if self.at_input:
            module.register_forward_pre_hook(lambda module, inputs: layer._see(inputs))
        else:
            module.register_forward_hook(lambda module, inputs, output: layer._see(output))
        return layer

    def take(self, call: Callable[[], Any], *, usual_size: bool, stop: bool) -> tuple[Taken, Any]:
        here = self._here
        here.wanted, here.stop, here.taken = True, stop, None
        output = None
        try:
            with contextlib.suppress(Reached):
                output = call()
        finally:
            here.wanted = False
        if here.taken is None:
            raise BarlowError(f"The network does not come past its module {self.name}. Choose another layer.")
        return here.taken, output

    def _see(self, value: Any) -> None:
        if not getattr(self._here, "wanted", False):
            return
        # What comes behind may write into it.
        output = first_tensor(value)
        self._here.taken = self.reading(output if self._here.stop else output.clone())
        if self._here.stop:
            raise Reached


def first_tensor(value: Any) -> Tensor:
    """The tensor that a module gave or got: itself, or the first of several."""
    while not isinstance(value, Tensor):
        if isinstance(value, dict) and value:
            value = next(iter(value.values()))
        elif isinstance(value, (tuple, list)) and value:
            value = value[0]
        else:
            raise BarlowError(f"The layer gives a {type(value).__name__}, no array. Choose another one.")
    return value


def named_layer(model: nn.Module, name: str, run: Callable[[], Any]) -> ModuleLayer:
    """The layer of a module's name, such as "layer4".

    Raises:
        BarlowError: there is no such module, `run()` does not come past it, or features cannot be told from what it gives.
    """
    modules = dict(model.named_modules())
    if name not in modules or not name:
        close = [known for known in modules if known and (known.startswith(name) or name in known)] or list(modules)[1:]
        raise BarlowError(f"The network has no layer {name!r}. It has {', '.join(close[:8])}{', …' if len(close) > 8 else ''}.")
    seen: list[Any] = []
    handle = modules[name].register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        run()
    finally:
        handle.remove()
    if not seen:
        raise BarlowError(f"The network does not come past its module {name}. Choose another layer.")
    reading = _reading(first_tensor(seen[-1]), name)
    without = f"what {name} gives has no places (one value a feature)" if reading.kind == "values" else None
    return ModuleLayer(name, reading, f"layer {name}{reading.words}", without)


def _reading(output: Tensor, name: str) -> Reading:
    shape = tuple(output.shape)
    if len(shape) == 4:
        # Maps are square for the square images that every extractor sees; where both could be, channels come first, as torch has it.
        last = shape[1] == shape[2] and shape[2] != shape[3]
        return Reading("maps of channels last", words=" (channels last)") if last else Reading("maps")
    if len(shape) == 3:
        prefix = shape[1] - math.isqrt(shape[1]) ** 2
        if prefix == 0:
            return Reading("tokens", words=" (features are means over its tokens)")
        if prefix <= MOST_PREFIX_TOKENS:
            return Reading("tokens", prefix, mean=False, words=_CLASS_TOKEN)
    if len(shape) == 2:
        return Reading("values")
    raise BarlowError(
        f"Layer {name} gives an array of shape {shape}. Expected maps (N, D, h, w), tokens (N, T, D) or values (N, D). Choose another one."
    )


_CLASS_TOKEN = " (features are the class token's, maps are the same features of the tokens of the places)"


def penultimate_layer(run: Callable[[bool], Any], model: nn.Module, name: str) -> FeatureLayer:
    """The layer whose values the network's last step turns into logits.

    Args:
        run: runs the network on noise, with gradients where its argument says so, and returns its logits.
        name: of the network, for messages.

    Raises:
        BarlowError: the network ends neither in global average pooling nor in a linear layer.
    """
    with LastPooling() as pooling:
        run(False)
    if pooling.count and not _has_way_around(run, pooling.count):
        return PooledLayer(pooling.count, copy=pooling.overwritten())
    return _head_input(run, model, name)


def _has_way_around(run: Callable[[bool], Any], last: int) -> bool:
    """Whether the logits depend on the image otherwise than through the last pooling, as after a squeeze-and-excitation block."""
    with LastPooling(cut=last):
        return bool(run(True).requires_grad)


def _head_input(run: Callable[[bool], Any], model: nn.Module, name: str) -> ModuleLayer:
    heads: list[tuple[str, Tensor]] = []
    places: list[tuple[str, Tensor]] = []

    def see(module_name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(module, nn.Linear) and isinstance(inputs[0], Tensor):
            heads.append((module_name, inputs[0].detach().clone()))
        if isinstance(output, Tensor) and output.ndim in (3, 4):
            places.append((module_name, output.detach().clone()))

    handles = [module.register_forward_hook(lambda *seen, at=at: see(at, *seen)) for at, module in model.named_modules() if at]
    try:
        run(False)
    finally:
        for handle in handles:
            handle.remove()
    if not heads or heads[-1][1].ndim != 2:
        raise BarlowError(
            f"{name} ends neither in a global average pooling nor in a linear layer, so which of its numbers are features is not clear. "
            "Name a layer: --layer NAME (layer=)."
        )
    head, features = heads[-1]
    for at, values in reversed(places):
        reading = _places_of(values, features)
        if reading is not None:
            return ModuleLayer(at, reading, f"the input of {head}{reading.words}")
    reason = f"its features, the input of {head}, are not of places in the image"
    return ModuleLayer(head, Reading("values"), f"the input of {head}", reason, at_input=True)


def _places_of(values: Tensor, features: Tensor) -> Reading | None:
    """How the features come out of maps or of tokens, as their means or as the first token; None if they do not."""
    if values.ndim == 4:
        readings = [Reading("maps"), Reading("maps of channels last", words=" (means over channels-last maps)")]
    else:
        prefix = values.shape[1] - math.isqrt(values.shape[1]) ** 2
        if prefix > MOST_PREFIX_TOKENS or values.shape[1] - prefix < 4:
            return None
        readings = [Reading("tokens", prefix, words=" (means over the tokens of the places)")]
        readings += [Reading("tokens", prefix, mean=False, words=_CLASS_TOKEN)] * (prefix > 0)
    found = ((reading, reading(values).features) for reading in readings)
    return next(
        (r for r, f in found if f.shape == features.shape and torch.allclose(f, features.float(), rtol=1e-4, atol=1e-6)), None
    )
