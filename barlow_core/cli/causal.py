"""The verbs that change images and ask the model under inspection again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barlow_core.cli.options import input_options
from barlow_core.cli.pipeline import load_model
from barlow_core.cli.shared import Numbers, example, json_option, open_run, options, quiet_option, run_argument
from barlow_core.errors import BarlowError
from barlow_core.interventions.settings import FILLS, InterventionSettings
from barlow_core.wording import count, percent

if TYPE_CHECKING:
    import pandas as pd

    from barlow_core.extractors import Classifier
    from barlow_core.interventions import Target
    from barlow_core.run import Run

model_options = options(
    click.option(
        "--model",
        help="The classifier that made the predictions: a name, a file, or module:function; the default is that of `barlow predict`, of an "
        "earlier intervention, or of the example.",
    ),
    click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights for a named network."),
    input_options(),
    click.option("--device", help="cpu, cuda, cuda:1, mps; the default is a GPU if there is one."),
)
node_options = options(
    click.option("--depth", type=int, help="Of the tree; the default is that of the failure mode with the most evidence."),
    click.option(
        "--leaf", type=int, help="Number of the leaf; the default is the failure mode of the group with the most evidence."
    ),
    click.option("--feature", type=int, help="Of the rule; the default is the one that is split nearest to the leaf."),
    click.option("--rule", type=int, help="A rule of `barlow search` instead of a leaf, by its number in the group."),
)
NETWORK = ("checkpoint", "arch", "image_size", "mean", "std", "device")


@click.command(
    "intervene",
    epilog=example(
        "barlow intervene runs/cifar10",
        "barlow intervene runs/mine label:truck --depth 1 --model my_model.pt --arch resnet18",
        "barlow show runs/mine interventions",
    ),
)
@run_argument
@click.argument("groups", metavar="[GROUP]...", nargs=-1)
@model_options
@node_options
@click.option("--images", type=click.IntRange(1), default=20, show_default=True, help="Images of each kind, at most.")
@click.option("--doses", type=click.IntRange(1), default=3, show_default=True, help="Steps in which the change grows.")
@click.option(
    "--epsilon", type=float, help="l2 length of the full change, for pixels in [0, 1]; the default is 12 at 224 pixels."
)
@click.option(
    "--fill",
    "fills",
    multiple=True,
    type=click.Choice(FILLS),
    default=("inpaint",),
    show_default=True,
    help="What takes the place of the region that the feature looks at; may be given several times.",
)
@click.option("--no-regions", is_flag=True, help="Change images through the extractor alone.")
@click.option("--threshold", type=float, default=0.5, show_default=True, help="The region is where the heatmap is at least this.")
@click.option(
    "--controls", type=click.IntRange(1), help="Random features to compare with; the default is as few as the test needs."
)
@click.option(
    "--tolerance",
    type=float,
    default=0.02,
    show_default=True,
    help="Share of stored predictions, at most, that may not be the model's.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Do it again even if it is there.")
@quiet_option
@json_option
def intervene_command(
    run_path: Path,
    groups: tuple[str, ...],
    model: str | None,
    depth: int | None,
    leaf: int | None,
    feature: int | None,
    rule: int | None,
    no_regions: bool,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Does the model depend on the feature of a rule?

    The feature is changed in images, through the extractor and by the region that it looks at, and the model is asked again; random
    features, directions and regions are the controls. Without GROUP it is done for the failure mode with the most evidence of all.
    What is found stays in the run. docs/interventions.md says how to read it.
    """
    from barlow_core.cli.printing_interventions import print_interventions
    from barlow_core.interventions import intervene, interventions

    run = open_run(run_path)
    network = {name: arguments.pop(name) for name in NETWORK}
    fills = () if no_regions else arguments.pop("fills")
    arguments.pop("fills", None)
    settings = InterventionSettings(fills=fills, **arguments)
    if rule is not None and not groups:
        raise BarlowError("--rule is the number of a rule within a group. Name the group, too.")
    keys = groups or (_surest(run),)
    targets = [_target(run, key, depth=depth, leaf=leaf, feature=feature, rule=rule) for key in keys]
    inspected = inspected_model(run, model, network)
    before = {} if overwrite else {one.path: one.info["key"] for one in interventions(run)}
    found = [intervene(run, inspected, target, settings=settings, overwrite=overwrite, progress=not quiet) for target in targets]
    print_interventions(found, as_json=as_json, in_full=True)
    n_kept = sum(before.get(one.path) == one.info["key"] for one in found)
    if n_kept and not as_json:
        click.echo(f"Found earlier, and kept: {n_kept} of {len(found)}. --overwrite does it again.")


