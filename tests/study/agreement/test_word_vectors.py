"""Word vectors: the shipped ones, files in every format, and what is kept of them."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from barlow_core.errors import BarlowError
from study.agreement.word_vectors import load_vectors

WORDS = ["the", "Dog", "dog", "Köpfe", "health_care", "cat", "tube"]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def original() -> KeyedVectors:
    vectors = KeyedVectors(5)
    vectors.add_vectors(WORDS, np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32))
    return vectors


def save(vectors: KeyedVectors, folder: Path, name: str) -> Path:
    path = folder / name
    if "word2vec" in name:
        vectors.save_word2vec_format(str(path), binary=".bin" in name)
    elif name.endswith(".npz"):
        np.savez_compressed(path, w=np.array(vectors.index_to_key), v=vectors.vectors.astype(np.float16))
    elif name == "separate.kv":
        vectors.save(str(path), sep_limit=1)
    else:
        vectors.save(str(path))
    return path


FORMATS = ["word2vec.bin", "word2vec.bin.gz", "word2vec.txt", "word2vec.txt.gz", "plain.kv", "separate.kv", "ours.npz"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_words_and_the_raw_vectors(original: KeyedVectors, tmp_path: Path, name: str) -> None:
    path = save(original, tmp_path, name)
    every = load_vectors(path)
    assert isinstance(every, KeyedVectors)
    assert every.index_to_key == WORDS
    assert every.vectors.dtype == np.float32
    np.testing.assert_allclose(every.vectors, original.vectors, rtol=1e-3 if name == "ours.npz" else 1e-6)
    some = load_vectors(path, words=["tube", "dog", "canid"], cache=tmp_path / "cache")
    assert some.index_to_key == ["dog", "tube"]
    np.testing.assert_array_equal(some.vectors, every.vectors[[2, 6]])
    assert some.similarity("dog", "tube") == pytest.approx(original.similarity("dog", "tube"), abs=1e-3)


def test_a_model_file_gives_its_vectors(tmp_path: Path) -> None:
    from gensim.models import Word2Vec

    model = Word2Vec([["dog", "cat"], ["dog", "tube"]], vector_size=4, min_count=1, workers=1, seed=1)
    model.save(str(tmp_path / "word2.model"))
    loaded = load_vectors(tmp_path / "word2.model", words={"dog"}, cache=tmp_path / "cache")
    np.testing.assert_array_equal(loaded["dog"], model.wv["dog"])


def test_the_shipped_vectors_are_google_news_ones_at_their_original_lengths() -> None:
    vectors = load_vectors()
    assert vectors.vectors.shape == (31_530, 300)
    assert vectors.get_index("the") == vectors.index_to_key.index("the")
    # Lengths of the original file; unit vectors would give 1.
    lengths = np.linalg.norm(vectors.vectors, axis=1)
    assert 2 < np.median(lengths) < 4
    assert vectors.similarity("tube", "tubes") > vectors.similarity("tube", "dog")
    some = load_vectors(words=["tube", "dog", "nosuchword"])
    assert set(some.index_to_key) == {"tube", "dog"}
    np.testing.assert_array_equal(some["dog"], vectors["dog"])


def test_a_file_with_line_breaks_between_vectors_and_a_word_twice_reads_as_gensim_reads_it(
    original: KeyedVectors, tmp_path: Path
) -> None:
    path = tmp_path / "old.bin"
    records = [
        word.encode() + b" " + vector.tobytes() + b"\n"
        for word, vector in zip(["dog", "cat", "dog"], original.vectors[:3], strict=True)
    ]
    path.write_bytes(b"3 5\n" + b"".join(records))
    theirs = KeyedVectors.load_word2vec_format(str(path), binary=True)
    ours = load_vectors(path)
    assert ours.key_to_index == theirs.key_to_index == {"dog": 0, "cat": 1}
    assert ours.index_to_key == ["dog", "cat"]
    np.testing.assert_array_equal(ours.vectors, theirs.vectors[:2])


def test_vectors_that_straddle_the_pieces_a_file_is_read_in_come_out_whole(
    original: KeyedVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [save(original, tmp_path, name) for name in ("word2vec.bin", "word2vec.txt")]
    for size in (1, 7, 24, 25, 64):
        monkeypatch.setattr("study.agreement.word_vectors._CHUNK", max(size, 1))
        np.testing.assert_array_equal(load_vectors(paths[0]).vectors, original.vectors)
    # The kind of a file is told by its first line, which must be in the first piece.
    monkeypatch.setattr("study.agreement.word_vectors._CHUNK", 120)
    np.testing.assert_allclose(load_vectors(paths[1]).vectors, original.vectors, rtol=1e-6)


def test_the_second_start_does_not_read_the_file_and_a_new_word_or_a_new_file_does(
    original: KeyedVectors, tmp_path: Path
) -> None:
    path = save(original, tmp_path, "word2vec.bin")
    cache = tmp_path / "cache"
    first = load_vectors(path, words=["dog", "canid", "tube"], cache=cache)
    kept = list(cache.iterdir())
    assert len(kept) == 1

    # The same path, size and time, but no vectors in it any more: whoever reads it fails.
    status, whole = path.stat(), path.read_bytes()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = load_vectors(path, words=["tube", "canid"], cache=cache)
    assert again.index_to_key == ["tube"]
    np.testing.assert_array_equal(again["tube"], first["tube"])
    with pytest.raises(BarlowError):
        load_vectors(path, words=["tube", "cat"], cache=cache)

    path.write_bytes(whole)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load_vectors(path, words=["cat"], cache=cache).index_to_key == ["cat"]
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert set(load_vectors(path, words=["cat", "dog"], cache=cache).index_to_key) == {"cat", "dog"}, "words add up"
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(BarlowError):
        load_vectors(path, words=["cat"], cache=cache)


def test_a_damaged_cache_is_made_again(original: KeyedVectors, tmp_path: Path) -> None:
    path = save(original, tmp_path, "word2vec.bin")
    cache = tmp_path / "cache"
    load_vectors(path, words=["dog"], cache=cache)
    (kept,) = cache.iterdir()
    for damage in (b"", b"PK", kept.read_bytes()[:200]):
        kept.write_bytes(damage)
        np.testing.assert_array_equal(load_vectors(path, words=["dog"], cache=cache)["dog"], original["dog"])


def test_the_cache_is_where_the_environment_says(original: KeyedVectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARLOW_CACHE", str(tmp_path / "elsewhere"))
    load_vectors(save(original, tmp_path, "word2vec.bin"), words=["dog"])
    assert [path.name.startswith("word2vec-") for path in (tmp_path / "elsewhere" / "vectors").iterdir()] == [True]


def test_words_that_no_file_can_have_do_no_harm(original: KeyedVectors, tmp_path: Path) -> None:
    path = save(original, tmp_path, "word2vec.bin")
    found = load_vectors(path, words=["dog", "\ud800", "a\nb", ""], cache=tmp_path / "cache")
    assert found.index_to_key == ["dog"]
    assert load_vectors(path, words=[], cache=tmp_path / "cache").index_to_key == []
    assert load_vectors(path, words=["nosuchword"], cache=tmp_path / "other").index_to_key == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_named_and_explained(original: KeyedVectors, tmp_path: Path, name: str) -> None:
    path = save(original, tmp_path, name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    for words in (None, ["dog"]):
        with pytest.raises(BarlowError, match=rf"{name}.*cannot be read as word vectors"):
            load_vectors(path, words=words, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "first line"),
        (b"hello there\n", "first line"),
        (b"\xff\xd8\xff\xe0 a photo", "first line"),
        (b"0 300\n", "0 words"),
        (b"3 5\ndog ", "ends after 0 of the 3 words"),
        (b"2 2\ndog 1 2\ncat 1\n", "word 2 has 1 values instead of 2"),
        (b"2 2\ndog 1 2\ncat 1 x\n", "could not convert"),
        (gzip.compress(b"3 5\ndog ", mtime=0), "ends after 0 of the 3 words"),
        (b"\x80\x04K\x01.", "a pickle of something else than KeyedVectors"),
    ],
)
def test_what_is_no_file_of_word_vectors_is_said_to_be_none(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "wrong.bin"
    path.write_bytes(content)
    with pytest.raises(BarlowError, match=says) as caught:
        load_vectors(path)
    assert "KeyedVectors.save" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BarlowError, match="nowhere.bin': no such file"):
        load_vectors(tmp_path / "nowhere.bin")


SECOND_START = """
import sys
from study.agreement.word_vectors import load_vectors


