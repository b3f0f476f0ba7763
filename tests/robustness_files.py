"""Checkpoints as the method's authors publish them, for tests of those who read them."""

from __future__ import annotations

from pathlib import Path

import dill
import torch
from torch import nn

MEAN, STD = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.1])


def robustness_checkpoint(network: nn.Module, path: Path, *, attacker_only: bool = False) -> None:
    """As MadryLab's `robustness` saves: everything twice, the normaliser among the weights, a dilled class beside them."""
    prefixes = ["module.attacker."] if attacker_only else ["module.", "module.attacker."]
    state = {}
    for prefix in prefixes:
        state[f"{prefix}normalizer.new_mean"] = MEAN.view(3, 1, 1)
        state[f"{prefix}normalizer.new_std"] = STD.view(3, 1, 1)
        state |= {f"{prefix}model.{key}": value for key, value in network.state_dict().items()}

    class Parameters:
        def __init__(self) -> None:
            self.lr, self.schedule = 0.1, lambda epoch: 0.1**epoch

    content = {"model": state, "epoch": 105, "args": Parameters(), "optimizer": {"state": {0: torch.ones(2)}}}
    torch.save(content, path, pickle_module=dill)
