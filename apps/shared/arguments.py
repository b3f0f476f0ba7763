"""What an app was started with: the words after `--` of `streamlit run apps/APP.py -- ...`, which `barlow` writes for its users."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

from barlow_core.errors import BarlowError


class App(NamedTuple):
    """How an app is started.

    Attributes:
        what: what it shows, as in "without a study".
        command: of `barlow`, that starts it.
        script: the same without `barlow`.
        several: whether it shows more than one.
        switches, options: those that it understands, such as "--preview"; an option has a value and may be given more than once.
    """

    what: str
    command: str
    script: str
    several: bool = False
    switches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def usage(self) -> str:
        return f"Start it with: {self.command}, or: streamlit run apps/{self.script}"


class Arguments(NamedTuple):
    """What was given: paths, the switches among them, and the values of each option, in the order in which they came."""

    paths: tuple[Path, ...]
    switches: frozenset[str]
    values: dict[str, list[str]]


READ_ONLY, PREVIEW, INTERVIEWER = "--read-only", "--preview", "--interviewer"
VECTORS, COLUMNS, MISSING = "--vectors", "--columns", "--missing"
BROWSE = App("run folder", "barlow browse RUN", f"browse.py -- RUN [RUN...] [{READ_ONLY}]", several=True, switches=(READ_ONLY,))
ANNOTATE = App("study", "barlow study serve STUDY", f"annotate.py -- STUDY [{PREVIEW}]", switches=(PREVIEW,))
ADMINISTER = App("study", "barlow study admin STUDY", "administer.py -- STUDY")
INTERVIEW = App("study", "barlow study interview serve STUDY", f"interview.py -- STUDY [{INTERVIEWER}]", switches=(INTERVIEWER,))
ANALYZE = App(
    "study",
    "barlow study analyze STUDY --app",
    f"analyze.py -- STUDY [{VECTORS} FILE] [{COLUMNS} item=HITId,worker=WorkerId] [{MISSING} NA]",
    options=(VECTORS, COLUMNS, MISSING),
)


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes go to the page instead of ending the server."""

    def __init__(self, usage: str):
        super().__init__(add_help=False, allow_abbrev=False)
        self._usage = usage

    def error(self, message: str) -> NoReturn:
        raise BarlowError(f"This page cannot be started like this: {message}. {self._usage}")


def arguments(app: App) -> Arguments:
    """What the app was started with.

    Raises:
        BarlowError: there is no path among it, or more than one where the app shows one; an option is unknown or has no value.
    """
    parser = _Parser(app.usage)
    parser.add_argument("paths", nargs="*", type=Path)
    for name in app.switches:
        parser.add_argument(name, action="store_true", dest=name)
    for name in app.options:
        parser.add_argument(name, action="append", default=[], dest=name)
    given = vars(parser.parse_intermixed_args(sys.argv[1:]))
    paths = tuple(dict.fromkeys(given["paths"]))
    if not paths:
        raise BarlowError(f"This page was started without a {app.what}. {app.usage}")
    if len(paths) > 1 and not app.several:
        listed = ", ".join(map(str, paths))
        raise BarlowError(f"This page was started with {len(paths)} paths, {listed}; it shows one {app.what}. {app.usage}")
    return Arguments(paths, frozenset(name for name in app.switches if given[name]), {name: given[name] for name in app.options})
