"""A run folder: where one analysis lives on disk, where each part came from, what is done and what is stale.

Every stage (predict, extract, explain, visualize) records a *key*: a digest of what it was made from and of its settings.
A stage is current while the keys of everything above it are the ones it was made with; it is stale otherwise, and nobody
reads a stale part by accident: the accessors of `Run` refuse it and say which command brings it up to date.

What people add is kept apart from what is computed, and no command replaces it:

    judgements.jsonl   what researchers think of features (`barlow_core.views.judgements`); only ever grows
    cache/             pictures made on demand while somebody looks (`barlow_core.panels.picture_cache`); may be deleted at any time
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from barlow_core.benchmark import Benchmark
from barlow_core.benchmark.columns import column_digest
from barlow_core.benchmark.masks import check_masks
from barlow_core.benchmark.stored_masks import load_masks, save_masks
from barlow_core.errors import BarlowError, BusyError
from barlow_core.storage.files import write_json, write_parquet

if TYPE_CHECKING:
    from barlow_core.extractors import Extractor

FORMAT = 1
STAGES = {
    "predict": "barlow predict",
    "extract": "barlow extract",
    "explain": "barlow explain",
    "search": "barlow search",
    "visualize": "barlow visualize",
}
OPTIONAL = ("search", "visualize")  # stages that a run is complete without
# What a stage is made from: "images" and "outcome" are digests of the benchmark, the others are keys of earlier stages.
UPSTREAM = {
    "predict": ("images",),
    "extract": ("images",),
    "explain": ("extract", "outcome"),
    "search": ("extract", "outcome"),
    "visualize": ("explain",),
}
PACKAGES = ("barlow", "numpy", "pandas", "pillow", "scikit-learn", "torch", "torchvision")


def check_run_folder(path: Path) -> None:
    """Refuse a path that can hold no new run.

    Raises:
        BarlowError: it is a file, or a folder with other things than a run in it.
    """
    if (path / "run.json").is_file():
        return
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BarlowError(f"{path} exists and is not a run folder. Choose a new or an empty folder.")


def digest(*parts: object) -> str:
    """Return 32 hex digits that stand for `parts` (anything JSON can hold; paths and numpy scalars by their text)."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


