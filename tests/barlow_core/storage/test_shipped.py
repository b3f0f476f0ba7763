from __future__ import annotations

from pathlib import Path

from barlow_core.storage.shipped import apps_dir, data_dir

ROOT = Path(__file__).resolve().parents[3]


def test_what_ships_is_found_in_a_checkout() -> None:
    assert data_dir() == ROOT / "data"
    assert apps_dir() == ROOT / "apps"
