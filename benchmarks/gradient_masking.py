"""Does a network withstand attacks, or does it hide its gradients? `python -m benchmarks.gradient_masking [NETWORK ...]`

What Athalye, Carlini and Wagner (2018) and Carlini et al. (2019) ask of a network that is called robust: a larger radius leaves less, and a large one
nothing; more steps and restarts change little; what moves another network (black box) moves it less than its own gradients do (white box),
and chance less still. Networks are the example's, or files of `barlow train-robust` for CIFAR-10; images are the first of its test images.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from barlow_core.extractors import Classifier, load
from barlow_core.progress import progress_bar
from barlow_core.training.adversary import l2_pgd
from barlow_core.training.measuring import accuracy, robust_accuracy
from barlow_core.wording import percent
from benchmarks.machine import described
from benchmarks.planted_shortcuts.pictures import photographs

NETWORKS = ("robust_resnet_cifar10", "standard_resnet_cifar10")
RADII = (0.25, 0.5, 1.0, 2.0, 4.0)
STEPS = 20
EFFORTS = ((STEPS, 1), (STEPS, 3), (100, 3))  # steps, restarts
STRONGLY = 200  # as many images at most are attacked with more than the usual effort
RHO = 0.5


def by_radius(networks: dict[str, Classifier], images: Tensor, labels: Tensor, rows: np.ndarray) -> pd.DataFrame:
    """Shares of all images that are right, and of `rows` under attack of every radius: a line a network."""
    found = []
    for name, network in networks.items():
        line = {"network": name, "untouched": percent(accuracy(network.logits, images, labels))}
        for rho in progress_bar(RADII, desc=name, unit="radius", shown=True):
            left = robust_accuracy(network.logits, images, labels, rows=rows, rho=rho, steps=STEPS, restarts=1)
            line[f"{rho:g}"] = percent(left)
        found.append(line)
    return pd.DataFrame(found)


def by_effort(networks: dict[str, Classifier], images: Tensor, labels: Tensor, rows: np.ndarray) -> pd.DataFrame:
    """Shares of at most `STRONGLY` of `rows` that are right under attacks of radius `RHO` with more steps, from more random starts: a line a network."""
    found = []
    rows = rows[:STRONGLY]
    for name, network in networks.items():
        line = {"network": name}
        for steps, restarts in progress_bar(EFFORTS, desc=name, unit="attack", shown=True):
            left = robust_accuracy(network.logits, images, labels, rows=rows, rho=RHO, steps=steps, restarts=restarts)
            line[f"{steps} steps, {restarts} starts"] = percent(left)
        found.append(line)
    return pd.DataFrame(found)


def by_source(networks: dict[str, Classifier], images: Tensor, labels: Tensor, rows: np.ndarray) -> pd.DataFrame:
    """Shares of a network's right answers that stay right after attacks of radius `RHO` on itself, on others, and by chance."""
    pixels, y = images[rows].float() / 255, labels[rows]
    moved = {"by chance": l2_pgd(_nothing, pixels, y, rho=RHO, step_size=0.0, steps=0, generator=_generator())}
    for name, network in progress_bar(networks.items(), desc="attacked", unit="network", shown=True):
        batches = zip(pixels.split(100), y.split(100), strict=True)
        generator, size = _generator(), 2.5 * RHO / STEPS
        attacked = [
            l2_pgd(network.logits, x, labels, rho=RHO, step_size=size, steps=STEPS, generator=generator) for x, labels in batches
        ]
        moved[f"on {name}"] = torch.cat(attacked)
    found: dict[str, dict[str, str]] = {name: {"network": name} for name in networks}
    for (name, network), (source, changed) in product(networks.items(), moved.items()):
        right = _right(network, pixels, y)
        found[name][source] = percent(float(_right(network, changed, y)[right].float().mean()))
    return pd.DataFrame(found.values())


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _nothing(images: Tensor) -> Tensor:
    return images.flatten(1)


def _right(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([network.logits(part) for part in images.split(500)]).argmax(1) == labels


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gradient_masking", description=__doc__)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=NETWORKS)
    parser.add_argument("--images", type=int, default=500, help="how many are attacked")
    options = parser.parse_args()
    networks: dict[str, Classifier] = {name: load(name) for name in options.networks}
    classes = networks[options.networks[0]].class_names
    if classes is None or any(network.class_names != classes for network in networks.values()):
        raise SystemExit(
            "Networks of different classes cannot be compared. Expected files of `barlow train-robust` for CIFAR-10."
        )
    photos, truth = photographs(tuple(classes))
    images, labels = torch.from_numpy(photos).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(truth)
    rows = np.arange(options.images)
    print(described("cpu"))
    for head, table in (
        (f"right under attacks of {STEPS} steps, by their l2 radius", by_radius),
        (f"right under attacks of radius {RHO:g}, by their effort", by_effort),
        (f"of right answers, left under attacks of radius {RHO:g}, by what they were made on", by_source),
    ):
        print(f"\n{head}\n{table(networks, images, labels, rows).to_string(index=False)}")


if __name__ == "__main__":
    main()
