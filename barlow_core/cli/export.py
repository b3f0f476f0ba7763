"""The verb that exports results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from barlow_core.cli.shared import example, open_run, run_argument
from barlow_core.wording import count

# As in barlow_core.export, which takes long to import.
FORMATS, WAYS = ("csv", "parquet", "json"), ("copy", "link", "list", "zip")


@click.command(
    epilog=example(
        "barlow export runs/mine --out results",
        "barlow export runs/mine --out results --no-report --format parquet",
        "barlow export runs/mine --out results --group label:truck --depth 2 --images list",
    )
)
@run_argument
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Output folder; created if needed.")
@click.option("--report/--no-report", default=True, show_default=True, help="report.html: the failure modes in one file.")
@click.option("--title", help="Title of the report.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMATS),
    default=("csv",),
    show_default=True,
    help="Format of the tables; may be given several times.",
)
@click.option("--tables/--no-tables", default=True, show_default=True, help="tables/: images, groups, failure modes, judgements.")
@click.option("--images", type=click.Choice(WAYS), help="images/: the images of each failure mode, as files or a list of paths.")
@click.option("--group", "groups", multiple=True, help="Only this group, such as label:truck; may be given several times.")
@click.option("--depth", type=int, help="Depth of the trees; the default is the deepest.")
@click.option(
    "--top", type=click.IntRange(1), default=20, show_default=True, help="At most this many failure modes, strongest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print the paths of the written files as JSON.")
def export(run_path: Path, out: Path, formats: tuple[str, ...], tables: bool, as_json: bool, **settings: Any) -> None:
    """Export a report, tables, and images of failure modes."""
    from barlow_core.export import export_run

    written = export_run(open_run(run_path), out, formats=formats if tables else (), **settings)
    if as_json:
        click.echo(json.dumps([str(path) for path in written], indent=1))
        return
    if settings["report"] and out / "report.html" not in written:
        click.echo(
            "No report: the run has no failure modes. Try smaller thresholds: barlow explain RUN --delta 0.05 --tau 0.1", err=True
        )
    click.echo(f"Wrote {count(len(written), 'file or folder', 'files and folders')} into {out}")
