"""What every command shares: how mistakes are reported, the shape of help texts, and options that several verbs have."""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from barlow_core.errors import BarlowError

if TYPE_CHECKING:
    from barlow_core.run import Run

EXIT_USER, EXIT_INTERRUPTED = 2, 130
# What a person meets who names the wrong place: no room, not allowed, a file where a folder should be, or the other way round.
MENDABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG,
}  # fmt: skip
# Packages above barlow_core add verbs to `barlow` by entry points of this group; barlow_core does not know them.
PLUGINS = "barlow.commands"


class UserError(click.ClickException):
    """A person's mistake: one message, exit status 2."""

    exit_code = EXIT_USER


class BarlowGroup(click.Group):
    """Turns mistakes that a person can correct into one message and exit status 2, and Ctrl-C into advice; lists commands as they were added."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BarlowError as error:
            raise UserError(str(error)) from error
        except OSError as error:
            if error.errno not in MENDABLE:
                raise
            place = error.filename2 or error.filename or "A file"
            raise UserError(
                f"{place} cannot be written or read: {error.strerror}. Expected a place that this account may use, with room on the "
                "disk. Choose another one, or make room; what is finished is kept."
            ) from error
        except KeyboardInterrupt:
            click.echo("\nStopped. What is finished is kept: run the same command again to resume.", err=True)
            ctx.exit(EXIT_INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order of the pipeline, not of the alphabet


class PluggableGroup(BarlowGroup):
    """A `BarlowGroup` with the verbs of other packages (entry points of `PLUGINS`) behind its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted(entry_points(group=PLUGINS).names - self.commands.keys())]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        own = super().get_command(ctx, name)
        if own is not None:
            return own
        for entry in entry_points(group=PLUGINS, name=name):
            command = entry.load()
            assert isinstance(command, click.Command), f"{entry.value} is not a command"
            return command
        return None


class Numbers(click.ParamType):
    """Numbers separated by commas."""

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
            self.fail(f"{value!r} is not {kind}, separated by commas, such as 5,10,20.", param, ctx)


class Names(click.ParamType):
    """Names separated by commas."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Channels(click.ParamType):
    """Three numbers separated by commas, one for each of red, green and blue."""

    name = "r,g,b"

    def __init__(self, *, positive: bool = False):
        self.positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            numbers = [float(part) for part in value.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != 3 or not all(map(math.isfinite, numbers)) or (self.positive and min(numbers) <= 0):
            wanted = "three positive numbers" if self.positive else "three numbers"
            self.fail(f"{value!r} is not {wanted}, separated by commas, such as 0.485,0.456,0.406.", param, ctx)
        return numbers


class NamedFile(click.ParamType):
    """NAME=FILE, as a pair."""

    name = "NAME=FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        name, separator, path = value.partition("=")
        if not (name.strip() and separator and path):
            self.fail(f"{value!r} is not NAME=FILE, such as night=night.txt.", param, ctx)
        return name.strip(), Path(path)


def example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


# Of every table that people bring: images here, answers in `barlow study analyze`.
missing_option = click.option(
    "--missing",
    metavar="TEXTS",
    help='Texts that stand for a missing value, separated by commas, such as "NA,-"; "" for empty values only, as where a class is '
    "called NA or None. [default: NA, N/A, nan, null, None, ...]",
)
run_argument = click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
quiet_option = click.option("--quiet", is_flag=True, help="No progress bars.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace results of another network or other settings.")
serve_options = options(
    click.option("--port", type=click.IntRange(1, 65535), help="The default is the first free one from 8501 on."),
    click.option("--address", default="localhost", show_default=True, help="Interface to listen on; 0.0.0.0 for all."),
    click.option("--base-path", default="", help="Path under which a proxy serves the app, such as tools/barlow."),
    click.option("--open/--no-open", "open_browser", default=True, help="Open a web browser."),
)


def open_run(path: Path) -> Run:
    """The run folder of a command's argument."""
    from barlow_core.run import Run

    return Run(path)
