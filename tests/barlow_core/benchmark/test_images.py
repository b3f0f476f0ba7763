from __future__ import annotations

import hashlib
import io
import shutil
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image
from torchvision.transforms.functional import resize

from barlow_core.benchmark.images import check_image, check_images, open_image, to_rgb
from barlow_core.errors import BarlowError, ImageError

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


def pixels(path: Path) -> list[tuple[int, ...]]:
    image = open_image(path)
    assert image.mode == "RGB"
    return [tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()]


def png(width: int, height: int, *, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG put together by hand, so that what is in it does not depend on Pillow."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (128, 0), (129, 1), (40000, 156), (65535, 255)])
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path, value: int, expected: int, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    Image.fromarray(np.full((2, 3), value, dtype=np.uint16)).save(path)
    assert pixels(path) == [(expected,) * 3] * 6


def test_16_bit_png_made_by_hand(tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    grey.write_bytes(png(2, 1, bits=16, colour=0, rows=b"\0" + struct.pack(">HH", 25700, 65535)))
    assert pixels(grey) == [(100,) * 3, WHITE]
    colour = tmp_path / "colour.png"
    colour.write_bytes(png(1, 1, bits=16, colour=2, rows=b"\0" + struct.pack(">HHH", 0x1234, 0x80FF, 0xFFFF)))
    assert pixels(colour) == [(0x12, 0x80, 0xFF)]


def test_pgm_of_12_bits_fills_the_range(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 2 1 4095\n" + np.array([4095, 0], ">u2").tobytes())
    assert pixels(path) == [WHITE, BLACK]


def test_float_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0, 0.2, 1]], np.float32)).save(path)
    assert pixels(path) == [BLACK, (51,) * 3, WHITE]
    Image.fromarray(np.array([[0, 51.4, 255]], np.float32)).save(path)
    assert pixels(path) == [BLACK, (51,) * 3, WHITE]
    for bad in (np.nan, -0.5, 300.0, np.inf):
        Image.fromarray(np.array([[0, bad, 1]], np.float32)).save(path)
        with pytest.raises(ImageError, match=r"a\.tif.*float values.*\[0, 1\] and \[0, 255\]"):
            open_image(path)


def test_integers_without_a_known_scale_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0, 70000]], np.int32)).save(path)
    with pytest.raises(ImageError, match="from 0 to 70000"):
        check_image(path)


@pytest.mark.parametrize(("ink", "expected"), [((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 255), BLACK), ((0, 0, 0, 0), WHITE)])
def test_cmyk(tmp_path: Path, ink: tuple[int, int, int, int], expected: tuple[int, ...]) -> None:
    tiff, jpeg = tmp_path / "a.tif", tmp_path / "a.jpg"
    Image.new("CMYK", (16, 16), ink).save(tiff)
    assert pixels(tiff)[0] == expected
    Image.new("CMYK", (16, 16), ink).save(jpeg, quality=100)
    data = jpeg.read_bytes()
    assert b"Adobe" in data, "this is the inverted kind"
    assert np.abs(np.subtract(pixels(jpeg)[0], expected)).max() <= 2


# Where the one red pixel of a 3 x 2 image, stored at the top left, is to be seen (EXIF 2.32, tag 0x0112).
@pytest.mark.parametrize(
    ("orientation", "size", "seen"),
    [
        (1, (3, 2), (0, 0)),
        (2, (3, 2), (2, 0)),
        (3, (3, 2), (2, 1)),
        (4, (3, 2), (0, 1)),
        (5, (2, 3), (0, 0)),
        (6, (2, 3), (1, 0)),
        (7, (2, 3), (1, 2)),
        (8, (2, 3), (0, 2)),
    ],
)
@pytest.mark.parametrize("extension", ["png", "tif", "webp"])
def test_exif_orientation(tmp_path: Path, orientation: int, size: tuple[int, int], seen: tuple[int, int], extension: str) -> None:
    stored = Image.new("RGB", (3, 2))
    stored.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{extension}", exif=exif, lossless=True)
    image = open_image(tmp_path / f"a.{extension}")
    assert image.size == size
    assert image.getpixel(seen) == RED
    assert np.asarray(image).sum() == 255


