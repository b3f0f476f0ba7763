from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from barlow_core.benchmark.masks import mask_digest, read_mask
from barlow_core.errors import BarlowError

NAMES = ["a/1.png", "a/2.png", "b/2.png", "b/3.png"]


def read(tmp_path: Path, text: str | bytes) -> list[bool]:
    path = tmp_path / "chosen.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_mask(path, NAMES))


@pytest.mark.parametrize(
    "text",
    [
        "a/1.png\nb/3.png\n",
        "Filenames\na/1.png\nb/3.png",
        "\ufefffilename\r\n 1.png \r\n\r\n3.png\r\n",
        "./a/1.png\nb\\3.png\n",
        "Filenames,night\na/1.png,True\na/2.png,false\nb/3.png,YES\n",
        "night,Filename\n1,1.png\n0,b/2.png\n1,3.png\n",
    ],
)
def test_names_or_a_column_say_which_images(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == [True, False, False, True]


def test_an_array_says_so_in_the_order_of_the_images(tmp_path: Path) -> None:
    np.save(tmp_path / "chosen.npy", np.array([False, True, False, False]))
    assert read_mask(tmp_path / "chosen.npy", NAMES).tolist() == [False, True, False, False]
    np.save(tmp_path / "short.npy", np.array([False, True]))
    with pytest.raises(BarlowError, match=r"short.npy holds bool of shape \(2,\). Expected bool of shape \(4,\)"):
        read_mask(tmp_path / "short.npy", NAMES)
    (tmp_path / "text.npy").write_text("a/1.png")
    with pytest.raises(BarlowError, match=r"text.npy cannot be read as an .npy array"):
        read_mask(tmp_path / "text.npy", NAMES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "chosen.csv is empty"),
        ("a/1.png\nc/9.png\n", "line 2: 'c/9.png' names no image, or more than one"),
        ("2.png\n", "line 1: '2.png' names no image, or more than one"),
        ("a/1.png\n\n1.png\n", "line 3: '1.png' was named before"),
        ("Filenames,night\na/1.png,perhaps\n", "line 2: 'perhaps' is neither true nor false"),
        ("Filenames,night\na/1.png\n", "line 2: 1 field; expected 2"),
        ("Filenames,night,rain\na/1.png,1,0\n", "has the columns 'Filenames', 'night', 'rain'"),
        ("picture,night\na/1.png,1\n", "has the columns 'picture', 'night'"),
        ("Filenames,night\na/1.png,no\n", "chooses none of 4 images"),
        ("Filenames\n", "chooses none of 4 images"),
        ("x\n" * 9, "line 3: 'x' names no image, or more than one; and 6 more"),
        (b"a/1.png\n\xff\xfa\n", "chosen.csv"),
        ('Filenames\n"a/1.png\n', "a quotation mark is open"),
    ],
)
def test_what_is_wrong_is_told_by_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(BarlowError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "chosen.csv" in str(caught.value)


def test_a_missing_file_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="none.txt.*filenames, one per line"):
        read_mask(tmp_path / "none.txt", NAMES)


def test_a_digest_tells_masks_apart() -> None:
    masks = [[True], [False], [True, False], [False, True], [True, True], [True] + [False] * 8]
    assert len({mask_digest(np.array(mask)) for mask in masks}) == len(masks)