def told(file, name):
    return int(next(line for line in open(f"/proc/self/{file}") if line.startswith(name)).split()[1])


# The peak of this process; getrusage would count what its parent had before. What the imports take differs between machines.
libraries = told("status", "VmHWM")
vectors = load_vectors(sys.argv[1], words=open(sys.argv[2]).read().split(), cache=sys.argv[3])
print(len(vectors), told("io", "rchar"), (told("status", "VmHWM") - libraries) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="tells what was read, and the peak memory, on Linux only")
def test_the_second_start_leaves_the_big_file_alone_and_takes_under_40_megabytes(tmp_path: Path) -> None:
    """How long it takes, benchmarks/bench_agreement.py prints."""
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(60_000)]
    path = tmp_path / "big.bin"
    with open(path, "wb") as file:
        file.write(b"60000 300\n")
        for word in words:
            file.write(word.encode() + b" " + rng.random(300, dtype=np.float32).tobytes())
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(" ".join(words[::12]))
    arguments = [sys.executable, "-c", SECOND_START, str(path), str(wanted), str(tmp_path / "cache")]
    starts = [subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2)]
    (_, first_read, _), (n, second_read, megabytes) = ([int(number) for number in start.stdout.split()] for start in starts)
    assert n == 5000
    assert first_read - second_read > 0.8 * path.stat().st_size
    assert megabytes < 40, "5,000 vectors are 6 MB; the file's 60,000 are 72"
