"""Networks by the options of the command: any classifier for predictions, and a network of one's own code."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn
from torchvision.transforms.functional import to_tensor

from barlow_core.cli import cli
from barlow_core.run import Run

# Neither ends in a global average pooling, so neither can be an extractor; weights are seeded, so that two calls give one network.
CODE = """
import torch
from torch import nn
from torchvision.models import VisionTransformer

def vit():
    torch.manual_seed(0)
    model = VisionTransformer(image_size=32, patch_size=8, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=3)
    nn.init.normal_(model.heads.head.weight)
    return model

def flat():
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))

def pooled():
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
"""
INPUT = ("--image-size", "32", "--mean", "0.4,0.5,0.6", "--std", "0.1,0.2,0.3")


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the working folder."""
    name = f"networks_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return name


@pytest.fixture
def unpredicted(planted_folder: Path, tmp_path: Path) -> Path:
    """Metadata without predictions."""
    path = tmp_path / "labels.csv"
    pd.read_csv(planted_folder / "metadata.csv")[["Filenames", "Labels"]].to_csv(path, index=False)
    return path


def barlow(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.mark.parametrize("function", ["vit", "flat"])
def test_a_network_without_final_pooling_makes_predictions_and_features(
    planted_folder: Path, unpredicted: Path, own_code: str, tmp_path: Path, function: str
) -> None:
    run_path, model = tmp_path / "run", f"{own_code}:{function}"
    assert barlow("import", planted_folder / "images", "--metadata", unpredicted, "--run", run_path).exit_code == 0
    result = barlow("predict", run_path, "--model", model, *INPUT, "--quiet")
    assert result.exit_code == 0, result.output
    run = Run(run_path)
    # The network itself, on pixels normalised as asked for.
    network: nn.Module = getattr(importlib.import_module(own_code), function)().eval()
    images = torch.stack([to_tensor(Image.open(path).convert("RGB")) for path in run.benchmark.paths])
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ([0.4, 0.5, 0.6], [0.1, 0.2, 0.3]))
    with torch.inference_mode():
        expected = network((images - mean) / std).argmax(dim=1).numpy()
    assert run.benchmark.predictions is not None
    assert run.benchmark.predictions.tolist() == expected.tolist()
    assert len(set(expected.tolist())) > 1
    recorded = run.require("predict")["model"]
    assert (recorded["source"], recorded["image_size"]) == (model, 32)
    described = barlow("extract", run_path, "--extractor", model, *INPUT, "--quiet")
    assert described.exit_code == 0, described.output
    assert f"The features of {model} are those of the input of " in described.stdout


def test_a_run_in_one_go_with_two_networks_of_ones_own(
    planted_folder: Path, unpredicted: Path, own_code: str, tmp_path: Path
) -> None:
    result = barlow(
        "run", planted_folder / "images", "--metadata", unpredicted, "--run", tmp_path / "run", "--quiet", "--workers", "1",
        "--model", f"{own_code}:vit", "--model-image-size", "32", "--model-mean", "0,0,0", "--model-std", "1,1,1",
        "--extractor", f"{own_code}:pooled", *INPUT,
        "--depth", "1", "--steps", "0", "--images-per-panel", "1", "--held-out", "none",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    run = Run(tmp_path / "run")
    assert run.require("predict")["model"]["options"] == {"image_size": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}
    assert run.features().shape == (120, 5)
    assert run.extractor().options == {"image_size": 32, "mean": [0.4, 0.5, 0.6], "std": [0.1, 0.2, 0.3]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give image_size, mean, std as options (--image-size, --mean, --std)"),
        (("--image-size", "32", "--mean", "0,0"), "'0,0' is not three numbers, separated by commas"),
        (("--mean", "0,0,x"), "is not three numbers"),
        (("--std", "1,0,1"), "'1,0,1' is not three positive numbers"),
        (("--image-size", "0"), "0 is not in the range"),
    ],
)
def test_what_a_network_expects_must_be_said(planted_run: Run, own_code: str, options: tuple[str, ...], message: str) -> None:
    result = barlow("predict", planted_run.path, "--model", f"{own_code}:flat", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
