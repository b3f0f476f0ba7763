"""The verb that opens the app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barlow_core.cli.shared import (
    example,
    open_run,
    run_argument,
    serve_options,
)

if TYPE_CHECKING:
    pass


@click.command(epilog=example("barlow browse runs/mine", "barlow browse runs/mine --port 9000 --no-open"))
@run_argument
@serve_options
def browse(run_path: Path, **serving: Any) -> None:
    """Open the app that shows failure modes with their pictures."""
    from barlow_core.serve import serve_app

    open_run(run_path)
    serve_app("browse.py", [str(run_path)], **serving)