class Run:
    """One analysis on disk. `Run(path)` opens it, `Run.create(path, benchmark)` makes it.

    Attributes:
        path: the folder.
        info: the content of run.json.

    Raises:
        BarlowError: `path` is not a run folder, or one of a later format.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self._info_path.is_file():
            raise BarlowError(
                f"{self.path} is not a run folder: it has no run.json. "
                f"Make one with: barlow import IMAGES --metadata metadata.csv --run {self.path}"
            )
        self.info: dict[str, Any] = self._read_info()

    @classmethod
    def create(
        cls, path: str | Path, benchmark: Benchmark, *, arguments: dict[str, Any] | None = None, overwrite: bool = False
    ) -> Run:
        """Make a run folder for `benchmark`, or open the one that already holds exactly this benchmark.

        Args:
            arguments: what the caller was asked to do; kept in run.json as a record.
            overwrite: let this benchmark take the place of another one. Features survive where the images are the same.

        Raises:
            BarlowError: the folder holds another benchmark, or files that are not a run.
        """
        path = Path(path)
        data = {"images": benchmark.images_digest, "outcome": benchmark.outcome_digest}
        if (path / "run.json").is_file():
            run = cls(path)
            with run.lock():
                if run.info["data"] != data and not overwrite:
                    raise BarlowError(
                        f"{path} already holds another benchmark ({run.benchmark!r}). "
                        "Choose another --run folder, or pass --overwrite to replace it."
                    )
                run.save_benchmark(benchmark)
            return run
        check_run_folder(path)
        path.mkdir(parents=True, exist_ok=True)
        run = cls.__new__(cls)
        run.path = path
        run.info = {
            "format": FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "arguments": arguments or {},
            "stages": {},
        }
        run.save_benchmark(benchmark)
        return run

    def __repr__(self) -> str:
        states = ", ".join(f"{row.stage} {row.state}" for row in self.status().itertuples())
        return f"Run({str(self.path)!r}): {self.benchmark!r}; {states}"

    @property
    def _info_path(self) -> Path:
        return self.path / "run.json"

    @property
    def features_path(self) -> Path:
        return self.path / "features.npy"

    @property
    def panels_path(self) -> Path:
        return self.path / "panels"

    def _read_info(self) -> dict[str, Any]:
        try:
            info: dict[str, Any] = json.loads(self._info_path.read_text(encoding="utf-8"))
            if not isinstance(info, dict):
                raise ValueError(f"it holds a {type(info).__name__}, not an object")
            if info.get("format") == FORMAT and not (isinstance(info.get("stages"), dict) and isinstance(info.get("data"), dict)):
                raise ValueError("its entries stages and data are missing")
        except ValueError as error:  # JSON's and Unicode's errors are such
            raise BarlowError(f"{self._info_path} is damaged ({error}). Import the benchmark again into a new folder.") from error
        if info.get("format") != FORMAT:
            raise BarlowError(
                f"{self._info_path} has format {info.get('format')}, this version of barlow reads format {FORMAT}. "
                "Open it with the version that made it, or import the benchmark again."
            )
        return info

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for writing; a second writer is refused at once instead of mixing its work into ours."""
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout:
            raise BusyError(
                f"Another barlow command is writing to {self.path}. Wait until it ends, or use another run folder."
            ) from None

    # --- the benchmark

    @cached_property
    def benchmark(self) -> Benchmark:
        """The images, labels and predictions of this run."""
        table = self._table("images.parquet", f"Import the benchmark again: barlow import IMAGES --run {self.path} --overwrite")
        benchmark = Benchmark.from_table(self._images_dir(), table, self.info["class_names"])
        return replace(benchmark, masks=self._masks(), notes=tuple(self.info.get("import_notes", ())))

    def _images_dir(self) -> Path:
        """Where the images are: at their recorded place, or at the same place relative to a run folder that was moved."""
        recorded = Path(self.info["images_dir"])
        moved = (self.path / self.info["images_dir_relative"]).resolve()
        return moved if moved.is_dir() and not recorded.is_dir() else recorded

    def save_benchmark(self, benchmark: Benchmark) -> None:
        """Write images.parquet and the digests of `benchmark`; stages made from other data become stale.

        Masks that the run has stay where the images are the same ones.
        """
        images_dir = Path(benchmark.images_dir).resolve()
        same_images = self.info.get("data", {}).get("images") == benchmark.images_digest
        masks = (self._masks() if same_images else {}) | dict(benchmark.masks)
        check_masks(masks, len(benchmark))
        benchmark = replace(benchmark, masks=masks)
        self._save_masks(masks)
        write_parquet(self.path / "images.parquet", benchmark.table)
        self.info |= {
            "data": {"images": benchmark.images_digest, "outcome": benchmark.outcome_digest},
            "images_dir": str(images_dir),
            "images_dir_relative": os.path.relpath(images_dir, self.path.resolve()),
            "class_names": list(benchmark.class_names),
            "import_notes": list(benchmark.notes),
        }
        write_json(self._info_path, self.info)
        self.__dict__["benchmark"] = benchmark

    def add_mask(self, name: str, mask: np.ndarray, *, source: str | Path | None = None) -> None:
        """Keep a choice of images under a name; `explain_run(run, keys=["mask:NAME"])` explains them as a group.

        A mask of that name that is there already gives way, and what was explained with it becomes stale, where the two differ.

        Args:
            mask: (N,) bool, in the order of the benchmark's images.
            source: where it comes from, such as a file; kept in run.json.

        Raises:
            BarlowError: no name, another shape or dtype, or a mask that chooses no image.
        """
        check_masks({name: np.asarray(mask)}, len(self.benchmark))
        masks = {**self.benchmark.masks, name: np.asarray(mask)}
        with self.lock():
            self._save_masks(masks, {name: None if source is None else str(source)})
            write_json(self._info_path, self.info)
            self.__dict__["benchmark"] = replace(self.benchmark, masks=masks)

    def _masks(self) -> dict[str, np.ndarray]:
        return load_masks(self.path, self.info.get("masks", {}))

    def _save_masks(self, masks: Mapping[str, np.ndarray], sources: Mapping[str, str | None] | None = None) -> None:
        """Write masks, and what `info` says of them; the caller writes run.json."""
        known = self.info.get("masks", {})
        if masks or known:
            self.info["masks"] = save_masks(self.path, masks, known, sources)

    # --- stages

    def recorded(self, stage: str) -> dict[str, Any] | None:
        """What run.json says about a finished stage, current or stale; None when it never finished."""
        found: dict[str, Any] | None = self.info["stages"].get(stage)
        return found

    def record(
        self,
        stage: str,
        *,
        key: str,
        settings: dict[str, Any],
        seconds: float,
        columns: Sequence[str] = (),
        masks: Sequence[str] = (),
        **more: Any,
    ) -> None:
        """Write down that `stage` is finished: from what (also which columns of the metadata and masks), how, at what cost."""
        self.info["stages"][stage] = {
            "key": key,
            "made_from": self._upstream(stage) | self._columns(columns) | self._digests_of(masks),
            "settings": settings,
            "seconds": round(seconds, 2),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": _versions(),
            **more,
        }
        write_json(self._info_path, self.info)

    def forget(self, stage: str) -> None:
        """Take back that `stage` is finished, before its files are replaced: a kill in between must not leave it standing."""
        if self.info["stages"].pop(stage, None) is not None:
            write_json(self._info_path, self.info)

    def _upstream(self, stage: str) -> dict[str, str | None]:
        keys: dict[str, str | None] = dict(self.info["data"])
        keys |= {name: record["key"] for name, record in self.info["stages"].items()}
        return {name: keys.get(name) for name in UPSTREAM[stage]}

    def _columns(self, names: Iterable[str]) -> dict[str, dict[str, str | None]]:
        """What stands for the values of columns of the metadata; None for one that is not there (any more)."""
        digests: dict[str, str | None] = {}
        for name in names:
            try:
                digests[name] = column_digest(self.benchmark, name)
            except BarlowError:
                digests[name] = None
        return {"columns": digests} if digests else {}

    def _digests_of(self, masks: Iterable[str]) -> dict[str, dict[str, str | None]]:
        """What stands for masks; None for one that is not there (any more)."""
        known = self.info.get("masks", {})
        digests = {name: known[name]["digest"] if name in known else None for name in masks}
        return {"masks": digests} if digests else {}

    def is_current(self, stage: str) -> bool:
        """Whether `stage` is finished and everything that it was made from is unchanged, all the way up."""
        record = self.recorded(stage)
        return (
            record is not None
            and record["made_from"]
            == self._upstream(stage)
            | self._columns(record["made_from"].get("columns", ()))
            | self._digests_of(record["made_from"].get("masks", ()))
            and all(self.is_current(name) for name in UPSTREAM[stage] if name in STAGES)
        )

    def require(self, stage: str) -> dict[str, Any]:
        """The record of a current stage.

        Raises:
            BarlowError: the stage is missing or stale; the message names the command to run.
        """
        record = self.recorded(stage)
        if record is None:
            raise BarlowError(f"{self.path}: nothing from `{STAGES[stage]}` yet. Run: {STAGES[stage]} {self.path}")
        if not self.is_current(stage):
            raise BarlowError(
                f"{self.path}: what `{STAGES[stage]}` made is out of date, because the data or an earlier step changed since. "
                f"Run again: {STAGES[stage]} {self.path}"
            )
        return record

    def status(self) -> pd.DataFrame:
        """One row a stage: stage, state (done, stale or missing), seconds, and the command that makes it."""
        rows = []
        for stage, command in STAGES.items():
            record = self.recorded(stage)
            state = "missing" if record is None else "done" if self.is_current(stage) else "stale"
            if stage == "predict" and record is None and self.benchmark.predictions is not None:
                continue  # The predictions came with the import.
            rows.append(
                {"stage": stage, "state": state, "seconds": (record or {}).get("seconds"), "command": f"{command} {self.path}"}
            )
        return pd.DataFrame(rows)

    # --- what the stages made

    def features(self) -> np.ndarray:
        """The features, (N, D) float32 or float16, memory-mapped read-only; row i belongs to image i of the benchmark."""
        self.require("extract")
        try:
            features: np.ndarray = np.load(self.features_path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise BarlowError(
                f"{self.features_path} is missing or damaged ({error}). Run again: barlow extract {self.path} --overwrite"
            ) from error
        return features

    def extractor(self, *, device: str = "cpu") -> Extractor:
        """Load the extractor that made the features of this run.

        Raises:
            BarlowError: it was handed over as a Python object, or its weights are no longer the same.
        """
        from barlow_core import extractors  # torch takes seconds to import; tables do without it

        record = self.require("extract")
        if record["extractor"]["source"] is None:
            raise BarlowError(
                f"The features of {self.path} were made by a network that was handed over in Python ({record['extractor']['name']}), "
                "which cannot be loaded again from here. Pass the extractor to the function instead."
            )
        extractor = extractors.load(record["extractor"]["source"], device=device, **record["extractor"]["options"])
        if extractor.fingerprint != record["extractor"]["fingerprint"]:
            raise BarlowError(
                f"The weights behind {record['extractor']['source']} are no longer those that made {self.features_path}. "
                f"Restore the old file, or run: barlow extract {self.path} --overwrite"
            )
        return extractor

    def groups(self) -> pd.DataFrame:
        """groups.parquet: one row a group (key, grouping, class_name, n_images, n_failures, ber, aler by depth, reason)."""
        self.require("explain")
        return self._table("groups.parquet", f"Run again: barlow explain {self.path}")

    def failure_modes(self) -> pd.DataFrame:
        """failure_modes.parquet: one row a leaf that passes delta and tau, best importance value first within a group."""
        self.require("explain")
        found = self._table("failure_modes.parquet", f"Run again: barlow explain {self.path}")
        if "verdict" not in found:
            raise BarlowError(
                f"{self.path / 'failure_modes.parquet'} was made by an earlier version, which gave no verdicts. "
                f"Run again: barlow explain {self.path}"
            )
        return found

    def trees(self) -> dict[str, dict[str, Any]]:
        """trees.json: group key -> its selected features with their information, and its tree of every depth as nested nodes."""
        self.require("explain")
        path = self.path / "trees.json"
        try:
            trees: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["groups"]
        except (OSError, ValueError, KeyError) as error:
            raise BarlowError(f"{path} is missing or damaged ({error}). Run again: barlow explain {self.path}") from error
        return trees

    def _table(self, name: str, advice: str) -> pd.DataFrame:
        try:
            return pd.read_parquet(self.path / name)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            raise BarlowError(f"{self.path / name} is missing or damaged ({error}). {advice}") from error
