"""The `barlow` command: the library, verb for verb. Every command is a few lines over a function that a notebook could call."""

from __future__ import annotations

import click

from barlow_core.cli import browse, causal, export, pipeline, results, training
from barlow_core.cli.shared import PluggableGroup

__all__ = ["cli", "main"]


@click.group(cls=PluggableGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="barlow")
def cli() -> None:
    """Find where an image classifier fails, and see what those images have in common.

    A run folder holds one analysis. The commands below fill it, in this order; each resumes where it was interrupted
    and redoes nothing that is up to date.
    """


# In the order of the pipeline: help lists them in this order.
for _command in (
    pipeline.import_command,
    pipeline.predict_command,
    pipeline.extract_command,
    pipeline.explain_command,
    results.explore_command,
    results.search_command,
    pipeline.visualize_command,
    causal.intervene_command,
    causal.rely_command,
    causal.mend_command,
    results.show,
    results.compare_command,
    results.evaluate_command,
    export.export,
    browse.browse,
    pipeline.run,
    pipeline.demo,
    training.train_robust_command,
    pipeline.convert_checkpoint,
):
    cli.add_command(_command)


def main() -> None:
    """Entry point of the `barlow` command."""
    cli(prog_name="barlow")
