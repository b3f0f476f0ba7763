"""Where the files that ship with the packages lie: inside an installed wheel, or at the top of a checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from barlow_core.errors import BarlowError

if TYPE_CHECKING:
    from jinja2 import Template


def data_dir() -> Path:
    """The folder with the embedded example and its networks.

    Raises:
        BarlowError: the package was installed without it.
    """
    return _shipped("data")


def apps_dir() -> Path:
    """The folder with the Streamlit apps.

    Raises:
        BarlowError: the package was installed without it.
    """
    return _shipped("apps")


def report_template(package: str, **filters: Callable[..., str]) -> Template:
    """The report.html.jinja of a package, which escapes what it prints and refuses names that it is not given.

    Args:
        filters: functions that the template may use, by name.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= filters
    return environment.get_template("report.html.jinja")


def _shipped(name: str) -> Path:
    package = Path(__file__).resolve().parents[1]
    candidates = (package / f"_{name}", package.parent / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise BarlowError(
        f"Part of the installation is missing: neither {candidates[0]} nor {candidates[1]} is a folder. "
        "Install the package again, or work in a full checkout."
    )
