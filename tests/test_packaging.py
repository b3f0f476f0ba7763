"""What an installed wheel holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_and_its_data_are_shipped() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {
        ".".join(init.parent.relative_to(ROOT).parts)
        for top in ("barlow_core", "study")
        for init in (ROOT / top).rglob("__init__.py")
    }
    assert packages <= set(listed["packages"])
    for table in (ROOT / "barlow_core").rglob("*.csv"):
        package = ".".join(table.parent.relative_to(ROOT).parts)
        assert any(table.match(pattern) for pattern in listed["package-data"][package])