@click.command(
    "rely",
    epilog=example(
        "barlow rely runs/cifar10 --model standard_resnet_cifar10 --model robust_resnet_cifar10 --marks marks.csv --out relied",
    ),
)
@run_argument
@click.option(
    "--model", "models", multiple=True, required=True, help="A name, a file, or module:function; may be given several times."
)
@input_options()
@click.option("--device", help="cpu, cuda, cuda:1, mps; the default is a GPU if there is one.")
@click.option(
    "--marks",
    type=click.Path(path_type=Path),
    help="CSV with group, feature, mark (core or spurious); the default is what is marked in the run (necessary is core).",
)
@click.option("--images", type=click.IntRange(1), default=50, show_default=True, help="Images of each class, at most.")
@click.option(
    "--noise", "levels", type=Numbers(float), default="0,0.25,0.5,1", show_default=True, help="Deviations, for pixels in [0, 1]."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="A folder for the complete tables (CSV) and the figures (SVG, PNG).")
@quiet_option
@json_option
def rely_command(
    run_path: Path,
    models: tuple[str, ...],
    marks: Path | None,
    out: Path | None,
    device: str | None,
    arch: str | None,
    image_size: int | None,
    mean: list[float] | None,
    std: list[float] | None,
    quiet: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """What do models rely on, core or spurious features?

    Noise covers what the features look at that people marked as core, or as spurious; accuracy is measured on the images of each class,
    with intervals, beside noise at random places.
    """
    from barlow_core import vega
    from barlow_core.cli.printing_interventions import print_relied
    from barlow_core.interventions.charts import gap_chart, noise_chart
    from barlow_core.interventions.kinds import ALL
    from barlow_core.interventions.relying import rely
    from barlow_core.storage.files import atomic_write
    from barlow_core.views.marks import read_marks

    run = open_run(run_path)
    known = read_marks(run, marks)
    given = {"arch": arch, "image_size": image_size, "mean": mean, "std": std}
    loaded = {model: load_model(model, device=device, **given) for model in models}
    found = rely(run, loaded, known, progress=not quiet, **settings)
    print_relied(found, as_json=as_json)
    if out is not None:
        charts = {"noise": noise_chart(found.accuracy, ALL)} | ({} if found.gaps.empty else {"gaps": gap_chart(found.gaps)})
        for name, content in (
            ("accuracy.csv", found.accuracy.to_csv(index=False).encode()),
            ("gaps.csv", found.gaps.to_csv(index=False).encode()),
            *((f"{name}.svg", vega.svg(chart)) for name, chart in charts.items()),
            *((f"{name}.png", vega.png(chart, scale=2)) for name, chart in charts.items()),
        ):
            with atomic_write(out / name) as temporary:
                temporary.write_bytes(content)
        if not as_json:
            click.echo(f"The complete tables and the figures are in {out}")


@click.command(
    "mend",
    epilog=example(
        "barlow mend runs/mine label:truck --model my_model.pt --arch resnet18 --collect-from unlabelled --out mending",
        "barlow mend runs/mine label:truck --training photos/train --paint --out mended",
    ),
)
@run_argument
@click.argument("group", metavar="GROUP")
@model_options
@node_options
@click.option(
    "--collect-from", type=click.Path(path_type=Path), help="A folder of unlabelled images: which of them to label and learn."
)
@click.option(
    "--training", type=click.Path(path_type=Path), help="The folder of training images: masks of what the feature looks at."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    help="A mask is where the heatmap is at least this; the default is that it grows until the feature is weak without it.",
)
@click.option("--paint", is_flag=True, help="Also write the training images with what is under the mask painted over.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="A folder for collect.csv, masks.csv, masks/ and painted/."
)
@click.option("--unconfirmed", is_flag=True, help="Even if no intervention found that the model depends on the feature.")
@click.option("--overwrite", is_flag=True, help="Replace what an earlier call wrote into --out.")
@quiet_option
def mend_command(
    run_path: Path,
    group: str,
    model: str | None,
    depth: int | None,
    leaf: int | None,
    feature: int | None,
    rule: int | None,
    collect_from: Path | None,
    training: Path | None,
    threshold: float | None,
    paint: bool,
    out: Path,
    unconfirmed: bool,
    overwrite: bool,
    quiet: bool,
    **network: Any,
) -> None:
    """What to do about a confirmed shortcut.

    Which images of an unlabelled folder to collect: those for which the rule says that the model would fail, the least sure first. And which
    region of the training images to cover, as masks that grow until the feature is weak without what lies under them.
    """
    from barlow_core import extractors
    from barlow_core.interventions.asking import Inspected, check_model
    from barlow_core.interventions.mending import check_confirmed, images_in, images_to_collect, training_masks
    from barlow_core.storage.files import atomic_write

    if collect_from is None and training is None:
        raise BarlowError(
            "There is nothing to do. Name a folder of unlabelled images (--collect-from), of training images (--training), or both."
        )
    for option, given in (("--paint", paint), ("--threshold", threshold is not None)):
        if given and training is None:
            raise BarlowError(f"{option} is about training images. Name their folder: --training.")
    # Whatever is wrong is said before the first of two long jobs, not after it.
    for folder in filter(None, (collect_from, training)):
        images_in(folder)
        if out.resolve().is_relative_to(folder.resolve()):
            raise BarlowError(f"{out} lies within {folder}: the next call would take masks for images. Name another --out.")
    _check_new(
        out, ["collect.csv"] * (collect_from is not None) + ["masks.csv", "masks", "painted"] * (training is not None), overwrite
    )
    run = open_run(run_path)
    target = _target(run, group, depth=depth, leaf=leaf, feature=feature, rule=rule)
    if not unconfirmed:
        check_confirmed(run, target)
    extractor = run.extractor(device=network["device"] or extractors.default_device())
    unreadable: list[Path] = []
    if collect_from is not None:
        inspected = Inspected(run, inspected_model(run, model, network))
        check_model(run, inspected, tolerance=InterventionSettings.tolerance, seed=0)
        table = images_to_collect(
            run, inspected.model, extractor, target, collect_from, progress=not quiet, unreadable=unreadable
        )
        _tell_unreadable(unreadable)
        with atomic_write(out / "collect.csv") as temporary:
            table.to_csv(temporary, index=False)
        click.echo(_collected_words(target, table, out / "collect.csv"))
    if training is not None:
        unreadable.clear()
        how = {"threshold": threshold, "painted": out / "painted" if paint else None, "progress": not quiet}
        written = training_masks(extractor, target, training, out / "masks", unreadable=unreadable, **how)  # type: ignore[arg-type]
        _tell_unreadable(unreadable)
        with atomic_write(out / "masks.csv") as temporary:
            written.to_csv(temporary, index=False)
        if not paint:
            shutil.rmtree(out / "painted", ignore_errors=True)  # of an earlier call: other regions than these masks
        click.echo(_masked_words(target, written, out))
        if paint and len(written):
            click.echo(f"The images with that painted over are in {out / 'painted'}; those without a mask are not copied.")


def _check_new(out: Path, names: Sequence[str], overwrite: bool) -> None:
    """What people may have worked on since, such as labels beside the images to collect, is not replaced unasked."""
    there = [name for name in names if (out / name).exists()]
    if there and not overwrite:
        raise BarlowError(f"{out} already has {', '.join(there)}. Name another --out, or replace that with --overwrite.")


def _tell_unreadable(paths: Sequence[Path]) -> None:
    if paths:
        more = f" and {len(paths) - 3:,} others" if len(paths) > 3 else ""
        click.echo(f"Left out, for they cannot be read: {', '.join(map(str, paths[:3]))}{more}", err=True)


def _collected_words(target: Target, table: pd.DataFrame, file: Path) -> str:
    grouping, _, name = target.group.partition(":")
    guessed = f" and for which {name} is the model's first or second guess" if grouping in ("label", "union") else ""
    what = f"that follow {target.rule}{guessed}"
    if table.empty:
        return f"No image to collect: there is none {what}. {file} is empty."
    return f"{count(len(table), 'image')} to collect, {what}: {file}, the least sure first. Label them from the top, and train on them."


def _masked_words(target: Target, masks: pd.DataFrame, out: Path) -> str:
    if masks.empty:
        return f"No masks: the feature is strong (above {target.threshold:.4g}) in none of the training images, so there is nothing to cover."
    weak = (masks["value_covered"] <= target.threshold).mean()
    much = (
        " That is most of it, and little is left to learn from: look at some of them, and try smaller ones with --threshold 0.5."
        if masks["area"].mean() > 0.5
        else ""
    )
    return (
        f"{count(len(masks), 'mask')} in {out / 'masks'}, listed in {out / 'masks.csv'}: white is what to cover, {percent(masks['area'].mean())} "
        f"of a picture on average. Without it, the feature is weak in {percent(weak)} of them.{much}"
    )


def _target(run: Run, group: str, *, depth: int | None, leaf: int | None, feature: int | None, rule: int | None) -> Target:
    from barlow_core.interventions import leaf_target, rule_target

    if rule is None:
        return leaf_target(run, group, depth=depth, leaf=leaf, feature=feature)
    if not (depth is leaf is feature is None):
        raise BarlowError("--rule is about a search; --depth, --leaf and --feature are about a tree. Give one of them.")
    return rule_target(run, group, rule)


def inspected_model(run: Run, model: str | None, network: dict[str, Any]) -> Classifier:
    """The model under inspection: as named, or else the one that the run knows (`known_model`).

    Raises:
        BarlowError: it is not named, and the run does not know it.
    """
    if model is not None:
        return load_model(model, **network)
    from barlow_core.interventions.known_model import known_model

    known = known_model(run)
    if known is None:
        raise BarlowError(
            f"{run.path} has predictions, but not the model that made them, and changed images must be shown to that model. Name it with "
            "--model: a torchvision name, a file (with --arch where it holds only weights), or module:function of your own code."
        )
    return load_model(known.source, device=network["device"], **known.options)


def _surest(run: Run) -> str:
    """The group of the failure mode with the most evidence."""
    from barlow_core.analyses.verdicts import ranked

    modes = ranked(run.failure_modes())
    modes = modes[modes["feature"].notna()]
    if modes.empty:
        raise BarlowError(f"{run.path} has no failure mode to intervene on. Name a group, and a leaf of its tree with --leaf.")
    return str(modes["group"].iloc[0])
