"""Checkpoints: read without executing anything from them, convert the ones that hold pickled code.

A pickle is a program: loading one runs whatever its author put there. Here a file is read with `weights_only=True` or not at
all. `convert` reads the rest with an unpickler that knows how to rebuild tensors and nothing else.
"""

from __future__ import annotations

import pickle
import struct
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write

# What torch and pickle raise on bytes that are not what they expect, whether damaged or made up.
_UNREADABLE = (
    pickle.UnpicklingError, EOFError, RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError,
    AssertionError, MemoryError, RecursionError, UnicodeDecodeError, OverflowError, NotImplementedError, struct.error,
)  # fmt: skip


def read(path: str | Path) -> Any:
    """What is in a checkpoint, tensors on the CPU; nothing from the file is executed.

    Raises:
        BarlowError: no such file, not a checkpoint, a damaged one, or one that holds pickled code.
    """
    path = Path(path)
    if not path.is_file():
        raise BarlowError(f"{path}: no such file. Check the path of the checkpoint.")
    try:
        _refuse_programs(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BarlowError(f"{path} cannot be read ({error}). Check its permissions.") from error
    except _UNREADABLE as error:
        # One more harmless look tells the person which of the two it is: a foreign program inside, or a broken file.
        _read_inert(path)
        raise BarlowError(
            f"{path} holds pickled code besides its weights, which is not executed. "
            f"Make a file with its weights only: barlow convert-checkpoint {path} {path.with_suffix('.weights.pt')}"
        ) from error


def convert(source: str | Path, target: str | Path, *, only: Iterable[str] | None = None, overwrite: bool = False) -> list[str]:
    """Write the tensors, numbers and texts of a pickled checkpoint to a file that `read` reads; execute nothing from it.

    Args:
        source: a file of torch.save, of any pickle module (dill too).
        target: the file to write, atomically.
        only: entries of the outermost dict to keep; all when None.

    Returns:
        Names of the entries left out because they were objects of other kinds, such as "args" or "model.hook".

    Raises:
        BarlowError: `source` is unreadable or holds no tensor, or `target` exists already.
    """
    source, target = Path(source), Path(target)
    if not source.is_file():
        raise BarlowError(f"{source}: no such file. Check the path of the checkpoint.")
    if target.exists() and not overwrite:
        raise BarlowError(f"{target} exists already. Choose another name for the converted checkpoint, or delete it.")
    content = _read_inert(source)
    if only is not None and isinstance(content, dict):
        content = {key: content[key] for key in only if key in content}
    left_out: list[str] = []
    try:
        kept = _plain(content, "", left_out)
    except RecursionError:
        raise BarlowError(f"{source} contains itself, which no checkpoint does. Get the file again from its source.") from None
    if not _has_tensor(kept):
        raise BarlowError(
            f"{source} holds no weights outside of pickled objects (left out: {', '.join(left_out[:5]) or 'nothing'}). "
            "If it is a whole model, load it where its code is, and save model.state_dict()."
        )
    with atomic_write(target) as temporary:
        torch.save(kept, temporary)
        read(temporary)
    return left_out


class _Inert(type):
    """The type of `_Anything`: whatever a pickle does to it (call, fill, set state) does nothing and gives it back."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls

    def __setstate__(cls, *state: Any) -> None:
        return None

    def __setitem__(cls, key: Any, value: Any) -> None:
        return None

    def append(cls, *items: Any) -> None:
        return None

    extend = add = append


class _Anything(metaclass=_Inert):
    """Stands for every class, function and object that a pickle names and that is no tensor."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls


class _Entries(dict[Any, Any]):
    """A dict that ignores attributes (a state dict carries `_metadata`)."""

    __slots__ = ()

    def __setstate__(self, *state: Any) -> None:
        return None


class _Allowed:
    """A function that a pickle may call, and do nothing else with: a bare function could have its defaults changed."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._function(*args)

    def __setstate__(self, *state: Any) -> None:
        return None


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *rest: Any) -> Tensor:
    # requires_grad and hooks, the rest, are of no use to weights
    rebuilt: Tensor = torch._utils._rebuild_tensor(storage, offset, size, stride)
    return rebuilt


def _parameter(data: Any, *rest: Any) -> Any:
    return data


_ALLOWED: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): _Allowed(_tensor),
    ("torch._utils", "_rebuild_tensor_v2"): _Allowed(_tensor),
    ("torch._utils", "_rebuild_parameter"): _Allowed(_parameter),
    ("torch._utils", "_rebuild_parameter_with_state"): _Allowed(_parameter),
    ("torch", "Size"): _Allowed(tuple),
    ("collections", "OrderedDict"): _Allowed(_Entries),
    ("collections", "defaultdict"): _Allowed(lambda *args: _Entries(*args[1:])),
} | {("torch", str(value).removeprefix("torch.")): value for value in vars(torch).values() if isinstance(value, torch.dtype)}


class _TensorUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _ALLOWED.get((module, name), _Anything)


def _unpickle(file: Any, **options: Any) -> Any:
    return _TensorUnpickler(file, **options).load()


# What torch.load asks of a pickle module.
_PICKLE = SimpleNamespace(__name__="tensors_only", Unpickler=_TensorUnpickler, load=_unpickle)


def _read_inert(path: Path) -> Any:
    """Read a pickled checkpoint with everything but tensors, numbers, texts and containers replaced by `_Anything`.

    Raises:
        BarlowError: not a checkpoint, or a damaged one.
    """
    try:
        _refuse_programs(path)
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_PICKLE)
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BarlowError(
            f"{path} is not a checkpoint that torch can read, or it is damaged ({reason}). "
            "Expected a file of torch.save. Get it again from its source."
        ) from error


def _refuse_programs(path: Path) -> None:
    """Both of these leave torch.load's pickle path for code of their own, and no checkpoint in use needs them."""
    if tarfile.is_tarfile(path):
        raise BarlowError(
            f"{path} is a tar archive, the format of torch before 2017. Load it with its own torch and save it again."
        )
    if _is_torchscript(path):
        raise BarlowError(
            f"{path} is a TorchScript program, not a checkpoint. Save state_dict() of the network it was made from."
        )


def _is_torchscript(path: Path) -> bool:
    try:
        records = torch._C.PyTorchFileReader(str(path)).get_all_records()
    except RuntimeError:  # not a zip archive
        return False
    return "constants.pkl" in records


def _plain(value: Any, where: str, left_out: list[str]) -> Any:
    """`value` in plain containers; what cannot be kept is `_Anything`, and its place is added to `left_out`."""
    if isinstance(value, Tensor):
        return value.detach()
    if value is None or isinstance(value, str | bytes | int | float | torch.dtype):
        return value
    if isinstance(value, dict):
        entries = {
            key: _plain(item, f"{where}.{key}" if where else str(key), left_out)
            for key, item in value.items()
            if isinstance(key, str | int | float)
        }
        return {key: item for key, item in entries.items() if item is not _Anything}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_plain(item, f"{where}[{place}]", left_out) for place, item in enumerate(value)]
        if not any(item is _Anything for item in items):
            return items
        return _Anything  # a list with holes would have its items at other places
    left_out.append(where or "everything")
    return _Anything


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_tensor, value.values() if isinstance(value, dict) else value))
    return isinstance(value, Tensor)
