"""Image files as people really have them: into RGB on purpose, or refused with a reason.

Every colour format becomes 8-bit RGB in one place, so that the extractor, the inspected model and the person who
looks at a panel see the same pixels.

    EXIF orientation                 upright pixels
    1-bit, grey, palette             RGB
    any transparency                 composited over white
    CMYK                             RGB by the plain formula; JPEGs are taken as stored inverted, as Adobe does
    16-bit grey                      value / 257, rounded: 0..65535 fills 0..255, the same scale for every image
    16 bits a colour channel         the high byte
    float (TIFF)                     [0, 1] times 255, else [0, 255] as it is; NaN or any other range is refused
    animation (GIF, WebP, APNG)      its first frame
    truncated, damaged, no image     refused

Embedded colour profiles are not applied, as in the loaders that networks are trained with.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageOps

from barlow_core.errors import BarlowError, ImageError
from barlow_core.progress import progress_bar

CheckMode = Literal["full", "header"]

# Pillow loads its readers when a file first needs them, and a second thread may then miss one: load them now.
Image.init()
# Formats that say what they are in their first bytes. Left out on purpose: EPS (runs Ghostscript), TGA and others
# without a signature (any file may pass for one), and Pillow's stubs for formats that it cannot decode.
_SIGNED = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000", "QOI")
FORMATS = tuple(name for name in _SIGNED if name in Image.OPEN)
# fmt: off
EXTENSIONS = frozenset([
    ".jpg", ".jpeg", ".png", ".apng", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp",
    ".tif", ".tiff", ".webp", ".gif", ".avif", ".jp2", ".qoi",
])
# fmt: on
DIGEST_BYTES = 16
_TASK = 64  # Files a task: a smooth progress bar, and no more than 20,000 futures for 1.28 million images.


class _UnreadableError(Exception):
    """Why one file cannot be used, in a few words and without its name."""


def open_image(path: str | Path, *, digest: str | None = None, least_side: int | None = None) -> Image.Image:
    """Open an image file as upright 8-bit RGB, by the rules at the top of this module.

    Args:
        digest: what `check_image` returned earlier; the file must still have these bytes.
        least_side: JPEGs may come at a half, a quarter or an eighth of their size, as long as their shorter side keeps so many
            pixels; that decodes large photographs several times faster. With twice the side that the picture will be scaled to,
            its pixels then differ by less than 1 of 255 on average, and by about 10 in the finest detail.

    Returns:
        A PIL image of mode RGB, fully decoded; the file is closed.

    Raises:
        ImageError: the file is missing, empty, truncated, damaged, not an image, too large to be decoded safely
            (Pillow's limit of about 179 million pixels), or has values without a known scale; or it has changed.
    """
    with _reported(path):
        data = _read(Path(path))
        if digest is not None and _digest(data) != digest:
            raise ImageError(f"{path} has changed since it was imported. Put the old file back, or import the images again.")
        return _decode(data, least_side=least_side)


def check_image(path: str | Path, mode: CheckMode = "full") -> str:
    """Make sure that an image file can be used, and return the digest of its bytes.

    Args:
        mode: "full" decodes every pixel; "header" only looks at the head of the file, and so misses a truncated one.

    Returns:
        32 hex digits (BLAKE2b, 128 bits) of the file's bytes; the same in both modes, for any name and place.

    Raises:
        ImageError: see `open_image`.
    """
    with _reported(path):
        return _check(Path(path), mode)


def check_images(
    images_dir: Path, names: np.ndarray | list[str], mode: CheckMode = "full", *, progress: bool = False
) -> tuple[np.ndarray, dict[int, str]]:
    """Check many image files in parallel threads (decoding and hashing release the interpreter lock).

    Args:
        images_dir: the folder that `names` are relative to.
        names: (N,) POSIX paths.

    Returns:
        digests: (N,) str as from `check_image`, in the order of `names`; empty where the file is bad.
        reasons: position -> what is wrong with that file, without its name.
    """
    if mode not in ("full", "header"):
        raise BarlowError(f'check is {mode!r}. Expected "full" (decode every pixel) or "header" (quick).')
    digests = np.full(len(names), "", dtype=object)
    reasons: dict[int, str] = {}

    def work(start: int) -> list[tuple[str, str]]:
        return [_attempt(images_dir / name, mode) for name in names[start : start + _TASK]]

    bar = progress_bar(total=len(names), desc="check images", unit="image", shown=progress)
    threads = ThreadPoolExecutor()
    with warnings.catch_warnings():
        # Up to the limit of what is decoded, size is no problem; beyond it there is a reason, and no warning.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            tasks = threads.map(work, range(0, len(names), _TASK))
            for position, (digest, reason) in enumerate(itertools.chain.from_iterable(tasks)):
                digests[position] = digest
                if reason:
                    reasons[position] = reason
                bar.update()
        finally:
            threads.shutdown(cancel_futures=True)  # An interrupted check stops at once, however many images are left.
            bar.close()
    return digests, reasons


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn a PIL image of any mode into upright 8-bit RGB, by the rules at the top of this module.

    Raises:
        ImageError: its values have no known scale, or Pillow cannot convert its mode.
    """
    try:
        return _to_rgb(image)
    except _UnreadableError as error:
        expected = "Expected 8-bit or 16-bit pixels, or floats in [0, 1] or [0, 255]. Convert it first."
        raise ImageError(f"The image {error}. {expected}") from None


@contextmanager
def _reported(path: str | Path) -> Iterator[None]:
    try:
        yield
    except _UnreadableError as error:
        raise ImageError(
            f"{path}: {error}. Expected a complete image file ({', '.join(FORMATS)}). "
            "Put a good copy in its place, or leave it out (--skip-bad at import)."
        ) from None


def _attempt(path: Path, mode: CheckMode) -> tuple[str, str]:
    try:
        return _check(path, mode), ""
    except _UnreadableError as error:
        return "", str(error)


def _check(path: Path, mode: CheckMode) -> str:
    data = _read(path)
    if mode == "header":
        with _open(data):
            pass
    else:
        _decode(data, check=True)
    return _digest(data)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _UnreadableError("no such file") from None
    except IsADirectoryError:
        raise _UnreadableError("is a folder, not a file") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _UnreadableError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not data:
        raise _UnreadableError("is empty (0 bytes)")
    return data


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise _UnreadableError(f"is not an image (it begins with {data[:8]!r})") from None
    except Image.DecompressionBombError as error:
        raise _too_large(error) from None
    except Exception as error:  # Damage makes Pillow's readers fail in any way.
        raise _UnreadableError(f"has a damaged header ({_words(error)})") from None


def _decode(data: bytes, *, least_side: int | None = None, check: bool = False) -> Image.Image:
    with _open(data) as image:
        try:
            # All bytes are still read and entropy-decoded; only the inverse transform is cut short.
            if image.format == "JPEG" and check:
                image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
            elif image.format == "JPEG" and least_side is not None:
                scale = _reduction(*image.size, least_side)
                image.draft(None, (image.width // scale, image.height // scale))
            image.load()
            return _to_rgb(image)
        except _UnreadableError:
            raise
        except Image.DecompressionBombError as error:
            raise _too_large(error) from None
        except Exception as error:  # As above.
            raise _UnreadableError(f"is truncated or damaged ({_words(error)})") from None


def _reduction(width: int, height: int, least_side: int) -> int:
    """The largest of 8, 4, 2 and 1 by which an image can be reduced; what does not divide its sides would move its contents."""
    fits = (scale for scale in (8, 4, 2) if not (width % scale or height % scale) and min(width, height) // scale >= least_side)
    return next(fits, 1)


def _too_large(error: Image.DecompressionBombError) -> _UnreadableError:
    n_pixels, limit = (int(digits) for digits in re.findall(r"\d+", str(error))[:2])
    return _UnreadableError(
        f"is too large to be decoded safely: {n_pixels:,} pixels, where Pillow's limit is {limit:,}; make it smaller"
    )


def _words(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


def _to_rgb(image: Image.Image) -> Image.Image:
    image = _upright(image)
    if image.mode.startswith("I"):
        image = _from_integers(image)
    elif image.mode == "F":
        image = _from_floats(image)
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        return image.convert("RGB")
    except ValueError as error:
        raise _UnreadableError(f"has a colour mode that cannot become RGB ({_words(error)})") from None


def _upright(image: Image.Image) -> Image.Image:
    """The image itself where it is upright: Pillow would copy it, and it is copied by the conversion to RGB anyway."""
    try:
        image.load()
        turned = image.getexif().get(ExifTags.Base.Orientation) in range(2, 9)
        return ImageOps.exif_transpose(image) if turned else image
    except Exception:  # Orientation that no program can read turns nothing.
        return image


def _from_integers(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        known = "only 16 bits (0 to 65535) have a known scale"
        raise _UnreadableError(f"has integer values from {low} to {high}; {known}")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _from_floats(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # written so that NaN is refused, too
        known = "only [0, 1] and [0, 255] have a known scale"
        raise _UnreadableError(f"has float values from {low:g} to {high:g}; {known}")
    return Image.fromarray(np.rint(values * 255 if high <= 1 else values).astype(np.uint8))