def test_exif_orientation_of_a_jpeg_and_broken_exif(tmp_path: Path) -> None:
    stored = Image.new("RGB", (32, 16))
    stored.paste(RED, (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "a.jpg", exif=exif)
    upright = open_image(tmp_path / "a.jpg")
    assert upright.size == (16, 32)
    assert np.abs(np.asarray(upright)[4, 8] - np.array(RED)).max() < 5
    stored.save(tmp_path / "b.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff broken")
    assert open_image(tmp_path / "b.jpg").size == (32, 16)


def test_transparency_is_over_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[255, 0, 0, 255], [0, 0, 0, 0], [0, 0, 255, 51]]], np.uint8)).save(tmp_path / "rgba.png")
    assert pixels(tmp_path / "rgba.png") == [RED, WHITE, (204, 204, 255)]

    grey = Image.merge("LA", [Image.new("L", (1, 1), 100), Image.new("L", (1, 1), 0)])
    grey.save(tmp_path / "la.png")
    assert pixels(tmp_path / "la.png") == [WHITE]

    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 255, 255, 0, 0])
    palette.putpixel((1, 0), 1)
    for name in ("p.png", "p.gif"):
        palette.save(tmp_path / name, transparency=0)
        assert pixels(tmp_path / name) == [WHITE, RED]
    palette.save(tmp_path / "opaque.png")
    assert pixels(tmp_path / "opaque.png") == [(0, 0, 255), RED]

    Image.new("RGB", (1, 1), (7, 8, 9)).save(tmp_path / "key.png", transparency=(7, 8, 9))
    assert pixels(tmp_path / "key.png") == [WHITE]


def test_one_bit_and_grey(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bits.png")
    assert pixels(tmp_path / "bits.png") == [WHITE, BLACK]
    Image.fromarray(np.array([[0, 77]], np.uint8)).save(tmp_path / "grey.png")
    assert pixels(tmp_path / "grey.png") == [BLACK, (77,) * 3]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_animations_show_their_first_frame(tmp_path: Path, name: str) -> None:
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    first.save(tmp_path / name, save_all=True, append_images=[second], lossless=True)
    with Image.open(tmp_path / name) as image:
        image.seek(1)  # raises where there is one frame only
    assert pixels(tmp_path / name) == [RED] * 16


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))


FORMATS = ["jpg", "png", "gif", "webp", "tif", "bmp", "ppm", "jp2", "avif", "qoi"]


@pytest.mark.parametrize("extension", FORMATS)
def test_truncated_files_are_refused_by_the_full_check(tmp_path: Path, extension: str) -> None:
    noise().save(tmp_path / f"a.{extension}")
    data = (tmp_path / f"a.{extension}").read_bytes()
    assert check_image(tmp_path / f"a.{extension}") == hashlib.blake2b(data, digest_size=16).hexdigest()
    broken = tmp_path / f"broken.{extension}"
    for share in (0.3, 0.6, 0.97):
        broken.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ImageError, match=rf"broken\.{extension}.*Expected a complete image"):
            check_image(broken)
        with pytest.raises(ImageError, match="broken"):
            open_image(broken)


def test_truncated_progressive_jpeg(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.jpg", progressive=True)
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match="truncated"):
        check_image(tmp_path / "a.jpg")
    assert len(check_image(tmp_path / "a.jpg", "header")) == 32, "the header alone is sound"


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello world")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    wrong = {
        "empty.png": r"is empty \(0 bytes\)",
        "text.png": "is not an image.*hello",
        "folder.png": "is a folder",
        "script.png": "is not an image",
        "missing.png": "no such file",
        "nul\0.png": "null",
    }
    for mode in ("full", "header"):
        for name, message in wrong.items():
            with pytest.raises(ImageError, match=message):
                check_image(tmp_path / name, mode)


