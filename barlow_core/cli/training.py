"""The verb that trains a robust network on your own images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from barlow_core.cli.options import images_options
from barlow_core.cli.pipeline import read_benchmark
from barlow_core.cli.shared import example, options, quiet_option

recipe_options = options(
    click.option(
        "--arch",
        help="small_resnet (for small images), or a torchvision name; the default is the one of --start, else small_resnet.",
    ),
    click.option(
        "--image-size",
        type=click.IntRange(1),
        help="Side of the square input, in pixels; the default is 32 for small_resnet, else 224.",
    ),
    click.option(
        "--width",
        type=click.IntRange(1),
        help="Channels of small_resnet's first stage, doubled by every other; the default is 32.",
    ),
    click.option(
        "--start",
        type=click.Path(path_type=Path),
        help="A checkpoint to start from, or a name such as robust_resnet50 or resnet50; for other classes, its last layer is learnt anew.",
    ),
    click.option(
        "--download", is_flag=True, help="Download the weights of robust_resnet50 or robust_resnet18 if they are missing."
    ),
    click.option("--split", default="train", show_default=True, help="Train on this split, where the table has a Split column."),
    click.option("--epochs", type=click.IntRange(1), default=20, show_default=True),
    click.option(
        "--rate",
        "peak_rate",
        type=float,
        default=0.2,
        show_default=True,
        help="Peak of the one-cycle learning rate; with --start, a tenth.",
    ),
    click.option("--rho", type=float, help="l2 radius of the adversary, for pixels in [0, 1]; the default is 3 at 224 pixels."),
    click.option("--steps", type=click.IntRange(0), default=3, show_default=True, help="Steps of the adversary."),
    click.option("--step-size", type=float, help="l2 length of a step; the default is 2/3 of rho."),
    click.option("--batch-size", type=click.IntRange(2), default=128, show_default=True),
    click.option(
        "--average",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        show_default=True,
        help="Keep a moving average of the weights, of which each batch leaves this share, such as 0.999; 0 for the last weights.",
    ),
    click.option(
        "--attacked",
        type=click.IntRange(1),
        default=500,
        show_default=True,
        help="Held-out images that are attacked for the card, at most.",
    ),
    click.option("--float16", is_flag=True, help="Write weights of 16 bits: half the file."),
    click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
    click.option("--device", help="cpu, cuda, cuda:1, mps; the default is a GPU if there is one."),
    click.option("--overwrite", is_flag=True, help="Train again even if OUT exists."),
)


@click.command(
    "train-robust",
    epilog=example(
        "barlow train-robust photos robust.pt --metadata labels.csv --start robust_resnet50 --rate 0.02 --batch-size 32",
        "barlow train-robust small_images/train robust.pt --epochs 30",
        "torchrun --nproc-per-node 8 --no-python barlow train-robust photos robust.pt --arch resnet50 --batch-size 1024",
        "barlow extract runs/mine --extractor robust.pt",
    ),
)
@images_options
@click.argument("out", type=click.Path(path_type=Path))
@recipe_options
@quiet_option
def train_robust_command(
    images: Path,
    out: Path,
    device: str | None,
    quiet: bool,
    **arguments: Any,
) -> None:
    """Train a robust network on labelled IMAGES.

    L2 adversarial training; the network is written to OUT, for use as an extractor, with a card that says how good it is (OUT.card.md) and a
    log that can be watched (OUT.log.csv, OUT.log.svg).

    IMAGES is a folder: with --metadata, of the images that the table names; without, of one folder per class. Interrupted training
    resumes after its last finished epoch.
    """
    from barlow_core import extractors
    from barlow_core.training.card import files_beside
    from barlow_core.training.robust_network import check_out, train_robust
    from barlow_core.training.team import leads

    quiet = quiet or not leads()
    check_out(out, overwrite=arguments["overwrite"])  # before every image is decoded
    names = ("metadata", "classes", "columns", "missing", "join_classes", "skip_bad", "check")
    benchmark = read_benchmark(images, progress=not quiet, **{name: arguments.pop(name) for name in names})
    trained = train_robust(benchmark, out, device=device or extractors.default_device(), progress=not quiet, **arguments)
    if leads():
        click.echo(trained)
        click.echo(f"How good it is, and how it was made: {files_beside(out)['card.md']}")
