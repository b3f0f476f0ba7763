"""How much the descriptions of an item agree (appendix G of the paper): mean cosine between the word vectors of its descriptions.

The rule is the one that reproduces the paper's numbers. A description is put into lower case and split on punctuation; stop words
and words without a vector are dropped; its vector is the mean of what is left, of raw vectors, not of unit vectors. The agreement is the
mean cosine over all pairs of descriptions, equal ones included. `Wording` holds departures from it, all off.

A mean and a sum of vectors point the same way, and a mean over pairs needs no pairs: for unit vectors u_1 ... u_n with sum S it
is (|S|^2 - n) / (n (n - 1)).
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

from barlow_core.errors import BarlowError
from study.agreement.word_vectors import load_vectors
from study.answers.table import DESCRIPTIONS, check_choice, checked
from study.answers.tokenization import AS_THE_PAPER, STOP_WORDS, Wording, content_words, known_words, lookups

__all__ = [
    "CONCATENATED",
    "STOP_WORDS",
    "Agreement",
    "Coverage",
    "Wording",
    "agreement",
    "agreements_and_pairs",
    "answer_similarity",
    "coverage",
    "description_agreement",
    "item_agreement",
    "load_vectors",
    "words_needed",
]

CONCATENATED = "concatenated"
KINDS = (*DESCRIPTIONS, CONCATENATED)
# Descriptions at a time: 20 MB of float64 vectors.
_BLOCK = 8192
# Beyond it, an interval resamples items only.
MOST_PAIRS = 4_000_000

NOTHING = "nobody described it"
NO_WORDS = "no description has a known word that is no stop word"
ONLY_ONE = "only one description has a known word that is no stop word, and agreement needs two"
_REASONS = np.array([None, NOTHING, NO_WORDS, ONLY_ONE], dtype=object)


@dataclass(frozen=True)
class Agreement:
    """The agreement of the descriptions of one item.

    Attributes:
        value: from -1 to 1; None when fewer than two descriptions are usable.
        n: descriptions that are not empty.
        usable: those of them with at least one known word that is no stop word.
        unknown: the words without a vector, sorted.
        reason: why there is no value; else None.
    """

    value: float | None
    n: int
    usable: int
    unknown: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True)
class Coverage:
    """How many words of a study have a vector. Stop words count on neither side.

    Attributes:
        words: occurrences of words in all answers.
        known: those of them with a vector.
        unknown: a table with columns `word` and `occurrences`, most frequent first.
    """

    words: int
    known: int
    unknown: pd.DataFrame

    @property
    def share(self) -> float | None:
        """known / words; None when there are no words."""
        return self.known / self.words if self.words else None


def description_agreement(
    descriptions: Sequence[Any],
    vectors: KeyedVectors,
    *,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> float | None:
    """The agreement of the descriptions of one item, from -1 to 1; None when fewer than two are usable (`agreement` says why).

    Args:
        descriptions: texts; None and NaN stand for descriptions that are missing.
        vectors: see `load_vectors`.
        stop_words: in lower case.
    """
    return agreement(descriptions, vectors, stop_words=stop_words, wording=wording).value


def agreement(
    descriptions: Sequence[Any],
    vectors: KeyedVectors,
    *,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> Agreement:
    """`description_agreement` with what it rests on.

    Raises:
        BarlowError: `descriptions` is one text.
    """
    if isinstance(descriptions, str):
        raise BarlowError(
            f"The descriptions are one text, {descriptions[:60]!r}; expected a list of texts, one for each description."
        )
    texts = list(descriptions)
    words = _Words(vectors, stop_words, wording)
    read = words.read(texts)
    tally = _Tally(1)
    tally.add(np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp), read, *read.units())
    row = tally.table().iloc[0]
    value = None if row["agreement"] is pd.NA else float(row["agreement"])
    unknown = tuple(sorted(word for word, found in zip(words.words, words.found, strict=True) if not found))
    return Agreement(value, int(row["n"]), int(row["usable"]), unknown, row["reason"])


def item_agreement(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kind: str = "short",
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> pd.DataFrame:
    """The agreement of every item.

    Args:
        answers: a table of answers (`study.answers.table`).
        kind: "short", "long", or "concatenated" (both texts of an answer as one).

    Returns:
        A table with the items as index, in the order of their first answer: `n` (descriptions that are not empty), `usable`,
        `words` (that are no stop words), `known` (with a vector), `agreement` (Float64, <NA> where it is undefined) and `reason` (why
        it is undefined, else None).

    Raises:
        BarlowError: see `study.answers.table.checked`; or another `kind`.
    """
    descriptions = _Descriptions(answers, [kind], _Words(vectors, stop_words, wording))
    codes, items = pd.factorize(descriptions.item)
    tally = _Tally(len(items))
    for rows, starts in _blocks(codes):
        (read,) = descriptions.read(rows)
        tally.add(codes[rows[starts]], starts, read, *read.units())
    return tally.table(pd.Index(items, name="item"))


def answer_similarity(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kind: str = "short",
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> np.ndarray:
    """For every answer the mean cosine between its description and the others of the item.

    Returns:
        (number of answers,) float64 from -1 to 1, in the order of the table; NaN where the answer or all others are not usable.

    Raises:
        BarlowError: as `item_agreement`.
    """
    descriptions = _Descriptions(answers, [kind], _Words(vectors, stop_words, wording))
    codes, _ = pd.factorize(descriptions.item)
    similarity = np.full(len(codes), np.nan)
    for rows, starts in _blocks(codes):
        (read,) = descriptions.read(rows)
        units, usable = read.units()
        sizes = np.diff([*starts, len(rows)])
        others = np.repeat(np.add.reduceat(usable.astype(np.int64), starts), sizes) - 1
        sums = np.repeat(np.add.reduceat(units, starts, axis=0), sizes, axis=0)
        defined = usable & (others > 0)
        cosines = np.einsum("nd,nd->n", units, sums - units)[defined] / others[defined]
        similarity[rows[defined]] = np.clip(cosines, -1, 1)
    return similarity


def agreements_and_pairs(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kinds: Sequence[str] = KINDS,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame | None]:
    """`item_agreement` of several kinds, and the cosine of every two descriptions of an item: what its agreement is the mean of, and what
    resampling workers weighs anew. Every description is read once for both.

    Returns:
        For each kind what `item_agreement` returns; and a row a pair of answers about one item: `item`, `first`, `second` (the workers; all
        three categorical) and a column a kind (float32, from -1 to 1; NaN where one of the two descriptions is not usable), the items in the
        order of their first answer. None in its place for more than `MOST_PAIRS` pairs.

    Raises:
        BarlowError: as `item_agreement`.
    """
    descriptions = _Descriptions(answers, kinds, _Words(vectors, stop_words, wording))
    codes, items = pd.factorize(descriptions.item)
    sizes = np.bincount(codes)
    few = int((sizes * (sizes - 1) // 2).sum()) <= MOST_PAIRS
    order = np.argsort(codes, kind="stable")
    first, second = _pairs(codes[order] if few else codes[:0])
    tallies = [_Tally(len(items)) for _ in kinds]
    cosines = [np.full(len(first), np.nan, dtype=np.float32) for _ in kinds]
    at = 0
    for rows, starts in _blocks(codes):
        some = slice(*np.searchsorted(first, [at, at + len(rows)]))
        left, right = first[some] - at, second[some] - at
        for tally, values, read in zip(tallies, cosines, descriptions.read(rows), strict=True):
            units, usable = read.units()
            tally.add(codes[rows[starts]], starts, read, units, usable)
            both = usable[left] & usable[right]
            values[some][both] = np.clip(np.einsum("pd,pd->p", units[left[both]], units[right[both]]), -1, 1)
        at += len(rows)
    tables = {kind: tally.table(pd.Index(items, name="item")) for kind, tally in zip(kinds, tallies, strict=True)}
    if not few:
        return tables, None
    worker, workers = pd.factorize(descriptions.worker)
    # Ids once and numbers for each pair: as texts, those of a million pairs would take hundreds of megabytes.
    of_item = pd.Categorical.from_codes(codes[order[first]], items)
    sides = (pd.Categorical.from_codes(worker[order[side]], workers) for side in (first, second))
    columns = {"item": of_item, **dict(zip(("first", "second"), sides, strict=True)), **dict(zip(kinds, cosines, strict=True))}
    return tables, pd.DataFrame(columns)


def _pairs(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions of every two equal codes, the codes sorted; by the first position."""
    distance, found = 1, []
    while True:
        first = np.flatnonzero(codes[distance:] == codes[:-distance]) if distance < len(codes) else np.zeros(0, dtype=np.intp)
        if not len(first):
            break
        found.append(np.column_stack([first, first + distance]))
        distance += 1
    pairs = np.concatenate(found) if found else np.zeros((0, 2), dtype=np.intp)
    pairs = pairs[np.lexsort(pairs.T[::-1])]
    return pairs[:, 0], pairs[:, 1]


