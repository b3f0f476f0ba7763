"""Pictures show the attributes that their table says, and blindspots are what the published set-up asks for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.blindspots.pictures import ATTRIBUTES, BLUE, EVERYTHING, LABEL, ORANGE, OTHERS, SIDE, World, draw_pictures
from benchmarks.blindspots.planting import PER_WORLD, draw_worlds_designs, inside, membership


def colour(images: np.ndarray, rgb: tuple[int, int, int]) -> np.ndarray:
    """(n, SIDE, SIDE) bool."""
    return (images == rgb).all(axis=-1)


def test_squares_are_where_and_what_the_table_says() -> None:
    world = World((LABEL, "square large", "square orange", "square above", "square twice"))
    images, table = draw_pictures(world, 200, np.random.default_rng(0))
    painted = colour(images, BLUE) | colour(images, ORANGE)
    side = np.where(table["square large"], 12, 7)
    count = np.where(table["square twice"], 2, 1) * table[LABEL]
    assert painted.sum(axis=(1, 2)).tolist() == (side**2 * count).tolist()
    assert np.array_equal(colour(images, ORANGE).any(axis=(1, 2)), table[LABEL] & table["square orange"])
    # The centre of the upper one: its first painted row and half a side.
    upper = painted.any(axis=2).argmax(axis=1) + side // 2 < SIDE // 2
    shown = table[LABEL].to_numpy()
    assert np.array_equal(upper[shown], table["square above"].to_numpy()[shown])


def test_backgrounds() -> None:
    images, table = draw_pictures(World(("background dark", "background noisy")), 50, np.random.default_rng(1))
    noisy = (images == 100).all(axis=-1).mean(axis=(1, 2))
    assert np.array_equal(noisy > 0.05, table["background noisy"])
    assert np.array_equal(np.median(images, axis=(1, 2, 3)) == 185, table["background dark"])


def test_attributes_are_independent_coins_and_others_are_off() -> None:
    world = World((LABEL, "square above", "circle present", "circle striped"))
    _, table = draw_pictures(world, 2000, np.random.default_rng(2))
    assert list(table) == list(ATTRIBUTES)
    assert not table.drop(columns=list(world.free)).any(axis=None)
    assert (abs(table[list(world.free)].mean() - 0.5) < 0.05).all()


def test_same_generator_same_pictures() -> None:
    one, two = (draw_pictures(EVERYTHING, 5, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one[0], two[0])
    pd.testing.assert_frame_equal(one[1], two[1])


@pytest.mark.parametrize("world_seed", range(30))
def test_designs_follow_the_published_rules(world_seed: int) -> None:
    designs = draw_worlds_designs(world_seed)
    assert [design.seed for design in designs] == [world_seed * PER_WORLD + i for i in range(PER_WORLD)]
    for design in designs:
        world = design.world
        assert 1 <= len(world.objects) <= 3
        assert 5 <= len(world.free) - 2 <= 7
        assert 1 <= len(design.blindspots) <= 3
        for number, blindspot in enumerate(design.blindspots):
            assert 4 <= len(blindspot) <= 6
            assert set(blindspot) <= set(world.free) - {LABEL}
            for name in blindspot:
                thing, trait = name.split()
                assert trait == "present" or thing not in OTHERS or blindspot[f"{thing} present"]
            for other in design.blindspots[:number]:
                assert sum(name in other and other[name] != value for name, value in blindspot.items()) >= 2


def test_membership_is_the_conjunction_by_hand() -> None:
    table = pd.DataFrame(
        {
            LABEL: [True, True, False, True],
            "circle present": [True, True, True, False],
            "circle large": [False, True, False, False],
        }
    )
    assert inside({"circle present": True, "circle large": False}, table).tolist() == [True, False, False, False]


def test_blindspots_of_a_benchmark_are_disjoint_and_have_their_share() -> None:
    for design in draw_worlds_designs(4):
        _, table = draw_pictures(design.world, 3000, np.random.default_rng(5))
        members = membership(design, table)
        assert members.sum(axis=1).max() == 1
        expected = [2.0 ** -(len(blindspot) + 1) for blindspot in design.blindspots]
        assert members.mean(axis=0) == pytest.approx(expected, rel=0.6)
