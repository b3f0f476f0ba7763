"""A small study file with everything that the analyst's app shows: items that differ, workers who differ, checks, and a few gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fake_clock import FakeClock
from PIL import Image

from barlow_core.panels.files import Panel
from barlow_core.storage.files import write_json
from study.setup.frozen_panels import freeze, panels_folder
from study.store import StudyStore

CLASSES = {
    "top": ["tiger", "greenhouse, nursery, glasshouse"],
    "middle": ["scuba diver", "<b>fence</b> *x*"],
    "bottom": ["malinois", "sea cucumber"],
}
THEMES = [
    ("striped fur", "black stripes on orange fur"),
    ("glass roof", "a glass roof with metal frames"),
    ("blue water", "deep blue water around a diver"),
    ("wire fence", "a wire fence in front of grass"),
    ("dog face", "the face and ears of a brown dog"),
    ("green leaves", "many green leaves of plants"),
]
VARIANTS = ["", "dark ", "large ", "grey "]
NASTY = "<script>alert(1)</script> **bold** $x$"
SLOPPY = 2  # workers who fail their checks, are fast and say the same of everything
ITEMS = 48


def items() -> list[dict[str, Any]]:
    """48 items: two groupings, three tiers, two classes each, four features; and two attention checks."""
    made: list[dict[str, Any]] = []
    for grouping in ("label", "prediction"):
        for level, (tier, names) in enumerate(CLASSES.items()):
            for name in names:
                for rank in range(1, 5):
                    feature = len(made) * 7 + rank
                    made.append(
                        {
                            "id": f"{grouping}:{name}:{feature}",
                            "grouping": grouping,
                            "class_name": name,
                            "group": f"{grouping}:{name}",
                            "tier": tier,
                            "feature": feature,
                            "rank": rank,
                            "mutual_information": round(0.2 / rank, 4),
                            "ber": round(0.6 - 0.2 * level + 0.01 * rank, 4),
                            "activation": round(0.5 + 0.3 * rank, 4),
                            "salience": round(0.4 + 0.1 * level, 4),
                        }
                    )
    checks = [{"id": f"attention-{i}", "kind": "attention", "expected": {"useful": "none"}} for i in range(2)]
    return made + checks


def make_study(
    path: Path,
    *,
    simulated: bool = True,
    n_answers: int | None = None,
    n_workers: int = 24,
    pictures: Sequence[int] = (),
    seed: int = 0,
    **settings: Any,
) -> Path:
    """Make a study at `path` and let workers answer it.

    Args:
        pictures: positions of the items that have pictures.
        simulated: whether the workers are marked as simulated.
        n_answers: stop after so many answers to items; None: as many as the study wants, five an item.
        settings: of the study.
    """
    clock = FakeClock()
    clock.wall += 20_000_000.0
    rng = np.random.default_rng(seed)
    listed = items()
    for position in pictures:
        panel = draw_panel(path.parent / f"drawn-{position}", listed[position], rng)
        frozen = freeze(panel, panels_folder(path), f"item-{position}")
        listed[position] |= frozen
    theme_of = {item["id"]: number // 4 % len(THEMES) for number, item in enumerate(listed)}
    tier_of = {item["id"]: item.get("tier") for item in listed}
    with StudyStore.create(path, items=listed, clock=clock, title="What do people see?", checks_every=4, **settings) as store:
        names = [f"worker-{i:02d}" for i in range(n_workers)]
        for number, name in enumerate(names):
            store.register(name, simulated=simulated, platform="prolific" if number % 3 else "mturk")
        sent, waiting = 0, list(names)
        while waiting and (n_answers is None or sent < n_answers):
            name = waiting.pop(0)
            claimed = store.claim(name)
            if claimed is None:
                continue
            sloppy = name in names[:SLOPPY] and n_workers > SLOPPY
            clock.advance(5.0 if sloppy else float(rng.uniform(30, 110)))
            answer = _answer(rng, claimed.id, theme_of[claimed.id], tier_of[claimed.id], sloppy)
            store.submit(name, claimed.id, answer)
            clock.advance(60.0)
            sent += claimed.kind == "item"
            waiting.append(name)
    return path


def _answer(rng: np.random.Generator, item: str, theme: int, tier: str | None, sloppy: bool) -> dict[str, Any]:
    if sloppy:
        return {"short": "nice picture", "long": "it is a nice picture", "ease": 5, "confidence": 5, "useful": "both"}
    if item.startswith("attention"):
        return {"short": "check", "long": "this one is a check", "ease": 3, "confidence": 3, "useful": "none"}
    short, long = THEMES[theme if rng.random() < 0.8 else int(rng.integers(len(THEMES)))]
    variant = VARIANTS[int(rng.integers(len(VARIANTS)))]
    centre = {"top": 3.2, "middle": 3.6, "bottom": 4.1, None: 3.0}[tier]
    ease, confidence = np.clip(np.rint(rng.normal(centre, 0.9, size=2)), 1, 5).astype(int).tolist()
    useful = ["B", "C", "both", "none"][int(rng.choice(4, p=[0.45, 0.2, 0.3, 0.05]))]
    if item.startswith("label:<b>"):
        long = NASTY
    return {"short": f"{variant}{short}", "long": f"{variant}{long}", "ease": ease, "confidence": confidence, "useful": useful}


def draw_panel(folder: Path, item: dict[str, Any], rng: np.random.Generator, n: int = 3, side: int = 48, **more: Any) -> Panel:
    """A panel of made-up pictures, in the format of `barlow visualize`; `more` in panel.json."""
    folder.mkdir(parents=True)
    columns = []
    for number in range(n):
        files = {
            "image": f"a_{number}.png",
            "heatmap": f"h_{number}.png",
            "overlay": f"b_{number}.png",
            "attack": f"c_{number}.png",
        }
        colours = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(side // 4, axis=0).repeat(side // 4, axis=1)
        heat = np.linspace(0, 255, side * side).reshape(side, side).astype(np.uint8)
        for kind, file in files.items():
            pixels = heat if kind == "heatmap" else colours // (2 if kind == "overlay" else 1)
            Image.fromarray(pixels).save(folder / file)
        shown = {"index": number, "name": f"{number:03d}.png", "label": item["class_name"], "prediction": "other"}
        columns.append(shown | {"activation": 0.5 + item["rank"] / 4 - number / 10, "attacked": 2.0} | files)
    plan = {"format": 1, "key": "drawn", "group": item["group"], "feature": item["feature"], "k": n, "source": "group"}
    plan |= {"range": [0.0, 1.0], "attack": {"steps": 5, "step_size": 1.0, "epsilon": 50.0}, "image_size": side, "display": {}}
    write_json(folder / "panel.json", plan | {"images": columns} | more)
    return Panel.load(folder)
