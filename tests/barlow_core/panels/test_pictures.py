from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from barlow_core.panels.pictures import enlarge, heatmaps, looking_size, overlay, suffix, to_pixels, write_picture


def test_heatmaps_by_hand() -> None:
    """[2, 4; 6, 2] becomes [0, 1/2; 1, 0]; at twice the size, pixel centres lie a quarter and three quarters between."""
    heat = heatmaps(np.array([[[2.0, 4.0], [6.0, 2.0]]]), 4)
    assert heat.shape == (1, 4, 4)
    assert heat.dtype == np.float32
    assert heat[0, 0].tolist() == pytest.approx([0, 0.125, 0.375, 0.5])
    assert heat[0, 3].tolist() == pytest.approx([1, 0.75, 0.25, 0])
    # A quarter of the way down from the top row towards the bottom one.
    assert heat[0, 1].tolist() == pytest.approx([0.25, 0.125 + (0.75 - 0.125) / 4, 0.375 + (0.25 - 0.375) / 4, 0.375])


def test_each_map_has_its_own_scale() -> None:
    maps = torch.tensor([[[0.0, 1.0]], [[-300.0, 100.0]]])
    assert heatmaps(maps, (1, 2)).tolist() == [[[0, 1]], [[0, 1]]]


@pytest.mark.parametrize("value", [0.0, 3.0, -1.0])
def test_a_constant_map_points_nowhere(value: float) -> None:
    assert (heatmaps(np.full((2, 3, 3), value), 5) == 0).all()


def test_no_maps() -> None:
    assert heatmaps(np.empty((0, 4, 4)), (6, 8)).shape == (0, 6, 8)


def test_overlay_colours_heat_and_keeps_the_light_of_the_image() -> None:
    image = np.zeros((1, 1, 4, 3), dtype=np.uint8)
    image[0, 0, 2:] = 255
    cold_black, hot_black, cold_white, hot_white = overlay(image, np.array([[[0, 1, 0, 1]]], dtype=float))[0, 0].astype(int)
    assert cold_black.tolist() == pytest.approx([0.45 * c for c in (0, 0, 4)], abs=1)  # inferno's lower end
    assert hot_black.tolist() == pytest.approx([0.45 * c for c in (252, 255, 164)], abs=1)  # and its upper one
    # The white pixel is lighter by the share of the image, 0.55 of 255, whatever the heat.
    assert (cold_white - cold_black).tolist() == pytest.approx([140.25] * 3, abs=1)
    assert (hot_white - hot_black).tolist() == pytest.approx([140.25] * 3, abs=1)


def test_overlay_grows_lighter_with_heat() -> None:
    grey = np.full((1, 1, 256, 3), 100, dtype=np.uint8)
    light = overlay(grey, np.linspace(0, 1, 256)[None, None])[0, 0] @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(light) > -0.6).all()  # 8-bit rounding may take half a level back
    assert light[-1] - light[0] > 90


@pytest.mark.parametrize(("side", "shown"), [(16, 160), (28, 168), (32, 160), (64, 192), (96, 192), (128, 128), (224, 224)])
def test_small_images_are_shown_a_whole_number_of_times_larger(side: int, shown: int) -> None:
    assert looking_size(side) == shown
    assert suffix(side) == (".png" if side < 128 else ".jpg")


def test_enlarge() -> None:
    images = np.full((2, 4, 4, 3), 77, dtype=np.uint8)
    assert (enlarge(images, 16) == 77).all()
    assert enlarge(images, 16).shape == (2, 16, 16, 3)
    assert enlarge(images, 4) is images


def test_pixels_are_rounded_to_the_nearest_level() -> None:
    images = torch.tensor([0.0, 0.4 / 255, 0.6 / 255, 1.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert to_pixels(images)[0, :, :, 0].tolist() == [[0, 0], [1, 255]]


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_the_same_pixels_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_picture(tmp_path / folder / name, pixels)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    with Image.open(tmp_path / "one" / name) as picture:
        assert picture.size == (40, 40)
        assert name.endswith("jpg") or np.array_equal(np.asarray(picture), pixels)


def test_photographs_are_written_so_that_they_come_in_at_once(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    write_picture(tmp_path / "photograph.jpg", pixels)
    with Image.open(tmp_path / "photograph.jpg") as image:
        assert image.info["progressive"] == 1


def test_noise_fits_into_a_progressive_file(tmp_path: Path) -> None:
    """More bytes than pixels: what an attack on a network without training draws."""
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    write_picture(tmp_path / "noise.jpg", noise)
    assert (tmp_path / "noise.jpg").stat().st_size > 224 * 224
    with Image.open(tmp_path / "noise.jpg") as picture:
        assert picture.size == (224, 224)
        picture.load()
