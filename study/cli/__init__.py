"""`barlow study`: run a study in which people describe features, from one command line."""

from __future__ import annotations

import importlib

import click

from barlow_core.cli.shared import BarlowGroup

# In the order in which a study needs them. Each lies in a module that is read only when it is asked for: help stays quick.
_COMMANDS = {
    "create": "making",
    "preview": "serving",
    "serve": "serving",
    "admin": "serving",
    "set": "making",
    "texts": "making",
    "status": "people",
    "pause": "people",
    "resume": "people",
    "pay": "paying",
    "block": "people",
    "reject": "people",
    "reopen": "people",
    "withdraw": "people",
    "backup": "files",
    "restore": "files",
    "export": "files",
    "check": "files",
    "simulate": "simulating",
    "analyze": "analyze",
    "interview": "interview",
}


class _Lazy(BarlowGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"study.cli.{_COMMANDS[name]}")
        command = getattr(module, {"set": "set_command"}.get(name, name))
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy)
def study() -> None:
    """Ask people whether they understand features.

    Create a study, serve it, pay, export, analyze.

    A study is one SQLite file; its pictures are kept beside it. STUDY is that file, or the run folder that holds it as study.sqlite.
    """
