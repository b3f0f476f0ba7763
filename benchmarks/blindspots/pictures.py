"""Pictures of squares among other objects, every attribute of which is known: what blindspots are planted in.

A picture shows a plain or noisy background, perhaps one or two squares (whether there is one is the label), and perhaps a
rectangle, a circle and a word. Every attribute has two values, as in SpotCheck, and is a column of a table of flags:

    background dark, background noisy
    square present, square large, square orange, square striped, square twice, square above (the upper one lies in the upper half)
    rectangle | circle | word: present, large, orange, striped

Attributes of an object that is not there have values as well; nothing of them can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SIDE = 64
LABEL = "square present"
POSITION = "square above"
OTHERS = ("rectangle", "circle", "word")
TRAITS = ("large", "orange", "striped")
BACKGROUND = ("background dark", "background noisy")
SQUARE = tuple(f"square {trait}" for trait in (*TRAITS, "twice"))
ATTRIBUTES = (*BACKGROUND, LABEL, *SQUARE, POSITION, *(f"{name} {trait}" for name in OTHERS for trait in ("present", *TRAITS)))

BLUE, ORANGE, BLACK = (35, 95, 200), (235, 125, 25), (0, 0, 0)
GAP = 2  # pixels between objects
TRIES = 200  # places tried for an object before it is put where it overlaps least: in these pictures a few suffice


@dataclass(frozen=True)
class World:
    """Which attributes vary: the others are off in every picture (background light and plain, objects absent, small, blue ...).

    Attributes:
        free: names of ATTRIBUTES. "square present" and "square above" are always among them.
    """

    free: tuple[str, ...]

    @property
    def objects(self) -> tuple[str, ...]:
        """The objects besides the square that may be there."""
        return tuple(name for name in OTHERS if f"{name} present" in self.free)


EVERYTHING = World(ATTRIBUTES)


def draw_world(rng: np.random.Generator, n_objects: int, n_attributes: int) -> World:
    """Draw a world with `n_objects` (1 to 3) objects besides the square and `n_attributes` free attributes.

    The presence of the objects counts among these; label and position of the square do not: they are always free.
    """
    objects = [OTHERS[i] for i in sorted(rng.choice(len(OTHERS), size=n_objects, replace=False))]
    presence = [f"{name} present" for name in objects]
    others = [*BACKGROUND, *SQUARE, *(f"{name} {trait}" for name in objects for trait in TRAITS)]
    more = rng.choice(len(others), size=n_attributes - n_objects, replace=False)
    chosen = {LABEL, POSITION, *presence, *(others[i] for i in more)}
    return World(tuple(name for name in ATTRIBUTES if name in chosen))


def draw_pictures(world: World, n: int, rng: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw `n` pictures with independent attributes, each on in half of them.

    Returns:
        images: (n, SIDE, SIDE, 3) uint8. attributes: a row a picture, a column of bool for each of ATTRIBUTES.
    """
    table = {name: rng.random(n) < 0.5 if name in world.free else np.zeros(n, dtype=bool) for name in ATTRIBUTES}
    images = np.empty((n, SIDE, SIDE, 3), dtype=np.uint8)
    images[:] = np.where(table["background dark"], 185, 255)[:, None, None, None]
    for i in np.flatnonzero(table["background noisy"]):
        images[i][rng.random((SIDE, SIDE)) < 0.1] = 100
    # One row of flags a picture: faster than looking them up in columns.
    flags = np.column_stack([table[name] for name in ATTRIBUTES])
    for image, row in zip(images, flags, strict=True):
        _paint(image, dict(zip(ATTRIBUTES, row.tolist(), strict=True)), rng)
    return images, pd.DataFrame(table)


def _paint(image: np.ndarray, on: dict[str, bool], rng: np.random.Generator) -> None:
    placed: list[tuple[int, int, int, int]] = []
    if on[LABEL]:
        mask = _shape("square", on["square large"])
        half = SIDE // 2
        # The centre of the upper square decides: both lie in the lower half, or one of them in the upper.
        halves = [(0, half) if on[POSITION] else (half, SIDE)]
        if on["square twice"]:
            halves.append((0, SIDE) if on[POSITION] else (half, SIDE))
        for low, high in halves:
            _put(image, mask, on["square orange"], on["square striped"], placed, rng, low, high)
    for name in OTHERS:
        if on[f"{name} present"]:
            mask = _shape(name, on[f"{name} large"])
            _put(image, mask, on[f"{name} orange"], on[f"{name} striped"], placed, rng, 0, SIDE)


def _put(
    image: np.ndarray,
    mask: np.ndarray,
    orange: bool,
    striped: bool,
    placed: list[tuple[int, int, int, int]],
    rng: np.random.Generator,
    low: int,
    high: int,
) -> None:
    """Paint `mask` somewhere free, with its centre between rows `low` and `high`."""
    height, width = mask.shape
    top, bottom = max(0, low - height // 2), min(SIDE - height, high - height // 2 - 1)
    best, least = (top, 0), SIDE * SIDE
    for _ in range(TRIES):
        y, x = int(rng.integers(top, bottom + 1)), int(rng.integers(0, SIDE - width + 1))
        overlap = sum(
            max(0, min(x + width, right) - max(x, left) + GAP) * max(0, min(y + height, under) - max(y, over) + GAP)
            for left, over, right, under in placed
        )
        if overlap < least:
            best, least = (y, x), overlap
        if overlap == 0:
            break
    y, x = best
    placed.append((x, y, x + width, y + height))
    patch = image[y : y + height, x : x + width]
    patch[mask] = ORANGE if orange else BLUE
    if striped:
        patch[mask & (np.arange(width) % 4 >= 2)] = BLACK


def _shape(name: str, large: bool) -> np.ndarray:
    """(h, w) bool."""
    key = (name, large)
    if key not in _SHAPES:
        _SHAPES[key] = _make_shape(name, large)
    return _SHAPES[key]


_SHAPES: dict[tuple[str, bool], np.ndarray] = {}
_WORD = ("#####.#...#", "..#...#...#", "..#....#.#.", "..#.....#..", "..#....#.#.", "..#...#...#", "..#...#...#")


def _make_shape(name: str, large: bool) -> np.ndarray:
    if name == "square":
        return np.ones((12, 12) if large else (7, 7), dtype=bool)
    if name == "rectangle":
        return np.ones((10, 18) if large else (5, 10), dtype=bool)
    if name == "circle":
        diameter = 13 if large else 8
        y, x = np.ogrid[:diameter, :diameter]
        centre = (diameter - 1) / 2
        return (y - centre) ** 2 + (x - centre) ** 2 <= (diameter / 2) ** 2
    word = np.array([[letter == "#" for letter in row] for row in _WORD])
    return word.repeat(2, axis=0).repeat(2, axis=1) if large else word
