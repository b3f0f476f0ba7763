"""Word vectors: the ones that ship, or a file of one's own, of which only the words that a study needs are kept.

Google's vectors are 3 million words, 3.4 GB of memory and a minute to read; a study uses a few thousand words. So a file is read
once from end to end, what was asked for is kept in a small file in the cache, and the next start reads that one.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from gensim.models import KeyedVectors

from barlow_core.errors import BarlowError
from barlow_core.storage.shipped import data_dir

SHIPPED = "googlenews_subset.npz"
_CHUNK = 1 << 22
_LONGEST_WORD = 1 << 16
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    ImportError,
    zipfile.BadZipFile,
    zlib.error,
    pickle.UnpicklingError,
)


class _Words(NamedTuple):
    words: list[str]
    vectors: np.ndarray


def load_vectors(
    path: str | Path | None = None, *, words: Collection[str] | None = None, cache: str | Path | None = None
) -> KeyedVectors:
    """Word vectors, at their original lengths, float32.

    Args:
        path: None for the 31,530 Google News vectors that ship (data/WORD_VECTORS.md), or a file: word2vec's binary or text format
            (`GoogleNews-vectors-negative300.bin`), also gzipped; what gensim's `KeyedVectors.save` or a model's `save` wrote (these are
            pickles, which can run code: open only files that you trust); or an .npz with `w` words and `v` vectors. The
            format is told by the content.
        words: keep only these, those of them that the file has (`study.agreement.coverage.words_needed` names them for a table of
            answers). None keeps all, which for Google's file takes 3.4 GB.
        cache: the folder for the kept words of files; None for `vectors` in $BARLOW_CACHE, or in ~/.cache/barlow. A file is read
            from end to end again when it has changed (path, size or time), or when a word is asked for that never was before.

    Returns:
        A KeyedVectors; its order is the file's.

    Raises:
        BarlowError: the file is missing, damaged, or in no format of the above.
    """
    if path is None:
        return _keyed(_only(_read_npz(data_dir() / SHIPPED), words))
    file = Path(path)
    if not file.is_file():
        raise BarlowError(
            f"{str(path)!r}: no such file. Give a file of word vectors, such as GoogleNews-vectors-negative300.bin.gz, or none for the built-in ones."
        )
    if words is None:
        return _keyed(_read(file, None))
    wanted = {word for word in words if _possible(word)}
    kept = _cache_file(file, cache)
    found, asked = _read_kept(kept)
    if not wanted <= asked:
        asked |= wanted
        found = _read(file, asked)
        try:
            _write_kept(kept, found, asked)
        except OSError as error:
            raise BarlowError(
                f"The words of {str(path)!r} cannot be kept in {str(kept.parent)!r} ({error}). Name another folder as `cache`, or in $BARLOW_CACHE."
            ) from error
    return _keyed(_only(found, wanted))


def _keyed(found: _Words) -> KeyedVectors:
    vectors = KeyedVectors(found.vectors.shape[1])
    # What add_vectors does for new words, without its copies: twenty times faster and half the memory.
    vectors.index_to_key = found.words
    vectors.key_to_index = {word: i for i, word in enumerate(found.words)}
    vectors.vectors = np.ascontiguousarray(found.vectors, dtype=np.float32)
    vectors.next_index = len(found.words)
    return vectors


def _possible(word: str) -> bool:
    """Whether a file can have the word at all: no line break, no half of a character (a lone surrogate)."""
    return "\n" not in word and not any("\ud800" <= character <= "\udfff" for character in word)


def _only(found: _Words, words: Collection[str] | None) -> _Words:
    if words is None:
        return found
    wanted = words if isinstance(words, set | frozenset) else set(words)
    rows = [i for i, word in enumerate(found.words) if word in wanted]
    return _Words([found.words[i] for i in rows], found.vectors[rows])


# --- reading


def _read(file: Path, words: Collection[str] | None) -> _Words:
    """The vectors of `words` (None: all) in a file of any format."""
    try:
        with open(file, "rb") as raw:
            magic = raw.read(2)
        if magic == b"PK":
            found = _only(_read_npz(file), words)
        elif magic[:1] == b"\x80":
            found = _read_saved(file, words)
        else:
            with gzip.open(file, "rb") if magic == b"\x1f\x8b" else open(file, "rb") as stream:
                found = _read_word2vec(cast("IO[bytes]", stream), words)
    except _DAMAGE as error:
        raise BarlowError(
            f"{str(file)!r} cannot be read as word vectors: {error or type(error).__name__}. Expected word2vec's binary or text format "
            "(also .gz), a file that gensim's KeyedVectors.save wrote, or an .npz with `w` and `v`. If it is one, it is damaged: fetch it again."
        ) from error
    return found


def _read_npz(file: Path) -> _Words:
    with np.load(file) as arrays:
        words, vectors = [str(word) for word in arrays["w"]], arrays["v"]
    if vectors.ndim != 2 or len(words) != len(vectors):
        raise ValueError(f"{len(words):,} words, but vectors of shape {vectors.shape}")
    return _Words(words, vectors.astype(np.float32, copy=False))


def _read_saved(file: Path, words: Collection[str] | None) -> _Words:
    try:
        loaded = KeyedVectors.load(str(file), mmap="r")
    except AttributeError:
        loaded = None
    vectors = getattr(loaded, "wv", loaded)
    if not isinstance(vectors, KeyedVectors):
        raise ValueError("it is a pickle of something else than KeyedVectors")
    known = list(vectors.index_to_key)
    rows = (
        range(len(known))
        if words is None
        else sorted(vectors.key_to_index[word] for word in words if word in vectors.key_to_index)
    )
    return _Words([known[row] for row in rows], np.asarray(vectors.vectors[list(rows)], dtype=np.float32))


def _read_word2vec(stream: IO[bytes], words: Collection[str] | None) -> _Words:
    header = stream.readline(_LONGEST_WORD)
    try:
        n_words, size = (int(field) for field in header.split())
    except ValueError:
        raise ValueError(f"its first line, {header[:60]!r}, is not a number of words and a number of dimensions") from None
    if n_words < 1 or size < 1:
        raise ValueError(f"its first line says {n_words} words of {size} dimensions")
    wanted = None if words is None else {word.encode() for word in words}
    start = stream.read(_CHUNK)
    keys, found = (_scan_text if _looks_like_text(start, size) else _scan_binary)(stream, start, n_words, size, wanted)
    if not found:
        return _Words([], np.empty((0, size), dtype=np.float32))
    # A file may name a word twice; as in gensim, the first counts.
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    rows = sorted(first.values())
    return _Words([keys[row].decode("utf-8", errors="replace") for row in rows], np.stack([found[row] for row in rows]))


def _looks_like_text(start: bytes, size: int) -> bool:
    fields = start.split(b"\n", 1)[0].split()
    if len(fields) != size + 1:
        return False
    try:
        [float(field) for field in fields[1:]]
    except ValueError:
        return False
    return True


def _scan_binary(
    stream: IO[bytes], buffer: bytes, n_words: int, size: int, wanted: set[bytes] | None
) -> tuple[list[bytes], list[np.ndarray]]:
    keys: list[bytes] = []
    found: list[np.ndarray] = []
    width, at = 4 * size, 0
    for number in range(n_words):
        space = buffer.find(b" ", at)
        if space < 0 or space + 1 + width > len(buffer):
            more = stream.read(_CHUNK)
            buffer, at = buffer[at:] + more, 0
            space = buffer.find(b" ")
            if space > _LONGEST_WORD:
                raise ValueError(f"word {number + 1:,} is longer than {_LONGEST_WORD:,} bytes")
            while more and (space < 0 or space + 1 + width > len(buffer)):
                more = stream.read(_CHUNK)
                buffer += more
                space = buffer.find(b" ")
            if space < 0 or space + 1 + width > len(buffer):
                raise EOFError(f"it ends after {number:,} of the {n_words:,} words that its first line promises")
        # Some writers end a vector with a line break, which then leads the next word.
        key = buffer[at:space].lstrip(b"\n")
        if wanted is None or key in wanted:
            keys.append(key)
            found.append(np.frombuffer(buffer, dtype="<f4", count=size, offset=space + 1).copy())
        at = space + 1 + width
    return keys, found


def _scan_text(
    stream: IO[bytes], buffer: bytes, n_words: int, size: int, wanted: set[bytes] | None
) -> tuple[list[bytes], list[np.ndarray]]:
    keys: list[bytes] = []
    found: list[np.ndarray] = []
    number = 0
    while number < n_words:
        more = stream.read(_CHUNK)
        lines = (buffer + more).split(b"\n")
        buffer = lines.pop() if more else b""
        for line in lines[: n_words - number]:
            if not line.strip():
                continue
            number += 1
            key, _, values = line.partition(b" ")
            if wanted is None or key in wanted:
                vector = np.array(values.split(), dtype=np.float32)
                if len(vector) != size:
                    raise ValueError(f"word {number:,} has {len(vector)} values instead of {size}")
                keys.append(key)
                found.append(vector)
        if not more:
            break
    if number < n_words:
        raise EOFError(f"it ends after {number:,} of the {n_words:,} words that its first line promises")
    return keys, found


# --- what is kept of a file


def _cache_file(file: Path, cache: str | Path | None) -> Path:
    """Where the kept words of a file lie; another place once the file's path, size or time is another."""
    folder = (
        Path(cache)
        if cache is not None
        else Path(os.environ.get("BARLOW_CACHE") or Path.home() / ".cache" / "barlow") / "vectors"
    )
    status = file.stat()
    identity = hashlib.sha256(f"{file.resolve()}\n{status.st_size}\n{status.st_mtime_ns}".encode()).hexdigest()[:16]
    return folder / f"{file.name.split('.')[0]}-{identity}.npz"


def _read_kept(kept: Path) -> tuple[_Words, set[str]]:
    """The words that were found, and all that were looked for; nothing when the file is not there or not whole."""
    try:
        with np.load(kept) as arrays:
            words, asked = (bytes(arrays[name]).decode().split("\n") for name in ("words", "asked"))
            vectors = arrays["vectors"]
    except _DAMAGE:
        return _Words([], np.empty((0, 0), dtype=np.float32)), set()
    return _Words(words[: len(vectors)], vectors), set(asked)


def _write_kept(kept: Path, found: _Words, asked: Collection[str]) -> None:
    from barlow_core.storage.files import atomic_write  # brings pandas, which a start without anything to write does without

    with atomic_write(kept) as temporary:
        np.savez(temporary, vectors=found.vectors, words=_joined(found.words), asked=_joined(sorted(asked)))


def _joined(words: Collection[str]) -> np.ndarray:
    # One long text instead of an array of strings, in which every word would take the room of the longest.
    return np.frombuffer("\n".join(words).encode(), dtype=np.uint8)
