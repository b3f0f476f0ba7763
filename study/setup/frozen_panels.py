"""What workers were shown, kept beside the study: a copy of every panel with the hashes of its files.

Beside `NAME.sqlite` lies `NAME.sqlite.panels/`, one folder an item: the pictures and panel.json as `barlow visualize` made them, and
manifest.json with the SHA-256 of each. The study holds the hash of the manifest as data of the item (`sha256`), so that pictures
that somebody changed are noticed before anybody is shown them. A run may be explained again, moved or deleted meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from barlow_core.errors import BarlowError
from barlow_core.panels.files import PICTURES, Panel
from barlow_core.storage.files import write_json

MANIFEST = "manifest.json"
HOTTEST = 0.25  # of the pixels, for the salience
# What the data of an item calls a folder beside the study, and the hash of its manifest: the panel, and what `study.setup.more_pictures` adds.
OF_PANEL, OF_OBJECT, OF_THE_SAME = (
    ("panel", "sha256"),
    ("object_pictures", "object_sha256"),
    ("further_pictures", "further_sha256"),
)


def panels_folder(store_path: str | Path) -> Path:
    """Where the pictures of the study at `store_path` lie: `study.sqlite.panels/`."""
    path = Path(store_path)
    return path.with_name(f"{path.name}.panels")


def has_pictures(item_data: Mapping[str, Any]) -> bool:
    """Whether an item was frozen with pictures; answers that were imported from elsewhere have none."""
    return bool(item_data.get("panel"))


def load_item_panel(store_path: str | Path, item_data: Mapping[str, Any]) -> Panel:
    """The panel of an item exactly as it was frozen.

    Args:
        store_path: of the study.
        item_data: of the item: `panel` (its folder) and `sha256`.

    Raises:
        BarlowError: the item has no pictures, or they are missing or not the ones that were frozen.
    """
    if not has_pictures(item_data):
        raise BarlowError("This study file has no pictures.")
    name = str(item_data["panel"])
    root = panels_folder(store_path)
    folder = root / name
    if name in (".", "..") or Path(name).name != name:
        raise BarlowError(f"The item names a folder {name!r} outside {root}. Make the study again: barlow study create.")
    require_sound(folder, item_data.get("sha256"))
    return Panel.load(folder)


def require_sound(folder: Path, digest: object) -> None:
    """Raise a BarlowError where a frozen folder is not what was frozen; `digest` of its manifest."""
    if found := problem(folder, digest):
        raise BarlowError(
            f"The pictures in {folder} are not what was frozen with the study: {found}. Copy the whole folder {folder.parent.name} again from "
            "where the study was made, or from a backup; what people see must not change."
        )


def freeze(panel: Panel, root: Path, name: str) -> dict[str, Any]:
    """Copy `panel` to `root/name`, whole or not at all; what is there already and sound is kept.

    Returns:
        What goes into the data of the item: `panel`, `sha256`, `activation` (mean over the images), `salience` (see `salience`).
    """
    if panel.without_maps is not None:
        raise BarlowError(
            f"{panel!r} has no section B, which workers are asked about: {panel.without_maps}. Extract features of another layer or network."
        )
    folder = root / name
    if not _is_copy(folder, panel):

        def copy_files(unfinished: Path) -> None:
            for file in _files(panel):
                shutil.copyfile(panel.path / file, unfinished / file)

        try:
            seal(root, name, copy_files)
        except OSError as error:
            raise BarlowError(f"The pictures in {panel.path} could not be copied to {folder} ({error}).") from error
    copy = Panel.load(folder)
    return {
        "panel": name,
        "sha256": sha256(folder / MANIFEST),
        "activation": float(np.mean([image.activation for image in copy.images])),
        "salience": salience(copy),
    }


def seal(root: Path, name: str, fill: Callable[[Path], None]) -> str:
    """Make the folder `root/name` with a manifest of its files, whole or not at all; one that is there goes.

    Args:
        fill: writes the files into the folder that it is given.

    Returns:
        SHA-256 of the manifest.
    """
    folder = root / name
    # With a process id in it: two that freeze the same do not step on each other.
    unfinished = root / f".{name}.{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        fill(unfinished)
        write_json(unfinished / MANIFEST, {file.name: sha256(file) for file in sorted(unfinished.iterdir())})
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return sha256(folder / MANIFEST)


def salience(panel: Panel) -> float:
    """The share of the heat that the hottest quarter of the pixels holds, mean over the heatmaps: 0.25 (even) to 1 (one spot).

    A heatmap without any heat points nowhere and counts as even.
    """
    shares = []
    for image in panel.images:
        with Image.open(panel.path / image.heatmap) as picture:
            heat = np.sort(np.asarray(picture.convert("L"), dtype=np.float64).ravel())[::-1]
        total = heat.sum()
        shares.append(heat[: max(1, round(HOTTEST * heat.size))].sum() / total if total else HOTTEST)
    return float(np.mean(shares))


def problems(store_path: str | Path, items: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with the pictures of a study, one sentence each.

    Args:
        items: data by id of the item.
    """
    root = panels_folder(store_path)
    found = []
    for item, data in items.items():
        for folder, digest in (OF_PANEL, OF_OBJECT, OF_THE_SAME):
            if data.get(folder) and (wrong := problem(root / str(data[folder]), data.get(digest))):
                found.append(f"The pictures of item {item} are not what was frozen: {wrong}.")
    return found


def copy_panels(source: Path, target: Path) -> bool:
    """Copy all pictures of the study at `source` to where those of a study at `target` belong; False where there are none.

    Raises:
        BarlowError: there are pictures at the target already, or they cannot be copied.
    """
    here, there = panels_folder(source), panels_folder(target)
    if not here.is_dir():
        return False
    if there.exists():
        raise BarlowError(f"{there} exists already. Choose another path, or move that folder away.")
    unfinished = there.with_name(f".{there.name}.{os.getpid()}")
    try:
        shutil.copytree(here, unfinished)
        unfinished.rename(there)
    except (OSError, shutil.Error) as error:
        raise BarlowError(f"The pictures could not be copied to {there} ({error}).") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return True


def _files(panel: Panel) -> list[str]:
    return ["panel.json", *(getattr(image, kind) for image in panel.images for kind in PICTURES)]


def _is_copy(folder: Path, panel: Panel) -> bool:
    """Whether `folder` holds exactly what `panel` consists of now."""
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        same = all(listed.get(file) == sha256(panel.path / file) for file in _files(panel))
    except (OSError, ValueError, AttributeError):
        return False
    return same and len(listed) == len(_files(panel)) and problem(folder, None) is None


def problem(folder: Path, digest: object) -> str | None:
    """What is wrong with a frozen folder; `digest` of its manifest, None to take the manifest as it is."""
    try:
        manifest = (folder / MANIFEST).read_bytes()
    except OSError:
        return f"{MANIFEST} is missing"
    if digest is not None and hashlib.sha256(manifest).hexdigest() != digest:
        return f"{MANIFEST} has changed"
    try:
        listed = json.loads(manifest)
        for file, expected in listed.items():
            if Path(file).name != file or sha256(folder / file) != expected:
                return f"{file} has changed"
    except OSError as error:
        return f"{Path(str(error.filename)).name} cannot be read"
    except (ValueError, AttributeError):
        return f"{MANIFEST} is damaged"
    return None


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
