"""Descriptions as vectors: texts to words, words to sums of word vectors, sums to unit vectors; some thousand at a time.

A description is the mean of the raw vectors of its known words that are not stop words. A mean and a sum point the same way, so sums do.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from gensim.models import KeyedVectors
from scipy.sparse import csr_matrix, vstack

from study.answers.table import DESCRIPTIONS, check_choice, checked
from study.answers.tokenization import Wording, content_words, known_words

CONCATENATED = "concatenated"
KINDS = (*DESCRIPTIONS, CONCATENATED)
# Descriptions at a time: 20 MB of float64 vectors.
BLOCK = 8192


class Descriptions:
    """The descriptions of a table of answers, made into Python's texts some thousand at a time: all of 600,000 at once take hundreds of
    megabytes.

    Args:
        kinds: of `KINDS`.
    """

    def __init__(self, answers: pd.DataFrame, kinds: Sequence[str], words: Words):
        for kind in kinds:
            check_choice(kind, KINDS, "The kind of description")
        self.kinds, self.words = kinds, words
        columns = DESCRIPTIONS if CONCATENATED in kinds else kinds
        table = checked(answers, columns)
        self.item, self.worker = table["item"], table["worker"]
        self.columns = {column: table[column].array for column in columns}

    def __len__(self) -> int:
        return len(self.item)

    def read(self, rows: np.ndarray) -> list[Read]:
        """Some descriptions, a kind after the other. Both texts of an answer have the words of the one and of the other."""
        texts = {name: column.take(rows).to_numpy(dtype=object) for name, column in self.columns.items()}
        read = {name: self.words.read(list(some)) for name, some in texts.items()}
        return [_both(*read.values()) if kind == CONCATENATED else read[kind] for kind in self.kinds]


class Words:
    """The distinct content words of the texts that were parsed so far.

    Attributes:
        words: in the order in which they were met.
        found: for every word the strings that it is looked up as, () for an unknown one.
        is_known: (words,) bool.
        added: (words, dimensions) float32, what a word adds to a description: its vector, or those of the parts of a compound.
    """

    def __init__(self, vectors: KeyedVectors, stop_words: Collection[str], wording: Wording):
        self.vectors, self.stop_words, self.wording = vectors, frozenset(stop_words), wording
        self.ids: dict[str, int] = {}
        self.words: list[str] = []
        self.found: list[tuple[str, ...]] = []
        self.is_known = np.zeros(0, dtype=bool)
        self._added = np.zeros((0, vectors.vector_size), dtype=np.float32)

    @property
    def added(self) -> np.ndarray:
        return self._added[: len(self.words)]

    def read(self, texts: Sequence[Any]) -> Read:
        """Some texts as numbers of words, each distinct one taken apart once; None, NaN and blanks are texts without words."""
        ids: dict[str, int] = {}
        given = (text if isinstance(text, str) and text.strip() else None for text in texts)
        codes = np.fromiter(
            (-1 if text is None else ids.setdefault(text, len(ids)) for text in given), dtype=np.intp, count=len(texts)
        )
        of_texts = [self.of(text) for text in ids]
        self.look_up()
        starts = np.concatenate([[0], np.cumsum([len(one) for one in of_texts])]).astype(np.intp)
        places = np.array(list(itertools.chain.from_iterable(of_texts)), dtype=np.intp)
        # An empty row at the end, which code -1 means.
        starts = np.append(starts, len(places))
        counts = csr_matrix((np.ones(len(places), dtype=np.float32), places, starts), (len(ids) + 1, len(self.words)))
        return Read(self, codes, counts)

    def of(self, text: str) -> list[int]:
        """The words of a text, by number."""
        ids = self.ids
        return [ids.setdefault(word, len(ids)) for word in content_words(text, stop_words=self.stop_words, wording=self.wording)]

    def look_up(self) -> None:
        """Look up the words that came in since the last time."""
        index = self.vectors.key_to_index
        new = list(itertools.islice(self.ids, len(self.words), None))
        found = [known_words(word, index, stop_words=self.stop_words, wording=self.wording) for word in new]
        start = len(self.words)
        self.words += new
        self.found += found
        self.is_known = np.append(self.is_known, np.array([bool(keys) for keys in found], dtype=bool))
        if len(self.words) > len(self._added):
            # Twice the room each time, so that growing costs no more than the vectors themselves.
            grown = np.zeros((max(len(self.words), 2 * len(self._added)), self._added.shape[1]), dtype=np.float32)
            grown[:start] = self._added[:start]
            self._added = grown
        for place, keys in enumerate(found, start=start):
            for key in keys:
                self._added[place] += self.vectors.vectors[index[key]]


@dataclass(frozen=True)
class Read:
    """Some descriptions as words.

    Attributes:
        words: of this and other descriptions.
        codes: for every description the row of its text, -1 for an empty or missing one.
        counts: (texts + 1, words met so far) float32, how often a text has a word; the last row is empty.
    """

    words: Words
    codes: np.ndarray
    counts: csr_matrix

    def lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """For every description: its words, and how many of them are known."""
        known = self.words.is_known[: self.counts.shape[1]].astype(np.float32)
        per_text = self.counts @ np.ones_like(known), self.counts @ known
        words, known = (counts[self.codes].astype(np.int64) for counts in per_text)
        return words, known

    def occurrences(self) -> np.ndarray:
        """How often each of the words met so far occurs in these descriptions."""
        times = np.bincount(self.codes[self.codes >= 0], minlength=self.counts.shape[0])
        found = np.zeros(len(self.words.words), dtype=np.int64)
        found[: self.counts.shape[1]] = self.counts.astype(np.float64).T @ times
        return found

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit vectors (descriptions, dimensions) float64, zero for those that are not usable, and which are."""
        added = self.words.added[: self.counts.shape[1]]
        units = np.zeros((len(self.codes), added.shape[1]))
        units[:] = self.counts[self.codes] @ added
        lengths = np.sqrt(np.einsum("nd,nd->n", units, units))
        usable = lengths > 0
        units[usable] /= lengths[usable, None]
        return units, usable


def _both(first: Read, second: Read) -> Read:
    """Two texts of each answer as one description."""
    pairs, codes = np.unique(np.column_stack([first.codes, second.codes]), axis=0, return_inverse=True)
    counts = []
    for read, rows in zip((first, second), pairs.T, strict=True):
        wide = read.counts.copy()
        wide.resize(read.counts.shape[0], len(read.words.words))
        counts.append(wide[rows])
    empty = csr_matrix((1, len(first.words.words)), dtype=np.float32)
    given = (first.codes >= 0) | (second.codes >= 0)
    return Read(first.words, np.where(given, codes.reshape(-1), -1), vstack([counts[0] + counts[1], empty], format="csr"))


def blocks(codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of whole items, some thousand at a time, and where in them each item starts."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    at = 0
    while at < len(starts):
        end = int(np.searchsorted(starts, starts[at] + BLOCK))
        stop = starts[end] if end < len(starts) else len(order)
        yield order[starts[at] : stop], starts[at:end] - starts[at]
        at = end
