"""Where a network pools globally for the last time, seen by running it, so that any way of writing it is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode

_MEANS = {torch.mean, Tensor.mean}
_POOLINGS = {F.adaptive_avg_pool2d, F.avg_pool2d, *_MEANS}


class Reached(BaseException):
    """Raised inside of a network once what is wanted of it is there, so that nothing behind is computed.

    No `Exception`, so that one that the network itself catches lets it through.
    """


class LastPooling(TorchFunctionMode):
    """While active, remembers the latest global average pooling over the two spatial axes of an (N, D, h, w) tensor.

    The latest, because squeeze-and-excitation blocks pool globally too, all along the network.

    Args:
        copy: keep copies, for a network that writes into these tensors later.
        cut: let no gradient through the pooling of this number, counted from 1.
        stop: raise `Reached` after the pooling of this number.

    Attributes:
        maps: (N, D, h, w) what was pooled; None before the first pooling.
        pooled: (N, D, 1, 1) or (N, D) what came out of it.
        count: number of global poolings so far.
    """

    def __init__(self, *, copy: bool = False, cut: int | None = None, stop: int | None = None):
        super().__init__()
        self.maps: Tensor | None = None
        self.pooled: Tensor | None = None
        self.count = 0
        self._copy = copy
        self._cut, self._stop = cut, stop
        self._versions = (0, 0)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in _POOLINGS:
            source = args[0] if args else kwargs.get("input")
            if isinstance(source, Tensor) and _is_global(func, source, result, args, kwargs):
                self.count += 1
                self.maps, self.pooled = (source.clone(), result.clone()) if self._copy else (source, result)
                self._versions = _version(source), _version(result)
                if self.count == self._stop:
                    raise Reached
                if self.count == self._cut:
                    return result.detach()
        return result

    def overwritten(self) -> bool:
        """Whether something wrote into `maps` or `pooled` after the pooling."""
        if self.maps is None or self.pooled is None:
            return False
        return self._versions != (_version(self.maps), _version(self.pooled))


def _is_global(func: Any, source: Tensor, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if source.ndim != 4 or not isinstance(result, Tensor):
        return False
    if func in _MEANS:
        axes = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
        # x.mean((2, 3)) and x.mean(2, 3) alike
        axes = [*args[1:]] if isinstance(axes, int) else axes
        whole = isinstance(axes, Sequence) and all(isinstance(axis, int) for axis in axes)
        return whole and sorted(axis % 4 for axis in axes) == [2, 3]
    return result.shape[2:] == (1, 1)


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version  # inference tensors do not count their changes
