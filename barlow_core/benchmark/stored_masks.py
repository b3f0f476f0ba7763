"""The masks of a run on disk: masks/DIGEST.npy, named by content, and what run.json says of each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from barlow_core.benchmark.masks import mask_digest
from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write

Described = Mapping[str, Mapping[str, Any]]
"""By name of the mask, as in run.json: source (a path or None), digest (32 hex digits), n_images, added (ISO 8601, UTC)."""


def load_masks(run_folder: Path, described: Described) -> dict[str, np.ndarray]:
    """The masks that run.json describes, by name: (N,) bool each.

    Raises:
        BarlowError: a file is missing or damaged.
    """
    masks = {}
    for name, about in described.items():
        path = _path(run_folder, about["digest"])
        try:
            masks[name] = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise BarlowError(
                f"{path}, the mask {name!r}, is missing or damaged ({error}). Add it again: barlow explain {run_folder} "
                f"--mask {name}={about['source'] or 'FILE'}"
            ) from error
    return masks


def save_masks(
    run_folder: Path, masks: Mapping[str, np.ndarray], known: Described, sources: Mapping[str, str | None] | None = None
) -> dict[str, dict[str, Any]]:
    """Write masks, and return what run.json is to say of them; the caller writes run.json.

    A file is named by its content, so that none changes under a run.json that speaks of it.

    Args:
        masks: (N,) bool each, by name; all that the run is to have.
        known: what run.json says so far; it stays for masks that have not changed.
        sources: where new masks come from.
    """
    described: dict[str, dict[str, Any]] = {}
    for name, mask in masks.items():
        digest = mask_digest(mask)
        with atomic_write(_path(run_folder, digest)) as temporary, temporary.open("wb") as file:
            np.save(file, mask)
        if known.get(name, {}).get("digest") == digest:
            described[name] = dict(known[name])
        else:
            described[name] = {
                "source": (sources or {}).get(name),
                "digest": digest,
                "n_images": int(np.count_nonzero(mask)),
                "added": datetime.now(UTC).isoformat(timespec="seconds"),
            }
    return described


def _path(run_folder: Path, digest: str) -> Path:
    return run_folder / "masks" / f"{digest}.npy"
