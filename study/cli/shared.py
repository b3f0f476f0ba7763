"""What the verbs of `barlow study` share."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barlow_core.errors import BarlowError
from study.store import StudyStore, library_advice

if TYPE_CHECKING:
    import pandas as pd

study_argument = click.argument("study", metavar="STUDY", type=click.Path(path_type=Path))
worker_argument = click.argument("worker", metavar="WORKER")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def study_path(path: Path) -> Path:
    """The study file that a person means: the file, or study.sqlite of a run folder."""
    return path / "study.sqlite" if path.is_dir() else path


def open_store(path: Path) -> StudyStore:
    return StudyStore(study_path(path))


def worker_of(store: StudyStore, name: str) -> str:
    """The id of the worker that a person means: the id itself, or the pseudonym that exports show.

    Raises:
        BarlowError: nobody is called that.
    """
    if store.worker(name) is not None:
        return name
    table = store.workers()
    known = table.loc[table["pseudonym"] == name, "worker"]
    if known.empty:
        raise BarlowError(f"No worker {name!r} has taken part in {store.path}. See who has: barlow study pay {store.path}")
    return str(known.iloc[0])


def money(amount: Decimal, currency: str) -> str:
    return f"{amount:,.2f} {currency}"


def say_advice() -> None:
    """What to know about the SQLite library that Python runs with, on stderr."""
    if advice := library_advice():
        click.echo(f"Note: {advice}", err=True)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_frame(table: pd.DataFrame, *, as_json: bool, empty: str) -> None:
    """A table for people, or as JSON records; `empty` is said where there is nothing in it."""
    if as_json:
        print_json([{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")])
        return
    if table.empty:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Table(box=None, header_style="bold")
    numeric = {column for column in table if table[column].dtype.kind in "if" or _is_money(table[column])}
    for column in table:
        out.add_column(str(column).replace("_", " "), justify="right" if column in numeric else "left", overflow="fold")
    for row in table.itertuples(index=False):
        out.add_row(*(Text(_shown(value)) for value in row))  # ids are text of strangers, never markup
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=200)).print(out)


def _is_money(column: pd.Series) -> bool:
    return len(column) > 0 and all(isinstance(value, Decimal) for value in column)


def _shown(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if isinstance(value, float) else str(value)
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _plain(value: Any) -> Any:
    """A cell as Python has it; None for everything that pandas calls missing."""
    import pandas as pd

    if value is None or (not isinstance(value, (str, list, dict)) and pd.isna(value)):
        return None
    return value.item() if hasattr(value, "item") else value
