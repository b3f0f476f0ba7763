"""`python -m benchmarks.planted_shortcuts.mending`: cover what a confirmed feature looks at in the training pictures, train again, and look at
the shortcut in test pictures.

For the first rule of each seed whose feature the model was found to depend on, whatever it is in truth. The control covers regions of the
same area and shape at other places of the same pictures.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from barlow_core.directions import Direction
from barlow_core.extractors import Extractor
from barlow_core.interventions import Target
from barlow_core.interventions.kinds import DEPENDS
from barlow_core.interventions.mending import covered, masks_of
from barlow_core.interventions.regions import moved_regions
from benchmarks.planted_shortcuts.describing import describing
from benchmarks.planted_shortcuts.pictures import CLASSES, Pictures, draw
from benchmarks.planted_shortcuts.pipeline import gap, predictions, train

RESULTS = Path(__file__).parent


def target_of(row: dict[Any, Any]) -> Target:
    """The condition of a rule in the results, such as feature[7] > 0.0319."""
    found = re.search(rf"feature\[{row['feature']}\] ([<>]) ([-\d.e]+)", row["rule"])
    assert found is not None, row["rule"]
    nothing = np.zeros(0, dtype=np.int64)
    direction, above = Direction.of(int(row["feature"])), found[1] == ">"
    return Target(row["group"], "", row["rule"], direction, above, float(found[2]), nothing, nothing, nothing)


def mend(row: dict[Any, Any], extractor: Extractor) -> dict[str, Any]:
    """How large the shortcut and the failure mode are before, after covering what the feature looks at, and after covering elsewhere."""
    seed, target = int(row["seed"]), target_of(row)
    drawn = draw(seed)
    training, test = drawn["train"], drawn["test"]
    seen = as_images(training.pixels)
    regions = np.concatenate([masks_of(extractor, target, part) for part in seen.split(128)])
    rng = np.random.default_rng([seed, 9])
    pixels = {
        "before": training.pixels,
        "after": covered(training.pixels, regions, rng),
        "elsewhere": covered(training.pixels, moved_regions(regions, rng), rng),
    }
    found: dict[str, Any] = {
        "seed": seed,
        "group": row["group"],
        "tells": row["tells"],
        "covered": round(float(regions.any(axis=(1, 2)).mean()), 3),
        "squares_covered": round(float((regions & training.red_regions).sum() / training.red_regions.sum()), 3),
    }
    inside = leaf(test, extractor, target)
    for name, one in pixels.items():
        model = train(training, seed, pixels=one)
        wrong = predictions(model, test.pixels) != test.labels
        found |= {
            f"gap_{name}": round(gap(model, test), 3),
            f"error_in_leaf_{name}": round(float(wrong[inside].mean()), 3),
            f"error_{name}": round(float(wrong.mean()), 3),
        }
    return found


def as_images(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float() / 255


def leaf(test: Pictures, extractor: Extractor, target: Target) -> np.ndarray:
    """(n,) bool: the test pictures of the group for which the condition holds."""
    with torch.inference_mode():
        features = torch.cat([extractor.features(part) for part in as_images(test.pixels).split(128)]).numpy()
    own = test.labels == CLASSES.index(target.group.split(":")[1])
    return np.asarray(own & ((target.direction.values(features) > target.threshold) == target.above))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_shortcuts.mending", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS / "results.csv")
    parser.add_argument("--out", type=Path, default=RESULTS / "mended.csv", help="rows that are there stay")
    options = parser.parse_args()
    torch.set_num_threads(1)
    extractor = describing()
    confirmed = pd.read_csv(options.results)
    confirmed = confirmed[confirmed["verdict"] == DEPENDS].drop_duplicates("seed")
    rows: list[dict[Any, Any]] = pd.read_csv(options.out).to_dict("records") if options.out.exists() else []
    for row in confirmed.to_dict("records"):
        if all(row["seed"] != done["seed"] for done in rows):
            rows.append(mend(row, extractor))
            pd.DataFrame(rows).to_csv(options.out, index=False)
            print(rows[-1], flush=True)
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
