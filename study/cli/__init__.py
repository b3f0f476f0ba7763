"""`barlow study`: run a study in which people describe features, from one command line."""

from __future__ import annotations

import click

from barlow_core.cli.shared import BarlowGroup


@click.group(cls=BarlowGroup)
def study() -> None:
    """Ask people whether they understand features: make a study, serve it, pay, export, analyze."""
