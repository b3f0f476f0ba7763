#!/usr/bin/env python3
"""Train a network of the embedded example on CIFAR-10's 50,000 training images, as `barlow train-robust` does.

    python data/make_cifar10_example.py cifar10 --split all
    python data/train_cifar10_networks.py robust cifar10 robust_resnet_cifar10.pt
    python data/train_cifar10_networks.py standard cifar10 standard_resnet_cifar10.pt

The settings are RECIPES below. An interrupted training goes on after its last finished epoch when the same command is given again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from barlow_core import extractors
from barlow_core.benchmark import Benchmark
from barlow_core.errors import BarlowError
from barlow_core.training.robust_network import train_robust

RECIPES: dict[str, dict[str, Any]] = {
    # l2 adversarial training, objective (1) of the paper, at the radius of robust CIFAR networks. One long step, projected back, moves an
    # image as far along the gradient as two of the length of the radius, for half the cost.
    "robust": {"epochs": 20, "peak_rate": 0.2, "rho": 0.5, "steps": 1, "step_size": 1.25, "batch_size": 128},
    # Few epochs: enough mistakes have to be left to explain.
    "standard": {"epochs": 8, "peak_rate": 0.2, "rho": 0.0, "batch_size": 128},
}
COMMON = {"average": 0.999, "float16": True}


@click.command(help=__doc__.splitlines()[0] if __doc__ else "")
@click.argument("recipe", type=click.Choice(sorted(RECIPES)))
@click.argument("images", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--epochs", type=click.IntRange(1), help="[default: the recipe's]")
@click.option("--average", type=float, help="[default: the recipe's]")
@click.option("--width", type=click.IntRange(1), help="Channels of the first stage  [default: 32]")
@click.option("--batch-size", type=click.IntRange(2), help="[default: the recipe's]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", help="cpu, cuda, cuda:1, mps  [default: a GPU if there is one]")
def main(recipe: str, images: Path, out: Path, device: str | None, **given: Any) -> None:
    settings = COMMON | RECIPES[recipe] | {name: value for name, value in given.items() if value is not None}
    try:
        benchmark = Benchmark.from_csv(images / "images", images / "metadata.csv")
        trained = train_robust(benchmark, out, device=device or extractors.default_device(), progress=True, **settings)
    except BarlowError as error:
        raise click.ClickException(str(error)) from error
    click.echo(trained)


if __name__ == "__main__":
    main()
