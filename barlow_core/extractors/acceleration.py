"""The same network, run faster: batch normalisations folded, weights in the layout and precision that the processor is best at."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# Of torch.compile.
BACKEND = "inductor"
# bfloat16 rounds to 8 bits: it has to buy something. Processors that compute in it are two to three times faster.
WORTH_ITS_ROUNDING = 1.4
# Pixels of an image up to which the operations of a network are so short that the time Python takes for each counts: larger batches pay.
SMALL_IMAGE = 64 * 64


@dataclass(frozen=True)
class Execution:
    """How a network is run.

    Attributes:
        precision: of weights and intermediate results, "float32", "bfloat16" or "float16"; sums, features and logits are float32.
        channels_last: whether pixels lie in memory with their channels side by side.
        folded: number of batch normalisations that went into the convolutions before them.
        compiled: whether torch.compile made kernels for it.
    """

    precision: str = "float32"
    channels_last: bool = False
    folded: int = 0
    compiled: bool = False


def accelerate(model: nn.Module, precision: str, *, compiled: bool = False) -> tuple[nn.Module, Execution]:
    """A copy of `model` that computes the same faster, for any `precision` of `PRECISIONS`; `model` stays as it is.

    Args:
        compiled: let torch.compile make kernels for the stages of the network. The code that connects them stays as it is, and with it
            the places where features are taken.
    """
    fast, folded = fold_batch_norms(model)
    fast = fast.to(dtype=PRECISIONS[precision], memory_format=torch.channels_last)  # type: ignore[call-overload]
    fast = fast.eval().requires_grad_(False)
    if compiled:
        for stage in fast.children():
            if any(True for _ in stage.children()):
                stage.compile(backend=BACKEND)
    return fast, Execution(precision, channels_last=True, folded=folded, compiled=compiled)


def fold_batch_norms(model: nn.Module) -> tuple[nn.Module, int]:
    """A copy of `model` in which convolutions also do what the batch normalisations right behind them did, and how many there were.

    W' = W gamma / sqrt(var + eps), b' = (b - mean) gamma / sqrt(var + eps) + beta. The traced graph only says which pairs there
    are; the module tree and its Python code stay, so whatever looks into the network from outside finds the same places. A network
    that cannot be traced (its path depends on values) is copied as it is.
    """
    fast = copy.deepcopy(model).eval()
    if not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules()):
        return fast, 0
    try:
        graph = fx.Tracer().trace(fast)
    except Exception:  # tracing runs the network's own code, on values that are none
        return fast, 0
    modules = dict(fast.named_modules())
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    folded = 0
    for node in graph.nodes:
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        names = str(before.target), str(node.target)
        convolution, norm = (modules[name] for name in names)
        if _foldable(convolution, norm) and calls[names[0]] == calls[names[1]] == 1:
            _replace(fast, names[0], fuse_conv_bn_eval(convolution, norm))
            _replace(fast, names[1], nn.Identity())
            folded += 1
    return fast, folded


def _foldable(convolution: nn.Module, norm: nn.Module) -> bool:
    # Exactly these classes: one derived from them may compute something else.
    return (
        type(convolution) is nn.Conv2d
        and type(norm) is nn.BatchNorm2d
        and norm.running_mean is not None
        and not any(module._forward_hooks or module._forward_pre_hooks for module in (convolution, norm))
    )


def _replace(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(root.get_submodule(parent), last, module)


def best_precision(device: torch.device) -> str:
    """The precision for features on `device`: half where its processor gains by it (found out by trying), else "float32"."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if device.type == "cpu" and _cpu_gains_by_bfloat16() else "float32"


@lru_cache
def _cpu_gains_by_bfloat16() -> bool:
    """Whether convolutions in bfloat16 are faster here: the best of some tries, so that other programs do not decide it."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # emulated, several times slower: no need to try
        return False
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    generator = torch.Generator().manual_seed(0)
    image, weights = torch.randn(4, 128, 28, 28, generator=generator), torch.randn(128, 128, 3, 3, generator=generator)
    with torch.inference_mode():
        for _ in range(6):
            for dtype in best:
                inputs, kernels = (tensor.to(dtype, memory_format=torch.channels_last) for tensor in (image, weights))
                started = time.perf_counter()
                torch.nn.functional.conv2d(inputs, kernels, padding=1)
                best[dtype] = min(best[dtype], time.perf_counter() - started)
    return best[torch.float32] > WORTH_ITS_ROUNDING * best[torch.bfloat16]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device ran out of memory; Apple's GPUs and CPUs say so in words only."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in said or "allocate memory" in said)
    )


@contextmanager
def one_thread_each() -> Iterator[None]:
    """While active, torch uses one thread an operation: for code that has a thread for every core and gives each its own images.

    Threads that share an operation wait for each other at its end, which on a busy machine is for whichever of them the system
    has put aside; threads with work of their own never do. It also makes results independent of the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def as_input(images: Tensor, precision: str) -> Tensor:
    """`images` (N, 3, H, W) in the layout and precision of `accelerate`."""
    return images.to(PRECISIONS[precision], memory_format=torch.channels_last)
