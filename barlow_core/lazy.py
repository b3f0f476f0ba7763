"""Names of a package that are looked up in its modules on first use.

Tables, pages and help texts so do without the seconds and the memory that torch, or what lays out documents, takes. (The package
lazy_loader does the same; this is the one function of it that is needed.)
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def attach(package: str, names: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562).

    Args:
        package: its `__name__`.
        names: module of the package -> names that are taken from it.

    Example:
        __getattr__ = attach(__name__, {"render": ["make_panel", "visualize"]})
    """
    homes = {name: module for module, found in names.items() for name in found}

    def look_up(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)  # found there from now on
        return value

    return look_up
