"""Where the files that ship beside the package lie: inside an installed wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

from barlow_core.errors import BarlowError


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
