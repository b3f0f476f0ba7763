"""Downloads: continued after an interruption, used only when their hash is right, kept in one cache."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from filelock import FileLock

from barlow_core.errors import BarlowError
from barlow_core.extractors.checkpoints import convert
from barlow_core.progress import progress_bar


@dataclass(frozen=True)
class Download:
    """A checkpoint on the network: where, its SHA-256, its size, and the architecture of its weights."""

    url: str
    sha256: str
    megabytes: int
    arch: str


_ROBUST_IMAGENET = "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main"
# l2-robust (epsilon 3) ImageNet networks of Salman et al. 2020, "Do adversarially robust ImageNet models transfer better?", MIT.
DOWNLOADS = {
    "robust_resnet50": Download(
        url=f"{_ROBUST_IMAGENET}/resnet50_l2_eps3.ckpt",
        sha256="380b14e6f9750bffa1447cf7017f65da4dc5ce71a3dd112f107515dcf7b14d9d",
        megabytes=205,
        arch="resnet50",
    ),
    "robust_resnet18": Download(
        url=f"{_ROBUST_IMAGENET}/resnet18_l2_eps3.ckpt",
        sha256="b4315784a1a10257b05906aee94d6884678f7b77412d10100d7c05daa959eab0",
        megabytes=94,
        arch="resnet18",
    ),
}


def cache_dir() -> Path:
    """Where downloads are kept: $BARLOW_CACHE, or ~/.cache/barlow."""
    return Path(os.environ.get("BARLOW_CACHE") or Path.home() / ".cache" / "barlow")


def downloaded(name: str, *, download: bool = False, instead: str = "checkpoint", progress: bool = True) -> Path:
    """The file of a checkpoint of `DOWNLOADS` in the cache, already converted; fetched first where `download` says so.

    Args:
        instead: the argument that takes the path of the file, for the message.

    Raises:
        BarlowError: it is not there and `download` is False, or the download failed.
    """
    item = DOWNLOADS[name]
    target = cache_dir() / f"{name}.pt"
    if target.is_file():
        return target
    if not download:
        raise BarlowError(
            f"{name} is not on this machine yet. Let it be downloaded ({item.megabytes} MB from {item.url}, MIT licence) with "
            f"download=True (--download), or pass the file as {instead}=PATH (--{instead} PATH)."
        )
    original = fetch(item.url, cache_dir() / Path(item.url).name, item.sha256, progress=progress)
    # The file is dill-pickled with the settings of its training; the cache keeps its weights, 'model', and no code.
    convert(original, target, only=["model"], overwrite=True)
    original.unlink(missing_ok=True)
    return target


def fetch(url: str, path: Path, sha256: str, *, progress: bool = True) -> Path:
    """Download `url` to `path`, continuing an earlier attempt; the file appears only when it is whole and its hash is right.

    Raises:
        BarlowError: no connection, no such file, a connection that broke, a full disk, or another content than expected.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{part}.lock"):
            if path.is_file():  # another process was faster
                return path
            _stream(url, part, progress=progress)
            with open(part, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                part.unlink()
                raise BarlowError(
                    f"{url} served a different file from the expected one (SHA-256 {found}, expected {sha256}); it was removed. "
                    "Try again, and if it happens again, do not use that source."
                )
            os.replace(part, path)
    except HTTPError as error:
        raise BarlowError(f"{url} answered {error.code} {error.reason}. Get the file elsewhere and pass its path.") from error
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise BarlowError(
            f"{url} could not be reached ({getattr(error, 'reason', None) or error}). Check the network and run this again "
            "(it continues where it stopped), or get the file elsewhere and pass its path."
        ) from error
    except OSError as error:
        raise BarlowError(
            f"{path} could not be written ({error}). Free some space, or set BARLOW_CACHE to another folder."
        ) from error
    return path


def _stream(url: str, part: Path, *, progress: bool) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"User-Agent": "barlow"} | ({"Range": f"bytes={have}-"} if have else {}))
    try:
        response = cast(Any, urlopen(request, timeout=60))
    except HTTPError as error:
        if error.code == 416 and have:  # nothing beyond what we have: whole, or of another file, as the hash will tell
            return
        raise
    with closing(response):
        if response.status != 206:  # a server that does not continue sends everything again
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with open(part, "ab" if have else "wb") as file, progress_bar(
            desc=part.name.removesuffix(".part"), total=total, initial=have, unit="B", unit_scale=True, shown=progress
        ) as bar:  # fmt: skip
            while block := response.read(1 << 20):
                file.write(block)
                have += len(block)
                bar.update(len(block))
        if total is not None and have < total:
            raise ConnectionError(f"the connection broke after {have:,} of {total:,} bytes")
