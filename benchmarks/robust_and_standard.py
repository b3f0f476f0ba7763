"""Panels of the same classes by a robust and by a standard extractor, side by side (appendix I of the paper).

    python benchmarks/robust_and_standard.py runs/standard-by-robust runs/standard-by-standard panels.jpg

For the labels with most failures: the feature of the surest failure mode of depth 1 (of the best leaf by IV where there is none) in each
run, its most activating images above and what the feature attack makes of them below; the robust network's left, the standard one's right. The gain
is the activation after the attack, in units of the highest activation in the benchmark. The two runs are of the same images and predictions.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from barlow_core.panels import Panel, make_panels
from barlow_core.run import Run

SIDE, GAP, MARGIN = 64, 12, 150


def top_feature(run: Run, group: str) -> int:
    """The feature that the surest failure mode of a group's tree of depth 1 tests, else the one with the most information."""
    modes = run.failure_modes()
    modes = modes[(modes["group"] == group) & (modes["depth"] == 1)].sort_values(
        "importance_value", ascending=False, kind="stable"
    )
    return int(modes.iloc[0]["feature"]) if len(modes) else int(run.trees()[group]["features"][0][0])


def strip(panel: Panel, kind: str) -> np.ndarray:
    pictures = [Image.open(panel.path / getattr(image, kind)).convert("RGB").resize((SIDE, SIDE)) for image in panel.images]
    return np.concatenate([np.asarray(picture) for picture in pictures], axis=1)


def heads(groups: Sequence[str]) -> np.ndarray:
    """The names of the groups, one beside each pair of strips: (height, MARGIN, 3) uint8."""
    step = 2 * SIDE + GAP
    page = Image.new("RGB", (MARGIN, len(groups) * step - GAP), "white")
    draw = ImageDraw.Draw(page)
    for i, group in enumerate(groups):
        draw.text((4, i * step + SIDE), group.split(":", 1)[1], fill="black", anchor="lm", font_size=24)
    return np.asarray(page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("robust", type=Path)
    parser.add_argument("standard", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--classes", type=int, default=5)
    arguments = parser.parse_args()
    runs = [Run(arguments.robust), Run(arguments.standard)]
    groups = runs[0].groups()
    by_failures = groups[groups["grouping"] == "label"].sort_values("n_failures", ascending=False, kind="stable")
    labels = by_failures["group"].tolist()[: arguments.classes]
    columns = [heads(labels)]
    for run in runs:
        extractor = run.extractor()
        panels = make_panels(run, extractor, [(group, top_feature(run, group)) for group in labels], exact=True, progress=True)
        rows = []
        for group, panel in zip(labels, panels, strict=True):
            (feature,) = panel.direction.features
            highest = float(run.features()[:, feature].max())
            gains = [image.attacked / highest for image in panel.images]
            print(f"{run.path.name}, {group}, feature {feature}: attacked {np.median(gains):.1f} times the highest activation")
            rows += [
                strip(panel, "image"),
                strip(panel, "attack"),
                np.full((GAP, SIDE * len(panel.images), 3), 255, dtype=np.uint8),
            ]
        columns.append(np.concatenate(rows[:-1]))
    gap = np.full((len(columns[0]), GAP, 3), 255, dtype=np.uint8)
    page = np.concatenate([columns[0], columns[1], gap, columns[2]], axis=1)
    Image.fromarray(page).save(arguments.picture, quality=88)


if __name__ == "__main__":
    main()
