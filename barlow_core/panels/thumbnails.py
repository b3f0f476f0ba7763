"""An image file as a web browser can show it: the file itself where that is possible, else a small copy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from barlow_core.benchmark.images import open_image
from barlow_core.errors import ImageError
from barlow_core.panels.picture_cache import trim
from barlow_core.run import digest
from barlow_core.storage.files import atomic_write

# What every browser decodes, with these modes, as `images.open_image` would.
MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
MODES = ("RGB", "L", "P", "1")
LARGE = 1 << 20  # bytes; a page of forty photographs of this size is still quick on a local network


class BrowserImage(NamedTuple):
    """What to serve (a path, or the bytes of a small copy), its type, and its width and height in pixels."""

    content: Path | bytes
    mime_type: str
    width: int
    height: int


def for_browser(path: str | Path, *, side: int = 512, cache: Path | None = None) -> BrowserImage:
    """Decide how a browser gets to see an image.

    Args:
        cache: a folder for copies (such as `picture_cache.cache_folder(run) / "copies"`), so that they are served by path, too, and made once;
            None gives their bytes.
        side: longest side in pixels of the copy that stands for a large file, or for one that browsers cannot read or
            would show otherwise than it is computed with (TIFF, CMYK, 16 bits, transparency).

    Raises:
        ImageError: the file is missing or cannot be read.
    """
    path = Path(path)
    try:
        size_on_disk = path.stat().st_size
        with Image.open(path) as image:
            plain = image.format in MIME_TYPES and image.mode in MODES and "transparency" not in image.info
            if plain and size_on_disk <= LARGE and not getattr(image, "is_animated", False):
                width, height = _upright_size(image)
                return BrowserImage(path, MIME_TYPES[str(image.format)], width, height)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path} cannot be shown: {error or type(error).__name__}. Restore the file.") from error
    if cache is None:
        content, mime_type, width, height = _copy(path, side)
        return BrowserImage(content, mime_type, width, height)
    # The file of a copy has all that decides it in its name, and its size in pixels, which reading it again would tell as well.
    stamp = digest(str(path.resolve()), size_on_disk, path.stat().st_mtime_ns, side)
    for found in cache.glob(f"{stamp}-*"):
        width, height = (int(part) for part in found.stem.rsplit("-", 1)[1].split("x"))
        return BrowserImage(found, "image/png" if found.suffix == ".png" else "image/jpeg", width, height)
    content, mime_type, width, height = _copy(path, side)
    place = cache / f"{stamp}-{width}x{height}{'.png' if mime_type == 'image/png' else '.jpg'}"
    try:
        with atomic_write(place) as temporary:
            temporary.write_bytes(content)
        trim(cache)
    except OSError:  # a full disk: the picture is shown all the same
        return BrowserImage(content, mime_type, width, height)
    return BrowserImage(place, mime_type, width, height)


def _copy(path: Path, side: int) -> tuple[bytes, str, int, int]:
    """A small copy of an image: its bytes, type, width and height."""
    copy = open_image(path)
    copy.thumbnail((side, side))
    kind = "PNG" if max(copy.size) <= 64 else "JPEG"
    buffer = io.BytesIO()
    copy.save(buffer, kind, quality=90)
    return buffer.getvalue(), f"image/{kind.lower()}", *copy.size


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after the EXIF orientation, which browsers apply."""
    turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else image.size
