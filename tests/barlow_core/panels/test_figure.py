from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from barlow_core.panels import Panel, PanelImage
from barlow_core.panels.figure import panel_figure, save_figure
from barlow_core.panels.pictures import write_picture

RED, GREEN, BLUE, PINK = (250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 0, 250)


@pytest.fixture
def panel(tmp_path: Path) -> Panel:
    """A panel of two images in which every section has a colour of its own."""
    images = []
    for i in range(2):
        for row, colour in zip("abc", (RED, GREEN, BLUE), strict=True):
            write_picture(tmp_path / f"{row}_{i}.png", np.full((160, 160, 3), colour, dtype=np.uint8))
        images.append(PanelImage(i, f"{i}.png", "cat", "dog", 1.5, 2.5, f"a_{i}.png", f"h_{i}.png", f"b_{i}.png", f"c_{i}.png"))
    return Panel(
        "key",
        "label:cat",
        7,
        2,
        "group",
        (0.0, 1.5),
        {"steps": 1, "step_size": 1.0, "epsilon": 1.0},
        32,
        {},
        tuple(images),
        tmp_path,
    )


def rows_of(figure: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Which rows of pixels show `colour`."""
    close = (np.abs(np.asarray(figure).astype(int) - colour) < 12).all(axis=2)
    return np.flatnonzero(close.sum(axis=1) > 30)


def columns_of(figure: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    return rows_of(figure.transpose(Image.Transpose.TRANSPOSE), colour)


def test_sections_stand_under_each_other_and_failures_below(panel: Panel) -> None:
    failures = [(Image.new("RGB", (32, 32), PINK), "label cat\npredicted dog")] * 5
    figure = panel_figure(panel, failures, "Visualization of feature[7].")
    sections = [rows_of(figure, colour) for colour in (RED, GREEN, BLUE, PINK)]
    for above, below in itertools.pairwise(sections):
        assert above.max() < below.min()
    columns = [columns_of(figure, colour) for colour in (RED, GREEN, BLUE, PINK)]
    for other in columns[1:]:
        assert (columns[0].min(), columns[0].max()) == (other.min(), other.max()), (
            "a column is one image; five failures became two"
        )
    side = sections[0].max() - sections[0].min()
    assert side == pytest.approx(1.12 * 200, abs=3)


def test_nothing_is_written_over_pictures_or_beyond_the_edge(panel: Panel) -> None:
    long = "a class with a very long name, such as Old English sheepdog"
    failures = [(Image.new("RGB", (32, 32), PINK), f"label {long}\npredicted {long}")] * 2
    figure = panel_figure(panel, failures, "when feature[7] < $0.5$ and so on, " * 6)
    pixels = np.asarray(figure)
    for colour in (RED, GREEN, BLUE, PINK):
        rows, columns = rows_of(figure, colour), columns_of(figure, colour)
        left = pixels[rows.min() + 3 : rows.max() - 3, columns.min() + 3 : columns.min() + 200]
        assert (np.abs(left.astype(int) - colour) < 12).all()
    border = np.concatenate([pixels[:4].reshape(-1, 3), pixels[-4:].reshape(-1, 3), pixels[:, -4:].reshape(-1, 3)])
    assert (border == 255).all()


def test_without_failures_there_are_three_rows(panel: Panel) -> None:
    shorter, longer = panel_figure(panel), panel_figure(panel, [(Image.new("RGB", (9, 9)), "x")])
    assert shorter.height < longer.height
    assert shorter.width == longer.width


def test_a_wide_failure_is_not_cropped(panel: Panel) -> None:
    figure = panel_figure(panel, [(Image.new("RGB", (64, 16), PINK), "wide")])
    rows, columns = rows_of(figure, PINK), columns_of(figure, PINK)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(4, rel=0.1)


def test_one_image_is_enough(panel: Panel) -> None:
    assert panel_figure(replace(panel, images=panel.images[:1], k=1)).width > 300


def test_saved_twice_is_the_same_file_without_a_date(panel: Panel, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        save_figure(tmp_path / name, panel_figure(panel))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as figure:
        assert set(figure.info) == {"dpi"}
        assert figure.info["dpi"] == pytest.approx((200, 200), abs=0.1)
