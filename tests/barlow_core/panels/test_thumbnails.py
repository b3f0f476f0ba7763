from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from barlow_core.errors import ImageError
from barlow_core.panels import thumbnails
from barlow_core.panels.thumbnails import for_browser


@pytest.fixture
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8))


@pytest.mark.parametrize(("suffix", "mime_type"), [("png", "image/png"), ("jpg", "image/jpeg"), ("webp", "image/webp")])
def test_an_image_that_browsers_read_is_served_as_its_file(
    tmp_path: Path, noise: Image.Image, suffix: str, mime_type: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    noise.save(path)
    assert for_browser(path) == (path, mime_type, 20, 30)


def test_the_type_is_read_from_the_file_not_from_its_name(tmp_path: Path, noise: Image.Image) -> None:
    noise.save(tmp_path / "a.jpg", "PNG")
    assert for_browser(tmp_path / "a.jpg").mime_type == "image/png"


def test_size_is_that_of_the_upright_image(tmp_path: Path, noise: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise.save(tmp_path / "a.jpg", exif=exif)
    found = for_browser(tmp_path / "a.jpg")
    assert (found.width, found.height) == (30, 20)


@pytest.mark.parametrize("mode", ["CMYK", "I;16", "RGBA"])
def test_what_browsers_cannot_show_faithfully_becomes_a_copy(tmp_path: Path, noise: Image.Image, mode: str) -> None:
    path = tmp_path / ("a.png" if mode == "RGBA" else "a.tif")
    if mode == "I;16":
        Image.fromarray(np.arange(600, dtype=np.uint16).reshape(30, 20)).save(path)
    else:
        noise.convert(mode).save(path)
    copy = for_browser(path)
    assert isinstance(copy.content, bytes)
    with Image.open(io.BytesIO(copy.content)) as image:
        assert image.size == (copy.width, copy.height) == (20, 30)
        assert image.mode == "RGB"


def test_a_large_file_becomes_a_small_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (300, 600, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(thumbnails, "LARGE", 1000)
    copy = for_browser(tmp_path / "a.png", side=200)
    assert (copy.mime_type, copy.width, copy.height) == ("image/jpeg", 200, 100)


def test_copies_are_kept_as_files_where_there_is_a_folder_for_them(
    tmp_path: Path, noise: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, cache = tmp_path / "a.tif", tmp_path / "cache"
    noise.resize((300, 200)).save(source)
    made = for_browser(source, side=150, cache=cache)
    assert isinstance(made.content, Path)
    assert made[1:] == ("image/jpeg", 150, 100)
    assert made.content.read_bytes() == for_browser(source, side=150).content
    with monkeypatch.context() as patched:
        patched.setattr(thumbnails, "open_image", lambda _: pytest.fail("made again"))
        assert for_browser(source, side=150, cache=cache) == made
    noise.save(source)
    assert for_browser(source, side=150, cache=cache)[1:] == ("image/png", 20, 30), "the file has changed"
    assert for_browser(source, side=10, cache=cache)[2:] == (7, 10)
    assert len(list(cache.iterdir())) == 3


def test_a_copy_that_cannot_be_kept_is_shown_all_the_same(tmp_path: Path, noise: Image.Image) -> None:
    noise.save(tmp_path / "a.tif")
    (tmp_path / "cache").write_text("a file in the way")
    assert isinstance(for_browser(tmp_path / "a.tif", cache=tmp_path / "cache").content, bytes)


@pytest.mark.parametrize("content", [None, b"", b"not an image"])
def test_a_missing_or_damaged_file_is_an_image_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.png"):
        for_browser(tmp_path / "a.png")
