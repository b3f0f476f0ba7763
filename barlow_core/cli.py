"""The `barlow` command: the library, verb for verb. Every command is a few lines over a function that a notebook could call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barlow_core.checks import HELD_OUT
from barlow_core.engine import ENGINES
from barlow_core.errors import BarlowError
from barlow_core.groups import GROUPINGS
from barlow_core.information import ESTIMATORS

if TYPE_CHECKING:
    from barlow_core.benchmark import Benchmark
    from barlow_core.extractors import Extractor
    from barlow_core.run import Run

EXIT_USER, EXIT_INTERRUPTED = 2, 130


class _UserError(click.ClickException):
    exit_code = EXIT_USER


class _Barlow(click.Group):
    """Turns what a person can mend into one message and exit status 2, and Ctrl-C into advice."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BarlowError as error:
            raise _UserError(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\nStopped. What is finished is kept: the same command goes on from here.", err=True)
            ctx.exit(EXIT_INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the pipeline, not of the alphabet


class _Numbers(click.ParamType):
    """Numbers with commas between them."""

    name = "numbers"

    def __init__(self, kind: type[int] | type[float]):
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return [self.kind(part) for part in value.split(",") if part.strip()]
        except ValueError:
            kind = "whole numbers" if self.kind is int else "numbers"
            self.fail(f"{value!r} is not {kind} with commas between them, such as 5,10,20.", param, ctx)


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


run_argument = click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
quiet_option = click.option("--quiet", is_flag=True, help="No progress bars.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what another network or setting made.")

import_options = _options(
    click.argument("images", type=click.Path(path_type=Path)),
    click.option("--metadata", type=click.Path(path_type=Path), help="CSV with Filenames, Labels and (optional) Predictions."),
    click.option(
        "--predictions",
        type=click.Path(path_type=Path),
        help="For a class-per-folder tree: predictions as CSV (Filenames, Predictions) or .npy in the order of sorted paths.",
    ),
    click.option("--classes", help='Names of the classes: a file with one a line, or "imagenet".'),
    click.option("--run", "run_path", metavar="RUN", required=True, type=click.Path(path_type=Path), help="The folder to make."),
    click.option("--skip-bad", is_flag=True, help="Leave out bad rows and unreadable images; they are listed and counted."),
    click.option(
        "--check",
        type=click.Choice(["full", "header"]),
        default="full",
        show_default=True,
        help="Decode every image now, or only look at its header (much faster, finds less).",
    ),
)

network_options = _options(
    click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights for a named network."),
    click.option("--arch", help="Architecture of a file that holds nothing but weights, such as resnet50."),
    click.option(
        "--download", is_flag=True, help="Fetch the weights of robust_resnet50 and robust_resnet18 where they are missing."
    ),
    click.option("--device", help="cpu, cuda, cuda:1, mps; the default is a GPU where there is one."),
)

batch_options = _options(
    click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True),
)

engine_options = _options(
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="local",
        show_default=True,
        help="Where the work runs: this machine's cores, or the Ray cluster at RAY_ADDRESS.",
    ),
    click.option("--workers", type=click.IntRange(1), help="Processes; the default is one a core."),
)

explain_options = _options(
    click.option(
        "--grouping",
        "groupings",
        multiple=True,
        type=click.Choice(GROUPINGS),
        default=("label", "prediction"),
        show_default=True,
        help="Which groups to explain; may be given several times.",
    ),
    click.option("--group", "keys", multiple=True, help="One more group, such as pair:cat+dog; may be given several times."),
    click.option("--k", type=int, default=20, show_default=True, help="Features selected by mutual information with failure."),
    click.option("--depth", type=int, default=3, show_default=True, help="Deepest tree; the shallower ones are made as well."),
    click.option("--delta", type=float, default=0.1, show_default=True, help="A failure mode has ER > BER + delta."),
    click.option("--tau", type=float, default=0.2, show_default=True, help="A failure mode has EC > tau."),
    click.option(
        "--mi",
        "estimator",
        type=click.Choice(ESTIMATORS),
        default="binned",
        show_default=True,
        help="Estimator of mutual information: bins (fast, nothing random), or nearest neighbours, as in the paper.",
    ),
    click.option("--min-leaf", type=int, default=1, show_default=True, help="Fewest images in a leaf."),
    click.option(
        "--weighted/--unweighted", default=True, show_default=True, help="Weigh failures by n_success/n_failure in the tree."
    ),
    click.option("--seed", type=int, default=0, show_default=True),
    click.option(
        "--held-out",
        type=click.Choice(HELD_OUT),
        default="auto",
        show_default=True,
        help="How to measure rules on images that had no part in finding them: by the Split column, or by cross-fitting.",
    ),
    click.option("--search-split", help="Search the images with this Split, measure on the others."),
    click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Of cross-fitting."),
    click.option(
        "--permutations",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Test every group against luck by repeating the search on so many shuffles of its failures (999 is usual).",
    ),
    click.option(
        "--stability",
        "resamples",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Repeat the search on so many random halves of every group, to see which features come back (20 is usual).",
    ),
    click.option("--confidence", type=float, default=0.95, show_default=True, help="Of all intervals."),
    engine_options,
)
CHECKS = ("held_out", "search_split", "folds", "permutations", "resamples", "confidence")

