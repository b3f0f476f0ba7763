"""Interventions on disk: `interventions/<group>/<failure mode>-feature_<feature>/` in the run folder.

intervention.json    verdict, tests and rates of every way, settings, model, what it was made from
doses.parquet        rates by the size of the change, of the feature and of the controls (`judging.dose_table`)
images.parquet       every changed image: before and after
before_0.png, after_0.png, ...   some of them, as the extractor sees them (.jpg where they are large)
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from barlow_core.errors import BarlowError
from barlow_core.groups import parse
from barlow_core.interventions.kinds import ELSEWHERE
from barlow_core.run import Run
from barlow_core.storage.files import write_json, write_parquet

if TYPE_CHECKING:
    from torch import Tensor

    from barlow_core.interventions.judging import Measured

FOLDER, FILE = "interventions", "intervention.json"
FORMAT = 3  # of the files; those of another one are made again
PICTURES = 6  # pairs of pictures a way


@dataclass(frozen=True)
class Intervention:
    """What became of a failure mode that was intervened on.

    Attributes:
        path: the folder.
        info: the content of intervention.json.
    """

    path: Path
    info: dict[str, Any]

    @property
    def group(self) -> str:
        return str(self.info["target"]["group"])

    @property
    def verdict(self) -> str:
        """One of `kinds.VERDICTS`."""
        return str(self.info["verdict"])

    @property
    def features(self) -> list[int]:
        """The feature that was changed; several of a weighted sum."""
        return list(self.info["target"]["features"])

    def doses(self) -> pd.DataFrame:
        """See `judging.dose_table`."""
        return self._table("doses.parquet")

    def images(self) -> pd.DataFrame:
        """One row a changed image and way: way, side, position, name, label, before, after (predicted classes), flipped, length,
        value_before and value_after (of the feature), margin_before and margin_after, picture (number of its pair of pictures, or -1)."""
        return self._table("images.parquet")

    def _table(self, name: str) -> pd.DataFrame:
        try:
            return pd.read_parquet(self.path / name)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            raise BarlowError(
                f"{self.path / name} is missing or damaged ({error}). Make it again with --overwrite: barlow intervene"
            ) from error

    def pictures(self) -> list[dict[str, Any]]:
        """Rows of `images` that have pictures, with the paths `before_picture` and `after_picture`."""
        rows = self.images()
        found = rows[rows["picture"] >= 0].sort_values("picture").to_dict("records")
        kind = self.info["pictures"]
        return [
            {str(name): value for name, value in row.items()}
            | {f"{when}_picture": self.path / f"{when}_{row['picture']}{kind}" for when in ("before", "after")}
            for row in found
        ]


def folder_of(run: Run, group: str, slug: str) -> Path:
    """Where the intervention on a failure mode of a group is kept."""
    return run.path / FOLDER / parse(run.benchmark, group).slug / slug


def load_intervention(folder: Path) -> Intervention | None:
    """The intervention of a folder; None where there is none, or one that is damaged or of another format."""
    try:
        info = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return (
            Intervention(folder, info) if info["format"] == FORMAT and {"key", "verdict", "target", "ways"} <= set(info) else None
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def interventions(run: Run, group: str | None = None, rule: str | None = None) -> list[Intervention]:
    """The interventions of a run that were made from its features and predictions of today, by folder.

    Args:
        group: only on failure modes of this group.
        rule: only on this one, as a tree says it (`Node.rule`).
    """
    record = run.recorded("extract")
    if record is None:
        return []
    pattern = f"{'*' if group is None else parse(run.benchmark, group).slug}/*/{FILE}"
    found = (load_intervention(path.parent) for path in sorted((run.path / FOLDER).glob(pattern)))
    return [
        one
        for one in found
        if one is not None
        and not one.path.name.startswith(".")
        and one.info["made_from"]["extract"] == record["key"]
        and one.info["made_from"]["outcome"] == run.info["data"]["outcome"]
        and group in (None, one.group)
        and rule in (None, one.info["target"]["rule"])
    ]


def save_intervention(
    folder: Path,
    info: dict[str, Any],
    doses: pd.DataFrame,
    run: Run,
    measured: Sequence[Measured],
    shown: dict[str, tuple[Any, Tensor]],
) -> Intervention:
    """Write everything about an intervention; the folder appears, or changes, all at once.

    Args:
        shown: way -> the images as `running.Images`, and what they were changed into, (n, 3, S, S).
    """
    from barlow_core.panels.pictures import (  # reading does without matplotlib
        enlarge,
        looking_size,
        suffix,
        to_pixels,
        write_picture,
    )

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        table = _images_table(run, measured)
        side = next(iter(shown.values()))[1].shape[-1]
        info = info | {"pictures": suffix(side)}
        number = 0
        for way, (images, after) in shown.items():
            for row in _worth_showing(table[table["way"] == way]):
                at = int(np.flatnonzero(images.positions == table.loc[row, "position"])[0])
                for when, pixels in (("before", images.seen[at]), ("after", after[at])):
                    picture = enlarge(to_pixels(pixels[None]), looking_size(side))[0]
                    write_picture(temporary / f"{when}_{number}{info['pictures']}", picture)
                table.loc[row, "picture"] = number
                number += 1
        write_parquet(temporary / "doses.parquet", doses)
        write_parquet(temporary / "images.parquet", table)
        write_json(temporary / FILE, info)
        temporary.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Intervention(folder, info)


def _images_table(run: Run, measured: Sequence[Measured]) -> pd.DataFrame:
    benchmark = run.benchmark
    names = np.array(benchmark.class_names, dtype=object)
    parts = [
        pd.DataFrame(
            {
                "way": one.way,
                "side": one.sides.astype(str),
                "position": one.positions,
                "name": benchmark.names[one.positions],
                "label": names[one.labels],
                "before": names[one.answers["prediction"][0, 0]],
                "after": names[one.answers["prediction"][0, -1]],
                "flipped": one.flips[0, -1] > 0,
                "length": one.answers["length"][0, -1],
                "value_before": one.values[0],
                "value_after": one.values[-1],
                "margin_before": one.answers["margin"][0, 0],
                "margin_after": one.answers["margin"][0, -1],
                "picture": -1,
            }
        )
        for one in measured
    ]
    return pd.concat(parts, ignore_index=True)


def _worth_showing(rows: pd.DataFrame) -> list[int]:
    """Rows of a way that are shown: of the group, those first whose prediction follows the change, the leaf before the outside."""
    own = rows[rows["side"] != ELSEWHERE]
    order = own.assign(stays=~own["flipped"]).sort_values(["stays", "side"], kind="stable")
    return [int(i) for i in order.index[:PICTURES]]