def words_needed(answers: pd.DataFrame, *, wording: Wording = AS_THE_PAPER) -> set[str]:
    """Everything that the descriptions of a table of answers may be looked up as, for `load_vectors(path, words=...)`."""
    needed: set[str] = set()
    for column in DESCRIPTIONS:
        if column in answers:
            for text in answers[column].dropna().unique():
                needed.update(content_words(text, stop_words=(), wording=wording))
    return {form for word in needed for form in lookups(word, wording=wording)}


def coverage(
    answers: pd.DataFrame,
    vectors: KeyedVectors,
    *,
    kind: str = CONCATENATED,
    stop_words: Collection[str] = STOP_WORDS,
    wording: Wording = AS_THE_PAPER,
) -> Coverage:
    """How many of the words that people used have a vector, and which have none.

    Raises:
        BarlowError: as `item_agreement`.
    """
    words = _Words(vectors, stop_words, wording)
    descriptions = _Descriptions(answers, [kind], words)
    occurrences = np.zeros(0, dtype=np.int64)
    for start in range(0, len(descriptions), _BLOCK):
        (read,) = descriptions.read(np.arange(start, min(start + _BLOCK, len(descriptions))))
        found = read.occurrences()
        found[: len(occurrences)] += occurrences
        occurrences = found
    missing = ~words.is_known
    unknown = pd.DataFrame({"word": np.array(words.words, dtype=object)[missing], "occurrences": occurrences[missing]})
    unknown = unknown.sort_values(["occurrences", "word"], ascending=[False, True], ignore_index=True)
    return Coverage(int(occurrences.sum()), int(occurrences[~missing].sum()), unknown)