panel_options = _options(
    click.option("--images-per-panel", "images_per_panel", type=click.IntRange(1), default=6, show_default=True),
    click.option(
        "--steps", type=click.IntRange(0), help="Steps of the feature attack; the default is 500, fewer for small images."
    ),
    click.option(
        "--source",
        type=click.Choice(["group", "benchmark"]),
        default="group",
        show_default=True,
        help="Take the most activating images from the group, or from the whole benchmark.",
    ),
)


@click.group(cls=_Barlow, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="barlow")
def cli() -> None:
    """Find where an image classifier fails, and see what those images have in common.

    A run folder holds one analysis. The verbs below fill it in this order; each goes on where it was interrupted and redoes
    nothing that is up to date.
    """


@cli.command("import", epilog=_example("barlow import photos --metadata metadata.csv --run runs/mine"))
@import_options
@overwrite_option
@quiet_option
def import_command(quiet: bool, overwrite: bool, **arguments: Any) -> None:
    """Check IMAGES and their labels (and predictions), and make a run folder.

    IMAGES is a folder: with --metadata, of images that the CSV names; without, of one folder a class.
    """
    _import(arguments, overwrite=overwrite, progress=not quiet)


@cli.command(
    epilog=_example("barlow predict runs/mine --model resnet50", "barlow predict runs/mine --model my_model.pt --arch resnet18")
)
@run_argument
@click.option("--model", required=True, help="The classifier under inspection: a torchvision name, a file, or module:function.")
@network_options
@batch_options
@overwrite_option
@quiet_option
def predict(run_path: Path, model: str, batch_size: int, overwrite: bool, quiet: bool, **network: Any) -> None:
    """Let a model make the predictions, for images that came without."""
    from barlow_core.predict import predict as predict_

    run = _open(run_path)
    predict_(run, _load_network(model, **network), batch_size=batch_size, overwrite=overwrite, progress=not quiet)
    click.echo(run.benchmark)


@cli.command(epilog=_example("barlow extract runs/mine --extractor robust_resnet50 --download"))
@run_argument
@click.option(
    "--extractor",
    default="robust_resnet50",
    show_default=True,
    help="The network that describes the images: a name, a file, or module:function.",
)
@network_options
@batch_options
@click.option("--dtype", type=click.Choice(["float32", "float16"]), default="float32", show_default=True, help="Of features.npy.")
@overwrite_option
@quiet_option
def extract(run_path: Path, extractor: str, batch_size: int, dtype: str, overwrite: bool, quiet: bool, **network: Any) -> None:
    """Describe every image by the penultimate features of a robust network."""
    from barlow_core.extract import extract as extract_

    run = _open(run_path)
    loaded = _load_network(extractor, **network)
    features = extract_(run, loaded, batch_size=batch_size, dtype=dtype, overwrite=overwrite, progress=not quiet)
    click.echo(f"{features.shape[0]:,} images x {features.shape[1]:,} features in {run.features_path}")


@cli.command(epilog=_example("barlow explain runs/mine --depth 2 --delta 0.05", "barlow explain runs/mine --group pair:cat+dog"))
@run_argument
@explain_options
@quiet_option
def explain(run_path: Path, quiet: bool, **settings: Any) -> None:
    """Find the rules that say where the classifier fails."""
    run = _open(run_path)
    _explain(run, progress=not quiet, **settings)
    _echo_found(run)