def test_decompression_bomb(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png(20_000, 20_000, bits=1, colour=0, rows=b""))
    with pytest.raises(ImageError, match=r"bomb\.png.*too large.*400,000,000 pixels"):
        check_image(tmp_path / "bomb.png", "header")


def test_check_images_keeps_order_and_gives_reasons(tmp_path: Path) -> None:
    names = [f"{i:03d}.png" for i in range(150)]
    for i, name in enumerate(names):
        Image.new("L", (1 + i % 7, 2), i).save(tmp_path / name)
    (tmp_path / names[70]).write_bytes(b"")
    (tmp_path / names[149]).unlink()
    digests, reasons = check_images(tmp_path, names)
    assert reasons == {70: "is empty (0 bytes)", 149: "no such file"}
    assert [digests[i] for i in (70, 149)] == ["", ""]
    sound = [i for i in range(149) if i != 70]
    assert [digests[i] for i in sound] == [check_image(tmp_path / names[i]) for i in sound]
    assert check_images(tmp_path, names, "header")[0].tolist() == digests.tolist()
    with pytest.raises(BarlowError, match="check is 'none'"):
        check_images(tmp_path, names, "none")  # type: ignore[arg-type]


def test_digest_is_of_the_bytes_alone(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    (tmp_path / "other").mkdir()
    shutil.copy(tmp_path / "a.png", tmp_path / "other" / "b.jpg")
    assert check_image(tmp_path / "a.png") == check_image(tmp_path / "other" / "b.jpg")
    assert open_image(tmp_path / "other" / "b.jpg").size == (64, 48), "the bytes count, not the extension"


def test_to_rgb_of_an_image_in_memory() -> None:
    with pytest.raises(ImageError, match="float values"):
        to_rgb(Image.fromarray(np.full((2, 2), -1, np.float32)))
    image = noise()
    assert np.array_equal(np.asarray(to_rgb(image)), np.asarray(ImageOps.exif_transpose(image)))


@settings(deadline=None)
@given(
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=20),
    kind=st.sampled_from(FORMATS),
)
def test_damaged_bytes_never_escape_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]], kind: str
) -> None:
    buffer = io.BytesIO()
    noise().resize((16, 12)).save(buffer, format={"jpg": "jpeg", "tif": "tiff", "jp2": "jpeg2000"}.get(kind, kind))
    data = bytearray(buffer.getvalue())
    for place, value in damage:
        data[place % len(data)] = value
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(data)
    with suppress(ImageError):
        assert len(check_image(path)) == 32


@pytest.mark.parametrize(("side", "decoded"), [(100, (320, 212)), (50, (160, 106)), (26, (80, 53)), (120, (640, 424))])
@pytest.mark.parametrize("photo", ["china.jpg", "flower.jpg"])
def test_a_large_jpeg_at_a_fraction_of_its_size_looks_the_same_once_scaled(
    tmp_path: Path, photo: str, side: int, decoded: tuple[int, int]
) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(load_sample_image(photo)[:424]).save(path, quality=92)
    whole, reduced = open_image(path), open_image(path, least_side=2 * side)
    assert whole.size == (640, 424)
    assert reduced.size == decoded
    scaled = [np.asarray(resize(image, [side]), dtype=float) for image in (whole, reduced)]
    difference = np.abs(scaled[0] - scaled[1])
    assert difference.mean() < 1
    assert difference.max() <= 12


def test_a_jpeg_is_not_reduced_where_that_would_move_what_it_shows(tmp_path: Path) -> None:
    """427 rows are 213.5 pairs: decoded at a half, the 214th would be half a row of padding."""
    Image.new("RGB", (640, 427)).save(tmp_path / "a.jpg")
    assert open_image(tmp_path / "a.jpg", least_side=10).size == (640, 427)
    Image.new("RGB", (640, 426)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png", least_side=10).size == (640, 426)
