"""Blindspots: conjunctions of attributes in which a network is made to fail.

As in SpotCheck, a blindspot lies within the pictures with a square; it names an attribute of another object only where it also
asks for that object; and two blindspots of one benchmark contradict each other in at least two attributes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.blindspots.pictures import LABEL, OTHERS, World, draw_world

PER_WORLD = 3
Blindspot = dict[str, bool]
"""Attribute → value; the label, which is always on, is left out and not counted in its size."""


@dataclass(frozen=True)
class Design:
    """What is planted in one benchmark.

    Attributes:
        seed: names the benchmark; `seed // PER_WORLD` is that of its world and pictures.
        world: the attributes that vary.
        blindspots: 1 to 3.
    """

    seed: int
    world: World
    blindspots: tuple[Blindspot, ...]

    def text(self) -> str:
        return " | ".join(
            ", ".join(name if value else f"not {name}" for name, value in blindspot.items()) for blindspot in self.blindspots
        )


def draw_worlds_designs(world_seed: int) -> tuple[Design, ...]:
    """Draw a world and PER_WORLD benchmarks in it, as SpotCheck draws one.

    1 to 3 other objects, 5 to 7 free attributes; 1 to 3 blindspots of size 4 to 6. Benchmarks of one world share their pictures,
    which are what costs time.
    """
    rng = np.random.default_rng([world_seed, 1])
    while True:
        world = draw_world(rng, int(rng.integers(1, 4)), int(rng.integers(5, 8)))
        planted: list[tuple[Blindspot, ...]] = []
        for _ in range(PER_WORLD * 20):
            sizes = [int(rng.integers(4, 7)) for _ in range(int(rng.integers(1, 4)))]
            blindspots = _draw_blindspots(world, sizes, rng)
            if blindspots is not None and blindspots not in planted:
                planted.append(blindspots)
            if len(planted) == PER_WORLD:
                return tuple(Design(world_seed * PER_WORLD + i, world, blindspots) for i, blindspots in enumerate(planted))


def inside(blindspot: Blindspot, attributes: pd.DataFrame) -> np.ndarray:
    """(n,) bool: the pictures that lie in the blindspot."""
    held = attributes[LABEL].to_numpy()
    for name, value in blindspot.items():
        held = held & (attributes[name].to_numpy() == value)
    return held


def membership(design: Design, attributes: pd.DataFrame) -> np.ndarray:
    """(n, blindspots) bool; no picture lies in two of them."""
    columns = [inside(blindspot, attributes) for blindspot in design.blindspots]
    return np.column_stack(columns) if columns else np.zeros((len(attributes), 0), dtype=bool)


def _draw_blindspots(world: World, sizes: list[int], rng: np.random.Generator) -> tuple[Blindspot, ...] | None:
    """None when a world has no room for them (after 200 tries each)."""
    found: list[Blindspot] = []
    for size in sizes:
        for _ in range(200):
            candidate = _draw_blindspot(world, size, rng)
            if candidate is not None and all(_contradictions(candidate, other) >= 2 for other in found):
                found.append(candidate)
                break
        else:
            return None
    return tuple(found)


def _draw_blindspot(world: World, size: int, rng: np.random.Generator) -> Blindspot | None:
    chosen: Blindspot = {}
    for _ in range(size):
        choices = [name for name in world.free if name != LABEL and name not in chosen and _allowed(name, chosen)]
        if not choices:
            return None
        name = choices[int(rng.integers(len(choices)))]
        chosen[name] = bool(rng.random() < 0.5)
        presence = f"{name.split()[0]} present"
        if name != presence and presence in chosen:
            chosen[presence] = True
    return chosen


def _allowed(name: str, chosen: Blindspot) -> bool:
    thing, trait = name.split()
    return thing not in OTHERS or trait == "present" or f"{thing} present" in chosen


def _contradictions(one: Blindspot, other: Blindspot) -> int:
    return sum(name in other and other[name] != value for name, value in one.items())