@cli.command(
    epilog=_example(
        "barlow explore runs/mine --k 5,10,20,40", "barlow explore runs/mine --delta 0.05,0.1,0.2 --tau 0.1,0.2 --depth 1"
    )
)
@run_argument
@click.option("--k", type=_Numbers(int), default="", help="Values to try, with commas; the default is the run's own.")
@click.option("--depth", type=_Numbers(int), default="")
@click.option("--min-leaf", type=_Numbers(int), default="")
@click.option("--delta", type=_Numbers(float), default="")
@click.option("--tau", type=_Numbers(float), default="")
@engine_options
@quiet_option
@json_option
def explore(run_path: Path, quiet: bool, as_json: bool, **values: Any) -> None:
    """See what other settings would find, without changing the run."""
    from barlow_core import tables
    from barlow_core.analyses import explore as explore_

    found = explore_(_open(run_path), progress=not quiet, **values)
    tables.print_table(found, limit=len(found) + 1, as_json=as_json)


@cli.command(
    epilog=_example("barlow visualize runs/mine", "barlow visualize runs/mine --group label:truck --feature 12 --steps 100")
)
@run_argument
@click.option("--group", "keys", multiple=True, help="Only this group; may be given several times.")
@click.option("--feature", "features", multiple=True, type=int, help="These features instead of those in the failure modes.")
@click.option("--depth", type=int, help="Only features of the failure modes of trees of this depth.")
@panel_options
@click.option(
    "--figures", type=click.Path(path_type=Path), help="A folder that also gets every panel as one figure, as in the paper."
)
@click.option("--device", help="cpu, cuda, cuda:1, mps; the default is a GPU where there is one.")
@quiet_option
def visualize(run_path: Path, figures: Path | None, quiet: bool, **arguments: Any) -> None:
    """Make the panels of features: A most activating images, B heatmaps, C feature attack."""
    run = _open(run_path)
    panels = _visualize(run, progress=not quiet, **arguments)
    click.echo(f"{len(panels)} panels in {run_path / 'panels'}")
    if figures is not None:
        from barlow_core.export import leaf_figure
        from barlow_core.panels.figure import save_figure

        for panel in panels:
            save_figure(figures / f"{panel.path.parent.name}-{panel.feature}.png", leaf_figure(run, panel))
        click.echo(f"{len(panels)} figures in {figures}")


@cli.command(
    epilog=_example(
        "barlow show runs/mine", "barlow show runs/mine groups --sort ber", "barlow show runs/mine label:truck --depth 2"
    )
)
@run_argument
@click.argument("what", default="modes")
@click.option("--depth", type=int, help="Of the trees; the default is the deepest.")
@click.option("--sort", help="Column to sort by, largest first.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows at most.")
@json_option
def show(run_path: Path, what: str, depth: int | None, sort: str | None, limit: int, as_json: bool) -> None:
    """Print tables: WHAT is modes (default), groups, status, or one group such as label:truck for its tree."""
    from barlow_core import tables

    run = _open(run_path)
    if ":" in what:
        tables.print_group(run, what, depth=depth, as_json=as_json)
        return
    makers = {"modes": tables.failure_modes, "groups": tables.groups, "status": tables.status}
    if what not in makers:
        raise BarlowError(f"{what!r} is nothing to show. Expected modes, groups, status, or a group such as label:CLASS.")
    table = makers[what](run, depth=depth)
    tables.print_table(table, tables.for_people(what, table), sort=sort, limit=limit, as_json=as_json)


@cli.command(epilog=_example("barlow compare runs/old runs/new", "barlow compare runs/old runs/new --depth 1 --out comparison"))
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--depth", type=int, help="Of the trees; the default is the deepest that both runs have.")
@click.option("--delta", type=float, help="Of a failure mode; the default is that of the runs.")
@click.option("--tau", type=float, help="Of a failure mode; the default is that of the runs.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of the intervals.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows at most.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for the whole tables, as CSV.")
@json_option
def compare(first: Path, second: Path, limit: int, out: Path | None, as_json: bool, **settings: Any) -> None:
    """Put two runs side by side: which failure modes are new, gone, better or worse in the SECOND."""
    from barlow_core import tables
    from barlow_core.compare import compare as compare_

    found = compare_(_open(first), _open(second), **settings)
    if out is not None:
        found.to_csv(out)
    if not as_json:
        click.echo(repr(found))
    modes = found.failure_modes
    tables.print_table(modes, tables.for_people("comparison", modes), limit=limit, as_json=as_json)
    if out is not None and not as_json:
        click.echo(f"All of it is in {out}")


