"""The verbs that fill a run folder, from images to panels: import, predict, extract, explain, visualize; run and demo chain them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barlow_core.cli.options import (
    CHECKS,
    INPUT,
    batch_options,
    exact_option,
    explain_options,
    import_options,
    input_options,
    layer_option,
    network_options,
    panel_options,
)
from barlow_core.cli.shared import example, open_run, overwrite_option, quiet_option, run_argument
from barlow_core.engine import ENGINES
from barlow_core.errors import BarlowError

if TYPE_CHECKING:
    from barlow_core.benchmark import Benchmark
    from barlow_core.extractors import Classifier, Extractor
    from barlow_core.run import Run


@click.command("import", epilog=example("barlow import photos --metadata metadata.csv --run runs/mine"))
@import_options
@overwrite_option
@quiet_option
def import_command(quiet: bool, overwrite: bool, **arguments: Any) -> None:
    """Make a run folder of IMAGES, labels and predictions.

    Everything is checked, and every problem is reported with its file and row. IMAGES is a folder: with --metadata, of the images that the table names; without, of one folder per class. Which tables are
    read, and what to do about others: docs/bringing_your_data.md.
    """
    _import(arguments, overwrite=overwrite, progress=not quiet)


@click.command(
    "predict",
    epilog=example(
        "barlow predict runs/mine --model resnet50",
        "barlow predict runs/mine --model my_model.pt --arch resnet18",
        "barlow predict runs/mine --model my_code:make_model --image-size 224 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
    ),
)
@run_argument
@click.option("--model", required=True, help="The classifier under inspection: a torchvision name, a file, or module:function.")
@network_options
@batch_options
@overwrite_option
@quiet_option
def predict_command(
    run_path: Path, model: str, batch_size: int | None, exact: bool, overwrite: bool, quiet: bool, **network: Any
) -> None:
    """Make the predictions with a model, if there are none."""
    from barlow_core.prediction import predict

    run = open_run(run_path)
    predict(run, load_model(model, **network), batch_size=batch_size, exact=exact, overwrite=overwrite, progress=not quiet)
    click.echo(run.benchmark)


@click.command("extract", epilog=example("barlow extract runs/mine --extractor robust_resnet50 --download"))
@run_argument
@click.option(
    "--extractor",
    default="robust_resnet50",
    show_default=True,
    help="The network that describes the images: a name, a file, or module:function.",
)
@network_options
@layer_option
@batch_options
@click.option(
    "--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True, help="Data type of features.npy."
)
@click.option(
    "--compile", "compiled", is_flag=True, help="Let torch.compile make kernels for the network first: for many images."
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="Where the work runs: this machine, or the Ray cluster at RAY_ADDRESS, with one GPU per task if it has any.",
)
@overwrite_option
@quiet_option
def extract_command(
    run_path: Path,
    extractor: str,
    overwrite: bool,
    quiet: bool,
    batch_size: int | None,
    exact: bool,
    dtype: str,
    compiled: bool,
    engine: str,
    **network: Any,
) -> None:
    """Compute the features of every image.

    They are the penultimate layer of a robust network.
    """
    from barlow_core.extraction import extract

    run = open_run(run_path)
    loaded = _load_extractor(extractor, **network)
    how: dict[str, Any] = {"batch_size": batch_size, "exact": exact, "dtype": dtype, "compiled": compiled, "engine": engine}
    features = extract(run, loaded, **how, overwrite=overwrite, progress=not quiet)
    click.echo(f"{features.shape[0]:,} images x {features.shape[1]:,} features in {run.features_path}")
    click.echo(f"The features of {loaded.name} are those of {loaded.layer}.")
    if loaded.without_maps is not None:
        click.echo(f"Panels will have no section B (heatmaps): {loaded.without_maps}.")


@click.command(
    "explain",
    epilog=example(
        "barlow explain runs/mine --depth 2 --delta 0.05",
        "barlow explain runs/mine --group pair:cat+dog",
        "barlow explain runs/mine --mask night=night.txt",
    ),
)
@run_argument
@explain_options
@quiet_option
def explain_command(run_path: Path, quiet: bool, **settings: Any) -> None:
    """Find the rules that say where the classifier fails."""
    run = open_run(run_path)
    _explain(run, progress=not quiet, **settings)
    echo_found(run)


@click.command(
    "visualize",
    epilog=example("barlow visualize runs/mine", "barlow visualize runs/mine --group label:truck --feature 12 --steps 100"),
)
@run_argument
@click.option("--group", "keys", multiple=True, help="Only this group; may be given several times.")
@click.option("--feature", "features", multiple=True, type=int, help="These features instead of those in the failure modes.")
@click.option("--depth", type=int, help="Only features of failure modes of trees of this depth.")
@click.option(
    "--search", is_flag=True, help="The rules that `barlow search` found and confirmed, each a weighted sum of features, instead."
)
@panel_options
@exact_option
@click.option(
    "--figures", type=click.Path(path_type=Path), help="Also write every panel as one figure, as in the paper, into this folder."
)
@click.option("--device", help="cpu, cuda, cuda:1, mps; the default is a GPU if there is one.")
@quiet_option
def visualize_command(run_path: Path, figures: Path | None, quiet: bool, **arguments: Any) -> None:
    """Make the pictures that show what features mean.

    Panel A: the most activating images; B: their heatmaps; C: feature attack.
    """
    run = open_run(run_path)
    panels = _visualize(run, progress=not quiet, **arguments)
    click.echo(f"{len(panels)} panels in {run_path / 'panels'}")
    if figures is not None:
        from barlow_core.export import leaf_figure
        from barlow_core.panels.figure import save_figure

        for panel in panels:
            save_figure(figures / f"{panel.path.parent.name}-{panel.path.name}.png", leaf_figure(run, panel))
        click.echo(f"{len(panels)} figures in {figures}")


@click.command(epilog=example("barlow run photos --metadata metadata.csv --run runs/mine --extractor robust_resnet50 --download"))
@import_options
@click.option("--model", help="The classifier under inspection, for images that come without predictions.")
@click.option("--extractor", default="robust_resnet50", show_default=True)
@network_options
@layer_option
@input_options("model-")
@batch_options
@explain_options
@panel_options
@overwrite_option
@quiet_option
def run(quiet: bool, overwrite: bool, **arguments: Any) -> None:
    """Run everything from import to visualize in one go."""
    from barlow_core.extraction import extract
    from barlow_core.prediction import predict

    progress = not quiet
    take = _taker(arguments)
    created = _import(take(import_command), overwrite=overwrite, progress=progress)
    model, extractor = arguments.pop("model"), arguments.pop("extractor")
    how = {"batch_size": arguments.pop("batch_size"), "exact": arguments.pop("exact")}
    network = {name: arguments.pop(name) for name in ("checkpoint", "download", "device", "layer", *INPUT)}
    model_input = {name: arguments.pop(f"model_{name}") for name in INPUT}
    if created.benchmark.predictions is None:
        if model is None:
            raise BarlowError(
                "These images have no predictions. Name the classifier under inspection with --model, or add them to the CSV."
            )
        inspected = load_model(model, device=network["device"], **model_input)
        predict(created, inspected, **how, progress=progress)
    extract(created, _load_extractor(extractor, **network), **how, overwrite=overwrite, progress=progress)
    panel = {name: arguments.pop(name) for name in ("images_per_panel", "steps", "early_stop", "source")}
    _explain(created, progress=progress, **arguments)
    _visualize(created, progress=progress, device=network["device"], exact=how["exact"], **panel)
    echo_found(created)
    click.echo(f"Look at them with: barlow browse {created.path}")


@click.command(epilog=example("barlow demo", "barlow demo --example groceries --run runs/groceries"))
@click.option("--example", type=click.Choice(["cifar10", "groceries"]), default="cifar10", show_default=True)
@click.option("--run", "run_path", metavar="RUN", type=click.Path(path_type=Path), help="[default: runs/EXAMPLE]")
@click.option("--extractor", help="Another network to describe the images with: a name, a file, or module:function.")
@input_options()
@click.option("--browse/--no-browse", "open_app", default=True, help="Open the app at the end.")
@quiet_option
def demo(example: str, run_path: Path | None, extractor: str | None, open_app: bool, quiet: bool, **expected: Any) -> None:
    """Run an included example and open the app."""
    from barlow_core.cli.serve import serve_app
    from barlow_core.examples.demo import run_example

    finished = run_example(
        example, run_path or Path("runs") / example, extractor=extractor, options=_given(expected), progress=not quiet
    )
    echo_found(finished)
    if open_app:
        serve_app("browse.py", [str(finished.path)])


@click.command("convert-checkpoint", epilog=example("barlow convert-checkpoint imagenet_l2_3_0.pt robust_resnet50.pt"))
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def convert_checkpoint(source: Path, target: Path) -> None:
    """Make a checkpoint with pickled code safe to load.

    Copies the weights out of it, without running any of that code.
    """
    from barlow_core.extractors.checkpoints import convert

    convert(source, target)
    click.echo(f"{target} holds the weights of {source} and loads safely.")


# --- what several commands share


def _import(arguments: dict[str, Any], *, overwrite: bool, progress: bool) -> Run:
    from barlow_core.run import Run, check_run_folder

    check_run_folder(arguments["run_path"])  # the cheaper complaint first: checking images can take long
    benchmark = read_benchmark(progress=progress, **{name: value for name, value in arguments.items() if name != "run_path"})
    record = {name: str(value) for name, value in arguments.items() if value not in (None, False)}
    created = Run.create(arguments["run_path"], benchmark, arguments=record, overwrite=overwrite)
    if len(benchmark.skipped):
        benchmark.skipped.to_csv(created.path / "skipped.csv", index=False)
        click.echo(f"All of them are listed in {created.path / 'skipped.csv'}", err=True)
    click.echo(f"{created.benchmark!r} in {created.path}")
    return created


def read_benchmark(
    images: Path,
    metadata: Path | None,
    progress: bool,
    classes: str | None = None,
    predictions: Path | None = None,
    missing: str | None = None,
    **options: Any,
) -> Benchmark:
    """The images and labels that `images_options` name; what was skipped, and what was read differently than usual, is reported."""
    from barlow_core.benchmark import Benchmark
    from barlow_core.intake.values import parse_missing

    if metadata is not None and predictions is not None:
        raise BarlowError("Give --metadata or --predictions, not both: with --metadata the CSV holds the predictions.")
    if metadata is None and predictions is None and (options["columns"] or missing is not None):
        raise BarlowError(
            "--columns and --missing are about a table, and there is none. Name it with --metadata or --predictions."
        )
    common = options | {
        "class_names": classes,
        "missing": None if missing is None else parse_missing(missing),
        "progress": progress,
    }
    if metadata is not None:
        benchmark = Benchmark.from_csv(images, metadata, **common)
    else:
        benchmark = Benchmark.from_folder(images, predictions=predictions, **common)
    for note in benchmark.notes:
        click.echo(note, err=True)
    if len(benchmark.skipped):
        click.echo(f"Skipped {len(benchmark.skipped):,} bad rows or images:", err=True)
        for row in benchmark.skipped.head(10).itertuples():
            click.echo(f"  {row.file} (row {row.row}): {row.reason}", err=True)
    return benchmark


def _load_extractor(name: str, *, device: str | None = None, **options: Any) -> Extractor:
    from barlow_core import extractors

    return extractors.load(name, device=device or extractors.default_device(), **_given(options))


def load_model(name: str, *, device: str | None = None, **options: Any) -> Classifier:
    """The classifier under inspection: only its predictions are needed, so any architecture will do."""
    from barlow_core import extractors

    return extractors.load_classifier(name, device=device or extractors.default_device(), **_given(options))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, False)}


def _explain(
    run: Run,
    *,
    groupings: Sequence[str],
    by: Sequence[str],
    keys: Sequence[str],
    masks: Sequence[tuple[str, Path]],
    **settings: Any,
) -> None:
    from barlow_core.analyses import Checks, explain_run
    from barlow_core.benchmark.masks import read_mask
    from barlow_core.groups import n_without_value

    for name, path in masks:
        run.add_mask(name, read_mask(path, run.benchmark.names), source=path.resolve())
    keys = [*keys, *(f"mask:{name}" for name, _ in masks)]

    checks = Checks(**{name: settings.pop(name) for name in CHECKS})
    explain_run(run, checks=checks, groupings=[*groupings, *by], keys=keys, **settings)
    for grouping in by:
        if n := n_without_value(run.benchmark, grouping):
            click.echo(f"{n:,} of {len(run.benchmark):,} images have no value in {grouping} and are in no group of it.", err=True)


def _visualize(
    run: Run,
    *,
    images_per_panel: int,
    steps: int | None,
    early_stop: float | None,
    source: str,
    exact: bool,
    progress: bool,
    device: str | None = None,
    keys: Sequence[str] = (),
    features: Sequence[int] = (),
    depth: int | None = None,
    search: bool = False,
) -> list[Any]:
    from barlow_core import extractors
    from barlow_core.panels import make_panels, rule_requests, visualize

    if search:
        if features or depth is not None:
            raise BarlowError("--search is about rules of a search, --feature and --depth about failure modes. Give one of them.")
        requests = rule_requests(run, keys=keys)
        extractor = run.extractor(device=device or extractors.default_device())
        how: dict[str, Any] = {"steps": steps, "early_stop": early_stop, "source": source, "exact": exact, "progress": progress}
        return make_panels(run, extractor, requests, k=images_per_panel, **how)
    run.require("explain")  # the cheaper complaint first: loading a network takes seconds
    return visualize(
        run,
        run.extractor(device=device or extractors.default_device()),
        keys=keys,
        features=features,
        depth=depth,
        k=images_per_panel,
        steps=steps,
        early_stop=early_stop,
        source=source,
        exact=exact,
        progress=progress,
    )


def _taker(arguments: dict[str, Any]) -> Callable[[click.Command], dict[str, Any]]:
    """Move the arguments that belong to another command out of `arguments`."""

    def take(command: click.Command) -> dict[str, Any]:
        names = {parameter.name for parameter in command.params} & arguments.keys()
        return {name: arguments.pop(name) for name in names if name is not None}

    return take


def echo_found(run: Run) -> None:
    from barlow_core.analyses.verdicts import verdict_counts
    from barlow_core.views.sentences import duplicates_words

    modes, groups = run.failure_modes(), run.groups()
    deepest = modes["depth"].max() if len(modes) else 0
    shown = modes[modes["depth"] == deepest]
    counts = verdict_counts(shown)
    click.echo(
        f"{len(shown)} failure modes (trees of depth {deepest}) in {len(groups)} groups: "
        f"{', '.join(f'{n} {verdict}' for verdict, n in counts.items())}. See them with: barlow show {run.path}"
    )
    if said := duplicates_words(groups, shown):
        click.echo(said)
