"""`python -m benchmarks.planted_shortcuts.mending`: paint over what a confirmed feature looks at in the training pictures, train again, and look
at the shortcut in test pictures.

For the first rule of each seed whose feature the model was found to depend on, whatever it is in truth. The masks are those of `barlow
mend`; the control paints over regions of the same area and shape at other places of the same pictures.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from barlow_core.directions import Direction
from barlow_core.extractors import Extractor
from barlow_core.interventions import Target
from barlow_core.interventions.kinds import DEPENDS
from barlow_core.interventions.mending import painted_over, training_masks
from barlow_core.interventions.regions import moved_regions
from benchmarks.planted_shortcuts.describing import described_by
from benchmarks.planted_shortcuts.pictures import CLASSES, Pictures, draw
from benchmarks.planted_shortcuts.pipeline import gap, predictions, train
from benchmarks.shared_rows import Rows, fill_table

RESULTS = Path(__file__).parent
WAYS = ("before", "after", "elsewhere", "never")


def target_of(row: dict[Any, Any]) -> Target:
    """The condition of a rule in the results, such as feature[7] > 0.0319."""
    found = re.search(rf"feature\[{row['feature']}\] ([<>]) ([-\d.e]+)", row["rule"])
    assert found is not None, row["rule"]
    nothing = np.zeros(0, dtype=np.int64)
    direction, above = Direction.of(int(row["feature"])), found[1] == ">"
    return Target(row["group"], "", row["rule"], direction, above, float(found[2]), nothing, nothing, nothing)


def mend(row: dict[Any, Any], extractor: Extractor, *, ways: Collection[str] = WAYS) -> dict[str, Any]:
    """How large the shortcut and the failure mode are before, after painting over what the feature looks at, and after other places.

    And in a classifier that never saw a red square: what remains there is no shortcut, cars are red more often than horses.

    Args:
        row: of the results: seed, group, rule, feature, and what that tells.
        ways: which of the trainings, of `WAYS`.
    """
    seed, target = int(row["seed"]), target_of(row)
    drawn = draw(seed)
    training, test = drawn["train"], drawn["test"]
    with tempfile.TemporaryDirectory() as folder:
        regions, painted, table = masks_in(Path(folder), training, extractor, target)
    strong = regions.any(axis=(1, 2))
    elsewhere = moved_regions(regions, np.random.default_rng([seed, 9]))
    pixels = {
        "before": training.pixels,
        "after": painted,
        "elsewhere": as_pixels(painted_over(as_images(training.pixels), elsewhere)),
        "never": draw(seed, with_red={"train": (0.0, 0.0)})["train"].pixels,
    }
    found: dict[str, Any] = {
        "seed": seed,
        "group": row["group"],
        "feature": row["feature"],
        "tells": row["tells"],
        "covered": round(float(strong.mean()), 3),
        "area": round(float(table["area"].mean()), 3),
        "weak_without": round(float((table["value_covered"] <= target.threshold).mean()), 3),
        "squares_covered": round(float((regions & training.red_regions).sum() / training.red_regions.sum()), 3),
    }
    inside = leaf(test, extractor, target)
    for name in ways:
        model = train(training, seed, pixels=pixels[name])
        predicted = predictions(model, test.pixels)
        found |= {
            f"gap_{name}": round(gap(model, test), 3),
            f"error_in_leaf_{name}": round(float((predicted != test.labels)[inside].mean()), 3),
            f"error_{name}": round(float((predicted != test.labels).mean()), 3),
            f"accuracy_without_{name}": round(float((predicted == test.truth)[~test.red].mean()), 3),
        }
    return found


def masks_in(
    folder: Path, training: Pictures, extractor: Extractor, target: Target
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """What `barlow mend --training --paint` makes of the training pictures: masks (n, 32, 32), the pictures painted over, its table."""
    (folder / "training").mkdir()
    for i, pixels in enumerate(training.pixels):
        Image.fromarray(pixels).save(folder / "training" / f"{i:04d}.png")
    table = training_masks(extractor, target, folder / "training", folder / "masks", painted=folder / "painted")
    regions, painted = np.zeros(training.pixels.shape[:3], dtype=bool), training.pixels.copy()
    for name in table["path"]:
        i = int(Path(name).stem)
        regions[i] = np.asarray(Image.open(folder / "masks" / name)) > 0
        painted[i] = np.asarray(Image.open(folder / "painted" / name))
    return regions, painted, table


def as_pixels(images: torch.Tensor) -> np.ndarray:
    return np.rint(images.numpy().transpose(0, 2, 3, 1) * 255).astype(np.uint8)


def as_images(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float() / 255


def leaf(test: Pictures, extractor: Extractor, target: Target) -> np.ndarray:
    """(n,) bool: the test pictures of the group for which the condition holds."""
    with torch.inference_mode():
        features = torch.cat([extractor.features(part) for part in as_images(test.pixels).split(128)]).numpy()
    own = test.labels == CLASSES.index(target.group.split(":")[1])
    return np.asarray(own & ((target.direction.values(features) > target.threshold) == target.above))


_known: Extractor


def _begin(extractor: str | None) -> None:
    global _known
    _known = described_by(extractor)


def _rows(row: dict[Any, Any]) -> Rows:
    return [mend(row, _known)]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds with their standard errors, a line for each way of training."""
    lines = []
    for name in WAYS:
        line: dict[str, str] = {"training pictures": name}
        for what in ("gap", "error_in_leaf", "error", "accuracy_without"):
            own = rows[f"{what}_{name}"].to_numpy(dtype=np.float64)
            line[what] = f"{own.mean():.3f} ± {own.std(ddof=1) / np.sqrt(len(own)):.3f}"
        lines.append(line)
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_shortcuts.mending", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS / "results.csv")
    parser.add_argument("--out", type=Path, default=RESULTS / "mended.csv", help="rows that are there stay")
    parser.add_argument("--extractor", help="the one of the results: none for the filter bank, or a file")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    confirmed = pd.read_csv(options.results)
    confirmed = confirmed[confirmed["verdict"] == DEPENDS].drop_duplicates("seed")
    wanted = {int(row["seed"]): row for row in confirmed.to_dict("records")}
    how = {"processes": options.processes, "begin": _begin, "arguments": (options.extractor,)}
    rows = fill_table(options.out, "seed", wanted, _rows, given=wanted.get, **how)
    print(rows.to_string(index=False))
    for tells in rows["tells"].unique():
        own = rows[rows["tells"] == tells]
        print(f"\nfeatures that tell {tells}: {len(own)} seeds, means with standard errors")
        print(summary(own).to_string(index=False))
        beyond = own["gap_after"] - own["gap_never"]
        print(
            f"gap after mending, less that of a classifier that never saw a red square: {beyond.mean():+.3f} ± {beyond.sem():.3f}"
        )


if __name__ == "__main__":
    main()
