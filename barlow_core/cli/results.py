"""The verbs that read a run folder and print or write tables: show, explore, search, compare, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from barlow_core.analyses.verdicts import RANKS
from barlow_core.cli.options import engine_options, together_options
from barlow_core.cli.shared import Numbers, example, json_option, open_run, quiet_option, run_argument
from barlow_core.errors import BarlowError
from barlow_core.groups import GROUPINGS


@click.command(
    "explore",
    epilog=example(
        "barlow explore runs/mine --k 5,10,20,40", "barlow explore runs/mine --delta 0.05,0.1,0.2 --tau 0.1,0.2 --depth 1"
    ),
)
@run_argument
@click.option("--k", type=Numbers(int), default="", help="Values to try, separated by commas; the default is the run's own.")
@click.option("--depth", type=Numbers(int), default="")
@click.option("--min-leaf", type=Numbers(int), default="")
@click.option("--delta", type=Numbers(float), default="")
@click.option("--tau", type=Numbers(float), default="")
@engine_options
@quiet_option
@json_option
def explore_command(run_path: Path, quiet: bool, as_json: bool, **values: Any) -> None:
    """See what other settings would find.

    The run is not changed.
    """
    from barlow_core.analyses import explore
    from barlow_core.cli import printing

    found = explore(open_run(run_path), progress=not quiet, **values)
    printing.print_table(found, limit=len(found) + 1, as_json=as_json)


@click.command(
    epilog=example(
        "barlow show runs/mine", "barlow show runs/mine groups --sort ber", "barlow show runs/mine label:truck --depth 2"
    )
)
@run_argument
@click.argument("what", default="modes")
@click.option("--depth", type=int, help="Depth of the trees; the default is the deepest.")
@click.option("--sort", help="Column to sort by, largest first.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of rows.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also print failure modes that are not confirmed, each with the reason, and those that hold mostly the images of another.",
)
@click.option(
    "--rank",
    type=click.Choice(RANKS),
    default="evidence",
    show_default=True,
    help="Order failure modes by the evidence of held-out images, or all of them by importance value, as in the paper.",
)
@json_option
def show(
    run_path: Path,
    what: str,
    depth: int | None,
    sort: str | None,
    limit: int,
    everything: bool,
    rank: str,
    as_json: bool,
) -> None:
    """Print failure modes and what else was found.

    WHAT is modes (the default; only confirmed ones), search (what `barlow search` found, likewise), interventions (what
    `barlow intervene` found), groups, status, or a group such as label:truck for its tree.
    """
    from barlow_core.cli import printing
    from barlow_core.views.sentences import duplicates_words

    run = open_run(run_path)
    if ":" in what:
        printing.print_group(run, what, depth=depth, as_json=as_json)
        return
    if what == "modes":
        shown = printing.print_modes(run, depth=depth, everything=everything, rank=rank, sort=sort, limit=limit, as_json=as_json)
        if not as_json and (said := duplicates_words(run.groups(), shown)):
            click.echo(said)
        return
    if what == "search":
        printing.print_search(run, everything=everything, sort=sort, limit=limit, as_json=as_json)
        return
    if what == "interventions":
        from barlow_core.cli.printing_interventions import print_interventions
        from barlow_core.interventions import interventions

        print_interventions(interventions(run), as_json=as_json)
        return
    makers = {"groups": printing.groups, "status": printing.status}
    if what not in makers:
        raise BarlowError(
            f"Cannot show {what!r}. Expected modes, search, interventions, groups, status, or a group such as label:CLASS."
        )
    table = makers[what](run, depth=depth)
    printing.print_table(table, printing.for_people(what, table), sort=sort, limit=limit, as_json=as_json)


@click.command(
    "search",
    epilog=example(
        "barlow search runs/mine",
        "barlow search runs/mine --grouping all --keep-together video",
        "barlow show runs/mine search --all",
    ),
)
@run_argument
@click.option("--grouping", "groupings", multiple=True, type=click.Choice(GROUPINGS), default=("label",), show_default=True)
@click.option("--by", multiple=True, metavar="COLUMN", help="Also group by this metadata column.")
@click.option("--group", "keys", multiple=True, help="An additional group, such as pair:cat+dog; may be given several times.")
@click.option("--all", "everything", is_flag=True, help="Also print rules that are not confirmed, each with the reason.")
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="A confirmed rule has q of at most this, over all groups."
)
@click.option("--delta", type=float, default=0.1, show_default=True, help="A confirmed rule has ER - BER above this, held out.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the split into searched and confirming images."
)
@click.option("--search-split", help="Search the images of this split, and confirm on the others.")
@click.option(
    "--stability",
    "resamples",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Repeat the search on this many random halves of the searched images, to see which rules select the same images again (20 is "
    "usual).",
)
@together_options
@engine_options
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of rows.")
@quiet_option
@json_option
def search_command(
    run_path: Path,
    groupings: tuple[str, ...],
    by: tuple[str, ...],
    keys: tuple[str, ...],
    search_split: str | None,
    resamples: int,
    keep_together: str | None,
    duplicates: bool,
    quiet: bool,
    everything: bool,
    limit: int,
    as_json: bool,
    **settings: Any,
) -> None:
    """Look for several blindspots at once.

    Each lies along a weighted sum of features. 70 % of a group's images are searched, and the others confirm the rules; where the
    metadata has a Split column with a part that is to be searched, that part. The rules stay in the run. They weigh features
    alone: for columns of the metadata, search groups of them (--by COLUMN), or use `barlow explain --metadata-features`.
    """
    from barlow_core.analyses import Checks, search_run
    from barlow_core.cli import printing

    run = open_run(run_path)
    checks = Checks(search_split=search_split, resamples=resamples, keep_together=keep_together, duplicates=duplicates)
    search_run(run, groupings=[*groupings, *by], keys=keys, checks=checks, progress=not quiet, **settings)
    printing.print_search(run, everything=everything, limit=limit, as_json=as_json)


@click.command(
    "compare", epilog=example("barlow compare runs/old runs/new", "barlow compare runs/old runs/new --depth 1 --out comparison")
)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--depth", type=int, help="Depth of the trees; the default is the deepest that both runs have.")
@click.option("--delta", type=float, help="A failure mode has ER > BER + delta; the default is that of the runs.")
@click.option("--tau", type=float, help="A failure mode has EC > tau; the default is that of the runs.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Confidence level of the intervals.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of rows.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for the complete tables, as CSV.")
@json_option
def compare_command(first: Path, second: Path, limit: int, out: Path | None, as_json: bool, **settings: Any) -> None:
    """Put two runs side by side.

    Which failure modes are new, gone, better or worse in the SECOND?
    """
    from barlow_core.cli import printing
    from barlow_core.compare import compare

    found = compare(open_run(first), open_run(second), **settings)
    if out is not None:
        found.to_csv(out)
    if not as_json:
        click.echo(repr(found))
    modes = found.failure_modes
    printing.print_table(modes, printing.for_people("comparison", modes), limit=limit, as_json=as_json)
    if out is not None and not as_json:
        click.echo(f"The complete tables are in {out}")


@click.command(
    "evaluate",
    epilog=example("barlow evaluate runs/mine --out evaluation", "barlow evaluate runs/robust runs/standard --depth 1"),
)
@click.argument("run_paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", "names", multiple=True, help="A name for each run, in the same order.")
@click.option("--depth", "depths", multiple=True, type=int, help="Only trees of this depth; may be given several times.")
@click.option("--grouping", "groupings", multiple=True, help="Only this grouping; the default is the groupings by class.")
@click.option("--delta", type=float, help="A valid leaf has ER > BER + delta; the default is that of the runs.")
@click.option("--tau", type=float, help="A valid leaf has EC > tau; the default is that of the runs.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder for tables (CSV, Parquet) and plots (PNG, SVG).")
@json_option
def evaluate_command(
    run_paths: tuple[Path, ...],
    names: tuple[str, ...],
    depths: tuple[int, ...],
    groupings: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure how much failure modes explain.

    The paper's Table 1 and Figures 8 and 15 to 20, over all classes of your runs.
    """
    from barlow_core.cli import printing
    from barlow_core.evaluation.evaluation import evaluate

    runs = [open_run(path) for path in run_paths]
    found = evaluate(runs, names=names or None, depths=depths or None, groupings=groupings or None, **settings)
    printing.print_table(
        found.summary, printing.for_people("evaluation", found.summary), limit=len(found.summary) + 1, as_json=as_json
    )
    if out is not None:
        written = found.save(out)
        if not as_json:
            click.echo(f"{len(written)} files in {out}")