@cli.command(epilog=_example("barlow evaluate runs/mine --out evaluation", "barlow evaluate runs/robust runs/standard --depth 1"))
@click.argument("run_paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", "names", multiple=True, help="What to call a run, one for each, in the same order.")
@click.option("--depth", "depths", multiple=True, type=int, help="Only trees of this depth; may be given several times.")
@click.option("--grouping", "groupings", multiple=True, type=click.Choice(GROUPINGS), help="Only this grouping.")
@click.option("--delta", type=float, help="Of a valid leaf; the default is that of the runs.")
@click.option("--tau", type=float, help="Of a valid leaf; the default is that of the runs.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for tables (CSV, Parquet) and plots (PNG, SVG).")
@json_option
def evaluate(
    run_paths: tuple[Path, ...],
    names: tuple[str, ...],
    depths: tuple[int, ...],
    groupings: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """How much do failure modes explain, over all classes? The paper's Table 1 and Figures 8 and 15 to 20, of your runs."""
    from barlow_core import tables
    from barlow_core.evaluate import evaluate as evaluate_

    runs = [_open(path) for path in run_paths]
    found = evaluate_(runs, names=names or None, depths=depths or None, groupings=groupings or None, **settings)
    tables.print_table(
        found.summary, tables.for_people("evaluation", found.summary), limit=len(found.summary) + 1, as_json=as_json
    )
    if out is not None:
        written = found.save(out)
        if not as_json:
            click.echo(f"{len(written)} files in {out}")


@cli.command(epilog=_example("barlow browse runs/mine", "barlow browse runs/mine --port 9000 --no-open"))
@run_argument
@click.option("--port", type=click.IntRange(1, 65535), help="The default is the first free one from 8501 on.")
@click.option("--address", default="localhost", show_default=True, help="Interface to listen on; 0.0.0.0 for all.")
@click.option("--open/--no-open", "open_browser", default=True, help="Open a web browser.")
def browse(run_path: Path, port: int | None, address: str, open_browser: bool) -> None:
    """Open the app that shows failure modes with their pictures."""
    from barlow_core.serve import serve_app

    _open(run_path)
    serve_app("browse.py", [str(run_path)], port=port, address=address, open_browser=open_browser)


@cli.command(epilog=_example("barlow run photos --metadata metadata.csv --run runs/mine --extractor robust_resnet50 --download"))
@import_options
@click.option("--model", help="The classifier under inspection, for images that come without predictions.")
@click.option("--extractor", default="robust_resnet50", show_default=True)
@network_options
@batch_options
@explain_options
@panel_options
@overwrite_option
@quiet_option
def run(quiet: bool, overwrite: bool, **arguments: Any) -> None:
    """Everything from import to visualize, in one go."""
    from barlow_core.extract import extract as extract_
    from barlow_core.predict import predict as predict_

    progress = not quiet
    take = _taker(arguments)
    created = _import(take(import_command), overwrite=overwrite, progress=progress)
    model, extractor, batch_size = arguments.pop("model"), arguments.pop("extractor"), arguments.pop("batch_size")
    network = {name: arguments.pop(name) for name in ("checkpoint", "arch", "download", "device")}
    if created.benchmark.predictions is None:
        if model is None:
            raise BarlowError(
                "These images have no predictions. Name the classifier under inspection with --model, or add them to the CSV."
            )
        predict_(created, _load_network(model, device=network["device"]), batch_size=batch_size, progress=progress)
    extract_(created, _load_network(extractor, **network), batch_size=batch_size, overwrite=overwrite, progress=progress)
    panel = {name: arguments.pop(name) for name in ("images_per_panel", "steps", "source")}
    _explain(created, progress=progress, **arguments)
    _visualize(created, progress=progress, device=network["device"], **panel)
    _echo_found(created)
    click.echo(f"Look at them with: barlow browse {created.path}")


@cli.command(epilog=_example("barlow demo", "barlow demo --example groceries --run runs/groceries"))
@click.option("--example", type=click.Choice(["cifar10", "groceries"]), default="cifar10", show_default=True)
@click.option("--run", "run_path", metavar="RUN", type=click.Path(path_type=Path), help="[default: runs/EXAMPLE]")
@click.option("--extractor", help="Another network or file to describe the images with.")
@click.option("--browse/--no-browse", "open_app", default=True, help="Open the app at the end.")
@quiet_option
def demo(example: str, run_path: Path | None, extractor: str | None, open_app: bool, quiet: bool) -> None:
    """Run everything on an embedded example and open the app."""
    from barlow_core.examples import run_example
    from barlow_core.serve import serve_app

    finished = run_example(example, run_path or Path("runs") / example, extractor=extractor, progress=not quiet)
    _echo_found(finished)
    if open_app:
        serve_app("browse.py", [str(finished.path)])


@cli.command("convert-checkpoint", epilog=_example("barlow convert-checkpoint imagenet_l2_3_0.pt robust_resnet50.pt"))
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def convert_checkpoint(source: Path, target: Path) -> None:
    """Copy the weights out of a checkpoint that holds pickled code, without running any of that code."""
    from barlow_core.extractors.checkpoints import convert

    convert(source, target)
    click.echo(f"{target} holds the weights of {source} and loads safely.")


# --- what several commands share


def _open(path: Path) -> Run:
    from barlow_core.run import Run

    return Run(path)


def _import(arguments: dict[str, Any], *, overwrite: bool, progress: bool) -> Run:
    from barlow_core.run import Run

    benchmark = _read_benchmark(progress=progress, **arguments)
    if len(benchmark.skipped):
        click.echo(f"Skipped {len(benchmark.skipped):,} bad rows or images:", err=True)
        for row in benchmark.skipped.head(10).itertuples():
            click.echo(f"  {row.file} (row {row.row}): {row.reason}", err=True)
    record = {name: str(value) for name, value in arguments.items() if value not in (None, False)}
    created = Run.create(arguments["run_path"], benchmark, arguments=record, overwrite=overwrite)
    if len(benchmark.skipped):
        benchmark.skipped.to_csv(created.path / "skipped.csv", index=False)
        click.echo(f"All of them are listed in {created.path / 'skipped.csv'}", err=True)
    click.echo(f"{created.benchmark!r} in {created.path}")
    return created


def _read_benchmark(
    images: Path,
    metadata: Path | None,
    predictions: Path | None,
    classes: str | None,
    skip_bad: bool,
    check: str,
    progress: bool,
    run_path: Path,
) -> Benchmark:
    from barlow_core.benchmark import Benchmark

    if metadata is not None and predictions is not None:
        raise BarlowError("Give --metadata or --predictions, not both: with --metadata the CSV holds the predictions.")
    common: dict[str, Any] = {"class_names": classes, "skip_bad": skip_bad, "check": check, "progress": progress}
    if metadata is not None:
        return Benchmark.from_csv(images, metadata, **common)
    return Benchmark.from_folder(images, predictions=predictions, **common)


def _load_network(name: str, *, device: str | None = None, **options: Any) -> Extractor:
    from barlow_core import extractors

    given = {key: value for key, value in options.items() if value not in (None, False)}
    return extractors.load(name, device=device or extractors.default_device(), **given)


def _explain(run: Run, **settings: Any) -> None:
    from barlow_core.analyses import Checks, explain_run

    checks = Checks(**{name: settings.pop(name) for name in CHECKS})
    explain_run(run, checks=checks, **settings)


def _visualize(
    run: Run,
    *,
    images_per_panel: int,
    steps: int | None,
    source: str,
    progress: bool,
    device: str | None = None,
    keys: Sequence[str] = (),
    features: Sequence[int] = (),
    depth: int | None = None,
) -> list[Any]:
    from barlow_core import extractors
    from barlow_core.panels import visualize as visualize_

    run.require("explain")  # the cheaper complaint first: loading a network takes seconds
    return visualize_(
        run,
        run.extractor(device=device or extractors.default_device()),
        keys=keys,
        features=features,
        depth=depth,
        k=images_per_panel,
        steps=steps,
        source=source,
        progress=progress,
    )


def _taker(arguments: dict[str, Any]) -> Callable[[click.Command], dict[str, Any]]:
    """Move the arguments that belong to another command out of `arguments`."""

    def take(command: click.Command) -> dict[str, Any]:
        names = {parameter.name for parameter in command.params} & arguments.keys()
        return {name: arguments.pop(name) for name in names if name is not None}

    return take


def _echo_found(run: Run) -> None:
    modes, groups = run.failure_modes(), run.groups()
    deepest = modes["depth"].max() if len(modes) else 0
    n = int((modes["depth"] == deepest).sum())
    click.echo(f"{n} failure modes (trees of depth {deepest}) in {len(groups)} groups. See them with: barlow show {run.path}")


def main() -> None:
    """Entry point of the `barlow` command."""
    cli(prog_name="barlow")


if __name__ == "__main__":
    main()