# --- from texts to unit vectors


class _Descriptions:
    """The descriptions of a table of answers, made into Python's texts some thousand at a time: all of 600,000 at once take hundreds of
    megabytes.

    Args:
        kinds: of `KINDS`.
    """

    def __init__(self, answers: pd.DataFrame, kinds: Sequence[str], words: _Words):
        for kind in kinds:
            check_choice(kind, KINDS, "The kind of description")
        self.kinds, self.words = kinds, words
        columns = DESCRIPTIONS if CONCATENATED in kinds else kinds
        table = checked(answers, columns)
        self.item, self.worker = table["item"], table["worker"]
        self.columns = {column: table[column].array for column in columns}

    def __len__(self) -> int:
        return len(self.item)

    def read(self, rows: np.ndarray) -> list[_Read]:
        """Some descriptions, a kind after the other. Both texts of an answer have the words of the one and of the other."""
        texts = {name: column.take(rows).to_numpy(dtype=object) for name, column in self.columns.items()}
        read = {name: self.words.read(list(some)) for name, some in texts.items()}
        return [_both(*read.values()) if kind == CONCATENATED else read[kind] for kind in self.kinds]


class _Words:
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

    def read(self, texts: Sequence[Any]) -> _Read:
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
        return _Read(self, codes, counts)

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
class _Read:
    """Some descriptions as words.

    Attributes:
        words: of this and other descriptions.
        codes: for every description the row of its text, -1 for an empty or missing one.
        counts: (texts + 1, words met so far) float32, how often a text has a word; the last row is empty.
    """

    words: _Words
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


def _both(first: _Read, second: _Read) -> _Read:
    """Two texts of each answer as one description."""
    pairs, codes = np.unique(np.column_stack([first.codes, second.codes]), axis=0, return_inverse=True)
    counts = []
    for read, rows in zip((first, second), pairs.T, strict=True):
        wide = read.counts.copy()
        wide.resize(read.counts.shape[0], len(read.words.words))
        counts.append(wide[rows])
    empty = csr_matrix((1, len(first.words.words)), dtype=np.float32)
    given = (first.codes >= 0) | (second.codes >= 0)
    return _Read(first.words, np.where(given, codes.reshape(-1), -1), vstack([counts[0] + counts[1], empty], format="csr"))


def _blocks(codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of whole items, some thousand at a time, and where in them each item starts."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    at = 0
    while at < len(starts):
        end = int(np.searchsorted(starts, starts[at] + _BLOCK))
        stop = starts[end] if end < len(starts) else len(order)
        yield order[starts[at] : stop], starts[at:end] - starts[at]
        at = end


class _Tally:
    """What the agreement of items is made of, added up over blocks of whole items."""

    def __init__(self, n_items: int):
        self.n, self.usable, self.words, self.known = (np.zeros(n_items, dtype=np.int64) for _ in range(4))
        self.squares = np.zeros(n_items)

    def add(self, items: np.ndarray, starts: np.ndarray, read: _Read, units: np.ndarray, usable: np.ndarray) -> None:
        """The descriptions of some items, which lie beside each other.

        Args:
            items: the numbers of the items.
            starts: where the descriptions of each start.
            units, usable: `read.units()`.
        """
        if not len(units):
            return
        counted = (usable, read.codes >= 0, *read.lengths())
        for total, part in zip((self.usable, self.n, self.words, self.known), counted, strict=True):
            total[items] = np.add.reduceat(part.astype(np.int64), starts)
        sums = np.add.reduceat(units, starts, axis=0)
        self.squares[items] = np.einsum("nd,nd->n", sums, sums)

    def table(self, index: pd.Index | None = None) -> pd.DataFrame:
        """What `item_agreement` returns."""
        n, usable = self.n, self.usable
        defined = usable >= 2
        value = np.zeros(len(n))
        value[defined] = np.clip((self.squares[defined] - usable[defined]) / (usable[defined] * (usable[defined] - 1)), -1, 1)
        reason = np.select([n == 0, usable == 0, usable == 1], [1, 2, 3], default=0)
        return pd.DataFrame(
            {
                "n": n,
                "usable": usable,
                "words": self.words,
                "known": self.known,
                "agreement": pd.arrays.FloatingArray(value, ~defined),
                "reason": pd.Series(_REASONS[reason], dtype=object, index=index),
            },
            index=index,
        )
