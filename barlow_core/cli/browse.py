"""The verb that opens the app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from barlow_core.cli.shared import example, open_run, serve_options


@click.command(
    epilog=example(
        "barlow browse runs/mine",
        "barlow browse runs/before runs/after",
        "barlow browse runs/mine --read-only --address 0.0.0.0 --base-path tools/barlow",
    )
)
@click.argument("run_paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--read-only", is_flag=True, help="Visitors can neither record judgements nor make pictures.")
@serve_options
def browse(run_paths: tuple[Path, ...], read_only: bool, **serving: Any) -> None:
    """Open the app that shows failure modes in pictures.

    Several runs can be compared in it.
    """
    from barlow_core.cli.serve import serve_app

    for path in run_paths:
        open_run(path)
    serve_app("browse.py", [*map(str, run_paths), *(["--read-only"] if read_only else [])], **serving)
