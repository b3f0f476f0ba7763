"""One seed: a classifier is trained, and the whole pipeline is run on the test pictures, which knows nothing of squares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy.stats import mannwhitneyu
from torch import nn

from barlow_core.analyses import Checks, explain_run
from barlow_core.analyses.verdicts import CONFIRMED, ranked
from barlow_core.benchmark import Benchmark
from barlow_core.extraction import extract
from barlow_core.extractors import Classifier, Extractor
from barlow_core.interventions import InterventionSettings, intervene, leaf_target
from barlow_core.run import Run
from barlow_core.training import adversarial
from benchmarks.planted_shortcuts.pictures import CLASSES, Pictures, draw

MEAN, STD, SIDE = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26), 32
EPOCHS, RATE, BATCH = 12, 0.1, 64
MOST = 6  # failure modes of a seed that are intervened on
TELLS = 0.75  # area under the curve from which on a feature is said to tell whether a square is there


def network() -> nn.Module:
    """Three convolutions of stride 2, and global average pooling."""
    layers: list[nn.Module] = []
    for inside, outside in ((3, 16), (16, 32), (32, 48)):
        layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, len(CLASSES)))


def train(pictures: Pictures, seed: int, *, pixels: np.ndarray | None = None) -> Classifier:
    """A classifier that learns from training pictures.

    Args:
        pixels: what to learn from instead of the pictures' own pixels, such as masked ones.
    """
    torch.manual_seed(seed)
    model = network()
    images = torch.from_numpy((pictures.pixels if pixels is None else pixels).transpose(0, 3, 1, 2).copy())
    adversarial.train(
        model,
        images,
        torch.from_numpy(pictures.labels),
        mean=MEAN,
        std=STD,
        epochs=EPOCHS,
        peak_rate=RATE,
        batch_size=BATCH,
        seed=seed,
    )
    return Classifier.from_model(model, image_size=SIDE, mean=MEAN, std=STD, class_names=CLASSES, name=f"classifier {seed}")


def predictions(model: Classifier, pixels: np.ndarray) -> np.ndarray:
    """(n,) int64, of pictures (n, 32, 32, 3) uint8."""
    images = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()).float() / 255
    with torch.inference_mode():
        return torch.cat([model.logits(part).argmax(dim=1) for part in images.split(256)]).numpy()


def make_run(pictures: Pictures, predicted: np.ndarray, extractor: Extractor, folder: Path) -> Run:
    """The test pictures as files, imported, described and explained."""
    images = folder / "images"
    images.mkdir(parents=True)
    names = [f"{i:04d}.png" for i in range(len(predicted))]
    for name, pixels in zip(names, pictures.pixels, strict=True):
        Image.fromarray(pixels).save(images / name)
    table = pd.DataFrame(
        {"Filenames": names, "Labels": np.array(CLASSES)[pictures.labels], "Predictions": np.array(CLASSES)[predicted]}
    )
    table.to_csv(folder / "metadata.csv", index=False)
    run = Run.create(folder / "run", Benchmark.from_csv(images, folder / "metadata.csv"))
    extract(run, extractor)
    explain_run(run, groupings=["label"], depth=2, min_leaf=None, checks=Checks(permutations=0), workers=1)
    return run


def one_seed(seed: int, folder: Path, extractor: Extractor, settings: InterventionSettings) -> list[dict[str, Any]]:
    """What the pipeline says of each feature in the rule of a confirmed failure mode, beside what the feature tells in truth."""
    drawn = draw(seed)
    model = train(drawn["train"], seed)
    test = drawn["test"]
    predicted = predictions(model, test.pixels)
    run = make_run(test, predicted, extractor, folder)
    modes = ranked(run.failure_modes())
    modes = modes[(modes["verdict"] == CONFIRMED)]
    stored, rows = run.features(), []
    seen: set[tuple[str, int]] = set()
    for mode in modes.to_dict("records"):
        for feature in mode["features"]:
            place = (str(mode["group"]), int(feature))
            if place in seen or len(seen) >= MOST:
                continue
            seen.add(place)
            target = leaf_target(run, place[0], depth=mode["depth"], leaf=mode["leaf"], feature=place[1])
            found = intervene(run, model, target, extractor=extractor, settings=settings)
            among = np.flatnonzero(test.labels == CLASSES.index(place[0].split(":")[1]))
            tells = {
                name: _tells(stored[among, feature], there[among]) for name, there in (("red", test.red), ("blue", test.blue))
            }
            rows.append(
                {
                    "seed": seed,
                    "group": place[0],
                    "rule": mode["rule"],
                    "feature": place[1],
                    "auc_red": round(tells["red"], 3),
                    "auc_blue": round(tells["blue"], 3),
                    "tells": what_it_tells(tells["red"], tells["blue"]),
                    "verdict": found.verdict,
                    **{f"p_{way['way']}": way["p"] for way in found.info["ways"]},
                    **{f"excess_{way['way']}": round(way["excess"], 4) for way in found.info["ways"]},
                    "error_rate": round(float((predicted != test.labels).mean()), 4),
                    "gap": round(gap(model, test), 4),
                }
            )
    return rows


def _tells(values: np.ndarray, there: np.ndarray) -> float:
    """Area under the curve of a feature for whether a square is there; 0.5 says nothing, 0 says as much as 1."""
    score = mannwhitneyu(values[there], values[~there]).statistic
    return float(score / (there.sum() * (~there).sum()))


def what_it_tells(red: float, blue: float) -> str:
    """ "red", "blue" or "neither": of which square a feature tells whether it is there."""
    strength = {"red": abs(red - 0.5), "blue": abs(blue - 0.5)}
    best = max(strength, key=lambda name: strength[name])
    return best if strength[best] >= TELLS - 0.5 else "neither"


def gap(model: Classifier, test: Pictures) -> float:
    """How much the shortcut decides: accuracy (of what is seen) where the red square is as in training, less accuracy where it is not."""
    right = predictions(model, test.pixels) == test.truth
    usual = test.red == (test.truth == 0)
    return float(right[usual].mean() - right[~usual].mean())
