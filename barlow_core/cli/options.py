"""Options of the verbs of the pipeline, in sets that `barlow run` has as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from barlow_core.analyses.checks import HELD_OUT
from barlow_core.cli.shared import Channels, NamedFile, Names, missing_option, options
from barlow_core.engine import ENGINES
from barlow_core.groups import GROUPINGS
from barlow_core.information import ESTIMATORS

table_options = options(
    click.option(
        "--columns",
        help="What each column holds, where its name does not say: filenames=image,labels=y_true, or a JSON file. "
        "predictions= means that there are none; scores=prob_* names the columns of scores.",
    ),
    missing_option,
)

images_options = options(
    click.argument("images", type=click.Path(path_type=Path)),
    click.option(
        "--metadata",
        type=click.Path(path_type=Path),
        help="CSV (or Parquet, JSON lines) with Filenames, Labels and (optional) Predictions, or a score of every class.",
    ),
    table_options,
    click.option(
        "--join-classes",
        is_flag=True,
        help="Treat classes that differ only in case, spaces, hyphens, or the encoding of accents as one.",
    ),
    click.option("--classes", help='Names of the classes: a file with one per line, or "imagenet".'),
    click.option("--skip-bad", is_flag=True, help="Leave out bad rows and unreadable images; they are listed and counted."),
    click.option(
        "--check",
        type=click.Choice(["full", "header"]),
        default="full",
        show_default=True,
        help="Decode every image now, or only read its header (much faster, finds less).",
    ),
)

import_options = options(
    images_options,
    click.option(
        "--predictions",
        type=click.Path(path_type=Path),
        help="For a class-per-folder tree: predictions or scores as CSV (or Parquet, JSON lines) with Filenames, or as .npy or .npz in "
        "the order of sorted paths.",
    ),
    click.option(
        "--run", "run_path", metavar="RUN", required=True, type=click.Path(path_type=Path), help="The run folder to create."
    ),
)


def input_options(prefix: str = "") -> Callable[[Any], Any]:
    """What a network expects, where its file or function does not say so; `prefix` tells the options of two networks apart."""
    of_model = " For --model." if prefix else ""
    return options(
        click.option(f"--{prefix}arch", help=f"Architecture of a file that holds only weights, such as resnet50.{of_model}"),
        click.option(
            f"--{prefix}image-size", type=click.IntRange(1), help=f"Side of the network's square input, in pixels.{of_model}"
        ),
        click.option(
            f"--{prefix}mean",
            type=Channels(),
            help=f"The network receives (pixel - mean) / std, with pixels in [0, 1].{of_model}",
        ),
        click.option(f"--{prefix}std", type=Channels(positive=True), help=f"See --{prefix}mean.{of_model}"),
    )


INPUT = ("arch", "image_size", "mean", "std")  # the arguments of `input_options`

network_options = options(
    click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights for a named network."),
    input_options(),
    click.option(
        "--download", is_flag=True, help="Download the weights of robust_resnet50 or robust_resnet18 if they are missing."
    ),
    click.option("--device", help="cpu, cuda, cuda:1, mps; the default is a GPU if there is one."),
)

layer_option = click.option(
    "--layer",
    help="The module of the extractor whose output are the features, such as layer4; the default is its penultimate layer, which is found "
    "and named.",
)

exact_option = click.option(
    "--exact",
    is_flag=True,
    help="Run networks as they came: float32, nothing folded, every pixel of every JPEG decoded; slower (docs/speed.md).",
)

batch_options = options(
    click.option("--batch-size", type=click.IntRange(1), help="Images at a time; the default is what is fast on the device."),
    exact_option,
)

engine_options = options(
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="local",
        show_default=True,
        help="Where the work runs: this machine's cores, or the Ray cluster at RAY_ADDRESS.",
    ),
    click.option("--workers", type=click.IntRange(1), help="Number of processes; the default is one per core."),
)

together_options = options(
    click.option(
        "--keep-together",
        metavar="COLUMN",
        help="Images with the same value in this column (a video, a patient) stay on the same side of every fold, and the "
        'checks do not count them as independent; "duplicates": near-duplicates, found from the features.',
    ),
    click.option(
        "--duplicates/--no-duplicates",
        default=True,
        show_default=True,
        help="Look for near-duplicates, and report how many held-out images have one among the searched images.",
    ),
)

explain_options = options(
    click.option(
        "--grouping",
        "groupings",
        multiple=True,
        type=click.Choice(GROUPINGS),
        default=("label", "prediction"),
        show_default=True,
        help="Which groups to explain; may be given several times.",
    ),
    click.option(
        "--by",
        multiple=True,
        metavar="COLUMN",
        help="Also group by this metadata column, or by a product such as 'label*COLUMN'; may be given several times.",
    ),
    click.option("--group", "keys", multiple=True, help="An additional group, such as pair:cat+dog; may be given several times."),
    click.option(
        "--mask",
        "masks",
        multiple=True,
        type=NamedFile(),
        help="An additional group, mask:NAME: the images that FILE lists, one per line, or marks as true in a true/false column. "
        "May be given several times; the run keeps it.",
    ),
    click.option(
        "--metadata-features",
        type=Names(),
        default="",
        metavar="COLUMN[,COLUMN]",
        help="Metadata columns that rules may use alongside the features, such as camera,hour.",
    ),
    click.option(
        "--k", type=int, default=20, show_default=True, help="Number of features, selected by mutual information with failure."
    ),
    click.option(
        "--depth", type=int, default=3, show_default=True, help="Depth of the deepest trees; shallower ones are grown as well."
    ),
    click.option("--delta", type=float, default=0.1, show_default=True, help="A failure mode has ER > BER + delta."),
    click.option("--tau", type=float, default=0.2, show_default=True, help="A failure mode has EC > tau."),
    click.option(
        "--mi",
        "estimator",
        type=click.Choice(ESTIMATORS),
        default="binned",
        show_default=True,
        help="Estimator of mutual information: bins (fast, deterministic), or nearest neighbours, as in the paper.",
    ),
    click.option(
        "--min-leaf", type=int, help="Minimum number of images in a leaf; the default is 5, or 2 % of the group if that is more."
    ),
    click.option(
        "--weighted/--unweighted", default=True, show_default=True, help="Weigh failures by n_success/n_failure in the tree."
    ),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option(
        "--held-out",
        type=click.Choice(HELD_OUT),
        default="auto",
        show_default=True,
        help="How to measure rules on images that played no part in finding them: by the Split column, or by cross-fitting.",
    ),
    click.option("--search-split", help="Search the images of this split, and measure on the others."),
    click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Number of folds of cross-fitting."),
    click.option(
        "--permutations",
        type=click.IntRange(0),
        help="Test every group against luck by repeating the search on this many shuffles of its failures; 0 for no test. The default "
        "is 199, or fewer where they would take more than about ten minutes of one core.",
    ),
    click.option(
        "--stability",
        "resamples",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Repeat the search on this many random halves of every group, to see which features come back (20 is usual).",
    ),
    together_options,
    click.option("--confidence", type=float, default=0.95, show_default=True, help="Confidence level of all intervals."),
    engine_options,
)
CHECKS = ("held_out", "search_split", "folds", "permutations", "resamples", "confidence", "keep_together", "duplicates")

panel_options = options(
    click.option("--images-per-panel", "images_per_panel", type=click.IntRange(1), default=6, show_default=True),
    click.option(
        "--steps", type=click.IntRange(0), help="Steps of the feature attack; the default is 500, fewer for small images."
    ),
    click.option(
        "--early-stop",
        type=click.FloatRange(0, 1, max_open=True),
        metavar="SHARE",
        help="End the attack of an image once 20 steps raised its activation by no more than this share, such as 0.01.",
    ),
    click.option(
        "--source",
        type=click.Choice(["group", "benchmark"]),
        default="group",
        show_default=True,
        help="Take the most activating images from the group, or from the whole benchmark.",
    ),
)
