from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dill
import pytest
import torch
from torch import nn

from barlow_core.errors import BarlowError
from barlow_core.extractors import checkpoints

WEIGHTS = {"conv.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "conv.bias": torch.tensor([1.5, -2.0]).half()}


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


class Settings:
    """A foreign object with state, as training programs leave them in checkpoints."""

    def __init__(self) -> None:
        self.rate, self.parts = 0.1, [1, 2]


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("module", [pickle, dill])
def test_convert_keeps_the_weights_and_leaves_out_foreign_objects(tmp_path: Path, zipped: bool, module: Any) -> None:
    source, target = tmp_path / "foreign.ckpt", tmp_path / "plain.pt"
    content = {
        "model": collections.OrderedDict(WEIGHTS),
        "parameter": nn.Parameter(torch.ones(3)),
        "args": Settings() if module is pickle else dill.loads(dill.dumps(_local_class()())),
        "schedule": (lambda epoch: epoch / 10) if module is dill else len,
        "namespace": SimpleNamespace(a=1),
        "epoch": 90,
        "best": 0.5,
        "arch": "resnet50",
        "size": torch.Size([3, 4]),
        "history": [1, {"loss": 0.1}],
        "mixed": [1, Settings],
        "type": torch.float16,
    }
    content["model"]._metadata = {"version": 1}  # type: ignore[attr-defined]
    torch.save(content, source, pickle_module=module, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BarlowError, match=r"pickled code.*barlow convert-checkpoint .*foreign\.ckpt"):
        checkpoints.read(source)
    left_out = checkpoints.convert(source, target)
    converted = checkpoints.read(target)
    assert_same(converted["model"], WEIGHTS)
    assert torch.equal(converted["parameter"], torch.ones(3))
    del converted["model"], converted["parameter"]
    assert converted == {
        "epoch": 90, "best": 0.5, "arch": "resnet50", "size": [3, 4], "history": [1, {"loss": 0.1}], "type": torch.float16,
    }  # fmt: skip
    assert left_out == ["args", "schedule", "namespace", "mixed[1]"]


def _local_class() -> type:
    class Local:
        value = 3

        def method(self) -> int:
            return self.value

    return Local


def _torch_saved(content: Any, path: Path, *, zipped: bool) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("use", [checkpoints.read, lambda path: checkpoints.convert(path, path.with_name("out.pt"))])
def test_a_malicious_pickle_is_never_executed(tmp_path: Path, zipped: bool, use: Callable[[Path], Any]) -> None:
    proof, source = tmp_path / "executed", tmp_path / "evil.pt"
    torch.save({"model": dict(WEIGHTS), "extra": Bomb(proof)}, source, _use_new_zipfile_serialization=zipped)
    with contextlib.suppress(BarlowError):
        use(source)
    assert not proof.exists()
    # The bomb is real: what reads pickles without care sets it off.
    torch.load(source, weights_only=False)
    assert proof.is_dir()


class _Raw:
    """A pickle made of raw opcodes in the place of an object."""

    def __init__(self, *reduced: Any):
        self.reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def test_tricks_with_allowed_functions_change_nothing(tmp_path: Path) -> None:
    """BUILD and SETITEMS on the few functions that a pickle may name must not reach torch's own."""
    rebuild = torch._utils._rebuild_tensor_v2
    before = (rebuild.__defaults__, dict(rebuild.__dict__), collections.OrderedDict.__init__)
    program = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"  # push the function itself
        b"N}X\x0c\x00\x00\x00__defaults__K\x01\x85s\x86b"  # and set its __defaults__ through BUILD's slot state
        b"."
    )
    assert callable(pickle.loads(program)) and rebuild.__defaults__ == (1,)  # noqa: PT018
    rebuild.__defaults__ = before[0]
    source = tmp_path / "trick.pkl"
    source.write_bytes(program)
    checkpoints._unpickle(io.BytesIO(program))
    assert (rebuild.__defaults__, dict(rebuild.__dict__), collections.OrderedDict.__init__) == before


@pytest.mark.parametrize(
    "reduced",
    [
        (eval, ("1/0",)),
        (getattr, ("a", "upper")),
        (torch.load, ("nowhere.pt",)),
        (torch.storage._load_from_bytes, (b"x",)),
        (exec, ("raise SystemExit",)),
    ],
)
def test_no_function_but_those_that_rebuild_tensors_is_called(tmp_path: Path, reduced: tuple[Any, ...]) -> None:
    source = tmp_path / "call.pt"
    torch.save({"model": dict(WEIGHTS), "x": _Raw(*reduced)}, source)
    assert checkpoints.convert(source, tmp_path / "out.pt") == ["x"]


def test_torchscript_and_tar_archives_are_refused_unopened(tmp_path: Path) -> None:
    script = tmp_path / "script.pt"
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(script))
    with tarfile.open(tmp_path / "old.pt", "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    for use in (checkpoints.read, lambda path: checkpoints.convert(path, tmp_path / "out.pt")):
        with pytest.raises(BarlowError, match="TorchScript program"):
            use(script)
        with pytest.raises(BarlowError, match="tar archive"):
            use(tmp_path / "old.pt")


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "flipped"])
def test_damaged_files_are_called_damaged(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.pt"
    torch.save(dict(WEIGHTS), path)
    whole = path.read_bytes()
    changed = {"text": b"<html>not found</html>", "empty": b"", "cut": whole[: len(whole) // 2],
               "flipped": whole[:80] + bytes(255 - byte for byte in whole[80:400]) + whole[400:]}  # fmt: skip
    path.write_bytes(changed[damage])
    with pytest.raises(BarlowError, match="not a checkpoint that torch can read, or it is damaged"):
        checkpoints.read(path)
    with pytest.raises(BarlowError, match="no such file"):
        checkpoints.read(tmp_path / "nowhere.pt")


def test_convert_refuses_whole_models_and_existing_targets(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(BarlowError, match=r"save model\.state_dict\(\)"):
        checkpoints.convert(tmp_path / "model.pt", tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()
    torch.save(dict(WEIGHTS), tmp_path / "weights.pt")
    with pytest.raises(BarlowError, match="exists already"):
        checkpoints.convert(tmp_path / "weights.pt", tmp_path / "weights.pt")
    assert list(tmp_path.glob(".*")) == []


def test_convert_keeps_shared_storage_shared(tmp_path: Path) -> None:
    """`robustness` stores every weight under two names; the converted file must not be twice as large."""
    weight = torch.rand(100_000)
    torch.save({"model": {"a": weight, "b": weight}, "optimizer": torch.rand(100_000)}, tmp_path / "a.pt")
    checkpoints.convert(tmp_path / "a.pt", tmp_path / "b.pt", only=["model"])
    assert (tmp_path / "b.pt").stat().st_size < 500_000
    assert list(checkpoints.read(tmp_path / "b.pt")) == ["model"]
