from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from barlow_core import extractors
from barlow_core.errors import BarlowError
from barlow_core.training.adversarial import train
from barlow_core.training.team import Team

# What each of two processes does: a training of which only the mean of gradients can bring the result of one process.
TOGETHER = """
import sys
import torch
from barlow_core.training.team import joined
from tests.barlow_core.training.test_team import trained_on_colours

with joined("cpu") as team:
    assert team.size == 2
    network = trained_on_colours(team)
    assert team.mean(float(team.rank)) == 0.5
    assert team.from_leader("said" if team.leads else None) == "said"
    if team.leads:
        torch.save(network.state_dict(), sys.argv[1])
"""
ROOT = Path(__file__).resolve().parents[3]


def trained_on_colours(team: Team) -> nn.Module:
    """A linear network after three epochs; images are of one colour each, so that no crop or mirroring changes them."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(256, (64, 3, 1, 1), generator=generator, dtype=torch.uint8)
    images: Tensor = colours.expand(64, 3, 8, 8).contiguous()
    labels = (images[:, 0, 0, 0] > images[:, 2, 0, 0]).long()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2))
    train(
        network,
        images,
        labels,
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        epochs=3,
        peak_rate=0.01,
        batch_size=16,
        average=0.9,
        team=team,
        bf16=False,
    )
    return network


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=300)


def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    script, out = tmp_path / "together.py", tmp_path / "together.pt"
    script.write_text(TOGETHER)
    done = torchrun(str(script), str(out))
    assert done.returncode == 0, done.stderr
    alone, together = trained_on_colours(Team()).state_dict(), torch.load(out, weights_only=True)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-6)


def test_each_takes_its_part_and_draws_its_own_numbers() -> None:
    rows = torch.arange(12)
    parts = [Team(rank, 3).part(rows) for rank in range(3)]
    assert sorted(torch.cat(parts).tolist()) == rows.tolist()
    assert {len(part) for part in parts} == {4}
    shared = torch.Generator().manual_seed(1)
    assert Team().generator(1, shared) is shared
    drawn = {float(torch.rand(1, generator=Team(rank, 3).generator(1, shared))) for rank in range(3)}
    assert len(drawn) == 3


def test_batches_that_cannot_be_shared_out() -> None:
    images, labels = torch.zeros(32, 3, 8, 8, dtype=torch.uint8), torch.zeros(32, dtype=torch.int64)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    with pytest.raises(BarlowError, match=r"Batches of 16 .* among 3 processes.*--batch-size"):
        train(network, images, labels, mean=(0.5,) * 3, std=(0.5,) * 3, epochs=1, peak_rate=0.1, batch_size=16, team=Team(0, 3))


def test_the_command_under_torchrun(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(48):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    table = {"Filenames": [f"{i}.png" for i in range(48)], "Labels": ["a", "b"] * 24, "Split": ["train"] * 32 + ["val"] * 16}
    pd.DataFrame(table).to_csv(tmp_path / "labels.csv", index=False)
    out = tmp_path / "robust.pt"
    recipe = [
        "--image-size",
        "16",
        "--width",
        "8",
        "--epochs",
        "2",
        "--batch-size",
        "16",
        "--steps",
        "1",
        "--rate",
        "0.05",
        "--attacked",
        "4",
    ]
    files = [str(tmp_path), str(out), "--metadata", str(tmp_path / "labels.csv"), "--device", "cpu", "--quiet"]
    done = torchrun("-m", "barlow_core", "train-robust", *files, *recipe)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("of 16 held-out images") == 1, "one process speaks for both"
    assert extractors.load(out).n_features == 64
    assert "2 times cpu" in out.with_suffix(".card.md").read_text()
    assert len(pd.read_csv(out.with_suffix(".log.csv"))) == 2
    assert not list(tmp_path.glob("robust.checkpoint*")) + list(tmp_path.glob("robust.pixels*"))
