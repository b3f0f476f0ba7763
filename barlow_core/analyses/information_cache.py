"""Mutual information that is worked out once: almost all the cost of a search, and the same for every k, depth and leaf size."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np

from barlow_core.analyses.checks import Checks
from barlow_core.analyses.record import ExplainRecord, searched_group
from barlow_core.failure_modes import Settings
from barlow_core.groups import parse
from barlow_core.information import mutual_information
from barlow_core.run import Run, digest
from barlow_core.storage.files import atomic_write


class InformationCache:
    """The mutual information of every feature with failure, over all images of a group or some of them.

    Args:
        path: an .npz file that is read now and written by `save`; one (D,) float64 array for each set of images. None for no file.
        features: (n, D), failure: (n,) bool: the group's.
        settings: estimator, n_neighbors and seed count; whoever chooses `path` sees to it that they are always the same there.
    """

    def __init__(self, path: Path | None, features: np.ndarray, failure: np.ndarray, settings: Settings):
        self._path, self._features, self._failure, self._settings = path, features, failure, settings
        self._known: dict[str, np.ndarray] = {}
        self._changed = False
        try:
            with np.load(path or os.devnull) as stored:
                self._known = dict(stored)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile):
            pass  # None there, or a damaged one: it is only a shortcut.

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(D,) float64 nats, over the images at the positions `rows`, increasing."""
        name = hashlib.blake2b(np.asarray(rows, dtype="<i8").tobytes(), digest_size=8).hexdigest()
        if name not in self._known:
            self._known[name] = mutual_information(
                self._features[rows],
                self._failure[rows],
                estimator=self._settings.estimator,
                n_neighbors=self._settings.n_neighbors,
                seed=self._settings.seed,
            )
            self._changed = True
        return self._known[name]

    def save(self) -> None:
        """Write down what is new."""
        if self._changed and self._path is not None:
            with atomic_write(self._path) as temporary:
                np.savez(temporary, **self._known)  # type: ignore[arg-type]
            self._changed = False


def information_folder(run: Run, settings: Settings, checks: Checks) -> Path:
    """Where mutual information is remembered: a folder for the data, in it one for the estimator.

    Args:
        checks: resolved.
    """
    searched = checks.searched(run.benchmark)
    split = None if searched is None else np.flatnonzero(searched).tolist()
    data = digest(run.require("extract")["key"], run.benchmark.outcome_digest, split)
    return run.path / "information" / data / digest(settings.estimator, settings.n_neighbors, settings.seed)


def information_cache(run: Run, key: str, features: np.ndarray, failure: np.ndarray) -> InformationCache:
    """What an explained run remembers about one of its groups.

    Args:
        key: of the group.
        features: (n, D), failure: (n,) bool: of the images of it that were searched (`searched_group`).
    """
    record = ExplainRecord.of(run)
    folder = information_folder(run, record.settings, record.checks)
    return InformationCache(folder / f"{parse(run.benchmark, key).stored_name}.npz", features, failure, record.settings)


def group_information(run: Run, key: str) -> np.ndarray:
    """The mutual information of every feature with failure over the searched images of a group, (D,) float64 nats.

    The search remembers it, so nothing is worked out again unless somebody deleted that; nothing is written either way.

    Raises:
        BarlowError: the run is not explained, or has no such group.
    """
    group = searched_group(run, key)
    remember = information_cache(run, key, run.features()[group.indices], run.benchmark.failure[group.indices])
    return remember(np.arange(len(group)))
